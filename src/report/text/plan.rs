//! A plan for a terminal: how long it takes, then what could be shown when.

use super::WIDTHS;
use super::layout::{Page, pad, pad_left};
use crate::report::count::{counted, thousands};
use crate::report::plan::{Needed, Plan, PlanBasis, PlannedMetric};

/// Width of the names of metrics.
const LABEL: usize = 20;

/// Writes a plan for a terminal of `width` columns (taken as 60 to 120), coloured or not.
pub fn to_text(plan: &Plan, width: usize, colour: bool) -> String {
    let mut page = Page::new(width.clamp(*WIDTHS.start(), *WIDTHS.end()), colour);
    page.wrap("", &plan.sentence);
    page.blank();
    basis(&mut page, plan);
    needs(&mut page, plan);
    for metric in &plan.metrics {
        ahead(&mut page, metric);
    }
    if !plan.notes.is_empty() {
        page.blank();
        for note in &plan.notes {
            page.wrap("- ", note);
        }
    }
    page.finish()
}

fn basis(page: &mut Page, plan: &Plan) {
    match &plan.basis {
        PlanBasis::Traffic { control, window, n_users, n_turns, trust, filters, .. } => {
            let (first, last) = (window.0.format("%Y-%m-%d"), window.1.format("%Y-%m-%d"));
            let told =
                format!("{control}, {first} to {last}: {}, {}.", counted(*n_users, "user"), counted(*n_turns, "turn"));
            page.wrap("Traffic: ", &told);
            for (name, words) in filters {
                page.wrap("Filter:  ", &format!("{name}: {words}"));
            }
            page.wrap("Trust:   ", trust.sentence());
        }
        PlanBasis::Numbers { users_per_day, turns_per_user, icc } => {
            let per_day = users_per_day.map_or_else(String::new, |n| format!("{n} new users a day, "));
            let turns = if *turns_per_user > 1.0 {
                format!("{turns_per_user} turns each, correlated by {icc:.3} within a user.")
            } else {
                "one turn each.".to_owned()
            };
            page.wrap("Numbers: ", &format!("{per_day}{turns}"));
        }
    }
    page.wrap(
        "Plan:    ",
        &format!(
            "{:.0}% of the users get the candidate; error rate {:.1}%, power {:.0}%.",
            plan.share * 100.0,
            plan.alpha * 100.0,
            plan.power * 100.0
        ),
    );
}

fn needs(page: &mut Page, plan: &Plan) {
    let cell = (page.width() - LABEL) / 4;
    page.blank();
    page.strong(&format!(
        "{}{}{}{}{}",
        pad("Turns per", LABEL),
        pad_left("now", cell - 3),
        pad_left("limit", cell - 3),
        pad_left("any look", cell + 3),
        pad_left("one look", cell + 3)
    ));
    for metric in &plan.metrics {
        let per = f64::from(metric.per);
        page.line(&format!(
            "{}{}{}{}{}",
            pad(&format!("{} /{}", metric.title, metric.per), LABEL),
            pad_left(&format!("{:.2}", metric.baseline * per), cell - 3),
            pad_left(&format!("{}{:.2}", sign(metric), metric.margin.absolute * per), cell - 3),
            pad_left(&users_of(metric.at_every_look), cell + 3),
            pad_left(&users_of(metric.at_one_look), cell + 3)
        ));
        let (every, one) = (days_of(metric.at_every_look), days_of(metric.at_one_look));
        if !every.is_empty() || !one.is_empty() {
            let before = LABEL + 2 * (cell - 3);
            let told = format!("{}{}{}", " ".repeat(before), pad_left(&every, cell + 3), pad_left(&one, cell + 3));
            page.line(told.trim_end());
        }
    }
}

fn users_of(needed: Option<Needed>) -> String {
    needed.map_or_else(|| "never".to_owned(), |needed| counted(needed.n_users, "user"))
}

fn days_of(needed: Option<Needed>) -> String {
    let Some((needed, n_days)) = needed.and_then(|needed| Some((needed, needed.n_days?))) else {
        return String::new();
    };
    let mark = if needed.is_extrapolated { "~" } else { "" };
    format!("{mark}{}", counted(n_days.ceil() as u64, "day"))
}

fn ahead(page: &mut Page, metric: &PlannedMetric) {
    if metric.ahead.is_empty() {
        return;
    }
    let cell = (page.width() - 10) / 4;
    page.blank();
    page.strong(&format!("{}: what can be shown when, per {} turns", metric.title, metric.per));
    page.line(&format!(
        "{}{}{}{}{}",
        pad("days", 10),
        pad_left("users", cell),
        pad_left("any look", cell),
        pad_left("one look", cell),
        pad_left("power", cell)
    ));
    let provable = |loss: Option<f64>| {
        loss.map_or_else(|| "–".to_owned(), |loss| format!("{}{:.2}", sign(metric), loss * f64::from(metric.per)))
    };
    for ahead in &metric.ahead {
        let power = ahead.power_at_every_look.map_or_else(|| "–".to_owned(), |power| format!("{:.0}%", power * 100.0));
        page.line(&format!(
            "{}{}{}{}{}",
            pad(&ahead.n_days.to_string(), 10),
            pad_left(&thousands(ahead.n_users), cell),
            pad_left(&provable(ahead.provable_at_every_look), cell),
            pad_left(&provable(ahead.provable_at_one_look), cell),
            pad_left(&power, cell)
        ));
    }
}

/// A limit stands on the side on which it can be broken.
fn sign(metric: &PlannedMetric) -> &'static str {
    if metric.higher_is_better { "−" } else { "+" }
}
