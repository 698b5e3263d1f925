//! Compares two models, or the variants of an experiment: one snapshot of tallies in, one [`Comparison`] out.
//!
//! This file resolves the question and reads; everything below it is pure: tallies, a resolved question and a moment
//! in, plain data out. No rendering is known here.

mod checks;
mod conclude;
mod metrics;
mod outlook;
mod question;
mod sample;
mod words;

#[cfg(test)]
mod tests;

use super::App;
use super::detached::detached;
use super::error::ServiceError;
use crate::domain::comparison::{ComparisonSpec, Sides};
use crate::domain::principal::Principal;
use crate::domain::trust::TrustRule;
use crate::report::comparison::Comparison;
use crate::store::connection::Tx;
use crate::store::tallies::{self, TallyQuery};
use crate::store::{experiments, projects};
use conclude::Evidence;
use question::Question;
use sample::UnitCounts;

/// Compares two sides of the caller's project and says what follows.
///
/// An experiment that was not declared is not found; a question that does not fit it is invalid; sides without
/// completions are [`ServiceError::NoData`]. Everything is read in one snapshot and nothing is written: a look costs no
/// error rate, because the bounds are valid at every look (ST-3).
pub async fn compare(app: &App, principal: &Principal, spec: ComparisonSpec) -> Result<Comparison, ServiceError> {
    let (app, project_id) = (app.clone(), principal.project_id);
    detached(async move {
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
        let question = Question::resolve(&spec, declared)?;
        let used_at = projects::token_used_at(&mut tx, project_id).await?;
        let trust = TrustRule::settle(spec.selection.trust, used_at);
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
        let evidence = read(&mut tx, &query, &question, trust).await?;
        tx.commit().await?;
        refuse_emptiness(&question, &evidence)?;
        Ok(conclude::conclude(&question, &evidence, app.clock.now()))
    })
    .await
}

async fn read(
    tx: &mut Tx,
    query: &TallyQuery<'_>,
    question: &Question,
    trust: TrustRule,
) -> Result<Evidence, ServiceError> {
    tallies::prepare(tx).await?;
    let tallies = tallies::list(tx, query, question.unit).await?;
    let randomised = match question.randomised {
        Some(unit) if unit != question.unit => UnitCounts::of(&tallies::list(tx, query, unit).await?),
        _ => UnitCounts::of(&tallies),
    };
    Ok(Evidence {
        trust,
        randomised,
        coverage: tallies::coverage(tx, query).await?,
        choices: tallies::preferences(tx, query).await?,
        tallies,
    })
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
