//! How long prompts and answers are: a map with its table, and percentiles by week.

use crate::report::html::figure::{self, Drawing, Figure, Sheet};
use crate::report::html::plot::Plot;
use crate::report::html::{heat, words};
use crate::report::markup::Element;
use crate::report::serving::{LengthMap, Percentiles, Week};
use crate::report::svg::{self, Anchor};

/// Makes the section of the map.
pub(super) fn map(map: &LengthMap) -> Element {
    let most = map
        .n
        .iter()
        .enumerate()
        .flat_map(|(row, of_row)| of_row.iter().enumerate().map(move |(column, n)| (*n, row, column)));
    let (n, row, column) = most.max_by_key(|(n, ..)| *n).unwrap_or_default();
    let finding = format!(
        "Of {} that tell both, most ({}) have prompts of {} and answers of {} tokens.",
        words::counted(map.n_turns, "turn"),
        words::percent(n as f64 / map.n_turns.max(1) as f64, 0),
        map.input.labels[row],
        map.output.labels[column],
    );
    let key = Element::new("div").child(figure::reading(
        "Turns in percent by tokens of the prompt (down) and of the answer (across); each step is four times as long as the one \
         before. A dot is fewer than one in two hundred.",
    ));
    let figure = Figure { id: "map", title: "Turns by length of prompt and answer", finding: &finding, key: Some(key) }
        .frame(|sheet| draw(map, sheet), [table(map)]);
    figure::section("lengths", "How long are prompts and answers?").child(figure)
}

fn draw(map: &LengthMap, sheet: Sheet) -> Drawing {
    let (left, top) = (sheet.pick(74.0, 58.0), 44.0);
    let width = (sheet.width() - left) / map.output.n() as f64;
    let height = sheet.pick(34.0, 30.0);
    let most = map.n.iter().flatten().copied().max().unwrap_or(1).max(1) as f64;
    let mut marks = vec![svg::text("note", (0.0, top - 8.0), Anchor::Start, "prompt ↓")];
    for (column, label) in map.output.labels.iter().enumerate() {
        let x = left + width * column as f64;
        marks.push(heat::leaning(x + sheet.pick(width / 2.0 - 4.0, 2.0), top - 6.0, label));
    }
    for (row, (label, of_row)) in map.input.labels.iter().zip(&map.n).enumerate() {
        let y = top + height * row as f64;
        marks.push(svg::text("note", (left - 6.0, y + height / 2.0 + 3.5), Anchor::End, label));
        for (column, n) in of_row.iter().enumerate() {
            let share = *n as f64 / map.n_turns.max(1) as f64;
            let written = match n {
                0 => String::new(),
                _ if share < 0.005 => "·".to_owned(),
                _ => words::unsigned(share * 100.0, 0),
            };
            let place = (left + width * column as f64, y);
            marks.extend(heat::cell(Some((*n as f64 / most).sqrt()), place, (width, height), &written));
        }
    }
    Drawing { marks, height: top + height * map.input.n() as f64 + 4.0 }
}

fn table(map: &LengthMap) -> Element {
    let columns: Vec<String> = std::iter::once("Prompt".to_owned())
        .chain(map.output.labels.iter().map(|label| format!("Answer {label}")))
        .collect();
    let rows = map.input.labels.iter().zip(&map.n).map(|(label, of_row)| {
        Element::new("tr").child(figure::row_header(label)).children(of_row.iter().map(|n| figure::count_cell(*n)))
    });
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    figure::folded_table("map", "Turns by tokens of prompt and answer", &columns, rows)
}

/// Makes the section of the weeks, where any turn tells a length.
pub(super) fn weeks(weeks: &[Week]) -> Option<Element> {
    let last = weeks.last()?;
    let changed = |what: &str, found: Option<Percentiles>| {
        let change = found?.p95_change?;
        Some(format!("{what} {}", signed_percent(change)))
    };
    let changes: Vec<String> =
        [changed("prompts", last.input), changed("answers", last.output)].into_iter().flatten().collect();
    let finding = if changes.is_empty() {
        "There is no week before to compare the last one with.".to_owned()
    } else {
        format!("The 95th percentile of the last week differs from the week before: {}.", changes.join(", "))
    };
    let key = Element::new("div").child(figure::reading(
        "95th percentile of tokens by week: solid the prompts, dashed the answers. The first and the last week may not be whole.",
    ));
    let figure =
        Figure { id: "weeks", title: "Length of prompts and answers by week", finding: &finding, key: Some(key) }
            .half(|sheet| draw_weeks(weeks, sheet), [weeks_table(weeks)]);
    Some(figure::section("drift", "Do lengths drift?").child(figure))
}

fn signed_percent(change: f64) -> String {
    let sign = if change > 0.0 { "+" } else { "" };
    format!("{sign}{}", words::percent(change, 0))
}

fn draw_weeks(weeks: &[Week], sheet: Sheet) -> Drawing {
    let p95 = |found: Option<Percentiles>| found.map(|found| found.p95);
    let most = weeks.iter().flat_map(|week| [p95(week.input), p95(week.output)]).flatten().fold(1.0, f64::max);
    let last = weeks.len().saturating_sub(1).max(1) as f64;
    let plot = Plot::new(sheet, (10.0, 130.0), (-0.2, last + 0.2), (0.0, most * 1.08));
    let mut marks = plot.rules(|tokens| words::count(tokens.max(0.0) as u64));
    for (class, of) in [
        ("ink-line", (|week: &Week| week.input.map(|it| it.p95)) as fn(&Week) -> Option<f64>),
        ("candidate-line", |week: &Week| week.output.map(|it| it.p95)),
    ] {
        let points: Vec<(f64, f64)> = weeks
            .iter()
            .enumerate()
            .filter_map(|(nth, week)| Some((plot.x.place(nth as f64), plot.level(of(week)?))))
            .collect();
        if points.len() > 1 {
            marks.push(svg::polyline(class, &points));
        }
        marks.extend(points.iter().map(|point| svg::mark("ink", svg::Shape::Circle, *point, 2.5)));
    }
    let step = weeks.len().div_ceil(4).max(1);
    let feet = weeks.iter().enumerate().step_by(step);
    marks.extend(
        plot.feet(feet.map(|(nth, week)| (plot.x.place(nth as f64), week.monday.format("%-d %b").to_string()))),
    );
    Drawing { marks, height: plot.height() }
}

fn weeks_table(weeks: &[Week]) -> Element {
    let tokens = |value: Option<f64>| figure::cell(value, |tokens| words::count(tokens as u64));
    let rows = weeks.iter().map(|week| {
        let cells = [week.input, week.output].into_iter().flat_map(|found| {
            [
                tokens(found.map(|it| it.p50)),
                tokens(found.map(|it| it.p95)),
                figure::cell(found.and_then(|it| it.p95_change), signed_percent),
            ]
        });
        Element::new("tr")
            .child(figure::row_header(week.monday.format("%Y-%m-%d")))
            .child(figure::count_cell(week.n_turns))
            .children(cells)
    });
    figure::folded_table(
        "weeks",
        "Tokens by week",
        &[
            "Week of",
            "Turns",
            "Prompt, median",
            "95th percentile",
            "change",
            "Answer, median",
            "95th percentile",
            "change",
        ],
        rows,
    )
}
