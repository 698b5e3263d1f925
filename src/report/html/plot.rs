//! The frame of a drawing over two axes: rules, ticks and their labels.

use super::figure::Sheet;
use crate::report::markup::Element;
use crate::report::svg::{self, Anchor, Linear};

/// Room for the labels of the upright axis.
const GUTTER: f64 = 48.0;
/// Room for the labels below.
const FOOT: f64 = 22.0;

/// Two scales and the rectangle that they fill.
pub(super) struct Plot {
    /// Along.
    pub x: Linear,
    /// Up; larger values are higher.
    pub y: Linear,
    top: f64,
    bottom: f64,
}

impl Plot {
    /// Makes a frame of the sheet's width; `top` and `height` are of the rectangle alone.
    pub(super) fn new(sheet: Sheet, (top, height): (f64, f64), x: (f64, f64), y: (f64, f64)) -> Self {
        let bottom = top + height;
        Self { x: Linear::new(x, (GUTTER, sheet.width() - 8.0)), y: Linear::new(y, (bottom, top)), top, bottom }
    }

    /// Returns upper and lower end.
    pub(super) fn span(&self) -> (f64, f64) {
        (self.top, self.bottom)
    }

    /// Returns the height with all labels.
    pub(super) fn height(&self) -> f64 {
        self.bottom + FOOT
    }

    /// Returns the height of a value, of the nearest end where it is outside.
    pub(super) fn level(&self, value: f64) -> f64 {
        let (low, high) = self.y.domain();
        self.y.place(value.clamp(low, high))
    }

    /// Draws rules across, with what is written at their left.
    pub(super) fn rules(&self, write: impl Fn(f64) -> String) -> Vec<Element> {
        let (left, right) = self.x.range();
        let rule = |tick: f64| {
            let y = self.y.place(tick);
            [
                svg::line("rule", (left, y), (right, y)),
                svg::text("note", (left - 6.0, y + 4.0), Anchor::End, write(tick)),
            ]
        };
        self.y.ticks(4).into_iter().flat_map(rule).collect()
    }

    /// Writes labels below.
    pub(super) fn feet(&self, labels: impl IntoIterator<Item = (f64, String)>) -> Vec<Element> {
        let right = self.x.range().1;
        let foot = |(x, words): (f64, String)| {
            let anchor = if x > right - 24.0 { Anchor::End } else { Anchor::Middle };
            let x = if anchor == Anchor::End { right } else { x };
            svg::text("note", (x, self.bottom + 16.0), anchor, words)
        };
        labels.into_iter().map(foot).collect()
    }
}
