//! `afterword config`, and arguments that make no sense.

use super::program::{afterword, run};

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

#[test]
fn the_template_is_the_documented_file_and_passes_the_check() {
    let template = run(&mut afterword(&["config", "template"]));
    let file = file(&template.out);

    let check = run(&mut afterword(&["--config", file.path().to_str().unwrap(), "config", "check"]));

    assert_eq!(template.out, include_str!("../../../config/default.toml"));
    assert_eq!((check.status, check.err.as_str()), (Some(0), ""));
}

#[test]
fn the_configuration_in_force_is_printed_without_its_secrets() {
    let outcome = run(afterword(&["config", "print"])
        .env("DATABASE_URL", "postgres://u:canary@h/d")
        .env("AFTERWORD_HTTP_N_WORKERS", "3"));

    assert_eq!(outcome.status, Some(0));
    assert!(outcome.out.contains("n_workers = 3"), "{outcome:?}");
    assert!(!outcome.out.contains("canary"), "{outcome:?}");
}

#[test]
fn arguments_that_make_no_sense_are_refused_in_one_line() {
    let too_few = ["export"];
    let too_many = ["serve", "--lisen", "127.0.0.1:0"];
    let unknown = ["doctr"];

    run(&mut afterword(&too_few)).assert_refused(2, "--recipe <NAME|FILE> --out <DIR>");
    run(&mut afterword(&too_many)).assert_refused(2, "'--lisen' found; tip: a similar argument exists: '--listen'");
    run(&mut afterword(&unknown)).assert_refused(2, "tip: a similar subcommand exists: 'doctor'");
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused_in_one_line() {
    for (text, words) in [
        ("[http]\ndrain_secs = 1", "did you mean `http.drain_seconds`?"),
        ("listen = 'here'", "`listen` must be an address and a port"),
        ("listen =", "line 1: this is not valid TOML"),
    ] {
        let file = file(text);
        for command in [&["config", "check"][..], &["serve"][..], &["doctor"][..]] {
            let args = [&["--config", file.path().to_str().unwrap()][..], command].concat();

            // What the environment says would go before the file.
            run(afterword(&args).env_remove("AFTERWORD_LISTEN")).assert_refused(2, words);
        }
    }
    run(afterword(&["config", "check"]).env("AFTERWORD_CONFIG", "/nowhere.toml")).assert_refused(2, "/nowhere.toml");
}

#[test]
fn arguments_that_make_no_sense_end_with_status_2_before_anything_is_opened() {
    for args in [
        &[][..],
        &["sevre"],
        &["serve", "--port", "1"],
        &["key", "create", "--role", "root"],
        &["key", "create", "--expires-in", "soon"],
        &["key", "revoke", "aw_sec_"],
        &["key", "create", "--project", ""],
        &["migrate", "now"],
    ] {
        let outcome = run(&mut afterword(args));

        assert_eq!((outcome.status, outcome.out.as_str()), (Some(2), ""), "{args:?}: {outcome:?}");
        assert!(!outcome.err.is_empty(), "{args:?}");
    }
}

#[test]
fn every_subcommand_explains_itself() {
    let help = run(&mut afterword(&["--help"]));
    let commands = help.out.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
    let names: Vec<&str> = commands.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.contains(&"serve") && names.len() > 6, "{names:?}");

    for name in names.into_iter().filter(|name| *name != "help") {
        let outcome = run(&mut afterword(&[name, "--help"]));

        assert_eq!(outcome.status, Some(0), "{name}");
        assert!(outcome.out.contains("Usage:") && outcome.out.contains("Examples:"), "{name}: {}", outcome.out);
    }
}
