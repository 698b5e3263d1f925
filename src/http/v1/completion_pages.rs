//! `GET /v1/completions`: what models answered, each answer with its feedback and its label.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::super::auth::{Caller, MayView};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::services::Services;
use super::super::{problem, query};
use super::feedback_item::feedback_item;
use super::selection_params::SelectionParams;
use crate::domain::ids::CompletionId;
use crate::domain::listing::{Cursor as _, Listing};
use crate::domain::trust::TrustRule;
use crate::service::pages::{self, CompletionView};

/// Members by name, each as the JSON text that it is: texts of models go out as they came.
type Item = BTreeMap<String, Box<RawValue>>;

#[derive(Serialize)]
struct Page {
    completions: Vec<Item>,
    next_cursor: Option<String>,
    trust: TrustRule,
}

/// Lists completions in the order of their ids, with their feedback and their labels.
///
/// Texts are shown to analysts only. Labels and the worth of each item are those of a recipe with the default options.
#[utoipa::path(get, path = "/v1/completions", tag = "Reading", operation_id = "list_completions",
    security(("credential" = ["viewer", "analyst", "admin"])),
    params(
        ("cursor" = Option<doc::CompletionCursor>, Query, description = "The `next_cursor` of the page before"),
        SelectionParams,
        ("trust" = Option<doc::TrustFilter>, Query, description = "Whose feedback counts; the project decides else"),
    ),
    responses((status = 200, description = "A page", body = doc::CompletionsPage)),
)]
pub(crate) async fn list(
    request: HttpRequest,
    caller: Caller<MayView>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let listing = Listing::from_query(&query::parse(request.query_string())?).map_err(Problem::invalid_query)?;
    let may_read_text = caller.principal.role.may_analyse();
    let page =
        services.run(|app| async move { pages::list_completions(&app, &caller.principal, listing).await }).await?;
    let next_cursor = page.completions.last().filter(|_| page.has_more).map(|last| last.id.to_text());
    let completions = page.completions.into_iter().map(|view| item(view, may_read_text)).collect::<Result<_, _>>()?;
    Ok(HttpResponse::Ok().json(Page { completions, next_cursor, trust: page.trust }))
}

/// Shows one completion with its feedback and its label.
#[utoipa::path(get, path = "/v1/completions/{id}", tag = "Reading", operation_id = "show_completion",
    security(("credential" = ["viewer", "analyst", "admin"])),
    params(("id" = doc::ShortText, Path, description = "Its own id; an alias is none")),
    responses(
        (status = 200, description = "The completion", body = doc::CompletionItem),
        (status = 404, description = "Foreign or absent: `not_found`"),
    ),
)]
pub(crate) async fn show(
    caller: Caller<MayView>,
    id: web::Path<String>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    // What cannot be an id is none that is stored.
    let id = CompletionId::parse(&id).map_err(|_| Problem::new(problem::NOT_FOUND))?;
    let may_read_text = caller.principal.role.may_analyse();
    let view = services.run(|app| async move { pages::show_completion(&app, &caller.principal, id).await }).await?;
    Ok(HttpResponse::Ok().json(item(view, may_read_text)?))
}

fn item(view: CompletionView, may_read_text: bool) -> Result<Item, Problem> {
    let failed = |_| Problem::new(problem::INTERNAL_ERROR);
    let mut item: Item = serde_json::from_str(&view.facts).map_err(failed)?;
    for (name, text) in view.texts {
        item.insert(name.to_owned(), RawValue::from_string(text).map_err(failed)?);
    }
    let feedback: Vec<_> = view
        .feedback
        .iter()
        .map(|(record, standing)| {
            let mut members = feedback_item(record, may_read_text);
            members.insert("standing".to_owned(), (*standing).into());
            members
        })
        .collect();
    item.insert("label".to_owned(), to_raw_value(&view.label).map_err(failed)?);
    item.insert("feedback".to_owned(), to_raw_value(&feedback).map_err(failed)?);
    Ok(item)
}
