//! The options about votes and weights: who is believed, how many rows one user makes, what biases are evened out.

use super::options::{MIN_USER_SHARE, Options};
use super::words::{Aggregate, LabelNoise, LengthRule, PositionRule, SelectionBias, Weights};
use crate::domain::fields::{Fields, boolean, integer, number, one_of};

/// Reads these options; absent ones keep the values of `base`.
pub(super) fn read_votes(fields: &mut Fields, base: Options) -> Options {
    Options {
        aggregate: fields.optional("aggregate", one_of(Aggregate::WORDS)).unwrap_or(base.aggregate),
        label_noise: fields.optional("label_noise", one_of(LabelNoise::WORDS)).unwrap_or(base.label_noise),
        max_rows_per_user: fields
            .optional("max_rows_per_user", integer(0, 1_000_000_000))
            .unwrap_or(base.max_rows_per_user),
        max_user_share: fields.optional("max_user_share", number(MIN_USER_SHARE, 1.0)).unwrap_or(base.max_user_share),
        length: fields.optional("length", one_of(LengthRule::WORDS)).unwrap_or(base.length),
        max_length_ratio: fields.optional("max_length_ratio", number(1.0, 1e6)).unwrap_or(base.max_length_ratio),
        position: fields.optional("position", one_of(PositionRule::WORDS)).unwrap_or(base.position),
        drop_unrandomised: fields.optional("drop_unrandomised", boolean).unwrap_or(base.drop_unrandomised),
        selection_bias: fields.optional("selection_bias", one_of(SelectionBias::WORDS)).unwrap_or(base.selection_bias),
        weights: fields.optional("weights", one_of(Weights::WORDS)).unwrap_or(base.weights),
        recency_half_life_days: fields
            .optional("recency_half_life_days", number(0.0, 36_500.0))
            .unwrap_or(base.recency_half_life_days),
        ..base
    }
}
