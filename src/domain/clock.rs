//! Time as an argument: whoever needs the present moment is given a [`Clock`].

use chrono::{DateTime, SubsecRound, Utc};

/// A moment in UTC with the microsecond resolution that Postgres keeps.
pub type Timestamp = DateTime<Utc>;

/// Tells the present moment.
pub trait Clock: Send + Sync {
    /// Returns the present moment, truncated to microseconds so that a stored time reads back equal.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the program reads the wall clock")]
    fn now(&self) -> Timestamp {
        Utc::now().trunc_subsecs(6)
    }
}
