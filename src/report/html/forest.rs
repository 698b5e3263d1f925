//! The forest plot: one row per metric, better to the right, the limit dashed.
//!
//! Metrics with a limit are drawn in units of their own limit, so that one dashed line serves all of them and a rare
//! reaction is as readable as a common one; metrics without a limit share an axis of percentage points with others of
//! their magnitude. Where lower is better the row is mirrored, and its label says so; written numbers are never flipped.

use super::figure::{Drawing, Sheet};
use super::words;
use crate::report::comparison::{Metric, Role};
use crate::report::markup::Element;
use crate::report::svg::{self, Anchor, Linear};
use crate::stats::Interval;

/// How far a scaled panel reaches, in limits, however wide an interval is; estimates may stretch it.
const REACH_LIMITS: f64 = 5.0;
/// How far estimates may stretch it.
const REACH_LIMITS_ESTIMATE: f64 = 12.0;
/// Metrics share an axis of points where the largest reaches at most this many times further than the smallest.
const MAGNITUDE: f64 = 8.0;

/// Rows that share an axis.
struct Panel<'a> {
    metrics: Vec<&'a Metric>,
    is_scaled: bool,
}

/// Draws every metric.
pub(super) fn draw(metrics: &[Metric], sheet: Sheet) -> Drawing {
    let mut pen = Pen { sheet, y: 0.0, marks: Vec::new() };
    for panel in panels(metrics) {
        pen.panel(&panel);
    }
    Drawing { marks: pen.marks, height: pen.y }
}

fn panels(metrics: &[Metric]) -> Vec<Panel<'_>> {
    let (scaled, rest): (Vec<&Metric>, Vec<&Metric>) = metrics.iter().partition(|metric| limit(metric).is_some());
    let (must_pass, shown): (Vec<&Metric>, Vec<&Metric>) =
        rest.into_iter().partition(|metric| metric.role == Role::MustPass);
    let mut panels = Vec::new();
    if !scaled.is_empty() {
        panels.push(Panel { metrics: scaled, is_scaled: true });
    }
    let (judged, unjudged): (Vec<&Metric>, Vec<&Metric>) = shown.into_iter().partition(|metric| metric.is_judged);
    panels.extend(by_magnitude(must_pass));
    panels.extend(by_magnitude(judged));
    panels.extend(by_magnitude(unjudged));
    panels
}

fn by_magnitude(mut rest: Vec<&Metric>) -> Vec<Panel<'_>> {
    let mut panels = Vec::new();
    while !rest.is_empty() {
        let largest = rest.iter().map(|metric| reach(metric)).fold(0.0, f64::max);
        let (panel, smaller) = rest.into_iter().partition(|metric| reach(metric) * MAGNITUDE >= largest);
        panels.push(Panel { metrics: panel, is_scaled: false });
        rest = smaller;
    }
    panels
}

/// Returns the limit that a row can be scaled by.
fn limit(metric: &Metric) -> Option<f64> {
    metric.margin.map(|margin| margin.absolute).filter(|&absolute| absolute > 0.0)
}

fn reach(metric: &Metric) -> f64 {
    let ends = metric.difference.interval.map_or([0.0; 2], |interval| [interval.low, interval.high]);
    ends.into_iter().chain(metric.difference.estimate).map(f64::abs).filter(|end| end.is_finite()).fold(0.0, f64::max)
}

impl Panel<'_> {
    /// Returns estimate and interval of a row on the panel's axis: better is positive.
    fn placed(&self, metric: &Metric) -> (Option<f64>, Option<Interval>) {
        let direction = words::direction(metric);
        let unit = limit(metric).filter(|_| self.is_scaled).unwrap_or(0.01);
        let interval = metric.difference.interval.map(|interval| direction.improvement_interval(interval));
        (
            metric.difference.estimate.map(|estimate| direction.improvement(estimate) / unit),
            interval.map(|interval| Interval { low: interval.low / unit, high: interval.high / unit }),
        )
    }

    fn is_judged(&self) -> bool {
        self.metrics.iter().all(|metric| metric.is_judged)
    }

    /// Returns what the two ends of the axis mean.
    fn ways(&self) -> (&'static str, &'static str) {
        if self.is_judged() { ("← worse", "better →") } else { ("← less", "more →") }
    }

    fn heading(&self) -> &'static str {
        if self.is_scaled {
            "In units of each limit"
        } else if !self.is_judged() {
            "Shown, not judged, in points"
        } else if self.metrics.iter().all(|metric| metric.role == Role::Secondary) {
            "Shown only, in points"
        } else {
            "In points"
        }
    }

    fn domain(&self) -> (f64, f64) {
        let mut domain: (f64, f64) = if self.is_scaled { (-1.8, 1.2) } else { (0.0, 0.0) };
        let mut reach = if self.is_scaled { REACH_LIMITS } else { f64::INFINITY };
        for metric in &self.metrics {
            if let Some(estimate) = self.placed(metric).0 {
                let stretched = (estimate.abs() * 1.1).min(REACH_LIMITS_ESTIMATE);
                reach = if self.is_scaled { reach.max(stretched) } else { reach };
            }
        }
        for metric in &self.metrics {
            let (estimate, interval) = self.placed(metric);
            let ends = interval.map_or([0.0; 2], |interval| [interval.low, interval.high]);
            for end in ends.into_iter().chain(estimate).filter(|end| end.is_finite()) {
                domain = (domain.0.min(end.max(-reach)), domain.1.max(end.min(reach)));
            }
        }
        let air = 0.05 * (domain.1 - domain.0);
        (domain.0 - air, domain.1 + air)
    }
}

/// Where the next row begins, and what is drawn so far.
struct Pen {
    sheet: Sheet,
    y: f64,
    marks: Vec<Element>,
}

impl Pen {
    fn put(&mut self, element: Element) {
        self.marks.push(element);
    }

    fn panel(&mut self, panel: &Panel<'_>) {
        let scale = Linear::new(panel.domain(), self.sheet.pick((196.0, 590.0), (4.0, 284.0)));
        let row_height = self.sheet.pick(66.0, 128.0);
        if self.y > 0.0 {
            self.y += 22.0;
        }
        self.put(svg::text("muted", (0.0, self.y + 14.0), Anchor::Start, panel.heading()));
        self.y += self.sheet.pick(0.0, 22.0);
        let top = self.y + 20.0;
        let bottom = top + row_height * panel.metrics.len() as f64;
        self.axis(panel, &scale, bottom);
        // On a narrow sheet the words stand in the rows, so that each row has a band of its own for the drawing.
        let bands = match self.sheet {
            Sheet::Wide => vec![(top, bottom)],
            Sheet::Narrow => (0..panel.metrics.len())
                .map(|index| top + row_height * index as f64)
                .map(|top| (top + 42.0, top + 80.0))
                .collect(),
        };
        for band in bands {
            self.band(panel, &scale, band);
        }
        for (index, metric) in panel.metrics.iter().enumerate() {
            self.row(panel, metric, &scale, top + row_height * index as f64);
        }
        self.y = bottom + if panel.is_scaled { 22.0 } else { 38.0 };
    }

    /// Draws what is written above and below the rows.
    fn axis(&mut self, panel: &Panel<'_>, scale: &Linear, bottom: f64) {
        const NO_DIFFERENCE_WIDTH: f64 = 92.0;
        let (left, right) = scale.range();
        let above = self.y + 14.0;
        let zero = (scale.place(0.0) + 4.0).min(self.sheet.width() - NO_DIFFERENCE_WIDTH);
        self.put(svg::text("muted", (zero, above), Anchor::Start, "no difference"));
        let mut below = bottom + 16.0;
        if panel.is_scaled {
            self.put(svg::text("bad", (scale.place(-1.0) - 4.0, above), Anchor::End, "limit"));
        } else {
            for tick in self.ticks(scale) {
                self.put(svg::text("muted", (scale.place(tick), bottom + 14.0), Anchor::Middle, tick_label(tick)));
            }
            below += 16.0;
        }
        let (left_word, right_word) = panel.ways();
        self.put(svg::text("muted", (left, below), Anchor::Start, left_word));
        self.put(svg::text("muted", (right, below), Anchor::End, right_word));
    }

    /// Draws the lines that intervals are read against.
    fn band(&mut self, panel: &Panel<'_>, scale: &Linear, (top, bottom): (f64, f64)) {
        let (zero, wall, left) = (scale.place(0.0), scale.place(-1.0), scale.range().0);
        if panel.is_scaled {
            self.put(svg::bar("zone", (left, top), (wall - left, bottom - top)));
            self.put(svg::line("wall", (wall, top), (wall, bottom)));
        } else {
            for tick in self.ticks(scale) {
                let x = scale.place(tick);
                self.put(svg::line("rule", (x, top), (x, bottom)));
            }
        }
        self.put(svg::line("zero", (zero, top), (zero, bottom)));
    }

    fn ticks(&self, scale: &Linear) -> Vec<f64> {
        scale.ticks(self.sheet.pick(6, 4))
    }

    fn row(&mut self, panel: &Panel<'_>, metric: &Metric, scale: &Linear, top: f64) {
        self.put(svg::line("rule", (0.0, top), (self.sheet.width(), top)));
        self.labels(metric, top);
        self.values(metric, top);
        let centre = top + self.sheet.pick(26.0, 58.0);
        let (estimate, interval) = panel.placed(metric);
        let class = words::status_class(metric.status);
        if let Some(interval) = interval {
            self.interval(class, interval, scale, centre);
        }
        if let Some(estimate) = estimate.filter(|&estimate| scale.holds(estimate)) {
            let shape = words::status_shape(metric.status);
            self.put(svg::mark(class, shape, (scale.place(estimate), centre), 6.0));
        }
        if panel.is_scaled
            && let Some(limit) = limit(metric)
        {
            let limit = words::points(words::direction(metric).improvement(-limit), words::decimals_of(metric));
            self.put(svg::text("bad small", (scale.place(-1.0) - 4.0, centre + 21.0), Anchor::End, limit));
        }
    }

    fn interval(&mut self, class: &str, interval: Interval, scale: &Linear, centre: f64) {
        let (low, high) = scale.domain();
        let is_inside = (scale.holds(interval.low), scale.holds(interval.high));
        let ends = (scale.place(interval.low.clamp(low, high)), scale.place(interval.high.clamp(low, high)));
        self.put(svg::whisker(class, ends, centre, is_inside));
        if !is_inside.0 {
            self.put(svg::arrow(class, (ends.0, centre), -1.0));
        }
        if !is_inside.1 {
            self.put(svg::arrow(class, (ends.1, centre), 1.0));
        }
    }

    fn labels(&mut self, metric: &Metric, top: f64) {
        let n = format!("n {} / {}", words::count(metric.control.n), words::count(metric.candidate.n));
        let way = (!metric.higher_is_better).then_some("lower is better, mirrored");
        self.put(svg::text("strong", (0.0, top + 20.0), Anchor::Start, metric.title));
        match self.sheet {
            Sheet::Wide => {
                for (index, line) in way.map(str::to_owned).into_iter().chain([n]).enumerate() {
                    let y = top + 37.0 + 16.0 * index as f64;
                    self.put(svg::text("note", (0.0, y), Anchor::Start, line));
                }
            }
            Sheet::Narrow => {
                let line = way.map_or_else(|| n.clone(), |way| format!("{way} · {n}"));
                self.put(svg::text("note", (0.0, top + 36.0), Anchor::Start, line));
            }
        }
    }

    fn values(&mut self, metric: &Metric, top: f64) {
        let (value, interval) = written(metric);
        let class = words::status_class(metric.status);
        let shape = words::status_shape(metric.status);
        let status = words::status_word(metric);
        let (value_at, interval_at, status_y, shape_x) = match self.sheet {
            Sheet::Wide => ((616.0, top + 20.0), (616.0, top + 37.0), top + 54.0, 621.0),
            Sheet::Narrow => ((0.0, top + 98.0), (0.0, top + 115.0), top + 98.0, 174.0),
        };
        self.put(svg::text("strong", value_at, Anchor::Start, value));
        self.put(svg::text("small", interval_at, Anchor::Start, interval));
        self.put(svg::mark(class, shape, (shape_x, status_y - 4.0), 4.5));
        self.put(svg::text(&format!("{class} strong small"), (shape_x + 10.0, status_y), Anchor::Start, status));
    }
}

/// Returns the difference and its interval as they stand beside the row.
fn written(metric: &Metric) -> (String, String) {
    let n_decimals = words::decimals_of(metric);
    let Some(estimate) = metric.difference.estimate else {
        return (words::DASH.to_owned(), "cannot be computed".to_owned());
    };
    let value = format!("{} pts", words::points(estimate, n_decimals));
    match metric.difference.interval {
        Some(interval) => (value, words::points_interval(interval, n_decimals)),
        None => (value, "no interval".to_owned()),
    }
}

fn tick_label(tick: f64) -> String {
    let digits = format!("{:.4}", tick.abs());
    digits.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Says whether any row is mirrored, so that the key has to explain it.
pub(super) fn is_any_mirrored(metrics: &[Metric]) -> bool {
    metrics.iter().any(|metric| !metric.higher_is_better)
}

/// Says whether any row has a limit.
pub(super) fn is_any_limited(metrics: &[Metric]) -> bool {
    metrics.iter().any(|metric| limit(metric).is_some())
}
