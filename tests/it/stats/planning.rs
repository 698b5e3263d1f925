//! A plan keeps its promise: users who are drawn as it assumes show an equal candidate as often as it says.

use afterword::stats::cluster::ClusteredRates;
use afterword::stats::planning::{Growth, Proof, Stretch};
use afterword::stats::sequential::{LookRule, Spending, information_fraction, look_multiplier};
use afterword::stats::{Direction, Multiplier, Users};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const RATE: f64 = 0.3;
const TURNS_PER_USER: u32 = 6;
const USERS_PER_DAY: f64 = 60.0;
/// Correlation within a user, whose own rate is one of two around [`RATE`].
const ICC: f64 = 0.1;
const MARGIN: f64 = 0.15;
const N_RUNS: u32 = 400;

fn proof(power: f64) -> Proof {
    Proof {
        rate: RATE,
        direction: Direction::HigherIsBetter,
        margin_floor: 0.002,
        share: 0.5,
        alpha: 0.025,
        power,
        tuned_power: 0.8,
    }
}

fn growth() -> Growth {
    let day = Stretch::of_equal_users(RATE, USERS_PER_DAY, f64::from(TURNS_PER_USER), ICC);
    Growth::of(vec![day]).unwrap()
}

/// Users of one side as they come, day after day.
#[derive(Default)]
struct Side {
    y: Vec<f64>,
    d: Vec<f64>,
}

impl Side {
    fn add(&mut self, n_users: u32, rate: f64, rng: &mut ChaCha8Rng) {
        let sd = (ICC * rate * (1.0 - rate)).sqrt();
        for _ in 0..n_users {
            let own = if rng.random_bool(0.5) { rate + sd } else { rate - sd };
            let n_events = (0..TURNS_PER_USER).filter(|_| rng.random_bool(own)).count();
            self.y.push(n_events as f64);
            self.d.push(f64::from(TURNS_PER_USER));
        }
    }

    fn users(&self) -> Users<'_> {
        Users { y: &self.y, d: &self.d }
    }
}

/// Two sides that grow by as many users on each day, and how they are looked at.
#[derive(Clone, Copy)]
struct Trial {
    n_days: u32,
    n_users_a_side: u32,
    rate_b: f64,
    rule: LookRule,
}

impl Trial {
    /// Tells whether the candidate is shown to be within the margin, at any of the looks that the rule allows.
    fn is_shown(self, rng: &mut ChaCha8Rng) -> bool {
        let (mut a, mut b) = (Side::default(), Side::default());
        for day in 1..=self.n_days {
            a.add(self.n_users_a_side, RATE, rng);
            b.add(self.n_users_a_side, self.rate_b, rng);
            if self.rule == LookRule::Fixed && day < self.n_days {
                continue;
            }
            let rates = ClusteredRates::of(&a.users(), &b.users()).unwrap();
            let reach = if self.rule == LookRule::Fixed { Multiplier::Alpha(0.05) } else { every_look(&rates) };
            if rates.relative(MARGIN, Direction::HigherIsBetter, reach).is_non_inferior() {
                return true;
            }
        }
        false
    }
}

/// The reach of a look as the comparison itself takes it, see `service::compare::metrics`.
fn every_look(rates: &ClusteredRates) -> Multiplier {
    let scale = 1.0 - MARGIN;
    let variance = |rate: f64, n: f64| rate * (1.0 - rate) / n;
    let (a, b) = (variance(rates.rate_a, rates.n_eff_a), variance(rates.rate_b, rates.n_eff_b));
    let info_fraction = information_fraction((b + scale * scale * a).sqrt(), MARGIN * rates.rate_a, 0.025, 0.8);
    let info_fraction = info_fraction.unwrap_or(0.0);
    let spending = Spending { alpha: 0.025, alpha_seq_share: 1.0, info_fraction, fixed_look_used: true };
    Multiplier::Value(look_multiplier(&spending, None).unwrap_or(f64::INFINITY))
}

fn share_shown(power: f64, rule: LookRule) -> f64 {
    let days = growth().first_with(proof(power).variance_needed(MARGIN, rule).unwrap()).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(49);
    let trial = Trial { n_days: days.ceil() as u32, n_users_a_side: USERS_PER_DAY as u32 / 2, rate_b: RATE, rule };
    let n_shown = (0..N_RUNS).filter(|_| trial.is_shown(&mut rng)).count();
    println!("{rule:?} with a power of {power}: {days:.2} days, shown in {n_shown} of {N_RUNS}");
    n_shown as f64 / f64::from(N_RUNS)
}

/// Three standard errors of a share of [`N_RUNS`] runs.
fn by_chance(power: f64) -> f64 {
    3.0 * (power * (1.0 - power) / f64::from(N_RUNS)).sqrt()
}

#[test]
fn a_single_look_shows_an_equal_candidate_as_often_as_planned() {
    for power in [0.8, 0.95] {
        let share = share_shown(power, LookRule::Fixed);

        // The last day is a whole one, so that the power may be a little more than asked for.
        assert!(share >= power - by_chance(power) && share <= power + by_chance(power) + 0.03, "{power}: {share}");
    }
}

#[test]
fn daily_looks_show_an_equal_candidate_at_least_as_often_as_planned() {
    for power in [0.8, 0.95] {
        let share = share_shown(power, LookRule::Sequential);

        // Earlier looks add to what the last one shows.
        assert!(share >= power - by_chance(power) && share < 0.995, "{power}: {share}");
    }
}

#[test]
fn sixty_daily_looks_pass_a_candidate_at_the_margin_as_rarely_as_stated() {
    const N_TRIALS: u32 = 1000;
    let rate_b = RATE * (1.0 - MARGIN);
    let trial = Trial { n_days: 60, n_users_a_side: 15, rate_b, rule: LookRule::Sequential };
    let mut rng = ChaCha8Rng::seed_from_u64(13);

    let n_shown = (0..N_TRIALS).filter(|_| trial.is_shown(&mut rng)).count();

    println!("a candidate at the margin is passed in {n_shown} of {N_TRIALS} trials of 60 daily looks");
    // 2.5 % and three standard errors.
    assert!((n_shown as f64) <= 0.025 * f64::from(N_TRIALS) + 3.0 * (0.025 * 0.975 * f64::from(N_TRIALS)).sqrt());
}
