//! The first pass of an export: one snapshot, prompt by prompt, into examples on a local disk and a plan over keys.

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::App;
use super::erase_hashes::hasher;
use super::export_holders::Holders;
use super::export_manifest::ManifestFunnel;
use super::export_progress::{Phase, Progress};
use super::export_run::{Production, RunError, blocking};
use super::export_spill::{Spill, SpillWriter};
use crate::dataset::example::Exclusions;
use crate::dataset::{Funnel, Plan, PlanKey, Planner, harvest};
use crate::domain::consent::ConsentDefault;
use crate::domain::erasure::IdHash;
use crate::domain::recipe::Recipe;
use crate::domain::trust::TrustRule;
use crate::store::groups::{self, Group};
use crate::store::projects;

/// Prompts that are read together.
const N_PROMPTS_OF_PAGE: usize = 256;

/// What the first pass gives the second.
pub(super) struct Gathered {
    /// The examples.
    pub(super) spill: Spill,
    /// Their order, splits and groups.
    pub(super) plan: Plan,
    /// Whose rows they are, as keyed hashes.
    pub(super) holders: Vec<IdHash>,
    /// What the manifest tells of the pass.
    pub(super) read: WhatWasRead,
}

/// What the manifest tells of the first pass.
pub(super) struct WhatWasRead {
    /// How many of what went in.
    pub(super) funnel: ManifestFunnel,
    /// Candidates that became no row, from harvest and plan.
    pub(super) exclusions: Exclusions,
    /// Feedback that was not counted.
    pub(super) feedback_left_out: Exclusions,
    /// Whose feedback counted.
    pub(super) trust: TrustRule,
    /// What held for completions that say nothing of consent.
    pub(super) consent_default: ConsentDefault,
    /// The snapshot, in Postgres's own form.
    pub(super) snapshot: String,
}

/// Collects what prompts give.
struct Collector {
    recipe: Recipe,
    trust: TrustRule,
    consent_default: ConsentDefault,
    spill: SpillWriter,
    planner: Planner,
    holders: Holders,
    exclusions: Exclusions,
    funnel: Funnel,
}

/// Reads everything that the recipe selects, in one snapshot. While a page is worked on, the next one is fetched.
pub(super) async fn gather(
    app: &App,
    production: &Production,
    spill: &Path,
    progress: &Arc<Progress>,
    stop: &CancellationToken,
) -> Result<Gathered, RunError> {
    let (project_id, selection) = (production.project_id, &production.recipe.selection);
    let holders = Holders::new(hasher(app, project_id).await?);
    let mut tx = app.store.begin_snapshot("export.read", project_id).await?;
    let trust = TrustRule::settle(selection.trust, projects::token_used_at(&mut tx, project_id).await?);
    let mut recipe = production.recipe.clone();
    recipe.selection.trust = Some(trust.filter);
    let mut collector = Collector {
        recipe,
        trust,
        consent_default: projects::consent_default(&mut tx, project_id).await?,
        spill: SpillWriter::create(spill)?,
        planner: Planner::new(&production.recipe.options),
        holders,
        exclusions: Exclusions::default(),
        funnel: Funnel::default(),
    };
    let snapshot = groups::snapshot(&mut tx).await?;
    let prompts = groups::list_prompts(&mut tx, project_id, selection).await?;
    progress.enter(Phase::Reading, prompts.len() as u64);
    let mut pages = prompts.chunks(N_PROMPTS_OF_PAGE);
    let mut page = groups::list(&mut tx, project_id, selection, pages.next().unwrap_or_default()).await?;
    while !page.is_empty() {
        if stop.is_cancelled() {
            return Err(RunError::Stopped);
        }
        let n_prompts = page.len() as u64;
        let next = pages.next().unwrap_or_default();
        let work = blocking(move || collector.take(page));
        let (worked, next) = tokio::join!(work, groups::list(&mut tx, project_id, selection, next));
        collector = worked?;
        page = next?;
        progress.advance(n_prompts);
    }
    tx.commit().await?;
    blocking(move || collector.finish(snapshot)).await
}

impl Collector {
    fn take(mut self, page: Vec<Group>) -> Result<Self, RunError> {
        for group in page {
            let harvest = harvest(&group.completions, &group.feedback, &self.recipe);
            for example in &harvest.examples {
                self.planner.add(PlanKey::of(example));
                self.holders.add(example, &group.completions);
                self.spill.push(example)?;
            }
            for key in harvest.former {
                self.planner.add_former(key);
            }
            self.exclusions.extend(&harvest.exclusions);
            self.funnel.extend(&harvest.funnel);
        }
        Ok(self)
    }

    fn finish(mut self, snapshot: String) -> Result<Gathered, RunError> {
        let plan = self.planner.plan();
        self.exclusions.extend(&plan.exclusions);
        let funnel = ManifestFunnel {
            n_prompts: self.funnel.n_prompts,
            n_completions: self.funnel.n_completions,
            n_feedback: self.funnel.n_feedback,
            n_candidates: self.funnel.n_candidates,
            n_examples: plan.placements.len() as u64,
        };
        let (exclusions, feedback_left_out) = (self.exclusions, self.funnel.feedback_left_out);
        let (trust, consent_default) = (self.trust, self.consent_default);
        let read = WhatWasRead { funnel, exclusions, feedback_left_out, trust, consent_default, snapshot };
        Ok(Gathered { spill: self.spill.finish()?, holders: self.holders.of(&plan), plan, read })
    }
}
