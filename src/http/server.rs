//! The server: started on a listener, drained, stopped.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App as Routes, HttpServer, web};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::admission::admit;
use super::edge::edge;
use super::routes;
use super::services::{HttpSettings, Services};
use crate::service::App;
use crate::service::detached::spawn;

/// The server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The listener could not be used.
    #[error("the listener could not be used")]
    Listener(#[source] std::io::Error),
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    draining: Arc<AtomicBool>,
    handle: ServerHandle,
    running: JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Starts serving on a listener. Call it on the runtime that the app was started on: use cases run there, not on
    /// the threads that serve connections.
    pub fn start(app: App, listener: TcpListener, settings: HttpSettings) -> Result<Self, ServerError> {
        let address = listener.local_addr().map_err(ServerError::Listener)?;
        let draining = Arc::new(AtomicBool::new(false));
        let HttpSettings { n_workers, keep_alive, head_deadline, shutdown_deadline, .. } = settings;
        let services = Services::new(app, Handle::current(), settings, Arc::clone(&draining));
        let services = web::Data::new(services);
        let routes = move || {
            Routes::new()
                .app_data(services.clone())
                // The last one is the outermost.
                .wrap(from_fn(admit))
                .wrap(from_fn(edge))
                .configure(routes::configure)
                .default_service(web::to(routes::absent))
        };
        let server = HttpServer::new(routes)
            .workers(n_workers)
            .keep_alive(keep_alive)
            .client_request_timeout(head_deadline)
            // A client that is refused while it still sends is read from for this long, so that it sees the answer.
            .client_disconnect_timeout(std::time::Duration::from_secs(3))
            .shutdown_timeout(shutdown_deadline.as_secs())
            .disable_signals()
            .listen(listener)
            .map_err(ServerError::Listener)?
            .run();
        let handle = server.handle();
        Ok(Self { address, draining, handle, running: spawn(server) })
    }

    /// Returns the address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lists every address that is registered, with each of its methods in upper case.
    pub fn addresses(&self) -> Vec<(String, &'static str)> {
        routes::ADDRESSES.iter().map(|(method, pattern)| (method.to_ascii_uppercase(), *pattern)).collect()
    }

    /// Makes `/readyz` fail from now on, so that no new clients are sent here; everything else goes on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Stops listening, lets the requests under way end, and waits for that.
    pub async fn stop(self) {
        self.drain();
        self.handle.stop(true).await;
        match self.running.await {
            Ok(Ok(())) => (),
            Ok(Err(error)) => tracing::error!(error = %error.kind(), "the HTTP server ended with a failure"),
            Err(_) => tracing::error!("the HTTP server ended without a result"),
        }
    }
}
