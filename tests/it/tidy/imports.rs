//! Who may import whom: the layers, as a table.

use super::source::{Source, Violation, numbered};

/// What one module may use.
pub(super) struct Layer {
    /// The module, right below the crate.
    pub(super) module: &'static str,
    /// Modules of ours that it may name.
    ours: &'static [&'static str],
    /// Crates that it may name.
    crates: Crates,
}

enum Crates {
    /// These and no others: the pure modules and the owners of one technology.
    Only(&'static [&'static str]),
    /// All but these: the modules that put things together.
    AllBut(&'static [&'static str]),
}

/// Crates that compute and do nothing else.
const PURE: &[&str] = &[
    "base64",
    "blake3",
    "chrono",
    "hex",
    "serde",
    "serde_json",
    "sha2",
    "strsim",
    "thiserror",
    "toml",
    "unicode_normalization",
    "uuid",
];

/// The table. Dependencies point downwards only.
pub(super) const LAYERS: &[Layer] = &[
    Layer { module: "stats", ours: &[], crates: Crates::Only(&["statrs"]) },
    Layer { module: "domain", ours: &[], crates: Crates::Only(PURE) },
    Layer { module: "dataset", ours: &["domain"], crates: Crates::Only(&["aho_corasick", "hmac", "sha2"]) },
    Layer { module: "engine", ours: &["domain"], crates: Crates::Only(&[]) },
    Layer { module: "foreign", ours: &["domain"], crates: Crates::Only(&["prost"]) },
    Layer { module: "report", ours: &["domain", "stats"], crates: Crates::Only(&[]) },
    Layer { module: "columnar", ours: &["domain", "dataset"], crates: Crates::Only(&["arrow", "bytes", "parquet"]) },
    Layer { module: "store", ours: &["domain"], crates: Crates::Only(&["futures_util", "sqlx", "tracing"]) },
    Layer {
        module: "blob",
        ours: &["domain"],
        crates: Crates::Only(&["bytes", "futures_util", "object_store", "reqwest", "tokio"]),
    },
    Layer { module: "hook", ours: &["domain"], crates: Crates::Only(&["reqwest"]) },
    Layer { module: "scrape", ours: &[], crates: Crates::Only(&["reqwest"]) },
    Layer {
        module: "service",
        ours: &["blob", "columnar", "dataset", "domain", "engine", "hook", "report", "scrape", "stats", "store"],
        crates: Crates::AllBut(&[
            "actix_web",
            "anyhow",
            "arrow",
            "clap",
            "comfy_table",
            "indicatif",
            "object_store",
            "reqwest",
            "sqlx",
        ]),
    },
    Layer {
        module: "worker",
        ours: &["config", "domain", "report", "service"],
        crates: Crates::AllBut(&["actix_web", "anyhow", "arrow", "clap", "object_store", "parquet", "sqlx"]),
    },
    Layer {
        module: "http",
        ours: &["config", "domain", "engine", "foreign", "report", "service"],
        crates: Crates::AllBut(&["anyhow", "arrow", "clap", "object_store", "parquet", "sqlx"]),
    },
    Layer {
        module: "cli",
        ours: &[
            "config",
            "domain",
            "engine",
            "foreign",
            "http",
            "postgres",
            "report",
            "service",
            "telemetry",
            "worker",
        ],
        crates: Crates::AllBut(&["arrow", "object_store", "parquet", "sqlx"]),
    },
    Layer {
        module: "postgres",
        ours: &["config"],
        crates: Crates::AllBut(&["actix_web", "anyhow", "arrow", "clap", "object_store", "parquet", "sqlx"]),
    },
    Layer {
        module: "config",
        ours: &["domain", "engine", "foreign"],
        crates: Crates::Only(&["secrecy", "tracing_subscriber"]),
    },
    Layer { module: "telemetry", ours: &["config"], crates: Crates::Only(&["tracing", "tracing_subscriber"]) },
    Layer { module: "main", ours: &["cli", "config", "telemetry"], crates: Crates::Only(&["anyhow", "clap", "tokio"]) },
    Layer { module: "lib", ours: &[], crates: Crates::Only(&["mimalloc"]) },
];

/// Files that may name more than their module, each with its reason.
pub(super) const EXCEPTIONS: &[(&str, &[&str], &str)] = &[];

/// Names the rule.
pub(super) const RULE: &str = "imports";

/// Finds every use of a module or crate that the table does not grant; `crates` are the names of all dependencies.
pub(super) fn check(source: &Source, crates: &[String]) -> Vec<Violation> {
    let Some(module) = source.module() else { return Vec::new() };
    let Some(layer) = LAYERS.iter().find(|layer| layer.module == module) else {
        return vec![source.violation(RULE, 1, format!("`{module}` is not in the table of layers"))];
    };
    let granted = EXCEPTIONS.iter().find(|(path, ..)| *path == source.path).map_or(&[][..], |(_, names, _)| names);
    let mut violations = Vec::new();
    for (line, name) in modules_named(source) {
        if name != module && !layer.ours.contains(&name.as_str()) && !granted.contains(&name.as_str()) {
            violations.push(source.violation(RULE, line, format!("`{module}` must not know `crate::{name}`")));
        }
    }
    for (line, name) in crates_named(source, crates) {
        let allowed = match layer.crates {
            Crates::Only(names) => {
                names.contains(&name.as_str()) || (PURE.contains(&name.as_str()) && module != "stats")
            }
            Crates::AllBut(names) => !names.contains(&name.as_str()),
        };
        if !allowed && !granted.contains(&name.as_str()) {
            violations.push(source.violation(RULE, line, format!("`{module}` must not know the crate `{name}`")));
        }
    }
    violations
}

/// Names of the dependencies in a `Cargo.toml`, as code writes them.
pub(super) fn dependencies(cargo_toml: &str) -> Vec<String> {
    let mut in_dependencies = false;
    let mut names = Vec::new();
    for line in cargo_toml.lines() {
        if line.starts_with('[') {
            in_dependencies = line.contains("dependencies");
        } else if in_dependencies
            && let Some((name, _)) = line.split_once('=')
            && !name.starts_with('#')
        {
            names.push(name.trim().replace('-', "_"));
        }
    }
    names
}

/// Modules of the crate's root that the code names: by `crate::`, by the crate's own name, or by enough `super::`.
fn modules_named(source: &Source) -> Vec<(usize, String)> {
    let depth = module_depth(&source.path);
    let to_root = format!("{}::", vec!["super"; depth].join("::"));
    let mut prefixes = vec!["crate::", "afterword::"];
    if depth > 0 {
        prefixes.push(&to_root);
    }
    let mut found = Vec::new();
    for prefix in prefixes {
        for (at, _) in source.shipped.match_indices(prefix) {
            let before = source.shipped[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let line = 1 + source.shipped[..at].matches('\n').count();
            let rest = &source.shipped[at + prefix.len()..];
            found.extend(heads(rest).into_iter().map(|name| (line, name)));
        }
    }
    found
}

/// The first names of a path, or of every path of a group in braces.
fn heads(rest: &str) -> Vec<String> {
    let word = |text: &str| -> String { text.trim_start().chars().take_while(|c| is_word(*c)).collect() };
    let Some(group) = rest.strip_prefix('{') else { return vec![word(rest)] };
    let (mut depth, mut names, mut start) = (0_usize, Vec::new(), 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(word(&group[start..at]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(word(&group[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// How many `super::` lead from a file's module to the crate's root.
fn module_depth(path: &str) -> usize {
    let below = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    if below == "lib" || below == "main" { 0 } else { below.split('/').count() }
}

/// Dependencies that the code names at the head of a path.
fn crates_named(source: &Source, crates: &[String]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, code) in numbered(&source.shipped) {
        for name in crates {
            let is_head = code.match_indices(name.as_str()).any(|(at, _)| {
                let before = code[..at].chars().next_back();
                let after = code[at + name.len()..].trim_start();
                let is_import = code[..at].trim_end().ends_with("use") && (after.is_empty() || after.starts_with(';'));
                !before.is_some_and(|c| is_word(c) || c == ':' || c == '.') && (after.starts_with("::") || is_import)
            });
            if is_head {
                found.push((line, name.clone()));
            }
        }
    }
    found
}

#[test]
fn a_forbidden_import_is_found_however_it_is_written() {
    let crates = dependencies("[dependencies]\nsqlx = \"1\"\nactix-web = \"4\"\nserde = \"1\"\nstatrs = \"1\"\n");
    for (path, text, n_found) in [
        ("src/domain/ids.rs", "use crate::store::Store;", 1),
        ("src/domain/ids.rs", "use super::super::store::Store;", 1),
        ("src/domain/ids.rs", "use crate::{hash, store::{keys, jobs}, http};", 3),
        ("src/domain/ids.rs", "fn f() -> afterword::store::Store {}", 1),
        ("src/domain/ids.rs", "use crate::domain::hash; use super::fields; use serde::Serialize;", 0),
        ("src/domain/ids.rs", "// crate::store\n#[cfg(test)]\nmod tests { use crate::store; }", 0),
        ("src/service/ingest.rs", "async fn f() { sqlx::query(\"x\"); }", 1),
        ("src/service/ingest.rs", "use actix_web::web;\nuse crate::cli::serve;", 2),
        ("src/stats/ratio.rs", "use serde::Serialize; use statrs::function;", 1),
        ("src/store/keys.rs", "use crate::service::App; use sqlx::Row;", 1),
        ("src/novel/mod.rs", "fn f() {}", 1),
    ] {
        let found = check(&Source::of(path, text), &crates);

        assert_eq!(found.len(), n_found, "{path}: {text}\n{found:?}");
        assert!(found.iter().all(|violation| violation.rule == RULE));
    }
}
