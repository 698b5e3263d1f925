//! The first pass of an export: one snapshot, prompt by prompt, handed to the collector.

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::App;
use super::export_collect::{Collector, Gathered};
use super::export_progress::{Phase, Progress};
use super::export_run::{Production, RunError, blocking};
use crate::dataset::exclusion::AMBIGUOUS_ALIAS;
use crate::domain::recipe::ToolCalls;
use crate::domain::trust::TrustRule;
use crate::store::groups;
use crate::store::projects;

/// Prompts that are read together.
const N_PROMPTS_OF_PAGE: usize = 256;

/// Reads everything that the recipe selects, in one snapshot. While a page is worked on, the next one is fetched.
pub(super) async fn gather(
    app: &App,
    production: &Production,
    spill: &Path,
    progress: &Arc<Progress>,
    stop: &CancellationToken,
) -> Result<Gathered, RunError> {
    let (project_id, selection) = (production.project_id, &production.recipe.selection);
    let mut tx = app.store.begin_snapshot("export.read", project_id).await?;
    let trust = TrustRule::settle(selection.trust, projects::token_used_at(&mut tx, project_id).await?);
    let mut collector = Collector::create(production.recipe.clone(), trust, spill)?;
    let with_tools = production.recipe.options.tool_calls != ToolCalls::Exclude;
    let snapshot = groups::snapshot(&mut tx).await?;
    let prompts = groups::list_prompts(&mut tx, project_id, selection).await?;
    let n_ambiguous = groups::count_ambiguous(&mut tx, project_id, selection).await?;
    collector.leave_out(AMBIGUOUS_ALIAS, n_ambiguous);
    progress.enter(Phase::Reading, prompts.len() as u64);
    let mut pages = prompts.chunks(N_PROMPTS_OF_PAGE);
    let mut page = groups::list(&mut tx, project_id, selection, pages.next().unwrap_or_default(), with_tools).await?;
    while !page.is_empty() {
        if stop.is_cancelled() {
            return Err(RunError::Stopped);
        }
        let n_prompts = page.len() as u64;
        let next = pages.next().unwrap_or_default();
        let work = blocking(move || collector.take(page));
        let (worked, next) = tokio::join!(work, groups::list(&mut tx, project_id, selection, next, with_tools));
        collector = worked?;
        page = next?;
        progress.advance(n_prompts);
    }
    tx.commit().await?;
    blocking(move || collector.finish(snapshot)).await
}
