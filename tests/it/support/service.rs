//! A whole service of a test's own: a database, a place for files, the server on a free port, and a worker.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use afterword::blob::Blob;
use afterword::domain::clock::{Clock, SystemClock};
use afterword::domain::principal::{Role, SecretKey};
use afterword::engine::target::Target;
use afterword::http::{HttpSettings, Server};
use afterword::service::keys::{self, NewKey};
use afterword::service::serving::Serving;
use afterword::service::{App, bootstrap};
use afterword::store::{PoolSizes, Store};
use afterword::worker::Worker;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use super::TestDatabase;

/// The project that [`TestService::key`] makes keys for.
pub(crate) const PROJECT: &str = "test";

/// A running service.
pub(crate) struct TestService {
    database: TestDatabase,
    app: App,
    server: Server,
    worker: Option<Worker>,
    client: Client,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// Reads the body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.text))
    }

    /// Returns a header's text; empty where it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Returns status and code of a problem, and checks that it is whole.
    ///
    /// Where OTLP is spoken, failures have its form, whose message begins with the code.
    pub(crate) fn problem(&self) -> (u16, String) {
        if let (Some(_), Some(message)) = (self.json()["code"].as_i64(), self.json()["message"].as_str()) {
            assert_eq!(self.header("content-type"), "application/json", "{}", self.text);
            let (code, advice) = message.split_once(": ").unwrap();
            assert!(advice.len() > 10, "{}", self.text);
            return (self.status, code.to_owned());
        }
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        let body = self.json();
        assert_eq!(body["status"], self.status);
        assert_eq!(body["instance"], format!("urn:uuid:{}", self.header("x-request-id")));
        assert_eq!(body["type"], format!("/problems#{}", body["code"].as_str().unwrap()));
        assert!(body["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{}", self.text);
        (self.status, body["code"].as_str().unwrap().to_owned())
    }
}

fn app_on(store: Store) -> App {
    App::start(store, Blob::memory(), Arc::new(SystemClock))
}

impl TestService {
    /// Starts a service with a worker.
    pub(crate) async fn start() -> Self {
        Self::start_with(HttpSettings::default(), true).await
    }

    /// Starts a service with settings of the test's own.
    pub(crate) async fn start_with(settings: HttpSettings, has_worker: bool) -> Self {
        let database = TestDatabase::new().await;
        let store = database.store().clone();
        Self::start_on(database, app_on(store), settings, has_worker).await
    }

    /// Starts a service that watches serving engines, on a clock of the test's own.
    pub(crate) async fn start_watching(targets: Vec<Target>, clock: Arc<dyn Clock>, has_worker: bool) -> Self {
        let database = TestDatabase::new().await;
        let app = App::start(database.store().clone(), Blob::memory(), clock);
        let app = app.watching(Serving::watching(targets).unwrap());
        Self::start_on(database, app, HttpSettings::default(), has_worker).await
    }

    /// Starts a service whose way to its database is the test's own.
    pub(crate) async fn start_behind(url: impl AsyncFnOnce(&str) -> String, sizes: PoolSizes) -> Self {
        let database = TestDatabase::new().await;
        let store = Store::connect(&url(database.service_url()).await, sizes).unwrap();
        Self::start_on(database, app_on(store), HttpSettings::default(), false).await
    }

    async fn start_on(database: TestDatabase, app: App, settings: HttpSettings, has_worker: bool) -> Self {
        bootstrap::ensure(&app, PROJECT, None).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server::start(app.clone(), listener, settings).unwrap();
        let worker = has_worker.then(|| Worker::start(app.clone()));
        let client = Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap();
        Self { database, app, server, worker, client }
    }

    /// Returns the app, for use cases that have no route.
    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// Returns the server.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Returns the address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address())
    }

    /// Makes a key of the test's project.
    pub(crate) async fn key(&self, role: Role) -> String {
        self.key_of(PROJECT, role).await.reveal()
    }

    /// Makes a key of any project.
    pub(crate) async fn key_of(&self, project: &str, role: Role) -> SecretKey {
        let new = NewKey { project: project.to_owned(), name: "test".to_owned(), role, expires_at: None };
        keys::create(&self.app, new).await.unwrap()
    }

    /// Begins a request; an empty key sends none.
    pub(crate) fn request(&self, method: Method, path: &str, key: &str) -> RequestBuilder {
        let request = self.client.request(method, self.url(path));
        if key.is_empty() { request } else { request.bearer_auth(key) }
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap() }
    }

    /// Posts JSON.
    pub(crate) async fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.post_text(path, key, body.to_string()).await
    }

    /// Posts a text that says of itself that it is JSON.
    pub(crate) async fn post_text(&self, path: &str, key: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.request(Method::POST, path, key).header(CONTENT_TYPE, "application/json").body(body);
        self.send(request).await
    }

    /// Gets a path.
    pub(crate) async fn get(&self, path: &str, key: &str) -> Answer {
        self.send(self.request(Method::GET, path, key)).await
    }

    /// Returns the URL of the database's owner, who sees every project.
    pub(crate) fn owner_url(&self) -> &str {
        self.database.owner_url()
    }

    /// Reads one value as the owner, who sees every project.
    pub(crate) async fn query<T>(&self, statement: &str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let mut connection = PgConnection::connect(self.database.owner_url()).await.unwrap();
        let row = sqlx::query(AssertSqlSafe(statement.to_owned())).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        row.get(0)
    }

    /// Runs a statement as the owner.
    pub(crate) async fn execute(&self, statement: &str) {
        let mut connection = PgConnection::connect(self.database.owner_url()).await.unwrap();
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Counts the rows of a table.
    pub(crate) async fn count(&self, table: &str) -> i64 {
        self.query(&format!("select count(*) from {table}")).await
    }

    /// Sums up everything that is stored, in every table that there is, so that any change shows. When a credential was
    /// last used is left out: a refused request uses it, too.
    pub(crate) async fn checksum(&self) -> String {
        let tables: Vec<String> = self
            .query("select array_agg(tablename::text order by tablename) from pg_tables where schemaname = 'public'")
            .await;
        let sum = |table: &String| {
            format!(
                "(select md5(coalesce(string_agg((to_jsonb(t) - 'last_used_at')::text, '|'
                                                 order by (to_jsonb(t) - 'last_used_at')::text), ''))
                    from {table} t)"
            )
        };
        let sums: Vec<String> = tables.iter().map(sum).collect();
        self.query(&format!("select {}", sums.join(" || "))).await
    }

    /// Stops everything, in the order in which the program does.
    pub(crate) async fn stop(self) {
        self.server.stop().await;
        if let Some(worker) = self.worker {
            worker.stop().await;
        }
        self.app.close().await;
    }
}
