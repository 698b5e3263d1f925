//! Reads a request's body within its bounds and in its time, and parses it as strict JSON.

use std::rc::Rc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderName};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::budget::Share;
use super::connection::Watch;
use super::decode::{Collected, Encoding, Step, too_large};
use super::error::Problem;
use super::incoming::Incoming;
use super::problem;
use super::query;
use super::services::{BodyLimits, Services};
use crate::domain::json::{Json, JsonError};

/// How often a body that does not come is asked whether it may still wait: its time shrinks when many wait.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A body that has not been read yet: a handler reads it once its caller is known.
pub(crate) struct Body {
    request: HttpRequest,
    incoming: Incoming,
    services: web::Data<Services>,
}

/// Which media types a body may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    /// `application/json`.
    Json,
    /// The same, or `text/plain`, which a browser sends without asking first.
    JsonOrText,
    /// What a form of a page sends.
    Form,
    /// `application/json`, or `application/x-protobuf`, which may be empty: the two encodings of OTLP.
    Otlp,
}

/// Whose bounds a body is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// A backend's.
    Backend,
    /// Those of whoever may be a browser.
    Browser,
    /// Those of OTLP, whose specification recommends them.
    Otlp,
}

impl Media {
    fn list(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::JsonOrText => "application/json, text/plain",
            Self::Form => "application/x-www-form-urlencoded",
            Self::Otlp => "application/x-protobuf, application/json",
        }
    }

    /// Tells whether a `Content-Type` is one of them; the only parameter that may change the meaning is the charset.
    fn admits(self, content_type: &str) -> bool {
        let mut parts = content_type.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let charset_ok = parts.all(|parameter| {
            let parameter = parameter.to_ascii_lowercase();
            let charset = parameter.strip_prefix("charset=").map(|value| value.trim_matches('"'));
            charset.is_none_or(|charset| matches!(charset, "utf-8" | "utf8"))
        });
        self.list().split(", ").any(|admitted| admitted == essence) && charset_ok
    }
}

impl FromRequest for Body {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let incoming = request.extensions().get::<Incoming>().cloned();
        let services = request.app_data::<web::Data<Services>>().cloned();
        std::future::ready(match (incoming, services) {
            (Some(incoming), Some(services)) => Ok(Self { request: request.clone(), incoming, services }),
            _ => Err(Problem::new(problem::INTERNAL_ERROR)),
        })
    }
}

/// A body that was read and is JSON, with the memory that it may take.
pub(crate) struct Received<J = Json> {
    json: J,
    n_bytes: usize,
    share: Share,
    incoming: Incoming,
    services: web::Data<Services>,
}

impl<J: Send + 'static> Received<J> {
    /// Returns the JSON.
    pub(crate) fn json(&self) -> &J {
        &self.json
    }

    /// Reads on in the JSON, on another thread where there is much of it.
    pub(crate) async fn parse<T: Send + 'static>(
        self,
        parse: impl FnOnce(J) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let json = self.json;
        let (parsed, share) = self.services.door().parsers.run(self.n_bytes, self.share, move || parse(json)).await?;
        // What was parsed takes about as much, until it is answered.
        self.incoming.hold(share);
        Ok(parsed)
    }
}

impl Body {
    /// Reads the whole body as one JSON value.
    pub(crate) async fn read_json(self, media: Media) -> Result<Json, Problem> {
        let received = self.receive(media, Bound::Backend).await?;
        received.incoming.hold(received.share);
        Ok(received.json)
    }

    /// Reads the whole body as the fields of a form, in their order; it is a browser's.
    pub(crate) async fn read_form(self) -> Result<Vec<(String, String)>, Problem> {
        let (bytes, share) = self.read(Media::Form, Bound::Browser).await?;
        let fields = std::str::from_utf8(&bytes).ok().and_then(query::pairs);
        self.incoming.hold(share);
        fields.ok_or_else(|| Problem::new(problem::MALFORMED_REQUEST).detail("the form is not percent-encoded UTF-8"))
    }

    /// Reads the whole body within the bounds of whoever sends it, for a handler that still has to parse a lot.
    pub(crate) async fn receive(self, media: Media, bound: Bound) -> Result<Received, Problem> {
        self.receive_by(media, bound, Json::parse).await
    }

    /// Reads the whole body by a reader of other JSON than ours.
    pub(crate) async fn receive_by<J: Send + 'static, E: Into<Problem> + Send + 'static>(
        self,
        media: Media,
        bound: Bound,
        read: fn(&[u8]) -> Result<J, E>,
    ) -> Result<Received<J>, Problem> {
        let (bytes, share) = self.read(media, bound).await?;
        let n_bytes = bytes.len();
        if n_bytes == 0 && media != Media::Otlp {
            return Err(Problem::new(problem::JSON_MALFORMED).detail("the body is empty"));
        }
        let Self { incoming, services, .. } = self;
        let (parsed, share) = services.door().parsers.run(n_bytes, share, move || read(&bytes)).await?;
        let json = parsed.map_err(E::into)?;
        Ok(Received { json, n_bytes, share, incoming, services })
    }

    async fn read(&self, media: Media, bound: Bound) -> Result<(Vec<u8>, Share), Problem> {
        let (settings, door) = (self.services.settings(), self.services.door());
        let limits = match bound {
            Bound::Backend => &settings.body,
            Bound::Browser => &settings.browser_body,
            Bound::Otlp => &settings.otlp_body,
        };
        if !self.header(&header::CONTENT_TYPE)?.is_some_and(|content_type| media.admits(content_type)) {
            let accept_post = HeaderName::from_static("accept-post");
            return Err(Problem::new(problem::MEDIA_TYPE_UNSUPPORTED).header(accept_post, media.list()));
        }
        let encoding = self.header(&header::CONTENT_ENCODING)?.map_or(Some(Encoding::Identity), Encoding::parse);
        let Some(encoding) = encoding else {
            return Err(
                Problem::new(problem::CONTENT_ENCODING_UNSUPPORTED).header(header::ACCEPT_ENCODING, Encoding::ACCEPTED)
            );
        };
        let expected_bytes = self.header(&header::CONTENT_LENGTH)?.and_then(|length| length.parse::<u64>().ok());
        if expected_bytes.is_some_and(|n_bytes| n_bytes > limits.wire_bytes as u64) {
            return Err(too_large(limits));
        }
        let collected = Collected::new(encoding, limits, door.bodies.stock())?;
        let mut filling = Filling { collected, share: door.bodies.share(), encoding };
        if encoding == Encoding::Identity {
            // What is announced is asked for at once, so that bodies that come in pieces do not wait for each other.
            filling.grow_to(expected_bytes.unwrap_or(0) as usize).await?;
        }
        let started = Instant::now();
        loop {
            let allowed = time_allowed(limits, filling.collected.n_wire_bytes(), door.gate.is_crowded());
            let deadline = started + allowed;
            match timeout_at(deadline.min(Instant::now() + LOOK_EVERY), self.next_piece()).await {
                Ok(Some(Ok(piece))) => filling.take(&piece).await?,
                Ok(None) => break,
                Ok(Some(Err(_))) => return Err(Problem::new(problem::BODY_INCOMPLETE)),
                Err(_) if Instant::now() < deadline => (),
                Err(_) => return Err(Problem::new(problem::BODY_TOO_SLOW)),
            }
        }
        filling.finish().await
    }

    /// Returns the next piece. Where none has come, the connection may read on: not before, so that a body that waits for
    /// room leaves the rest of it with the client.
    async fn next_piece(&self) -> Option<Result<Bytes, PayloadError>> {
        let watch = self.request.conn_data::<Rc<Watch>>();
        let mut next = std::pin::pin!(self.incoming.next());
        std::future::poll_fn(|cx| {
            let polled = next.as_mut().poll(cx);
            if let (true, Some(watch)) = (polled.is_pending(), watch) {
                watch.wants_more();
            }
            polled
        })
        .await
    }

    /// Returns a header that may come once; a list of several values is one text to whoever reads it.
    fn header(&self, name: &HeaderName) -> Result<Option<&str>, Problem> {
        let mut values = self.request.headers().get_all(name);
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Problem::new(problem::MALFORMED_REQUEST).detail(format!("the header {name} comes twice")));
        }
        let malformed = |_| Problem::new(problem::MALFORMED_REQUEST).detail(format!("the header {name} is not ASCII"));
        value.to_str().map(Some).map_err(malformed)
    }
}

impl From<JsonError> for Problem {
    fn from(error: JsonError) -> Self {
        let kind = match error {
            JsonError::Syntax { .. } => problem::JSON_MALFORMED,
            JsonError::DuplicateKey { .. } => problem::DUPLICATE_KEY,
            JsonError::TooDeep { .. } => problem::TOO_DEEP,
            JsonError::TooManyValues => problem::TOO_MANY_VALUES,
            JsonError::IntegerTooLarge => problem::INTEGER_TOO_LARGE,
        };
        // These errors hold a position and never a value.
        Self::new(kind).detail(error.to_string())
    }
}

/// A body on its way into memory, and the memory that it may take.
struct Filling<'a> {
    collected: Collected<'a>,
    share: Share,
    encoding: Encoding,
}

impl Filling<'_> {
    /// Takes a piece in steps, between which other requests have their turn.
    async fn take(&mut self, mut piece: &[u8]) -> Result<(), Problem> {
        loop {
            match self.collected.advance(piece)? {
                Step::Took(n_bytes) => piece = &piece[n_bytes..],
                Step::NeedsRoom(n_bytes) => self.grow_to(n_bytes).await?,
                Step::Done => return Ok(()),
            }
            if self.encoding != Encoding::Identity {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Gets room for so many bytes and, where that can be, for as many again: small steps would cost more than they save.
    async fn grow_to(&mut self, n_bytes: usize) -> Result<(), Problem> {
        let generous = (2 * n_bytes).min(self.collected.max_bytes()).max(n_bytes);
        if !self.share.try_grow_to(self.encoding.memory_of(generous)) {
            self.share.grow_to(self.encoding.memory_of(n_bytes)).await?;
        }
        self.collected.grant(self.encoding.bytes_within(self.share.n_bytes()));
        Ok(())
    }

    async fn finish(mut self) -> Result<(Vec<u8>, Share), Problem> {
        while let Step::NeedsRoom(n_bytes) = self.collected.finish()? {
            self.grow_to(n_bytes).await?;
        }
        Ok((self.collected.into_bytes(), self.share))
    }
}

/// How long after its start a body may take for its next piece, given what has come: the grace, and the time that the
/// slowest acceptable rate takes for it, but never more than the deadline. Where many wait, the grace is short.
fn time_allowed(limits: &BodyLimits, n_wire_bytes: usize, is_crowded: bool) -> Duration {
    let earned = Duration::from_secs_f64(n_wire_bytes as f64 / limits.min_bytes_per_s.max(1) as f64);
    let grace = if is_crowded { limits.grace / 10 } else { limits.grace };
    limits.deadline.min(grace + earned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_admitted_with_the_one_charset_that_json_has() {
        for admitted in ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""] {
            assert!(Media::Json.admits(admitted) && Media::JsonOrText.admits(admitted), "{admitted}");
        }
        for refused in ["application/json; charset=latin1", "application/x-www-form-urlencoded", "", "json"] {
            assert!(!Media::Json.admits(refused) && !Media::JsonOrText.admits(refused), "{refused}");
        }
        assert!(Media::JsonOrText.admits("text/plain;charset=UTF-8"));
        assert!(!Media::Json.admits("text/plain"));
    }

    #[test]
    fn a_body_earns_time_by_coming_and_never_more_than_the_deadline() {
        let limits = BodyLimits {
            deadline: Duration::from_mins(1),
            grace: Duration::from_secs(5),
            min_bytes_per_s: 1000,
            ..BodyLimits::default()
        };

        assert_eq!(time_allowed(&limits, 0, false), Duration::from_secs(5));
        assert_eq!(time_allowed(&limits, 10_000, false), Duration::from_secs(15));
        assert_eq!(time_allowed(&limits, 10_000_000, false), Duration::from_mins(1));
        assert_eq!(time_allowed(&limits, 0, true), Duration::from_millis(500));
        assert_eq!(time_allowed(&limits, 10_000, true), Duration::from_millis(10_500));
    }
}
