//! Problems as answers (RFC 9457): the single place where a failure gets its status. A 5xx says nothing of its cause,
//! which the log gets once, under the request's id.

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use uuid::Uuid;

use super::problem::{self, Kind};
use crate::domain::fields::{FieldCode, FieldError};
use crate::service::ServiceError;
use crate::service::error::{Conflict, Failure};
use crate::service::ingest::Rejected;

/// Seconds after which a client may try again.
const RETRY_AFTER_S: u32 = 1;

/// A failed request.
#[derive(Debug)]
pub(crate) struct Problem(Box<Parts>);

#[derive(Debug)]
struct Parts {
    kind: &'static Kind,
    detail: Option<String>,
    faults: Vec<Fault>,
    rejected: Vec<Rejected>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<ServiceError>,
}

/// One thing that is wrong with the request, and where.
#[derive(Debug, Serialize)]
struct Fault {
    #[serde(flatten)]
    place: Place,
    code: FieldCode,
    detail: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    /// A JSON Pointer into the body.
    Pointer(String),
    /// The name of a query parameter.
    Parameter(String),
}

/// The answer's body.
#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    instance: String,
    code: &'static str,
    retryable: bool,
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    errors: &'a [Fault],
    #[serde(skip_serializing_if = "<[Rejected]>::is_empty")]
    rejected: &'a [Rejected],
}

impl Problem {
    /// Makes a problem of a kind, with the kind's own words.
    pub(crate) fn new(kind: &'static Kind) -> Self {
        let mut headers = Vec::new();
        if matches!(kind.status, 429 | 503) {
            headers.push((header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S)));
        }
        if kind.status == 401 {
            headers.push((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"afterword\"")));
        }
        Self(Box::new(Parts { kind, detail: None, faults: Vec::new(), rejected: Vec::new(), headers, cause: None }))
    }

    /// Makes the problem that another service of ours answered with; one of that status where the code is not known.
    pub(crate) fn of_code(code: &str, status: u16) -> Self {
        Self::new(Kind::of(code).unwrap_or_else(|| Kind::of_status(status)))
    }

    /// Says more exactly what to do; never with anything that the client sent.
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds a header to the answer.
    pub(crate) fn header(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        // Values are words and numbers of ours; none fails.
        self.0.headers.extend(value.try_into().ok().map(|value| (name, value)));
        self
    }

    /// Says when to come back, in seconds.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.0.headers.retain(|(name, _)| *name != header::RETRY_AFTER);
        self.0.headers.push((header::RETRY_AFTER, HeaderValue::from(seconds)));
        self
    }

    /// Says 503 in place of 429, to senders that give up for good on every 4xx.
    pub(crate) fn or_busy(mut self) -> Self {
        if self.0.kind.status == 429 {
            self.0.kind = problem::BUSY;
        }
        self
    }

    /// Makes a problem of what is wrong with a body.
    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        Self::with_faults(errors, Place::Pointer)
    }

    /// Makes a problem of what is wrong with a query.
    pub(crate) fn invalid_query(errors: Vec<FieldError>) -> Self {
        Self::with_faults(errors, Place::Parameter)
    }

    fn with_faults(errors: Vec<FieldError>, place: fn(String) -> Place) -> Self {
        let Some(first) = errors.first() else { return Self::new(problem::NONE_ACCEPTED) };
        let mut problem = Self::new(Kind::of_field(first.code)).detail(first.to_string());
        problem.0.faults = errors
            .into_iter()
            .map(|error| Fault { place: place(error.pointer), code: error.code, detail: error.detail })
            .collect();
        problem
    }

    /// Makes a problem of a request none of whose items was accepted; it has their code where they share one.
    pub(crate) fn none_accepted(rejected: Vec<Rejected>) -> Self {
        let shared = rejected.first().filter(|first| rejected.iter().all(|item| item.code == first.code));
        let mut problem = match shared {
            Some(first) => Self::new(Kind::of(first.code).unwrap_or(problem::NONE_ACCEPTED)).detail(&*first.detail),
            None => Self::new(problem::NONE_ACCEPTED),
        };
        problem.0.rejected = rejected;
        problem
    }

    /// Returns the kind.
    pub(crate) fn kind(&self) -> &'static Kind {
        self.0.kind
    }

    /// Returns what to do about it, in one sentence.
    pub(crate) fn advice(&self) -> &str {
        self.0.detail.as_deref().unwrap_or(self.0.kind.detail)
    }

    /// Returns the failure behind it, which is for the log only.
    pub(crate) fn cause(&self) -> Option<&ServiceError> {
        self.0.cause.as_ref()
    }

    /// Writes the body of the answer to a request.
    pub(crate) fn to_json(&self, request_id: Uuid) -> Vec<u8> {
        let Parts { kind, faults, rejected, .. } = &*self.0;
        let body = Body {
            r#type: kind.uri(),
            title: kind.title,
            status: kind.status,
            detail: self.advice(),
            instance: request_id.urn().to_string(),
            code: kind.code,
            retryable: kind.retryable,
            errors: faults,
            rejected,
        };
        // Texts, numbers and string keys always serialise.
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.kind.code)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Makes the head of the answer; `http::edge` writes the body, because only it knows the request's id.
    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::new(self.status_code());
        for (name, value) in &self.0.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        let kind = match error {
            ServiceError::Invalid(errors) => return Self::invalid(errors),
            // The cause is told in words of ours, and without what the storage server said.
            ServiceError::DestinationUnusable(ref cause) => {
                let mut problem = Self::new(problem::DESTINATION_UNAVAILABLE)
                    .detail(format!("the destination cannot be used: {cause}"));
                problem.0.cause = Some(error);
                return problem;
            }
            ServiceError::NoData(missing) => return Self::new(problem::NO_DATA).detail(missing),
            ServiceError::Unauthenticated => problem::CREDENTIAL_INVALID,
            ServiceError::NotFound => problem::NOT_FOUND,
            ServiceError::Conflict(Conflict::IdempotencyKey) => problem::IDEMPOTENCY_KEY_REUSED,
            ServiceError::Conflict(Conflict::Experiment) => problem::EXPERIMENT_CONFLICT,
            ServiceError::Conflict(Conflict::ExportUnfinished) => problem::EXPORT_UNFINISHED,
            ServiceError::Conflict(Conflict::ParentGone) => problem::PARENT_GONE,
            ServiceError::Conflict(Conflict::ExportEnded) => problem::EXPORT_ENDED,
            ServiceError::Conflict(Conflict::TooManyKeys) => problem::TOO_MANY_KEYS,
            ServiceError::Conflict(Conflict::NoSigningKey) => problem::SIGNING_KEY_MISSING,
            ServiceError::Conflict(Conflict::TooManyRevocations) => problem::TOO_MANY_REVOCATIONS,
            ServiceError::Overloaded => problem::OVERLOADED,
            ServiceError::TimedOut => problem::DATABASE_TIMEOUT,
            ServiceError::WritersGone => problem::WRITERS_GONE,
            _ => match error.failure() {
                Failure::DatabaseUnavailable => problem::DATABASE_UNAVAILABLE,
                Failure::SchemaUnfit => problem::SCHEMA_UNFIT,
                Failure::StorageUnavailable => problem::STORAGE_UNAVAILABLE,
                Failure::FileMissing => problem::NOT_FOUND,
                Failure::Broken => problem::INTERNAL_ERROR,
            },
        };
        let mut problem = Self::new(kind);
        problem.0.cause = Some(error);
        problem
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;
    use crate::store::error::Cause;

    fn rejected(index: usize, code: &'static str) -> Rejected {
        Rejected { index, id: None, code, detail: format!("detail of {code}"), errors: Vec::new() }
    }

    #[test]
    fn a_failure_of_the_database_is_told_without_its_words_and_may_be_tried_again() {
        let cause = Cause::Server { code: "57P03".to_owned(), constraint: None };
        let problem = Problem::from(ServiceError::Store(StoreError::Unavailable(cause)));

        let body = String::from_utf8(problem.to_json(Uuid::nil())).unwrap();

        assert_eq!(problem.status_code(), 503);
        assert_eq!(problem.error_response().headers().get("retry-after").unwrap(), "1");
        assert!(body.contains("\"code\":\"database_unavailable\"") && body.contains("\"retryable\":true"));
        assert!(body.contains("\"instance\":\"urn:uuid:00000000-0000-0000-0000-000000000000\""));
        assert!(!body.contains("57P03"));
    }

    #[test]
    fn rejections_that_share_a_code_make_a_problem_of_that_code() {
        let same = Problem::none_accepted(vec![rejected(0, "conflict"), rejected(1, "conflict")]);
        let mixed = Problem::none_accepted(vec![rejected(0, "conflict"), rejected(1, "required")]);

        assert_eq!((same.kind().code, mixed.kind().code), ("conflict", "none_accepted"));
        assert!(String::from_utf8(mixed.to_json(Uuid::nil())).unwrap().contains("\"rejected\":[{\"index\":0"));
    }

    #[test]
    fn a_fault_names_its_place_in_the_body_or_the_query() {
        let error = || vec![FieldError::new("/thumb", FieldCode::Required, "`thumb` is required")];

        let body = String::from_utf8(Problem::invalid(error()).to_json(Uuid::nil())).unwrap();
        let query = String::from_utf8(Problem::invalid_query(error()).to_json(Uuid::nil())).unwrap();

        assert!(body.contains("\"errors\":[{\"pointer\":\"/thumb\",\"code\":\"required\""), "{body}");
        assert!(query.contains("\"errors\":[{\"parameter\":\"/thumb\""), "{query}");
    }
}
