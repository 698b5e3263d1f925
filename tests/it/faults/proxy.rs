//! A TCP proxy that makes every message take its time, and cuts connections where a test wants them cut: between the
//! service and Postgres, or between a client and the service.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use afterword::service::detached::spawn;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// What Postgres says of a transaction that is committed and on disk.
pub(super) const COMMITTED: &[u8] = b"COMMIT\0";
/// How the service begins to say that all is well.
pub(super) const ALL_IS_WELL: &[u8] = b"HTTP/1.1 200";
/// What Postgres answers while it starts: an error with severity, SQLSTATE and a message.
const STARTING: &[u8] = b"SFATAL\0C57P03\0Mstarting\0\0";

/// What stands behind a proxy.
#[derive(Debug, Clone)]
enum Behind {
    Socket(PathBuf),
    Address(SocketAddr),
}

/// A proxy; it ends with the test's runtime.
pub(super) struct FaultProxy {
    address: SocketAddr,
    cuts: Arc<Cuts>,
}

/// The replies that are still to be cut, and those that were.
#[derive(Debug)]
struct Cuts {
    mark: &'static [u8],
    n_due: AtomicUsize,
    n_done: AtomicUsize,
    n_refusals: AtomicUsize,
    /// Connections made before this one are silent; counted in the order in which they were made.
    n_connections: AtomicUsize,
    n_silent: AtomicUsize,
}

impl Cuts {
    fn is_silent(&self, number: usize) -> bool {
        number < self.n_silent.load(Ordering::Acquire)
    }

    /// Tells whether a piece from the server is one that never arrives.
    fn is_cut(&self, piece: &[u8]) -> bool {
        let is_due = || self.n_due.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| n.checked_sub(1)).is_ok();
        let is_cut = piece.windows(self.mark.len()).any(|window| window == self.mark) && is_due();
        self.n_done.fetch_add(usize::from(is_cut), Ordering::AcqRel);
        is_cut
    }
}

impl FaultProxy {
    /// Starts a proxy before the server of a database URL.
    pub(super) async fn before_postgres(url: &str, delay: Duration) -> Self {
        Self::start(Behind::Socket(socket_path(url)), delay, COMMITTED).await
    }

    /// Starts a proxy before a service.
    pub(super) async fn before_service(address: SocketAddr) -> Self {
        Self::start(Behind::Address(address), Duration::ZERO, ALL_IS_WELL).await
    }

    async fn start(behind: Behind, delay: Duration, mark: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let none = || AtomicUsize::new(0);
        let cuts = Arc::new(Cuts {
            mark,
            n_due: none(),
            n_done: none(),
            n_refusals: none(),
            n_connections: none(),
            n_silent: none(),
        });
        let of_connections = Arc::clone(&cuts);
        spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                client.set_nodelay(true).unwrap();
                spawn(connect(client, behind.clone(), delay, Arc::clone(&of_connections)));
            }
        });
        Self { address, cuts }
    }

    /// Returns the URL of the same database by way of the proxy.
    pub(super) fn url(&self, url: &str) -> String {
        let (credentials, rest) = url.split_once('@').unwrap();
        let (_, path) = rest.split_once('/').unwrap();
        let (database, _) = path.split_once('?').unwrap();
        format!("{credentials}@{}/{database}?sslmode=disable", self.address)
    }

    /// Returns the proxy's own address.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets the next replies that bear the mark be lost, with the connections that they come over.
    pub(super) fn cut_next(&self, n_replies: usize) {
        self.cuts.n_due.fetch_add(n_replies, Ordering::AcqRel);
    }

    /// Counts the replies that were lost.
    pub(super) fn n_cut(&self) -> usize {
        self.cuts.n_done.load(Ordering::Acquire)
    }

    /// Swallows from now on whatever comes over the connections that there are, as a network does that forgot them.
    pub(super) fn forget_connections(&self) {
        self.cuts.n_silent.store(self.cuts.n_connections.load(Ordering::Acquire), Ordering::Release);
    }

    /// Answers the next connections as a server does that is still starting.
    pub(super) fn refuse_next(&self, n_connections: usize) {
        self.cuts.n_refusals.fetch_add(n_connections, Ordering::AcqRel);
    }
}

async fn connect(mut client: TcpStream, behind: Behind, delay: Duration, cuts: Arc<Cuts>) {
    if cuts.n_refusals.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| n.checked_sub(1)).is_ok() {
        let length = u32::try_from(STARTING.len() + 4).unwrap();
        let mut greeting = [0; 512];
        if client.read(&mut greeting).await.is_ok() {
            let refusal = [b"E", &length.to_be_bytes()[..], STARTING].concat();
            let _gone = client.write_all(&refusal).await;
        }
        return;
    }
    match behind {
        Behind::Socket(path) => {
            let Ok(server) = UnixStream::connect(path).await else { return };
            join(client, server.into_split(), delay, cuts).await;
        }
        Behind::Address(address) => {
            let Ok(server) = TcpStream::connect(address).await else { return };
            join(client, server.into_split(), delay, cuts).await;
        }
    }
}

/// Carries both directions; a cut ends both at once.
async fn join<R, W>(client: TcpStream, (server_reader, server_writer): (R, W), delay: Duration, cuts: Arc<Cuts>)
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let (client_reader, client_writer) = client.into_split();
    let number = cuts.n_connections.fetch_add(1, Ordering::AcqRel);
    let silence = Arc::clone(&cuts);
    let requests = spawn(carry(client_reader, server_writer, delay, |_| false, move || silence.is_silent(number)));
    carry(server_reader, client_writer, delay, |piece| cuts.is_cut(piece), || cuts.is_silent(number)).await;
    requests.abort();
}

/// Copies one direction until either side is gone or a piece is cut.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay: Duration,
    is_cut: impl Fn(&[u8]) -> bool,
    is_silent: impl Fn() -> bool,
) {
    let mut piece = vec![0; 16 << 10];
    while let Ok(n_bytes @ 1..) = from.read(&mut piece).await {
        tokio::time::sleep(delay).await;
        if is_silent() {
            continue;
        }
        if is_cut(&piece[..n_bytes]) || to.write_all(&piece[..n_bytes]).await.is_err() {
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
