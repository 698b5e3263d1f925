//! All variants against all others by direct choices: how often each was preferred, and which ranks that allows.

use super::figure::{self, Drawing, Figure, Sheet};
use super::{heat, numbers, words};
use crate::report::comparison::Comparison;
use crate::report::comparison::candidates::{Player, Tournament};
use crate::report::markup::Element;
use crate::report::svg::{self, Anchor};

/// Makes the section, where there are more than two variants.
pub(super) fn section(comparison: &Comparison) -> Option<Element> {
    let tournament = comparison.depth.tournament.as_ref().filter(|tournament| !tournament.players.is_empty())?;
    let finding = finding(tournament);
    let key = figure::reading(
        "Row preferred to column, a tie counting a half to both; the stronger variant stands higher. Blue where the row \
         won more than half, orange where it won less. Ranks are those that the intervals allow.",
    );
    let figure = Figure { id: "tournament", title: "Choices between all variants", finding: &finding, key: Some(key) }
        .half(|sheet| draw(tournament, sheet), [table(tournament)]);
    Some(figure::section("choices", "Who wins side by side?").child(figure))
}

fn ranks(player: &Player) -> String {
    let (best, worst) = player.ranks;
    if best == worst { format!("rank {best}") } else { format!("rank {best}–{worst}") }
}

fn finding(tournament: &Tournament) -> String {
    let told = tournament.players.iter().map(|player| format!("{} {}", numbers::isolated(&player.name), ranks(player)));
    let mut out = format!("{}.", told.collect::<Vec<_>>().join(", "));
    if !tournament.is_connected {
        out.push_str(" There are not enough choices: some variants are not tied to the others by wins and losses.");
    }
    if let Some(first) = tournament.first_position {
        out.extend([format!(" Being shown first shifts the log-odds by {}.", numbers::signed(first, 2))]);
    }
    out
}

fn wins(tournament: &Tournament, row: usize, column: usize) -> Option<f64> {
    tournament.n_wins.get(row)?.get(column).copied()
}

/// Returns how far a row's share of wins over a column is from one half, in -1..1.
fn lead(tournament: &Tournament, row: usize, column: usize) -> Option<f64> {
    let (won, lost) = (wins(tournament, row, column)?, wins(tournament, column, row)?);
    (won + lost > 0.0).then(|| (won - lost) / (won + lost))
}

fn draw(tournament: &Tournament, sheet: Sheet) -> Drawing {
    let players = &tournament.players;
    let n = players.len();
    let (left, right) = sheet.pick((196.0, 660.0), (0.0, 288.0));
    let width = ((right - left) / n as f64).min(120.0);
    let head = sheet.pick(46.0, 64.0);
    let (row_height, cell_height, cell_top) = sheet.pick((46.0, 44.0, 0.0), (66.0, 34.0, 26.0));
    let mut marks = Vec::new();
    for (column, player) in players.iter().enumerate() {
        let x = left + width * column as f64 + 10.0;
        marks.push(heat::leaning(x, head - 6.0, &numbers::cut(&player.name, sheet.pick(16, 9))));
    }
    for (row, player) in players.iter().enumerate() {
        let top = head + row_height * row as f64;
        let label = numbers::cut(&player.name, 20);
        marks.push(svg::text("strong", (0.0, top + 18.0), Anchor::Start, label));
        let (x, anchor) = sheet.pick((0.0, Anchor::Start), (sheet.width(), Anchor::End));
        marks.push(svg::text("note", (x, top + sheet.pick(34.0, 18.0)), anchor, ranks(player)));
        for column in 0..n {
            let at = (left + width * column as f64, top + cell_top);
            let written = match wins(tournament, row, column) {
                Some(won) if row != column => words::unsigned(won, usize::from(won.fract() != 0.0)),
                _ => words::DASH.to_owned(),
            };
            let strength = lead(tournament, row, column).filter(|_| row != column);
            marks.extend(heat::cell(strength, at, (width, cell_height), &written));
        }
    }
    Drawing { marks, height: head + row_height * n as f64 }
}

fn table(tournament: &Tournament) -> Element {
    let players = &tournament.players;
    let columns = ["Variant", "Strength, log-odds", "Best rank", "Worst rank"].map(figure::column);
    let against = players
        .iter()
        .map(|player| Element::new("th").with("scope", "col").text("preferred to ").child(figure::name(&player.name)));
    let rows = players.iter().enumerate().map(|(row, player)| {
        let write = |value: f64| numbers::signed(value, 2);
        let cells = (0..players.len()).map(|column| {
            figure::cell(wins(tournament, row, column).filter(|_| row != column), |won| words::unsigned(won, 1))
        });
        Element::new("tr")
            .child(Element::new("th").with("scope", "row").child(figure::name(&player.name)))
            .child(figure::cell_with(Some(player.strength), player.interval, write))
            .child(figure::count_cell(u64::from(player.ranks.0)))
            .child(figure::count_cell(u64::from(player.ranks.1)))
            .children(cells)
    });
    let caption = "Strength of every variant, and how often each was preferred";
    figure::table("tournament", caption, columns.into_iter().chain(against), rows).without("open")
}
