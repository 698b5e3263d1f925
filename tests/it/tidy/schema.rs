//! Migrations as prose: every table and column is commented, every constraint named, every tenant table walled.

use std::collections::BTreeMap;

use super::source::{Violation, find_word};

/// A table as the migrations leave it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// What it says of itself.
    pub(super) comment: Option<String>,
    /// Its columns in order: name, type as declared, and what it says of itself.
    pub(super) columns: Vec<(String, String, Option<String>)>,
    unnamed_constraints: usize,
    enables_rls: bool,
    forces_rls: bool,
    n_policies: usize,
}

/// Reads every table out of the migrations, in the order in which they are applied.
pub(super) fn tables(migrations: &[(String, String)]) -> BTreeMap<String, Table> {
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for statement in migrations.iter().flat_map(|(_, text)| statements(text)) {
        let words: Vec<&str> = statement.split_whitespace().collect();
        match words[..] {
            ["create", "table", name, ..] => {
                let table = tables.entry(name.to_owned()).or_default();
                for line in body(&statement) {
                    add_line(table, line);
                }
            }
            ["alter", "table", name, "add", "column", ..] => {
                let table = tables.entry(name.to_owned()).or_default();
                add_line(table, statement.split_once("add column").map_or("", |(_, line)| line).trim());
            }
            ["alter", "table", name, "enable", "row", ..] => {
                tables.entry(name.to_owned()).or_default().enables_rls = true;
            }
            ["alter", "table", name, "force", "row", ..] => {
                tables.entry(name.to_owned()).or_default().forces_rls = true;
            }
            ["create", "policy", _, "on", name, ..] => tables.entry(name.to_owned()).or_default().n_policies += 1,
            ["comment", "on", "table", name, ..] => {
                tables.entry(name.to_owned()).or_default().comment = comment(&statement);
            }
            ["comment", "on", "column", name, ..] => {
                let (table, column) = name.split_once('.').unwrap_or((name, ""));
                let table = tables.entry(table.to_owned()).or_default();
                if let Some(found) = table.columns.iter_mut().find(|(name, ..)| name == column) {
                    found.2 = comment(&statement);
                }
            }
            _ => {}
        }
    }
    tables
}

/// Finds tables and columns without a comment, constraints without a name, and tenant tables without their wall.
pub(super) fn check(migrations: &[(String, String)]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut fail = |rule, place: &str, detail: String| {
        violations.push(Violation { rule, place: place.to_owned(), detail });
    };
    for (number, (path, _)) in migrations.iter().enumerate() {
        let name = path.rsplit('/').next().unwrap_or_default();
        if !name.starts_with(&format!("{:04}_", number + 1)) {
            fail("migration_name", path, format!("is number {}, named NNNN_name.sql without gaps", number + 1));
        }
    }
    for (name, table) in tables(migrations) {
        if table.comment.is_none() {
            fail("table_comment", &name, "has no comment".to_owned());
        }
        for (column, _, comment) in &table.columns {
            if comment.is_none() {
                fail("column_comment", &format!("{name}.{column}"), "has no comment".to_owned());
            }
        }
        if table.unnamed_constraints > 0 {
            fail("constraint_name", &name, format!("has {} constraints without a name", table.unnamed_constraints));
        }
        let is_tenants = table.columns.iter().any(|(column, ..)| column == "project_id");
        if is_tenants && !(table.enables_rls && table.forces_rls && table.n_policies > 0) {
            fail("row_level_security", &name, "must enable and force it, and have a policy (TEN-1)".to_owned());
        }
    }
    violations
}

/// Splits at semicolons outside of texts; comments are left out, `do $$ … $$` is one statement.
fn statements(text: &str) -> Vec<String> {
    let text: String =
        text.lines().filter(|line| !line.trim_start().starts_with("--")).fold(String::new(), |mut text, line| {
            text.push_str(line);
            text.push('\n');
            text
        });
    let (mut statements, mut current, mut quoted, mut dollar) = (Vec::new(), String::new(), false, false);
    let mut before = ' ';
    for character in text.chars() {
        match character {
            '\'' if !dollar => quoted = !quoted,
            '$' if before == '$' && !quoted => dollar = !dollar,
            _ => {}
        }
        before = character;
        if character == ';' && !quoted && !dollar {
            statements.push(std::mem::take(&mut current).trim().to_owned());
        } else {
            current.push(character);
        }
    }
    statements
}

/// The entries between the outermost parentheses, split at commas outside of inner ones.
fn body(statement: &str) -> Vec<&str> {
    let (Some(open), Some(close)) = (statement.find('('), statement.rfind(')')) else { return Vec::new() };
    let inner = &statement[open + 1..close];
    let (mut entries, mut depth, mut start) = (Vec::new(), 0_i32, 0);
    for (at, character) in inner.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                entries.push(inner[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    entries.push(inner[start..].trim());
    entries
}

fn add_line(table: &mut Table, line: &str) {
    let mut words = line.split_whitespace();
    let first = words.next().unwrap_or_default();
    match first {
        "constraint" => {}
        "primary" | "unique" | "check" | "foreign" => table.unnamed_constraints += 1,
        column => {
            let rest: Vec<&str> = words.collect();
            let rest = rest.join(" ");
            let inline =
                ["references", "check", "unique", "primary"].iter().any(|word| find_word(&rest, word).is_some());
            table.unnamed_constraints += usize::from(inline && !rest.contains("constraint"));
            let kind = rest.split(" not null").next().unwrap_or_default().to_owned();
            table.columns.push((column.to_owned(), kind, None));
        }
    }
}

fn comment(statement: &str) -> Option<String> {
    let (_, text) = statement.split_once(" is ")?;
    let text = text.trim().strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'");
    (!text.trim().is_empty()).then_some(text)
}

#[test]
fn a_table_without_comments_names_or_walls_is_found() {
    let good = "-- Why.\ncreate table a (\n  project_id uuid not null,\n  n numeric(3, 1),\n  constraint a_pkey primary key \
                (project_id, n)\n);\ncomment on table a is 'It; isn''t b.';\ncomment on column a.project_id is 'P.';\n\
                comment on column a.n is 'N.';\nalter table a enable row level security;\n\
                alter table a force row level security;\ncreate policy p on a using (true);\n";
    let check = |text: &str| -> Vec<&str> {
        let found = check(&[("migrations/0001_a.sql".to_owned(), text.to_owned())]);
        found.iter().map(|violation| violation.rule).collect()
    };

    assert_eq!(check(good), [""; 0]);
    assert_eq!(check(&good.replace("comment on table a", "comment on table b")).first(), Some(&"table_comment"));
    assert_eq!(check(&good.replace("comment on column a.n is 'N.';", "")), ["column_comment"]);
    assert_eq!(check(&good.replace("'N.'", "''")), ["column_comment"]);
    assert_eq!(check(&good.replace("constraint a_pkey primary", "primary")), ["constraint_name"]);
    assert_eq!(check(&good.replace("n numeric(3, 1)", "n text check (n > 1)")), ["constraint_name"]);
    assert_eq!(check(&good.replace(" force ", " no force ")), ["row_level_security"]);
    assert_eq!(check(&format!("{good}alter table a add column m text;")), ["column_comment"]);
    let misnamed = [("migrations/0002_a.sql".to_owned(), String::new())];
    assert_eq!(super::schema::check(&misnamed)[0].rule, "migration_name");
}
