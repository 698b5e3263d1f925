//! A strict reader of the page: it accepts well-formed markup only and turns it into a list of elements.

use serde_json::Value;

/// An element as it was opened, with the text directly and indirectly inside it.
#[derive(Debug, Clone)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    /// Text inside, with the character references resolved.
    pub(super) text: String,
    /// Names of the elements around it, outermost first.
    pub(super) ancestors: Vec<String>,
}

impl Element {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn is_in(&self, ancestor: &str) -> bool {
        self.ancestors.iter().any(|name| name == ancestor)
    }
}

/// A page that was read without an error.
pub(super) struct Page {
    pub(super) elements: Vec<Element>,
}

impl Page {
    /// Reads a page; says at which byte it is not well-formed.
    pub(super) fn read(html: &str) -> Result<Page, String> {
        let body = html.strip_prefix("<!doctype html>").ok_or("no doctype")?;
        let mut reader = Reader { rest: body, elements: Vec::new(), open: Vec::new() };
        while !reader.rest.is_empty() {
            reader.step().map_err(|problem| format!("{problem} at byte {}", html.len() - reader.rest.len()))?;
        }
        match reader.open.pop() {
            Some(index) => Err(format!("<{}> is never closed", reader.elements[index].name)),
            None => Ok(Page { elements: reader.elements }),
        }
    }

    pub(super) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.elements.iter().filter(move |element| element.name == name)
    }

    /// Returns an element's descendants.
    pub(super) fn inside<'a>(&'a self, element: &'a Element) -> impl Iterator<Item = &'a Element> {
        let depth = element.ancestors.len();
        let at = self.elements.iter().position(|other| std::ptr::eq(other, element)).expect("an element of this page");
        self.elements[at + 1..].iter().take_while(move |other| other.ancestors.len() > depth)
    }

    pub(super) fn ids(&self) -> Vec<&str> {
        self.elements.iter().filter_map(|element| element.attribute("id")).collect()
    }

    /// Returns the JSON of the data block.
    pub(super) fn data(&self) -> Value {
        let block = self.named("script").next().expect("a data block");
        serde_json::from_str(&block.text).expect("valid JSON")
    }

    /// Returns all text that a reader sees.
    pub(super) fn visible_text(&self) -> String {
        self.elements.iter().find(|element| element.name == "body").map_or_else(String::new, |body| {
            let block = self.named("script").next().map_or("", |block| block.text.as_str());
            body.text.replace(block, "")
        })
    }
}

struct Reader<'a> {
    rest: &'a str,
    elements: Vec<Element>,
    open: Vec<usize>,
}

impl Reader<'_> {
    fn step(&mut self) -> Result<(), String> {
        if let Some(rest) = self.rest.strip_prefix("</") {
            let (name, rest) = rest.split_once('>').ok_or("an end tag does not end")?;
            let index = self.open.pop().ok_or_else(|| format!("</{name}> closes nothing"))?;
            if self.elements[index].name != name {
                return Err(format!("</{name}> closes <{}>", self.elements[index].name));
            }
            self.rest = rest;
            Ok(())
        } else if self.rest.starts_with('<') {
            self.start_tag()
        } else {
            let end = self.rest.find('<').unwrap_or(self.rest.len());
            let (text, rest) = self.rest.split_at(end);
            let text = resolve(text)?;
            for &index in &self.open {
                self.elements[index].text.push_str(&text);
            }
            self.rest = rest;
            Ok(())
        }
    }

    fn start_tag(&mut self) -> Result<(), String> {
        let (tag, rest) = self.rest[1..].split_once('>').ok_or("a start tag does not end")?;
        let is_childless = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let (name, mut tail) = tag.split_once(' ').unwrap_or((tag, ""));
        if name.is_empty() || !name.chars().all(|character| character.is_ascii_alphanumeric()) {
            return Err(format!("`{name}` is no name of an element"));
        }
        let mut attributes: Vec<(String, String)> = Vec::new();
        while !tail.trim().is_empty() {
            let (key, after) = tail.trim_start().split_once("=\"").ok_or("an attribute without a quoted value")?;
            let (value, after) = after.split_once('"').ok_or("a value does not end")?;
            if attributes.iter().any(|(other, _)| other == key) {
                return Err(format!("`{key}` is given twice"));
            }
            attributes.push((key.to_owned(), resolve(value)?));
            tail = after;
        }
        let ancestors = self.open.iter().map(|&index| self.elements[index].name.clone()).collect();
        let index = self.elements.len();
        self.elements.push(Element { name: name.to_owned(), attributes, text: String::new(), ancestors });
        self.rest = rest;
        if matches!(name, "style" | "script") {
            let (text, rest) = rest.split_once(&format!("</{name}>")).ok_or("raw text does not end")?;
            self.elements[index].text.push_str(text);
            self.rest = rest;
        } else if !is_childless {
            self.open.push(index);
        }
        Ok(())
    }
}

fn resolve(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut parts = text.split('&');
    out.push_str(parts.next().unwrap_or(""));
    for part in parts {
        let (name, tail) = part.split_once(';').ok_or("a bare ampersand")?;
        out.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "#39" => '\'',
            _ => return Err(format!("an unknown character reference `{name}`")),
        });
        out.push_str(tail);
    }
    Ok(out)
}

/// Returns every number in a JSON value.
pub(super) fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Number(number) => number.as_f64().into_iter().collect(),
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        Value::Object(fields) => fields.values().flat_map(numbers).collect(),
        _ => Vec::new(),
    }
}

/// Says whether a number is among others, but for what seven digits cannot tell: a page holds no more of each.
pub(super) fn holds(numbers: &[f64], wanted: f64) -> bool {
    numbers.iter().any(|number| (number - wanted).abs() <= 5.1e-7 * wanted.abs())
}
