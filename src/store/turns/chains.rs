//! Which answer a regeneration goes back to, however many attempts lie between.
//!
//! It must not know what came of them.

use std::collections::HashMap;

/// Finds the end of each chain: `parents` leads from an answer to the one that it regenerates, `roots` gets the first answer of
/// each. Answers whose parents go round in a circle go back to nothing.
pub(super) fn roots(parents: &HashMap<u32, u32>) -> HashMap<u32, Option<u32>> {
    let mut roots: HashMap<u32, Option<u32>> = HashMap::with_capacity(parents.len());
    let mut way = Vec::new();
    for start in parents.keys() {
        let mut at = *start;
        let root = loop {
            match (roots.get(&at), parents.get(&at)) {
                // Known from another way, or met on this one, which is a circle.
                (Some(known), _) => break *known,
                (None, Some(parent)) => {
                    roots.insert(at, None);
                    way.push(at);
                    at = *parent;
                }
                (None, None) => break Some(at),
            }
        };
        for passed in way.drain(..) {
            roots.insert(passed, root);
        }
    }
    roots
}

#[cfg(test)]
mod tests {
    use super::roots;

    #[test]
    fn every_attempt_goes_back_to_the_first_answer() {
        let parents = [(2, 1), (3, 2), (4, 3), (6, 1), (8, 9)].into();

        let found = roots(&parents);

        assert_eq!([2, 3, 4, 6, 8].map(|place| found[&place]), [Some(1), Some(1), Some(1), Some(1), Some(9)]);
        assert_eq!(found.len(), 5);
    }

    #[test]
    fn a_circle_of_attempts_and_what_hangs_on_it_goes_back_to_nothing() {
        let parents = [(1, 2), (2, 3), (3, 1), (4, 1), (5, 6)].into();

        let found = roots(&parents);

        assert_eq!([1, 2, 3, 4, 5].map(|place| found[&place]), [None, None, None, None, Some(6)]);
    }
}
