//! The body of a request as it comes in, owned by `http::edge` so that it outlives the handler.
//!
//! actix closes a connection whose request was answered before its body was read only while somebody still holds the
//! body; otherwise it reads a chunked body on for as long as the client cares to send it.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::Stream as _;

use super::budget::Share;

/// A handle on a request's body.
#[derive(Clone)]
pub(crate) struct Incoming(Rc<RefCell<Source>>);

struct Source {
    payload: Payload,
    has_ended: bool,
    /// The memory that what was read may take.
    share: Option<Share>,
}

impl Incoming {
    pub(crate) fn new(payload: Payload) -> Self {
        let has_ended = matches!(payload, Payload::None);
        Self(Rc::new(RefCell::new(Source { payload, has_ended, share: None })))
    }

    /// Returns the next piece, or nothing after the last.
    pub(crate) async fn next(&self) -> Option<Result<Bytes, PayloadError>> {
        std::future::poll_fn(|cx| {
            let mut source = self.0.borrow_mut();
            if source.has_ended {
                return Poll::Ready(None);
            }
            let polled = Pin::new(&mut source.payload).poll_next(cx);
            if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
                source.has_ended = true;
            }
            polled
        })
        .await
    }

    /// Tells whether everything was read.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.borrow().has_ended
    }

    /// Keeps the memory of a body that was read until its request is answered.
    pub(crate) fn hold(&self, share: Share) {
        self.0.borrow_mut().share = Some(share);
    }

    /// Makes an answer's body hold the request's until the answer is sent.
    pub(crate) fn held_by(self, body: BoxBody) -> BoxBody {
        BoxBody::new(Holding { body, _held: self })
    }
}

struct Holding {
    body: BoxBody,
    _held: Incoming,
}

impl MessageBody for Holding {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(cx)
    }
}
