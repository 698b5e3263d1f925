//! A client's connection, with the patience that the framework lacks: it times the head of the first request only, and
//! a client that does not read is waited for without end. It knows when bytes come and go, and nothing of what they say.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_web::Error;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::crowd::Seat;

/// How much later than the framework the first head is given up, so that its client gets the framework's 408.
const FIRST_HEAD_MARGIN: Duration = Duration::from_secs(1);

/// About how much is read of a client before what came is looked at.
const MAX_UNSEEN_BYTES: usize = 16 << 10;
/// About how much more is read of a client while its request is served and does not ask for more of its body. The framework
/// would read 128 KiB on, into buffers that double, whether or not somebody takes them: with one on its way and one that
/// waits for room that was half a megabyte for every connection, beside the budget.
const MAX_AHEAD_BYTES: usize = 32 << 10;

/// How long a client is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// From the first byte of a head to its last.
    pub(crate) head: Duration,
    /// From the end of an answer to the next request.
    pub(crate) idle: Duration,
    /// For the client to read on.
    pub(crate) stall: Duration,
}

/// What is known of the requests on a connection.
#[derive(Debug)]
pub(crate) struct Watch {
    patience: Patience,
    n_served: Cell<usize>,
    is_within_head: Cell<bool>,
    /// When the connection is given up unless a request begins.
    deadline: Cell<Option<Instant>>,
    /// What was read while a request is served that had not asked for it.
    n_ahead_bytes: Cell<usize>,
    /// Whoever waits until more may be read.
    reader: RefCell<Option<Waker>>,
}

impl Watch {
    fn new(patience: Patience) -> Self {
        let deadline = Cell::new(Some(Instant::now() + patience.head + FIRST_HEAD_MARGIN));
        // The first head counts from the beginning of the connection.
        Self {
            patience,
            n_served: Cell::new(0),
            is_within_head: Cell::new(true),
            deadline,
            n_ahead_bytes: Cell::new(0),
            reader: RefCell::new(None),
        }
    }

    fn request_begins(self: Rc<Self>) -> Serving {
        self.n_served.set(self.n_served.get() + 1);
        self.is_within_head.set(false);
        self.deadline.set(None);
        Serving(self)
    }

    fn request_ends(&self) {
        self.n_served.set(self.n_served.get().saturating_sub(1));
        if self.n_served.get() == 0 {
            self.deadline.set(Some(Instant::now() + self.patience.idle));
        }
        self.wants_more();
    }

    /// Notes that a request has taken all that came of its body, so that more may be read.
    pub(crate) fn wants_more(&self) {
        self.n_ahead_bytes.set(0);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// Tells whether enough was read ahead of a request; then the task is woken when it wants more.
    fn is_ahead(&self, cx: &Context<'_>) -> bool {
        let is_ahead = self.n_served.get() > 0 && self.n_ahead_bytes.get() >= MAX_AHEAD_BYTES;
        if is_ahead {
            self.reader.replace(Some(cx.waker().clone()));
        }
        is_ahead
    }

    /// Notes that something came. Between requests that is the beginning of a head.
    fn hears(&self) {
        if self.n_served.get() == 0 && !self.is_within_head.replace(true) {
            self.deadline.set(Some(Instant::now() + self.patience.head));
        }
    }
}

/// A request that is being served; its end is when this is dropped.
pub(crate) struct Serving(Rc<Watch>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.request_ends();
    }
}

/// A connection under watch.
pub(crate) struct Connection<S> {
    stream: S,
    watch: Rc<Watch>,
    alarm: Pin<Box<Sleep>>,
    stalled: Option<Pin<Box<Sleep>>>,
    /// What was read since the framework last looked at it.
    n_unseen_bytes: usize,
    _seat: Seat,
}

impl<S> Connection<S> {
    /// Begins to watch a connection.
    pub(crate) fn new(stream: S, patience: Patience, seat: Seat) -> Self {
        let alarm = Box::pin(sleep_until(Instant::now() + patience.head + FIRST_HEAD_MARGIN));
        Self { stream, watch: Rc::new(Watch::new(patience)), alarm, stalled: None, n_unseen_bytes: 0, _seat: seat }
    }

    /// Returns the watch, which learns from [`watched`] when requests begin and end.
    pub(crate) fn watch(&self) -> Rc<Watch> {
        Rc::clone(&self.watch)
    }

    /// Tells whether the client had its time; otherwise the task is woken when it has.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        while let Some(deadline) = self.watch.deadline.get() {
            if Instant::now() >= deadline {
                return true;
            }
            // An alarm that is set too early costs one look; setting it anew for each request would cost more.
            if self.alarm.is_elapsed() || self.alarm.deadline() > deadline {
                self.alarm.as_mut().reset(deadline);
            }
            if self.alarm.as_mut().poll(cx).is_pending() {
                return false;
            }
        }
        false
    }

    /// Passes the outcome of a write on, unless the client has not read for too long.
    fn written(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let stall = self.watch.patience.stall;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + stall)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.watch.is_ahead(cx) {
            this.n_unseen_bytes = 0;
            return Poll::Pending;
        }
        if this.n_unseen_bytes >= MAX_UNSEEN_BYTES {
            this.n_unseen_bytes = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let n_before = buf.filled().len();
        let outcome = Pin::new(&mut this.stream).poll_read(cx, buf);
        let n_bytes = buf.filled().len() - n_before;
        this.n_unseen_bytes = if outcome.is_pending() { 0 } else { this.n_unseen_bytes + n_bytes };
        this.watch.n_ahead_bytes.set(this.watch.n_ahead_bytes.get() + n_bytes);
        let has_come = outcome.is_ready() && n_bytes > 0;
        if has_come {
            this.watch.hears();
        }
        if (has_come || outcome.is_pending()) && this.is_late(cx) {
            // The framework closes in order what it takes for the client's end.
            buf.set_filled(n_before);
            return Poll::Ready(Ok(()));
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, piece: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(cx, piece);
        this.written(cx, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(cx, pieces);
        this.written(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// Tells the connection when a request begins and when the last of its answer was handed over.
pub(crate) async fn watched(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let serving = request.conn_data::<Rc<Watch>>().map(|watch| Rc::clone(watch).request_begins());
    let response = next.call(request).await?;
    Ok(response.map_body(|_, body| match body.boxed().try_into_bytes() {
        Ok(whole) => BoxBody::new(whole),
        Err(flowing) => BoxBody::new(Served { body: flowing, _serving: serving }),
    }))
}

/// The body of an answer that comes in pieces.
struct Served {
    body: BoxBody,
    _serving: Option<Serving>,
}

impl MessageBody for Served {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;
    use crate::http::crowd::Crowd;

    const PATIENCE: Patience =
        Patience { head: Duration::from_millis(200), idle: Duration::from_mins(1), stall: Duration::from_millis(200) };

    fn seat() -> Seat {
        Crowd::new(0).seat(None).unwrap()
    }

    #[tokio::test]
    async fn a_later_head_has_its_time_from_its_first_byte_on() {
        let (mut client, stream) = duplex(1024);
        let mut connection = Connection::new(stream, PATIENCE, seat());
        let mut buffer = [0; 8];
        drop(connection.watch().request_begins());

        client.write_all(b"P").await.unwrap();
        assert_eq!(connection.read(&mut buffer).await.unwrap(), 1);
        let started = Instant::now();
        assert_eq!(connection.read(&mut buffer).await.unwrap(), 0, "the connection is given up");

        assert!(started.elapsed() >= PATIENCE.head / 2 && started.elapsed() < PATIENCE.idle);
    }

    #[tokio::test]
    async fn a_request_that_is_served_is_not_timed() {
        let (mut client, stream) = duplex(1024);
        let mut connection = Connection::new(stream, PATIENCE, seat());
        let mut buffer = [0; 8];
        let serving = connection.watch().request_begins();

        let read = tokio::time::timeout(2 * (PATIENCE.head + FIRST_HEAD_MARGIN), connection.read(&mut buffer));
        assert!(read.await.is_err(), "a body may be on its way");
        client.write_all(b"body").await.unwrap();
        assert_eq!(connection.read(&mut buffer).await.unwrap(), 4);
        drop(serving);
    }

    #[tokio::test]
    async fn what_a_client_sends_is_looked_at_before_more_is_read() {
        let (mut client, stream) = duplex(1 << 20);
        let mut connection = Connection::new(stream, PATIENCE, seat());
        client.write_all(&vec![b'a'; 20 * MAX_UNSEEN_BYTES]).await.unwrap();
        let mut buffer = vec![0; MAX_UNSEEN_BYTES / 2];

        let (mut n_bytes, mut n_looks) = (0, 0);
        while n_bytes < 20 * MAX_UNSEEN_BYTES {
            match futures_util::poll!(std::pin::pin!(connection.read(&mut buffer))) {
                Poll::Ready(read) => n_bytes += read.unwrap(),
                Poll::Pending => n_looks += 1,
            }
            assert!(n_bytes <= (n_looks + 1) * MAX_UNSEEN_BYTES);
        }

        assert_eq!(n_looks, 19, "nothing was waited for otherwise");
    }

    #[tokio::test]
    async fn no_more_of_a_body_is_read_than_a_little_ahead_of_who_takes_it() {
        let (mut client, stream) = duplex(1 << 20);
        let mut connection = Connection::new(stream, PATIENCE, seat());
        client.write_all(&vec![b'a'; 20 * MAX_AHEAD_BYTES]).await.unwrap();
        let mut buffer = vec![0; MAX_UNSEEN_BYTES];
        let serving = connection.watch().request_begins();
        let patience = Duration::from_millis(50);
        let mut n_bytes = 0;

        while let Ok(read) = tokio::time::timeout(patience, connection.read(&mut buffer)).await {
            n_bytes += read.unwrap();
        }
        let n_ahead = n_bytes;
        connection.watch().wants_more();
        while let Ok(read) = tokio::time::timeout(patience, connection.read(&mut buffer)).await {
            n_bytes += read.unwrap();
        }
        let n_wanted = n_bytes - n_ahead;
        drop(serving);
        while n_bytes < 20 * MAX_AHEAD_BYTES {
            n_bytes += connection.read(&mut buffer).await.unwrap();
        }

        assert_eq!((n_ahead, n_wanted), (MAX_AHEAD_BYTES, MAX_AHEAD_BYTES), "the rest when nobody is served any more");
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_given_up() {
        let (client, stream) = duplex(16);
        let mut connection = Connection::new(stream, PATIENCE, seat());

        let failed = connection.write_all(&[0; 64]).await.unwrap_err();

        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
        drop(client);
    }
}
