//! Reads the answers of both sides and what was thought of them, over one connection or several.
//!
//! It must not know how answers make up turns.

use std::pin::Pin;

use futures_util::stream::{SelectAll, select_all};
use futures_util::{Stream, TryStreamExt as _};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Postgres, Row as _};

use super::answers::{Answer, Assembly, Doubt, Reactions};
use super::{ANSWERS, LAST_WORDS, Told, Turn, Turns};
use crate::domain::clock::Timestamp;
use crate::domain::experiment::Unit;
use crate::domain::ids::ProjectId;
use crate::domain::selection::Selection;
use crate::domain::trust::TrustFilter;
use crate::store::connection::Tx;
use crate::store::error::StoreError;
use crate::store::tallies::{self, Coverage, TallyQuery, words};

/// Answers whose last words one statement finds out.
const N_DOUBTS_OF_STEP: usize = 10_000;
/// Side of what a user did in the week before.
const BEFORE: i16 = 2;

/// What was read of a question.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Every turn of both sides.
    pub turns: Turns,
    /// What they stand on.
    pub coverage: Coverage,
}

/// Reads all turns of a question; `unit` is what errors cluster by, `randomised` what chance assigned.
///
/// All `lanes` must see one snapshot; their number must be a power of two, and changes nothing but the time that it takes.
/// Rows are kept as they come, about 80 bytes each; nothing but names is kept beside.
pub async fn read(
    lanes: &mut [Tx],
    query: &TallyQuery<'_>,
    unit: Unit,
    randomised: Unit,
) -> Result<Reading, StoreError> {
    for lane in &mut *lanes {
        prepare(lane).await?;
    }
    let question = Question { query, unit, randomised, models: None };
    let mut assembly = Assembly::default();
    let has_aliases = take_all(lanes, &question, None, &mut assembly).await?;
    let doubts = assembly.doubts_of_sides();
    find_out(lanes, &question, &doubts, |doubt, words| assembly.settle_of_sides(doubt, words)).await?;
    if query.experiment.is_some() && unit == Unit::User {
        let seen = assembly.users_first_seen();
        let seen: FirstSeen = (seen.iter().map(|it| it.0.to_owned()).collect(), seen.iter().map(|it| it.1).collect());
        take_all(lanes, &question, Some(&seen), &mut assembly).await?;
        let doubts = assembly.doubts_of_before();
        find_out(lanes, &question, &doubts, |doubt, words| assembly.settle_of_before(doubt, words)).await?;
    }
    let (turns, mut coverage) = assembly.end();
    if let Some(lane) = lanes.first_mut().filter(|_| has_aliases) {
        coverage.n_ambiguous = tallies::count_ambiguous(lane, query).await?;
    }
    Ok(Reading { turns, coverage })
}

/// Which answers are read without sides.
#[derive(Debug, Clone, Copy)]
pub struct ModelsQuery<'a> {
    /// The project.
    pub project_id: ProjectId,
    /// The models that answered; every model where none is named.
    pub models: &'a [String],
    /// Whose reactions count.
    pub trust: TrustFilter,
    /// Tasks, languages and the window.
    pub selection: &'a Selection,
}

/// Reads all turns of some models, as those of one side; users are the units. What regenerates an answer of another one of
/// them is the turn's attempt all the same, and the turn is the first answer's.
///
/// The lanes are as for [`read`].
pub async fn read_models(lanes: &mut [Tx], asked: &ModelsQuery<'_>) -> Result<Turns, StoreError> {
    for lane in &mut *lanes {
        prepare(lane).await?;
    }
    let query = TallyQuery {
        project_id: asked.project_id,
        experiment: None,
        control: "",
        candidate: "",
        control_model: None,
        candidate_model: None,
        trust: asked.trust,
        selection: asked.selection,
    };
    let question = Question { query: &query, unit: Unit::User, randomised: Unit::User, models: Some(asked.models) };
    let mut assembly = Assembly::default();
    take_all(lanes, &question, None, &mut assembly).await?;
    let doubts = assembly.doubts_of_sides();
    find_out(lanes, &question, &doubts, |doubt, words| assembly.settle_of_sides(doubt, words)).await?;
    Ok(assembly.end().0)
}

/// Prepares a transaction for the statements of this file: the planner cannot count the users of the week before, and what is
/// looked up one by one is looked up all the same; several connections share the work already. A plan has to know which half of
/// answers.sql is meant. Compiling would take longer than running. A statement that takes longer than three minutes is given
/// up, so that it cannot hold a connection for ever.
async fn prepare(tx: &mut Tx) -> Result<(), StoreError> {
    sqlx::query(
        "-- store::turns::prepare
         select set_config('enable_nestloop', 'off', true),
                set_config('enable_hashjoin', 'on', true),
                set_config('max_parallel_workers_per_gather', '0', true),
                set_config('plan_cache_mode', 'force_custom_plan', true),
                set_config('work_mem', '64MB', true),
                set_config('jit', 'off', true),
                set_config('statement_timeout', '180s', true)",
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// A question as its statements need it.
struct Question<'a> {
    query: &'a TallyQuery<'a>,
    unit: Unit,
    randomised: Unit,
    /// Models in place of two sides.
    models: Option<&'a [String]>,
}

/// Users, and when each was first seen.
type FirstSeen = (Vec<String>, Vec<Timestamp>);

type Rows<'a> = SelectAll<Pin<Box<dyn Stream<Item = Result<PgRow, sqlx::Error>> + Send + 'a>>>;

impl Question<'_> {
    fn bind<'q>(
        &'q self,
        lane: usize,
        n_lanes: usize,
        before: Option<&'q FirstSeen>,
    ) -> sqlx::query::Query<'q, Postgres, PgArguments> {
        let Question { query, unit, randomised, models } = self;
        sqlx::query(ANSWERS)
            .bind(query.project_id.0)
            .bind(query.experiment)
            .bind(query.control)
            .bind(query.candidate)
            .bind(unit.as_str())
            .bind(words(&query.selection.tasks))
            .bind(words(&query.selection.languages))
            .bind(query.selection.from)
            .bind(query.selection.to)
            .bind(query.control_model)
            .bind(query.candidate_model)
            .bind(query.trust == TrustFilter::Any)
            .bind(randomised.as_str())
            .bind(n_lanes as i64 - 1)
            .bind(lane as i64)
            .bind(before.map(|(users, _)| users))
            .bind(before.map(|(_, first_at)| first_at))
            .bind(models)
    }
}

/// Reads the answers of the sides, or of the week before; tells whether any of them has an alias.
async fn take_all(
    lanes: &mut [Tx],
    question: &Question<'_>,
    before: Option<&FirstSeen>,
    assembly: &mut Assembly,
) -> Result<bool, StoreError> {
    let n_lanes = lanes.len();
    let mut rows: Rows<'_> = select_all(lanes.iter_mut().enumerate().map(|(lane, tx)| {
        let rows: Pin<Box<dyn Stream<Item = _> + Send>> = question.bind(lane, n_lanes, before).fetch(tx.connection());
        rows
    }));
    let mut has_aliases = false;
    while let Some(row) = rows.try_next().await? {
        has_aliases |= take(&row, assembly)?;
    }
    Ok(has_aliases)
}

fn take(row: &PgRow, assembly: &mut Assembly) -> Result<bool, StoreError> {
    let side: i16 = row.try_get(0)?;
    let made_at: Timestamp = row.try_get(7)?;
    let told = |place: usize| -> Result<Told, StoreError> { Ok(Told::of(row.try_get(place)?)) };
    let measured = |place: usize| -> Result<Told, StoreError> {
        let number: Option<f64> = row.try_get(place)?;
        Ok(Told::of(number.map(|number| number as f32)))
    };
    let turn = Turn {
        unit: 0,
        randomised: 0,
        conversation: 0,
        model: 0,
        made_at_ms: made_at.timestamp_millis(),
        has_own_time: row.try_get(8)?,
        is_candidate: side == 1,
        is_error: row.try_get(20)?,
        outcomes: super::Outcomes::default(),
        n_completions: 1,
        n_by_other_model: u16::from(row.try_get::<bool, _>(21)?),
        input_tokens: told(13)?,
        output_tokens: told(14)?,
        latency_ms: measured(15)?,
        ttft_ms: measured(16)?,
        cost_usd: measured(17)?,
        kv_cache_usage: measured(18)?,
        solicit_prob: measured(19)?,
    };
    let parent: Option<i64> = row.try_get(3)?;
    let answer = Answer {
        id: (row.try_get(1)?, row.try_get(2)?),
        parent: parent.zip(row.try_get(4)?),
        unit: row.try_get(5)?,
        randomised: row.try_get(6)?,
        conversation: row.try_get(9)?,
        turn_index: row.try_get(10)?,
        model: row.try_get(26)?,
        task: row.try_get(11)?,
        language: row.try_get(12)?,
        made_at,
        reactions: Reactions(row.try_get(22)?),
        full_id: row.try_get(25)?,
        turn,
    };
    if side == BEFORE {
        assembly.take_before(&answer);
    } else {
        assembly.take(&answer, row.try_get(23)?);
    }
    Ok(side != BEFORE && row.try_get(24)?)
}

/// Finds out what was thought of some answers in the end.
async fn find_out(
    lanes: &mut [Tx],
    question: &Question<'_>,
    doubts: &[Doubt],
    mut settle: impl FnMut(&Doubt, Reactions),
) -> Result<(), StoreError> {
    let Some(tx) = lanes.first_mut() else { return Ok(()) };
    for step in doubts.chunks(N_DOUBTS_OF_STEP) {
        let ids: Vec<&str> = step.iter().map(|doubt| doubt.id.as_str()).collect();
        let shares: Vec<bool> = step.iter().map(|doubt| doubt.shares_conversation).collect();
        let mut rows = sqlx::query(LAST_WORDS)
            .bind(question.query.project_id.0)
            .bind(ids)
            .bind(shares)
            .bind(question.query.trust == TrustFilter::Any)
            .fetch(tx.connection());
        while let Some(row) = rows.try_next().await? {
            let place: i32 = row.try_get(0)?;
            if let Some(doubt) = step.get(place as usize) {
                settle(doubt, Reactions(row.try_get(1)?));
            }
        }
    }
    Ok(())
}
