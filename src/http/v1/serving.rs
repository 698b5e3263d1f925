//! `/v1/serving`: the engines that this instance watches, and how long prompts and answers are. Engines serve every project, so
//! that what they say is for whoever administers one; lengths are of the caller's own completions.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::IntoParams;

use super::super::auth::{Caller, MayAdminister, MayView};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::query;
use super::super::services::Services;
use crate::domain::sequence_query::SequenceQuery;
use crate::service::sequence_lengths;
use crate::service::serving_view::{self, TargetView};

#[derive(Serialize)]
struct Samples {
    targets: Vec<TargetView>,
}

/// Shows every target with what it said last, and why where it said nothing.
#[utoipa::path(get, path = "/v1/serving/samples", tag = "Operators", operation_id = "list_serving_samples",
    security(("credential" = ["admin"])),
    responses((status = 200, description = "Every target, in the order of the configuration", body = doc::ServingSamples)),
)]
pub(crate) async fn samples(
    _caller: Caller<MayAdminister>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(Samples { targets: serving_view::list_targets(services.app()) }))
}

/// Of which completions, and in which form.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the parameters; no value of it is ever made")]
pub(crate) struct LengthsParams {
    /// `dynamo` for what a planner of capacity reads, by model alone
    format: Option<doc::LengthsForm>,
    /// Models that answered
    model: Option<Vec<doc::ShortText>>,
    /// The key of an experiment
    experiment: Option<doc::ShortText>,
    /// Variants of it
    variant: Option<Vec<doc::ShortText>>,
    /// Kinds of work
    task: Option<Vec<doc::ShortText>>,
    /// Language tags
    language: Option<Vec<doc::ShortText>>,
    /// Completions received from then on; a week before `to` where it is absent, and at most 92 days
    from: Option<doc::Moment>,
    /// Completions received before then; now where it is absent
    to: Option<doc::Moment>,
}

/// Tells lengths of prompts and answers in tokens, and why answers were cut off: numbers, and no text.
#[utoipa::path(get, path = "/v1/serving/sequence-lengths", tag = "Reading", operation_id = "show_sequence_lengths",
    security(("credential" = ["viewer", "analyst", "admin"])),
    params(LengthsParams),
    responses((status = 200, description = "At most 200 models and tasks, that with most completions first",
        body = doc::SequenceLengths)),
)]
pub(crate) async fn sequence_lengths(
    request: HttpRequest,
    caller: Caller<MayView>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let pairs = query::parse(request.query_string())?;
    let wanted = SequenceQuery::from_query(&pairs, services.app().clock.now()).map_err(Problem::invalid_query)?;
    let answer =
        services.run(|app| async move { sequence_lengths::show(&app, &caller.principal, wanted).await }).await?;
    Ok(HttpResponse::Ok().json(answer))
}
