//! The frame of every figure: caption that states the finding, two drawings for two widths, the same numbers as a table.

use std::fmt::Display;

use crate::report::markup::Element;
use crate::report::svg::{self, Shape};

/// The width that a figure is drawn for. Text in a drawing shrinks with it, so that a narrow screen has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sheet {
    /// Screens of 640 px and more, and paper.
    Wide,
    /// Telephones.
    Narrow,
}

impl Sheet {
    /// Returns the natural width in px.
    pub(super) fn width(self) -> f64 {
        match self {
            Self::Wide => 760.0,
            Self::Narrow => 288.0,
        }
    }

    /// Returns one of two values.
    pub(super) fn pick<T>(self, wide: T, narrow: T) -> T {
        match self {
            Self::Wide => wide,
            Self::Narrow => narrow,
        }
    }
}

/// What is inside a drawing, and how high it is.
pub(super) struct Drawing {
    /// Its marks.
    pub marks: Vec<Element>,
    /// Its height in px.
    pub height: f64,
}

/// A figure with its words.
pub(super) struct Figure<'a> {
    /// Stable id, the stem of the ids inside.
    pub id: &'static str,
    /// Names the drawing.
    pub title: &'a str,
    /// States what is to be seen, in a sentence.
    pub finding: &'a str,
    /// Explains how to read the drawing; nothing where it explains itself.
    pub key: Option<Element>,
}

impl Figure<'_> {
    /// Frames the two drawings and the table that says the same.
    pub(super) fn frame(self, draw: impl Fn(Sheet) -> Drawing, tables: impl IntoIterator<Item = Element>) -> Element {
        let sheet = |sheet: Sheet, class: &str| {
            let Drawing { marks, height } = draw(sheet);
            let size = (sheet.width(), height);
            svg::drawing(&format!("{}-{class}", self.id), self.title, self.finding, (0.0, 0.0), size)
                .class(class)
                .children(marks)
        };
        Element::new("figure")
            .with("id", self.id)
            .child(Element::new("figcaption").text(self.finding))
            .child(sheet(Sheet::Wide, "wide"))
            .child(sheet(Sheet::Narrow, "narrow"))
            .children(self.key)
            .children(tables)
    }
}

/// Makes a table that can be folded away and that scrolls inside its own region where it is wider than the screen.
pub(super) fn table(
    id: &str,
    caption: &str,
    columns: impl IntoIterator<Item = Element>,
    rows: impl IntoIterator<Item = Element>,
) -> Element {
    let caption_id = format!("{id}-caption");
    let head = Element::new("tr").children(columns);
    let table = Element::new("table")
        .with("id", format_args!("{id}-table"))
        .child(Element::new("caption").with("id", &caption_id).text(caption))
        .child(Element::new("thead").child(head))
        .child(Element::new("tbody").children(rows));
    let region = Element::new("div")
        .class("scroll")
        .with("role", "region")
        .with("aria-labelledby", &caption_id)
        .with("tabindex", "0")
        .child(table);
    Element::new("details").with("open", "").child(Element::new("summary").text("The numbers")).child(region)
}

/// Makes the header of a column.
pub(super) fn column(content: impl Display) -> Element {
    Element::new("th").with("scope", "col").text(content)
}

/// Makes the header of a row.
pub(super) fn row_header(content: impl Display) -> Element {
    Element::new("th").with("scope", "row").text(content)
}

/// Makes an element that shows a number as written and holds it as it is.
pub(super) fn number(value: impl Display, written: impl Display) -> Element {
    Element::new("data").with("value", value).text(written)
}

/// Makes a name that somebody else chose: its direction of writing cannot reach the words around it.
pub(super) fn name(name: &str) -> Element {
    Element::new("bdi").class("name").text(name)
}

/// Makes a small sample of a fill, for the key of a figure.
pub(super) fn swatch(class: &str) -> Element {
    svg::icon(14.0).child(svg::bar(class, (-6.0, -6.0), (12.0, 12.0)))
}

/// Makes a small sample of a shape, beside the word that it stands for.
pub(super) fn sample(class: &str, shape: Shape) -> Element {
    svg::icon(14.0).child(svg::mark(class, shape, (0.0, 0.0), 5.0))
}
