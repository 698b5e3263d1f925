//! The first pass of an export: one snapshot, prompt by prompt, handed to the collector.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::App;
use super::erase_hashes::hasher;
use super::export_benchmarks::read_benchmarks;
use super::export_collect::{Collector, Gathered};
use super::export_holders::Holders;
use super::export_hooks::Asking;
use super::export_progress::{Phase, Progress};
use super::export_run::{Production, RunError, blocking};
use crate::dataset::exclusion::AMBIGUOUS_ALIAS;
use crate::dataset::propensity::bounds_bytes;
use crate::domain::hash::ContentHash;
use crate::domain::ids::ProjectId;
use crate::domain::recipe::{Holdout, ToolCalls};
use crate::domain::selection::Selection;
use crate::domain::trust::TrustRule;
use crate::store::Tx;
use crate::store::groups::{self, Group, Wanted};
use crate::store::{StoreError, projects, rates};

/// Prompts that are read together.
const N_PROMPTS_OF_PAGE: usize = 256;
/// How often the server hears of a transaction that waits for hooks; it ends one that was idle for a minute.
const STAY_EVERY: Duration = Duration::from_secs(5);

/// Reads everything that the recipe selects, in one snapshot; twice, where votes are weighed by who cast them.
pub(super) async fn gather(
    app: &App,
    production: &Production,
    spill: &Path,
    progress: &Arc<Progress>,
    stop: &CancellationToken,
) -> Result<Gathered, RunError> {
    let (project_id, selection) = (production.project_id, &production.recipe.selection);
    let options = &production.recipe.options;
    let asking = Asking::of(options)?;
    tokio::select! {
        greeted = asking.greet() => greeted?,
        () = stop.cancelled() => return Err(RunError::Stopped),
    }
    let (paths, place) = (options.decontaminate.clone(), production.benchmarks.clone());
    let benchmarks = blocking(move || Ok(read_benchmarks(&paths, &place)?)).await?;
    let holders = Holders::new(hasher(app, project_id).await?);
    let mut tx = app.store.begin_snapshot("export.read", project_id).await?;
    let trust = TrustRule::settle(selection.trust, projects::token_used_at(&mut tx, project_id).await?);
    let consent_default = projects::consent_default(&mut tx, project_id).await?;
    let settled = (trust, consent_default);
    let mut collector = Collector::create(production.recipe.clone(), settled, holders, spill, benchmarks)?;
    let wanted = Wanted { tools: options.tool_calls != ToolCalls::Exclude, safety_label: &options.safety_label };
    let snapshot = groups::snapshot(&mut tx).await?;
    let counts = rates::count(&mut tx, project_id, selection, &bounds_bytes()).await?;
    collector.count_answers(&counts);
    let prompts = groups::list_prompts(&mut tx, project_id, selection).await?;
    let n_ambiguous = groups::count_ambiguous(&mut tx, project_id, selection).await?;
    collector.leave_out(AMBIGUOUS_ALIAS, n_ambiguous);
    if options.holdout == Holdout::On {
        groups::for_each_held_out(&mut tx, project_id, |hash, prompt| collector.hold_out(hash, &prompt)).await?;
    }
    let mut reading = Reading { tx, project_id, selection, prompts, wanted, progress, stop };
    if collector.needs_survey() {
        progress.enter(Phase::Reading, 2 * reading.prompts.len() as u64);
        collector = reading.each_page(collector, Pass::Survey).await?.empanel();
    } else {
        progress.enter(Phase::Reading, reading.prompts.len() as u64);
    }
    collector = reading.each_page(collector, Pass::Rows(&asking)).await?;
    reading.tx.commit().await?;
    blocking(move || collector.finish(snapshot)).await
}

/// What a pass over all prompts is for.
#[derive(Clone, Copy)]
enum Pass<'a> {
    /// To find out how reliable voters are.
    Survey,
    /// To make rows, and to ask the hooks about them where there are some.
    Rows(&'a Asking),
}

impl Pass<'_> {
    async fn work_on(
        self,
        collector: Collector,
        page: Vec<Group>,
        stop: &CancellationToken,
    ) -> Result<Collector, RunError> {
        match self {
            Self::Survey => blocking(move || Ok(collector.ask(&page))).await,
            Self::Rows(asking) => {
                let (collector, admitted) = blocking(move || Ok(collector.take(page))).await?;
                // Hooks may take their time; whoever stops or cancels the run does not wait for them.
                let asked = tokio::select! {
                    asked = asking.ask(admitted) => asked?,
                    () = stop.cancelled() => return Err(RunError::Stopped),
                };
                blocking(move || collector.keep(asked)).await
            }
        }
    }
}

/// Keeps a transaction alive until a page is worked on: hooks may take longer than the server lets one stand idle.
async fn stay(tx: &mut Tx, is_worked: &CancellationToken) -> Result<(), StoreError> {
    while tokio::time::timeout(STAY_EVERY, is_worked.cancelled()).await.is_err() {
        groups::stay(tx).await?;
    }
    Ok(())
}

/// All prompts of a snapshot.
struct Reading<'r> {
    tx: Tx,
    project_id: ProjectId,
    selection: &'r Selection,
    prompts: Vec<ContentHash>,
    wanted: Wanted<'r>,
    progress: &'r Progress,
    stop: &'r CancellationToken,
}

impl Reading<'_> {
    /// Hands page after page to the collector. While a page is worked on, the next one is fetched.
    async fn each_page(&mut self, mut collector: Collector, pass: Pass<'_>) -> Result<Collector, RunError> {
        let Self { tx, project_id, selection, prompts, wanted, progress, stop } = self;
        let mut pages = prompts.chunks(N_PROMPTS_OF_PAGE);
        let mut page = groups::list(tx, *project_id, selection, pages.next().unwrap_or_default(), *wanted).await?;
        while !page.is_empty() {
            if stop.is_cancelled() {
                return Err(RunError::Stopped);
            }
            let n_prompts = page.len() as u64;
            let next = pages.next().unwrap_or_default();
            let is_worked = CancellationToken::new();
            let working = async {
                let _worked = is_worked.clone().drop_guard();
                pass.work_on(collector, page, stop).await
            };
            let fetching = async {
                let next = groups::list(tx, *project_id, selection, next, *wanted).await?;
                stay(tx, &is_worked).await?;
                Ok::<_, StoreError>(next)
            };
            let (worked, next) = tokio::join!(working, fetching);
            collector = worked?;
            page = next?;
            progress.advance(n_prompts);
        }
        Ok(collector)
    }
}
