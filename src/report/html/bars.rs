//! Bars of both sides below each other, with intervals where there are any.

use super::figure::{Drawing, Sheet};
use crate::report::svg::{self, Anchor, Linear};
use crate::stats::Interval;

const BAR: f64 = 13.0;

/// One quantity of both sides: control, candidate.
pub(super) struct Pair {
    /// What it is.
    pub label: String,
    /// What stands below the label.
    pub note: String,
    /// The values.
    pub values: [Option<f64>; 2],
    /// Their intervals.
    pub intervals: [Option<Interval>; 2],
    /// The values as they are written.
    pub written: [String; 2],
    /// The value that fills the whole length.
    pub full: f64,
}

/// Draws the pairs below each other.
pub(super) fn draw(pairs: &[Pair], sheet: Sheet) -> Drawing {
    let range = sheet.pick((196.0, 640.0), (0.0, 190.0));
    let (row_height, head) = sheet.pick((48.0, 6.0), (72.0, 36.0));
    let mut marks = Vec::new();
    for (index, pair) in pairs.iter().enumerate() {
        let top = row_height * index as f64;
        let scale = Linear::new((0.0, if pair.full > 0.0 { pair.full } else { 1.0 }), range);
        marks.push(svg::text("strong", (0.0, top + 16.0), Anchor::Start, &pair.label));
        marks.push(svg::text("note", (0.0, top + 31.0), Anchor::Start, &pair.note));
        for (side, class) in ["control", "candidate"].into_iter().enumerate() {
            let y = top + head + (BAR + 3.0) * side as f64;
            let end = scale.place(pair.values[side].unwrap_or(0.0).clamp(0.0, scale.domain().1));
            marks.push(svg::bar(class, (range.0, y), (end - range.0, BAR)));
            if let Some(Interval { low, high }) = pair.intervals[side] {
                let ends = (scale.place(low.max(0.0)), scale.place(high.min(scale.domain().1)));
                marks.push(svg::whisker("ink-line", ends, y + BAR / 2.0, (true, true)));
            }
            let written = &pair.written[side];
            marks.push(svg::text("small", (sheet.width(), y + BAR - 2.5), Anchor::End, written));
        }
    }
    let height = row_height * pairs.len() as f64;
    marks.push(svg::line("rule", (range.0, 0.0), (range.0, height)));
    Drawing { marks, height }
}
