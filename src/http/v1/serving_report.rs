//! `/v1/serving/report`: how busy engines were, how long prompts and answers are, and what users do then, as a page, as JSON or as
//! text.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use super::super::auth::{Caller, MayView};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::services::Services;
use super::super::{negotiate, query};
use super::comparisons::PAGE_POLICY;
use crate::domain::serving_query::{ReportForm, ServingQuery};
use crate::report::{html, json, text};
use crate::service::serving_report;

const JSON: &str = "application/json";
const HTML: &str = "text/html";
const TEXT: &str = "text/plain";
/// Columns of the text, as many as a terminal that nobody has widened.
const TEXT_WIDTH: usize = 80;

/// Tells how full KV caches were, how lengths are spread and drift, and what users do by load, length and latency.
///
/// Everything is of the caller's completions, but for the load over time, which is that of the watched engines that serve
/// their models. What users do by load is an association, within model and length of the prompt.
#[utoipa::path(get, path = "/v1/serving/report", tag = "Reading", operation_id = "show_serving_report",
    security(("credential" = ["viewer", "analyst", "admin"])),
    params(
        ("format" = Option<doc::ReportForm>, Query, description = "The form, in place of `Accept`"),
        ("model" = Option<Vec<doc::ShortText>>, Query, description = "Models that answered; every model else"),
        ("task" = Option<Vec<doc::ShortText>>, Query, description = "Kinds of work"),
        ("language" = Option<Vec<doc::ShortText>>, Query, description = "Language tags"),
        ("from" = Option<doc::Moment>, Query,
            description = "Completions received from then on; four weeks before `to` else, and at most 92 days"),
        ("to" = Option<doc::Moment>, Query, description = "Completions received before then; now else"),
        ("trust" = Option<doc::TrustFilter>, Query, description = "Whose reactions count; the project decides else"),
    ),
    responses(
        (status = 200, description = "The report, also where there are no completions", content(
            (doc::ServingReport = "application/json"), (doc::Page = "text/html"), (doc::Page = "text/plain"),
        )),
        (status = 406, description = "None of the forms is accepted: `not_acceptable`"),
    ),
)]
pub(crate) async fn show(
    request: HttpRequest,
    caller: Caller<MayView>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let pairs = query::parse(request.query_string())?;
    let wanted = ServingQuery::from_query(&pairs, services.app().clock.now()).map_err(Problem::invalid_query)?;
    let form = match wanted.form {
        Some(form) => form,
        None => match negotiate::choose(&request, &[JSON, HTML, TEXT])? {
            HTML => ReportForm::Html,
            TEXT => ReportForm::Text,
            _ => ReportForm::Json,
        },
    };
    let report =
        services.run(|app| async move { serving_report::report(&app, &caller.principal, wanted).await }).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((header::VARY, "Accept"));
    Ok(match form {
        ReportForm::Html => response
            .insert_header((header::CONTENT_SECURITY_POLICY, PAGE_POLICY.as_str()))
            .content_type("text/html; charset=utf-8")
            .body(html::serving::to_html(&report)),
        ReportForm::Text => {
            response.content_type("text/plain; charset=utf-8").body(text::serving::to_text(&report, TEXT_WIDTH, false))
        }
        ReportForm::Json => response.json(json::serving::to_json(&report)),
    })
}
