//! How many items of feedback somebody may send: token buckets, counted in items, in memory of a fixed size. It knows
//! names only as hashes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};

use crate::domain::ids::{ProjectId, UserId};
use crate::domain::principal::CredentialId;

/// The time that every quota is counted for; a bucket holds what one of them allows.
const WINDOW: Duration = Duration::from_mins(1);
/// How many names are told apart by one quota; those beyond share what is left for them.
const MAX_NAMES: usize = 1 << 16;
const N_SHARDS: usize = 16;
/// Clients that were turned away at the same time do not come back at the same time.
const MAX_JITTER_S: u64 = 2;

/// How many items each may send in a minute; any number for 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// A publishable key, or the signing key of tokens.
    pub of_browser_key: u32,
    /// The subject of a token.
    pub of_subject: u32,
    /// A network: /24 for IPv4, /56 for IPv6.
    pub of_address: u32,
    /// A secret key.
    pub of_secret_key: u32,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { of_browser_key: 120_000, of_subject: 1_200, of_address: 12_000, of_secret_key: 0 }
    }
}

/// Whose quota is charged.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Whose<'a> {
    Address(IpAddr),
    Subject(ProjectId, &'a UserId),
    BrowserKey(&'a CredentialId),
    SecretKey(&'a CredentialId),
}

/// What a quota says after a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    name: &'static str,
    quota: u32,
    n_left: u32,
    /// Until when `n_left` is the whole again, or enough for what was refused.
    reset_s: u64,
    /// After how long a refused client may come back.
    pub(crate) retry_after_s: Option<u64>,
}

type Name = [u8; 16];

/// A quota and how much of it each has used.
#[derive(Debug)]
struct Meter {
    name: &'static str,
    quota: NonZeroU32,
    limiter: RateLimiter<Name, Names, DefaultClock, StateInformationMiddleware>,
}

/// All quotas.
#[derive(Debug)]
pub(crate) struct Meters {
    address: Option<Meter>,
    subject: Option<Meter>,
    browser_key: Option<Meter>,
    secret_key: Option<Meter>,
}

impl Meters {
    /// Sets them up; nobody has used anything.
    pub(crate) fn new(quotas: Quotas) -> Self {
        Self {
            address: Meter::new("address", quotas.of_address),
            subject: Meter::new("subject", quotas.of_subject),
            browser_key: Meter::new("key", quotas.of_browser_key),
            secret_key: Meter::new("key", quotas.of_secret_key),
        }
    }

    /// Takes items from somebody's quota, all or none; nothing where it has no bound.
    pub(crate) fn charge(&self, whose: &Whose, n_items: usize) -> Option<Reading> {
        let meter = match whose {
            Whose::Address(_) => &self.address,
            Whose::Subject(..) => &self.subject,
            Whose::BrowserKey(_) => &self.browser_key,
            Whose::SecretKey(_) => &self.secret_key,
        };
        let n_items = NonZeroU32::new(u32::try_from(n_items).unwrap_or(u32::MAX))?;
        meter.as_ref().map(|meter| meter.charge(&whose.name(), n_items))
    }
}

impl Whose<'_> {
    /// Hashes the name: nothing about a person stays in memory, and a long name takes no more than a short one.
    fn name(&self) -> Name {
        let mut hasher = blake3::Hasher::new();
        match self {
            Self::Address(address) => hasher.update(&network(*address)),
            Self::Subject(project_id, user) => hasher.update(project_id.0.as_bytes()).update(user.as_str().as_bytes()),
            Self::BrowserKey(credential) | Self::SecretKey(credential) => hasher.update(credential.as_str().as_bytes()),
        };
        let mut name = Name::default();
        name.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        name
    }
}

/// Cuts an address down to the network that one subscriber has: /24 for IPv4, /56 for IPv6.
fn network(address: IpAddr) -> [u8; 16] {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            std::net::Ipv4Addr::new(a, b, c, 0).to_ipv6_mapped().octets()
        }
        IpAddr::V6(address) => {
            let mut octets = address.octets();
            octets[7..].fill(0);
            octets
        }
    }
}

impl Meter {
    fn new(name: &'static str, quota: u32) -> Option<Self> {
        let quota = NonZeroU32::new(quota)?;
        let names = Names::new(MAX_NAMES, WINDOW);
        let limiter = RateLimiter::new(Quota::per_minute(quota), names, DefaultClock::default());
        Some(Self { name, quota, limiter })
    }

    fn charge(&self, name: &Name, n_items: NonZeroU32) -> Reading {
        let quota = self.quota.get();
        // A request larger than the whole takes the whole.
        match self.limiter.check_key_n(name, n_items.min(self.quota)) {
            Ok(Err(not_until)) => {
                let wait = not_until.wait_time_from(self.limiter.clock().now());
                let reset_s = wait.as_secs_f64().ceil().max(1.0) as u64;
                // What the nanoseconds say is as good as chance.
                let retry_after_s = Some(reset_s + u64::from(wait.subsec_nanos()) % (MAX_JITTER_S + 1));
                Reading { name: self.name, quota, n_left: 0, reset_s, retry_after_s }
            }
            Ok(Ok(state)) => {
                let n_left = state.remaining_burst_capacity();
                let n_used = f64::from(quota - n_left.min(quota));
                let reset_s = (n_used / f64::from(quota) * WINDOW.as_secs_f64()).ceil() as u64;
                Reading { name: self.name, quota, n_left, reset_s, retry_after_s: None }
            }
            // Cannot be: the items were cut down to the quota.
            Err(_) => Reading { name: self.name, quota, n_left: 0, reset_s: WINDOW.as_secs(), retry_after_s: None },
        }
    }
}

/// Tells the quotas that were charged, and of the scarcest what is left of it.
pub(crate) fn render(readings: &[Reading], headers: &mut HeaderMap) {
    let mut latest: Vec<Reading> = Vec::new();
    for reading in readings {
        latest.retain(|earlier| earlier.name != reading.name);
        latest.push(*reading);
    }
    let share = |reading: &Reading| f64::from(reading.n_left) / f64::from(reading.quota);
    let Some(scarcest) = latest.iter().min_by(|a, b| share(a).total_cmp(&share(b))) else { return };
    let policy = |reading: &Reading| format!("\"{}\";q={};w={}", reading.name, reading.quota, WINDOW.as_secs());
    let policies = latest.iter().map(policy).collect::<Vec<_>>().join(", ");
    let left = format!("\"{}\";r={};t={}", scarcest.name, scarcest.n_left, scarcest.reset_s);
    for (name, value) in [("ratelimit-policy", policies), ("ratelimit", left)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// The times by which buckets are full again, for a bounded number of names. Where there are too many, names whose
/// buckets are full are forgotten, which changes nothing; where that is not enough, new names share one bucket.
#[derive(Debug)]
struct Names {
    shards: Vec<Mutex<HashMap<Name, Nanos>>>,
    max_per_shard: usize,
    window: Nanos,
}

/// The name that names beyond the bound share.
const EVERYBODY_ELSE: Name = [0; 16];

impl Names {
    fn new(max_names: usize, window: Duration) -> Self {
        let shards = (0..N_SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, max_per_shard: max_names.div_ceil(N_SHARDS), window: window.into() }
    }
}

impl StateStore for Names {
    type Key = Name;

    fn measure_and_replace<T, F, E>(&self, name: &Name, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let shard = &self.shards[usize::from(name[0]) % self.shards.len()];
        let mut full_again = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let mut name = *name;
        if !full_again.contains_key(&name) && full_again.len() >= self.max_per_shard {
            // What a new bucket would say lies at most a window behind the present.
            let (_, next) = measure(None)?;
            let past = next.saturating_sub(self.window);
            full_again.retain(|_, at| *at > past);
            if full_again.len() >= self.max_per_shard {
                name = EVERYBODY_ELSE;
            }
        }
        let (outcome, next) = measure(full_again.get(&name).copied())?;
        full_again.insert(name, next);
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(quota: u32) -> Meter {
        Meter::new("test", quota).unwrap()
    }

    fn n(items: u32) -> NonZeroU32 {
        NonZeroU32::new(items).unwrap()
    }

    #[test]
    fn items_are_counted_and_refused_together() {
        let meter = meter(100);

        assert_eq!(meter.charge(&[1; 16], n(60)).n_left, 40);
        let refused = meter.charge(&[1; 16], n(41));
        assert!(refused.retry_after_s.is_some_and(|wait_s| wait_s >= refused.reset_s) && refused.reset_s >= 1);
        assert_eq!(meter.charge(&[1; 16], n(40)).retry_after_s, None, "nothing was taken for what was refused");
        assert_eq!(meter.charge(&[2; 16], n(500)).retry_after_s, None, "another name, more than the whole");
    }

    #[test]
    fn networks_are_counted_and_not_addresses() {
        let name = |text: &str| Whose::Address(text.parse().unwrap()).name();

        assert_eq!(name("192.0.2.1"), name("192.0.2.200"));
        assert_eq!(name("192.0.2.1"), name("::ffff:192.0.2.9"));
        assert_ne!(name("192.0.2.1"), name("192.0.3.1"));
        assert_eq!(name("2001:db8:0:aa00::1"), name("2001:db8:0:aaff::2"));
        assert_ne!(name("2001:db8:0:aa00::1"), name("2001:db8:0:ab00::1"));
    }

    #[test]
    fn a_million_names_take_the_memory_of_a_bounded_number() {
        let names = Names::new(160, WINDOW);
        let limiter: RateLimiter<Name, Names, DefaultClock, StateInformationMiddleware> =
            RateLimiter::new(Quota::per_minute(n(10)), names, DefaultClock::default());
        let mut n_refused = 0;
        for i in 0_u32..1_000_000 {
            let mut name = [1; 16];
            name[..4].copy_from_slice(&i.to_le_bytes());
            n_refused += u32::from(limiter.check_key_n(&name, n(5)).unwrap().is_err());
        }

        assert!(n_refused > 900_000, "those beyond the bound share one bucket");
        let names = limiter.into_state_store();
        assert!(names.shards.iter().all(|shard| shard.lock().unwrap().len() <= names.max_per_shard + 1));
    }

    #[test]
    fn the_scarcest_quota_is_told() {
        let reading = |name, n_left| Reading { name, quota: 100, n_left, reset_s: 9, retry_after_s: None };
        let mut headers = HeaderMap::new();

        render(&[reading("address", 90), reading("key", 50), reading("address", 80)], &mut headers);

        let value = |name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(value("ratelimit"), "\"key\";r=50;t=9");
        assert_eq!(value("ratelimit-policy"), "\"key\";q=100;w=60, \"address\";q=100;w=60");
    }
}
