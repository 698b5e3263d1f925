//! What can happen to a project, one operation at a time.

use proptest::prelude::*;
use proptest::sample::Index;

/// Answers of a project; the first two are to one prompt.
pub(super) const N_ANSWERS: usize = 3;
/// Where reactions come from: two browsers of one user, one of another, one that nobody signed in to, and a backend.
pub(super) const N_SOURCES: usize = 5;

/// What becomes of a request on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// The client hears the answer.
    Heard,
    /// The request is carried out and its answer is lost, so that the client sends it again.
    ReplyLost,
    /// The connection is cut once the request is sent, so that nobody knows; the client sends it again.
    Cut,
}

/// A step of a case.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    /// Somebody reacts. A browser may hold the item back for a while.
    React { source: usize, answer: usize, by_alias: bool, value: u8, is_held: bool, age_only: bool, delivery: Delivery },
    /// The same person reacts otherwise to the same answer, a second later.
    Change { of: Index, value: u8, is_held: bool, delivery: Delivery },
    /// An item replaces another by name, told long before it by its own clock.
    Correct { of: Index, value: u8, delivery: Delivery },
    /// What was sent is sent again, alone or several times in one request.
    Replay { of: Index, n_times: usize, delivery: Delivery },
    /// Other content is sent under an id that is taken.
    Conflict { of: Index, value: u8 },
    /// A browser sends what it has held back, in any order.
    Flush { source: usize, rotation: usize, is_reversed: bool, delivery: Delivery },
    /// A completion arrives, or arrives again.
    Complete { answer: usize, delivery: Delivery },
    /// Another completion arrives under an id that may be taken.
    OtherCompletion { answer: usize },
    /// A browser's clock is set to another time.
    ClockJump { source: usize, minutes: i64 },
    /// A page is loaded anew: its session begins again.
    Reload { source: usize },
    /// The service is replaced by a fresh one over the same database; nothing is erased.
    Reset,
}

/// A sequence of steps, and which answers arrive at the end if they have not before.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) operations: Vec<Operation>,
    pub(super) complete_at_end: [bool; N_ANSWERS],
}

pub(super) fn any_script() -> impl Strategy<Value = Script> {
    let operations = prop::collection::vec(any_operation(), 1..20);
    let at_end = prop::array::uniform3(prop::bool::weighted(0.8));
    (operations, at_end).prop_map(|(operations, complete_at_end)| Script { operations, complete_at_end })
}

fn any_delivery() -> impl Strategy<Value = Delivery> {
    prop_oneof![7 => Just(Delivery::Heard), 2 => Just(Delivery::ReplyLost), 1 => Just(Delivery::Cut)]
}

/// Clocks that are off by more than five minutes are corrected, smaller offsets are believed: both are met.
fn any_offset() -> impl Strategy<Value = i64> {
    prop_oneof![3 => -4..=4_i64, 1 => 6..5_000_i64, 1 => -5_000..-6_i64]
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let source = || prop_oneof![4 => Just(0_usize), 6 => 0..N_SOURCES];
    let answer = || prop_oneof![1 => Just(0_usize), 1 => 0..N_ANSWERS];
    let of = any::<Index>;
    let held = || prop::bool::weighted(0.3);
    let react = (source(), answer(), prop::bool::weighted(0.2), 0..12_u8, held(), prop::bool::weighted(0.15));
    prop_oneof![
        8 => (react, any_delivery()).prop_map(|((source, answer, by_alias, value, is_held, age_only), delivery)| {
            Operation::React { source, answer, by_alias, value, is_held, age_only, delivery }
        }),
        6 => (of(), 0..12_u8, held(), any_delivery())
            .prop_map(|(of, value, is_held, delivery)| Operation::Change { of, value, is_held, delivery }),
        2 => (of(), 0..12_u8, any_delivery())
            .prop_map(|(of, value, delivery)| Operation::Correct { of, value, delivery }),
        2 => (of(), 1..4_usize, any_delivery())
            .prop_map(|(of, n_times, delivery)| Operation::Replay { of, n_times, delivery }),
        2 => (of(), 0..12_u8).prop_map(|(of, value)| Operation::Conflict { of, value }),
        2 => (source(), 0..5_usize, any::<bool>(), any_delivery()).prop_map(
            |(source, rotation, is_reversed, delivery)| Operation::Flush { source, rotation, is_reversed, delivery }
        ),
        2 => (answer(), any_delivery()).prop_map(|(answer, delivery)| Operation::Complete { answer, delivery }),
        1 => answer().prop_map(|answer| Operation::OtherCompletion { answer }),
        3 => (source(), any_offset()).prop_map(|(source, minutes)| Operation::ClockJump { source, minutes }),
        1 => source().prop_map(|source| Operation::Reload { source }),
        // Rarer than the others: each starts threads, and every case of the moment feels it.
        1 => prop_oneof![9 => source().prop_map(|source| Operation::Reload { source }), 1 => Just(Operation::Reset)],
    ]
}
