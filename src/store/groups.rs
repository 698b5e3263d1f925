//! Reads a project in the order of its prompts: all answers to one prompt, and all feedback on them, together.

use std::collections::{BTreeSet, HashMap};

use futures_util::TryStreamExt as _;
use sqlx::postgres::PgRow;
use sqlx::{Executor as _, Row};

use super::completions::hash_part;
use super::connection::Tx;
use super::error::{Cause, StoreError};
use super::reading::feedback_from_row;
use crate::domain::completion::{Completion, Message};
use crate::domain::feedback::Feedback;
use crate::domain::hash::ContentHash;
use crate::domain::ids::{CompletionId, ConversationId, ProjectId, UserId};
use crate::domain::json::Json;
use crate::domain::selection::Selection;

/// All answers to one prompt, with all feedback on them; aliases are resolved to completion ids (LATE-3).
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Hash of the prompt.
    pub prompt_hash: ContentHash,
    /// Its answers, by id.
    pub completions: Vec<Completion>,
    /// Feedback on them, by completion and id.
    pub feedback: Vec<Feedback>,
    /// Those whose label calls them unsafe.
    pub flagged: BTreeSet<CompletionId>,
    /// Bytes of prompts and answers, as they are stored.
    pub n_bytes: u64,
}

impl Group {
    fn of(prompt_hash: ContentHash) -> Self {
        let flagged = BTreeSet::new();
        Self { prompt_hash, completions: Vec::new(), feedback: Vec::new(), flagged, n_bytes: 0 }
    }
}

/// What is read beside what every data set needs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// The definitions of tools.
    pub tools: bool,
    /// The tag that calls an answer unsafe; empty for none.
    pub safety_label: &'a str,
}

/// Values of a safety label that call an answer safe; any other one calls it unsafe.
const SAFE: [&str; 8] = ["", "0", "false", "no", "none", "ok", "pass", "safe"];

/// The SQLSTATE of a statement that took longer than it may.
const QUERY_CANCELED: &str = "57014";

/// The moment that a snapshot shows, in Postgres's own form, for the manifest.
pub async fn snapshot(tx: &mut Tx) -> Result<String, StoreError> {
    Ok(sqlx::query("-- store::groups::snapshot\nselect pg_current_snapshot()::text")
        .fetch_one(tx.connection())
        .await?
        .try_get(0)?)
}

/// Does nothing, so that the server does not take the transaction for idle.
pub async fn stay(tx: &mut Tx) -> Result<(), StoreError> {
    sqlx::query("-- store::groups::stay\nselect 1").execute(tx.connection()).await?;
    Ok(())
}

/// Lists every prompt that has a selected answer, and feedback on any of its answers, in the order of the first answers that
/// feedback is on: sixteen bytes for each. Rows lie on disk as they came, so that who reads prompt by prompt in this order
/// finds most of them in pages that were read a moment ago.
pub async fn list_prompts(
    tx: &mut Tx,
    project: ProjectId,
    selection: &Selection,
) -> Result<Vec<ContentHash>, StoreError> {
    // Without statistics, as on tables that were filled a moment ago, the planner takes a handful of rows for granted
    // and would compare everything with everything.
    tx.connection().execute("set local enable_nestloop = off").await?;
    let words = Words::of(selection);
    let query = words.bind(sqlx::query(include_str!("sql/list_prompts.sql")).bind(project.0));
    let mut rows = query.fetch(tx.connection());
    let mut prompts = Vec::new();
    while let Some(row) = rows.try_next().await? {
        prompts.push(hash_part(&row, 0)?);
    }
    Ok(prompts)
}

/// Tells whether a selection lets any completion through. Where no index helps and nothing is found for two seconds, that
/// is not known: a request must not wait for a look at every row.
pub async fn has_selected(tx: &mut Tx, project: ProjectId, selection: &Selection) -> Result<Option<bool>, StoreError> {
    sqlx::query("set local statement_timeout = '2s'").execute(tx.connection()).await?;
    let words = Words::of(selection);
    let found = words
        .bind(sqlx::query(include_str!("sql/has_selected.sql")).bind(project.0))
        .fetch_one(tx.connection())
        .await
        .map_err(StoreError::from);
    match found {
        Ok(row) => Ok(Some(row.try_get(0)?)),
        Err(StoreError::Unavailable(Cause::Server { code, .. })) if code == QUERY_CANCELED => Ok(None),
        Err(error) => Err(error),
    }
}

/// Counts the items of feedback that are filed under an alias which several completions carry, where one of these answers
/// a prompt of which an answer is selected. No group holds them: they are about nothing in particular (LATE-3).
pub async fn count_ambiguous(tx: &mut Tx, project: ProjectId, selection: &Selection) -> Result<u64, StoreError> {
    let words = Words::of(selection);
    let row = words
        .bind(sqlx::query(include_str!("sql/count_ambiguous.sql")).bind(project.0))
        .fetch_one(tx.connection())
        .await?;
    Ok(row.try_get::<i64, _>(0)?.unsigned_abs())
}

/// Holds the planner to the index: pages are read by it even where a table is small.
pub async fn read_by_index(tx: &mut Tx) -> Result<(), StoreError> {
    tx.connection()
        .execute("set local enable_seqscan = off; set local enable_nestloop = on; set local jit = off")
        .await?;
    Ok(())
}

/// Lists the groups of some prompts, in the order in which these are given; some of what there is only on request. A
/// transaction reads faster after [`read_by_index`].
pub async fn list(
    tx: &mut Tx,
    project: ProjectId,
    selection: &Selection,
    prompts: &[ContentHash],
    wanted: Wanted<'_>,
) -> Result<Vec<Group>, StoreError> {
    if prompts.is_empty() {
        return Ok(Vec::new());
    }
    let words = Words::of(selection);
    let hashes: Vec<Vec<u8>> = prompts.iter().map(|hash| hash.0.to_vec()).collect();
    let mut groups: Vec<Group> = Vec::with_capacity(hashes.len());
    let mut names: HashMap<String, (usize, CompletionId)> = HashMap::new();
    let rows = words
        .bind(sqlx::query(include_str!("sql/list_completions_of_prompts.sql")).bind(project.0))
        .bind(&hashes)
        .bind(wanted.tools)
        .bind(wanted.safety_label)
        .fetch_all(tx.connection())
        .await?;
    for row in &rows {
        let prompt_hash = hash_part(row, 1)?;
        if groups.last().is_none_or(|group| group.prompt_hash != prompt_hash) {
            groups.push(Group::of(prompt_hash));
        }
        let index = groups.len() - 1;
        let (completion, n_bytes) = completion_from_row(row, prompt_hash)?;
        groups[index].n_bytes += n_bytes;
        let aliases: Option<Vec<String>> = row.try_get("aliases")?;
        for name in aliases.unwrap_or_default() {
            names.insert(name, (index, completion.id.clone()));
        }
        names.insert(completion.id.as_str().to_owned(), (index, completion.id.clone()));
        let label: Option<&str> = row.try_get("safety_label")?;
        if label.is_some_and(|label| !SAFE.contains(&label.trim().to_lowercase().as_str())) {
            groups[index].flagged.insert(completion.id.clone());
        }
        groups[index].completions.push(completion);
    }
    for completion in groups.iter_mut().flat_map(|group| &mut group.completions) {
        if let Some(parent) = &completion.parent_completion_id
            && let Some((_, id)) = names.get(parent.as_str())
        {
            // Its own alias makes no completion its own parent.
            completion.parent_completion_id = (*id != completion.id).then(|| id.clone());
        }
    }
    add_feedback(tx, project, &mut groups, &names).await?;
    Ok(groups)
}

/// Hands over every prompt of the experiments whose prompts are held out, each once.
pub async fn for_each_held_out(
    tx: &mut Tx,
    project: ProjectId,
    mut take: impl FnMut(ContentHash, Vec<Message>),
) -> Result<(), StoreError> {
    let mut rows = sqlx::query(include_str!("sql/list_held_out_prompts.sql")).bind(project.0).fetch(tx.connection());
    while let Some(row) = rows.try_next().await? {
        let prompt = messages(row.try_get(1)?);
        take(hash_part(&row, 0)?, prompt.ok_or(StoreError::Inconsistent { table: "completions", column: "prompt" })?);
    }
    Ok(())
}

async fn add_feedback(
    tx: &mut Tx,
    project: ProjectId,
    groups: &mut [Group],
    names: &HashMap<String, (usize, CompletionId)>,
) -> Result<(), StoreError> {
    let mut ids: Vec<&str> = names.keys().map(String::as_str).collect();
    ids.sort_unstable();
    let rows = sqlx::query(include_str!("sql/list_feedback_of_completions.sql"))
        .bind(project.0)
        .bind(&ids)
        .fetch_all(tx.connection())
        .await?;
    for row in &rows {
        let mut item = feedback_from_row(row)?;
        if let Some((index, id)) = names.get(item.completion_id.as_str()) {
            item.completion_id = id.clone();
            name_by_own_ids(&mut item, names);
            hold_to_its_conversation(&mut item, &groups[*index].completions);
            groups[*index].feedback.push(item);
        }
    }
    for group in groups {
        group.feedback.sort_by(|left, right| (&left.completion_id, left.id).cmp(&(&right.completion_id, right.id)));
    }
    Ok(())
}

/// Takes back the trust in a reaction whose token was granted for another conversation than that of its answer, or of the
/// answer that it names beside it: the second is judged by it as much as the first. An answer to another prompt is not
/// looked at; nothing is made of the two together anyway.
fn hold_to_its_conversation(item: &mut Feedback, answers: &[Completion]) {
    let Some(granted) = item.granted.clone() else { return };
    let find = |id: &CompletionId| answers.iter().find(|answer| answer.id == *id);
    let beside = item.reaction.other_completion().and_then(find);
    for answer in find(&item.completion_id).into_iter().chain(beside) {
        let conversation = answer.conversation_id.as_ref().map(ConversationId::as_str);
        item.trust = item.trust.within(Some(granted.as_str()), conversation);
    }
}

/// Replaces the aliases under which a reaction names other answers. An answer to another prompt may be absent from
/// `names`; nothing is made of the two together anyway.
fn name_by_own_ids(item: &mut Feedback, names: &HashMap<String, (usize, CompletionId)>) {
    if let Some(named) = item.reaction.other_completion_mut()
        && let Some((_, id)) = names.get(named.as_str())
    {
        named.clone_from(id);
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// A selection as bound values: an empty list is bound as null, which lets everything through.
pub(super) struct Words {
    models: Option<Vec<String>>,
    experiment: Option<String>,
    variants: Option<Vec<String>>,
    tasks: Option<Vec<String>>,
    languages: Option<Vec<String>>,
    from: Option<crate::domain::clock::Timestamp>,
    to: Option<crate::domain::clock::Timestamp>,
}

impl Words {
    pub(super) fn of(selection: &Selection) -> Self {
        let list = |words: &[String]| (!words.is_empty()).then(|| words.to_vec());
        Self {
            models: list(&selection.models),
            experiment: selection.experiment.clone(),
            variants: list(&selection.variants),
            tasks: list(&selection.tasks),
            languages: list(&selection.languages),
            from: selection.from,
            to: selection.to,
        }
    }

    /// Binds the selection as $2 to $8.
    pub(super) fn bind<'q>(&self, query: Query<'q>) -> Query<'q> {
        query
            .bind(self.models.clone())
            .bind(self.experiment.clone())
            .bind(self.variants.clone())
            .bind(self.tasks.clone())
            .bind(self.languages.clone())
            .bind(self.from)
            .bind(self.to)
    }
}

/// Reads an answer, and tells how many bytes it and its prompt have.
fn completion_from_row(row: &PgRow, prompt_hash: ContentHash) -> Result<(Completion, u64), StoreError> {
    let wrong = |column| StoreError::Inconsistent { table: "completions", column };
    let id: &str = row.try_get("completion_id")?;
    let (prompt, response): (&str, &str) = (row.try_get("prompt")?, row.try_get("response")?);
    let conversation_id: Option<&str> = row.try_get("conversation_id")?;
    let parent: Option<&str> = row.try_get("parent_completion_id")?;
    let user: Option<&str> = row.try_get("user_id")?;
    let completion = Completion {
        id: CompletionId::parse(id).map_err(|_| wrong("completion_id"))?,
        prompt_hash,
        model: row.try_get("model")?,
        prompt: messages(prompt).ok_or_else(|| wrong("prompt"))?,
        n_response_bytes: u32::try_from(response.len()).unwrap_or(u32::MAX),
        response: Json::parse_foreign(response.as_bytes())
            .ok()
            .and_then(Message::from_stored)
            .ok_or_else(|| wrong("response"))?,
        has_tools: row.try_get("has_tools")?,
        tools: row.try_get("tools")?,
        finish_reason: row.try_get("finish_reason")?,
        conversation_id: conversation_id
            .map(ConversationId::parse)
            .transpose()
            .map_err(|_| wrong("conversation_id"))?,
        parent_completion_id: parent.map(CompletionId::parse).transpose().map_err(|_| wrong("parent_completion_id"))?,
        user: user.map(UserId::parse).transpose().map_err(|_| wrong("user_id"))?,
        language: row.try_get("language")?,
        experiment: row.try_get("experiment")?,
        consent_training: row.try_get("consent_training")?,
        is_consent_presumed: row.try_get("is_consent_presumed")?,
        selected: row.try_get("selected")?,
        received_at: row.try_get("received_at")?,
    };
    Ok((completion, (prompt.len() + response.len()) as u64))
}

fn messages(text: &str) -> Option<Vec<Message>> {
    match Json::parse_foreign(text.as_bytes()).ok()? {
        Json::Array(items) => items.into_iter().map(Message::from_stored).collect(),
        _ => None,
    }
}
