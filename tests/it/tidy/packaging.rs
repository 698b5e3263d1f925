//! The image and the composition, checked without an engine: what they must never do, and what they must hold.

use super::source::{Violation, numbered};

/// A composition: loopback ports only, no password of its own, a health check, and a service that migrates first.
pub(super) fn compose(path: &str, text: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut fail = |line: usize, detail: &str| {
        violations.push(Violation { rule: "compose", place: format!("{path}:{line}"), detail: detail.to_owned() });
    };
    let mut list = "";
    for (line, content) in numbered(text) {
        if content.contains('\t') {
            fail(line, "YAML is indented with spaces");
        }
        let entry = content.trim();
        if entry.starts_with('#') {
            continue;
        }
        if !entry.starts_with("- ") {
            list = entry.strip_suffix(':').unwrap_or_default();
        } else if list == "ports" && !entry.trim_start_matches("- ").trim_matches('"').starts_with("127.0.0.1:") {
            fail(line, "a port is published on the loopback interface only");
        }
        let is_secret = entry.contains("PASSWORD") || entry.contains("SECRET_KEY") || entry.contains("_URL:");
        if is_secret && entry.contains(": ") && !entry.contains(":?") {
            fail(line, "a secret comes from the environment and is required: `${NAME:?…}`");
        }
        if entry.starts_with("image:") && (entry.ends_with(":latest") || entry.matches(':').count() < 2) {
            fail(line, "an image has a version");
        }
        if entry.starts_with("privileged: true") || entry.starts_with("network_mode: host") {
            fail(line, "no container gets the whole machine");
        }
    }
    for (needle, why) in [
        ("healthcheck:", "Postgres is waited for until it is healthy"),
        ("condition: service_healthy", "the migration waits for Postgres"),
        ("condition: service_completed_successfully", "the service waits for the migration"),
    ] {
        if !text.contains(needle) {
            fail(1, &format!("lacks `{needle}`: {why}"));
        }
    }
    violations
}

/// An image: several stages, pinned bases, an ordinary user, a health check, no secret.
pub(super) fn dockerfile(path: &str, text: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut fail = |line: usize, detail: &str| {
        violations.push(Violation { rule: "dockerfile", place: format!("{path}:{line}"), detail: detail.to_owned() });
    };
    let mut stages: Vec<&str> = Vec::new();
    let (mut user, mut has_health_check, mut exec_form) = ("root", false, false);
    for (line, content) in numbered(text) {
        let mut words = content.split_whitespace();
        match words.next() {
            Some("FROM") => {
                let base = words.next().unwrap_or_default();
                let pinned = base.contains(':') && !base.ends_with(":latest");
                if !pinned && !stages.contains(&base) {
                    fail(line, "a base image has a version");
                }
                stages.push(words.nth(1).unwrap_or_default());
                (user, has_health_check, exec_form) = ("root", false, false);
            }
            Some("USER") => user = words.next().unwrap_or("root"),
            Some("HEALTHCHECK") => has_health_check = true,
            Some("ENTRYPOINT") => exec_form = content.contains('['),
            Some("ADD") => fail(line, "`COPY` does what it says, `ADD` unpacks and fetches"),
            Some("ARG" | "ENV") if ["PASSWORD", "SECRET", "TOKEN"].iter().any(|word| content.contains(word)) => {
                fail(line, "an image holds no secret");
            }
            _ => {}
        }
    }
    if stages.len() < 2 {
        fail(1, "what is shipped is not built in the image that is shipped");
    }
    if ["root", "0", "0:0"].contains(&user) {
        fail(1, "the last stage runs as an ordinary user");
    }
    if !has_health_check {
        fail(1, "the last stage has a health check");
    }
    if !exec_form {
        fail(1, "the entry point is in exec form, so that SIGTERM reaches the program");
    }
    violations
}

#[test]
fn a_composition_that_opens_doors_is_found() {
    let good = "services:\n  a:\n    image: postgres:17\n    ports:\n      - \"127.0.0.1:5432:5432\"\n    environment:\n      \
                POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?set it}\n    healthcheck:\n    # condition: service_healthy\n    \
                # condition: service_completed_successfully\n";
    let check = |text: &str| compose("docker-compose.yml", text).len();

    assert_eq!(check(good), 0);
    assert_eq!(check(&good.replace("127.0.0.1:5432:", "5432:")), 1);
    assert_eq!(check(&good.replace("${POSTGRES_PASSWORD:?set it}", "postgres")), 1);
    assert_eq!(check(&good.replace("${POSTGRES_PASSWORD:?set it}", "${POSTGRES_PASSWORD:-postgres}")), 1);
    assert_eq!(check(&good.replace("postgres:17", "postgres")), 1);
    assert_eq!(check(&good.replace("healthcheck:", "hostname: a")), 1);
}

#[test]
fn an_image_that_runs_as_root_or_hides_its_health_is_found() {
    let good = "FROM rust:1.95 AS build\nRUN make\nFROM debian:13-slim\nCOPY --from=build a a\nUSER 65532\n\
                HEALTHCHECK CMD [\"a\"]\nENTRYPOINT [\"a\"]\n";
    let check = |text: &str| dockerfile("Dockerfile", text).len();

    assert_eq!(check(good), 0);
    assert_eq!(check(&good.replace("USER 65532\n", "")), 1);
    assert_eq!(check(&good.replace("HEALTHCHECK CMD [\"a\"]\n", "")), 1);
    assert_eq!(check(&good.replace("debian:13-slim", "debian:latest")), 1);
    assert_eq!(check(&good.replace("ENTRYPOINT [\"a\"]", "ENTRYPOINT a")), 1);
    assert_eq!(check(&good.replace("COPY --from", "ADD --from")), 1);
    assert_eq!(check(&good.replace("RUN make", "ENV ADMIN_PASSWORD=x")), 1);
    assert_eq!(check("FROM debian:13\nUSER a\nHEALTHCHECK CMD [\"a\"]\nENTRYPOINT [\"a\"]\n"), 1);
}
