//! Chance that is none: a number for each row, drawn from the recipe's salt and the row's name.
//!
//! A row keeps its number from export to export, so that what is picked by it changes as little as can be when rows
//! are added. Time and order never enter.

use crate::domain::hash::ContentHash;

/// What a number is drawn for: two purposes must not use one number, or the rows that one keeps would be those that the
/// other keeps, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Which rows of one user stay.
    Cap,
    /// Which rows stay when lengths are matched.
    Length,
    /// Which rows stay when weights are turned into rows.
    Resample,
}

impl Purpose {
    fn label(self) -> &'static str {
        match self {
            Self::Cap => "lottery cap",
            Self::Length => "lottery length",
            Self::Resample => "lottery resample",
        }
    }
}

/// Draws the number of a row.
pub fn ticket(salt: &str, purpose: Purpose, row_id: ContentHash) -> u64 {
    let mut named = Vec::with_capacity(salt.len() + 16);
    named.extend(row_id.0);
    named.extend(salt.as_bytes());
    let hash = ContentHash::of_bytes(purpose.label(), &named);
    hash.0.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Turns a ticket into a number between 0 and 1, both exclusive.
pub fn uniform(ticket: u64) -> f64 {
    // 52 bits and a half: the ends are never reached, and no two tickets that differ there are rounded together.
    ((ticket >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_depends_on_salt_purpose_and_row_and_on_nothing_else() {
        let rows = [ContentHash([1; 16]), ContentHash([2; 16])];
        let mut tickets: Vec<u64> = Vec::new();
        for salt in ["", "a", "b"] {
            for purpose in [Purpose::Cap, Purpose::Length, Purpose::Resample] {
                for row in rows {
                    assert_eq!(ticket(salt, purpose, row), ticket(salt, purpose, row));
                    tickets.push(ticket(salt, purpose, row));
                }
            }
        }

        tickets.sort_unstable();
        tickets.dedup();
        assert_eq!(tickets.len(), 18);
    }

    #[test]
    fn uniform_numbers_fill_the_interval_evenly_and_never_touch_its_ends() {
        let draw = |n: u16| {
            let mut id = [0; 16];
            id[..2].copy_from_slice(&n.to_le_bytes());
            uniform(ticket("salt", Purpose::Cap, ContentHash(id)))
        };

        let n_low = (0..10_000).filter(|n| draw(*n) < 0.25).count();

        assert!((2_300..2_700).contains(&n_low), "{n_low}");
        assert!(uniform(0) > 0.0 && uniform(u64::MAX) < 1.0);
    }
}
