//! How long prompts and answers are, for whoever tunes engines or plans their number.

use serde::Serialize;

use super::App;
use super::detached::detached;
use super::error::ServiceError;
use crate::domain::clock::Timestamp;
use crate::domain::principal::Principal;
use crate::domain::sequence_query::{SequenceForm, SequenceQuery};
use crate::store::Access;
use crate::store::connection::Pool;
use crate::store::sequence_lengths::{self, Lengths, SequenceLengths};

/// The most models and tasks of an answer.
const MAX_GROUPS: i64 = 200;

/// An answer in the form that was asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum SequenceAnswer {
    /// Everything, by model and task.
    Full(Window<Group>),
    /// What a planner reads, by model.
    Dynamo(Window<Planned>),
}

/// What was found in a window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Window<T> {
    /// Beginning of the window.
    pub from: Timestamp,
    /// End of the window.
    pub to: Timestamp,
    /// What was found, that with most completions first.
    pub groups: Vec<T>,
    /// Whether there is more than is told.
    pub has_more: bool,
}

/// One model and task. What nobody told is null.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    model: String,
    task: Option<String>,
    n: i64,
    input_tokens: LengthsView,
    output_tokens: LengthsView,
    input_per_output: Ratio,
    cached_share: Option<f64>,
    context: Context,
    truncation: Truncation,
    mean_ttft_ms: Option<f64>,
    mean_itl_ms: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct LengthsView {
    n: i64,
    sum: i64,
    mean: Option<f64>,
    p50: Option<i32>,
    p90: Option<i32>,
    p95: Option<i32>,
    p99: Option<i32>,
    max: Option<i32>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Ratio {
    of_sums: Option<f64>,
    median: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Context {
    n: i64,
    share_above_80_percent: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Truncation {
    n: i64,
    n_truncated: i64,
    share: Option<f64>,
    n_at_context: i64,
    n_at_limit: i64,
    n_of_unknown_cause: i64,
}

/// What a planner of capacity reads of one model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Planned {
    model: String,
    num_req: i64,
    rate_per_s: Option<f64>,
    isl: Option<f64>,
    osl: Option<f64>,
    ttft_ms: Option<f64>,
    itl_ms: Option<f64>,
    isl_percentiles: LengthsView,
    osl_percentiles: LengthsView,
}

/// Tells lengths of the caller's completions.
pub async fn show(app: &App, principal: &Principal, query: SequenceQuery) -> Result<SequenceAnswer, ServiceError> {
    let (store, project_id) = (app.store.clone(), principal.project_id);
    detached(async move {
        let by_task = query.form == SequenceForm::Full;
        let mut tx = store.begin(Pool::Reading, "serving.lengths", Access::Projects(&[project_id])).await?;
        let found = sequence_lengths::list(&mut tx, project_id, &query.selection, by_task, MAX_GROUPS + 1).await?;
        tx.commit().await?;
        Ok(match query.form {
            SequenceForm::Full => SequenceAnswer::Full(window(&query, found, Group::of)),
            SequenceForm::Dynamo => {
                let seconds = (query.to - query.from).num_milliseconds() as f64 / 1e3;
                SequenceAnswer::Dynamo(window(&query, found, |lengths| Planned::of(lengths, seconds)))
            }
        })
    })
    .await
}

fn window<T>(query: &SequenceQuery, found: Vec<SequenceLengths>, of: impl Fn(SequenceLengths) -> T) -> Window<T> {
    let has_more = found.len() as i64 > MAX_GROUPS;
    let groups = found.into_iter().take(MAX_GROUPS as usize).map(of).collect();
    Window { from: query.from, to: query.to, groups, has_more }
}

/// Divides, where there is something to divide by.
fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl LengthsView {
    fn of(lengths: Lengths) -> Self {
        let quantile = |nth: usize| lengths.quantiles.map(|quantiles| quantiles[nth]);
        Self {
            n: lengths.n,
            sum: lengths.sum,
            mean: share(lengths.sum, lengths.n),
            p50: quantile(0),
            p90: quantile(1),
            p95: quantile(2),
            p99: quantile(3),
            max: lengths.max,
        }
    }
}

impl Group {
    fn of(found: SequenceLengths) -> Self {
        let (input, output) = found.of_both;
        let (cached, of_cached) = found.cached;
        Self {
            input_tokens: LengthsView::of(found.input),
            output_tokens: LengthsView::of(found.output),
            input_per_output: Ratio { of_sums: share(input, output), median: found.median_ratio },
            cached_share: share(cached, of_cached),
            context: Context {
                n: found.n_with_context,
                share_above_80_percent: share(found.n_nearly_full, found.n_with_context),
            },
            truncation: Truncation {
                n: found.n_finish_known,
                n_truncated: found.n_truncated,
                share: share(found.n_truncated, found.n_finish_known),
                n_at_context: found.n_at_context,
                n_at_limit: found.n_at_limit,
                n_of_unknown_cause: found.n_truncated - found.n_at_context - found.n_at_limit,
            },
            model: found.model,
            task: found.task,
            n: found.n,
            mean_ttft_ms: found.mean_ttft_ms,
            mean_itl_ms: found.mean_itl_ms,
        }
    }
}

impl Planned {
    fn of(found: SequenceLengths, seconds: f64) -> Self {
        let (isl_percentiles, osl_percentiles) = (LengthsView::of(found.input), LengthsView::of(found.output));
        Self {
            model: found.model,
            num_req: found.n,
            rate_per_s: (seconds > 0.0).then(|| found.n as f64 / seconds),
            isl: isl_percentiles.mean,
            osl: osl_percentiles.mean,
            ttft_ms: found.mean_ttft_ms,
            itl_ms: found.mean_itl_ms,
            isl_percentiles,
            osl_percentiles,
        }
    }
}
