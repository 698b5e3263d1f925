//! What a file looks like: its first line, its length, the length of its functions, its name, and words that mean
//! that something is missing.

use super::source::{Source, Violation, end_of_item, find_word, numbered};

const MAX_FILE_LINES: usize = 500;
const MAX_FUNCTION_LINES: usize = 70;

/// Every module opens with what it is and what it must not know.
pub(super) fn header(source: &Source) -> Vec<Violation> {
    if source.text.starts_with("//! ") {
        return Vec::new();
    }
    vec![source.violation("module_header", 1, "a file opens with `//!`: what it is, and what it must not know")]
}

/// A file that is too long is two files.
pub(super) fn file_lines(source: &Source) -> Vec<Violation> {
    let n_lines = source.text.lines().count();
    if n_lines <= MAX_FILE_LINES {
        return Vec::new();
    }
    vec![source.violation("file_lines", MAX_FILE_LINES, format!("{n_lines} lines, {MAX_FILE_LINES} are allowed"))]
}

/// A function that is too long is two functions. Blank lines and comments are free, as they are for Clippy.
pub(super) fn function_lines(source: &Source) -> Vec<Violation> {
    let code: Vec<char> = source.code.chars().collect();
    let mut violations = Vec::new();
    let mut line = 1;
    for at in 0..code.len() {
        if code[at] == '\n' {
            line += 1;
        }
        if let Some(start) = function_at(&code, at) {
            let end = end_of_item(&code, start);
            let body: String = code[start..end].iter().skip_while(|c| **c != '{').collect();
            // The lines of the two braces are not counted.
            let n_lines = body.lines().filter(|line| !line.trim().is_empty()).count().saturating_sub(2);
            if n_lines > MAX_FUNCTION_LINES {
                let name: String = code[start..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').collect();
                let detail = format!("`{name}` has {n_lines} lines, {MAX_FUNCTION_LINES} are allowed");
                violations.push(source.violation("function_lines", line, detail));
            }
        }
    }
    violations
}

/// Gives where the name of a function begins whose `fn` stands here.
fn function_at(code: &[char], at: usize) -> Option<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let keyword = code.get(at..at + 3)? == ['f', 'n', ' '];
    let begins = at.checked_sub(1).is_none_or(|before| !is_word(code[before]));
    (keyword && begins && code.get(at + 3).is_some_and(|c| is_word(*c))).then_some(at + 3)
}

/// Names that say nothing about what a module is for.
pub(super) fn names(source: &Source) -> Vec<Violation> {
    const EMPTY_NAMES: [&str; 9] = ["common", "data", "helper", "helpers", "info", "manager", "misc", "util", "utils"];
    let parts = source.path.trim_end_matches(".rs").split('/');
    parts
        .filter(|part| EMPTY_NAMES.contains(part))
        .map(|part| source.violation("names", 1, format!("`{part}` does not say what the module is for")))
        .collect()
}

/// A file of the integration tests that `main.rs` does not declare is never run; nothing else would tell.
pub(super) fn undeclared(path: &str, main: &str) -> Option<Violation> {
    let module = path.strip_prefix("tests/it/")?.split('/').next()?.trim_end_matches(".rs");
    let declared = module == "main" || main.lines().any(|line| line == format!("mod {module};"));
    let detail = format!("tests/it/main.rs does not declare `mod {module};`");
    (!declared).then(|| Violation { rule: "test_modules", place: path.to_owned(), detail })
}

/// Words by which work is put off: what is missing stands in an issue.
pub(super) fn unfinished(path: &str, text: &str) -> Vec<Violation> {
    // Put together, so that this file does not break its own rule.
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
    let mut violations = Vec::new();
    for (line, content) in numbered(text) {
        for word in words {
            if find_word(content, word).is_some() {
                let place = format!("{path}:{line}");
                violations.push(Violation { rule: "unfinished", place, detail: format!("says {word}") });
            }
        }
    }
    violations
}

#[test]
fn a_file_without_a_header_is_found() {
    assert_eq!(header(&Source::of("src/a.rs", "use std::fmt;\n")).len(), 1);
    assert_eq!(header(&Source::of("src/a.rs", "//! What it is.\n")), []);
}

#[test]
fn a_file_is_too_long_from_its_501st_line_on() {
    assert_eq!(file_lines(&Source::of("src/a.rs", &"//\n".repeat(500))), []);
    assert_eq!(file_lines(&Source::of("src/a.rs", &"//\n".repeat(501))).len(), 1);
}

#[test]
fn a_function_is_too_long_from_its_71st_line_of_code_on() {
    let function =
        |n: usize| format!("//! x\nimpl A {{\n    fn long() -> u8 {{\n{}    }}\n}}\n", "        f();\n".repeat(n));
    let padded = function(70).replace("    }\n}\n", "\n        // A comment is free.\n    }\n}\n");

    assert_eq!(function_lines(&Source::of("src/a.rs", &function(70))), []);
    assert_eq!(function_lines(&Source::of("src/a.rs", &padded)), []);
    let found = function_lines(&Source::of("src/a.rs", &function(71)));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].rule, found[0].place.as_str()), ("function_lines", "src/a.rs:3"));
    let prose = format!("//! x\nconst A: &str = \"fn long() {{\n{}\";\n", "\n x".repeat(80));
    assert_eq!(function_lines(&Source::of("src/a.rs", &prose)), []);
}

#[test]
fn a_test_file_that_is_never_run_is_found() {
    assert_eq!(undeclared("tests/it/a/b.rs", "mod a;\n"), None);
    assert_eq!(undeclared("tests/it/main.rs", "mod a;\n"), None);
    assert!(undeclared("tests/it/b.rs", "mod a;\n").is_some());
}

#[test]
fn an_empty_name_is_found() {
    assert_eq!(names(&Source::of("src/service/utils.rs", "")).len(), 1);
    assert_eq!(names(&Source::of("src/utilisation.rs", "")), []);
}

#[test]
fn a_word_that_puts_work_off_is_found() {
    let word = concat!("TO", "DO");

    assert_eq!(unfinished("src/a.rs", &format!("// {word}: later\n")).len(), 1);
    assert_eq!(unfinished("src/a.rs", &format!("// {word}RO is a place\n")), []);
}
