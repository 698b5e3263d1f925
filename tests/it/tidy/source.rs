//! A source file as the rules see it: its code without comments and texts, and its texts by themselves.
//!
//! This is a reader of tokens, not a parser: it knows comments, strings, characters, lifetimes and braces, which is
//! enough to tell code from what only looks like it. Positions survive, so that a line in the code is a line in the
//! file.

use std::path::Path;
use std::sync::OnceLock;

/// A file of the project.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Path from the project's root, with `/`.
    pub(super) path: String,
    /// The file as it is.
    pub(super) text: String,
    /// The file with the contents of comments and literals blanked.
    pub(super) code: String,
    /// The same, with everything under `#[cfg(test)]` blanked as well.
    pub(super) shipped: String,
    /// Every string literal with the line that it begins on, from 1, and whether it ships.
    pub(super) texts: Vec<Text>,
}

/// A string literal.
#[derive(Debug, Clone)]
pub(super) struct Text {
    /// Line that it begins on, from 1.
    pub(super) line: usize,
    /// What stands between the quotes, escapes as written.
    pub(super) content: String,
    /// Whether it stands outside `#[cfg(test)]`.
    pub(super) ships: bool,
}

/// What breaks a rule, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    /// Name of the rule.
    pub(super) rule: &'static str,
    /// `path:line`, or the path alone.
    pub(super) place: String,
    /// What is wrong.
    pub(super) detail: String,
}

impl Source {
    /// Reads Rust out of memory; `path` decides which rules apply.
    pub(super) fn of(path: &str, text: &str) -> Self {
        let characters: Vec<char> = text.chars().collect();
        let (code, literals) = blank(&characters);
        let shipped = blank_tests(&code);
        let (mut line, mut counted) = (1, 0);
        let texts = literals
            .into_iter()
            .map(|(start, content)| {
                line += characters[counted..start].iter().filter(|character| **character == '\n').count();
                counted = start;
                // The quote itself is kept in the code, and blanked where the code does not ship.
                Text { line, content, ships: shipped[start] == '"' }
            })
            .collect();
        let (code, shipped) = (code.into_iter().collect(), shipped.into_iter().collect());
        Self { path: path.to_owned(), text: text.to_owned(), code, shipped, texts }
    }

    /// Returns every Rust file of the project, read once for all rules.
    ///
    /// A module that its parent declares under `#[cfg(test)]` does not ship, nor does anything below it.
    pub(super) fn all() -> &'static [Self] {
        static ALL: OnceLock<Vec<Source>> = OnceLock::new();
        ALL.get_or_init(Self::read_all)
    }

    fn read_all() -> Vec<Self> {
        let paths = ["src", "tests", "benches"].into_iter().flat_map(|folder| files_below(folder, ".rs"));
        let mut sources: Vec<Self> = paths.map(|path| Self::of(&path, &read(&path))).collect();
        let of_tests: Vec<String> = sources.iter().flat_map(Self::test_modules).collect();
        for source in &mut sources {
            let module = module_folder(&source.path);
            if of_tests.iter().any(|test| module == *test || module.starts_with(&format!("{test}/"))) {
                source.shipped = source.shipped.chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
                source.texts.iter_mut().for_each(|text| text.ships = false);
            }
        }
        sources
    }

    /// Modules in files of their own that are declared for tests only, as the folders that their children would be in.
    fn test_modules(&self) -> Vec<String> {
        let folder = module_folder(&self.path);
        let declared = self.code.split("#[cfg(test)]").skip(1).filter_map(|rest| {
            let declaration = rest.trim_start().split([';', '{']).next()?;
            let name =
                declaration.strip_prefix("mod ").or_else(|| declaration.split_once(" mod ").map(|(_, name)| name))?;
            rest.trim_start()[declaration.len()..].starts_with(';').then(|| format!("{folder}/{name}"))
        });
        declared.collect()
    }

    /// Returns the first part of the path below `src`: `domain` for `src/domain/ids.rs` and for `src/domain.rs`.
    pub(super) fn module(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        Some(below.split('/').next().unwrap_or(below).trim_end_matches(".rs"))
    }

    /// Makes a violation at a line.
    pub(super) fn violation(&self, rule: &'static str, line: usize, detail: impl Into<String>) -> Violation {
        Violation { rule, place: format!("{}:{line}", self.path), detail: detail.into() }
    }
}

/// The folder that a module's children are in: `src/a` for `src/a.rs` and for `src/a/mod.rs`, `src` for `src/lib.rs`.
fn module_folder(path: &str) -> String {
    let module = path.trim_end_matches(".rs").trim_end_matches("/mod");
    module.trim_end_matches("/lib").trim_end_matches("/main").to_owned()
}

/// Reads a file of the project.
pub(super) fn read(path: &str) -> String {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&full).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Lists the files below a folder whose names end so, by path.
pub(super) fn files_below(folder: &str, ending: &str) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(&folder);
        for entry in std::fs::read_dir(&full).unwrap_or_else(|error| panic!("{folder}: {error}")) {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Numbers the lines of a text from 1.
pub(super) fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

/// Finds a word that is not part of a longer one.
pub(super) fn find_word(line: &str, word: &str) -> Option<usize> {
    let is_part = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word)
        .find(|(at, _)| !is_part(line[..*at].chars().next_back()) && !is_part(line[at + word.len()..].chars().next()))
        .map(|(at, _)| at)
}

type Literals = Vec<(usize, String)>;

/// Blanks the contents of comments and literals, keeping the quotes of strings.
fn blank(characters: &[char]) -> (Vec<char>, Literals) {
    let mut code = characters.to_vec();
    let mut literals = Vec::new();
    let mut at = 0;
    while at < characters.len() {
        let end = match (characters[at], characters.get(at + 1)) {
            ('/', Some('/')) => position(characters, at, |rest| rest[0] == '\n'),
            ('/', Some('*')) => end_of_block_comment(characters, at),
            ('"', _) => {
                let end = end_of_string(characters, at);
                literals.push((at, text_between(characters, at + 1, end.saturating_sub(1))));
                erase(&mut code, at + 1, end.saturating_sub(1));
                at = end;
                continue;
            }
            ('r', Some('"' | '#')) if !is_word(at.checked_sub(1).map(|before| characters[before])) => {
                match raw_string(characters, at) {
                    Some((open, close, end)) => {
                        literals.push((open, text_between(characters, open + 1, close)));
                        erase(&mut code, open + 1, close);
                        at = end;
                        continue;
                    }
                    None => at + 1,
                }
            }
            ('\'', Some(next)) => {
                // A quote without its partner opens a lifetime.
                let is_character = *next == '\\' || characters.get(at + 2) == Some(&'\'');
                let end = if is_character { end_of_character(characters, at) } else { at + 1 };
                erase(&mut code, at + 1, end.saturating_sub(1));
                at = end;
                continue;
            }
            _ => {
                at += 1;
                continue;
            }
        };
        if characters[at] == '/' {
            erase(&mut code, at, end);
        }
        at = end;
    }
    (code, literals)
}

fn is_word(character: Option<char>) -> bool {
    // `br"…"` and `cr"…"` are raw strings, too.
    character.is_some_and(|c| (c.is_alphanumeric() && c != 'b' && c != 'c') || c == '_')
}

fn erase(code: &mut [char], from: usize, to: usize) {
    let to = to.min(code.len());
    for character in code.get_mut(from..to).unwrap_or_default() {
        if *character != '\n' {
            *character = ' ';
        }
    }
}

fn text_between(characters: &[char], from: usize, to: usize) -> String {
    characters.get(from..to).unwrap_or_default().iter().collect()
}

fn position(characters: &[char], from: usize, found: impl Fn(&[char]) -> bool) -> usize {
    (from..characters.len()).find(|at| found(&characters[*at..])).unwrap_or(characters.len())
}

fn end_of_block_comment(characters: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at < characters.len() {
        match (characters[at], characters.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

fn end_of_string(characters: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < characters.len() {
        match characters[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    characters.len()
}

fn end_of_character(characters: &[char], start: usize) -> usize {
    let after = if characters.get(start + 1) == Some(&'\\') { start + 3 } else { start + 2 };
    position(characters, after, |rest| rest[0] == '\'') + 1
}

/// Gives the opening quote, the closing quote and the end of a raw string that begins here.
fn raw_string(characters: &[char], start: usize) -> Option<(usize, usize, usize)> {
    let open = position(characters, start + 1, |rest| rest[0] != '#');
    if characters.get(open) != Some(&'"') {
        return None;
    }
    let n_hashes = open - start - 1;
    let close = position(characters, open + 1, |rest| {
        rest[0] == '"' && rest.len() > n_hashes && rest[1..=n_hashes].iter().all(|c| *c == '#')
    });
    Some((open, close, close + 1 + n_hashes))
}

/// Blanks every item under `#[cfg(test)]`, or the whole file under `#![cfg(test)]`.
fn blank_tests(code: &[char]) -> Vec<char> {
    let mut shipped = code.to_vec();
    let text: String = code.iter().collect();
    if text.contains("#![cfg(test)]") {
        erase(&mut shipped, 0, code.len());
        return shipped;
    }
    let attribute: Vec<char> = "#[cfg(test)]".chars().collect();
    let mut at = 0;
    while at + attribute.len() <= code.len() {
        if code[at..at + attribute.len()] == attribute[..] {
            let end = end_of_item(code, at + attribute.len());
            erase(&mut shipped, at, end);
            at = end;
        } else {
            at += 1;
        }
    }
    shipped
}

/// Finds where an item ends: behind the brace that closes its first one, or behind the first semicolon before any.
pub(super) fn end_of_item(code: &[char], start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, character) in code.iter().enumerate().skip(start) {
        match character {
            '{' => depth += 1,
            '}' if depth <= 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

#[test]
fn a_module_that_is_declared_for_tests_is_known_by_its_folder() {
    let modules = |path: &str, text: &str| Source::of(path, text).test_modules();

    assert_eq!(modules("src/a/mod.rs", "mod b;\n#[cfg(test)]\nmod tests;\nmod c;"), ["src/a/tests"]);
    assert_eq!(modules("src/a.rs", "#[cfg(test)]\npub(crate) mod tests;"), ["src/a/tests"]);
    assert_eq!(modules("src/lib.rs", "#[cfg(test)]\nmod tests { fn f() {} }"), [""; 0]);
    assert_eq!(module_folder("src/a/tests.rs"), "src/a/tests");
}

#[test]
fn code_is_told_from_comments_and_texts() {
    let text = concat!(
        "// sqlx::query\n",
        "/* a /* nested */ sqlx:: */ let a = \"sqlx::\\\"x\"; let b = r#\"raw \"sqlx::\"#;\n",
        "fn f<'a>(c: &'a str) -> char { let _ = '\\''; let _ = '\"'; '{' }\n",
        "#[cfg(test)]\nmod tests { fn g() { h(\"in a test\") } }\nfn last() {}\n",
    );

    let source = Source::of("src/a.rs", text);

    assert!(!source.code.contains("sqlx"), "{}", source.code);
    assert!(source.code.contains("fn f<'a>(c: &'a str)"), "{}", source.code);
    assert!(!source.code.contains("'{'"), "{}", source.code);
    assert!(source.code.contains("fn g()") && !source.shipped.contains("fn g()"), "{}", source.shipped);
    assert!(source.shipped.contains("fn last()"), "{}", source.shipped);
    assert_eq!(source.code.lines().count(), text.lines().count());
    let texts: Vec<(usize, &str, bool)> = source.texts.iter().map(|t| (t.line, t.content.as_str(), t.ships)).collect();
    assert_eq!(texts, [(2, "sqlx::\\\"x", true), (2, "raw \"sqlx::", true), (5, "in a test", false)]);
}
