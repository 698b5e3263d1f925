//! The three forms of one comparison as they are kept beside this file. Run with `AFTERWORD_BLESS=1` to write them anew, and
//! look at what changed before you commit it.

use std::path::Path;

use afterword::report::html::to_html;
use afterword::report::json::to_json;
use afterword::report::text::to_text;

use super::page::Page;
use super::samples;

pub(super) fn is_as_kept(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/report/golden").join(name);
    if std::env::var_os("AFTERWORD_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let other = kept.lines().zip(text.lines()).position(|(kept, now)| kept != now);
    let n_lines = (kept.lines().count(), text.lines().count());
    assert!(
        kept == text,
        "{name} is not as it is kept, from line {} of {n_lines:?} on; AFTERWORD_BLESS=1 keeps it as it is now",
        other.unwrap_or(n_lines.0.min(n_lines.1)) + 1
    );
}

/// Writes a page as a list of its elements with their texts, without what is drawn, how it looks and the data block.
pub(super) fn outline(html: &str) -> String {
    let page = Page::read(html).unwrap();
    let mut out = String::new();
    let elements = &page.elements;
    for (place, element) in elements.iter().enumerate() {
        if element.is_in("svg") || element.is_in("head") || ["script", "head"].contains(&element.name.as_str()) {
            continue;
        }
        let depth = element.ancestors.len();
        let has_children = elements.get(place + 1).is_some_and(|next| next.ancestors.len() > depth);
        let id = element.attribute("id").map_or_else(String::new, |id| format!("#{id}"));
        let text = if has_children { String::new() } else { format!(" {}", element.text) };
        out.push_str(format!("{}{}{id}{text}", " ".repeat(depth), element.name).trim_end());
        out.push('\n');
    }
    out.replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

#[test]
fn a_comparison_reads_at_a_terminal_as_it_did() {
    is_as_kept("switch.txt", &to_text(&samples::switch(), 80, false));
}

#[test]
fn a_comparison_goes_over_the_wire_as_it_did() {
    let wire = serde_json::to_string_pretty(&to_json(&samples::switch())).unwrap();

    is_as_kept("switch.json", &format!("{wire}\n"));
}

#[test]
fn a_page_has_the_parts_and_the_words_that_it_had() {
    is_as_kept("switch.html.txt", &outline(&to_html(&samples::switch())));
}
