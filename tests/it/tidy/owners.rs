//! Time, chance, configuration, tasks and giving up: each has one owner, and everybody else is given what they need.

use super::source::{Source, Violation, numbered};

/// What only its owners may write.
struct Owned {
    /// Name of the rule.
    rule: &'static str,
    /// What the code must not say.
    needles: &'static [&'static str],
    /// Files that may.
    owners: &'static [&'static str],
    /// What everybody else does instead.
    instead: &'static str,
}

const OWNED: &[Owned] = &[
    Owned {
        rule: "clock",
        needles: &["Utc::now", "Local::now", "SystemTime::now"],
        owners: &["src/domain/clock.rs"],
        instead: "ask the `Clock` that you were given",
    },
    Owned {
        rule: "ids",
        needles: &["Uuid::new_v", "Uuid::now_v"],
        owners: &["src/service/ids.rs"],
        instead: "ids are made in `service::ids`",
    },
    Owned {
        rule: "chance",
        needles: &["OsRng", "thread_rng", "rand::rng(", "from_os_rng", "from_entropy", "rand::random", "getrandom"],
        // The private Postgres makes the passwords of its own two roles, before there is a service.
        owners: &["src/service/chance.rs", "src/postgres/place.rs"],
        instead: "secrets are made in `service::chance`; a simulation takes a seed",
    },
    Owned {
        rule: "environment",
        needles: &["env::var"],
        owners: &["src/config/mod.rs"],
        instead: "configuration is read once, in `config`",
    },
    Owned {
        rule: "tasks",
        needles: &["tokio::spawn", "task::spawn(", "rt::spawn(", "spawn_local("],
        owners: &["src/service/detached.rs"],
        instead: "a task has an owner: `service::detached`",
    },
    Owned {
        rule: "giving_up",
        needles: &[
            ".unwrap()",
            ".expect(",
            ".unwrap_err()",
            ".expect_err(",
            "panic!(",
            "unreachable!(",
            "unimplemented!(",
            "todo!(",
            "process::exit",
            "process::abort",
        ],
        owners: &[],
        instead: "return an error, or a value that cannot be wrong",
    },
    Owned {
        rule: "printing",
        needles: &["println!(", "print!(", "dbg!("],
        owners: &[],
        instead: "write to a locked stdout with `writeln!`, or use `tracing`",
    },
];

/// Finds what a file says though another one owns it; only code that ships is looked at.
pub(super) fn check(source: &Source) -> Vec<Violation> {
    if source.module().is_none() {
        return Vec::new();
    }
    let mut violations = Vec::new();
    for owned in OWNED.iter().filter(|owned| !owned.owners.contains(&source.path.as_str())) {
        for (line, code) in numbered(&source.shipped) {
            // `tokio::task::spawn_blocking` has no future that could be lost.
            if let Some(needle) = owned.needles.iter().find(|needle| code.contains(**needle)) {
                let detail = format!("`{needle}`: {}", owned.instead);
                violations.push(source.violation(owned.rule, line, detail));
            }
        }
    }
    violations
}

#[test]
fn what_has_an_owner_is_found_everywhere_else() {
    for (rule, code) in [
        ("clock", "fn f() -> Timestamp { Utc::now() }"),
        ("ids", "fn f() -> Uuid { Uuid::now_v7() }"),
        ("chance", "fn f() { OsRng.try_fill_bytes(&mut bytes); }"),
        ("environment", "fn f() { std::env::var_os(\"X\"); }"),
        ("tasks", "fn f() { tokio::spawn(async {}); }"),
        ("giving_up", "fn f() { g().unwrap() }"),
        ("giving_up", "fn f() { unreachable!(\"x\") }"),
        ("printing", "fn f() { eprintln!(\"x\") }"),
    ] {
        let found = check(&Source::of("src/service/ingest.rs", code));

        assert_eq!(found.iter().map(|violation| violation.rule).collect::<Vec<_>>(), [rule], "{code}");
        let tested = format!("#[cfg(test)]\nmod tests {{ {code} }}");
        assert_eq!(check(&Source::of("src/service/ingest.rs", &tested)), [], "{code}");
    }
    assert_eq!(check(&Source::of("src/domain/clock.rs", "fn f() { Utc::now() }")), []);
    assert_eq!(check(&Source::of("src/a.rs", "fn f() { g().unwrap_or_default(); }")), []);
}
