//! The validity checks as a list, the failed ones first.

use super::figure;
use crate::report::comparison::{CheckStatus, Comparison};
use crate::report::markup::Element;
use crate::report::svg::Shape;

/// Makes the section.
pub(super) fn section(comparison: &Comparison) -> Element {
    let section = Element::new("section")
        .with("aria-labelledby", "checks-heading")
        .child(Element::new("h2").with("id", "checks-heading").text("Can these numbers be trusted?"));
    if comparison.checks.is_empty() {
        return section.child(Element::new("p").text("No check was made."));
    }
    let mut list = Element::new("ul").class("checks");
    for status in [CheckStatus::Fail, CheckStatus::Warn, CheckStatus::Pass] {
        for check in comparison.checks.iter().filter(|check| check.status == status) {
            let (class, shape) = match status {
                CheckStatus::Pass => ("good stroke", Shape::Tick),
                CheckStatus::Warn => ("open", Shape::TriangleUp),
                CheckStatus::Fail => ("bad stroke", Shape::Cross),
            };
            list = list.child(
                Element::new("li")
                    .class(status.as_str())
                    .child(figure::sample(class, shape))
                    .child(Element::new("strong").text(word(status)))
                    .child(
                        Element::new("span")
                            .child(Element::new("b").text(format_args!("{}:", check.title)))
                            .text(" ")
                            .text(&check.detail),
                    ),
            );
        }
    }
    section.child(Element::new("p").class("lead").text(summary(comparison))).child(list)
}

fn word(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Pass => "pass",
        CheckStatus::Warn => "warning",
        CheckStatus::Fail => "failed",
    }
}

fn summary(comparison: &Comparison) -> String {
    let n = |status: CheckStatus| comparison.checks.iter().filter(|check| check.status == status).count();
    let (n_pass, n_warn, n_fail) = (n(CheckStatus::Pass), n(CheckStatus::Warn), n(CheckStatus::Fail));
    let mut out = format!("{n_pass} of {} checks passed", comparison.checks.len());
    if n_warn > 0 {
        out.extend([format!(", {n_warn} with a warning")]);
    }
    if n_fail > 0 {
        out.extend([format!(", {n_fail} failed")]);
    }
    out.push('.');
    out
}
