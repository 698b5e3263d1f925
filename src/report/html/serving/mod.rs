//! The serving report as one HTML page that needs nothing else: no script, no font, no request.
//!
//! Answer first: what was found, then the figures, each with the same numbers as a table, and how it was computed. It draws what
//! it is given.

mod lengths;
mod quality;
mod usage;

use super::figure;
use super::words;
use super::{STYLE, contents};
use crate::domain::clock::Timestamp;
use crate::report::json;
use crate::report::markup::Element;
use crate::report::serving::ServingReport;

/// Renders a report as a self-contained page; the same report gives the same bytes.
pub fn to_html(report: &ServingReport) -> String {
    let mut page = String::from("<!doctype html>\n");
    Element::new("html").with("lang", "en").child(head()).child(body(report)).write(&mut page);
    page.push('\n');
    page
}

fn head() -> Element {
    let meta = |name: &str, content: &str| Element::new("meta").with("name", name).with("content", content);
    Element::new("head")
        .child(Element::new("meta").with("charset", "utf-8"))
        .child(Element::new("title").text("Serving: load, lengths and what users do"))
        .child(meta("viewport", "width=device-width, initial-scale=1"))
        .child(meta("color-scheme", "light dark"))
        .child(meta("referrer", "no-referrer"))
        .child(Element::style_sheet(STYLE))
}

fn body(report: &ServingReport) -> Element {
    let header = Element::new("header")
        .child(Element::new("p").class("eyebrow").text("Serving"))
        .child(Element::new("h1").text("How busy are the engines, and do users notice?"));
    let sections: Vec<Element> = [
        report.usage.as_ref().map(usage::over_time),
        report.usage.as_ref().map(usage::capacity),
        report.lengths.as_ref().map(lengths::map),
        lengths::weeks(&report.weeks),
    ]
    .into_iter()
    .flatten()
    .chain(report.quality.measures.iter().map(quality::section))
    .collect();
    let main = Element::new("main").child(findings(report)).children(contents::list(&sections)).children(sections);
    Element::new("body")
        .child(header)
        .child(main)
        .child(footer(report))
        .child(Element::json_block("data", &json::serving::to_json(report)))
}

/// Makes the box that says what was found, and of what.
fn findings(report: &ServingReport) -> Element {
    let items = report.findings.iter().map(|finding| Element::new("li").class("sentence").text(finding));
    let models = report.models.iter().enumerate().fold(Element::new("dd"), |told, (place, (name, n_turns))| {
        let told = if place > 0 { told.text(", ") } else { told };
        told.child(figure::name(name)).text(format!(" {}", words::counted(*n_turns, "turn")))
    });
    let row =
        |term: &str, described: Element| Element::new("div").child(Element::new("dt").text(term)).child(described);
    let window = Element::new("dd").child(moment(report.from)).text(" to ").child(moment(report.to));
    let turns = format!("{} of {}", words::counted(report.n_turns, "turn"), words::counted(report.n_users, "user"));
    let mut grounds = Element::new("dl")
        .class("grounds")
        .child(row("Completions from", window))
        .child(row("Turns", Element::new("dd").text(turns)));
    if !report.models.is_empty() {
        grounds = grounds.child(row("Models", models));
    }
    for (name, value) in &report.filters {
        grounds = grounds.child(row("Only", Element::new("dd").text(format!("{name}: {value}"))));
    }
    Element::new("section")
        .class("verdict open")
        .with("aria-labelledby", "found")
        .child(Element::new("h2").with("id", "found").class("eyebrow").text("What was found"))
        .child(Element::new("ul").children(items))
        .child(grounds)
}

fn footer(report: &ServingReport) -> Element {
    let entry = |(term, description): (&str, Element)| {
        Element::new("div").child(Element::new("dt").text(term)).child(description)
    };
    let text = |text: String| Element::new("dd").text(text);
    let entries = [
        ("Reactions counted", text(report.trust.sentence().to_owned())),
        (
            "Intervals",
            text(format!(
                "of rates 95%, Wilson on effective counts; of differences {} for all {} together, clustered by user",
                words::short_percent(1.0 - report.quality.alpha),
                words::count(report.quality.n_differences),
            )),
        ),
        ("Computed", Element::new("dd").child(moment(report.computed_at))),
    ];
    let notes = report.notes.iter().map(|note| Element::new("p").class("reading").text(note));
    Element::new("footer")
        .child(Element::new("h2").text("How this was computed"))
        .child(Element::new("dl").class("method").children(entries.into_iter().map(entry)))
        .children(notes)
        .child(figure::reading("Every number of this page is in its data block (id “data”) as JSON."))
}

fn moment(moment: Timestamp) -> Element {
    Element::new("time").with("datetime", moment.format("%Y-%m-%dT%H:%M:%SZ")).text(words::minute(moment))
}
