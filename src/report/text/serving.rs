//! A serving report for a terminal: what was found, then the numbers.

use super::WIDTHS;
use super::layout::{Page, pad, pad_left};
use crate::domain::bands::KV_USAGE;
use crate::report::count::{counted, thousands};
use crate::report::serving::{Banded, BandedMetric, LengthMap, Measure, Percentiles, ServingReport, Usage, Week};

/// Width of the names of bands.
const LABEL: usize = 24;
/// Shades of a share of the use, from an eighth on.
const SHADES: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Writes a report for a terminal of `width` columns (taken as 60 to 120), coloured or not.
pub fn to_text(report: &ServingReport, width: usize, colour: bool) -> String {
    let mut page = Page::new(width.clamp(*WIDTHS.start(), *WIDTHS.end()), colour);
    for finding in &report.findings {
        page.wrap("", finding);
    }
    page.blank();
    subject(&mut page, report);
    if let Some(found) = &report.usage {
        usage(&mut page, found);
    }
    if let Some(map) = &report.lengths {
        lengths(&mut page, map);
    }
    weeks(&mut page, &report.weeks);
    for found in &report.quality.measures {
        measure(&mut page, found);
    }
    if !report.notes.is_empty() {
        page.blank();
        for note in &report.notes {
            page.wrap("- ", note);
        }
    }
    page.finish()
}

fn subject(page: &mut Page, report: &ServingReport) {
    let window = format!("{} to {}", report.from.format("%Y-%m-%d %H:%M"), report.to.format("%Y-%m-%d %H:%M UTC"));
    page.wrap("Window: ", &window);
    let numbers = format!("{} of {}", counted(report.n_turns, "turn"), counted(report.n_users, "user"));
    page.wrap("Turns:  ", &numbers);
    for (name, n_turns) in &report.models {
        page.wrap("Model:  ", &format!("{name} ({})", counted(*n_turns, "turn")));
    }
    for (name, words) in &report.filters {
        page.wrap("Filter: ", &format!("{name}: {words}"));
    }
    page.wrap("Trust:  ", report.trust.sentence());
}

fn percent(share: Option<f64>, n_decimals: usize) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.n_decimals$}%", share * 100.0))
}

fn usage(page: &mut Page, usage: &Usage) {
    page.blank();
    page.strong(&format!("KV cache in use, {} a column, 95th percentile", duration(usage.bin_s)));
    let shade = |share: f64| SHADES[((share * 8.0).ceil() as usize).min(SHADES.len() - 1)];
    let (first, last) = (usage.points.first(), usage.points.last());
    let line: String = usage
        .points
        .iter()
        .map(|point| point.p95.map_or('·', shade))
        .collect::<Vec<char>>()
        .chunks(page.width())
        .map(|chunk| chunk.iter().collect::<String>())
        .collect::<Vec<String>>()
        .join("\n");
    page.line(&line);
    if let Some((first, last)) = first.zip(last) {
        page.line(&format!("{} to {}", first.at.format("%Y-%m-%d %H:%M"), last.at.format("%Y-%m-%d %H:%M")));
    }
    page.blank();
    page.strong(&format!("{}{}", pad("Use", LABEL), pad_left(&format!("share of {}", usage.source.many()), 28)));
    for (label, share) in KV_USAGE.labels.iter().zip(&usage.shares) {
        page.line(&format!("{}{}", pad(label, LABEL), pad_left(&percent(Some(*share), 1), 28)));
    }
    let all = &usage.all;
    let numbers =
        format!("mean {}, 95th percentile {}, most {}", percent(all.mean, 1), percent(all.p95, 0), percent(all.max, 1));
    page.wrap("", &numbers);
    if let Some(share) = all.waiting_share {
        let most = all.n_waiting_max.map_or_else(String::new, |n| format!("; the longest queue was {n:.0}"));
        page.wrap("", &format!("Somebody waited in {} of the engine minutes{most}.", percent(Some(share), 1)));
    }
}

fn duration(bin_s: i64) -> String {
    match bin_s {
        s if s % 86_400 == 0 => format!("{} d", s / 86_400),
        s if s % 3600 == 0 => format!("{} h", s / 3600),
        s => format!("{} min", s / 60),
    }
}

fn lengths(page: &mut Page, map: &LengthMap) {
    page.blank();
    page.strong("Turns by tokens of prompt (down) and answer (across), in percent");
    let cell = 8;
    let names: String = map.output.labels.iter().map(|label| pad_left(label, cell)).collect();
    page.line(&format!("{}{names}", pad("", 10)));
    for (label, row) in map.input.labels.iter().zip(&map.n) {
        let written =
            |n: &u64| if *n == 0 { "·".to_owned() } else { format!("{:.1}", *n as f64 / map.n_turns as f64 * 100.0) };
        let cells: String = row.iter().map(|n| pad_left(&written(n), cell)).collect();
        page.line(&format!("{}{cells}", pad(label, 10)));
    }
}

fn weeks(page: &mut Page, weeks: &[Week]) {
    if weeks.is_empty() {
        return;
    }
    page.blank();
    let column = |words: &str| pad_left(words, 11);
    let head = ["turns", "prompt p50", "p95", "answer p50", "p95"].map(column).concat();
    page.strong(&format!("{}{head}", pad("Week of", 12)));
    for week in weeks {
        let of = |found: Option<Percentiles>, value: fn(Percentiles) -> f64| {
            found.map_or_else(|| "–".to_owned(), |found| thousands(value(found) as u64))
        };
        let cells = [
            thousands(week.n_turns),
            of(week.input, |it| it.p50),
            of(week.input, |it| it.p95),
            of(week.output, |it| it.p50),
            of(week.output, |it| it.p95),
        ];
        page.line(&format!("{}{}", pad(&week.monday.to_string(), 12), cells.map(|cell| column(&cell)).concat()));
    }
}

fn measure(page: &mut Page, measure: &Measure) {
    page.blank();
    page.strong(&format!("What users do by: {}, per 100 turns", measure.title.to_lowercase()));
    for metric in &measure.metrics {
        page.line(metric.title);
        for (place, band) in metric.bands.iter().enumerate().filter(|(_, band)| band.rate.n > 0) {
            let label = measure.bands.labels.get(place).copied().unwrap_or_default();
            let base = if measure.base == Some(place) { "  base" } else { "" };
            page.line(format!("  {}{}{base}{}", pad(label, LABEL), rate(band), difference(metric, band)).trim_end());
        }
    }
}

fn rate(band: &Banded) -> String {
    let written = |value: f64| format!("{:.1}", value * 100.0);
    let ends = band.rate.interval.map_or_else(String::new, |it| format!("{}–{}", written(it.low), written(it.high)));
    let value = band.rate.estimate.map_or_else(|| "–".to_owned(), written);
    format!("{}{}", pad_left(&value, 6), pad_left(&ends, 12))
}

fn difference(metric: &BandedMetric, band: &Banded) -> String {
    let Some(gap) = band.difference else { return String::new() };
    let written = |value: f64| format!("{:+.1}", value * 100.0).replace('-', "−");
    let ends = format!("({} to {})", written(gap.interval.low), written(gap.interval.high));
    let standing = gap.standing(metric.higher_is_better).as_str();
    format!("{} {} {standing}", pad_left(&written(gap.estimate), 7), pad(&ends, 17))
}
