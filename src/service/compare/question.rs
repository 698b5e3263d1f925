//! The question, resolved: which sides, what is clustered, which margins, and what departs from the plan.
//!
//! It must not know the data.

use crate::domain::clock::Timestamp;
use crate::domain::comparison::{ComparisonSpec, Sides};
use crate::domain::experiment::{Experiment, METRIC_NAMES, Unit, Variant};
use crate::domain::fields::{FieldCode, FieldError};
use crate::domain::selection::Selection;
use crate::report::comparison::ExperimentFacts;
use crate::stats::verdict::ComparisonMode;

use super::metrics;

/// One side by its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SideName {
    /// Name of the variant, or of the model where there is no experiment.
    pub(super) name: String,
    /// The model behind a variant, where it was declared.
    pub(super) model: Option<String>,
}

impl SideName {
    /// Returns what a sentence calls the side: people switch models, not variants.
    pub(super) fn label(&self) -> &str {
        self.model.as_deref().unwrap_or(&self.name)
    }
}

/// A comparison's question with nothing left open.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Question {
    pub(super) control: SideName,
    pub(super) candidate: SideName,
    pub(super) mode: ComparisonMode,
    pub(super) experiment: Option<ExperimentFacts>,
    /// What the experiment randomises.
    pub(super) randomised: Option<Unit>,
    /// What every standard error clusters by: never finer than what was randomised.
    pub(super) unit: Unit,
    /// One-sided error rate.
    pub(super) alpha: f64,
    /// Relative margin of every metric of [`METRIC_NAMES`].
    margins: Vec<(&'static str, f64)>,
    /// What was planned and is asked otherwise: name, planned, asked for.
    pub(super) departures: Vec<(String, f64, f64)>,
    /// Filters over both sides, in words.
    pub(super) filters: Vec<(String, String)>,
}

impl Question {
    /// Resolves what was asked; `declared` is the experiment that it names, with the moment of its declaration.
    pub(super) fn resolve(
        spec: &ComparisonSpec,
        declared: Option<(Experiment, Timestamp)>,
    ) -> Result<Self, Vec<FieldError>> {
        match (&spec.sides, declared) {
            (Sides::Experiment { candidate, .. }, Some((experiment, declared_at))) => {
                of_experiment(spec, candidate.as_deref(), &experiment, declared_at)
            }
            (Sides::Experiment { .. }, None) => {
                Err(vec![FieldError::new("experiment", FieldCode::NotOneOf, "must be a declared experiment")])
            }
            (Sides::Models { control, candidate }, _) => Ok(of_models(spec, control, candidate)),
        }
    }

    /// Returns the relative margin of a metric.
    pub(super) fn margin(&self, metric: &str) -> Option<f64> {
        self.margins.iter().find(|(name, _)| *name == metric).map(|(_, margin)| *margin)
    }

    /// Tells whether the units were assigned by chance.
    pub(super) fn is_randomised(&self) -> bool {
        self.mode == ComparisonMode::Randomised
    }
}

/// Spells a question out: where an experiment has several candidates and none is named, it is one question for each.
pub(super) fn spelled_out(spec: &ComparisonSpec, declared: Option<&Experiment>) -> Vec<ComparisonSpec> {
    let (Sides::Experiment { key, candidate: None }, Some(experiment)) = (&spec.sides, declared) else {
        return vec![spec.clone()];
    };
    let others = experiment.variants.iter().filter(|variant| variant.name != experiment.control);
    others
        .map(|variant| ComparisonSpec {
            sides: Sides::Experiment { key: key.clone(), candidate: Some(variant.name.clone()) },
            ..spec.clone()
        })
        .collect()
}

fn of_models(spec: &ComparisonSpec, control: &str, candidate: &str) -> Question {
    let side = |name: &str| SideName { name: name.to_owned(), model: None };
    Question {
        control: side(control),
        candidate: side(candidate),
        mode: ComparisonMode::Observational,
        experiment: None,
        randomised: None,
        unit: spec.unit.unwrap_or(Unit::User),
        alpha: spec.alpha.unwrap_or_else(ComparisonSpec::default_alpha),
        margins: margins(&[], &spec.margins),
        departures: Vec::new(),
        filters: filters(&spec.selection),
    }
}

fn of_experiment(
    spec: &ComparisonSpec,
    candidate: Option<&str>,
    experiment: &Experiment,
    declared_at: Timestamp,
) -> Result<Question, Vec<FieldError>> {
    let (control, candidate) = variants(experiment, candidate)?;
    if spec.unit == Some(Unit::Conversation) && experiment.unit == Unit::User {
        let detail = "must not be finer than what the experiment randomises, which is users";
        return Err(vec![FieldError::new("unit", FieldCode::Contradiction, detail)]);
    }
    let side = |variant: &Variant| SideName { name: variant.name.clone(), model: variant.model.clone() };
    let both = control.share + candidate.share;
    let alpha = spec.alpha.unwrap_or(experiment.alpha);
    let planned = margins(&[], &experiment.margins);
    let asked = margins(&experiment.margins, &spec.margins);
    let mut departures: Vec<(String, f64, f64)> = planned
        .iter()
        .zip(&asked)
        .filter(|((_, planned), (_, asked))| differ(*planned, *asked))
        .map(|((name, planned), (_, asked))| ((*name).to_owned(), *planned, *asked))
        .collect();
    if differ(alpha, experiment.alpha) {
        departures.push(("alpha".to_owned(), experiment.alpha, alpha));
    }
    Ok(Question {
        control: side(control),
        candidate: side(candidate),
        mode: ComparisonMode::Randomised,
        experiment: Some(ExperimentFacts {
            key: experiment.key.clone(),
            declared_at,
            planned_shares: (control.share / both, candidate.share / both),
        }),
        randomised: Some(experiment.unit),
        // A user's conversations resemble each other, so that even where conversations are randomised a standard error
        // clusters by user, unless the coarser unit is waived in the question.
        unit: spec.unit.unwrap_or(Unit::User),
        alpha,
        margins: asked,
        departures,
        filters: filters(&spec.selection),
    })
}

fn variants<'a>(
    experiment: &'a Experiment,
    candidate: Option<&str>,
) -> Result<(&'a Variant, &'a Variant), Vec<FieldError>> {
    let fail = |code, detail: &str| vec![FieldError::new("candidate", code, detail)];
    let is_control = |variant: &&Variant| variant.name == experiment.control;
    let control = experiment.variants.iter().find(is_control).ok_or_else(Vec::new)?;
    let mut others = experiment.variants.iter().filter(|variant| !is_control(variant));
    let picked = match candidate {
        Some(name) if name == experiment.control => {
            return Err(fail(FieldCode::Contradiction, "must be another variant than the control"));
        }
        Some(name) => others
            .find(|variant| variant.name == name)
            .ok_or_else(|| fail(FieldCode::NotOneOf, "must be the name of one of the experiment's variants"))?,
        None => {
            let (Some(only), None) = (others.next(), others.next()) else {
                let detail = "is required: the experiment has more than one candidate, so name the variant to compare";
                return Err(fail(FieldCode::Required, detail));
            };
            only
        }
    };
    Ok((control, picked))
}

/// Puts margins over the defaults, the later list over the earlier one.
fn margins(planned: &[(String, f64)], asked: &[(String, f64)]) -> Vec<(&'static str, f64)> {
    METRIC_NAMES
        .into_iter()
        .filter_map(|name| {
            let given = |list: &[(String, f64)]| list.iter().find(|(key, _)| key == name).map(|(_, margin)| *margin);
            let margin = given(asked).or_else(|| given(planned)).or_else(|| metrics::default_margin(name))?;
            Some((name, margin))
        })
        .collect()
}

fn differ(left: f64, right: f64) -> bool {
    (left - right).abs() > 1e-12
}

pub(in crate::service) fn filters(selection: &Selection) -> Vec<(String, String)> {
    let mut filters = Vec::new();
    if !selection.tasks.is_empty() {
        filters.push(("task".to_owned(), selection.tasks.join(", ")));
    }
    if !selection.languages.is_empty() {
        filters.push(("language".to_owned(), selection.languages.join(", ")));
    }
    for (name, moment) in [("from", selection.from), ("to", selection.to)] {
        if let Some(moment) = moment {
            filters.push((name.to_owned(), moment.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)));
        }
    }
    filters
}
