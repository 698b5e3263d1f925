//! The load of the engines while each completion was made, joined once its end is long enough ago for the samples after it
//! to have come.

use std::collections::{BTreeMap, BTreeSet};

use super::App;
use super::bootstrap;
use super::detached::detached;
use super::error::ServiceError;
use super::serving::{key, load};
use crate::domain::clock::Timestamp;
use crate::domain::ids::ProjectId;
use crate::engine::load::{Load, LoadSample, Series, Span};
use crate::engine::recent::SeriesKey;
use crate::engine::target::Target;
use crate::store::Access;
use crate::store::connection::{Pool, Tx};
use crate::store::serving::{self, Arrival, Joinable, ServingFacts};

/// How many intervals are waited for after a completion was received, which is after its end.
const INTERVALS_WAITED: u32 = 2;
/// Completions of a project that are read at once, and how many times in one run.
const PAGE: i64 = 500;
const MAX_PAGES: usize = 40;
/// How long a transaction may take that writes completions: one that is received before another may be seen after it.
const COMMITTED_WITHIN: chrono::TimeDelta = chrono::TimeDelta::seconds(60);
/// How far back the first run of an instance goes.
const FIRST_RUN: chrono::TimeDelta = chrono::TimeDelta::minutes(15);

/// Joins what can be joined by now, in every project; returns how many completions got facts. Of several services one works
/// on a project at a time.
pub async fn join(app: &App) -> Result<u64, ServiceError> {
    let models = app.serving.models();
    if models.is_empty() {
        return Ok(0);
    }
    let mut n_joined = 0;
    for (_, project_id) in bootstrap::list_projects(app).await? {
        let (joiner, models) = (Joiner { app: app.clone(), project_id }, models.clone());
        n_joined += detached(async move { joiner.run(&models).await }).await?;
    }
    Ok(n_joined)
}

struct Joiner {
    app: App,
    project_id: ProjectId,
}

impl Joiner {
    async fn run(&self, models: &BTreeSet<String>) -> Result<u64, ServiceError> {
        let (now, project_id) = (self.app.clock.now(), self.project_id);
        let waited = chrono::TimeDelta::from_std(self.app.serving.longest_interval() * INTERVALS_WAITED);
        let until = now - waited.unwrap_or_default();
        let models: Vec<&str> = models.iter().map(String::as_str).collect();
        let mut tx = self.app.store.begin(Pool::Jobs, "serving.join", Access::Projects(&[project_id])).await?;
        let Some(through) = serving::take_progress(&mut tx, project_id, now - FIRST_RUN).await? else {
            return Ok(0);
        };
        let mut after = Arrival { received_at: through, id: None };
        let (mut n_joined, mut is_done) = (0, false);
        for _ in 0..MAX_PAGES {
            let page = serving::list_joinable(&mut tx, project_id, &models, &after, until, PAGE).await?;
            let mut facts = Vec::new();
            for completion in &page {
                facts.extend(self.facts(completion).await?);
            }
            n_joined += serving::insert_facts(&mut tx, project_id, &facts).await?;
            is_done = (page.len() as i64) < PAGE;
            match page.last() {
                Some(last) => after = Arrival { received_at: last.received_at, id: Some(last.id.clone()) },
                None => break,
            }
            if is_done {
                break;
            }
        }
        let reached = if is_done { until } else { after.received_at };
        serving::set_progress(&mut tx, project_id, reached.min(until - COMMITTED_WITHIN).max(through)).await?;
        tx.commit().await?;
        Ok(n_joined)
    }

    /// Finds what the load was while a completion was made; nothing where no engine said anything.
    async fn facts(&self, completion: &Joinable) -> Result<Option<ServingFacts>, ServiceError> {
        let Joinable { started_at, latency_ms, created_at, received_at, .. } = *completion;
        let span = Span::of(started_at, latency_ms, created_at, received_at);
        let instance = self.app.serving.instance(completion.served_by.as_deref());
        let scope = if instance.is_empty() { "model" } else { "instance" };
        let targets = if instance.is_empty() { self.app.serving.targets().iter().collect() } else { instance };
        let series = self.series(&targets, &completion.model, span).await?;
        let load = Load::during(span, &series);
        if load.is_nothing() {
            return Ok(None);
        }
        let sent = completion.kv_cache_usage;
        Ok(Some(ServingFacts {
            id: completion.id.clone(),
            // What the client had from the engine itself is nearer to the answer than any sample.
            kv_at_end: sent.or(load.kv_at_end),
            kv_mean: load.kv_mean,
            kv_max: load.kv_max,
            n_waiting_max: load.n_waiting_max.map(|n| n.min(f64::from(i32::MAX)) as i32),
            preempted: load.preempted,
            kv_source: if sent.is_some() { "client" } else { "scraper" },
            kv_scope: scope,
            kv_staleness_ms: load.staleness_ms.filter(|_| sent.is_none()).and_then(|ms| i32::try_from(ms).ok()),
        }))
    }

    /// Takes the samples around a span from memory where it has them all, and else from the database.
    async fn series(&self, targets: &[&Target], model: &str, span: Span) -> Result<Vec<Series>, ServiceError> {
        let longest = targets.iter().map(|target| target.interval).max().unwrap_or_default();
        let (from, until) = span.around(longest);
        if let Some(found) = self.app.serving.recent(targets, model, (from, until)) {
            return Ok(found);
        }
        let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
        let mut tx: Tx = self.app.store.begin(Pool::Jobs, "serving.samples", Access::Serving).await?;
        let rows = serving::list_samples(&mut tx, &names, model, (from, until), longest).await?;
        tx.commit().await?;
        let mut by_key: BTreeMap<SeriesKey, Vec<LoadSample>> = BTreeMap::new();
        for row in &rows {
            by_key.entry(key(row)).or_default().push(load(row));
        }
        let interval = |name: &str| targets.iter().find(|target| target.name == name).map(|target| target.interval);
        let series =
            by_key.into_iter().filter_map(|(key, samples)| Some(Series { interval: interval(&key.target)?, samples }));
        Ok(series.collect())
    }
}

impl super::serving::Serving {
    /// Lists what completions call the models whose load was told since this process started.
    fn models(&self) -> BTreeSet<String> {
        self.heard().models.iter().filter(|model| !model.is_empty()).cloned().collect()
    }

    /// Lists the targets that completions call by a name of an instance.
    fn instance(&self, served_by: Option<&str>) -> Vec<&Target> {
        let is_it = |target: &&Target| served_by == Some(target.instance.as_str());
        self.targets().iter().filter(is_it).collect()
    }

    /// Returns the series of a model at some targets, where everything of that time is still in memory.
    fn recent(&self, targets: &[&Target], model: &str, (from, until): (Timestamp, Timestamp)) -> Option<Vec<Series>> {
        let heard = self.heard();
        if !heard.recent.covers(from) {
            return None;
        }
        let of_model = heard.recent.keys().filter(|key| key.model == model);
        let series = of_model.filter_map(|key| {
            let target = targets.iter().find(|target| target.name == key.target)?;
            let samples = heard.recent.between(key, from, until);
            (!samples.is_empty()).then_some(Series { interval: target.interval, samples })
        });
        Some(series.collect())
    }
}
