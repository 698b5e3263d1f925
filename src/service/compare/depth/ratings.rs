//! What people say beside what they do.
//!
//! It must not decide whether ratings are comparable.

use super::super::sample::Column;
use super::View;
use crate::report::comparison::ratings::{Agreement, SignalPair, Solicited, UpShare};
use crate::stats::Multiplier;
use crate::stats::cluster::ClusteredRates;
use crate::stats::ratio::{ratio_diff, ratio_diff_paired};
use crate::stats::response::{Thumbs, response_bias_or};
use crate::store::turns::{Outcomes, Turn};

/// Accepted loss of the share of thumbs up.
pub(in crate::service::compare) const UP_SHARE_MARGIN: f64 = 0.03;

/// Signals that are held against each other.
const SIGNALS: [(&str, Outcomes); 6] = [
    ("thumb_up", Outcomes::UP),
    ("thumb_down", Outcomes::DOWN),
    ("copy", Outcomes::COPIED),
    ("regenerate", Outcomes::REGENERATED),
    ("continuation", Outcomes::CONTINUED),
    ("edit", Outcomes::EDITED),
];

/// Compares thumbs up with thumbs down among those who answer; nothing where a side has none.
pub(super) fn up_share(view: &View<'_>) -> Option<UpShare> {
    let count = |is_candidate: bool, outcome: Outcomes| {
        let turns = view.turns.rows.iter().filter(|turn| turn.is_candidate == is_candidate);
        turns.filter(|turn| turn.outcomes.has(outcome)).count() as f64
    };
    let thumbs = Thumbs {
        up_a: count(false, Outcomes::UP),
        down_a: count(false, Outcomes::DOWN),
        up_b: count(true, Outcomes::UP),
        down_b: count(true, Outcomes::DOWN),
    };
    let share = |up: f64, down: f64| (up + down > 0.0).then(|| up / (up + down));
    let (control, candidate) = (share(thumbs.up_a, thumbs.down_a), share(thumbs.up_b, thumbs.down_b));
    if control.is_none() || candidate.is_none() {
        return None;
    }
    let rated = Column::of_turns(view.turns.rows.iter(), |turn| Some(f64::from(u8::from(turn.outcomes.is_rated()))));
    let deff = ClusteredRates::of(&rated.control.users(), &rated.candidate.users())?.deff;
    let odds = response_bias_or(&thumbs, UP_SHARE_MARGIN, deff, 2.0 * view.question.alpha)?;
    Some(UpShare {
        control,
        candidate,
        odds_ratio: odds.odds_ratio,
        interval: Some(odds.interval),
        tipping_factor: odds.tipping_gamma.filter(|factor| *factor > 1.0),
    })
}

/// Weighs ratings that were asked for by chance by one over the chance.
pub(super) fn solicited(view: &View<'_>) -> Option<Solicited> {
    let prob = |turn: &Turn| turn.solicit_prob.get().filter(|prob| *prob > 0.0);
    let count = |is_candidate: bool, holds: fn(&Turn) -> bool| {
        let asked = view.turns.rows.iter().filter(|turn| turn.is_candidate == is_candidate && prob(turn).is_some());
        asked.filter(|turn| holds(turn)).count() as u64
    };
    let n_asked = (count(false, |_| true), count(true, |_| true));
    if n_asked == (0, 0) {
        return None;
    }
    let column = Column::weighted(view.turns.rows.iter(), |turn| {
        let weight = 1.0 / prob(turn)?;
        let is_up = f64::from(u8::from(turn.outcomes.has(Outcomes::UP)));
        turn.outcomes.is_rated().then_some((weight * is_up, weight))
    });
    let reach = view.multiplier().map_or(Multiplier::Alpha(2.0 * view.question.alpha), Multiplier::Value);
    let both = ratio_diff(&column.control.users(), &column.candidate.users(), reach);
    let difference = if view.sample.is_paired() {
        let paired = ratio_diff_paired(&column.paired, reach);
        paired.difference.map(|estimate| (estimate, paired.interval))
    } else {
        both.difference.difference.map(|estimate| (estimate, both.difference.interval))
    };
    Some(Solicited {
        n_asked,
        n_rated: (count(false, |it| it.outcomes.is_rated()), count(true, |it| it.outcomes.is_rated())),
        up_share: (both.a.estimate, both.b.estimate),
        difference,
    })
}

/// Counts which signals meet on one turn.
pub(super) fn agreement(view: &View<'_>) -> Option<Agreement> {
    let any = SIGNALS.iter().fold(Outcomes::default(), |all, (_, outcome)| all.and(*outcome));
    if !view.turns.rows.iter().any(|turn| turn.outcomes.has(any)) {
        return None;
    }
    let signals = SIGNALS.iter().map(|(name, _)| *name).collect();
    Some(Agreement { signals, control: table(view, false), candidate: table(view, true) })
}

fn table(view: &View<'_>, is_candidate: bool) -> Vec<Vec<SignalPair>> {
    let mut both = [[0_u64; SIGNALS.len()]; SIGNALS.len()];
    let mut n_turns = 0_u64;
    for turn in view.turns.rows.iter().filter(|turn| turn.is_candidate == is_candidate) {
        n_turns += 1;
        let has = SIGNALS.map(|(_, outcome)| turn.outcomes.has(outcome));
        for row in (0..SIGNALS.len()).filter(|row| has[*row]) {
            for column in (0..=row).filter(|column| has[*column]) {
                both[row][column] += 1;
            }
        }
    }
    let pair = |row: usize, column: usize| SignalPair {
        n_both: both[row][column],
        phi: phi(n_turns as f64, both[row][column] as f64, both[row][row] as f64, both[column][column] as f64),
    };
    (0..SIGNALS.len()).map(|row| (0..row).map(|column| pair(row, column)).collect()).collect()
}

/// Computes the correlation of two events of `n` turns: `(n n_xy − n_x n_y)/√(n_x (n − n_x) n_y (n − n_y))` (Yule 1912);
/// nothing where one of them never or always happens.
fn phi(n: f64, n_both: f64, n_x: f64, n_y: f64) -> Option<f64> {
    let spread = n_x * (n - n_x) * n_y * (n - n_y);
    (spread > 0.0).then(|| (n * n_both - n_x * n_y) / spread.sqrt())
}
