//! What an export says of consent: which rule held, and what its rows rest on.

use std::collections::BTreeMap;

use serde::Serialize;

use super::export_stats::ExportStats;
use crate::domain::consent::{ConsentDefault, Ground};
use crate::domain::recipe::{Consent, Recipe};

/// What the rows rest on where consent is concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsentOfRows {
    /// The recipe's rule.
    pub rule: Consent,
    /// Rows over all formats, by the ground that they rest on: `recorded`, `presumed` (the project declares what silence
    /// means) or `none`.
    pub n_rows: BTreeMap<&'static str, u64>,
}

impl ConsentOfRows {
    /// Sums it up over the formats of a recipe.
    pub(super) fn of(recipe: &Recipe, stats: &ExportStats) -> Self {
        let mut n_rows: BTreeMap<&str, u64> = Ground::OF_ROWS.iter().map(|(word, _)| (*word, 0)).collect();
        for (word, n) in recipe.formats.iter().filter_map(|format| stats.of(format)).flat_map(|stats| &stats.consent) {
            *n_rows.entry(word).or_default() += n;
        }
        Self { rule: recipe.options.consent, n_rows }
    }

    fn n_rows(&self, ground: Ground) -> u64 {
        ground.word().and_then(|word| self.n_rows.get(word)).copied().unwrap_or_default()
    }

    /// Says it in a sentence or two.
    pub fn sentences(&self, default: ConsentDefault) -> String {
        let (rule, n_recorded) = (self.rule.as_str(), self.n_rows(Ground::Recorded));
        let recorded =
            format!("Consent to training (`consent = \"{rule}\"`): recorded for all answers of {n_recorded} rows.");
        match (self.n_rows(Ground::Presumed), default.as_str()) {
            (0, _) => recorded,
            (n_presumed, default) => format!(
                "{recorded} {n_presumed} rows rest on what the project declares of answers that say nothing (`{default}`)."
            ),
        }
    }

    /// Warns of rows without any consent.
    pub(super) fn warning(&self) -> Option<String> {
        let n_rows = self.n_rows(Ground::None);
        (n_rows > 0).then(|| {
            format!(
                "{n_rows} rows hold answers for which nobody recorded or declared consent (`consent = \"ignore\"`): make \
                 sure that it is settled elsewhere before you train on them or hand them on."
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rows_rest_on_is_said_where_it_is_less_than_recorded_consent() {
        let of = |recorded, presumed, none| ConsentOfRows {
            rule: Consent::Ignore,
            n_rows: [("recorded", recorded), ("presumed", presumed), ("none", none)].into(),
        };

        assert_eq!(
            of(3, 0, 0).sentences(ConsentDefault::Granted),
            "Consent to training (`consent = \"ignore\"`): recorded for all answers of 3 rows."
        );
        let presumed = of(3, 2, 0).sentences(ConsentDefault::Granted);
        assert!(
            presumed.ends_with(" 2 rows rest on what the project declares of answers that say nothing (`granted`).")
        );
        assert_eq!(of(3, 2, 0).warning(), None);
        assert!(of(0, 0, 4).warning().unwrap().starts_with("4 rows hold answers for which nobody"));
    }
}
