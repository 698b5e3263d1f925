//! The server: started on a listener, drained, stopped.

use std::future::ready;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol};
use actix_service::{ServiceFactoryExt as _, fn_service, map_config};
use actix_web::dev::{self, AppConfig, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::web::ServiceConfig;
use actix_web::{App as Routes, web};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::admission::admit;
use super::connection::{Connection, Patience, watched};
use super::crowd::Crowd;
use super::edge::edge;
use super::routes;
use super::services::{HttpSettings, Services};
use super::visit::attend;
use crate::service::App;
use crate::service::detached::spawn;

/// The server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The listener could not be used.
    #[error("the listener could not be used")]
    Listener(#[source] io::Error),
}

/// A client that is refused while it still sends is read from for this long, so that it sees the answer.
const LINGER: Duration = Duration::from_secs(3);

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    draining: Arc<AtomicBool>,
    handle: ServerHandle,
    running: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Starts serving on a listener. Call it on the runtime that the app was started on: use cases run there, not on
    /// the threads that serve connections.
    pub fn start(app: App, listener: TcpListener, settings: HttpSettings) -> Result<Self, ServerError> {
        Self::start_with(app, listener, settings, |_| ())
    }

    /// Starts serving with addresses of the caller's beside those of the service; they are in no document.
    pub(crate) fn start_with(
        app: App,
        listener: TcpListener,
        settings: HttpSettings,
        more: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    ) -> Result<Self, ServerError> {
        let address = listener.local_addr().map_err(ServerError::Listener)?;
        let draining = Arc::new(AtomicBool::new(false));
        let HttpSettings { n_workers, keep_alive, head_deadline, shutdown_deadline, stall_deadline, .. } = settings;
        let patience = Patience { head: head_deadline, idle: keep_alive + head_deadline, stall: stall_deadline };
        let crowd = Crowd::new(settings.max_connections_per_address);
        let services = Services::new(app, Handle::current(), settings, Arc::clone(&draining));
        let services = web::Data::new(services);
        let routes = move || {
            Routes::new()
                .app_data(services.clone())
                // The last one is the outermost.
                .wrap(from_fn(admit))
                .wrap(from_fn(attend))
                .wrap(from_fn(edge))
                .wrap(from_fn(watched))
                .configure(routes::configure)
                .configure(&more)
                .default_service(web::to(routes::absent))
        };
        let builder = dev::Server::build().workers(n_workers).shutdown_timeout(shutdown_deadline.as_secs());
        let shutdown = builder.graceful_shutdown_signal();
        let connections = move || {
            let (shutdown, crowd) = (shutdown.clone(), crowd.clone());
            let http = HttpService::build()
                .graceful_shutdown_signal(move || {
                    let shutdown = shutdown.clone();
                    async move { shutdown.notified().await }
                })
                .keep_alive(keep_alive)
                .client_request_timeout(head_deadline)
                .client_disconnect_timeout(LINGER)
                .on_connect_ext(|connection: &Connection<TcpStream>, known| {
                    known.insert(connection.watch());
                })
                .finish(map_config(routes(), |()| AppConfig::default()));
            fn_service(move |stream: TcpStream| ready(accept(stream, patience, &crowd).map_err(DispatchError::Io)))
                .and_then(http)
        };
        let server =
            builder.disable_signals().listen("http", listener, connections).map_err(ServerError::Listener)?.run();
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

/// Takes a connection in, unless its address holds too many: then it is closed without a word.
fn accept(
    stream: TcpStream,
    patience: Patience,
    crowd: &Crowd,
) -> io::Result<(Connection<TcpStream>, Protocol, Option<SocketAddr>)> {
    let peer = stream.peer_addr().ok();
    let seat = crowd.seat(peer.map(|peer| peer.ip())).ok_or(io::ErrorKind::ConnectionRefused)?;
    // An answer is written whole, so that there is nothing to wait for.
    stream.set_nodelay(true)?;
    Ok((Connection::new(stream, patience, seat), Protocol::Http1, peer))
}
