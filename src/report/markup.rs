//! Markup as a tree: every opened tag is closed, and everything that is text is escaped, because there is no other way.
//!
//! Names of elements and attributes are fixed words of the program. Text and attribute values may be anything: both
//! pass [`escape`] when the tree is written. The output is well-formed XML as well as HTML. It knows nothing of reports.

use std::fmt::Display;

/// Elements that have no content and are written as `<br/>`; SVG shapes are among them for their brevity.
const CHILDLESS: &[&str] =
    &["br", "circle", "hr", "line", "link", "meta", "path", "polygon", "polyline", "rect", "use", "wbr"];

/// An element with its attributes and its content.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    children: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Element(Element),
    Text(String),
    /// The program's own style sheet, whose text HTML does not unescape.
    StyleSheet(&'static str),
    /// JSON in which nothing is left that could end its element.
    Json(String),
}

impl Element {
    /// Makes an empty element.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, attributes: Vec::new(), children: Vec::new() }
    }

    /// Makes a `<style>` element of the program's own style sheet.
    pub(crate) fn style_sheet(css: &'static str) -> Self {
        Self { name: "style", attributes: Vec::new(), children: vec![Node::StyleSheet(css)] }
    }

    /// Makes a data block that no browser runs: `<script type="application/json">`.
    ///
    /// `<`, `>` and `&` occur inside JSON strings only, so that they can be written as `\u003c` and the like: neither
    /// `</script` nor `<!--` can appear.
    pub(crate) fn json_block(id: &str, value: &serde_json::Value) -> Self {
        let json = value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
        let json = json.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
        let mut block = Self::new("script").with("type", "application/json").with("id", id);
        block.children.push(Node::Json(json));
        block
    }

    /// Adds an attribute.
    pub(crate) fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.attributes.push((name, value.to_string()));
        self
    }

    /// Returns the value of an attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }

    /// Takes an attribute away.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.attributes.retain(|(key, _)| *key != name);
        self
    }

    /// Adds the attribute `class`, unless no class is named.
    pub(crate) fn class(self, names: &str) -> Self {
        if names.is_empty() { self } else { self.with("class", names) }
    }

    /// Adds text.
    pub(crate) fn text(mut self, text: impl Display) -> Self {
        self.children.push(Node::Text(text.to_string()));
        self
    }

    /// Adds an element.
    pub(crate) fn child(mut self, child: Element) -> Self {
        self.children.push(Node::Element(child));
        self
    }

    /// Adds elements; an `Option` adds one or none.
    pub(crate) fn children(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.children.extend(children.into_iter().map(Node::Element));
        self
    }

    /// Collects id and text of every element of this name, in the order of the page.
    pub(crate) fn outline(&self, name: &str, found: &mut Vec<(String, String)>) {
        let id = self.attributes.iter().find(|(key, _)| *key == "id").map(|(_, id)| id);
        if let Some(id) = id.filter(|_| self.name == name) {
            let mut text = String::new();
            self.gather_text(&mut text);
            found.push((id.clone(), text));
        }
        for child in &self.children {
            if let Node::Element(element) = child {
                element.outline(name, found);
            }
        }
    }

    fn gather_text(&self, out: &mut String) {
        for child in &self.children {
            match child {
                Node::Element(element) => element.gather_text(out),
                Node::Text(text) => out.push_str(text),
                Node::StyleSheet(_) | Node::Json(_) => {}
            }
        }
    }

    /// Writes the element and all that it holds.
    pub(crate) fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(self.name);
        for (name, value) in &self.attributes {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            escape(value, out);
            out.push('"');
        }
        if self.children.is_empty() && CHILDLESS.contains(&self.name) {
            out.push_str("/>");
            return;
        }
        out.push('>');
        for child in &self.children {
            match child {
                Node::Element(element) => element.write(out),
                Node::Text(text) => escape(text, out),
                Node::StyleSheet(css) => out.push_str(css),
                Node::Json(json) => out.push_str(json),
            }
        }
        out.push_str("</");
        out.push_str(self.name);
        out.push('>');
    }
}

/// Writes text so that it stays text, in content and between double quotes.
///
/// Control characters have no place in markup and become the replacement character.
fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(character),
            character if character.is_control() => out.push('\u{fffd}'),
            character => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(element: &Element) -> String {
        let mut out = String::new();
        element.write(&mut out);
        out
    }

    #[test]
    fn text_and_attributes_stay_text_whatever_they_hold() {
        let hostile = "</p><script>alert('1')</script>\" onload=\"x&\u{0}";

        let out = written(&Element::new("p").with("title", hostile).text(hostile));

        let escaped = "&lt;/p&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot; onload=&quot;x&amp;\u{fffd}";
        assert_eq!(out, format!("<p title=\"{escaped}\">{escaped}</p>"));
    }

    #[test]
    fn a_data_block_cannot_end_early_and_reads_back_equal() {
        let value = serde_json::json!({ "name": "</script><!-- <script> & \u{2028}" });

        let out = written(&Element::json_block("data", &value));

        let json = out.strip_prefix("<script type=\"application/json\" id=\"data\">").unwrap();
        let json = json.strip_suffix("</script>").unwrap();
        assert!(!json.contains('<') && !json.contains('>') && !json.contains('&') && !json.contains('\u{2028}'));
        assert_eq!(serde_json::from_str::<serde_json::Value>(json).unwrap(), value);
    }

    #[test]
    fn an_outline_names_what_has_an_id() {
        let heading = Element::new("h2").with("id", "a").text("One ").child(Element::new("b").text("two"));
        let tree = Element::new("main").child(heading).child(Element::new("h2").text("without"));
        let mut found = Vec::new();

        tree.outline("h2", &mut found);

        assert_eq!(found, [("a".to_owned(), "One two".to_owned())]);
    }

    #[test]
    fn only_childless_elements_close_themselves() {
        assert_eq!(written(&Element::new("br")), "<br/>");
        assert_eq!(written(&Element::new("td")), "<td></td>");
        assert_eq!(written(&Element::new("rect").child(Element::new("title"))), "<rect><title></title></rect>");
    }
}
