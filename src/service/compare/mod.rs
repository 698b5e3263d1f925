//! Compares two models, or the variants of an experiment: one snapshot of tallies in, one [`Comparison`] out.
//!
//! This file resolves the question and reads; everything below it is pure: tallies, a resolved question and a moment
//! in, plain data out. No rendering is known here.

pub(in crate::service) mod bots;
mod candidates;
mod checks;
mod conclude;
mod depth;
pub mod examples;
pub mod kept;
pub(in crate::service) mod metrics;
mod outlook;
pub mod plan;
pub(in crate::service) mod question;
mod sample;
pub(in crate::service) mod words;

#[cfg(test)]
mod tests;

use super::App;
use super::detached::detached;
use super::error::ServiceError;
use crate::domain::comparison::{ComparisonSpec, Sides};
use crate::domain::experiment::Experiment;
use crate::domain::ids::ProjectId;
use crate::domain::principal::Principal;
use crate::domain::trust::TrustRule;
use crate::report::comparison::Comparison;
use crate::store::connection::Tx;
use crate::store::tallies::{self, TallyQuery};
use crate::store::turns::{self, Reading};
use crate::store::votes::{self, VoteQuery};
use crate::store::{experiments, projects};
use bots::Bots;
use conclude::Evidence;
use question::Question;
use sample::UnitCounts;

/// Connections that read side by side at most: one processor puts together what they bring.
const MAX_LANES: usize = 4;

/// Compares two sides of the caller's project and says what follows.
///
/// An experiment that was not declared is not found; a question that does not fit it is invalid; sides without
/// completions are [`ServiceError::NoData`]. Everything is read in one snapshot and nothing is written: a look costs no
/// error rate, because the bounds are valid at every look (ST-3).
pub async fn compare(app: &App, principal: &Principal, spec: ComparisonSpec) -> Result<Comparison, ServiceError> {
    let (app, project_id) = (app.clone(), principal.project_id);
    detached(async move { compare_in(&app, project_id, spec).await }).await
}

/// Compares two sides of a project; in a task that nobody cancels.
async fn compare_in(app: &App, project_id: ProjectId, spec: ComparisonSpec) -> Result<Comparison, ServiceError> {
    let mut tx = app.store.begin_snapshot("compare", project_id).await?;
    let held = match &spec.sides {
        Sides::Experiment { key, .. } => {
            Some(experiments::find(&mut tx, project_id, key).await?.ok_or(ServiceError::NotFound)?)
        }
        Sides::Models { .. } => None,
    };
    let mut spec = spec;
    if let Some(stopped_at) = held.as_ref().and_then(|held| held.stopped_at) {
        // What arrived after the stop was not part of the experiment.
        spec.selection.to = Some(spec.selection.to.map_or(stopped_at, |to| to.min(stopped_at)));
    }
    let declared = held.map(|held| (held.experiment, held.declared_at));
    let used_at = projects::token_used_at(&mut tx, project_id).await?;
    let trust = TrustRule::settle(spec.selection.trust, used_at);
    let now = app.clock.now();
    let mut lanes = open_lanes(app, tx, project_id).await?;
    let specs = question::spelled_out(&spec, declared.as_ref().map(|(experiment, _)| experiment));
    let mut concluded = Vec::new();
    let mut nothing = None;
    for spec in &specs {
        let question = Question::resolve(spec, declared.clone())?;
        let query = TallyQuery {
            project_id,
            experiment: question.experiment.as_ref().map(|facts| facts.key.as_str()),
            control: &question.control.name,
            candidate: &question.candidate.name,
            control_model: question.control.model.as_deref(),
            candidate_model: question.candidate.model.as_deref(),
            trust: trust.filter,
            selection: &spec.selection,
        };
        let evidence = read(&mut lanes, &query, &question, trust).await?;
        match refuse_emptiness(&question, &evidence) {
            // Millions of turns take seconds, in which the thread would serve nobody else.
            Ok(()) => concluded.push(
                tokio::task::spawn_blocking(move || conclude::conclude(&question, &evidence, now))
                    .await
                    .map_err(|_| ServiceError::Internal("a comparison was not computed"))?,
            ),
            // Only where nobody met any of the candidates is there nothing to compare.
            Err(error) => nothing = Some(error),
        }
    }
    let is_one_of_several = specs.len() > 1;
    let alpha = concluded.first().map(|one| one.comparison.alpha);
    let mut comparison = if is_one_of_several {
        alpha.and_then(|alpha| candidates::put_together(concluded, alpha))
    } else {
        concluded.into_iter().next().map(|one| one.comparison)
    }
    .ok_or_else(|| nothing.unwrap_or(ServiceError::NoData("no completions of the experiment")))?;
    if let Some((experiment, _)) = declared.filter(|(experiment, _)| experiment.variants.len() > 2)
        && !comparison.verdict.withholds_numbers
    {
        let (alpha, names) = (comparison.alpha, variant_names(&experiment));
        let votes = votes::list(&mut lanes[0], &vote_query(project_id, &experiment, &names, trust, &spec)).await?;
        comparison.depth.tournament = candidates::tournament(&names, &votes, alpha);
    }
    for lane in lanes {
        lane.commit().await?;
    }
    Ok(comparison)
}

/// Returns the names of an experiment's variants, the control's first.
fn variant_names(experiment: &Experiment) -> Vec<String> {
    let others = experiment.variants.iter().map(|variant| &variant.name).filter(|name| **name != experiment.control);
    std::iter::once(&experiment.control).chain(others).cloned().collect()
}

fn vote_query<'a>(
    project_id: ProjectId,
    experiment: &'a Experiment,
    names: &[String],
    trust: TrustRule,
    spec: &'a ComparisonSpec,
) -> VoteQuery<'a> {
    let model = |name: &String| experiment.variants.iter().find(|it| it.name == *name)?.model.clone();
    let mut models: Vec<String> = names.iter().filter_map(model).collect();
    let mut distinct = models.clone();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < names.len() {
        models.clear();
    }
    VoteQuery {
        project_id,
        experiment: &experiment.key,
        variants: names.to_vec(),
        models,
        trust: trust.filter,
        selection: &spec.selection,
    }
}

/// Opens transactions that see the snapshot of the first one, for as many processors as there are; fewer where others hold
/// the connections. Their number is a power of two.
pub(in crate::service) async fn open_lanes(
    app: &App,
    mut first: Tx,
    project_id: ProjectId,
) -> Result<Vec<Tx>, ServiceError> {
    let n_processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let n_wanted = if n_processors >= MAX_LANES { MAX_LANES } else { n_processors.next_power_of_two().min(2) };
    let snapshot = first.share_snapshot().await?;
    let mut lanes = vec![first];
    while lanes.len() < n_wanted {
        match app.store.join_snapshot("compare.lane", project_id, &snapshot).await {
            Ok(Some(lane)) => lanes.push(lane),
            Ok(None) => break,
            // Somebody was quicker, or the server has no more; the lanes that there are do the work.
            Err(error) if error.is_retryable() => break,
            Err(error) => return Err(error.into()),
        }
    }
    let n_useful = if lanes.len() >= MAX_LANES { MAX_LANES } else { lanes.len().min(2) };
    while lanes.len() > n_useful {
        if let Some(spare) = lanes.pop() {
            spare.commit().await?;
        }
    }
    Ok(lanes)
}

async fn read(
    lanes: &mut [Tx],
    query: &TallyQuery<'_>,
    question: &Question,
    trust: TrustRule,
) -> Result<Evidence, ServiceError> {
    let Reading { mut turns, coverage } =
        turns::read(lanes, query, question.unit, question.randomised.unwrap_or(question.unit)).await?;
    let first = lanes.first_mut().ok_or(ServiceError::Internal("a comparison has no transaction"))?;
    tallies::prepare(first).await?;
    let choices = tallies::preferences(first, query).await?;
    // Who was assigned is counted with everybody: a bot was assigned, too.
    let (randomised, exposure) = (UnitCounts::of_randomised(&turns), depth::over_time::exposure(&turns));
    let bots = Bots::remove_from(&mut turns);
    Ok(Evidence { trust, randomised, exposure, tallies: turns.tallies(), turns, bots, coverage, choices })
}

/// Refuses to compare with nothing. A variant that got nobody while the other got many is a broken assignment, which
/// the planned shares show; a model without completions is a question that has no answer.
fn refuse_emptiness(question: &Question, evidence: &Evidence) -> Result<(), ServiceError> {
    let has = |is_candidate: bool| evidence.tallies.iter().any(|tally| tally.is_candidate == is_candidate);
    match (has(false), has(true), question.experiment.is_some()) {
        (true, true, _) | (true, false, true) | (false, true, true) => Ok(()),
        (false, false, true) => Err(ServiceError::NoData("no completions of the experiment's control and candidate")),
        (false, false, false) => Err(ServiceError::NoData("no completions of either model")),
        (false, true, false) => Err(ServiceError::NoData("no completions of the control model")),
        (true, false, false) => Err(ServiceError::NoData("no completions of the candidate model")),
    }
}
