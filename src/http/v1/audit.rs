//! `/v1/audit`: who did what in the caller's project, newest first.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::super::auth::{Caller, MayAdminister};
use super::super::error::Problem;
use super::super::openapi::names as doc;
use super::super::services::Services;
use super::super::{problem, query};
use crate::domain::clock::Timestamp;
use crate::domain::fields::{FieldCode, FieldError};
use crate::service::audit::{self, MAX_PAGE, StoredAuditEntry};

const DEFAULT_PAGE: i64 = 50;

/// An entry on the wire.
#[derive(Serialize)]
struct EntryItem {
    id: Uuid,
    at: Timestamp,
    actor: String,
    action: String,
    subject: String,
    details: Box<RawValue>,
}

#[derive(Serialize)]
struct Page {
    entries: Vec<EntryItem>,
    next_cursor: Option<Uuid>,
}

impl TryFrom<StoredAuditEntry> for EntryItem {
    type Error = Problem;

    fn try_from(entry: StoredAuditEntry) -> Result<Self, Problem> {
        let StoredAuditEntry { audit_id, at, actor, action, subject, details } = entry;
        let details = RawValue::from_string(details).map_err(|_| Problem::new(problem::INTERNAL_ERROR))?;
        Ok(Self { id: audit_id, at, actor, action, subject, details })
    }
}

/// Lists a page of entries.
#[utoipa::path(get, path = "/v1/audit", tag = "Keys", operation_id = "list_audit",
    security(("credential" = ["admin"])),
    params(
        ("cursor" = Option<doc::ResourceId>, Query, description = "The `next_cursor` of the page before"),
        ("limit" = Option<doc::PageLimit>, Query, description = "50 where it is absent"),
    ),
    responses((status = 200, description = "A page", body = doc::AuditPage)),
)]
pub(crate) async fn list(
    request: HttpRequest,
    caller: Caller<MayAdminister>,
    services: web::Data<Services>,
) -> Result<HttpResponse, Problem> {
    let (cursor, limit) = page_wanted(&query::parse(request.query_string())?)?;
    let mut found =
        services.run(|app| async move { audit::list(&app, &caller.principal, cursor, limit + 1).await }).await?;
    let has_more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next_cursor = found.last().filter(|_| has_more).map(|entry| entry.audit_id);
    let entries = found.into_iter().map(EntryItem::try_from).collect::<Result<_, _>>()?;
    Ok(HttpResponse::Ok().json(Page { entries, next_cursor }))
}

/// Reads `cursor` and `limit`.
fn page_wanted(pairs: &[(String, String)]) -> Result<(Option<Uuid>, i64), Problem> {
    let (mut cursor, mut limit) = (None, None);
    for (name, value) in pairs {
        let fault = match name.as_str() {
            "cursor" if cursor.is_none() => match Uuid::try_parse(value) {
                Ok(id) => {
                    cursor = Some(id);
                    continue;
                }
                Err(_) => FieldError::new("cursor", FieldCode::Malformed, "must be a `next_cursor` of this list"),
            },
            "limit" if limit.is_none() => match value.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit)) {
                Some(number) => {
                    limit = Some(number);
                    continue;
                }
                None => FieldError::new("limit", FieldCode::OutOfRange, format!("must be 1 to {MAX_PAGE}")),
            },
            "cursor" | "limit" => FieldError::new(&**name, FieldCode::Contradiction, "must come once"),
            _ => FieldError::new("", FieldCode::UnknownField, "known parameters are: cursor, limit"),
        };
        return Err(Problem::invalid_query(vec![fault]));
    }
    Ok((cursor, limit.unwrap_or(DEFAULT_PAGE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_asked_for_once_and_within_its_bounds() {
        let wanted = |query: &str| page_wanted(&query::parse(query).unwrap()).map_err(|problem| problem.kind().code);

        assert_eq!(wanted(""), Ok((None, DEFAULT_PAGE)));
        assert_eq!(wanted("limit=200").map(|(_, limit)| limit), Ok(200));
        assert_eq!(wanted("limit=201"), Err("out_of_range"));
        assert_eq!(wanted("limit=0"), Err("out_of_range"));
        assert_eq!(wanted("cursor=x"), Err("malformed"));
        assert_eq!(wanted("limit=1&limit=2"), Err("contradiction"));
        assert_eq!(wanted("page=2"), Err("unknown_field"));
    }
}
