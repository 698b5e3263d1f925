//! Comparisons in the forms in which they are told: computed now, or kept from a while ago and computed again by a worker.
//!
//! It must not know what is compared.

use std::time::Instant;

use super::super::App;
use super::super::detached::detached;
use super::super::error::ServiceError;
use super::{compare, compare_in, examples};
use crate::domain::comparison::ComparisonSpec;
use crate::domain::hash::ContentHash;
use crate::domain::ids::ProjectId;
use crate::domain::principal::Principal;
use crate::report::comparison::Comparison;
use crate::report::{html, json, text, vega_lite};
use crate::store::Access;
use crate::store::connection::Pool;
use crate::store::kept_comparisons::{self, Due, Forms, NewKept};

/// Columns of the text, as many as a terminal that nobody has widened.
const TEXT_WIDTH: usize = 80;
/// Why a kept comparison shows no answers.
const NO_ANSWERS: &str = "A kept comparison holds no answers; one without `max_age_s` shows some.";
/// Label of the hash of a question.
const LABEL: &str = "comparison";

/// A form in which a comparison is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The wire form of the API.
    Json,
    /// A page that stands by itself.
    Page,
    /// For a terminal.
    Text,
    /// A specification to plot.
    Plot,
}

impl Form {
    fn render(self, comparison: &Comparison) -> Result<String, ServiceError> {
        let written = |value: &serde_json::Value| {
            serde_json::to_string(value).map_err(|_| ServiceError::Internal("a comparison was not written"))
        };
        match self {
            Self::Json => written(&json::to_json(comparison)),
            Self::Page => Ok(html::to_html(comparison)),
            Self::Text => Ok(text::to_text(comparison, TEXT_WIDTH, false)),
            Self::Plot => written(&vega_lite::to_vega_lite(comparison)),
        }
    }

    fn of(self, forms: Forms) -> String {
        match self {
            Self::Json => forms.json,
            Self::Page => forms.page,
            Self::Text => forms.text,
            Self::Plot => forms.plot,
        }
    }
}

/// Tells a comparison of the caller's project in one form. Where the question says how old it may be, one that is kept will
/// do, and one that has to be computed is kept; every form says as of when it was computed.
///
/// Fails as [`super::compare`] does.
pub async fn told(app: &App, principal: &Principal, spec: ComparisonSpec, form: Form) -> Result<String, ServiceError> {
    let Some(max_age_s) = spec.max_age_s else {
        let comparison = match form {
            // Only these forms show answers.
            Form::Json | Form::Page => examples::compare_with_examples(app, principal, spec).await?,
            Form::Text | Form::Plot => compare(app, principal, spec).await?,
        };
        return render(move || form.render(&comparison)).await;
    };
    let (app, project_id) = (app.clone(), principal.project_id);
    detached(async move {
        let question = Question::of(&spec)?;
        let now = app.clock.now();
        let mut tx = app.store.begin(Pool::Reading, "comparison.find", Access::Projects(&[project_id])).await?;
        let not_before = now - chrono::Duration::seconds(max_age_s);
        let found = kept_comparisons::find(&mut tx, project_id, question.hash, not_before).await?;
        if found.is_some() {
            kept_comparisons::note_asked(&mut tx, project_id, question.hash, now).await?;
        }
        tx.commit().await?;
        let forms = match found {
            Some(forms) => forms,
            None => compute(&app, project_id, spec, &question).await?,
        };
        Ok(form.of(forms))
    })
    .await
}

/// Computes one kept comparison again that is due; tells whether there was one.
pub async fn compute_due(app: &App) -> Result<bool, ServiceError> {
    let app = app.clone();
    detached(async move {
        let mut tx = app.store.begin(Pool::Jobs, "comparison.claim", Access::Worker).await?;
        let due = kept_comparisons::claim_due(&mut tx, app.clock.now()).await?;
        tx.commit().await?;
        let Some(due) = due else { return Ok(false) };
        let (project_id, question_hash) = (due.project_id, due.question_hash);
        match compute_again(&app, due).await {
            Ok(_) => Ok(true),
            // Its rows were erased, or the program understands its question no longer: nobody is told what was.
            Err(ServiceError::NotFound | ServiceError::NoData(_) | ServiceError::Invalid(_)) => {
                let projects = [project_id];
                let reach = Access::Projects(&projects);
                let mut tx = app.store.begin(Pool::Jobs, "comparison.forget", reach).await?;
                kept_comparisons::delete(&mut tx, project_id, question_hash).await?;
                tx.commit().await?;
                Ok(true)
            }
            Err(error) => Err(error),
        }
    })
    .await
}

async fn compute_again(app: &App, due: Due) -> Result<Forms, ServiceError> {
    let pairs: Vec<(String, String)> = serde_json::from_str(&due.question).map_err(|_| ServiceError::NotFound)?;
    let spec = ComparisonSpec::from_query(&pairs)?;
    let question = Question { text: due.question, hash: due.question_hash };
    compute(app, due.project_id, spec, &question).await
}

/// A question as it is kept.
struct Question {
    text: String,
    hash: ContentHash,
}

impl Question {
    fn of(spec: &ComparisonSpec) -> Result<Self, ServiceError> {
        let text = serde_json::to_string(&spec.to_query())
            .map_err(|_| ServiceError::Internal("a question was not written"))?;
        let hash = ContentHash::of_bytes(LABEL, text.as_bytes());
        Ok(Self { text, hash })
    }
}

/// Computes a comparison and keeps it, unless somebody was erased meanwhile.
async fn compute(
    app: &App,
    project_id: ProjectId,
    spec: ComparisonSpec,
    question: &Question,
) -> Result<Forms, ServiceError> {
    let projects = [project_id];
    let reach = Access::Projects(&projects);
    // Counted before the snapshot is taken, so that no erasure ends unseen between the two.
    let mut tx = app.store.begin(Pool::Jobs, "comparison.keep", reach).await?;
    let n_erasures = kept_comparisons::count_erasures(&mut tx, project_id).await?;
    tx.commit().await?;
    let began = Instant::now();
    let mut comparison = compare_in(app, project_id, spec).await?;
    // What is kept is told to every role, and an erasure need not look for texts in it.
    comparison.depth.disagreements_note = (!comparison.verdict.withholds_numbers).then_some(NO_ANSWERS);
    let computed_at = comparison.computed_at;
    let forms = render(move || {
        Ok(Forms {
            json: Form::Json.render(&comparison)?,
            page: Form::Page.render(&comparison)?,
            text: Form::Text.render(&comparison)?,
            plot: Form::Plot.render(&comparison)?,
        })
    })
    .await?;
    let new = NewKept {
        project_id,
        question_hash: question.hash,
        question: &question.text,
        forms: &forms,
        computed_at,
        took_ms: began.elapsed().as_millis() as i64,
        n_erasures,
    };
    let mut tx = app.store.begin(Pool::Jobs, "comparison.keep", reach).await?;
    kept_comparisons::keep(&mut tx, &new).await?;
    kept_comparisons::delete_surplus(&mut tx, project_id).await?;
    tx.commit().await?;
    Ok(forms)
}

/// Renders where nobody waits for the thread.
async fn render<T: Send + 'static>(
    rendering: impl FnOnce() -> Result<T, ServiceError> + Send + 'static,
) -> Result<T, ServiceError> {
    tokio::task::spawn_blocking(rendering).await.map_err(|_| ServiceError::Internal("a comparison was not rendered"))?
}
