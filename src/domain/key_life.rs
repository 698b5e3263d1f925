//! What a key of any kind has beside what it proves: a name, and the times between which it is good.

use super::clock::Timestamp;

/// The name and the times of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLife {
    /// What the operator calls it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// When it, or a token of it, was last accepted, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// From when on it is refused because somebody said so.
    pub revoked_at: Option<Timestamp>,
}

impl KeyLife {
    /// Begins the life of a key that is made now.
    pub fn begin(name: String, now: Timestamp, expires_at: Option<Timestamp>) -> Self {
        Self { name, created_at: now, expires_at, last_used_at: None, revoked_at: None }
    }

    /// Tells whether the key is good at a moment: neither revoked nor expired by then.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none_or(|at| now < at) && self.expires_at.is_none_or(|at| now < at)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_key_is_good_until_the_moment_at_which_it_expires_or_is_revoked() {
        let now = Timestamp::UNIX_EPOCH;
        let (before, after) = (now - TimeDelta::microseconds(1), now + TimeDelta::microseconds(1));
        let life = |expires_at, revoked_at| {
            let begun = KeyLife::begin("a".to_owned(), before, expires_at);
            KeyLife { revoked_at, ..begun }.is_live(now)
        };

        assert!(life(None, None) && life(Some(after), Some(after)));
        for end in [before, now] {
            assert!(!life(Some(end), None) && !life(None, Some(end)) && !life(Some(end), Some(after)));
        }
    }
}
