//! `/api/public/scores` and `/api/public/ingestion`: reactions and generations as clients of Langfuse send them.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::json;

use super::super::auth::{Caller, MayIngestByBasic};
use super::super::body::{Body, Bound, Media};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::problem::{self, Kind};
use super::super::services::Services;
use super::super::v1::receipt;
use super::super::visit::Visit;
use crate::domain::feedback::NewFeedback;
use crate::domain::fields::FieldError;
use crate::domain::json::Json;
use crate::foreign::langfuse;
use crate::foreign::langfuse::ingestion::{self, Batch, MAX_EVENTS};
use crate::foreign::meaning::Meanings;
use crate::service::ingest::{self, Parsed, Receipt};

/// Records a score as feedback on its observation, or else on its trace.
#[utoipa::path(post, path = "/api/public/scores", tag = "Adapters", operation_id = "create_langfuse_score",
    security(("credential" = ["ingest", "admin"]), ("basic" = [])),
    request_body = doc::LangfuseScore,
    responses(
        (status = 200, description = "The score is stored", body = doc::LangfuseScoreId),
        (status = 410, description = "Its user or its completion was erased: `erased`"),
        (status = 429, description = "Too many items in a while: `quota_exceeded`"),
    ),
)]
pub(crate) async fn create_score(
    request: HttpRequest,
    caller: Caller<MayIngestByBasic>,
    body: Body,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let received = body.receive_by(Media::Json, Bound::Backend, Json::parse_foreign).await?;
    let score = read(received.json(), &services.settings().score_meanings).map_err(Problem::invalid)?;
    Visit::of(&request).charge_caller(&services, &caller.principal, score.items.len())?;
    let items = score.items.into_iter().map(|item| Parsed { id: None, outcome: Ok(item) }).collect();
    let receipt = ingest::record_feedback(services.app(), &caller.principal, items).await?;
    if receipt.rejected.is_empty() {
        Ok(HttpResponse::Ok().json(json!({ "id": score.id })))
    } else {
        Err(Problem::none_accepted(receipt.rejected))
    }
}

/// A score, and the id that its sender is told.
struct Score {
    id: String,
    items: Vec<NewFeedback>,
}

/// Reads a score whole or not at all: what is wrong with a part of it is found before anything is written.
fn read(record: &Json, meanings: &Meanings) -> Result<Score, Vec<FieldError>> {
    let items = langfuse::score(record, meanings).map_err(|error| vec![error])?;
    let items = items.into_iter().map(|item| NewFeedback::from_json(item, "")).collect::<Result<Vec<_>, _>>()?;
    let given = record.get("id").and_then(Json::as_str).filter(|id| !id.is_empty()).map(str::to_owned);
    let made = || items.first().map(|item| item.id.to_string()).unwrap_or_default();
    Ok(Score { id: given.unwrap_or_else(made), items })
}

/// Records the generations and scores among a batch of events, and says of each event what became of it.
#[utoipa::path(post, path = "/api/public/ingestion", tag = "Adapters", operation_id = "ingest_langfuse",
    security(("credential" = ["ingest", "admin"]), ("basic" = [])),
    request_body = doc::LangfuseBatch,
    responses(
        (status = 207, description = "What became of each event", body = doc::LangfuseBatchAnswer),
        (status = 429, description = "Too many items in a while: `quota_exceeded`"),
    ),
)]
pub(crate) async fn create_batch(
    request: HttpRequest,
    caller: Caller<MayIngestByBasic>,
    body: Body,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let received = body.receive_by(Media::Json, Bound::Backend, Json::parse_foreign).await?;
    if ingestion::events(received.json()).len() > MAX_EVENTS {
        let detail = format!("a request may hold {MAX_EVENTS} events; nothing was stored, send several requests");
        return Err(Problem::new(problem::TOO_MANY_ITEMS).detail(detail));
    }
    let meanings = services.settings().score_meanings.clone();
    let batch = received.parse(move |body| ingestion::batch(&body, &meanings)).await?;
    let batch = batch.map_err(|error| Problem::invalid(vec![error]))?;
    let n_items = batch.completions.len() + batch.feedback.len();
    Visit::of(&request).charge_caller(&services, &caller.principal, n_items)?;
    let app = services.app();
    ingest::count_ignored(app, "ignored_failed_call", batch.n_failed);
    ingest::count_ignored(app, "ignored_unfinished_call", batch.n_unfinished);
    ingest::count_ignored(app, "ignored_other_record", batch.n_other);
    let Batch { ids, completions, feedback, faults, .. } = batch;

    let (places, items): (Vec<Vec<usize>>, Vec<_>) = completions.into_iter().unzip();
    let completions = ingest::record_completions(app, &caller.principal, receipt::to_parsed(items)).await?;
    let (of_feedback, items): (Vec<Vec<usize>>, Vec<_>) =
        feedback.into_iter().map(|(place, item)| (vec![place], item)).unzip();
    let faulted =
        faults.into_iter().map(|(place, error)| (vec![place], Parsed { id: None, outcome: Err(vec![error]) }));
    let (of_faults, faulted): (Vec<Vec<usize>>, Vec<_>) = faulted.unzip();
    let of_feedback = [of_feedback, of_faults].concat();
    let parsed = receipt::to_parsed(items).into_iter().chain(faulted).collect();
    // Where this fails the caller sends everything again, and the completions are duplicates then.
    let feedback = ingest::record_feedback(app, &caller.principal, parsed).await?;

    let mut verdicts = Verdicts::default();
    verdicts.add(completions, &places);
    verdicts.add(feedback, &of_feedback);
    Ok(HttpResponse::MultiStatus().json(verdicts.answer(ids)))
}

/// What was wrong with events, by their places.
#[derive(Default)]
struct Verdicts(BTreeMap<usize, (u16, String)>);

/// The answer that Langfuse's clients read.
#[derive(Serialize)]
struct BatchAnswer {
    successes: Vec<Success>,
    errors: Vec<Failure>,
}

#[derive(Serialize)]
struct Success {
    id: String,
    status: u16,
}

#[derive(Serialize)]
struct Failure {
    id: String,
    status: u16,
    message: String,
}

impl Verdicts {
    fn add(&mut self, receipt: Receipt, places: &[Vec<usize>]) {
        for rejected in receipt.rejected {
            let status = Kind::of(rejected.code).unwrap_or(problem::NONE_ACCEPTED).status;
            for place in places.get(rejected.index).into_iter().flatten() {
                self.0.insert(*place, (status, format!("{}: {}", rejected.code, rejected.detail)));
            }
        }
    }

    fn answer(mut self, ids: Vec<String>) -> BatchAnswer {
        let mut answer = BatchAnswer { successes: Vec::new(), errors: Vec::new() };
        for (place, id) in ids.into_iter().enumerate() {
            match self.0.remove(&place) {
                Some((status, message)) => answer.errors.push(Failure { id, status, message }),
                None => answer.successes.push(Success { id, status: 201 }),
            }
        }
        answer
    }
}
