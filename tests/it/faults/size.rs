//! How large a campaign is: a small one in every run of the tests, the full one under `make test-faults`.

use afterword::config::environment;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

/// Tells whether campaigns run in full.
pub(super) fn is_full() -> bool {
    environment("AFTERWORD_CAMPAIGN").as_deref() == Some("full")
}

/// Chooses between the small and the full value.
pub(super) fn sized<T>(small: T, full: T) -> T {
    if is_full() { full } else { small }
}

/// Makes the chance of a campaign out of the seed that the environment gives, or of a new one, and prints it.
pub(super) fn chance(campaign: &str) -> ChaCha8Rng {
    let given = environment("AFTERWORD_CAMPAIGN_SEED").and_then(|seed| seed.parse().ok());
    let seed: u64 = given.unwrap_or_else(rand::random);
    println!("{campaign}: AFTERWORD_CAMPAIGN_SEED={seed}");
    ChaCha8Rng::seed_from_u64(seed)
}
