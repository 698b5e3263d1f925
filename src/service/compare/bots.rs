//! Units that no person can be, by a rule that was fixed before any data.
//!
//! It must not know what they think of either side.

use crate::store::tallies::UnitTally;
use crate::store::turns::{Outcomes, Turn, Turns};

/// More completions on one day than a person asks for.
const MAX_COMPLETIONS_PER_DAY: u64 = 200;
/// More thumbs of one direction on one day than a person gives.
const MAX_THUMBS_PER_DAY: u64 = 50;
/// Nobody reads an answer and asks again within this time.
const MIN_THINK_MS: i64 = 1000;
/// Turns of one conversation that follow the one before without a pause, until that is no accident any more.
const MIN_HASTY_TURNS: u64 = 50;
/// Share of a unit's turns that have to be hasty.
const MIN_HASTY_SHARE: f64 = 0.9;

/// What was left out.
#[derive(Debug, Default)]
pub(in crate::service) struct Bots {
    pub(in crate::service) n_units: usize,
    pub(super) n_turns: usize,
    /// Tallies with everybody; nothing where nobody was left out.
    pub(super) with_everybody: Option<Vec<UnitTally>>,
}

impl Bots {
    /// Takes the bots out of the turns.
    pub(in crate::service) fn remove_from(turns: &mut Turns) -> Self {
        let bots: Vec<u32> = turns
            .rows
            .chunk_by(|left, right| left.unit == right.unit)
            .filter(|of_unit| is_bot(of_unit))
            .map(|of_unit| of_unit[0].unit)
            .collect();
        if bots.is_empty() {
            return Self::default();
        }
        let (n_before, with_everybody) = (turns.rows.len(), Some(turns.tallies()));
        turns.remove_units(|unit| bots.binary_search(&unit).is_ok());
        Self { n_units: bots.len(), n_turns: n_before - turns.rows.len(), with_everybody }
    }
}

/// Judges the turns of one unit.
fn is_bot(turns: &[Turn]) -> bool {
    let mut days: Vec<(i64, u64, u64, u64)> =
        turns.iter().map(|turn| (turn.day(), u64::from(turn.n_completions), ups(turn), downs(turn))).collect();
    days.sort_unstable();
    let is_restless = days.chunk_by(|left, right| left.0 == right.0).any(|day| {
        let sum = |part: fn(&(i64, u64, u64, u64)) -> u64| day.iter().map(part).sum::<u64>();
        sum(|it| it.1) > MAX_COMPLETIONS_PER_DAY
            || sum(|it| it.2) > MAX_THUMBS_PER_DAY
            || sum(|it| it.3) > MAX_THUMBS_PER_DAY
    });
    is_restless || is_hasty(turns)
}

fn ups(turn: &Turn) -> u64 {
    u64::from(turn.outcomes.has(Outcomes::UP))
}

fn downs(turn: &Turn) -> u64 {
    u64::from(turn.outcomes.has(Outcomes::DOWN))
}

/// Tells whether a unit asks again without reading. A time that only we gave tells when rows arrived, which for rows that
/// are loaded afterwards is all at once.
fn is_hasty(turns: &[Turn]) -> bool {
    let mut told: Vec<(u32, i64)> =
        turns.iter().filter(|turn| turn.has_own_time).map(|turn| (turn.conversation, turn.made_at_ms)).collect();
    told.sort_unstable();
    let pauses = || told.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1 - pair[0].1);
    let (n, n_hasty) = (pauses().count() as f64, pauses().filter(|pause| *pause < MIN_THINK_MS).count() as u64);
    n_hasty >= MIN_HASTY_TURNS && n_hasty as f64 >= MIN_HASTY_SHARE * n
}
