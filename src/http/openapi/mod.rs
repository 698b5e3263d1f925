//! The OpenAPI document: addresses from the handlers' own annotations, schemas from the bounds that the parsers apply.
//! It describes requests and reads none.

mod adapters;
mod depth;
mod keys;
mod otlp;
mod pages;
mod planning;
mod reading;
mod serving;
mod serving_report;
mod words;
mod writing;

use std::sync::LazyLock;

use actix_web::HttpResponse;
use serde_json::{Map, Value, json};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{OpenApi as _, PartialSchema, ToSchema};

use super::adapters::otlp::ROUTES as OTLP_ROUTES;
use super::links;
use super::problem::KINDS;
use super::query::NoQuery;
use super::routes::Described;

macro_rules! components {
    (named { $($name:ident = $make:expr;)+ } inner { $($inner:ident = $make_inner:expr;)+ }) => {
        /// What annotations of handlers call the components that they name.
        pub(crate) mod names {
            $(
                #[doc = concat!("Stands for the component `", stringify!($name), "`.")]
                pub(crate) struct $name;

                impl super::PartialSchema for $name {
                    fn schema() -> super::RefOr<super::Schema> {
                        super::Ref::from_schema_name(stringify!($name)).into()
                    }
                }

                impl super::ToSchema for $name {}
            )+
        }

        fn schemas() -> Map<String, Value> {
            let named = [$((stringify!($name).to_owned(), $make)),+];
            let inner = [$((stringify!($inner).to_owned(), $make_inner)),+];
            named.into_iter().chain(inner).collect()
        }
    };
}

components! {
    named {
        ShortText = words::short_text();
        ExportId = words::uuid();
        Moment = words::timestamp();
        PageLimit = words::integer(1, crate::service::exports::MAX_PAGE);
        Side = json!({ "type": "string", "minLength": 7, "maxLength": 262, "pattern": "^model:", "format": "utf8" });
        IdempotencyKey = json!({ "type": "string", "pattern": "^[!#-~][!-~]{0,254}$" });
        FilePath = json!({ "type": "string", "minLength": 1 });
        CompletionsBody = writing::completions_body();
        FeedbackBody = writing::feedback_body();
        Receipt = writing::receipt();
        LitellmBody = adapters::litellm_body();
        LitellmReceipt = adapters::litellm_receipt();
        LangfuseScore = adapters::langfuse_score();
        LangfuseScoreId = adapters::langfuse_score_id();
        LangfuseBatch = adapters::langfuse_batch();
        LangfuseBatchAnswer = adapters::langfuse_batch_answer();
        OtlpTraces = otlp::traces();
        OtlpTracesAnswer = otlp::traces_answer();
        OtlpLogs = otlp::logs();
        OtlpLogsAnswer = otlp::logs_answer();
        TrustFilter = reading::trust();
        CompletionCursor = words::short_text();
        FeedbackCursor = json!({ "type": "string",
            "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}[.][A-Za-z0-9_-]{1,64}$" });
        ListLimit = words::integer(1, crate::domain::listing::MAX_PAGE);
        CompletionItem = pages::completion();
        CompletionsPage = pages::completions();
        FeedbackPage = pages::feedback();
        KeyId = keys::key_id();
        KeyBody = keys::key_body();
        NewKey = keys::new_key();
        KeysPage = keys::keys_page();
        TokenBody = keys::token_body();
        Token = keys::token();
        LinkBody = keys::link_body();
        Link = keys::link();
        LinkToken = json!({ "type": "string", "minLength": 5, "pattern": "^[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]+$" });
        LinkChoice = words::words_of(["up", "down"]);
        LinkForm = writing::link_form();
        RevocationBody = keys::revocation_body();
        Revocation = keys::revocation();
        Project = keys::project();
        ProjectsPage = keys::projects_page();
        ProjectId = words::uuid();
        ProjectBody = keys::project_body();
        Erasure = keys::erasure();
        ErasurePreview = keys::erasure_preview();
        ErasureId = words::uuid();
        Flag = words::words_of(["true", "false"]);
        AuditPage = keys::audit_page();
        AuditEntryId = words::uuid();
        ServingSamples = serving::samples();
        SequenceLengths = serving::lengths();
        ServingReport = serving_report::report();
        ReportForm = words::one_of(crate::domain::serving_query::ReportForm::WORDS);
        LengthsForm = json!({ "type": "string", "enum": ["dynamo"] });
        Unit = reading::unit();
        ErrorRate = reading::error_rate();
        Margin = reading::margin();
        MaxAge = words::integer(1, crate::domain::comparison::MAX_AGE_S);
        ExperimentBody = reading::experiment_body();
        Experiment = reading::experiment();
        ExperimentsPage = reading::experiments_page();
        Assignment = reading::assignment();
        ExportBody = reading::export_body();
        Export = reading::export();
        ExportsPage = reading::exports_page();
        Comparison = reading::comparison();
        VegaLite = depth::vega_lite();
        Proportion = planning::proportion();
        UsersPerDay = planning::users_per_day();
        TurnsPerUser = planning::turns_per_user();
        Correlation = planning::correlation();
        SpreadOfUsers = planning::spread_of_users();
        MetricName = planning::metric_name();
        Share = planning::share();
        Power = planning::power();
        DaysAhead = planning::days_ahead();
        Plan = planning::plan();
        Health = reading::health();
        Page = json!({ "type": "string" });
        Bytes = json!({ "type": "string", "format": "binary" });
    }
    inner {
        JsonValue = writing::json_value();
        LitellmRecord = adapters::litellm_record();
        OtlpSpan = otlp::span();
        OtlpLogRecord = otlp::log_record();
        OtlpAttribute = otlp::attribute();
        OtlpValue = otlp::value();
        OtlpStatus = otlp::status();
        Message = writing::message();
        Answer = writing::answer();
        Completion = writing::completion();
        OpenAiPair = writing::openai_pair();
        Feedback = writing::feedback();
        LoneFeedback = writing::lone_feedback();
        Rejected = writing::rejected();
        Problem = reading::problem();
        ProblemCode = reading::problem_code();
        Fault = reading::fault();
        FeedbackItem = pages::feedback_item();
        TrustRule = reading::trust_rule();
    }
}

const PROBLEM_JSON: &str = "application/problem+json";

/// The document, made once.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| document().to_string());

/// Serves the document.
#[utoipa::path(get, path = "/openapi.json", tag = "Operators", responses(
    (status = 200, description = "This document", content_type = "application/json", body = Object),
))]
pub(crate) async fn show(_: NoQuery) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(DOCUMENT.as_str())
}

/// Makes the document.
fn document() -> Value {
    // A document of strings, numbers and lists always serialises.
    let annotated = serde_json::to_value(Described::openapi()).unwrap_or_default();
    let mut paths = annotated["paths"].clone();
    for (path, methods) in paths.as_object_mut().into_iter().flatten() {
        let form = if OTLP_ROUTES.contains(&path.as_str()) {
            let status = json!({ "schema": words::named("OtlpStatus") });
            json!({ "application/json": status, "application/x-protobuf": { "schema": words::named("Bytes") } })
        } else if path.starts_with(links::PREFIX) {
            json!({ "text/html": { "schema": words::named("Page") } })
        } else {
            json!({ PROBLEM_JSON: { "schema": words::named("Problem") } })
        };
        for (_, operation) in methods.as_object_mut().into_iter().flatten() {
            add_problems(operation, &form);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Afterword",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Collects what people do after a language model has answered, and turns it into training sets \
                and honest model comparisons. `docs/api.md` in the source says what no schema can: which fields \
                exclude each other, what an answer means, and what to do about a problem.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "tags": tags(),
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "credential": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A secret key (`aw_sec_…`). For feedback from a browser: a publishable key \
                        (`aw_pub_…`) or a feedback token. The roles that an address admits stand beside it.",
                },
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "For clients of Langfuse: any name, and a secret key (`aw_sec_…`) as the password.",
                },
            },
        },
    })
}

/// The groups of addresses, in the order in which they are read.
fn tags() -> Value {
    let tag = |name: &str, description: &str| json!({ "name": name, "description": description });
    json!([
        tag("Writing", "What models answered, and how people reacted"),
        tag("Adapters", "What other tools send in forms of their own"),
        tag("Reading", "What is stored"),
        tag("Comparing", "Whether another model does as well"),
        tag("Exporting", "Training sets"),
        tag("Keys", "Credentials, the project that they belong to, and its audit"),
        tag("Operators", "Whether the service is well"),
        tag("People", "Pages"),
    ])
}

/// Adds the problems that follow from what an operation takes to those that its handler names.
fn add_problems(operation: &mut Value, form: &Value) {
    let has_parameter = |place: &str| {
        operation["parameters"].as_array().into_iter().flatten().any(|parameter| parameter["in"] == place)
    };
    // Every address refuses a query that is malformed or has what it does not know.
    let mut statuses: Vec<u16> = vec![400, 422, 500, 503];
    if operation.get("security").is_some() {
        statuses.extend([401, 403]);
    }
    if operation.get("requestBody").is_some() {
        statuses.extend([408, 413, 415]);
    }
    if has_parameter("path") {
        statuses.push(404);
    }
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for status in statuses {
        responses.entry(status.to_string()).or_insert_with(|| json!({ "description": meaning(status) }));
    }
    for (status, response) in responses {
        if status.as_str() >= "400" {
            response["content"] = form.clone();
            if matches!(status.as_str(), "429" | "503") {
                let seconds = json!({ "type": "integer", "minimum": 0 });
                response["headers"] =
                    json!({ "Retry-After": { "schema": seconds, "description": "Seconds to wait." } });
            }
        }
    }
}

/// Says of a status which problems have it.
fn meaning(status: u16) -> String {
    let codes: Vec<String> =
        KINDS.iter().filter(|kind| kind.status == status).map(|kind| format!("`{}`", kind.code)).collect();
    format!("One of: {}", codes.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::routes::ADDRESSES;
    use super::*;

    fn operations() -> Vec<(String, String, Value)> {
        let document = document();
        let mut found = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                found.push((method.clone(), path.clone(), operation.clone()));
            }
        }
        found
    }

    #[test]
    fn the_document_has_every_address_that_is_registered_and_no_other() {
        let described: BTreeSet<(String, String)> =
            operations().into_iter().map(|(method, path, _)| (method, path)).collect();
        let registered: BTreeSet<(String, String)> =
            ADDRESSES.iter().map(|(method, pattern)| ((*method).to_owned(), pattern.replace(":.+}", "}"))).collect();

        assert_eq!(described, registered);
    }

    #[test]
    fn every_reference_leads_to_a_component_and_every_component_is_referred_to() {
        fn collect(value: &Value, found: &mut BTreeSet<String>) {
            match value {
                Value::Object(members) => {
                    for (name, member) in members {
                        match member.as_str() {
                            Some(target) if name == "$ref" => {
                                found.insert(target.replace("#/components/schemas/", ""));
                            }
                            _ => collect(member, found),
                        }
                    }
                }
                Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
                _ => {}
            }
        }
        let mut referred = BTreeSet::new();
        collect(&document(), &mut referred);

        assert_eq!(referred, schemas().keys().cloned().collect());
    }

    #[test]
    fn every_operation_below_v1_and_of_another_tool_needs_a_credential_and_says_what_it_is() {
        for (method, path, operation) in operations() {
            let is_closed = path.starts_with("/v1/") || path.starts_with("/api/");
            assert_eq!(operation.get("security").is_some(), is_closed, "{method} {path}");
            assert!(operation["summary"].as_str().is_some_and(|summary| summary.len() > 10), "{method} {path}");
            assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{method} {path}");
        }
    }
}
