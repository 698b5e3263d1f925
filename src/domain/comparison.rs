//! What a comparison is asked: two sides, a unit, an error rate, margins.

use super::experiment::{DEFAULT_ALPHA, METRIC_NAMES, Unit};
use super::fields::{FieldCode, FieldError};
use super::selection::Selection;
use super::trust::TrustFilter;

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
        let mut query = Query { pairs, errors: Vec::new(), used: Vec::new() };
        let experiment = query.one("experiment");
        let (control, candidate) = (query.one("control"), query.one("candidate"));
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

struct Query<'a> {
    pairs: &'a [(String, String)],
    errors: Vec<FieldError>,
    used: Vec<String>,
}

impl Query<'_> {
    fn fail(&mut self, name: &str, code: FieldCode, detail: impl Into<String>) {
        self.errors.push(FieldError::new(name, code, detail));
    }

    fn all(&mut self, name: &str) -> Vec<String> {
        self.used.push(name.to_owned());
        let values: Vec<String> =
            self.pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect();
        for value in &values {
            let code = if value.is_empty() {
                FieldCode::Empty
            } else if value.len() > super::ids::MAX_ID_BYTES + 8 {
                FieldCode::TooLong
            } else if value.contains('\0') {
                FieldCode::NulCharacter
            } else {
                continue;
            };
            self.fail(name, code, "must be 1 to 256 bytes without U+0000");
            return Vec::new();
        }
        values
    }

    fn one(&mut self, name: &str) -> Option<String> {
        let mut values = self.all(name);
        if values.len() > 1 {
            self.fail(name, FieldCode::Contradiction, "must be given once");
            return None;
        }
        values.pop()
    }

    fn number(&mut self, name: &str, text: &str, min: f64, max: f64) -> Option<f64> {
        match text.parse::<f64>() {
            Ok(number) if (min..=max).contains(&number) => Some(number),
            Ok(_) => {
                self.fail(name, FieldCode::OutOfRange, format!("must be between {min} and {max}"));
                None
            }
            Err(_) => {
                self.fail(name, FieldCode::WrongType, "must be a number");
                None
            }
        }
    }

    fn word<T: Copy>(&mut self, name: &str, text: &str, words: &[(&str, T)]) -> Option<T> {
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let list: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.fail(name, FieldCode::NotOneOf, format!("must be one of: {}", list.join(", ")));
        }
        found
    }

    fn selection(&mut self) -> Selection {
        let (from, to) = (self.moment("from"), self.moment("to"));
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            self.fail("to", FieldCode::Contradiction, "must be later than `from`");
        }
        let trust = self.one("trust").and_then(|word| self.word("trust", &word, TrustFilter::WORDS));
        Selection { tasks: self.all("task"), languages: self.all("language"), from, to, trust, ..Selection::default() }
    }

    fn moment(&mut self, name: &str) -> Option<super::clock::Timestamp> {
        let text = self.one(name)?;
        match super::fields::timestamp(&super::json::Json::String(text)) {
            Ok(moment) => Some(moment),
            Err((code, detail)) => {
                self.fail(name, code, detail);
                None
            }
        }
    }

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

    fn refuse_unknown(&mut self) {
        if self.pairs.iter().any(|(name, _)| !self.used.contains(name)) {
            let mut known = self.used.clone();
            known.sort();
            known.dedup();
            let detail = format!("there is a parameter that is not known here; known are: {}", known.join(", "));
            self.fail("", FieldCode::UnknownField, detail);
        }
    }
}
