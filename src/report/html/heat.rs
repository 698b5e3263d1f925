//! Heat maps: cells that are shaded, and that say their number.

use crate::report::markup::Element;
use crate::report::svg::{self, Anchor, Px};

/// Strongest shade: the number in the cell must stay readable.
const STRONGEST: f64 = 0.55;

/// Draws one cell; `strength` is in -1..1, and its sign chooses the colour.
pub(super) fn cell(
    strength: Option<f64>,
    (x, y): (f64, f64),
    (width, height): (f64, f64),
    written: &str,
) -> Vec<Element> {
    let strength = strength.unwrap_or(0.0).clamp(-1.0, 1.0);
    let class = if strength < 0.0 { "cell bad" } else { "cell good" };
    let shade = svg::bar(class, (x, y), (width - 2.0, height - 2.0))
        .with("fill-opacity", format_args!("{:.2}", STRONGEST * strength.abs()));
    let middle = (x + (width - 2.0) / 2.0, y + height / 2.0 + 3.5);
    vec![shade, svg::text("small", middle, Anchor::Middle, written)]
}

/// Writes a label that leans, so that long ones fit above narrow columns.
pub(super) fn leaning(x: f64, y: f64, words: &str) -> Element {
    svg::text("note", (x, y), Anchor::Start, words).with("transform", format_args!("rotate(-35 {} {})", Px(x), Px(y)))
}
