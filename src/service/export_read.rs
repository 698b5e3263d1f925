//! The first pass of an export: one snapshot, prompt by prompt, handed to the collector.

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::App;
use super::erase_hashes::hasher;
use super::export_collect::{Collector, Gathered};
use super::export_holders::Holders;
use super::export_progress::{Phase, Progress};
use super::export_run::{Production, RunError, blocking};
use crate::dataset::exclusion::AMBIGUOUS_ALIAS;
use crate::dataset::propensity::bounds_bytes;
use crate::domain::hash::ContentHash;
use crate::domain::ids::ProjectId;
use crate::domain::recipe::ToolCalls;
use crate::domain::selection::Selection;
use crate::domain::trust::TrustRule;
use crate::store::Tx;
use crate::store::groups::{self, Group};
use crate::store::{projects, rates};

/// Prompts that are read together.
const N_PROMPTS_OF_PAGE: usize = 256;

/// Reads everything that the recipe selects, in one snapshot; twice, where votes are weighed by who cast them.
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
    let consent_default = projects::consent_default(&mut tx, project_id).await?;
    let mut collector = Collector::create(production.recipe.clone(), (trust, consent_default), holders, spill)?;
    let with_tools = production.recipe.options.tool_calls != ToolCalls::Exclude;
    let snapshot = groups::snapshot(&mut tx).await?;
    let counts = rates::count(&mut tx, project_id, selection, &bounds_bytes()).await?;
    collector.count_answers(&counts);
    let prompts = groups::list_prompts(&mut tx, project_id, selection).await?;
    let n_ambiguous = groups::count_ambiguous(&mut tx, project_id, selection).await?;
    collector.leave_out(AMBIGUOUS_ALIAS, n_ambiguous);
    let mut reading = Reading { tx, project_id, selection, prompts, with_tools, progress, stop };
    if collector.needs_survey() {
        progress.enter(Phase::Reading, 2 * reading.prompts.len() as u64);
        collector = reading.each_page(collector, |collector, page| Ok(collector.ask(&page))).await?.empanel();
    } else {
        progress.enter(Phase::Reading, reading.prompts.len() as u64);
    }
    collector = reading.each_page(collector, Collector::take).await?;
    reading.tx.commit().await?;
    blocking(move || collector.finish(snapshot)).await
}

/// All prompts of a snapshot.
struct Reading<'r> {
    tx: Tx,
    project_id: ProjectId,
    selection: &'r Selection,
    prompts: Vec<ContentHash>,
    with_tools: bool,
    progress: &'r Progress,
    stop: &'r CancellationToken,
}

impl Reading<'_> {
    /// Hands page after page to the collector. While a page is worked on, the next one is fetched.
    async fn each_page(
        &mut self,
        mut collector: Collector,
        work: fn(Collector, Vec<Group>) -> Result<Collector, RunError>,
    ) -> Result<Collector, RunError> {
        let Self { tx, project_id, selection, prompts, with_tools, progress, stop } = self;
        let mut pages = prompts.chunks(N_PROMPTS_OF_PAGE);
        let mut page = groups::list(tx, *project_id, selection, pages.next().unwrap_or_default(), *with_tools).await?;
        while !page.is_empty() {
            if stop.is_cancelled() {
                return Err(RunError::Stopped);
            }
            let n_prompts = page.len() as u64;
            let next = pages.next().unwrap_or_default();
            let working = blocking(move || work(collector, page));
            let (worked, next) = tokio::join!(working, groups::list(tx, *project_id, selection, next, *with_tools));
            collector = worked?;
            page = next?;
            progress.advance(n_prompts);
        }
        Ok(collector)
    }
}
