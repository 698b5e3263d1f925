//! What a comparison is asked: two sides, a unit, an error rate, margins.

use super::experiment::{DEFAULT_ALPHA, METRIC_NAMES, Unit};
use super::fields::{FieldCode, FieldError};
use super::query::Query;
use super::selection::Selection;

/// The most bytes of `model:` and a name.
const MAX_SIDE_BYTES: usize = super::ids::MAX_ID_BYTES + 6;

/// Which completions make up the two sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sides {
    /// A declared experiment; `candidate` picks one where there are several.
    Experiment {
        /// The experiment's key.
        key: String,
        /// The variant to compare with the control.
        candidate: Option<String>,
    },
    /// Two models by name; nothing was randomised.
    Models {
        /// The present model.
        control: String,
        /// The model that might replace it.
        candidate: String,
    },
}

/// A parsed question.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparisonSpec {
    /// The two sides.
    pub sides: Sides,
    /// What the standard errors cluster by; an experiment's own unit where absent.
    pub unit: Option<Unit>,
    /// One-sided error rate; an experiment's own where absent.
    pub alpha: Option<f64>,
    /// Margins given with the question, as a share of the control's rate, by metric name.
    pub margins: Vec<(String, f64)>,
    /// Further filters over the completions of both sides.
    pub selection: Selection,
}

impl ComparisonSpec {
    /// Parses query parameters, already decoded, in the order in which they came.
    pub fn from_query(pairs: &[(String, String)]) -> Result<Self, Vec<FieldError>> {
        let mut query = Query::new(pairs);
        let experiment = query.one("experiment");
        let (control, candidate) =
            (query.one_up_to("control", MAX_SIDE_BYTES), query.one_up_to("candidate", MAX_SIDE_BYTES));
        let unit = query.one("unit").and_then(|word| query.word("unit", &word, Unit::WORDS));
        let alpha = query.one("alpha").and_then(|text| query.number("alpha", &text, 1e-4, 0.2));
        let mut margins = Vec::new();
        for metric in METRIC_NAMES {
            let name = format!("margin.{metric}");
            if let Some(margin) = query.one(&name).and_then(|text| query.number(&name, &text, 0.001, 1.0)) {
                margins.push((metric.to_owned(), margin));
            }
        }
        let selection = query.selection();
        let sides = query.sides(experiment, control, candidate);
        query.refuse_unknown();
        match sides {
            Some(sides) if query.errors.is_empty() => Ok(Self { sides, unit, alpha, margins, selection }),
            _ => Err(query.errors),
        }
    }

    /// Returns the error rate that holds where nothing else was declared.
    pub fn default_alpha() -> f64 {
        DEFAULT_ALPHA
    }
}

impl Query<'_> {
    fn sides(
        &mut self,
        experiment: Option<String>,
        control: Option<String>,
        candidate: Option<String>,
    ) -> Option<Sides> {
        match (experiment, control, candidate) {
            (Some(_), Some(_), _) => {
                self.fail("control", FieldCode::Contradiction, "is fixed by the experiment; leave it out");
                None
            }
            (Some(key), None, candidate) => Some(Sides::Experiment { key, candidate }),
            (None, control, candidate) => {
                let control = self.model("control", control);
                let candidate = self.model("candidate", candidate);
                if control.is_some() && control == candidate {
                    let detail = "must be another model than `control`";
                    self.fail("candidate", FieldCode::Contradiction, detail);
                }
                Some(Sides::Models { control: control?, candidate: candidate? })
            }
        }
    }

    fn model(&mut self, name: &str, side: Option<String>) -> Option<String> {
        let Some(side) = side else {
            if !self.errors.iter().any(|error| error.pointer == name) {
                let detail = "is required: give `experiment`, or `control` and `candidate` as `model:NAME`";
                self.fail(name, FieldCode::Required, detail);
            }
            return None;
        };
        let model = side.strip_prefix("model:").filter(|model| !model.is_empty());
        if model.is_none() {
            self.fail(name, FieldCode::Malformed, "must have the form `model:NAME`");
        }
        model.map(str::to_owned)
    }
}
