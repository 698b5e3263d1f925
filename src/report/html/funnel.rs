//! The funnel of each side: from completions to reactions that say why.

use super::figure::{self, Drawing, Figure, Sheet};
use super::words;
use crate::report::comparison::{Comparison, Side};
use crate::report::markup::Element;
use crate::report::svg::{self, Anchor, Linear};

/// A stage of the funnel.
pub(super) struct Stage {
    /// Stable name.
    pub name: &'static str,
    /// What a reader calls it.
    pub title: &'static str,
    /// Counts of control and candidate.
    pub n: [u64; 2],
    /// The same per turn, which compares sides of different size; nothing where a side has no turns.
    pub per_turn: [Option<f64>; 2],
}

/// Returns the stages from the first to the last.
pub(super) fn stages(comparison: &Comparison) -> Vec<Stage> {
    let sides = [&comparison.control, &comparison.candidate];
    let stage = |name, title, count: fn(&Side) -> u64| Stage {
        name,
        title,
        n: sides.map(count),
        per_turn: sides.map(|side| (side.n_turns > 0).then(|| count(side) as f64 / side.n_turns as f64)),
    };
    vec![
        stage("completions", "Completions", |side| side.n_completions),
        stage("turns", "Turns", |side| side.n_turns),
        stage("seen", "Known to be seen", |side| side.n_seen),
        stage("any_signal", "Any reaction", |side| side.n_any_signal),
        stage("explicit", "Explicit reaction", |side| side.n_explicit),
        stage("wrote", "Comment or edit", |side| side.n_wrote),
    ]
}

/// Makes the section.
pub(super) fn section(comparison: &Comparison) -> Element {
    let stages = stages(comparison);
    let finding = finding(&stages);
    let figure =
        Figure { id: "funnel", title: "From completions to reactions, per side", finding: &finding, key: Some(key()) };
    figure::section("funnel", "How many people reacted")
        .child(figure.half(|sheet| draw(&stages, sheet), [table(&stages)]))
}

fn finding(stages: &[Stage]) -> String {
    let any = stages.iter().find(|stage| stage.name == "any_signal");
    let explicit = stages.iter().find(|stage| stage.name == "explicit");
    let told = |stage: Option<&Stage>, what: &str| {
        let written = stage?.per_turn.map(|share| share.map_or(words::DASH.to_owned(), words::share));
        Some(format!("{} of the control’s turns and {} of the candidate’s {what}", written[0], written[1]))
    };
    match (told(any, "got any reaction"), told(explicit, "an explicit one")) {
        (Some(any), Some(explicit)) => format!("{any}; {explicit}."),
        _ => String::new(),
    }
}

fn key() -> Element {
    let entry = |class: &str, words: &str| Element::new("li").child(figure::swatch(class)).text(words);
    Element::new("div")
        .child(
            Element::new("ul")
                .class("key")
                .child(entry("control", "control, upper bar"))
                .child(entry("candidate", "candidate, lower bar")),
        )
        .child(Element::new("p").class("reading").text(
            "Percent of turns. A regeneration is an outcome of its turn, so there may be more completions than turns; \
             a turn counts as seen only where the application says so.",
        ))
}

fn draw(stages: &[Stage], sheet: Sheet) -> Drawing {
    const BAR: f64 = 13.0;
    let largest = stages.iter().flat_map(|stage| stage.per_turn).flatten().fold(1.0, f64::max);
    let bars = sheet.pick((160.0, 610.0), (0.0, 168.0));
    let scale = Linear::new((0.0, largest), bars);
    let (row_height, head) = sheet.pick((44.0, 4.0), (58.0, 20.0));
    let mut marks = Vec::new();
    for (index, stage) in stages.iter().enumerate() {
        let top = row_height * index as f64;
        let label_y = sheet.pick(top + head + 19.0, top + 14.0);
        marks.push(svg::text("strong", (0.0, label_y), Anchor::Start, stage.title));
        for (side, class) in ["control", "candidate"].into_iter().enumerate() {
            let y = top + head + (BAR + 3.0) * side as f64;
            let share = stage.per_turn[side];
            let end = scale.place(share.unwrap_or(0.0));
            marks.push(svg::bar(class, (bars.0, y), (end - bars.0, BAR)));
            let written = share.map_or(words::DASH.to_owned(), words::share);
            let count = words::count(stage.n[side]);
            let at = bars.1 + sheet.pick(56.0, 54.0);
            marks.push(svg::text("small", (at, y + BAR - 2.5), Anchor::End, written));
            marks.push(svg::text("note", (sheet.width(), y + BAR - 2.5), Anchor::End, count));
        }
    }
    marks.push(svg::line("rule", (bars.0, 0.0), (bars.0, row_height * stages.len() as f64)));
    Drawing { marks, height: row_height * stages.len() as f64 }
}

fn table(stages: &[Stage]) -> Element {
    let columns = ["Stage", "Control", "per turn", "Candidate", "per turn"].map(figure::column);
    let rows = stages.iter().map(|stage| {
        let mut row = Element::new("tr").child(figure::row_header(stage.title));
        for side in 0..2 {
            row = row
                .child(Element::new("td").child(figure::number(stage.n[side], words::count(stage.n[side]))))
                .child(match stage.per_turn[side] {
                    Some(share) => Element::new("td").child(figure::number(share, words::share(share))),
                    None => Element::new("td").text(words::DASH),
                });
        }
        row
    });
    figure::table("funnel", "From completions to reactions", columns, rows)
}
