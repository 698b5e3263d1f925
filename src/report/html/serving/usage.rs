//! How full the KV cache was over time, and what may be added.

use crate::domain::bands::KV_USAGE;
use crate::report::html::figure::{self, Drawing, Figure, Sheet};
use crate::report::html::plot::Plot;
use crate::report::html::words;
use crate::report::markup::Element;
use crate::report::serving::{Usage, UsagePoint, UsageSource};
use crate::report::svg::{self, Anchor};

/// Height of the strip that tells of queues.
const STRIP: f64 = 34.0;

/// Makes the section of the curve.
pub(super) fn over_time(usage: &Usage) -> Element {
    let all = &usage.all;
    let told =
        |share: Option<f64>, n_decimals| share.map_or(words::DASH.to_owned(), |it| words::percent(it, n_decimals));
    let queue = match (all.waiting_share, all.n_waiting_max) {
        (Some(share), Some(most)) if share > 0.0 => format!(
            " Somebody waited in {} of the engine minutes; the longest queue was {}.",
            words::share(share),
            words::count(most as u64)
        ),
        (Some(_), _) => " Nobody waited.".to_owned(),
        _ => String::new(),
    };
    let finding = format!(
        "The cache was in use by {} in the mean, the 95th percentile is {}, the most {}.{queue}",
        told(all.mean, 0),
        told(all.p95, 0),
        told(all.max, 0),
    );
    let key = Element::new("div").child(figure::reading(
        "Solid: the mean of a time; dashed: its 95th percentile. The shaded bands begin at 80% and at 95%, where queues and \
         preemptions begin. The bars below are the share of engine minutes in which somebody waited. Where the line is broken \
         nobody told anything.",
    ));
    let figure = Figure { id: "usage", title: "KV cache in use over time", finding: &finding, key: Some(key) }
        .frame(|sheet| draw(usage, sheet), [table(usage)]);
    figure::section("load", "How full was the KV cache?").child(figure)
}

fn draw(usage: &Usage, sheet: Sheet) -> Drawing {
    let (Some(first), Some(last)) = (usage.points.first(), usage.points.last()) else {
        return Drawing { marks: Vec::new(), height: 1.0 };
    };
    let at = |point: &UsagePoint| point.at.timestamp() as f64;
    let bin_s = usage.bin_s as f64;
    let ends = (at(first), at(last) + bin_s);
    let plot = Plot::new(sheet, (8.0, sheet.pick(190.0, 150.0)), ends, (0.0, 1.0));
    let (left, right) = plot.x.range();
    let mut marks = Vec::new();
    for (low, high) in [(KV_USAGE.edges[1], 1.0), (KV_USAGE.edges[2], 1.0)] {
        let (top, bottom) = (plot.level(high), plot.level(low));
        marks.push(svg::bar("zone", (left, top), (right - left, bottom - top)));
        marks.push(svg::line("wall", (left, bottom), (right, bottom)));
    }
    marks.extend(plot.rules(|share| words::percent(share, 0)));
    for run in usage.points.chunk_by(|before, after| at(after) - at(before) <= bin_s * 1.5) {
        for (class, value) in
            [("ink-line", mean as fn(&UsagePoint) -> Option<f64>), ("candidate-line", |point| point.p95)]
        {
            let place = |point: &UsagePoint| Some((plot.x.place(at(point) + bin_s / 2.0), plot.level(value(point)?)));
            let points: Vec<(f64, f64)> = run.iter().filter_map(place).collect();
            match points[..] {
                [(x, y)] => marks.push(svg::line(class, (x - 2.0, y), (x + 2.0, y))),
                _ => marks.push(svg::polyline(class, &points)),
            }
        }
    }
    let mut bottom = plot.span().1;
    if usage.all.n_waiting_known > 0 {
        bottom += STRIP + 8.0;
        for point in &usage.points {
            let height = STRIP * point.waiting_share.unwrap_or(0.0);
            if height > 0.0 {
                let (x, end) = (plot.x.place(at(point)), plot.x.place(at(point) + bin_s));
                marks.push(svg::bar("against", (x, bottom - height), ((end - x - 0.5).max(0.5), height)));
            }
        }
        marks.push(svg::line("rule", (left, bottom), (right, bottom)));
        marks.push(svg::text("note", (left - 6.0, bottom - STRIP / 2.0 + 4.0), Anchor::End, "queue"));
    }
    let n_ticks = sheet.pick(5, 2);
    let format = if ends.1 - ends.0 > 3.0 * 86_400.0 { "%-d %b" } else { "%-d %b %H:%M" };
    for nth in 0..=n_ticks {
        let share = f64::from(nth) / f64::from(n_ticks);
        let second = ends.0 + share * (ends.1 - ends.0);
        let Some(moment) = chrono::DateTime::from_timestamp(second as i64, 0) else { continue };
        let anchor = match nth {
            0 => Anchor::Start,
            nth if nth == n_ticks => Anchor::End,
            _ => Anchor::Middle,
        };
        marks.push(svg::text("note", (plot.x.place(second), bottom + 16.0), anchor, moment.format(format)));
    }
    Drawing { marks, height: bottom + 22.0 }
}

fn mean(point: &UsagePoint) -> Option<f64> {
    point.mean
}

fn table(usage: &Usage) -> Element {
    let rows = usage.points.iter().map(|point| {
        Element::new("tr")
            .child(figure::row_header(words::minute(point.at)))
            .children([point.mean, point.p95, point.max].map(|share| figure::cell(share, |it| words::percent(it, 0))))
            .child(figure::cell(point.waiting_share, words::share))
            .child(figure::cell(point.n_waiting_max, |n| words::count(n as u64)))
    });
    figure::folded_table(
        "usage",
        "Use of the KV cache by time",
        &["From", "Mean", "95th percentile", "Most", "Minutes with a queue", "Longest queue"],
        rows,
    )
}

/// Makes the section of what is left.
pub(super) fn capacity(usage: &Usage) -> Element {
    let of_what = match usage.source {
        UsageSource::Engines => "of the engine minutes",
        UsageSource::Completions => "of the turns",
    };
    let below: f64 = usage.shares.iter().take(2).sum();
    let finding = format!("The cache was below 80% in {} {of_what}.", words::share(below));
    let rooms = usage.headroom.iter().map(|headroom| {
        let limit = words::percent(headroom.limit, 0);
        let words = match headroom.more_traffic {
            Some(more) if more > 0.0 => {
                format!("About {} more traffic until the 95th percentile is {limit}.", words::percent(more, 0))
            }
            Some(_) => format!("The 95th percentile has reached {limit}: no room below that."),
            None => format!("No use was seen, so that the room below {limit} is not known."),
        };
        Element::new("li").text(words)
    });
    let key = Element::new("div").child(Element::new("ul").children(rooms)).child(figure::reading(
        "The room assumes that use grows with traffic, with the same mix of lengths, spread over the engines as it is now.",
    ));
    let figure =
        Figure { id: "bands", title: "Share of the time by use of the KV cache", finding: &finding, key: Some(key) }
            .half(|sheet| draw_shares(usage, sheet), [shares_table(usage, of_what)]);
    figure::section("capacity", "What capacity is left?").child(figure)
}

fn draw_shares(usage: &Usage, sheet: Sheet) -> Drawing {
    const ROW: f64 = 40.0;
    let mut marks = Vec::new();
    for (place, (label, share)) in KV_USAGE.labels.iter().zip(&usage.shares).enumerate() {
        let top = ROW * place as f64;
        let class = if place < 2 { "candidate" } else { "against" };
        marks.push(svg::text("strong", (0.0, top + 13.0), Anchor::Start, label));
        marks.push(svg::text("small", (sheet.width(), top + 13.0), Anchor::End, words::share(*share)));
        marks.push(svg::bar(class, (0.0, top + 19.0), (share * sheet.width(), 11.0)));
        marks.push(svg::line("rule", (0.0, top + 30.0), (sheet.width(), top + 30.0)));
    }
    Drawing { marks, height: ROW * KV_USAGE.n() as f64 }
}

fn shares_table(usage: &Usage, of_what: &str) -> Element {
    let mut below = 0.0;
    let rows: Vec<Element> = KV_USAGE
        .labels
        .iter()
        .zip(&usage.shares)
        .map(|(label, share)| {
            below += share;
            Element::new("tr")
                .child(figure::row_header(label))
                .child(figure::cell(Some(*share), words::share))
                .child(figure::cell(Some(below.min(1.0)), words::share))
        })
        .collect();
    figure::folded_table("bands", &format!("Share {of_what} by use"), &["Use", "Share", "This band or below"], rows)
}
