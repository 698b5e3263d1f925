//! The comparison as one HTML page that needs nothing else: no script, no font, no request.
//!
//! The page is answer first: verdict box, then the figures, the checks, and how it was computed. It draws what it is
//! given; the only numbers of its own are the shares of counts, which stand in the data block beside the rest. Where
//! the verdict withholds the numbers, neither the page nor its data block holds an estimate.

mod adjustments;
mod arrivals;
mod bars;
mod block;
mod candidates;
mod checks;
mod contents;
mod costs;
mod disagreements;
mod effects;
mod exposure;
mod figure;
mod forest;
mod funnel;
mod heat;
mod index;
mod load;
mod method;
mod numbers;
mod over_time;
mod plot;
mod preference;
mod ratings;
mod rows;
mod segments;
pub mod serving;
mod tournament;
mod verdict;
mod words;

use super::comparison::Comparison;
use super::markup::Element;

/// The page's style sheet, exactly as it stands between `<style>` and `</style>`: what a content security policy hashes.
pub const STYLE: &str = include_str!("html/style.css");

/// Names with more characters than this, together, make a long heading.
const LONG_HEADING_CHARS: usize = 80;

/// Renders a comparison as a self-contained page; the same comparison gives the same bytes.
pub fn to_html(comparison: &Comparison) -> String {
    let mut page = String::from("<!doctype html>\n");
    Element::new("html").with("lang", "en").child(head(comparison)).child(body(comparison)).write(&mut page);
    page.push('\n');
    page
}

/// Renders the forest plot alone, as an SVG file that brings its own style; nothing where the numbers are withheld.
pub fn forest_svg(comparison: &Comparison) -> Option<String> {
    let picture = effects::picture(comparison)?;
    let mut file = String::new();
    picture.write(&mut file);
    file.push('\n');
    Some(file)
}

fn head(comparison: &Comparison) -> Element {
    let (candidate, control) = headline_names(comparison);
    let title = format!("{}: {candidate} in place of {control}", verdict::word(comparison.verdict.code));
    let meta = |name: &str, content: &str| Element::new("meta").with("name", name).with("content", content);
    Element::new("head")
        .child(Element::new("meta").with("charset", "utf-8"))
        .child(Element::new("title").text(title))
        .child(meta("viewport", "width=device-width, initial-scale=1"))
        .child(meta("color-scheme", "light dark"))
        .child(meta("referrer", "no-referrer"))
        .child(Element::style_sheet(STYLE))
}

/// Names candidate and control: a reader replaces a model, of which a variant is only the name in the experiment.
/// Variants of one model, or of none that was declared, keep their own names.
fn headline_names(comparison: &Comparison) -> (&str, &str) {
    match (&comparison.candidate.model, &comparison.control.model) {
        (Some(candidate), Some(control)) if candidate != control => (candidate, control),
        _ => (&comparison.candidate.name, &comparison.control.name),
    }
}

fn body(comparison: &Comparison) -> Element {
    // Names may have 256 bytes: long ones are set smaller, so that the verdict stays on the first screen.
    let (candidate, control) = headline_names(comparison);
    let n_chars = candidate.chars().count() + control.chars().count();
    let header = Element::new("header").child(Element::new("p").class("eyebrow").text("Model comparison")).child(
        Element::new("h1")
            .class(if n_chars > LONG_HEADING_CHARS { "long" } else { "" })
            .text("Can ")
            .child(figure::name(candidate))
            .text(" replace ")
            .child(figure::name(control))
            .text("?"),
    );
    let main = Element::new("main").child(verdict::section(comparison)).child(verdict::sides(comparison));
    let sections = if comparison.verdict.withholds_numbers {
        std::iter::once(withheld()).chain(exposure::section(comparison)).chain([checks::section(comparison)]).collect()
    } else {
        sections(comparison)
    };
    let main = main.children(contents::list(&sections)).children(sections);
    Element::new("body")
        .child(header)
        .child(main)
        .child(method::footer(comparison))
        .child(Element::json_block("data", &block::json(comparison)))
}

/// Makes what stands below the verdict: effects, what they rest on, and whether to believe them. What the comparison
/// does not hold is left out.
fn sections(comparison: &Comparison) -> Vec<Element> {
    let sections = [
        Some(effects::section(comparison)),
        over_time::section(comparison),
        segments::section(comparison),
        adjustments::section(comparison),
        index::section(comparison),
        costs::section(comparison),
        candidates::section(comparison),
        ratings::section(comparison),
        preference::section(comparison),
        tournament::section(comparison),
        disagreements::section(comparison),
        exposure::section(comparison),
        Some(funnel::section(comparison)),
        load::section(comparison),
        Some(checks::section(comparison)),
    ];
    sections.into_iter().flatten().collect()
}

/// Stands in place of every estimate.
fn withheld() -> Element {
    Element::new("section")
        .class("withheld")
        .with("aria-labelledby", "withheld-heading")
        .child(Element::new("h2").with("id", "withheld-heading").text("The figures are withheld"))
        .child(Element::new("p").text(
            "A check failed that everything else rests on: the two groups of users are not comparable, so any \
             difference between them may come from who is in them and not from the model. Rates, differences and \
             choices are therefore left out of this page and of its data. Find and mend the cause that the failed check \
             points to, then start a new experiment: the data that were collected cannot be repaired.",
        ))
}
