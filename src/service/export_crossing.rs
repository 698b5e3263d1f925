//! What one export trains on and another evaluates on. Splits are drawn anew for every recipe, so that two folders of the
//! same feedback may disagree, and whoever trains on one and evaluates on the other measures what the model has seen.

use std::collections::HashMap;
use std::path::Path;

use serde::Serialize;

use super::export_reading::{Pass, ReadError, ReadManifest};

/// The split that is trained on; the others are evaluated on.
const TRAIN: &str = "train";

/// Values of a column that lie in the train split of one export and in the validation or test split of the other, whichever
/// the config.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Crossing {
    /// How many the first trains on and the second evaluates on.
    pub n_trained_in_a: u64,
    /// The first of them.
    pub trained_in_a: Vec<String>,
    /// How many the second trains on and the first evaluates on.
    pub n_trained_in_b: u64,
    /// The first of them.
    pub trained_in_b: Vec<String>,
}

impl Crossing {
    /// Tells whether there is none.
    pub fn is_none(&self) -> bool {
        self.n_trained_in_a + self.n_trained_in_b == 0
    }
}

/// What is known of a value in one export.
#[derive(Default, Clone, Copy)]
struct Sides {
    is_trained: bool,
    is_evaluated: bool,
}

impl Sides {
    fn add(&mut self, split: &str) {
        if split == TRAIN {
            self.is_trained = true;
        } else {
            self.is_evaluated = true;
        }
    }
}

/// Finds what crosses between two folders by a column that proves rows; lists at most `max_listed` values of each kind.
pub(super) fn crossing(
    (a, of_a): (&Path, &ReadManifest),
    (b, of_b): (&Path, &ReadManifest),
    column: &'static str,
    max_listed: usize,
) -> Result<Crossing, ReadError> {
    let mut found = Crossing::default();
    for pass in Pass::all(&[of_a, of_b]) {
        let (left, right) = (sides(a, of_a, column, pass)?, sides(b, of_b, column, pass)?);
        let mut both: Vec<(u128, Sides, Sides)> =
            left.into_iter().filter_map(|(key, of_a)| Some((key, of_a, *right.get(&key)?))).collect();
        both.sort_unstable_by_key(|(key, ..)| *key);
        for (key, of_a, of_b) in both {
            if of_a.is_trained && of_b.is_evaluated {
                found.n_trained_in_a += 1;
                list(&mut found.trained_in_a, key, max_listed);
            }
            if of_b.is_trained && of_a.is_evaluated {
                found.n_trained_in_b += 1;
                list(&mut found.trained_in_b, key, max_listed);
            }
        }
    }
    Ok(found)
}

fn sides(
    folder: &Path,
    manifest: &ReadManifest,
    column: &'static str,
    pass: Pass,
) -> Result<HashMap<u128, Sides>, ReadError> {
    let mut sides: HashMap<u128, Sides> = HashMap::new();
    manifest.keys(folder, column, pass, |split, key, _| sides.entry(key).or_default().add(split))?;
    Ok(sides)
}

fn list(listed: &mut Vec<String>, key: u128, max_listed: usize) {
    if listed.len() < max_listed {
        listed.push(format!("{key:032x}"));
    }
}
