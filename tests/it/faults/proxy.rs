//! A TCP proxy between the service and Postgres that makes every message take its time.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use afterword::service::detached::spawn;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixStream};

/// A proxy that delays what goes either way.
pub(super) struct DelayProxy {
    address: SocketAddr,
}

impl DelayProxy {
    /// Starts a proxy before the server of a database URL; it ends with the test's runtime.
    pub(super) async fn start(url: &str, delay: Duration) -> Self {
        let socket = socket_path(url);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                client.set_nodelay(true).unwrap();
                let Ok(server) = UnixStream::connect(&socket).await else { continue };
                let (client_reader, client_writer) = client.into_split();
                let (server_reader, server_writer) = server.into_split();
                spawn(carry(client_reader, server_writer, delay));
                spawn(carry(server_reader, client_writer, delay));
            }
        });
        Self { address }
    }

    /// Returns the URL of the same database by way of the proxy.
    pub(super) fn url(&self, url: &str) -> String {
        let (credentials, rest) = url.split_once('@').unwrap();
        let (_, path) = rest.split_once('/').unwrap();
        let (database, _) = path.split_once('?').unwrap();
        format!("{credentials}@{}/{database}?sslmode=disable", self.address)
    }
}

/// Copies one direction until either side is gone.
async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, delay: Duration) {
    let mut piece = vec![0; 16 << 10];
    while let Ok(n_bytes @ 1..) = from.read(&mut piece).await {
        tokio::time::sleep(delay).await;
        if to.write_all(&piece[..n_bytes]).await.is_err() {
            break;
        }
    }
    let _gone = to.shutdown().await;
}

/// Finds the socket of a URL such as `postgres://user:password@localhost:5432/name?host=%2Ftmp%2Fdir`.
fn socket_path(url: &str) -> PathBuf {
    let (_, query) = url.split_once("?host=").unwrap();
    let directory = query.split('&').next().unwrap().replace("%2F", "/").replace("%2f", "/");
    PathBuf::from(directory).join(".s.PGSQL.5432")
}
