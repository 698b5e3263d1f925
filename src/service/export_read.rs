//! The first pass of an export: one snapshot, prompt by prompt, handed to the collector.

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::App;
use super::erase_hashes::hasher;
use super::export_benchmarks::read_benchmarks;
use super::export_collect::{Collector, Gathered};
use super::export_hooks::Asking;
use super::export_lanes::{AsyncWork, Lanes, Pages, Prompts};
use super::export_progress::{Phase, Progress};
use super::export_rows::RowMaker;
use super::export_run::{Production, RunError, blocking};
use crate::dataset::exclusion::AMBIGUOUS_ALIAS;
use crate::dataset::propensity::bounds_bytes;
use crate::domain::recipe::Holdout;
use crate::domain::trust::TrustRule;
use crate::store::groups::{self, Group};
use crate::store::{projects, rates};

/// Reads everything that the recipe selects, in one snapshot; twice, where votes are weighed by who cast them.
pub(super) async fn gather(
    app: &App,
    production: &Production,
    spill: &Path,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<Gathered, RunError> {
    let (project_id, mut recipe) = (production.project_id, production.recipe.clone());
    let asking = Asking::of(&recipe.options)?;
    tokio::select! {
        greeted = asking.greet() => greeted?,
        () = stop.cancelled() => return Err(RunError::Stopped),
    }
    let (paths, place) = (recipe.options.decontaminate.clone(), production.benchmarks.clone());
    let (benchmarks, files) = blocking(move || Ok(read_benchmarks(&paths, &place)?)).await?;
    let hasher = hasher(app, project_id).await?;
    let mut tx = app.store.begin_snapshot("export.read", project_id).await?;
    let trust = TrustRule::settle(recipe.selection.trust, projects::token_used_at(&mut tx, project_id).await?);
    recipe.selection.trust = Some(trust.filter);
    let consent_default = projects::consent_default(&mut tx, project_id).await?;
    let mut collector = Collector::create(recipe.clone(), (trust, consent_default), spill, files)?;
    let mut maker = RowMaker::new(recipe.clone(), hasher, benchmarks, asking);
    let snapshot = groups::snapshot(&mut tx).await?;
    let counts = rates::count(&mut tx, project_id, &recipe.selection, &bounds_bytes()).await?;
    collector.count_answers(&counts);
    let hashes = groups::list_prompts(&mut tx, project_id, &recipe.selection).await?;
    let n_ambiguous = groups::count_ambiguous(&mut tx, project_id, &recipe.selection).await?;
    collector.leave_out(AMBIGUOUS_ALIAS, n_ambiguous);
    if recipe.options.holdout == Holdout::On {
        groups::for_each_held_out(&mut tx, project_id, |hash, prompt| collector.hold_out(hash, &prompt)).await?;
    }
    let n_prompts = hashes.len() as u64;
    let mut lanes = Lanes::open(app, tx, project_id).await?;
    let prompts = Arc::new(Prompts { project_id, recipe, hashes });
    let looks = (progress, stop);
    if collector.needs_survey() {
        progress.enter(Phase::Reading, 2 * n_prompts);
        let pages = lanes.walk(&prompts, AsTheyAre);
        (collector, lanes) = consume(pages, collector, |collector, groups| Ok(collector.ask(&groups)), looks).await?;
        let panel;
        (collector, panel) = blocking(move || Ok(collector.empanel())).await?;
        maker = maker.with_panel(panel);
    } else {
        progress.enter(Phase::Reading, n_prompts);
    }
    let pages = lanes.walk(&prompts, Arc::new(maker));
    (collector, lanes) = consume(pages, collector, Collector::add, looks).await?;
    lanes.close().await?;
    blocking(move || collector.finish(snapshot)).await
}

/// Hands groups on: voters are asked in the order of the prompts.
struct AsTheyAre;

impl AsyncWork<Vec<Group>> for AsTheyAre {
    async fn work_on(&self, groups: Vec<Group>) -> Result<Vec<Group>, RunError> {
        Ok(groups)
    }
}

/// Hands page after page to the collector, and gives it back with the lanes once all of them have ended.
async fn consume<T: Send + 'static>(
    mut pages: Pages<T>,
    mut collector: Collector,
    take: fn(Collector, T) -> Result<Collector, RunError>,
    (progress, stop): (&Progress, &CancellationToken),
) -> Result<(Collector, Lanes), RunError> {
    let consumed = async {
        while let Some((n_prompts, page)) = pages.next(stop).await? {
            collector = blocking(move || take(collector, page)).await?;
            progress.advance(n_prompts);
        }
        Ok(collector)
    };
    let outcome: Result<Collector, RunError> = consumed.await;
    // In either case: the transactions must end before the run does.
    let lanes = pages.end().await;
    Ok((outcome?, lanes?))
}
