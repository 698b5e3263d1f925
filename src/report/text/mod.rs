//! A comparison for a terminal: the answer first, then why, readable in ten seconds.
//!
//! It computes nothing that decides: what it writes are the comparison's own numbers, per so many turns. A colour never
//! says what a word does not say as well.

mod depth;
mod forest;
mod heat;
mod layout;
pub mod moved;
mod over_time;
pub mod plan;
pub mod serving;

use super::comparison::{Check, CheckStatus, Comparison, Metric, Preference, Role, Side};
use super::count::{counted, thousands};
use super::json::mode_word;
use crate::stats::Interval;
use crate::stats::verdict::VerdictCode;
use layout::{Page, Paint, pad, pad_left, signed};

/// Narrowest and widest page.
const WIDTHS: std::ops::RangeInclusive<usize> = 60..=120;

/// Writes a comparison for a terminal of `width` columns (taken as 60 to 120), coloured or not.
///
/// Control characters in names are replaced, so that nobody's model name moves the reader's cursor.
pub fn to_text(comparison: &Comparison, width: usize, colour: bool) -> String {
    let mut page = Page::new(width.clamp(*WIDTHS.start(), *WIDTHS.end()), colour);
    verdict(&mut page, comparison);
    subject(&mut page, comparison);
    if !comparison.verdict.withholds_numbers {
        forest::draw(&mut page, comparison);
        table(&mut page, comparison);
        over_time::draw(&mut page, comparison);
        depth::effects(&mut page, comparison);
        if let Some(preference) = &comparison.preference {
            choices(&mut page, preference);
        }
        depth::grounds(&mut page, comparison);
    }
    checks(&mut page, &comparison.checks);
    if !comparison.verdict.withholds_numbers {
        funnel(&mut page, comparison);
    }
    departures(&mut page, comparison);
    page.finish()
}

/// Returns how many turns a metric is told per: reactions that few people give are told per thousand.
pub(super) fn per(metric: &Metric) -> f64 {
    if matches!(metric.name, "thumb_up" | "thumb_down" | "rated") { 1000.0 } else { 100.0 }
}

fn verdict(page: &mut Page, comparison: &Comparison) {
    let conclusion = &comparison.verdict;
    let title = conclusion.code.as_str().replace('_', " ");
    let reason = conclusion.reason.as_str().replace('_', " ");
    let inner = page.width() - 4;
    let gap = inner.saturating_sub(title.chars().count() + reason.chars().count());
    let paint = match conclusion.code {
        VerdictCode::Switch | VerdictCode::LeanSwitch => Paint::Good,
        VerdictCode::Keep | VerdictCode::LeanKeep => Paint::Bad,
        VerdictCode::Invalid => Paint::Alarm,
        VerdictCode::KeepCollecting | VerdictCode::CannotTell => Paint::Strong,
    };
    let rule = "─".repeat(inner + 2);
    page.line(&format!("┌{rule}┐"));
    let title = page.paint(&title, paint);
    page.line(&format!("│ {title}{}{reason} │", " ".repeat(gap)));
    page.line(&format!("└{rule}┘"));
    page.wrap("", &conclusion.sentence);
    page.wrap("Rule: ", &conclusion.rule);
    if let Some(next) = &conclusion.next {
        page.wrap("Next: ", next);
    }
}

fn subject(page: &mut Page, comparison: &Comparison) {
    page.blank();
    let how = match &comparison.experiment {
        Some(facts) => format!("experiment {}, declared {}", facts.key, facts.declared_at.format("%Y-%m-%d")),
        None => "models as they happened to be used".to_owned(),
    };
    let window = comparison.window.map_or_else(String::new, |(first, last)| {
        let n_days = comparison.n_days.max(0).unsigned_abs();
        format!("; {} to {}, {}", first.format("%Y-%m-%d"), last.format("%Y-%m-%d"), counted(n_days, "day"))
    });
    let unit = comparison.unit.as_str();
    page.wrap("Control:   ", &side_line(&comparison.control, unit));
    page.wrap("Candidate: ", &side_line(&comparison.candidate, unit));
    page.wrap("Data:      ", &format!("{}, {how}{window}.", mode_word(comparison.mode)));
    for (name, words) in &comparison.filters {
        page.wrap("Filter:    ", &format!("{name}: {words}"));
    }
    page.wrap("Trust:     ", comparison.trust.sentence());
}

fn side_line(side: &Side, unit: &str) -> String {
    let model = side.model.as_ref().map_or_else(String::new, |model| format!(" ({model})"));
    format!("{}{model}, {}, {}", side.name, counted(side.n_users, unit), counted(side.n_turns, "turn"))
}

/// Writes rates and differences; candidate minus control, in turns per hundred or per thousand.
fn table(page: &mut Page, comparison: &Comparison) {
    let with_limit = page.width() >= 72;
    let label = 18;
    let rest = page.width() - label;
    let (rate, limit) = (10, if with_limit { 10 } else { 0 });
    let difference = rest - 2 * rate - limit;
    page.blank();
    let mut header = format!(
        "{}{}{}{}",
        pad("Turns per", label),
        pad_left("control", rate),
        pad_left("candidate", rate),
        pad_left("difference", difference)
    );
    if with_limit {
        header.push_str(&pad_left("limit", limit));
    }
    page.strong(&header);
    for metric in &comparison.metrics {
        let per = per(metric);
        let rate_of =
            |estimate: Option<f64>| estimate.map_or_else(|| "–".to_owned(), |rate| format!("{:.2}", rate * per));
        let difference_of = difference_text(metric, per);
        let mut row = format!(
            "{}{}{}{}",
            pad(&format!("{} /{per:.0}", metric.title), label),
            pad_left(&rate_of(metric.control.estimate), rate),
            pad_left(&rate_of(metric.candidate.estimate), rate),
            pad_left(&difference_of, difference)
        );
        if with_limit {
            row.push_str(&pad_left(&limit_text(metric, per), limit));
        }
        page.line(row.trim_end());
    }
    for metric in comparison.metrics.iter().filter(|metric| metric.role == Role::MustPass) {
        if let Some(note) = metric.note {
            page.wrap("", &format!("{}: {note}", metric.title));
        }
    }
    if comparison.metrics.iter().any(|metric| metric.role == Role::MustPass) {
        page.wrap("", "Intervals hold at every look: to look every day costs nothing.");
    }
}

fn difference_text(metric: &Metric, per: f64) -> String {
    let Some(estimate) = metric.difference.estimate else { return "–".to_owned() };
    match metric.difference.interval {
        Some(Interval { low, high }) => {
            format!("{} [{}, {}]", signed(estimate * per), signed(low * per), signed(high * per))
        }
        None => format!("{} [no spread]", signed(estimate * per)),
    }
}

/// A limit stands on the side on which it can be broken.
fn limit_text(metric: &Metric, per: f64) -> String {
    metric.margin.filter(|_| metric.role == Role::MustPass).map_or_else(String::new, |margin| {
        signed(if metric.higher_is_better { -margin.absolute } else { margin.absolute } * per)
    })
}

fn choices(page: &mut Page, preference: &Preference) {
    page.blank();
    let interval = preference.interval.map_or_else(String::new, |Interval { low, high }| {
        format!(" (interval {:.1}% to {:.1}%)", low * 100.0, high * 100.0)
    });
    let share = preference
        .share
        .map_or_else(String::new, |share| format!(": {:.1}% for the candidate{interval}", share * 100.0));
    page.wrap(
        "Direct choices: ",
        &format!(
            "candidate preferred {}, control {}, ties {}{share}.",
            thousands(preference.n_wins),
            thousands(preference.n_losses),
            thousands(preference.n_ties)
        ),
    );
}

fn checks(page: &mut Page, checks: &[Check]) {
    page.blank();
    page.strong("Checks");
    for check in checks.iter().filter(|check| check.status != CheckStatus::Pass) {
        let (mark, paint) = match check.status {
            CheckStatus::Fail => ("✗ FAIL ", Paint::Alarm),
            _ => ("! warn ", Paint::Bad),
        };
        page.wrap_painted(mark, paint, &format!("{}: {}", check.title, check.detail));
    }
    let passed: Vec<&str> =
        checks.iter().filter(|check| check.status == CheckStatus::Pass).map(|check| check.title).collect();
    if !passed.is_empty() {
        page.wrap_painted("✓ pass ", Paint::Good, &passed.join(" · "));
    }
}

fn funnel(page: &mut Page, comparison: &Comparison) {
    let (control, candidate) = (&comparison.control, &comparison.candidate);
    let steps = [
        ("turns", control.n_turns, candidate.n_turns),
        ("known to be seen", control.n_seen, candidate.n_seen),
        ("any reaction", control.n_any_signal, candidate.n_any_signal),
        ("said something", control.n_explicit, candidate.n_explicit),
        ("wrote something", control.n_wrote, candidate.n_wrote),
    ];
    page.blank();
    let label = 18;
    let cell = ((page.width() - label) / 2).min(36);
    page.strong(&format!("{}{}{}", pad("Funnel", label), pad("control", cell), pad("candidate", cell)));
    for (name, a, b) in steps {
        let row = format!(
            "{}{}{}",
            pad(name, label),
            pad(&bar(a, control.n_turns, cell), cell),
            pad(&bar(b, candidate.n_turns, cell), cell)
        );
        page.line(row.trim_end());
    }
}

/// Draws a count as a bar out of `whole`, with the count behind it.
fn bar(count: u64, whole: u64, cell: usize) -> String {
    let number = thousands(count);
    let room = cell.saturating_sub(12).min(20);
    let length = if whole == 0 { 0 } else { (count as f64 / whole as f64 * room as f64).round() as usize };
    format!("{} {number}", pad(&"█".repeat(length.max(usize::from(count > 0))), room))
}

fn departures(page: &mut Page, comparison: &Comparison) {
    if comparison.margin_departures.is_empty() {
        return;
    }
    page.blank();
    for (name, planned, asked) in &comparison.margin_departures {
        let words = format!("{name}: planned {:.1}%, asked for {:.1}%.", planned * 100.0, asked * 100.0);
        page.wrap_painted("! not as planned  ", Paint::Bad, &words);
    }
}
