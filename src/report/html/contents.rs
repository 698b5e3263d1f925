//! A short table of contents, for pages that are long.

use crate::report::markup::Element;

/// Sections from which on a page is long.
const LONG: usize = 7;

/// Lists the sections by their headings, where there are many.
pub(super) fn list(sections: &[Element]) -> Option<Element> {
    let mut headings = Vec::new();
    for section in sections {
        section.outline("h2", &mut headings);
    }
    if headings.len() < LONG {
        return None;
    }
    let entries = headings
        .into_iter()
        .map(|(id, title)| Element::new("li").child(Element::new("a").with("href", format_args!("#{id}")).text(title)));
    Some(
        Element::new("nav")
            .class("contents")
            .with("aria-label", "Contents")
            .child(Element::new("ul").children(entries)),
    )
}
