//! What moved between two looks at one comparison, in a few lines.

use super::layout::{Page, Paint, signed};
use super::{WIDTHS, per};
use crate::report::comparison::{Comparison, Metric, Role, Side};
use crate::report::count::counted;

/// Writes what moved from one look to the next, a line for each thing; of two looks that read the same it says so.
pub fn to_text(before: &Comparison, now: &Comparison, width: usize, colour: bool) -> String {
    let mut page = Page::new(width.clamp(*WIDTHS.start(), *WIDTHS.end()), colour);
    let moved = moved(before, now);
    let (then, at) = (before.computed_at.format("%H:%M:%S"), now.computed_at.format("%H:%M:%S"));
    if moved.is_empty() {
        page.wrap("", &format!("{at} UTC: nothing moved since {then}."));
        return page.finish();
    }
    page.strong(&format!("{at} UTC, moved since {then}"));
    for line in moved {
        page.wrap_painted("  ", Paint::Strong, &line);
    }
    page.finish()
}

/// Lists what reads otherwise than before: the verdict, who came, the metrics that must pass, and checks.
fn moved(before: &Comparison, now: &Comparison) -> Vec<String> {
    let mut lines = Vec::new();
    let verdict = |of: &Comparison| {
        format!("{} ({})", of.verdict.code.as_str().replace('_', " "), of.verdict.reason.as_str().replace('_', " "))
    };
    push_if_other(&mut lines, "Verdict", &verdict(before), &verdict(now));
    for (title, was, is) in
        [("Control", &before.control, &now.control), ("Candidate", &before.candidate, &now.candidate)]
    {
        lines.extend(more(title, was, is));
    }
    if !before.verdict.withholds_numbers && !now.verdict.withholds_numbers {
        for metric in now.metrics.iter().filter(|metric| metric.role == Role::MustPass) {
            let was = before.metrics.iter().find(|known| known.name == metric.name).map_or_else(String::new, told);
            push_if_other(&mut lines, &format!("{} /{:.0}", metric.title, per(metric)), &was, &told(metric));
        }
    }
    for check in &now.checks {
        let was = before.checks.iter().find(|known| known.name == check.name);
        let was = was.map_or("–", |known| known.status.as_str());
        push_if_other(&mut lines, check.title, was, check.status.as_str());
    }
    lines
}

fn push_if_other(lines: &mut Vec<String>, title: &str, was: &str, is: &str) {
    if was != is {
        let was = if was.is_empty() { "–" } else { was };
        lines.push(format!("{title}: {was} → {is}"));
    }
}

/// Tells how many came; of a window that moves on, how many are left.
fn more(title: &str, was: &Side, is: &Side) -> Option<String> {
    if (was.n_users, was.n_turns) == (is.n_users, is.n_turns) {
        return None;
    }
    let (users, turns) = (counted(is.n_users, "unit"), counted(is.n_turns, "turn"));
    let step = |was: u64, is: u64| if is >= was { format!("+{}", is - was) } else { format!("−{}", was - is) };
    Some(format!("{title}: {users} ({}), {turns} ({})", step(was.n_users, is.n_users), step(was.n_turns, is.n_turns)))
}

fn told(metric: &Metric) -> String {
    let per = per(metric);
    let Some(estimate) = metric.difference.estimate else { return "–".to_owned() };
    let interval = metric.difference.interval.map_or_else(
        || "[no spread]".to_owned(),
        |interval| format!("[{}, {}]", signed(interval.low * per), signed(interval.high * per)),
    );
    format!("{} {interval} {}", signed(estimate * per), metric.status.as_str().replace('_', " "))
}
