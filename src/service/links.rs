//! Feedback links: opened with the token in their address, answered by a form. Looking at one records nothing (LINK-1).

use std::sync::Arc;

use super::App;
use super::authenticate_token::token;
use super::error::ServiceError;
use super::ingest::{Parsed, Receipt, record_feedback};
use crate::domain::credential::TokenText;
use crate::domain::grant::Grant;
use crate::domain::ids::CompletionId;
use crate::domain::link::{Answer, Recorded};
use crate::domain::principal::Principal;
use crate::domain::token::Purpose;
use crate::store::connection::Pool;
use crate::store::{Access, links};

/// A link whose token is believed.
#[derive(Debug, Clone)]
pub struct Link {
    /// Whoever has it.
    pub principal: Arc<Principal>,
    grant: Arc<Grant>,
    completion_id: CompletionId,
}

/// Opens a link. Whatever is wrong with its token, the answer is the same.
pub async fn open(app: &App, text: &TokenText) -> Result<Link, ServiceError> {
    let principal = token(app, text, Purpose::Link).await?;
    let grant = principal.grant.clone().ok_or(ServiceError::Unauthenticated)?;
    let completion_id = grant.sole_completion().ok_or(ServiceError::Unauthenticated)?.clone();
    Ok(Link { principal, grant, completion_id })
}

/// Returns what is recorded of whom the link was sent to.
pub async fn recorded(app: &App, link: &Link) -> Result<Option<Recorded>, ServiceError> {
    let project_id = link.principal.project_id;
    let mut tx = app.store.begin(Pool::Reading, "link.show", Access::Projects(&[project_id])).await?;
    let recorded = links::last_thumb(&mut tx, project_id, &link.completion_id, &link.grant.subject).await?;
    tx.commit().await?;
    Ok(recorded)
}

/// Records what a form says, in place of what is recorded; where that is the same already, it is a duplicate.
pub async fn answer(app: &App, link: &Link, answer: &Answer) -> Result<Receipt, ServiceError> {
    let recorded = recorded(app, link).await?;
    if answer.is_recorded(recorded.as_ref()) {
        return Ok(Receipt { accepted: 0, duplicate: 1, rejected: Vec::new() });
    }
    let outcome = answer.to_feedback(&link.grant, &link.completion_id, recorded.as_ref());
    let id = outcome.as_ref().ok().map(|feedback| feedback.id.0.to_string());
    record_feedback(app, &link.principal, vec![Parsed { id, outcome }]).await
}
