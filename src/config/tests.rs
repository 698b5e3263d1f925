//! Every layer, every kind of mistake, and that no mistake quotes a value.

use super::*;

fn env<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    move |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn key() -> String {
    format!("aw_sec_abcdefgh01234567_{}", "s".repeat(43))
}

#[test]
fn the_defaults_alone_make_a_configuration() {
    let config = Config::load(None, &env(&[])).unwrap();

    assert_eq!(config.listen.to_string(), "127.0.0.1:8787");
    assert_eq!(config.data_dir, Path::new("./.afterword"));
    assert_eq!(config.exports.directory, Path::new("./.afterword/exports"));
    assert!(config.database.url.is_none() && config.init.project.is_none());
    assert!(config.http.n_workers >= 1);
}

#[test]
fn the_environment_goes_before_the_file_and_the_file_before_the_defaults() {
    let file = file("listen = '127.0.0.1:1'\n[http]\ndrain_seconds = 7\nn_workers = 3\n");

    let config =
        Config::load(Some(file.path()), &env(&[("AFTERWORD_LISTEN", "0.0.0.0:2"), ("AFTERWORD_HTTP_N_WORKERS", "5")]))
            .unwrap();
    let public = Config::load(None, &env(&[("AFTERWORD_HTTP_PUBLIC_URL", "https://a.example/aw/")])).unwrap();

    assert_eq!(config.listen.to_string(), "0.0.0.0:2");
    assert_eq!((config.http.n_workers, config.http.drain), (5, Duration::from_secs(7)));
    assert_eq!((config.http.public_url, public.http.public_url.as_deref()), (None, Some("https://a.example/aw")));
}

#[test]
fn the_names_that_operators_know_are_read() {
    use secrecy::ExposeSecret as _;
    let (url, key) = ("postgres://u:p@h/d", key());
    let pairs = [
        ("DATABASE_URL", url),
        ("AFTERWORD_DATA_DIR", "/srv"),
        ("AFTERWORD_INIT_PROJECT", "shop"),
        ("AFTERWORD_INIT_SECRET_KEY", key.as_str()),
        ("AFTERWORD_POSTGRES_BIN_DIR", "/opt/pg/bin"),
        ("AFTERWORD_LOG_LEVEL", ""),
    ];

    let config = Config::load(None, &env(&pairs)).unwrap();

    assert_eq!(config.database.url.unwrap().expose_secret(), url);
    assert_eq!(config.exports.directory, Path::new("/srv/exports"));
    assert_eq!(config.init.project.as_deref(), Some("shop"));
    assert_eq!(config.init.secret_key.unwrap().reveal(), key);
    assert_eq!(config.postgres_bin_dir.as_deref(), Some(Path::new("/opt/pg/bin")));
    assert_eq!(config.log.level, "info");
}

#[test]
fn recipes_reach_nothing_that_is_not_named() {
    let closed = Config::load(None, &env(&[])).unwrap().exports;
    let pairs = [
        ("AFTERWORD_EXPORTS_HOOK_URLS", "http://presidio:3000/analyze, https://guard.example.org/v1/moderations,"),
        ("AFTERWORD_EXPORTS_BENCHMARKS_DIRECTORY", "/srv/benchmarks"),
    ];

    let open = Config::load(None, &env(&pairs)).unwrap().exports;

    assert_eq!((closed.hook_urls, closed.benchmarks_directory), (Vec::new(), None));
    assert_eq!(open.hook_urls, ["http://presidio:3000/analyze", "https://guard.example.org/v1/moderations"]);
    assert_eq!(open.benchmarks_directory.as_deref(), Some(Path::new("/srv/benchmarks")));
}

#[test]
fn a_wrong_file_gives_one_line_that_names_the_place_and_no_value() {
    let table = [
        ("listen = 'canary'", "`listen` must be an address and a port"),
        ("listen = 8787", ": `listen` must be text"),
        ("lisen = 'canary'", ": unknown key `lisen`; did you mean `listen`?"),
        ("[http]\ndrain_secs = 1", ": unknown key `http.drain_secs`; did you mean `http.drain_seconds`?"),
        ("[http]\ndrain_seconds = 'canary'", ": `http.drain_seconds` must be a whole number, not negative"),
        ("[http]\ndrain_seconds = 0", "`http.drain_seconds` must be 1 to 3600 seconds"),
        ("[http]\nn_workers = -1", ": `http.n_workers` must be a whole number, not negative"),
        ("[http]\npublic_url = 'canary'", "`http.public_url` must be http:// or https:// and a host"),
        ("[http]\npublic_url = 'https://u:p@canary'", "`http.public_url` must be http:// or https:// and a host"),
        ("[http]\nmax_decoded_body_bytes = 1", "`http.max_decoded_body_bytes` must be at least"),
        ("http = 'canary'", ": `http` must be a section"),
        ("zzz = 1", ": unknown key `zzz`"),
        ("a = 1\nb = canary", "line 2: this is not valid TOML"),
        ("[log]\nformat = 'canary'", "`log.format` must be `text` or `json`"),
        ("[log]\nlevel = 'canary'", "`log.level` must be a level"),
        ("[log]\nlevel = 'info,canary'", "`log.level` must be a level"),
        ("[log]\nlevel = 'canary=loud'", "`log.level` must be a level"),
        ("[database]\nurl = 'mysql://canary'", "`database.url` must be of the form postgres://"),
        ("[database]\nn_job_connections = 0", "`database.n_job_connections` must be 1 to 1000"),
        ("[database]\nn_export_connections = 0", "`database.n_export_connections` must be 1 to 1000"),
        ("[init]\nproject = 'p'\nsecret_key = 'aw_sec_canary'", "`init.secret_key` must be of the form"),
        ("data_dir = ''", "`data_dir` must be a directory"),
        ("[exports]\nhook_urls = 'canary:3000'", "`exports.hook_urls` must be URLs with http or https"),
        ("[adapters]\nscore_meanings = 'canary=rating:5:1'", "`adapters.score_meanings` must be declarations joined"),
        ("[adapters]\nmax_otlp_body_bytes = 30000000", "`adapters.max_otlp_body_bytes` must be at least 1 byte"),
        ("[exports]\nhook_urls = 'http://a:canary@h/'", "`exports.hook_urls` must be URLs with http or https"),
        ("[exports.destinations.'Canary']\nkind = 's3'", "`exports.destinations` must be sections named with"),
        ("[exports.destinations]\nx = 'canary'", ": `exports.destinations.x` must be a section"),
        ("[exports.destinations.x]\nkind = 'canary'", "`exports.destinations.x.kind` must be `local` or `s3`"),
        ("[exports.destinations.x]\nbuckett = 'canary'", "; did you mean `exports.destinations.x.bucket`?"),
        (
            "[exports.destinations.x]\nkind = 'local'\npath = 'canary'",
            "`exports.destinations.x.path` must be an absolute",
        ),
    ];
    for (text, expected) in table {
        let file = file(text);
        let error = Config::load(Some(file.path()), &env(&[])).unwrap_err().to_string();

        assert!(error.contains(expected), "{text:?}: {error}");
        assert!(!error.contains("canary") && !error.contains('\n'), "{text:?}: {error}");
    }
}

#[test]
fn a_wrong_variable_is_named() {
    let error = Config::load(None, &env(&[("AFTERWORD_HTTP_N_WORKERS", "many")])).unwrap_err();

    assert_eq!(error.to_string(), "AFTERWORD_HTTP_N_WORKERS: `http.n_workers` must be a whole number, not negative");
}

#[test]
fn a_file_that_was_asked_for_must_exist() {
    for (file, pairs) in
        [(Some(Path::new("/nowhere/a.toml")), vec![]), (None, vec![("AFTERWORD_CONFIG", "/nowhere/a.toml")])]
    {
        let error = Config::load(file, &env(&pairs)).unwrap_err();

        assert_eq!(error.to_string(), "/nowhere/a.toml");
        assert!(std::error::Error::source(&error).is_some());
    }
}

#[test]
fn a_printed_configuration_shows_no_secret_and_can_be_loaded_back() {
    let key = key();
    let pairs = [
        ("DATABASE_URL", "postgres://u:canary@h/d"),
        ("AFTERWORD_INIT_PROJECT", "p"),
        ("AFTERWORD_INIT_SECRET_KEY", key.as_str()),
    ];
    let config = Config::load(None, &env(&pairs)).unwrap();

    let printed = config.print();

    assert!(!printed.contains("canary") && !printed.contains(&"s".repeat(43)), "{printed}");
    assert!(!format!("{config:?}").contains("canary"));
    let plain = Config::load(None, &env(&[])).unwrap();
    let again = Config::load(Some(file(&plain.print()).path()), &env(&[])).unwrap();
    assert_eq!(again.print(), plain.print());
}

#[test]
fn every_key_of_the_defaults_is_described_right_above_it() {
    let mut above = "";
    for line in Config::template().lines() {
        if line.contains('=') && !line.starts_with('#') {
            assert!(above.starts_with('#'), "no description above: {line}");
        }
        above = line;
    }
}

const BUCKET: &str = "[exports.destinations.lake]\nkind = 's3'\nendpoint = 'http://127.0.0.1:9000'\nallow_http = true\n\
                      bucket = 'training'\nprefix = 'a/b'\naccess_key_id = 'env:KEY_ID'\n\
                      secret_access_key = 'file:/run/secrets/lake'\n";

#[test]
fn destinations_are_named_by_the_operator_and_hold_references_to_secrets() {
    use crate::domain::destination::{Bucket, Place, SecretReference};
    let file = file(&format!("[exports.destinations.share]\nkind = 'local'\npath = '/srv/x'\n{BUCKET}"));

    let config =
        Config::load(Some(file.path()), &env(&[("AFTERWORD_EXPORTS_DESTINATIONS_LAKE_REGION", "eu-west-1")])).unwrap();

    let [lake, share] = &config.exports.destinations[..] else { panic!("{:?}", config.exports) };
    assert_eq!((lake.name.as_str(), share.name.as_str()), ("lake", "share"));
    assert_eq!(share.place, Place::Local("/srv/x".into()));
    let Place::Bucket(Bucket { endpoint, region, prefix, secret_access_key, .. }) = &lake.place else {
        panic!("{lake:?}")
    };
    assert_eq!(endpoint.as_ref().unwrap().as_str(), "http://127.0.0.1:9000");
    assert_eq!((region.as_str(), prefix.as_str()), ("eu-west-1", "a/b"));
    assert_eq!(*secret_access_key, SecretReference::File("/run/secrets/lake".into()));
    let again = Config::load(Some(self::file(&config.print()).path()), &env(&[])).unwrap();
    assert_eq!(again.exports, config.exports);
}

#[test]
fn a_wrong_destination_is_named_and_its_secret_is_never_quoted() {
    for (good, bad, expected) in [
        ("allow_http = true", "allow_http = false", "endpoint` must be https://host[:port]"),
        ("http://127.0.0.1:9000", "http://canary@127.0.0.1:9000", "endpoint` must be https://host[:port]"),
        ("'training'", "'../canary'", "bucket` must be 3 to 63 characters"),
        ("'a/b'", "'a/../canary'", "prefix` must be parts of"),
        ("'env:KEY_ID'", "'canary'", "access_key_id` must be env:NAME or file:/PATH"),
        ("'file:/run/secrets/lake'", "'canary'", "secret_access_key` must be env:NAME or file:/PATH"),
        ("kind = 's3'", "kind = 's3'\npath = '/canary'", "path` must be absent for kind `s3`"),
        ("kind = 's3'", "kind = 'local'\npath = '/x'", "must be absent for kind `local`"),
    ] {
        let file = file(&BUCKET.replace(good, bad));
        let error = Config::load(Some(file.path()), &env(&[])).unwrap_err().to_string();

        assert!(error.starts_with("`exports.destinations.lake.") && error.contains(expected), "{bad}: {error}");
        assert!(!error.contains("canary"), "{bad}: {error}");
    }
}

#[test]
fn the_examples_of_destinations_in_the_template_are_good_and_name_every_key() {
    let (_, section) = Config::template().split_once("\n[exports.destinations]\n").unwrap();
    let section = section.split("\n\n[").next().unwrap();
    let examples: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("# ")).collect();
    let examples = examples.join("\n");

    let config = Config::load(Some(file(&examples).path()), &env(&[])).unwrap();

    assert_eq!(config.exports.destinations.len(), 2);
    let printed = config.print();
    let (_, lake) = printed.split_once("[exports.destinations.lake]\n").unwrap();
    for key in lake.lines().take_while(|line| !line.is_empty()).map(|line| line.split(' ').next().unwrap()) {
        assert!(examples.lines().any(|line| line.starts_with(&format!("{key} = "))), "{key} is in no example");
    }
}
