//! Gathers what may bias the rows of one kind, row by row, and sums it up once all rows are written.

use serde::Serialize;

use super::export_biases::{
    LabelNoise, LengthBias, Position, PositionCounts, Reliability, SelectionBias, WeightCounts, WeightSummary,
};
use crate::dataset::example::{Example, FirstShown, RowKind};
use crate::dataset::lengths::PairLengths;
use crate::dataset::plan::UserRows;
use crate::domain::feedback::Signal;
use crate::domain::recipe::{Options, SelectionBias as SelectionRule, Weights};

/// What the first pass found out about votes and voters, over everything that was read.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// How often votes on pairs are wrong.
    pub pair_noise: Option<LabelNoise>,
    /// How often votes on single answers are wrong.
    pub label_noise: Option<LabelNoise>,
    /// How reliable those are who compare answers.
    pub pair_reliability: Option<Reliability>,
    /// How reliable those are who judge single answers.
    pub label_reliability: Option<Reliability>,
    /// Who gives feedback.
    pub selection: Option<SelectionBias>,
}

/// What may bias the rows of one kind: a section of `stats.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Biases {
    /// How often votes are wrong; over everything that was read, contested things included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_noise: Option<LabelNoise>,
    /// How reliable voters are, where the recipe weighs them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reliability: Option<Reliability>,
    /// How many rows the users made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<UserRows>,
    /// Whether the answer that was seen first wins, by experiment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Whether the longer answer wins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<LengthBias>,
    /// Who gives feedback; over all answers of the selection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selection: Option<SelectionBias>,
    /// What the weights come to, where they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<WeightSummary>,
    #[serde(skip)]
    pub(super) counts: Counts,
}

/// What is gathered row by row: eight bytes for each pair.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Counts {
    position: PositionCounts,
    lengths: Vec<PairLengths>,
    weights: WeightCounts,
}

impl Biases {
    /// Counts a row.
    pub(super) fn add(&mut self, example: &Example) {
        self.counts.weights.add(example.sample_weight);
        if example.body.kind() != RowKind::Pair {
            return;
        }
        if let Some((chosen, rejected)) = example.body.answer().zip(example.body.worse_answer()) {
            self.counts.lengths.push(PairLengths::of(chosen, rejected));
        }
        if example.signal == Signal::Preference && example.shown_first != FirstShown::Unknown {
            let experiment = example.experiment.as_deref().unwrap_or_default();
            self.counts.position.add(experiment, example.shown_first == FirstShown::Chosen);
        }
    }

    /// Sums up, and takes what was found out about the votes behind the rows of a kind.
    pub(super) fn close(&mut self, kind: RowKind, found: &Found, users: Option<UserRows>) {
        let (noise, reliability) = match kind {
            RowKind::Pair => (found.pair_noise, found.pair_reliability),
            RowKind::Labelled | RowKind::Endorsed => (found.label_noise, found.label_reliability),
            RowKind::Prompt | RowKind::Tie => (None, None),
        };
        let counts = std::mem::take(&mut self.counts);
        let position = counts.position.finish();
        *self = Self {
            label_noise: noise,
            reliability,
            users,
            position: (!position.0.is_empty()).then_some(position),
            length: LengthBias::of(&counts.lengths),
            selection: found.selection.clone().filter(|_| kind != RowKind::Tie),
            weights: counts.weights.finish(),
            counts: Counts::default(),
        };
    }

    /// Says what whoever trains on the rows should know.
    pub(super) fn warnings(&self, options: &Options) -> Vec<String> {
        let mut warnings: Vec<String> = self.length.and_then(|length| length.warning()).into_iter().collect();
        warnings.extend(self.position.iter().flat_map(Position::warnings));
        warnings.extend(self.label_noise.and_then(|noise| noise.warning()));
        warnings.extend(self.reliability.and_then(|reliability| reliability.warning()));
        let is_weighted = options.selection_bias == SelectionRule::Ipw;
        warnings.extend(self.selection.iter().flat_map(|selection| selection.warnings(is_weighted)));
        let in_column = options.weights == Weights::Column;
        warnings.extend(self.weights.filter(|_| in_column).and_then(|weights| weights.warning()));
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_goes_to_the_rows_that_it_is_about() {
        let noise = |error_rate| Some(LabelNoise { n_items: 100, disagreement: 0.2, error_rate, low: 0.0, high: 0.5 });
        let found = Found { pair_noise: noise(0.1), label_noise: noise(0.4), ..Found::default() };
        let closed = |kind| {
            let mut biases = Biases::default();
            biases.close(kind, &found, None);
            biases
        };

        assert_eq!(closed(RowKind::Pair).label_noise, found.pair_noise);
        assert_eq!(closed(RowKind::Labelled).label_noise, found.label_noise);
        assert_eq!(closed(RowKind::Prompt).label_noise, None);
        assert_eq!(closed(RowKind::Pair).warnings(&Options::default()), Vec::<String>::new());
        assert_eq!(closed(RowKind::Endorsed).warnings(&Options::default()).len(), 1);
    }
}
