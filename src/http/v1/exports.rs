//! `/v1/exports`: training sets, asked for, followed, cancelled and withdrawn.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::super::auth::{Caller, MayAnalyse};
use super::super::body::{Body, Media};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::services::Services;
use super::super::{negotiate, problem, query};
use crate::domain::clock::Timestamp;
use crate::domain::destination::DestinationName;
use crate::domain::export::{Export, ExportProblem, ExportStatus};
use crate::domain::fields::{FieldCode, FieldError};
use crate::domain::hash::ContentHash;
use crate::domain::ids::{ExportId, UserId};
use crate::domain::principal::Principal;
use crate::domain::recipe::ExportRequest;
use crate::service::exports::{self, Idempotency, MAX_PAGE};

const DEFAULT_PAGE: i64 = 50;
const EVENT_STREAM: &str = "text/event-stream";
/// A client that follows a quiet export hears something at least this often.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);

/// An export on the wire.
#[derive(Serialize)]
struct ExportItem {
    id: ExportId,
    status: ExportStatus,
    progress: Progress,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ExportProblem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<Box<RawValue>>,
    recipe: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<Destination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<ExportId>,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct Progress {
    n_done: i64,
    n_total: i64,
}

#[derive(Serialize)]
struct Destination {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<DestinationName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

#[derive(Serialize)]
struct Page {
    exports: Vec<ExportItem>,
    next_cursor: Option<ExportId>,
}

impl TryFrom<Export> for ExportItem {
    type Error = Problem;

    fn try_from(export: Export) -> Result<Self, Problem> {
        let raw = |text: String| RawValue::from_string(text).map_err(|_| Problem::new(problem::INTERNAL_ERROR));
        Ok(Self {
            id: export.id,
            status: export.status,
            progress: Progress { n_done: export.n_done, n_total: export.n_total },
            problem: export.problem,
            manifest: export.manifest.map(raw).transpose()?,
            recipe: raw(export.recipe)?,
            destination: (export.destination.is_some() || export.directory.is_some())
                .then_some(Destination { name: export.destination, path: export.directory }),
            parent: export.parent,
            created_at: export.created_at,
            finished_at: export.finished_at,
        })
    }
}

/// Asks for an export; a worker makes it.
#[utoipa::path(post, path = "/v1/exports", tag = "Exporting", operation_id = "create_export",
    security(("credential" = ["analyst", "admin"])),
    params(("Idempotency-Key" = Option<doc::IdempotencyKey>, Header, description = "Makes the request repeatable")),
    request_body = doc::ExportBody,
    responses(
        (status = 202, description = "A worker makes it", body = doc::Export,
            headers(("Location" = String, description = "Its address"))),
        (status = 404, description = "There is no export that `parent` names: `not_found`"),
        (status = 409, description = "The parent has not ended, or its files are gone: `export_unfinished`, `parent_gone`"),
    ),
)]
pub(crate) async fn create(
    request: HttpRequest,
    caller: Caller<MayAnalyse>,
    body: Body,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let key = idempotency_key(&request)?;
    let json = body.read_json(Media::Json).await?;
    let request_hash = ContentHash::of_json("export request", &json).0.to_vec();
    let idempotency = key.map(|key| Idempotency { key, request_hash });
    let asked = ExportRequest::from_json(json, exports::shipped).map_err(Problem::invalid)?;
    let (export, _is_new) =
        services.run(|app| async move { exports::request(&app, &caller.principal, asked, idempotency).await }).await?;
    let location = format!("/v1/exports/{}", export.id);
    Ok(HttpResponse::Accepted().insert_header((header::LOCATION, location)).json(ExportItem::try_from(export)?))
}

/// Lists exports, newest first.
#[utoipa::path(get, path = "/v1/exports", tag = "Exporting", operation_id = "list_exports",
    security(("credential" = ["analyst", "admin"])),
    params(
        ("cursor" = Option<doc::ExportId>, Query, description = "The `next_cursor` of the page before"),
        ("limit" = Option<doc::PageLimit>, Query, description = "50 where it is absent"),
        ("affected_by" = Option<doc::ShortText>, Query, description = "Only those that hold rows of this user"),
    ),
    responses((status = 200, description = "A page", body = doc::ExportsPage)),
)]
pub(crate) async fn list(
    request: HttpRequest,
    caller: Caller<MayAnalyse>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let Wanted { cursor, limit, affected_by } = page_wanted(&query::parse(request.query_string())?)?;
    // One more than wanted tells whether there is another page.
    let mut found = services
        .run(|app| async move {
            match affected_by {
                Some(user) => exports::list_affected(&app, &caller.principal, &user, cursor, limit + 1).await,
                None => exports::list(&app, &caller.principal, cursor, limit + 1).await,
            }
        })
        .await?;
    let has_more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next_cursor = found.last().filter(|_| has_more).map(|export| export.id);
    let exports = found.into_iter().map(ExportItem::try_from).collect::<Result<_, _>>()?;
    Ok(HttpResponse::Ok().json(Page { exports, next_cursor }))
}

/// Shows an export, or its progress as server-sent events until it ends.
#[utoipa::path(get, path = "/v1/exports/{id}", tag = "Exporting", operation_id = "show_export",
    security(("credential" = ["analyst", "admin"])),
    params(("id" = doc::ExportId, Path, description = "The export's id")),
    responses(
        (status = 200, description = "The export", content(
            (doc::Export = "application/json"), (doc::Page = "text/event-stream"),
        )),
        (status = 406, description = "None of the forms is accepted: `not_acceptable`"),
    ),
)]
pub(crate) async fn show(
    request: HttpRequest,
    caller: Caller<MayAnalyse>,
    id: web::Path<String>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let id = export_id(&id)?;
    let media_type = negotiate::choose(&request, &["application/json", EVENT_STREAM])?;
    let export = find(&services, Arc::clone(&caller.principal), id).await?;
    if media_type == EVENT_STREAM {
        let events = follow(services, caller.principal, export);
        return Ok(HttpResponse::Ok().content_type(EVENT_STREAM).streaming(events));
    }
    Ok(HttpResponse::Ok().json(ExportItem::try_from(export)?))
}

/// Withdraws an export: its files go, its manifest stays as a record.
#[utoipa::path(delete, path = "/v1/exports/{id}", tag = "Exporting", operation_id = "delete_export",
    security(("credential" = ["analyst", "admin"])),
    params(("id" = doc::ExportId, Path, description = "The export's id")),
    responses(
        (status = 204, description = "Its files are gone"),
        (status = 409, description = "It has not ended yet: `export_unfinished`"),
    ),
)]
pub(crate) async fn delete(
    caller: Caller<MayAnalyse>,
    id: web::Path<String>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let id = export_id(&id)?;
    services.run(|app| async move { exports::revoke(&app, &caller.principal, id).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Cancels an export that has not ended; nobody can publish it any more.
#[utoipa::path(post, path = "/v1/exports/{id}/cancel", tag = "Exporting", operation_id = "cancel_export",
    security(("credential" = ["analyst", "admin"])),
    params(("id" = doc::ExportId, Path, description = "The export's id")),
    responses(
        (status = 200, description = "It is cancelled: it has failed with the problem `cancelled`", body = doc::Export),
        (status = 409, description = "It has ended otherwise: `export_ended`"),
    ),
)]
pub(crate) async fn cancel(
    caller: Caller<MayAnalyse>,
    id: web::Path<String>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let id = export_id(&id)?;
    let export = services.run(|app| async move { exports::cancel(&app, &caller.principal, id).await }).await?;
    Ok(HttpResponse::Ok().json(ExportItem::try_from(export)?))
}

/// Reads an export's id; what is none names nothing.
pub(super) fn export_id(text: &str) -> Result<ExportId, Problem> {
    Uuid::try_parse(text).map(ExportId).map_err(|_| Problem::new(problem::NOT_FOUND))
}

async fn find(services: &Services, principal: Arc<Principal>, id: ExportId) -> Result<Export, Problem> {
    Ok(services.run(|app| async move { exports::show(&app, &principal, id).await }).await?)
}

/// Reads `Idempotency-Key`: a quoted string of structured fields (RFC 9651), or the bare text.
fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let mut given = request.headers().get_all("idempotency-key");
    let Some(value) = given.next() else { return Ok(None) };
    let malformed = || Problem::new(problem::IDEMPOTENCY_KEY_MALFORMED);
    if given.next().is_some() {
        return Err(malformed());
    }
    let text = value.to_str().map_err(|_| malformed())?.trim();
    let key = match text.strip_prefix('"') {
        Some(rest) => unquote(rest.strip_suffix('"').ok_or_else(malformed)?).ok_or_else(malformed)?,
        None => text.to_owned(),
    };
    let is_good = (1..=255).contains(&key.len()) && key.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    if is_good { Ok(Some(key)) } else { Err(malformed()) }
}

/// Undoes the two escapes that a quoted string may have.
fn unquote(inner: &str) -> Option<String> {
    let mut key = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => key.push(characters.next().filter(|escaped| matches!(escaped, '"' | '\\'))?),
            '"' => return None,
            other => key.push(other),
        }
    }
    Some(key)
}

/// Which exports are listed.
#[derive(Debug, PartialEq)]
struct Wanted {
    cursor: Option<ExportId>,
    limit: i64,
    affected_by: Option<UserId>,
}

fn page_wanted(pairs: &[(String, String)]) -> Result<Wanted, Problem> {
    let mut wanted = Wanted { cursor: None, limit: DEFAULT_PAGE, affected_by: None };
    let mut errors = Vec::new();
    for (name, value) in pairs {
        let mut fail = |code, detail: &str| errors.push(FieldError::new(name.as_str(), code, detail));
        match (name.as_str(), Uuid::try_parse(value), value.parse::<i64>()) {
            ("cursor", Ok(id), _) => wanted.cursor = Some(ExportId(id)),
            ("cursor", Err(_), _) => fail(FieldCode::Malformed, "must be the `next_cursor` of an earlier page"),
            ("limit", _, Ok(number)) if (1..=MAX_PAGE).contains(&number) => wanted.limit = number,
            ("limit", ..) => fail(FieldCode::OutOfRange, "must be an integer between 1 and 200"),
            ("affected_by", ..) => match UserId::parse(value) {
                Ok(user) => wanted.affected_by = Some(user),
                Err(code) => fail(code, "must be a user's id of 1 to 256 bytes"),
            },
            // The name is the client's own and is not repeated.
            _ => errors.push(FieldError::new(
                "",
                FieldCode::UnknownField,
                "known parameters are: cursor, limit, affected_by",
            )),
        }
    }
    if errors.is_empty() { Ok(wanted) } else { Err(Problem::invalid_query(errors)) }
}

/// What a stream of events knows between two of them.
struct Following {
    services: web::Data<Services>,
    principal: Arc<Principal>,
    export: Export,
    is_new: bool,
}

/// Tells an export's state whenever it has changed, until it has ended, the server stops or something fails.
fn follow(
    services: web::Data<Services>,
    principal: Arc<Principal>,
    export: Export,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let following = Following { services, principal, export, is_new: true };
    stream::unfold(Some(following), |following| async move {
        let told = following?.next().await.unwrap_or_else(|problem| {
            tracing::warn!(problem.code = problem.kind().code, "an export can no longer be followed");
            (Bytes::from(format!("event: problem\ndata: {{\"code\":\"{}\"}}\n\n", problem.kind().code)), None)
        });
        Some((Ok(told.0), told.1))
    })
}

impl Following {
    /// Waits for the next thing to tell; the state that comes with it is what to go on from.
    async fn next(mut self) -> Result<(Bytes, Option<Self>), Problem> {
        let every = self.services.settings().progress_every;
        let mut waited = Duration::ZERO;
        while !self.is_new {
            if self.services.is_draining() {
                return Ok((Bytes::from_static(b": the service is stopping; follow again\n\n"), None));
            }
            if waited >= HEARTBEAT_EVERY {
                return Ok((Bytes::from_static(b": still there\n\n"), Some(self)));
            }
            tokio::time::sleep(every).await;
            waited += every;
            let export = find(&self.services, Arc::clone(&self.principal), self.export.id).await?;
            self.is_new = export != self.export;
            self.export = export;
        }
        self.is_new = false;
        let has_ended = !matches!(self.export.status, ExportStatus::Queued | ExportStatus::Running);
        let item = serde_json::to_string(&ExportItem::try_from(self.export.clone())?)
            .map_err(|_| Problem::new(problem::INTERNAL_ERROR))?;
        // JSON as we write it has no line breaks, so that it is one line of the event.
        let event = Bytes::from(format!("event: export\ndata: {}\n\n", item.replace('\n', " ")));
        Ok((event, (!has_ended).then_some(self)))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn key(value: &str) -> Result<Option<String>, &'static str> {
        let request = TestRequest::default().insert_header(("Idempotency-Key", value)).to_http_request();
        idempotency_key(&request).map_err(|problem| problem.kind().code)
    }

    #[test]
    fn an_idempotency_key_comes_quoted_or_bare() {
        assert_eq!(key("\"8e03978e-40d5\""), Ok(Some("8e03978e-40d5".to_owned())));
        assert_eq!(key("8e03978e-40d5"), Ok(Some("8e03978e-40d5".to_owned())));
        assert_eq!(key(r#""a\"b\\c""#), Ok(Some(r#"a"b\c"#.to_owned())));
        assert_eq!(key(&"k".repeat(255)), Ok(Some("k".repeat(255))));
        for refused in ["", "\"\"", "\"open", "two words", "\"a\\x\"", &"k".repeat(256)] {
            assert_eq!(key(refused), Err("idempotency_key_malformed"), "{refused}");
        }
    }

    #[test]
    fn a_page_has_one_to_two_hundred_exports() {
        let wanted = |query: &str| page_wanted(&query::parse(query).unwrap()).map_err(|problem| problem.kind().code);

        let page = |limit, user| Wanted { cursor: None, limit, affected_by: user };
        assert_eq!(wanted("limit=200"), Ok(page(200, None)));
        assert_eq!(wanted(""), Ok(page(DEFAULT_PAGE, None)));
        assert_eq!(wanted("affected_by=u%201"), Ok(page(DEFAULT_PAGE, UserId::parse("u 1").ok())));
        assert_eq!(wanted("affected_by="), Err("empty"));
        assert_eq!(wanted("limit=201"), Err("out_of_range"));
        assert_eq!(wanted("limit=0"), Err("out_of_range"));
        assert_eq!(wanted("cursor=x"), Err("malformed"));
        assert_eq!(wanted("page=2"), Err("unknown_field"));
    }
}
