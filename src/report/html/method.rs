//! The footer: how the page was computed, and on what.

use super::{over_time, verdict, words};
use crate::domain::clock::Timestamp;
use crate::domain::trust::TrustFilter;
use crate::report::comparison::Comparison;
use crate::report::markup::Element;
use crate::stats::verdict::ComparisonMode;

/// Makes the footer.
pub(super) fn footer(comparison: &Comparison) -> Element {
    let mut list = Element::new("dl").class("method");
    for (term, description) in entries(comparison) {
        list = list.child(Element::new("div").child(Element::new("dt").text(term)).child(description));
    }
    Element::new("footer").child(Element::new("h2").text("How this was computed")).child(list).child(
        Element::new("p").class("reading").text(
            "Every number of this page is in its data block (id “data”) as JSON. Differences are candidate minus \
             control; the interval that is drawn is the interval that decides.",
        ),
    )
}

fn entries(comparison: &Comparison) -> Vec<(&'static str, Element)> {
    let text = |text: String| Element::new("dd").text(text);
    let mode = match comparison.mode {
        ComparisonMode::Randomised => "randomised: sides were assigned by chance",
        ComparisonMode::Observational => "observational: nothing was randomised",
    };
    let mut entries = vec![("Mode", text(mode.to_owned()))];
    if let Some(experiment) = &comparison.experiment {
        let declared = Element::new("dd")
            .child(Element::new("bdi").class("name").text(&experiment.key))
            .text(", declared ")
            .child(moment(experiment.declared_at));
        entries.push(("Experiment", declared));
    }
    entries.push(("Unit", text(format!("{}: standard errors are clustered by it", comparison.unit.as_str()))));
    entries.push(("Error rate", text(format!("{} one-sided", words::short_percent(comparison.alpha)))));
    entries.push(("Intervals", text(methods(comparison))));
    if let Some(plan) = comparison.depth.plan {
        entries.push(("Plan", text(over_time::plan_words(plan))));
    }
    if let Some((first, last)) = comparison.window {
        entries.push(("Completions from", Element::new("dd").child(moment(first)).text(" to ").child(moment(last))));
    }
    entries.push(("Days with completions", text(comparison.n_days.to_string())));
    entries.push(("Filters", text(filters(comparison))));
    if !comparison.margin_departures.is_empty() {
        entries.push(("Limits not as planned", text(verdict::departures(comparison))));
    }
    entries.push(("Reactions counted", text(comparison.trust.sentence().to_owned())));
    let fate = if comparison.trust.filter == TrustFilter::Any { "counted" } else { "left out" };
    let unverified = format!("{} {fate}: nobody vouches for them", comparison.n_unverified);
    entries.push(("Unverified reactions", text(unverified)));
    entries.push(("Computed", Element::new("dd").child(moment(comparison.computed_at))));
    entries
}

fn moment(moment: Timestamp) -> Element {
    Element::new("time").with("datetime", moment.format("%Y-%m-%dT%H:%M:%SZ")).text(words::minute(moment))
}

fn methods(comparison: &Comparison) -> String {
    let mut methods: Vec<&str> = comparison.metrics.iter().map(|metric| metric.difference.method).collect();
    methods.sort_unstable();
    methods.dedup();
    let level = words::short_percent(1.0 - 2.0 * comparison.alpha);
    if methods.is_empty() { format!("{level} or wider") } else { format!("{level} or wider, {}", methods.join(", ")) }
}

fn filters(comparison: &Comparison) -> String {
    if comparison.filters.is_empty() {
        return "none".to_owned();
    }
    let filters: Vec<String> = comparison.filters.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    filters.join("; ")
}
