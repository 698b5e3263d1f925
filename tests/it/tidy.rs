//! The rules of the house, asserted by reading the sources. Every rule has a name, and a test beside it that shows it
//! failing; this file applies them to the project. `ARCHITECTURE.md` and `CONTRIBUTING.md` say why they are rules.

#![cfg(test)]

mod documents;
mod imports;
mod owners;
mod packaging;
mod schema;
mod shape;
mod source;
mod sql;

use afterword::columnar::shape::{Config, Shape};
use afterword::dataset::exclusion::{FEEDBACK_REASONS, REASONS};
use afterword::domain::fields::FieldCode;
use afterword::domain::recipe::{EFFECTS, Format, Layout, Options};

use source::{Source, Violation, files_below, read};

const EVERYWHERE: &[&str] = &["src", "tests", "benches"];

/// Fails with every violation on a line of its own.
fn assert_none(violations: &[Violation]) {
    let lines: Vec<String> =
        violations.iter().map(|Violation { rule, place, detail }| format!("[{rule}] {place}: {detail}")).collect();
    assert!(lines.is_empty(), "{} violations\n{}", lines.len(), lines.join("\n"));
}

/// Applies a rule to every Rust file below the folders.
fn assert_rule(folders: &[&str], rule: impl Fn(&Source) -> Vec<Violation>) {
    let is_below = |source: &&Source| folders.iter().any(|folder| source.path.starts_with(&format!("{folder}/")));
    let sources: Vec<&Source> = Source::all().iter().filter(is_below).collect();
    assert!(sources.len() > 1, "there is nothing to check below {folders:?}");
    assert_none(&sources.into_iter().flat_map(rule).collect::<Vec<_>>());
}

/// Markdown files of the project, the top ones and those below `docs`.
fn documents() -> Vec<String> {
    let top = ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"];
    top.into_iter().map(str::to_owned).chain(files_below("docs", ".md")).collect()
}

fn migrations() -> Vec<(String, String)> {
    files_below("migrations", ".sql").into_iter().map(|path| (path.clone(), read(&path))).collect()
}

#[test]
fn modules_import_only_what_their_layer_grants() {
    let crates = imports::dependencies(&read("Cargo.toml"));
    assert!(crates.len() > 20);
    assert_rule(&["src"], |source| imports::check(source, &crates));
}

#[test]
fn files_open_with_what_they_are() {
    assert_rule(EVERYWHERE, shape::header);
}

#[test]
fn every_test_file_is_part_of_the_binary() {
    let declared = read("tests/it/main.rs");
    let paths = files_below("tests/it", ".rs");
    assert_none(&paths.iter().filter_map(|path| shape::undeclared(path, &declared)).collect::<Vec<_>>());
}

#[test]
fn files_are_short() {
    assert_rule(EVERYWHERE, shape::file_lines);
}

#[test]
fn functions_are_short() {
    assert_rule(EVERYWHERE, shape::function_lines);
}

#[test]
fn modules_have_names_that_say_something() {
    assert_rule(EVERYWHERE, shape::names);
}

#[test]
fn nothing_is_put_off() {
    let folders = [("src", ""), ("tests", ".rs"), ("benches", ""), ("migrations", ""), ("docs", ".md"), ("config", "")];
    let below = folders.into_iter().flat_map(|(folder, ending)| files_below(folder, ending));
    let top = ["Cargo.toml", "Dockerfile", "Makefile", "docker-compose.yml", "deny.toml", ".ci/run"];
    let paths = below.chain(top.into_iter().map(str::to_owned)).chain(documents());
    assert_none(&paths.flat_map(|path| shape::unfinished(&path, &read(&path))).collect::<Vec<_>>());
}

#[test]
fn time_chance_configuration_and_tasks_have_owners() {
    assert_rule(&["src"], owners::check);
}

#[test]
fn sql_stands_in_the_store() {
    assert_rule(&["src"], sql::outside_store);
}

#[test]
fn no_statement_is_put_together() {
    assert_rule(&["src/store"], sql::assembled);
}

#[test]
fn statement_files_have_a_name_and_a_use() {
    let violations: Vec<Violation> = files_below("src/store/sql", ".sql")
        .into_iter()
        .flat_map(|path| sql::files(&path, &read(&path), Source::all()))
        .collect();
    assert_none(&violations);
}

#[test]
fn the_schema_explains_itself() {
    let migrations = migrations();
    assert!(schema::tables(&migrations).len() >= 9);
    assert_none(&schema::check(&migrations));
}

#[test]
fn the_data_model_document_is_the_schema() {
    let (path, text) = ("docs/data-model.md", read("docs/data-model.md"));
    let tables = schema::tables(&migrations());
    let mut violations = documents::words("data_model", path, &text, tables.keys().map(String::as_str));
    for table in tables.values() {
        violations.extend(documents::rows("data_model", path, &text, &documents::model_rows(table)));
    }
    assert_none(&violations);
}

#[test]
fn the_data_set_document_has_every_option_with_its_default_and_where_it_has_an_effect() {
    let defaults = serde_json::to_value(Options::default()).unwrap();
    let rows: Vec<Vec<String>> = defaults
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| {
            let value = value.as_str().filter(|word| !word.is_empty()).map_or_else(|| value.to_string(), str::to_owned);
            let effect = EFFECTS.iter().find(|effect| effect.option == name).unwrap();
            let needs = if effect.needs.is_empty() { String::new() } else { format!("; needs {}", effect.needs) };
            vec![format!("`{name}`"), format!("`{value}`"), effect.of_formats() + &needs]
        })
        .collect();
    assert_none(&documents::rows("options", "docs/data-sets.md", &read("docs/data-sets.md"), &rows));
}

#[test]
fn the_data_set_document_has_every_reason_to_leave_something_out() {
    let rows: Vec<Vec<String>> = REASONS
        .iter()
        .chain(FEEDBACK_REASONS)
        .map(|(reason, sentence)| vec![format!("`{reason}`"), (*sentence).to_owned()])
        .collect();
    assert_none(&documents::rows("exclusions", "docs/data-sets.md", &read("docs/data-sets.md"), &rows));
}

#[test]
fn the_data_set_document_has_every_config_and_column() {
    let configs = Format::WORDS.iter().flat_map(|(_, format)| Config::of(*format)).chain([&Config::Ties]);
    let shapes = configs.flat_map(|config| {
        let has_margin = *config == Config::Reward;
        let shape = |layout| Shape { config: *config, layout, has_tools: false, has_margin, has_comments: true };
        let plain = Layout::WORDS.iter().map(|(_, layout)| shape(*layout)).collect::<Vec<_>>();
        plain.into_iter().chain([shape(Layout::Trl).with_tools(true)])
    });
    let words: Vec<&str> =
        shapes.flat_map(|shape| shape.columns().into_iter().map(|column| column.name).chain([shape.name()])).collect();
    assert_none(&documents::words("columns", "docs/data-sets.md", &read("docs/data-sets.md"), words));
}

#[test]
fn links_lead_somewhere() {
    let exists = |path: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists();
    let headings = |path: &str| documents::anchors(&read(path));
    let violations: Vec<Violation> =
        documents().into_iter().flat_map(|path| documents::links(&path, &read(&path), exists, headings)).collect();
    assert_none(&violations);
}

#[test]
fn decisions_have_their_form() {
    let paths = files_below("docs/adr", ".md");
    assert!(paths.len() > 5);
    assert_none(&paths.iter().flat_map(|path| documents::decision(path, &read(path))).collect::<Vec<_>>());
}

#[test]
fn the_architecture_document_is_short_and_maps_every_module() {
    let text = read("ARCHITECTURE.md");
    assert!(text.lines().count() <= 200, "ARCHITECTURE.md has {} lines", text.lines().count());
    let modules = read("src/lib.rs");
    let modules = modules.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    assert_none(&documents::words("code_map", "ARCHITECTURE.md", &text, modules));
    let layers = imports::LAYERS.iter().map(|layer| layer.module).filter(|module| *module != "lib");
    assert_none(&documents::words("code_map", "ARCHITECTURE.md", &text, layers));
}

#[test]
fn error_codes_are_documented() {
    let problems = read("src/http/problem.rs");
    let problems = documents::problem_codes(&problems);
    assert!(problems.len() > 20, "the table of problems is read no more");
    let codes = FieldCode::ALL.iter().map(|code| code.as_str()).chain(problems);
    assert_none(&documents::words("error_codes", "docs/api.md", &read("docs/api.md"), codes));
}

#[test]
fn configuration_keys_are_documented() {
    let text = read("config/default.toml");
    let mut violations = documents::undocumented_keys("config/default.toml", &text);
    let rows: Vec<Vec<String>> = documents::config_keys(&text)
        .into_iter()
        .map(|key| vec![format!("`{}`", key.name), format!("`{}`", key.default)])
        .collect();
    assert!(!rows.is_empty());
    violations.extend(documents::rows("config_keys", "docs/operations.md", &read("docs/operations.md"), &rows));
    assert_none(&violations);
}

#[test]
fn the_composition_and_the_image_open_no_doors() {
    let mut violations = packaging::compose("docker-compose.yml", &read("docker-compose.yml"));
    violations.extend(packaging::dockerfile("Dockerfile", &read("Dockerfile")));
    assert_none(&violations);
}
