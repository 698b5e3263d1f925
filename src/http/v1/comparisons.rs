//! `/v1/comparisons`: whether another model does as well, as a page, as JSON, as text or as a specification to plot.

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::super::auth::{Caller, MayView};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::services::Services;
use super::super::{negotiate, query};
use crate::domain::comparison::ComparisonSpec;
use crate::report::{html, vega_lite};
use crate::service::ServiceError;
use crate::service::compare::kept::{self, Form};

const JSON: &str = "application/json";
const HTML: &str = "text/html";
const TEXT: &str = "text/plain";
const VEGA_LITE: &str = vega_lite::MEDIA_TYPE;

/// Lets the page use its own style sheet and nothing else.
pub(super) static PAGE_POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(html::STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// Compares what the query names.
///
/// Give `experiment`, and `candidate` as the name of a variant to compare that one alone where there are several; or
/// `control` and `candidate` as `model:NAME` where nothing was randomised. Sampled answers are shown to analysts only.
#[utoipa::path(get, path = "/v1/comparisons", tag = "Comparing", operation_id = "compare",
    security(("credential" = ["viewer", "analyst", "admin"])),
    params(
        ("experiment" = Option<doc::ShortText>, Query, description = "The key of an experiment"),
        ("control" = Option<doc::Side>, Query, description = "The present model, where there is no experiment"),
        ("candidate" = Option<doc::ShortText>, Query, description = "The other model, or a variant"),
        ("unit" = Option<doc::Unit>, Query, description = "What standard errors cluster by"),
        ("alpha" = Option<doc::ErrorRate>, Query, description = "One-sided error rate of the verdict"),
        ("margin.good_turn" = Option<doc::Margin>, Query, description = "As a share of the control's rate"),
        ("margin.bad_turn" = Option<doc::Margin>, Query, description = "As a share of the control's rate"),
        ("margin.thumb_up" = Option<doc::Margin>, Query, description = "As a share of the control's rate"),
        ("margin.thumb_down" = Option<doc::Margin>, Query, description = "As a share of the control's rate"),
        ("from" = Option<doc::Moment>, Query, description = "Completions received from then on"),
        ("to" = Option<doc::Moment>, Query, description = "Completions received before then"),
        ("task" = Option<Vec<doc::ShortText>>, Query, description = "Kinds of work"),
        ("language" = Option<Vec<doc::ShortText>>, Query, description = "Language tags"),
        ("trust" = Option<doc::TrustFilter>, Query, description = "Whose reactions count; the project decides else"),
        ("max_age_s" = Option<doc::MaxAge>, Query, description = "Seconds: one that was computed so long ago will do"),
    ),
    responses(
        (status = 200, description = "The comparison", content(
            (doc::Comparison = "application/json"), (doc::Page = "text/html"), (doc::Page = "text/plain"),
            (doc::VegaLite = "application/vnd.vegalite.v6+json"),
        )),
        (status = 404, description = "No experiment has this key: `not_found`"),
        (status = 406, description = "None of the forms is accepted: `not_acceptable`"),
    ),
)]
pub(crate) async fn show(
    request: HttpRequest,
    caller: Caller<MayView>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let media_type = negotiate::choose(&request, &[JSON, HTML, TEXT, VEGA_LITE])?;
    let form = match media_type {
        HTML => Form::Page,
        TEXT => Form::Text,
        VEGA_LITE => Form::Plot,
        _ => Form::Json,
    };
    let spec = ComparisonSpec::from_query(&query::parse(request.query_string())?).map_err(Problem::invalid_query)?;
    let told = services.run(|app| async move { kept::told(&app, &caller.principal, spec, form).await }).await.map_err(
        |error| match error {
            ServiceError::Invalid(errors) => Problem::invalid_query(errors),
            other => other.into(),
        },
    )?;
    let mut response = HttpResponse::Ok();
    response.insert_header((header::VARY, "Accept"));
    if form == Form::Page {
        response.insert_header((header::CONTENT_SECURITY_POLICY, PAGE_POLICY.as_str()));
    }
    Ok(response
        .content_type(match form {
            Form::Page => "text/html; charset=utf-8",
            Form::Text => "text/plain; charset=utf-8",
            Form::Plot => VEGA_LITE,
            Form::Json => JSON,
        })
        .body(told))
}
