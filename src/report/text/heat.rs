//! Heat maps in characters: a shade for the strength, and the number beside it.

use super::Comparison;
use super::layout::{Page, pad, pad_left, signed};
use crate::report::comparison::candidates::Tournament;
use crate::report::comparison::ratings::{Agreement, SignalPair};

const CELL: usize = 9;
const LABEL: usize = 18;

/// Draws which signals go together, per side.
pub(super) fn agreement(page: &mut Page, agreement: &Agreement) {
    let n_shown = ((page.width() - LABEL) / CELL + 1).min(agreement.signals.len());
    for (side, rows) in [("control", &agreement.control), ("candidate", &agreement.candidate)] {
        page.blank();
        page.strong(&format!("Signals on the same turn, {side} (phi)"));
        for (row, name) in agreement.signals.iter().enumerate().skip(1) {
            let cells = (0..row.min(n_shown)).map(|column| {
                let pair: Option<&SignalPair> = rows.get(row).and_then(|row| row.get(column));
                pair.and_then(|pair| pair.phi).map_or_else(|| pad_left("–", CELL), |phi| cell(phi, &signed(phi)))
            });
            page.line(format!("{}{}", pad(name, LABEL), cells.collect::<String>()).trim_end());
        }
        let names = agreement.signals.iter().take(n_shown.saturating_sub(1)).map(|name| pad_left(&short(name), CELL));
        page.line(format!("{}{}", pad("", LABEL), names.collect::<String>()).trim_end());
    }
}

/// Draws how often each variant was preferred to each other.
pub(super) fn tournament(page: &mut Page, tournament: &Tournament) {
    let n_shown = ((page.width() - LABEL - 9) / CELL).min(tournament.players.len());
    page.blank();
    page.strong("Row preferred to column, ties half");
    for (row, player) in tournament.players.iter().enumerate() {
        let (best, worst) = player.ranks;
        let ranks = if best == worst { format!("rank {best}") } else { format!("rank {best}-{worst}") };
        let cells = (0..n_shown).map(|column| {
            let wins =
                |row: usize, column: usize| tournament.n_wins.get(row).and_then(|wins| wins.get(column)).copied();
            match (wins(row, column), wins(column, row)) {
                (Some(won), Some(lost)) if row != column && won + lost > 0.0 => {
                    cell((won - lost) / (won + lost), &format!("{won:.1}"))
                }
                _ => pad_left("–", CELL),
            }
        });
        page.line(&format!("{}{}{}", pad(&player.name, LABEL - 1), pad(&ranks, 10), cells.collect::<String>()));
    }
    if !tournament.is_connected {
        page.wrap("", "There are not enough choices to tie every variant to every other.");
    }
}

fn cell(strength: f64, written: &str) -> String {
    let shade = match strength.abs() {
        size if size >= 0.6 => '█',
        size if size >= 0.3 => '▓',
        size if size >= 0.15 => '▒',
        size if size >= 0.05 => '░',
        _ => ' ',
    };
    pad_left(&format!("{shade}{written}"), CELL)
}

fn short(name: &str) -> String {
    name.chars().take(CELL - 1).collect()
}

/// Draws both, where there are any.
pub(super) fn draw(page: &mut Page, comparison: &Comparison) {
    if let Some(found) = comparison.depth.agreement.as_ref().filter(|agreement| agreement.signals.len() > 1) {
        agreement(page, found);
    }
    if let Some(found) = comparison.depth.tournament.as_ref().filter(|tournament| !tournament.players.is_empty()) {
        tournament(page, found);
    }
}
