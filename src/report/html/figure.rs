//! The frame of every figure: caption that states the finding, drawings for the widths of screens, the same numbers as a
//! table.

use std::fmt::Display;

use super::words;
use crate::report::markup::Element;
use crate::report::svg::{self, Shape};
use crate::stats::Interval;

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
    pub id: &'a str,
    /// Names the drawing.
    pub title: &'a str,
    /// States what is to be seen, in a sentence.
    pub finding: &'a str,
    /// Explains how to read the drawing; nothing where it explains itself.
    pub key: Option<Element>,
}

impl Figure<'_> {
    /// Frames two drawings, of which each screen shows one, and the table that says the same.
    pub(super) fn frame(self, draw: impl Fn(Sheet) -> Drawing, tables: impl IntoIterator<Item = Element>) -> Element {
        let drawings = [(Sheet::Wide, "wide"), (Sheet::Narrow, "narrow")];
        self.assemble("", drawings.map(|(sheet, class)| (class, sheet, draw(sheet))), tables)
    }

    /// Frames one drawing that fits a telephone and half a screen, and the table that says the same.
    pub(super) fn half(self, draw: impl Fn(Sheet) -> Drawing, tables: impl IntoIterator<Item = Element>) -> Element {
        self.assemble("half", [("only", Sheet::Narrow, draw(Sheet::Narrow))], tables)
    }

    fn assemble<const N: usize>(
        self,
        class: &str,
        drawings: [(&str, Sheet, Drawing); N],
        tables: impl IntoIterator<Item = Element>,
    ) -> Element {
        let caption_id = format!("{}-finding", self.id);
        let drawings = drawings.map(|(name, sheet, Drawing { marks, height })| {
            let id = format!("{}-{name}", self.id);
            let marks = rules_first(marks);
            svg::captioned(&id, self.title, &caption_id, (sheet.width(), height)).class(name).children(marks)
        });
        Element::new("figure")
            .with("id", self.id)
            .class(class)
            .child(Element::new("figcaption").with("id", &caption_id).text(self.finding))
            .children(drawings)
            .children(self.key)
            .children(tables)
    }
}

/// Puts the rules of a drawing behind everything else, as one path: there are many, and they say nothing by themselves.
fn rules_first(marks: Vec<Element>) -> Vec<Element> {
    let (rules, others): (Vec<Element>, Vec<Element>) =
        marks.into_iter().partition(|mark| mark.attribute("class") == Some("rule") && mark.attribute("d").is_some());
    let path: String = rules.iter().filter_map(|rule| rule.attribute("d")).collect();
    let rules = (!path.is_empty()).then(|| Element::new("path").class("rule").with("d", path));
    rules.into_iter().chain(others).collect()
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

/// Makes the same table, folded until somebody asks for it; paper shows it all the same.
pub(super) fn folded_table(
    id: &str,
    caption: &str,
    columns: &[&str],
    rows: impl IntoIterator<Item = Element>,
) -> Element {
    table(id, caption, columns.iter().map(column), rows).without("open")
}

/// Makes a section with its heading.
pub(super) fn section(id: &str, title: &str) -> Element {
    let heading_id = format!("{id}-heading");
    Element::new("section")
        .class("halves")
        .with("aria-labelledby", &heading_id)
        .child(Element::new("h2").with("id", heading_id).text(title))
}

/// Makes a paragraph that explains how to read a drawing.
pub(super) fn reading(words: &str) -> Element {
    Element::new("p").class("reading").text(words)
}

/// Makes a key of fills, and a paragraph below it.
pub(super) fn key(entries: &[(&str, &str)], words: &str) -> Element {
    let entry = |(class, words): &(&str, &str)| Element::new("li").child(swatch(class)).text(words);
    let list = Element::new("ul").class("key").children(entries.iter().map(entry));
    Element::new("div").child(list).child(reading(words))
}

/// Makes a cell of a number, or of a dash.
pub(super) fn cell(value: Option<f64>, write: impl Fn(f64) -> String) -> Element {
    let cell = Element::new("td");
    match value {
        Some(value) => cell.child(number(value, write(value))),
        None => cell.text(words::DASH),
    }
}

/// Makes a cell of a number with its interval below it.
pub(super) fn cell_with(value: Option<f64>, interval: Option<Interval>, write: impl Fn(f64) -> String) -> Element {
    cell(value, &write).children(interval.map(|Interval { low, high }| {
        Element::new("small").child(number(low, write(low))).text(" to ").child(number(high, write(high)))
    }))
}

/// Makes a cell of a count.
pub(super) fn count_cell(n: u64) -> Element {
    Element::new("td").child(number(n, words::count(n)))
}

/// Makes a cell of words.
pub(super) fn word_cell(words: impl Display) -> Element {
    Element::new("td").text(words)
}

/// Makes the header of a column.
pub(super) fn column(content: impl Display) -> Element {
    Element::new("th").with("scope", "col").text(content)
}

/// Makes the header of a row.
pub(super) fn row_header(content: impl Display) -> Element {
    Element::new("th").with("scope", "row").text(content)
}

/// Makes an element that shows a number as written and holds it with the digits of the data block.
pub(super) fn number(value: impl Into<Held>, written: impl Display) -> Element {
    let value = match value.into() {
        Held::Count(count) => count.to_string(),
        Held::Number(number) => words::held(number).to_string(),
    };
    Element::new("data").with("value", value).text(written)
}

/// A number that an element holds.
pub(super) enum Held {
    /// As it is.
    Count(u64),
    /// With so many digits as the data block has.
    Number(f64),
}

impl From<u64> for Held {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<f64> for Held {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
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
