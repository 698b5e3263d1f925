//! The serving report: how busy engines were, how long prompts and answers are, and how both go together with what users do.
//!
//! This file reads; everything below it is pure: turns, counts of minutes and a moment in, plain data out. No rendering is known
//! here. What a turn is, which turns are good and who is no person is what the comparison says.

mod findings;
mod lengths;
mod quality;
mod usage;

use std::collections::HashMap;
use std::time::Duration;

use super::App;
use super::compare::bots::Bots;
use super::compare::{open_lanes, question};
use super::detached::detached;
use super::error::ServiceError;
use crate::domain::clock::Timestamp;
use crate::domain::principal::Principal;
use crate::domain::serving_query::ServingQuery;
use crate::domain::trust::TrustRule;
use crate::report::serving::{MAX_MODELS, ServingReport};
use crate::store::connection::Pool;
use crate::store::serving_load::{self, LoadCount};
use crate::store::turns::{self, ModelsQuery, Turns};
use crate::store::{Access, projects};

/// The most models whose engines are asked about: the names of a project's models are its clients'.
const MAX_ASKED: usize = 200;

/// Everything that a report is made of.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// What was asked.
    pub query: ServingQuery,
    /// Whose reactions were counted.
    pub trust: TrustRule,
    /// Every turn of the models that were asked for.
    pub turns: Turns,
    /// What their engines said, by bins from the window's minute on.
    pub engines: Vec<LoadCount>,
}

/// Reports on the caller's completions and on the engines that serve their models.
///
/// Where there are none the report says so. What belongs to the project is read in one snapshot, and nothing is written.
pub async fn report(app: &App, principal: &Principal, query: ServingQuery) -> Result<ServingReport, ServiceError> {
    let (app, project_id) = (app.clone(), principal.project_id);
    detached(async move {
        let now = app.clock.now();
        let mut tx = app.store.begin_snapshot("serving.report", project_id).await?;
        let used_at = projects::token_used_at(&mut tx, project_id).await?;
        let trust = TrustRule::settle(query.selection.trust, used_at);
        let mut lanes = open_lanes(&app, tx, project_id).await?;
        let asked = ModelsQuery {
            project_id,
            models: &query.selection.models,
            trust: trust.filter,
            selection: &query.selection,
        };
        let turns = turns::read_models(&mut lanes, &asked).await?;
        for lane in lanes {
            lane.commit().await?;
        }
        let engines = engines(&app, &turns, &query).await?;
        // Millions of turns take seconds, in which the thread would serve nobody else.
        let evidence = Evidence { query, trust, turns, engines };
        tokio::task::spawn_blocking(move || conclude(evidence, now))
            .await
            .map_err(|_| ServiceError::Internal("a serving report was not computed"))
    })
    .await
}

/// Asks what the engines said of the models that answered.
async fn engines(app: &App, turns: &Turns, query: &ServingQuery) -> Result<Vec<LoadCount>, ServiceError> {
    let models: Vec<&str> = by_turns(turns).into_iter().take(MAX_ASKED).map(|(name, _)| name).collect();
    if models.is_empty() {
        return Ok(Vec::new());
    }
    let bin = Duration::from_secs(usage::bin_of(query.from, query.to).unsigned_abs());
    let window = (usage::beginning(query.from), query.to);
    let mut tx = app.store.begin(Pool::Reading, "serving.load", Access::Serving).await?;
    let counts = serving_load::count(&mut tx, &models, window, bin).await?;
    tx.commit().await?;
    Ok(counts)
}

/// Lists models with their turns, those with most first.
fn by_turns(turns: &Turns) -> Vec<(&str, u64)> {
    let mut counts: HashMap<u16, u64> = HashMap::new();
    for turn in &turns.rows {
        *counts.entry(turn.model).or_default() += 1;
    }
    let named = counts.into_iter().filter_map(|(place, n)| Some((turns.models.get(usize::from(place))?.as_str(), n)));
    let mut models: Vec<(&str, u64)> = named.collect();
    models.sort_unstable_by(|(left, n_left), (right, n_right)| n_right.cmp(n_left).then_with(|| left.cmp(right)));
    models
}

/// Makes a report of what was read.
pub fn conclude(evidence: Evidence, now: Timestamp) -> ServingReport {
    let Evidence { query, trust, mut turns, engines } = evidence;
    let all: Vec<(String, u64)> = by_turns(&turns).into_iter().map(|(name, n)| (name.to_owned(), n)).collect();
    let (n_turns, n_models) = (turns.rows.len() as u64, all.len() as u64);
    let n_users = turns.rows.chunk_by(|left, right| left.unit == right.unit).count() as u64;
    let usage = usage::of_engines(&engines, &query).or_else(|| usage::of_turns(&turns.rows, &query));
    let (lengths, weeks) = (lengths::map(&turns.rows), lengths::weeks(&turns.rows));
    let n_without_load = turns.rows.iter().filter(|turn| turn.kv_cache_usage.get().is_none()).count() as u64;
    let n_bots = Bots::remove_from(&mut turns).n_units as u64;
    let mut report = ServingReport {
        from: query.from,
        to: query.to,
        filters: filters(&query),
        trust,
        n_turns,
        n_users,
        n_bots,
        models: all.into_iter().take(MAX_MODELS).collect(),
        n_models,
        findings: Vec::new(),
        usage,
        lengths,
        weeks,
        quality: quality::of(&turns),
        notes: Vec::new(),
        computed_at: now,
    };
    report.findings = findings::findings(&report);
    report.notes = findings::notes(&report, n_without_load);
    report
}

fn filters(query: &ServingQuery) -> Vec<(String, String)> {
    let models = Some(query.selection.models.join(", ")).filter(|models| !models.is_empty());
    let others = question::filters(&query.selection).into_iter().filter(|(name, _)| name != "from" && name != "to");
    models.map(|models| ("model".to_owned(), models)).into_iter().chain(others).collect()
}
