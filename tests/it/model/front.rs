//! The service of all cases, which any of them may have replaced, and a client that does not give up.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use afterword::blob::Blob;
use afterword::domain::clock::SystemClock;
use afterword::domain::ids::ProjectId;
use afterword::domain::principal::Role;
use afterword::http::{HttpSettings, Server};
use afterword::service::keys::{self, NewKey};
use afterword::service::{App, bootstrap};
use afterword::store::Store;
use reqwest::{Client, Method};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use super::operation::Delivery;

/// How long a client tries before the case is called failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// The service as clients see it.
pub(super) struct Front {
    store: Store,
    running: RwLock<Running>,
    resets: Semaphore,
    stopping: Mutex<JoinSet<()>>,
    n_resets: AtomicUsize,
    client: Client,
}

struct Running {
    app: App,
    address: SocketAddr,
    server: Option<Server>,
}

/// An answer, and whether the request may have been carried out before.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) is_repeated: bool,
}

fn start(store: &Store) -> Running {
    let app = App::start(store.clone(), Blob::memory(), Arc::new(SystemClock));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = HttpSettings { n_workers: 1, ..HttpSettings::default() };
    let server = Server::start(app.clone(), listener, settings).unwrap();
    Running { app, address: server.address(), server: Some(server) }
}

impl Front {
    pub(super) fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            running: RwLock::new(start(store)),
            resets: Semaphore::new(1),
            stopping: Mutex::default(),
            n_resets: AtomicUsize::new(0),
            client: Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap(),
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn n_resets(&self) -> usize {
        self.n_resets.load(Ordering::Relaxed)
    }

    fn app(&self) -> App {
        self.running.read().unwrap_or_else(PoisonError::into_inner).app.clone()
    }

    fn address(&self) -> SocketAddr {
        self.running.read().unwrap_or_else(PoisonError::into_inner).address
    }

    /// Makes a project with a key that may do everything in it.
    pub(super) async fn project(&self, name: &str) -> (ProjectId, String) {
        let app = self.app();
        let project_id = bootstrap::ensure(&app, name, None).await.unwrap();
        let new = NewKey { project: name.to_owned(), name: "model".to_owned(), role: Role::Admin, expires_at: None };
        (project_id, keys::create(&app, new).await.unwrap().reveal())
    }

    /// Puts a fresh service in the place of the present one, which ends while others still speak with it.
    pub(super) async fn reset(&self) {
        let _one_at_a_time = self.resets.acquire().await.unwrap();
        let fresh = start(&self.store);
        let mut former = std::mem::replace(&mut *self.running.write().unwrap_or_else(PoisonError::into_inner), fresh);
        self.n_resets.fetch_add(1, Ordering::Relaxed);
        let server = former.server.take();
        self.stopping.lock().await.spawn(async move {
            if let Some(server) = server {
                server.stop().await;
            }
            former.app.ingest.close().await;
        });
    }

    /// Stops everything that was started.
    pub(super) async fn stop(self) {
        while self.stopping.lock().await.join_next().await.is_some() {}
        let running = self.running.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = running.server {
            server.stop().await;
        }
        running.app.close().await;
    }

    /// Sends a request until it is answered with something else than that the client should come back.
    pub(super) async fn send(&self, path: &str, key: &str, body: &Value, delivery: Delivery) -> Result<Answer, String> {
        let mut is_repeated = false;
        if delivery == Delivery::Cut {
            // Whether the service was there to be cut off from does not matter either.
            let _unheard = self.cut(path, key, body).await;
            is_repeated = true;
        }
        let started = Instant::now();
        loop {
            let request = self
                .client
                .request(Method::POST, format!("http://{}{path}", self.address()))
                .bearer_auth(key)
                .header("content-type", "application/json")
                .body(body.to_string());
            match request.send().await {
                Ok(response) if response.status().as_u16() != 503 => {
                    let status = response.status().as_u16();
                    if let Ok(body) = response.json().await {
                        return Ok(Answer { status, body, is_repeated });
                    }
                }
                Ok(_) | Err(_) => (),
            }
            is_repeated = true;
            if started.elapsed() > PATIENCE {
                return Err(format!("{path} was not answered within {PATIENCE:?}"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Reads a path.
    pub(super) async fn get(&self, path: &str, key: &str) -> Result<Value, String> {
        let started = Instant::now();
        loop {
            let request = self.client.get(format!("http://{}{path}", self.address())).bearer_auth(key);
            match request.send().await {
                Ok(response) if response.status().as_u16() == 200 => {
                    return response.json().await.map_err(|error| error.to_string());
                }
                Ok(response) if response.status().as_u16() != 503 => {
                    return Err(format!("{path}: {}", response.text().await.unwrap_or_default()));
                }
                Ok(_) | Err(_) if started.elapsed() > PATIENCE => return Err(format!("{path} is not answered")),
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// Sends a whole request and resets the connection.
    async fn cut(&self, path: &str, key: &str, body: &Value) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(self.address()).await?;
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.set_zero_linger()
    }
}
