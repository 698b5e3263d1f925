//! `/v1/plans`: how many users and days an experiment takes, before it starts.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use super::super::auth::{Caller, MayView};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::services::Services;
use super::super::{negotiate, query};
use crate::domain::plan::PlanSpec;
use crate::report::{json, text};
use crate::service::compare::plan;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain";
/// Columns of the text, as many as a terminal that nobody has widened.
const TEXT_WIDTH: usize = 80;

/// Plans an experiment: users and days for a margin, and what a number of days can show.
///
/// Give `control` to plan with the past traffic of a model, or `baseline` to plan with numbers.
#[utoipa::path(get, path = "/v1/plans", tag = "Comparing", operation_id = "plan",
    security(("credential" = ["viewer", "analyst", "admin"])),
    params(
        ("control" = Option<doc::Side>, Query, description = "The present model, whose traffic is planned with"),
        ("baseline" = Option<doc::Proportion>, Query, description = "Rate of the present model, where there is no traffic"),
        ("users_per_day" = Option<doc::UsersPerDay>, Query, description = "New users a day, beside `baseline`"),
        ("turns_per_user" = Option<doc::TurnsPerUser>, Query, description = "Beside `baseline`; 1 where it is left out"),
        ("icc" = Option<doc::Correlation>, Query, description = "Correlation of the outcomes of a user's turns"),
        ("sd" = Option<doc::SpreadOfUsers>, Query, description = "In place of `icc`: how far users' own rates are apart"),
        ("metric" = Option<Vec<doc::MetricName>>, Query, description = "What to plan for; all that must pass else"),
        ("margin.good_turn" = Option<doc::Margin>, Query, description = "As a share of the control's rate"),
        ("margin.bad_turn" = Option<doc::Margin>, Query, description = "As a share of the control's rate"),
        ("margin.thumb_up" = Option<doc::Margin>, Query, description = "As a share of the control's rate"),
        ("margin.thumb_down" = Option<doc::Margin>, Query, description = "As a share of the control's rate"),
        ("share" = Option<doc::Share>, Query, description = "Share of the users that get the candidate; a half else"),
        ("alpha" = Option<doc::ErrorRate>, Query, description = "One-sided error rate"),
        ("power" = Option<doc::Power>, Query, description = "Chance to show a candidate that is truly equal; 0.8 else"),
        ("days" = Option<doc::DaysAhead>, Query, description = "Days after which the provable margin is told; 30 else"),
        ("from" = Option<doc::Moment>, Query, description = "Completions received from then on; 28 days ago else"),
        ("to" = Option<doc::Moment>, Query, description = "Completions received before then"),
        ("task" = Option<Vec<doc::ShortText>>, Query, description = "Kinds of work"),
        ("language" = Option<Vec<doc::ShortText>>, Query, description = "Language tags"),
        ("trust" = Option<doc::TrustFilter>, Query, description = "Whose reactions count; the project decides else"),
    ),
    responses(
        (status = 200, description = "The plan", content(
            (doc::Plan = "application/json"), (doc::Page = "text/plain"),
        )),
        (status = 406, description = "None of the forms is accepted: `not_acceptable`"),
    ),
)]
pub(crate) async fn show(
    request: HttpRequest,
    caller: Caller<MayView>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let media_type = negotiate::choose(&request, &[JSON, TEXT])?;
    let spec = PlanSpec::from_query(&query::parse(request.query_string())?).map_err(Problem::invalid_query)?;
    let planned = services.run(|app| async move { plan::plan(&app, &caller.principal, spec).await }).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((header::VARY, "Accept"));
    Ok(match media_type {
        TEXT => {
            response.content_type("text/plain; charset=utf-8").body(text::plan::to_text(&planned, TEXT_WIDTH, false))
        }
        _ => response.json(json::plan::to_json(&planned)),
    })
}
