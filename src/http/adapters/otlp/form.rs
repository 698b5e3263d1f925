//! The two encodings of OTLP and what is answered in them: export responses, and `google.rpc.Status` for failures.

use actix_web::HttpRequest;
use actix_web::http::header;
use prost::Message as _;
use serde_json::json;

use super::super::super::error::Problem;

/// The addresses where OTLP is spoken.
pub(crate) const ROUTES: [&str; 3] = ["/v1/traces", "/v1/logs", "/api/public/otel/v1/traces"];

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// How a request is encoded, and so its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Protobuf,
    Json,
}

/// What an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Logs,
}

/// `ExportTraceServiceResponse` and `ExportLogsServiceResponse`, which are alike on the wire.
#[derive(Clone, PartialEq, prost::Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

/// What of a request was not stored.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PartialSuccess {
    /// How many spans or records.
    #[prost(int64, tag = "1")]
    pub(super) n_rejected: i64,
    /// Why, by codes and counts.
    #[prost(string, tag = "2")]
    pub(super) error_message: String,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

impl Form {
    /// Tells the form of a request by its media type; one that says none of the two is answered in JSON.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let said = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = said.and_then(|said| said.split(';').next()).unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case(PROTOBUF) { Self::Protobuf } else { Self::Json }
    }

    /// Tells it for requests to the addresses where OTLP is spoken, whatever became of them.
    pub(crate) fn of_route(request: &HttpRequest) -> Option<Self> {
        ROUTES.contains(&request.match_info().as_str()).then(|| Self::of(request))
    }

    /// Returns its media type.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Protobuf => PROTOBUF,
            Self::Json => JSON,
        }
    }

    /// Writes a failure.
    pub(crate) fn status(self, problem: &Problem) -> Vec<u8> {
        let kind = problem.kind();
        let (code, message) = (rpc_code(kind.status), format!("{}: {}", kind.code, problem.advice()));
        match self {
            Self::Protobuf => RpcStatus { code, message }.encode_to_vec(),
            Self::Json => json!({"code": code, "message": message}).to_string().into_bytes(),
        }
    }

    /// Writes an answer. Counts of 64 bits are texts in the protocol's JSON.
    pub(super) fn answer(self, signal: Signal, partial: Option<PartialSuccess>) -> Vec<u8> {
        let name = match signal {
            Signal::Traces => "rejectedSpans",
            Signal::Logs => "rejectedLogRecords",
        };
        match (self, partial) {
            (Self::Protobuf, partial_success) => ExportResponse { partial_success }.encode_to_vec(),
            (Self::Json, None) => b"{}".to_vec(),
            (Self::Json, Some(partial)) => {
                let told = json!({name: partial.n_rejected.to_string(), "errorMessage": partial.error_message});
                json!({"partialSuccess": told}).to_string().into_bytes()
            }
        }
    }
}

/// Says a status of HTTP in the codes of gRPC, as their specification has them side by side.
fn rpc_code(status: u16) -> i32 {
    match status {
        401 => 16,
        403 => 7,
        404 => 5,
        405 | 501 => 12,
        408 | 504 => 4,
        409 => 10,
        429 => 8,
        503 => 14,
        400..=499 => 3,
        _ => 13,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::problem;
    use super::*;

    #[test]
    fn a_failure_has_the_codes_of_both_protocols_in_either_encoding() {
        for (kind, code) in [
            (problem::OTLP_MALFORMED, 3),
            (problem::CREDENTIAL_MISSING, 16),
            (problem::QUOTA_EXCEEDED, 8),
            (problem::BUSY, 14),
        ] {
            let problem = Problem::new(kind).detail("so");

            let json: serde_json::Value = serde_json::from_slice(&Form::Json.status(&problem)).unwrap();
            let protobuf = RpcStatus::decode(&Form::Protobuf.status(&problem)[..]).unwrap();

            assert_eq!((&json["code"], protobuf.code), (&json!(code), code), "{}", kind.code);
            assert_eq!(
                (json["message"].as_str(), &protobuf.message),
                (Some(&*format!("{}: so", kind.code)), &format!("{}: so", kind.code))
            );
        }
    }

    #[test]
    fn an_answer_is_empty_unless_something_was_rejected() {
        let partial = PartialSuccess { n_rejected: 2, error_message: "conflict=2".to_owned() };

        assert_eq!(Form::Protobuf.answer(Signal::Traces, None), b"");
        assert_eq!(Form::Json.answer(Signal::Logs, None), b"{}");
        assert_eq!(Form::Protobuf.answer(Signal::Logs, Some(partial.clone())), b"\x0a\x0e\x08\x02\x12\x0aconflict=2");
        let told: serde_json::Value = serde_json::from_slice(&Form::Json.answer(Signal::Logs, Some(partial))).unwrap();
        assert_eq!(told, json!({"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": "conflict=2"}}));
    }
}
