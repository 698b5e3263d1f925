//! A canary: a text that nobody else writes, put into every field, header and path of a request. It may come back in no
//! failure, and be in no log, neither ours nor Postgres's, and in no metric.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

use super::canary_bodies::{bodies, variations};
use crate::support::program::{Running, afterword, open_dir, run};

/// Nothing that we write has it in it; it is what a name, a key, a path segment and a header may hold.
pub(super) const CANARY: &str = "kanarienvogel7q";
/// Headers that clients, proxies and browsers send.
const HEADERS: [&str; 20] = [
    "accept",
    "accept-encoding",
    "authorization",
    "content-encoding",
    "content-type",
    "cookie",
    "forwarded",
    "host",
    "idempotency-key",
    "if-none-match",
    "origin",
    "range",
    "referer",
    "traceparent",
    "tracestate",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-request-id",
    "x-kanarienvogel7q",
];

/// A service with its Postgres and both logs.
struct Cage {
    dir: TempDir,
    service: Running,
    client: Client,
    key: String,
    n_failures: usize,
}

impl Cage {
    fn start() -> Self {
        let dir = open_dir();
        let log = File::create(dir.path().join("service.log")).unwrap();
        let mut command = afterword(&["serve"]);
        command.env("AFTERWORD_DATA_DIR", dir.path()).env("AFTERWORD_LOG_LEVEL", "debug");
        command.env("AFTERWORD_HTTP_DRAIN_NOTICE_SECONDS", "0");
        let service = Running::start(command.stderr(log));
        let key = service.greeting.last().unwrap().trim().to_owned();
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        Self { dir, service, client, key, n_failures: 0 }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.service.url))
    }

    fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        let request = self.request(Method::POST, path).bearer_auth(&self.key);
        request.header("content-type", "application/json").body(body)
    }

    /// Sends a request, and looks for the canary in its answer where that is a failure.
    async fn probe(&mut self, what: &str, request: RequestBuilder) -> u16 {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        if status >= 400 || status == 207 {
            self.n_failures += 1;
            assert_no_canary(what, &shown_headers(&headers));
            assert_no_canary(what, &without_ids(&text));
        }
        status
    }

    async fn owner(&self) -> PgConnection {
        let url = run(&mut afterword(&["postgres", "url", "--data-dir", self.dir.path().to_str().unwrap()]));
        PgConnection::connect(url.out.trim()).await.unwrap()
    }

    /// Everything that was logged, by the service and by Postgres.
    fn logs(&self) -> (String, String) {
        let read = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        (read(&self.dir.path().join("service.log")), read(&self.dir.path().join("postgres/postgres.log")))
    }
}

fn assert_no_canary(what: &str, text: &str) {
    assert!(!text.to_lowercase().contains(CANARY), "{what}: the canary sings in {text}");
}

fn shown_headers(headers: &HeaderMap) -> String {
    let line =
        |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    headers.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A rejected item is named by its own id, which is the one thing of the client's that an answer repeats.
fn without_ids(text: &str) -> String {
    let Ok(mut body) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    for rejected in body["rejected"].as_array_mut().into_iter().flatten() {
        rejected["id"] = Value::Null;
    }
    body.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_sends_is_in_no_failure_log_or_metric() {
    let mut cage = tokio::task::spawn_blocking(Cage::start).await.unwrap();

    tell_more(&cage).await;
    fields(&mut cage).await;
    texts(&mut cage).await;
    headers(&mut cage).await;
    paths(&mut cage).await;
    credentials(&mut cage).await;
    refused_by_the_database(&mut cage).await;
    without_the_database(&mut cage).await;

    assert!(cage.n_failures > 1000, "only {} failures were provoked", cage.n_failures);
    let metrics = cage.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    let (service_log, postgres_log) = cage.logs();
    let key = cage.key.clone();
    tokio::task::spawn_blocking(move || cage.service.stop()).await.unwrap();
    assert_no_canary("the metrics", &metrics);
    for (what, log, expected) in [
        ("the service's log", &service_log, "answered a request"),
        ("Postgres's log", &postgres_log, "violates check constraint"),
    ] {
        assert!(log.contains(expected), "{what} is not what was looked for: {log}");
        let line = log.lines().find(|line| line.to_lowercase().contains(CANARY));
        assert_eq!(line, None, "{what}");
        assert!(!log.contains(&key), "{what} holds a key");
    }
}

/// Makes Postgres log every error with its statement, which the private one does not: what operators' own servers do.
async fn tell_more(cage: &Cage) {
    let mut owner = cage.owner().await;
    for setting in ["log_min_messages = 'warning'", "log_min_error_statement = 'error'"] {
        sqlx::query(AssertSqlSafe(format!("alter system set {setting}"))).execute(&mut owner).await.unwrap();
    }
    sqlx::query("select pg_reload_conf()").execute(&mut owner).await.unwrap();
    owner.close().await.unwrap();
}

/// The canary in every field, as its value, inside it, as its name and beside it; alone and in an envelope.
async fn fields(cage: &mut Cage) {
    for (path, envelope, body) in bodies() {
        for (what, varied) in variations(&body) {
            let status = cage.probe(&format!("{path} {what}"), cage.post(path, varied.to_string())).await;
            assert!(status < 500, "{path} {what}: {status}");
            if let Some(name) = envelope {
                let wrapped = json!({ name: [body, varied] });
                cage.probe(&format!("{path} {name} {what}"), cage.post(path, wrapped.to_string())).await;
            }
        }
    }
}

/// Bodies that are no JSON, or not of the kind that is wanted.
async fn texts(cage: &mut Cage) {
    let deep = format!("{}\"{CANARY}\"{}", "[".repeat(40), "]".repeat(40));
    let long = format!("{{\"{CANARY}\":\"{}\"}}", CANARY.repeat(1 << 20));
    for path in ["/v1/completions", "/v1/feedback", "/v1/experiments", "/v1/exports"] {
        for body in [
            CANARY.to_owned(),
            format!("\"{CANARY}"),
            format!("\"{CANARY}\""),
            format!("{{\"{CANARY}\":1,\"{CANARY}\":2}}"),
            format!("{{\"{CANARY}\":1e999}}"),
            format!("{{\"{CANARY}\":184467440737095516160}}"),
            format!("{{\"{CANARY}\":\"\\ud800\"}}"),
            deep.clone(),
            long.clone(),
        ] {
            let what = format!("{path} with {} bytes", body.len());
            assert!(cage.probe(&what, cage.post(path, body)).await >= 400, "{what}");
        }
        for encoding in ["gzip", "zstd", CANARY] {
            let request = cage.post(path, CANARY).header("content-encoding", encoding);
            assert!(cage.probe(encoding, request).await >= 400, "{path} {encoding}");
        }
    }
}

async fn headers(cage: &mut Cage) {
    for name in HEADERS {
        for (method, path) in [
            (Method::GET, "/v1/exports"),
            (Method::GET, "/v1/comparisons?experiment=x"),
            (Method::POST, "/v1/feedback"),
            (Method::POST, "/v1/exports"),
            (Method::OPTIONS, "/v1/feedback"),
            (Method::GET, "/readyz"),
            (Method::GET, "/nowhere"),
        ] {
            for value in [CANARY.to_owned(), format!("{CANARY} {CANARY}"), format!("text/{CANARY}, \"{CANARY}")] {
                let mut request = cage.request(method.clone(), path);
                if name != "authorization" {
                    request = request.bearer_auth(&cage.key);
                }
                if method == Method::POST {
                    request = request.body("{}");
                }
                cage.probe(&format!("{method} {path} {name}"), request.header(name, value)).await;
            }
        }
    }
}

/// The canary in every place of every address that the service describes, and in queries.
async fn paths(cage: &mut Cage) {
    let document = cage.request(Method::GET, "/openapi.json").send().await.unwrap().text().await.unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    let addresses: Vec<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    for address in addresses {
        let mut concrete = String::new();
        for part in address.split_inclusive('}') {
            concrete += part.split('{').next().unwrap_or_default();
            concrete += if part.contains('{') { CANARY } else { "" };
        }
        for path in [
            concrete.clone(),
            format!("{concrete}/{CANARY}"),
            format!("{concrete}?{CANARY}={CANARY}"),
            format!("{concrete}?limit={CANARY}&cursor={CANARY}&alpha={CANARY}&control={CANARY}&experiment={CANARY}"),
            format!("{concrete}?{CANARY}=%ff"),
            format!("{concrete}%00{CANARY}"),
        ] {
            let odd = Method::from_bytes(CANARY.to_uppercase().as_bytes()).unwrap();
            for method in [Method::GET, Method::POST, Method::DELETE, odd] {
                let request = cage.request(method.clone(), &path).bearer_auth(&cage.key);
                let status = cage.probe(&format!("{method} {path}"), request).await;
                assert!(status < 500, "{method} {path}: {status}");
            }
        }
    }
}

/// Credentials that hold the canary: a secret key of the right form, a token, and worse.
async fn credentials(cage: &mut Cage) {
    let secret = format!("aw_sec_aaaaaaaaaaaaaaaa_{CANARY:x<43}");
    let public = format!("aw_pub_{}", &format!("{CANARY}0000")[..16]);
    let token = format!("{CANARY}.{CANARY}.{CANARY}");
    let thumb =
        json!({"id": "01990a5d-ac96-774b-bcce-b302099a8057", "completion_id": "c", "signal": "thumb", "value": "up"});
    for credential in [secret.as_str(), public.as_str(), token.as_str(), CANARY] {
        for origin in [None, Some(format!("https://{CANARY}.example"))] {
            let mut request = cage.post("/v1/feedback", thumb.to_string());
            request = request.header("authorization", format!("Bearer {credential}"));
            let in_body = json!({"token": credential, "feedback": [thumb]}).to_string();
            let mut body =
                cage.request(Method::POST, "/v1/feedback").header("content-type", "text/plain").body(in_body);
            if let Some(origin) = origin {
                (request, body) = (request.header("origin", &origin), body.header("origin", &origin));
            }
            // The first one sent has two Authorization headers, which is one too many.
            assert!(matches!(cage.probe("a credential in the head", request).await, 401 | 403));
            assert!(matches!(cage.probe("a credential in the body", body).await, 401 | 403));
        }
    }
}

/// Rows that Postgres itself refuses, and a table that it does not give.
async fn refused_by_the_database(cage: &mut Cage) {
    let mut owner = cage.owner().await;
    for (table, column) in [("completions", "task"), ("feedback", "session_id")] {
        let refusal = format!(
            "alter table {table} add constraint no_birds check (position('{CANARY}' in coalesce({column}, '')) = 0) not valid"
        );
        sqlx::query(AssertSqlSafe(refusal)).execute(&mut owner).await.unwrap();
    }
    let mut birds: Vec<(&str, Value)> = bodies().into_iter().map(|(path, _, body)| (path, body)).collect();
    birds.retain(|(path, _)| matches!(*path, "/v1/completions" | "/v1/feedback"));
    for (index, (path, mut body)) in birds.into_iter().enumerate() {
        body["id"] = json!(format!("01990a5d-ac96-774b-bcce-{index:012x}"));
        body[if path == "/v1/completions" { "task" } else { "session_id" }] = json!(CANARY);
        let (status, what) = (422, format!("{path} {index} refused by a constraint"));
        assert_eq!(cage.probe(&what, cage.post(path, body.to_string())).await, status, "{what}");
    }
    let mut lock = owner.begin().await.unwrap();
    sqlx::query("lock table completions, feedback, experiments, exports").execute(&mut *lock).await.unwrap();
    for (path, _, mut body) in bodies().into_iter().take(2).chain(bodies().into_iter().rev().take(2)) {
        if path == "/v1/experiments" {
            body["key"] = json!(format!("locked-{CANARY}"));
        }
        assert_eq!(cage.probe(path, cage.post(path, body.to_string())).await, 503, "{path} of a locked table");
    }
    lock.rollback().await.unwrap();
    owner.close().await.unwrap();
}

/// Requests while Postgres is killed and started again.
async fn without_the_database(cage: &mut Cage) {
    let killed = postmaster(cage.dir.path()).unwrap();
    kill_process(killed, Signal::KILL).unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let is_back = postmaster(cage.dir.path()).is_some_and(|found| found != killed);
        let mut statuses = Vec::new();
        for (path, _, body) in bodies().into_iter().take(3) {
            statuses.push(cage.probe(path, cage.post(path, body.to_string())).await);
        }
        if is_back && !statuses.contains(&503) {
            break;
        }
        assert!(Instant::now() < deadline, "the database does not come back: {statuses:?}");
    }
}

fn postmaster(dir: &Path) -> Option<Pid> {
    let pid_file = std::fs::read_to_string(dir.join("postgres/data/postmaster.pid")).ok()?;
    pid_file.lines().next()?.trim().parse().ok().and_then(Pid::from_raw)
}
