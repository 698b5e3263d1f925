//! A small SVG module: scales of numbers and of days with nice ticks, and the marks that the figures are drawn with.
//!
//! Lengths are user units, which are CSS pixels at the figure's natural size. Colours are classes of the page's style
//! sheet, never attributes, so that light, dark, forced-colours and print each have their own. It knows no statistics.

mod days;
mod lines;
mod marks;
mod scale;

use std::fmt;

use super::markup::Element;

pub(super) use days::Days;
pub(super) use lines::{band, polyline, staircase, upright};
pub(super) use marks::{Anchor, Shape, arrow, bar, line, mark, text, whisker};
pub(super) use scale::Linear;

/// A length or place, written with at most one decimal: pixels need no more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Px(pub(super) f64);

impl fmt::Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Adding 0 turns a negative zero into a plain one.
        let rounded = (self.0 * 10.0).round() / 10.0 + 0.0;
        if rounded.fract() == 0.0 { write!(f, "{rounded:.0}") } else { write!(f, "{rounded:.1}") }
    }
}

/// Makes the root of a drawing that reads as one image with a name and a sentence.
///
/// It shows the rectangle of the given size at the given corner.
pub(super) fn drawing(
    id: &str,
    title: &str,
    description: &str,
    (x, y): (f64, f64),
    (width, height): (f64, f64),
) -> Element {
    let (title_id, description_id) = (format!("{id}-title"), format!("{id}-desc"));
    Element::new("svg")
        .with("viewBox", format_args!("{} {} {} {}", Px(x), Px(y), Px(width), Px(height)))
        .with("role", "img")
        .with("aria-labelledby", format_args!("{title_id} {description_id}"))
        .child(Element::new("title").with("id", title_id).text(title))
        .child(Element::new("desc").with("id", description_id).text(description))
}

/// Makes the root of a drawing that is named by its own title and by a caption beside it.
pub(super) fn captioned(id: &str, title: &str, caption_id: &str, (width, height): (f64, f64)) -> Element {
    let title_id = format!("{id}-title");
    Element::new("svg")
        .with("viewBox", format_args!("0 0 {} {}", Px(width), Px(height)))
        .with("role", "img")
        .with("aria-labelledby", format_args!("{title_id} {caption_id}"))
        .child(Element::new("title").with("id", title_id).text(title))
}

/// Makes a small picture that stands beside the words that say the same.
pub(super) fn icon(size: f64) -> Element {
    let half = size / 2.0;
    Element::new("svg")
        .class("icon")
        .with("viewBox", format_args!("{} {} {} {}", Px(-half), Px(-half), Px(size), Px(size)))
        .with("width", Px(size))
        .with("height", Px(size))
        .with("aria-hidden", "true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_short_and_never_minus_zero() {
        let written: Vec<String> = [0.0, -0.01, 12.0, 12.34, -3.06].iter().map(|&v| Px(v).to_string()).collect();

        assert_eq!(written, ["0", "0", "12", "12.3", "-3.1"]);
    }
}
