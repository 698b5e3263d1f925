//! Rows of points with intervals on one shared axis: what segments, adjustments and candidates are drawn with.

use super::figure::{Drawing, Sheet};
use super::words;
use crate::report::comparison::{Metric, Status};
use crate::report::markup::Element;
use crate::report::svg::{self, Anchor, Linear, Shape};
use crate::stats::Interval;

/// How far the axis reaches, in multiples of the furthest estimate or limit.
const REACH: f64 = 3.0;

/// One row; places are on the axis, better to the right.
pub(super) struct Row {
    /// What it is of.
    pub label: String,
    /// What stands below the label.
    pub note: String,
    /// Where the point is.
    pub estimate: Option<f64>,
    /// Where the interval is.
    pub interval: Option<Interval>,
    /// What the row says, as a colour, a shape and a word.
    pub standing: Standing,
    /// Half the extent of the point, in px.
    pub radius: f64,
    /// The estimate as it is written.
    pub value: String,
    /// The interval as it is written.
    pub ends: String,
}

/// What a row says, three times over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// Class of the colour.
    pub class: &'static str,
    /// Shape of the point.
    pub shape: Shape,
    /// The word.
    pub word: &'static str,
}

impl Standing {
    /// Tells where an interval stands against a limit; both better to the right.
    pub(super) fn of(interval: Option<Interval>, margin: Option<f64>) -> Self {
        let wall = margin.map_or(0.0, |margin| -margin);
        let (status, word) = match interval {
            Some(interval) if interval.low > 0.0 => (Status::Better, "better"),
            Some(interval) if interval.high < wall && margin.is_some() => (Status::Worse, "beyond limit"),
            Some(interval) if interval.high < wall => (Status::Worse, "worse"),
            Some(interval) if interval.low > wall => (Status::NonInferior, "within the limit"),
            _ => (Status::Undecided, "unclear"),
        };
        Self { class: words::status_class(status), shape: words::status_shape(status), word }
    }

    /// Stands for what nobody judges.
    pub(super) fn unjudged(word: &'static str) -> Self {
        Self { class: "open", shape: Shape::Circle, word }
    }
}

/// Rows with the lines that they are read against.
pub(super) struct Rows<'a> {
    /// The rows, from above.
    pub rows: &'a [Row],
    /// Where the limit is.
    pub wall: Option<f64>,
    /// What the ends of the axis mean.
    pub ways: (&'a str, &'a str),
    /// What stands above the solid line.
    pub zero: &'a str,
}

impl Rows<'_> {
    /// Draws them.
    pub(super) fn draw(&self, sheet: Sheet) -> Drawing {
        let scale = Linear::new(self.domain(), sheet.pick((196.0, 590.0), (4.0, 284.0)));
        let (row_height, top) = (sheet.pick(56.0, 90.0), 20.0);
        let bottom = top + row_height * self.rows.len() as f64;
        let mut marks = Vec::new();
        // On a narrow sheet the words stand in the rows, so that each row has a band of its own for the drawing.
        let bands: Vec<(f64, f64)> = match sheet {
            Sheet::Wide => vec![(top, bottom)],
            Sheet::Narrow => (0..self.rows.len())
                .map(|index| top + row_height * index as f64)
                .map(|top| (top + 58.0, top + 86.0))
                .collect(),
        };
        self.lines(sheet, &scale, &bands, &mut marks);
        self.axis(sheet, &scale, (top, bottom), &mut marks);
        for (index, row) in self.rows.iter().enumerate() {
            draw_row(row, sheet, &scale, top + row_height * index as f64, &mut marks);
        }
        Drawing { marks, height: bottom + 36.0 }
    }

    fn domain(&self) -> (f64, f64) {
        let estimates = self.rows.iter().filter_map(|row| row.estimate).chain(self.wall);
        let reach = REACH * estimates.map(f64::abs).fold(0.0, f64::max);
        let reach = if reach > 0.0 { reach } else { f64::INFINITY };
        let ends = self.rows.iter().filter_map(|row| row.interval).flat_map(|interval| [interval.low, interval.high]);
        let places = ends.chain(self.rows.iter().filter_map(|row| row.estimate)).chain(self.wall);
        let (low, high) = places
            .filter(|place| place.is_finite())
            .map(|place| place.clamp(-reach, reach))
            .fold((0.0_f64, 0.0_f64), |(low, high), place| (low.min(place), high.max(place)));
        let air = 0.06 * (high - low);
        (low - air, high + air)
    }

    /// Draws the lines that intervals are read against.
    fn lines(&self, sheet: Sheet, scale: &Linear, bands: &[(f64, f64)], marks: &mut Vec<Element>) {
        let left = scale.range().0;
        let ticks = scale.ticks(sheet.pick(6, 4));
        for &(top, bottom) in bands {
            if let Some(x) = self.wall.map(|wall| scale.place(wall)) {
                marks.push(svg::bar("zone", (left, top), (x - left, bottom - top)));
                marks.push(svg::line("wall", (x, top), (x, bottom)));
            }
            if sheet == Sheet::Wide {
                marks.extend(
                    ticks.iter().map(|&tick| scale.place(tick)).map(|x| svg::line("rule", (x, top), (x, bottom))),
                );
            }
            let zero = scale.place(0.0);
            marks.push(svg::line("zero", (zero, top), (zero, bottom)));
        }
    }

    /// Writes what stands above and below the rows.
    fn axis(&self, sheet: Sheet, scale: &Linear, (top, bottom): (f64, f64), marks: &mut Vec<Element>) {
        let (left, right) = scale.range();
        for tick in scale.ticks(sheet.pick(6, 4)) {
            marks.push(svg::text("note", (scale.place(tick), bottom + 14.0), Anchor::Middle, tick_label(tick)));
        }
        let zero = scale.place(0.0);
        if let Some(x) = self.wall.map(|wall| scale.place(wall)) {
            let (x, anchor) = if x < left + 40.0 { (left, Anchor::Start) } else { (x - 4.0, Anchor::End) };
            marks.push(svg::text("bad small", (x, top - 6.0), anchor, "limit"));
        }
        let is_late = zero > sheet.width() - 100.0;
        let (x, anchor) = if is_late { (zero - 4.0, Anchor::End) } else { (zero + 4.0, Anchor::Start) };
        if !(is_late && self.wall.is_some()) {
            marks.push(svg::text("note", (x, top - 6.0), anchor, self.zero));
        }
        marks.push(svg::text("note", (left, bottom + 30.0), Anchor::Start, self.ways.0));
        marks.push(svg::text("note", (right, bottom + 30.0), Anchor::End, self.ways.1));
    }
}

fn draw_row(row: &Row, sheet: Sheet, scale: &Linear, top: f64, marks: &mut Vec<Element>) {
    let Standing { class, shape, word } = row.standing;
    marks.push(svg::line("rule", (0.0, top), (sheet.width(), top)));
    marks.push(svg::text("strong", (0.0, top + 20.0), Anchor::Start, &row.label));
    marks.push(svg::text("note", (0.0, top + 37.0), Anchor::Start, &row.note));
    let centre = top + sheet.pick(28.0, 72.0);
    if let Some(interval) = row.interval {
        let (low, high) = scale.domain();
        let is_inside = (scale.holds(interval.low), scale.holds(interval.high));
        let ends = (scale.place(interval.low.clamp(low, high)), scale.place(interval.high.clamp(low, high)));
        marks.push(svg::whisker(class, ends, centre, is_inside));
        marks.extend((!is_inside.0).then(|| svg::arrow(class, (ends.0, centre), -1.0)));
        marks.extend((!is_inside.1).then(|| svg::arrow(class, (ends.1, centre), 1.0)));
    }
    if let Some(estimate) = row.estimate.filter(|&estimate| scale.holds(estimate)) {
        marks.push(svg::mark(class, shape, (scale.place(estimate), centre), row.radius));
    }
    let (value, ends, word_at) = match sheet {
        Sheet::Wide => ((616.0, top + 18.0), (616.0, top + 34.0), (621.0, top + 50.0)),
        Sheet::Narrow => ((0.0, top + 53.0), (84.0, top + 53.0), (172.0, top + 20.0)),
    };
    marks.push(svg::text("strong", value, Anchor::Start, &row.value));
    marks.push(svg::text("small", ends, Anchor::Start, &row.ends));
    marks.push(svg::mark(class, shape, (word_at.0, word_at.1 - 4.0), 4.5));
    let at = (word_at.0 + 10.0, word_at.1);
    marks.push(svg::text(&format!("{class} strong small"), at, Anchor::Start, word));
}

/// Writes a round value below an axis on which the ends say which way is which.
pub(super) fn tick_label(tick: f64) -> String {
    let digits = format!("{:.4}", tick.abs());
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    digits.to_owned()
}

/// Places an effect on a metric on an axis of points, better to the right.
pub(super) fn place(metric: &Metric, value: f64) -> f64 {
    words::direction(metric).improvement(value) * 100.0
}

/// Places an interval of a metric's effect likewise.
pub(super) fn place_interval(metric: &Metric, interval: Interval) -> Interval {
    let Interval { low, high } = words::direction(metric).improvement_interval(interval);
    Interval { low: low * 100.0, high: high * 100.0 }
}

/// Returns the metric's limit on that axis, as a distance.
pub(super) fn margin_points(metric: &Metric) -> Option<f64> {
    metric.margin.map(|margin| margin.absolute * 100.0)
}
