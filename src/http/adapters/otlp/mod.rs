//! `/v1/traces` and `/v1/logs`: OTLP over HTTP, in protobuf or JSON. Answers and failures have the protocol's own form, in the
//! encoding of the request.

mod form;

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{HttpRequest, HttpResponse, web};

use super::super::auth::{Caller, MayIngest, MayIngestByBasic};
use super::super::body::{Body, Bound, Media};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::problem;
use super::super::services::Services;
use super::super::v1::receipt;
use super::super::visit::Visit;
use crate::domain::principal::Principal;
use crate::foreign::otlp::{DecodeError, Export, Logs, MAX_ITEMS, Traces, Translated};
use crate::service::ingest::{self, Receipt};

pub(crate) use form::{Form, ROUTES};
use form::{PartialSuccess, Signal};

/// Records the calls of models, and what people said of them, among spans.
#[utoipa::path(post, path = "/v1/traces", tag = "Adapters", operation_id = "export_traces",
    security(("credential" = ["ingest", "admin"])),
    request_body(content((doc::OtlpTraces = "application/json"), (doc::Bytes = "application/x-protobuf"))),
    responses(
        (status = 200, description = "Everything is stored, or `partialSuccess` counts what is not",
            content((doc::OtlpTracesAnswer = "application/json"), (doc::Bytes = "application/x-protobuf"))),
        (status = 429, description = "Too many items in a while: `quota_exceeded`"),
    ),
)]
pub(crate) async fn create_traces(
    request: HttpRequest,
    caller: Caller<MayIngest>,
    body: Body,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    export::<Traces>(request, &caller.principal, body, services, Signal::Traces).await
}

/// Records the same from Langfuse's clients, which know this address and `Basic`.
#[utoipa::path(post, path = "/api/public/otel/v1/traces", tag = "Adapters", operation_id = "export_langfuse_traces",
    security(("credential" = ["ingest", "admin"]), ("basic" = [])),
    request_body(content((doc::OtlpTraces = "application/json"), (doc::Bytes = "application/x-protobuf"))),
    responses(
        (status = 200, description = "Everything is stored, or `partialSuccess` counts what is not",
            content((doc::OtlpTracesAnswer = "application/json"), (doc::Bytes = "application/x-protobuf"))),
        (status = 429, description = "Too many items in a while: `quota_exceeded`"),
    ),
)]
pub(crate) async fn create_langfuse_traces(
    request: HttpRequest,
    caller: Caller<MayIngestByBasic>,
    body: Body,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    export::<Traces>(request, &caller.principal, body, services, Signal::Traces).await
}

/// Records the same among log records.
#[utoipa::path(post, path = "/v1/logs", tag = "Adapters", operation_id = "export_logs",
    security(("credential" = ["ingest", "admin"])),
    request_body(content((doc::OtlpLogs = "application/json"), (doc::Bytes = "application/x-protobuf"))),
    responses(
        (status = 200, description = "Everything is stored, or `partialSuccess` counts what is not",
            content((doc::OtlpLogsAnswer = "application/json"), (doc::Bytes = "application/x-protobuf"))),
        (status = 429, description = "Too many items in a while: `quota_exceeded`"),
    ),
)]
pub(crate) async fn create_logs(
    request: HttpRequest,
    caller: Caller<MayIngest>,
    body: Body,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    export::<Logs>(request, &caller.principal, body, services, Signal::Logs).await
}

async fn export<T: Export>(
    request: HttpRequest,
    principal: &Principal,
    body: Body,
    services: web::Data<Services>,
    signal: Signal,
) -> Result<HttpResponse, Problem> {
    let read = match Form::of(&request) {
        Form::Protobuf => T::from_protobuf,
        Form::Json => T::from_json,
    };
    let received = body.receive_by(Media::Otlp, Bound::Otlp, read).await?;
    let meanings = services.settings().score_meanings.clone();
    let translated = received.parse(move |sent| sent.translate(&meanings)).await??;
    let outcome = record(&request, principal, &services, translated).await?;
    outcome.render(Form::of(&request), signal)
}

/// What became of the records of a request.
struct Outcome {
    n_good: usize,
    n_rejected: usize,
    n_by_code: BTreeMap<&'static str, usize>,
}

async fn record(
    request: &HttpRequest,
    principal: &Principal,
    services: &Services,
    translated: Translated,
) -> Result<Outcome, Problem> {
    let n_items = translated.completions.len() + translated.feedback.len();
    if n_items > MAX_ITEMS {
        return Err(Problem::new(problem::TOO_MANY_ITEMS).detail(format!(
            "a request may hold {MAX_ITEMS} calls and reactions; nothing was stored, export fewer at a time"
        )));
    }
    Visit::of(request).charge_caller(services, principal, n_items)?;
    let app = services.app();
    ingest::count_ignored(app, "ignored_failed_call", translated.n_failed);
    ingest::count_ignored(app, "ignored_nested_call", translated.n_nested);
    ingest::count_ignored(app, "ignored_other_record", translated.n_other);
    let n_ignored = translated.n_failed + translated.n_nested + translated.n_other;

    let (places, items): (Vec<usize>, Vec<_>) = translated.completions.into_iter().unzip();
    let completions = ingest::record_completions(app, principal, receipt::to_parsed(items)).await?;
    let (places_of_feedback, items): (Vec<usize>, Vec<_>) = translated.feedback.into_iter().unzip();
    // Where this fails the caller sends everything again, and the completions are duplicates then.
    let feedback = ingest::record_feedback(app, principal, receipt::to_parsed(items)).await?;

    let mut outcome = Outcome { n_good: n_ignored, n_rejected: 0, n_by_code: BTreeMap::new() };
    let mut rejected: BTreeSet<usize> = BTreeSet::new();
    for (receipt, places) in [(completions, places), (feedback, places_of_feedback)] {
        outcome.add(&receipt, &places, &mut rejected);
    }
    outcome.n_rejected = rejected.len();
    Ok(outcome)
}

impl Outcome {
    fn add(&mut self, receipt: &Receipt, places: &[usize], rejected: &mut BTreeSet<usize>) {
        self.n_good += receipt.accepted + receipt.duplicate;
        for item in &receipt.rejected {
            *self.n_by_code.entry(item.code).or_default() += 1;
            rejected.extend(places.get(item.index));
        }
    }

    /// Says what was rejected, by codes and counts alone. A request of which nothing is any good fails, so that its sender
    /// learns of it; one of which some is good must not be sent again.
    fn render(self, form: Form, signal: Signal) -> Result<HttpResponse, Problem> {
        let counts: Vec<String> = self.n_by_code.iter().map(|(code, n)| format!("{code}={n}")).collect();
        let error_message = counts.join(", ");
        if self.n_good == 0 && self.n_rejected > 0 {
            return Err(Problem::new(problem::OTLP_NONE_ACCEPTED).detail(error_message));
        }
        let partial =
            (self.n_rejected > 0).then_some(PartialSuccess { n_rejected: self.n_rejected as i64, error_message });
        Ok(HttpResponse::Ok().content_type(form.media_type()).body(form.answer(signal, partial)))
    }
}

impl From<DecodeError> for Problem {
    fn from(error: DecodeError) -> Self {
        let kind = match error {
            DecodeError::Json(error) => return error.into(),
            DecodeError::Member { .. } | DecodeError::Protobuf => problem::OTLP_MALFORMED,
            DecodeError::TooDeep => problem::TOO_DEEP,
            DecodeError::TooManyValues => problem::TOO_MANY_VALUES,
        };
        // These errors hold names of the protocol's and never a value.
        Self::new(kind).detail(error.to_string())
    }
}
