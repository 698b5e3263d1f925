//! The verdict box: what is concluded, why, how sure, and what would change it.

use super::{figure, words};
use crate::report::comparison::Comparison;
use crate::report::markup::Element;
use crate::report::svg::{self, Anchor, Shape};
use crate::stats::verdict::{ComparisonMode, VerdictCode, VerdictReason};

/// Makes the box.
pub(super) fn section(comparison: &Comparison) -> Element {
    let verdict = &comparison.verdict;
    let heading = Element::new("h2")
        .with("id", "verdict-heading")
        .child(Element::new("span").class("eyebrow").text("Verdict"))
        .child(Element::new("span").class("word").child(icon(verdict.code)).text(word(verdict.code)));
    let code = Element::new("p")
        .class("code")
        .child(Element::new("code").text(verdict.code.as_str()))
        .text(" · ")
        .child(Element::new("code").text(verdict.reason.as_str()));
    let box_ = Element::new("section")
        .class(&format!("verdict {}", tone(verdict.code)))
        .with("aria-labelledby", "verdict-heading")
        .child(heading)
        .child(Element::new("p").class("sentence").text(&verdict.sentence))
        .children((comparison.mode == ComparisonMode::Observational).then(leaning));
    box_.child(grounds(comparison)).child(code)
}

/// Says what an observational comparison cannot say.
fn leaning() -> Element {
    Element::new("p").class("caution").text(
        "Nothing was randomised: users were not assigned to a model by chance, so a difference may come from who used \
         which model, for what, and when. This verdict can only lean.",
    )
}

fn grounds(comparison: &Comparison) -> Element {
    let verdict = &comparison.verdict;
    let entry = |term: &str, description: String| {
        Element::new("div").child(Element::new("dt").text(term)).child(Element::new("dd").text(description))
    };
    Element::new("dl")
        .class("grounds")
        .child(entry("Why", verdict.rule.clone()))
        .children(verdict.next.as_ref().map(|next| entry("What would change it", next.clone())))
        .child(entry("Error rate", error_rate(comparison)))
        .children(
            (!comparison.margin_departures.is_empty()).then(|| entry("Changed after planning", departures(comparison))),
        )
}

fn error_rate(comparison: &Comparison) -> String {
    let alpha = words::short_percent(comparison.alpha);
    match comparison.verdict.code {
        VerdictCode::Invalid => "None can be given while the assignment is not to be believed.".to_owned(),
        _ if comparison.mode == ComparisonMode::Observational => {
            format!("{alpha}, one-sided, for chance alone: differences between the users are not covered.")
        }
        VerdictCode::Keep if comparison.verdict.reason == VerdictReason::WorseThanMargin => format!(
            "At most {alpha}, one-sided, for each limit: how often this rule calls a candidate worse that keeps it."
        ),
        _ => format!(
            "At most {alpha}, one-sided: how often this rule lets a candidate pass that is worse than its limit."
        ),
    }
}

/// Names the limits that are not those that were planned.
pub(super) fn departures(comparison: &Comparison) -> String {
    let departures: Vec<String> = comparison
        .margin_departures
        .iter()
        .map(|(metric, planned, asked)| {
            format!("{metric}: limit {} instead of {}", words::short_percent(*asked), words::short_percent(*planned))
        })
        .collect();
    departures.join("; ")
}

/// Returns the verdict in plain words.
pub(super) fn word(code: VerdictCode) -> &'static str {
    match code {
        VerdictCode::Switch => "Switch",
        VerdictCode::Keep => "Keep the control",
        VerdictCode::KeepCollecting => "Keep collecting",
        VerdictCode::CannotTell => "Cannot tell",
        VerdictCode::Invalid => "Invalid: do not read",
        VerdictCode::LeanSwitch => "Leaning towards a switch",
        VerdictCode::LeanKeep => "Leaning towards the control",
    }
}

fn tone(code: VerdictCode) -> &'static str {
    match code {
        VerdictCode::Switch | VerdictCode::LeanSwitch => "good",
        VerdictCode::Keep | VerdictCode::LeanKeep | VerdictCode::Invalid => "bad",
        VerdictCode::KeepCollecting | VerdictCode::CannotTell => "open",
    }
}

/// Draws the verdict's own shape: a lean has a dashed outline, since it stands on less.
fn icon(code: VerdictCode) -> Element {
    let outline = |shape: Element, is_firm: bool| shape.class(if is_firm { "outline" } else { "outline dashed" });
    let circle = || Element::new("circle").with("r", "17");
    let square = || svg::bar("", (-16.0, -16.0), (32.0, 32.0)).with("rx", "4");
    let octagon = || Element::new("polygon").with("points", "-7,-17 7,-17 17,-7 17,7 7,17 -7,17 -17,7 -17,-7");
    let diamond = || Element::new("polygon").with("points", "0,-19 19,0 0,19 -19,0");
    let centre = (0.0, 0.0);
    let bars = |icon: Element| {
        icon.child(svg::line("stroke", (-5.0, -7.0), (-5.0, 7.0))).child(svg::line("stroke", (5.0, -7.0), (5.0, 7.0)))
    };
    let icon = svg::icon(40.0);
    match code {
        VerdictCode::Switch | VerdictCode::LeanSwitch => icon
            .child(outline(circle(), code == VerdictCode::Switch))
            .child(svg::mark("stroke", Shape::Tick, centre, 9.0)),
        VerdictCode::Keep | VerdictCode::LeanKeep => bars(icon.child(outline(square(), code == VerdictCode::Keep))),
        VerdictCode::Invalid => {
            icon.child(outline(octagon(), true)).child(svg::mark("stroke", Shape::Cross, centre, 9.0))
        }
        VerdictCode::CannotTell => {
            icon.child(outline(diamond(), true)).child(svg::text("glyph", (0.0, 7.0), Anchor::Middle, "?"))
        }
        VerdictCode::KeepCollecting => icon
            .child(outline(circle(), true))
            .children([-8.0, 0.0, 8.0].map(|x| svg::mark("solid", Shape::Circle, (x, 0.0), 2.4))),
    }
}

/// Makes the line of facts under the box: who against whom, on how much.
pub(super) fn sides(comparison: &Comparison) -> Element {
    let side = |role: &str, class: &str, side: &crate::report::comparison::Side| {
        Element::new("div").child(Element::new("dt").child(figure::swatch(class)).text(role)).child(
            Element::new("dd")
                .child(figure::name(&side.name))
                .children(
                    side.model
                        .as_ref()
                        .filter(|model| **model != side.name)
                        .map(|model| Element::new("small").text("model ").child(figure::name(model))),
                )
                .child(Element::new("small").text(format_args!(
                    "{} · {}",
                    words::counted(side.n_turns, "turn"),
                    words::counted(side.n_users, comparison.unit.as_str())
                ))),
        )
    };
    Element::new("dl").class("sides").child(side("Control, in use now", "control", &comparison.control)).child(side(
        "Candidate",
        "candidate",
        &comparison.candidate,
    ))
}
