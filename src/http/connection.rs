//! A client's connection, with the patience that the framework lacks: it times the head of the first request only, and
//! a client that does not read is waited for without end. It knows when bytes come and go, and nothing of what they say.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
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
}

impl Watch {
    fn new(patience: Patience) -> Self {
        let deadline = Cell::new(Some(Instant::now() + patience.head + FIRST_HEAD_MARGIN));
        // The first head counts from the beginning of the connection.
        Self { patience, n_served: Cell::new(0), is_within_head: Cell::new(true), deadline }
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
    _seat: Seat,
}

impl<S> Connection<S> {
    /// Begins to watch a connection.
    pub(crate) fn new(stream: S, patience: Patience, seat: Seat) -> Self {
        let alarm = Box::pin(sleep_until(Instant::now() + patience.head + FIRST_HEAD_MARGIN));
        Self { stream, watch: Rc::new(Watch::new(patience)), alarm, stalled: None, _seat: seat }
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
        let n_before = buf.filled().len();
        let outcome = Pin::new(&mut this.stream).poll_read(cx, buf);
        let has_come = outcome.is_ready() && buf.filled().len() > n_before;
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
    async fn a_client_that_does_not_read_is_given_up() {
        let (client, stream) = duplex(16);
        let mut connection = Connection::new(stream, PATIENCE, seat());

        let failed = connection.write_all(&[0; 64]).await.unwrap_err();

        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
        drop(client);
    }
}
