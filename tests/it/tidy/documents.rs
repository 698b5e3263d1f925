//! Documents hold what they promise: links lead somewhere, tables say what the code does, decisions have their form.

use super::schema::Table;
use super::source::{Violation, numbered};

/// Finds links that lead nowhere. `exists` tells whether a path of the project exists, `headings` gives the anchors of
/// a Markdown file.
pub(super) fn links(
    path: &str,
    text: &str,
    exists: impl Fn(&str) -> bool,
    headings: impl Fn(&str) -> Vec<String>,
) -> Vec<Violation> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut violations = Vec::new();
    for (line, target) in targets(text) {
        let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
        let file = if file.is_empty() { path.to_owned() } else { join(folder, file) };
        if !exists(&file) {
            let detail = format!("`{target}` does not exist");
            violations.push(Violation { rule: "doc_links", place: format!("{path}:{line}"), detail });
        } else if !anchor.is_empty() && !headings(&file).iter().any(|heading| heading == anchor) {
            let detail = format!("`{file}` has no heading `#{anchor}`");
            violations.push(Violation { rule: "doc_links", place: format!("{path}:{line}"), detail });
        }
    }
    violations
}

/// The anchors of a Markdown text's headings, as they are made on the usual forges.
pub(super) fn anchors(text: &str) -> Vec<String> {
    let headings = outside_fences(text).filter(|(_, line)| line.starts_with('#')).map(|(_, line)| line);
    headings
        .map(|heading| {
            let title = heading.trim_start_matches('#').trim().to_lowercase();
            title
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

/// Link targets inside the project, with their lines.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, content) in outside_fences(text).filter(|(_, line)| !line.starts_with("<!--")) {
        // What stands between backticks is code.
        let prose: String = content.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for (at, _) in prose.match_indices("](") {
            let target = prose[at + 2..].split(')').next().unwrap_or_default();
            let target = target.split(" \"").next().unwrap_or_default();
            if !target.contains("://") && !target.starts_with("mailto:") {
                found.push((line, target.to_owned()));
            }
        }
    }
    found
}

fn outside_fences(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    numbered(text).filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        !fenced && !is_fence
    })
}

fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// A decision record: at most 60 lines, five parts in order, numbered invariants, and a name that begins with its
/// number.
pub(super) fn decision(path: &str, text: &str) -> Vec<Violation> {
    const MAX_LINES: usize = 60;
    const PARTS: [&str; 5] = ["Status: ", "## Context", "## Decision", "## Invariants", "## Consequences"];
    let mut violations = Vec::new();
    let mut fail = |detail: String| violations.push(Violation { rule: "adr", place: path.to_owned(), detail });
    let n_lines = text.lines().count();
    if n_lines > MAX_LINES {
        fail(format!("{n_lines} lines, {MAX_LINES} are allowed"));
    }
    let places: Vec<Option<usize>> =
        PARTS.iter().map(|part| text.lines().position(|line| line.starts_with(part))).collect();
    if places.iter().any(Option::is_none) || !places.is_sorted() {
        fail(format!("needs, in this order: {}", PARTS.join(", ")));
    }
    let number = path.rsplit('/').next().unwrap_or_default().get(..4).unwrap_or_default();
    let titled = text.starts_with(&format!("# {number}. "));
    if !titled || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        fail(format!("must be titled `# {number}. …`, the number of its file name"));
    }
    let invariants = text.split_once("## Invariants").map_or("", |(_, rest)| rest);
    let invariants = invariants.split("\n## ").next().unwrap_or_default();
    if !invariants.lines().any(|line| line.starts_with("- **") && line.contains('-')) {
        fail("names no invariant: `- **NAME-1** …`".to_owned());
    }
    violations
}

/// Words that a document must hold between backticks, such as codes and reasons.
pub(super) fn words<'a>(
    rule: &'static str,
    path: &str,
    text: &str,
    words: impl IntoIterator<Item = &'a str>,
) -> Vec<Violation> {
    words
        .into_iter()
        .filter(|word| !text.contains(&format!("`{word}`")))
        .map(|word| Violation { rule, place: path.to_owned(), detail: format!("does not document `{word}`") })
        .collect()
}

/// Rows that a document's tables must begin with, such as an option with its default.
pub(super) fn rows(rule: &'static str, path: &str, text: &str, rows: &[Vec<String>]) -> Vec<Violation> {
    rows.iter()
        .map(|cells| format!("| {} |", cells.join(" | ")))
        .filter(|row| !text.lines().any(|line| line.starts_with(row.as_str())))
        .map(|row| Violation { rule, place: path.to_owned(), detail: format!("has no row `{row}`") })
        .collect()
}

/// What `docs/data-model.md` says of a table: one row for each column.
pub(super) fn model_rows(table: &Table) -> Vec<Vec<String>> {
    table
        .columns
        .iter()
        .map(|(name, kind, comment)| {
            vec![format!("`{name}`"), kind.clone(), comment.clone().unwrap_or_default().replace('|', "\\|")]
        })
        .collect()
}

/// A key of the default configuration.
pub(super) struct ConfigKey {
    line: usize,
    /// With its section, as `section.key`.
    pub(super) name: String,
    /// As it stands there.
    pub(super) default: String,
    /// Whether a comment stands right above it.
    commented: bool,
}

/// Keys of the default configuration, in their order.
pub(super) fn config_keys(text: &str) -> Vec<ConfigKey> {
    let (mut section, mut commented, mut keys) = (String::new(), false, Vec::new());
    for (line, content) in numbered(text) {
        let content = content.trim();
        if let Some(name) = content.strip_prefix('[') {
            section = format!("{}.", name.trim_end_matches(']'));
        } else if !content.starts_with('#')
            && let Some((key, default)) = content.split_once('=')
        {
            let (name, default) = (format!("{section}{}", key.trim()), default.trim().to_owned());
            keys.push(ConfigKey { line, name, default, commented });
        }
        commented = content.starts_with('#');
    }
    keys
}

/// Finds configuration keys without a comment above them.
pub(super) fn undocumented_keys(path: &str, text: &str) -> Vec<Violation> {
    config_keys(text)
        .into_iter()
        .filter(|key| !key.commented)
        .map(|key| Violation {
            rule: "config_comment",
            place: format!("{path}:{}", key.line),
            detail: format!("`{}` has no comment above it", key.name),
        })
        .collect()
}

/// Codes of the table of problems: `NAME = "code" 404 "…"`.
pub(super) fn problem_codes(source: &str) -> Vec<&str> {
    let code = |line: &'_ str| -> Option<(usize, usize)> {
        let start = line.find(" = \"")? + 4;
        let end = start + line[start..].find('"')?;
        let status = line[end + 1..].split_whitespace().next()?;
        (status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit())).then_some((start, end))
    };
    source.lines().filter_map(|line| code(line).map(|(start, end)| &line[start..end])).collect()
}

#[test]
fn the_codes_of_a_table_are_read() {
    let table = "    A = \"not_found\" 404 \"Not found\", \"x\";\n    const B: &str = \"other\";\n";

    assert_eq!(problem_codes(table), ["not_found"]);
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let text = "# One\n[a](docs/b.md) [c](docs/b.md#two--three) [d](#one) [e](https://example.org/x)\n`[f](no.md)`\n\
                ```\n[g](no.md)\n```\n";
    let check = |text: &str| {
        let headings = |file: &str| if file == "docs/b.md" { anchors("## Two & three\n") } else { anchors(text) };
        links("README.md", text, |file| ["docs/b.md", "README.md"].contains(&file), headings)
    };

    assert_eq!(check(text), []);
    assert_eq!(check(&text.replace("(docs/b.md)", "(docs/missing.md)")).len(), 1);
    assert_eq!(check(&text.replace("#two--three", "#four")).len(), 1);
    assert_eq!(check(&text.replace("#one", "#zero")).len(), 1);
    assert_eq!(join("docs/adr", "../api.md"), "docs/api.md");
}

#[test]
fn a_decision_without_its_form_is_found() {
    let good = "# 0001. A title\n\nStatus: accepted\n\n## Context\nC.\n\n## Decision\nD.\n\n## Invariants\n- **A-1** I.\n\
                \n## Consequences\nE.\n";
    let check = |text: &str| decision("docs/adr/0001-a-title.md", text).len();

    assert_eq!(check(good), 0);
    assert_eq!(check(&good.replace("## Context", "## Text")), 1);
    assert_eq!(check(&good.replace("# 0001.", "# 0002.")), 1);
    assert_eq!(check(&good.replace("- **A-1** I.", "None.")), 1);
    assert_eq!(check(&format!("{good}{}", "more\n".repeat(60))), 1);
}

#[test]
fn what_a_document_leaves_out_is_found() {
    assert_eq!(words("r", "a.md", "The code `conflict`.", ["conflict"]), []);
    assert_eq!(words("r", "a.md", "The code conflict.", ["conflict"]).len(), 1);
    let row = [vec!["`a`".to_owned(), "`1`".to_owned()]];
    assert_eq!(rows("r", "a.md", "| `a` | `1` | why |\n", &row), []);
    assert_eq!(rows("r", "a.md", "| `a` | `2` | why |\n", &row).len(), 1);
}

#[test]
fn a_configuration_key_without_a_comment_is_found() {
    let text = "# What it is.\na = 1\n\n[b]\n# What it is.\nc = 2\nd = 3\n";

    let found = undocumented_keys("config/default.toml", text);

    assert_eq!(found.len(), 1);
    assert_eq!(found[0].detail, "`b.d` has no comment above it");
    let keys: Vec<String> = config_keys(text).into_iter().map(|key| format!("{} {}", key.name, key.default)).collect();
    assert_eq!(keys, ["a 1", "b.c 2", "b.d 3"]);
}
