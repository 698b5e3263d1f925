//! Completions and feedback as people look at them: page by page, each completion with its feedback and its label.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::App;
use super::detached::detached;
use super::error::ServiceError;
use crate::dataset::label::label;
use crate::dataset::standings;
use crate::domain::ids::{CompletionId, FeedbackId, ProjectId};
use crate::domain::listing::Listing;
use crate::domain::principal::Principal;
use crate::domain::recipe::Options;
use crate::domain::trust::{TrustFilter, TrustRule};
use crate::store::Access;
use crate::store::connection::{Pool, Tx};
use crate::store::pages::{self, CompletionRecord, Wanted};
use crate::store::projects;

pub use crate::store::pages::FeedbackRecord;

/// What an answer is after its votes were combined, as a recipe with the default options says it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelView {
    /// `positive`, `negative` or `none`.
    pub verdict: &'static str,
    /// The rule that gave it, or why there is none.
    pub rule: &'static str,
    /// Votes that were counted.
    pub n_votes: u32,
    /// Share of the votes that agree.
    pub strength: f64,
}

/// A completion with what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct CompletionView {
    /// Its id.
    pub id: CompletionId,
    /// Everything but texts, as a JSON object.
    pub facts: String,
    /// Its texts by name, as JSON.
    pub texts: Vec<(&'static str, String)>,
    /// Its label; nothing where there is more feedback than is read.
    pub label: Option<LabelView>,
    /// The feedback on it with what each item is worth, by id.
    pub feedback: Vec<(FeedbackRecord, &'static str)>,
}

/// A page of completions.
#[derive(Debug, Clone, PartialEq)]
pub struct CompletionsPage {
    /// The completions, by id.
    pub completions: Vec<CompletionView>,
    /// Whether there are more.
    pub has_more: bool,
    /// Whose feedback counts.
    pub trust: TrustRule,
}

/// Lists completions of the caller's project; texts only for those who may read them.
pub async fn list_completions(
    app: &App,
    principal: &Principal,
    listing: Listing<CompletionId>,
) -> Result<CompletionsPage, ServiceError> {
    let (app, project_id, with_texts) = (app.clone(), principal.project_id, principal.role.may_analyse());
    detached(async move {
        let Listing { selection, after, limit } = listing;
        let mut tx = begin(&app, "completions.list", project_id).await?;
        let trust = TrustRule::settle(selection.trust, projects::token_used_at(&mut tx, project_id).await?);
        let wanted = Wanted { project_id, selection: &selection, limit };
        let (records, has_more) = pages::list_completions(&mut tx, wanted, after.as_ref(), with_texts).await?;
        let completions = with_feedback(&mut tx, project_id, records, trust.filter).await?;
        tx.commit().await?;
        Ok(CompletionsPage { completions, has_more, trust })
    })
    .await
}

/// Shows one completion.
pub async fn show_completion(
    app: &App,
    principal: &Principal,
    id: CompletionId,
) -> Result<CompletionView, ServiceError> {
    let (app, project_id, with_texts) = (app.clone(), principal.project_id, principal.role.may_analyse());
    detached(async move {
        let mut tx = begin(&app, "completions.show", project_id).await?;
        let trust = TrustRule::settle(None, projects::token_used_at(&mut tx, project_id).await?);
        let records = pages::find_completions(&mut tx, project_id, &[id.as_str()], with_texts).await?;
        let mut views = with_feedback(&mut tx, project_id, records, trust.filter).await?;
        tx.commit().await?;
        views.pop().ok_or(ServiceError::NotFound)
    })
    .await
}

async fn begin(app: &App, name: &'static str, project: ProjectId) -> Result<Tx, ServiceError> {
    let mut tx = app.store.begin(Pool::Reading, name, Access::Projects(&[project])).await?;
    pages::prepare(&mut tx).await?;
    Ok(tx)
}

async fn with_feedback(
    tx: &mut Tx,
    project: ProjectId,
    records: Vec<CompletionRecord>,
    trust: TrustFilter,
) -> Result<Vec<CompletionView>, ServiceError> {
    let names: Vec<&str> = records.iter().flat_map(|record| &record.names).map(String::as_str).collect();
    let counts = pages::count_feedback_of(tx, project, &names).await?;
    let n_of_name: HashMap<&str, i64> = names.iter().copied().zip(counts).collect();
    let mut by_name: HashMap<String, Vec<FeedbackRecord>> = HashMap::new();
    for record in pages::list_feedback_of(tx, project, &names).await? {
        by_name.entry(record.name.clone()).or_default().push(record);
    }
    let mut views = Vec::with_capacity(records.len());
    for record in &records {
        let own: BTreeSet<&String> = record.names.iter().collect();
        let n_filed: i64 = own.iter().filter_map(|name| n_of_name.get(name.as_str())).sum();
        let feedback = own.iter().filter_map(|name| by_name.get(*name)).flatten().cloned();
        views.push(view(record, feedback.collect(), n_filed, trust));
    }
    Ok(views)
}

fn view(record: &CompletionRecord, mut items: Vec<FeedbackRecord>, n_filed: i64, trust: TrustFilter) -> CompletionView {
    let is_whole = items.len() as i64 == n_filed && !record.names.is_empty() && n_filed <= pages::MAX_FEEDBACK_OF_NAME;
    items.truncate(pages::MAX_FEEDBACK_OF_NAME as usize);
    for item in &mut items {
        item.feedback.completion_id = record.id.clone();
        let granted = item.granted_conversation_id.as_deref();
        item.feedback.trust = item.feedback.trust.within(granted, record.conversation_id.as_deref());
    }
    items.sort_by_key(|item| item.feedback.id);
    let feedback: Vec<_> = items.iter().map(|item| item.feedback.clone()).collect();
    let label = is_whole.then(|| {
        let label = label(&record.id, &feedback, &Options::default(), trust);
        LabelView {
            verdict: label.verdict.as_str(),
            rule: label.rule,
            n_votes: label.n_votes,
            strength: label.strength,
        }
    });
    let worth = standings(&feedback, trust).into_iter().map(crate::dataset::Standing::as_str);
    CompletionView {
        id: record.id.clone(),
        facts: record.facts.clone(),
        texts: record.texts.clone(),
        label,
        feedback: items.into_iter().zip(worth).collect(),
    }
}

/// A page of feedback.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedbackPage {
    /// The items, by completion and id.
    pub feedback: Vec<FeedbackRecord>,
    /// Whether there are more.
    pub has_more: bool,
}

/// Lists feedback of the caller's project, whether its completion has arrived or not.
pub async fn list_feedback(
    app: &App,
    principal: &Principal,
    listing: Listing<(CompletionId, FeedbackId)>,
) -> Result<FeedbackPage, ServiceError> {
    let (app, project_id) = (app.clone(), principal.project_id);
    detached(async move {
        let mut tx = begin(&app, "feedback.list", project_id).await?;
        let wanted = Wanted { project_id, selection: &listing.selection, limit: listing.limit };
        let (feedback, has_more) = pages::list_feedback(&mut tx, wanted, listing.after.as_ref()).await?;
        tx.commit().await?;
        Ok(FeedbackPage { feedback, has_more })
    })
    .await
}
