//! SQL stands in `store`, and no text is ever put together into a statement.

use super::source::{Source, Violation, end_of_item, numbered};

/// Statements that are put together out of parts, each with why nothing can be injected into it. Nothing else may.
const ASSEMBLED: &[(&str, &str, &str)] = &[
    (
        "src/store/connection.rs",
        "begin_as",
        "a constant, and ids whose form leaves only hexadecimal digits and letters",
    ),
    ("src/store/connection.rs", "begin", "the same, on a connection that its writer keeps"),
    ("src/store/migrations.rs", "grant_service_role", "Postgres itself quotes the name, with format('%I')"),
];

/// Files outside `store` that may hold a statement, each with its reason.
const EXCEPTIONS: &[(&str, &str)] =
    &[("src/postgres/server.rs", "a new cluster gets its database and its login before anything could connect to it")];

/// Finds the driver, and texts that read like statements, outside `store`.
pub(super) fn outside_store(source: &Source) -> Vec<Violation> {
    if source.module().is_none_or(|module| module == "store") {
        return Vec::new();
    }
    let mut violations = Vec::new();
    for (line, _) in numbered(&source.shipped).filter(|(_, code)| code.contains("sqlx")) {
        violations.push(source.violation("sql_outside_store", line, "`sqlx` is known to `store` only"));
    }
    let may_hold_one = EXCEPTIONS.iter().any(|(path, _)| *path == source.path);
    for text in source.texts.iter().filter(|text| text.ships && !may_hold_one && reads_like_sql(&text.content)) {
        violations.push(source.violation("sql_outside_store", text.line, "a statement stands outside `store`"));
    }
    violations
}

/// Tells a statement from a sentence: by its first word, and by another one that would be odd in a sentence.
fn reads_like_sql(text: &str) -> bool {
    let statement: Vec<&str> = text.lines().map(str::trim).skip_while(|line| line.starts_with("--")).collect();
    let statement = statement.join(" ").to_lowercase();
    let words: Vec<&str> = statement.split_whitespace().collect();
    let has = |word: &str| words.contains(&word);
    match words.first() {
        Some(&"select") => has("from") || words.get(1).is_some_and(|word| word.contains('(') || *word == "1"),
        Some(&"insert") => words.get(1) == Some(&"into"),
        Some(&"delete") => words.get(1) == Some(&"from") && (words.len() == 3 || has("where")),
        Some(&"update") => words.get(2) == Some(&"set"),
        Some(&"with") => statement.contains(" as ("),
        Some(&("create" | "drop" | "alter")) => {
            words.get(1).is_some_and(|word| ["table", "role", "index", "policy", "schema"].contains(word))
                && !statement.contains('`')
        }
        _ => false,
    }
}

/// Finds statements that are put together out of parts inside `store`, other than those on the list.
pub(super) fn assembled(source: &Source) -> Vec<Violation> {
    const RULE: &str = "assembled_sql";
    if source.module() != Some("store") {
        return Vec::new();
    }
    let mut violations = Vec::new();
    for (line, code) in numbered(&source.shipped) {
        if code.contains("QueryBuilder") {
            violations.push(source.violation(RULE, line, "statements are constants; values are bound"));
        }
    }
    for (name, line, body) in functions(source) {
        let is_listed = ASSEMBLED.iter().any(|(path, function, _)| *path == source.path && *function == name);
        let queries =
            ["sqlx::query", "query_as(", "query_scalar(", "raw_sql("].iter().any(|needle| body.contains(needle));
        let puts_together = body.contains("AssertSqlSafe(") || (queries && body.contains("format!("));
        if puts_together && !is_listed {
            let detail = format!("`{name}` puts a statement together; bind the value instead");
            violations.push(source.violation(RULE, line, detail));
        }
    }
    violations
}

/// Every function with its name, its line and its code.
fn functions(source: &Source) -> Vec<(String, usize, String)> {
    let code: Vec<char> = source.shipped.chars().collect();
    let text = &source.shipped;
    text.match_indices("fn ")
        .filter(|(at, _)| text[..*at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_'))
        .map(|(at, _)| {
            let start = text[..at].chars().count();
            let name: String = code[start + 3..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').collect();
            let line = 1 + text[..at].matches('\n').count();
            (name, line, code[start..end_of_item(&code, start)].iter().collect())
        })
        .collect()
}

/// A statement in a file of its own says whose it is, and is used.
pub(super) fn files(path: &str, text: &str, sources: &[Source]) -> Vec<Violation> {
    let violation = |detail: &str| Violation { rule: "sql_file", place: path.to_owned(), detail: detail.to_owned() };
    let mut violations = Vec::new();
    if !text.starts_with("-- store::") {
        violations.push(violation("its first line names its function: `-- store::module::function`"));
    }
    let name = path.trim_start_matches("src/store/");
    if !sources.iter().any(|source| source.texts.iter().any(|literal| literal.content == name)) {
        violations.push(violation("nothing includes it"));
    }
    violations
}

#[test]
fn sql_outside_the_store_is_found_and_sentences_are_not() {
    for statement in [
        "select a from b",
        "select pg_backend_pid()",
        "-- name\\n\n insert into a (b) values ($1)",
        "update a set b = 1",
        "delete from a where b",
        "with a as (select 1) table a",
        "create role a",
    ] {
        let code = format!("fn f() {{ g(\"{statement}\"); }}");
        assert_eq!(outside_store(&Source::of("src/service/a.rs", &code)).len(), 1, "{statement}");
        assert_eq!(outside_store(&Source::of("src/store/a.rs", &code)), [], "{statement}");
    }
    for sentence in ["select a model to compare with", "update the schema first", "with no data there is no verdict"] {
        assert_eq!(outside_store(&Source::of("src/cli/a.rs", &format!("fn f() {{ g(\"{sentence}\"); }}"))), []);
    }
    assert_eq!(outside_store(&Source::of("src/http/a.rs", "use sqlx::Row;")).len(), 1);
}

#[test]
fn a_statement_that_is_put_together_is_found() {
    let bad = "async fn find(id: &str) { sqlx::query(AssertSqlSafe(format!(\"select '{id}'\"))); }";
    let worse = "async fn find(id: &str) { let s = format!(\"select '{id}'\"); sqlx::query(s); }";
    let good = "async fn find(id: &str) { sqlx::query(\"select $1\").bind(id); }\nfn g() { format!(\"a\"); }";

    assert_eq!(assembled(&Source::of("src/store/a.rs", bad)).len(), 1);
    assert_eq!(assembled(&Source::of("src/store/a.rs", worse)).len(), 1);
    assert_eq!(assembled(&Source::of("src/store/a.rs", "use sqlx::QueryBuilder;")).len(), 1);
    assert_eq!(assembled(&Source::of("src/store/a.rs", good)), []);
    assert_eq!(assembled(&Source::of("src/store/connection.rs", &bad.replace("find", "begin_as"))), []);
}

#[test]
fn a_nameless_or_unused_statement_file_is_found() {
    let used = [Source::of("src/store/a.rs", "fn f() { g(include_str!(\"sql/a.sql\")); }")];

    assert_eq!(files("src/store/sql/a.sql", "-- store::a::f\nselect 1\n", &used), []);
    assert_eq!(files("src/store/sql/a.sql", "select 1\n", &used).len(), 1);
    assert_eq!(files("src/store/sql/b.sql", "-- store::a::f\nselect 1\n", &used).len(), 1);
}
