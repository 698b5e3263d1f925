//! The marks: text, lines, bars, points of several shapes, whiskers and the arrow of a clipped end.

use std::fmt::Display;

use super::Px;
use crate::report::markup::Element;

/// Which part of a text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// The text begins there.
    Start,
    /// The text is centred there.
    Middle,
    /// The text ends there.
    End,
}

/// Shape of a point: what it says must be told without its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Points up.
    TriangleUp,
    /// Points down.
    TriangleDown,
    /// A filled circle.
    Circle,
    /// An empty diamond.
    Diamond,
    /// A saltire.
    Cross,
    /// A tick mark.
    Tick,
}

/// Draws text with its baseline at `y`.
pub(crate) fn text(class: &str, (x, y): (f64, f64), anchor: Anchor, content: impl Display) -> Element {
    let anchor = match anchor {
        Anchor::Start => "",
        Anchor::Middle => " mid",
        Anchor::End => " end",
    };
    Element::new("text").class(&format!("{class}{anchor}")).with("x", Px(x)).with("y", Px(y)).text(content)
}

/// Draws a straight line; level and upright ones, which are most, are written shorter.
pub(crate) fn line(class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> Element {
    let start = format!("M{} {}", Px(x1), Px(y1));
    let path = if y1.total_cmp(&y2).is_eq() {
        format!("{start}H{}", Px(x2))
    } else if x1.total_cmp(&x2).is_eq() {
        format!("{start}V{}", Px(y2))
    } else {
        format!("{start}L{} {}", Px(x2), Px(y2))
    };
    Element::new("path").class(class).with("d", path)
}

/// Draws a bar from its upper left corner; a negative extent draws nothing.
pub(crate) fn bar(class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) -> Element {
    Element::new("rect")
        .class(class)
        .with("x", Px(x))
        .with("y", Px(y))
        .with("width", Px(width.max(0.0)))
        .with("height", Px(height.max(0.0)))
}

/// Draws a point; `radius` is half its extent.
pub(crate) fn mark(class: &str, shape: Shape, (x, y): (f64, f64), radius: f64) -> Element {
    let path = |points: &[(f64, f64)], closed: bool| {
        let steps = points.iter().enumerate().map(|(index, (dx, dy))| {
            let step = if index == 0 { 'M' } else { 'L' };
            format!("{step}{} {}", Px(x + dx * radius), Px(y + dy * radius))
        });
        let path = steps.chain(closed.then(|| "Z".to_owned())).collect::<String>();
        Element::new("path").with("d", path)
    };
    match shape {
        Shape::Circle => Element::new("circle").class(class).with("cx", Px(x)).with("cy", Px(y)).with("r", Px(radius)),
        Shape::TriangleUp => path(&[(0.0, -1.1), (1.1, 0.9), (-1.1, 0.9)], true).class(class),
        Shape::TriangleDown => path(&[(0.0, 1.1), (1.1, -0.9), (-1.1, -0.9)], true).class(class),
        Shape::Diamond => path(&[(0.0, -1.2), (1.2, 0.0), (0.0, 1.2), (-1.2, 0.0)], true).class(class),
        Shape::Tick => path(&[(-0.9, 0.0), (-0.25, 0.7), (0.95, -0.75)], false).class(class),
        Shape::Cross => Element::new("g")
            .class(class)
            .child(path(&[(-0.8, -0.8), (0.8, 0.8)], false))
            .child(path(&[(-0.8, 0.8), (0.8, -0.8)], false)),
    }
}

/// Draws an interval as a line with a stop at each end; a clipped end has none, for an [`arrow`] stands there.
pub(crate) fn whisker(class: &str, (low, high): (f64, f64), y: f64, stops: (bool, bool)) -> Element {
    let (before, after) = ("v9m0 -4.5", "m0 -4.5v9");
    let start =
        if stops.0 { format!("M{} {}{before}", Px(low), Px(y - 4.5)) } else { format!("M{} {}", Px(low), Px(y)) };
    let path = format!("{start}H{}{}", Px(high), if stops.1 { after } else { "" });
    Element::new("path").class(&format!("whisker {class}")).with("d", path)
}

/// Draws the arrow that says that an interval goes on beyond the drawing; `direction` is -1 or 1.
pub(crate) fn arrow(class: &str, (x, y): (f64, f64), direction: f64) -> Element {
    let back = x - direction * 8.0;
    let points = format!("{},{} {},{} {},{}", Px(x), Px(y), Px(back), Px(y - 5.0), Px(back), Px(y + 5.0));
    Element::new("polygon").class(class).with("points", points)
}
