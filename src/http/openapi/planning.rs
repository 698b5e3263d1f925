//! Schemas of plans: what they are asked, and what they answer.

use serde_json::{Value, json};

use super::words::{
    all, boolean, described, estimate, integer, moment, named, nullable, number, object, optional, required, total,
    words_of,
};
use crate::domain::experiment::METRIC_NAMES;

/// A rate of the present model; neither never nor always.
pub(super) fn proportion() -> Value {
    number(1e-4, 1.0 - 1e-4)
}

/// New users a day.
pub(super) fn users_per_day() -> Value {
    number(1e-3, 1e9)
}

/// Turns of a user.
pub(super) fn turns_per_user() -> Value {
    number(1.0, 1e6)
}

/// A correlation within users.
pub(super) fn correlation() -> Value {
    number(0.0, 1.0)
}

/// A standard deviation of users' own rates.
pub(super) fn spread_of_users() -> Value {
    number(0.0, 0.5)
}

/// A metric that carries a margin.
pub(super) fn metric_name() -> Value {
    words_of(METRIC_NAMES)
}

/// The candidate's share.
pub(super) fn share() -> Value {
    number(0.001, 0.999)
}

/// A chance to plan for.
pub(super) fn power() -> Value {
    number(0.5, 0.99)
}

/// A number of days to look ahead.
pub(super) fn days_ahead() -> Value {
    integer(1, 3650)
}

/// A plan.
pub(super) fn plan() -> Value {
    let word = || json!({ "type": "string" });
    object(vec![
        required("basis", basis()),
        required("share", share()),
        required("alpha", number(1e-4, 0.2)),
        required("power", power()),
        required("sentence", word()),
        required("notes", all(&word())),
        required("metrics", all(&metric())),
        required("longest", described(nullable(metric_name()), "Null where one of them is never shown.")),
        required(
            "n_days",
            described(estimate(), "Days until all of them are shown, with what a switch takes besides."),
        ),
        required("computed_at", moment()),
    ])
}

fn basis() -> Value {
    let window = object(vec![required("first_at", moment()), required("last_at", moment())]);
    object(vec![
        required("kind", words_of(["traffic", "numbers"])),
        optional("control", json!({ "type": "string" })),
        optional("window", window),
        optional("n_days", json!({ "type": "number", "minimum": 0.0 })),
        optional("n_users", total()),
        optional("n_turns", total()),
        optional("trust", named("TrustRule")),
        optional("filters", json!({ "type": "object" })),
        optional("users_per_day", users_per_day()),
        optional("turns_per_user", turns_per_user()),
        optional("icc", correlation()),
    ])
}

fn metric() -> Value {
    let margin = object(vec![
        required("declared", number(0.001, 1.0)),
        required("absolute", number(0.0, 1.0)),
        required("below_floor", boolean()),
    ]);
    let ahead = object(vec![
        required("n_days", days_ahead()),
        required("n_users", total()),
        required("provable_at_every_look", estimate()),
        required("provable_at_one_look", estimate()),
        required("power_at_every_look", estimate()),
        required("power_at_one_look", estimate()),
    ]);
    object(vec![
        required("name", metric_name()),
        required("title", json!({ "type": "string" })),
        required("higher_is_better", boolean()),
        required("baseline", number(0.0, 1.0)),
        required("deff", described(estimate(), "How many times as many turns it takes because users differ.")),
        required("margin", margin),
        required("power", number(0.5, 1.0)),
        required("at_every_look", described(nullable(needed()), "Null where no number of users would do.")),
        required("at_one_look", nullable(needed())),
        required("ahead", all(&ahead)),
    ])
}

fn needed() -> Value {
    object(vec![
        required("n_users", total()),
        required("n_users_candidate", total()),
        required("n_turns", total()),
        required("n_days", estimate()),
        required("is_extrapolated", boolean()),
    ])
}
