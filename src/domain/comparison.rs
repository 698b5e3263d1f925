//! What a comparison is asked: two sides, a unit, an error rate, margins.

use super::clock::Timestamp;
use super::experiment::{DEFAULT_ALPHA, METRIC_NAMES, Unit};
use super::fields::{FieldCode, FieldError};
use super::query::Query;
use super::selection::Selection;
use super::trust::TrustFilter;

/// The most bytes of `model:` and a name.
const MAX_SIDE_BYTES: usize = super::ids::MAX_ID_BYTES + 6;

/// The most seconds that an answer may be old: a week.
pub const MAX_AGE_S: i64 = 604_800;

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
    /// How many seconds old an answer may be; without it, it has to be computed now. It is no part of the question.
    pub max_age_s: Option<i64>,
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
        let max_age_s = query.count("max_age_s", 1, MAX_AGE_S);
        let sides = query.sides(experiment, control, candidate);
        query.refuse_unknown();
        match sides {
            Some(sides) if query.errors.is_empty() => Ok(Self { sides, unit, alpha, margins, selection, max_age_s }),
            _ => Err(query.errors),
        }
    }

    /// Returns the query parameters of the question, from which [`ComparisonSpec::from_query`] makes it again.
    pub fn to_query(&self) -> Vec<(String, String)> {
        let (selection, model) = (&self.selection, |name: &String| Some(format!("model:{name}")));
        let (experiment, control, candidate) = match &self.sides {
            Sides::Experiment { key, candidate } => (Some(key.clone()), None, candidate.clone()),
            Sides::Models { control, candidate } => (None, model(control), model(candidate)),
        };
        let moment = |at: Option<Timestamp>| at.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true));
        let trust = TrustFilter::WORDS.iter().find(|(_, filter)| Some(*filter) == selection.trust);
        let once = [
            ("experiment", experiment),
            ("control", control),
            ("candidate", candidate),
            ("unit", self.unit.map(|unit| unit.as_str().to_owned())),
            ("alpha", self.alpha.map(|alpha| alpha.to_string())),
            ("from", moment(selection.from)),
            ("to", moment(selection.to)),
            ("trust", trust.map(|(word, _)| (*word).to_owned())),
        ];
        let once = once.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let margins = self.margins.iter().map(|(metric, margin)| (format!("margin.{metric}"), margin.to_string()));
        let tasks = selection.tasks.iter().map(|task| ("task".to_owned(), task.clone()));
        let languages = selection.languages.iter().map(|language| ("language".to_owned(), language.clone()));
        once.chain(margins).chain(tasks).chain(languages).collect()
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

#[cfg(test)]
mod tests {
    use super::ComparisonSpec;

    fn parsed(pairs: &[(&str, &str)]) -> ComparisonSpec {
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ComparisonSpec::from_query(&pairs).unwrap()
    }

    #[test]
    fn a_question_is_made_again_from_its_own_query() {
        let all = [
            ("unit", "user"),
            ("alpha", "0.0123"),
            ("margin.good_turn", "0.07"),
            ("margin.thumb_down", "0.3"),
            ("from", "2026-01-02T03:04:05.678901Z"),
            ("to", "2026-02-02T03:04:05Z"),
            ("task", "code"),
            ("task", "chat & talk"),
            ("language", "de"),
            ("trust", "any"),
        ];
        let sides: [&[(&str, &str)]; 3] = [
            &[("experiment", "swap")],
            &[("experiment", "swap"), ("candidate", "b")],
            &[("control", "model:model:x"), ("candidate", "model:y")],
        ];

        for sides in sides {
            for rest in [&[][..], &all[..]] {
                let spec = parsed(&[sides, rest].concat());
                assert_eq!(ComparisonSpec::from_query(&spec.to_query()).unwrap(), spec);
            }
        }
    }

    #[test]
    fn how_old_an_answer_may_be_is_no_part_of_the_question() {
        let spec = parsed(&[("experiment", "swap"), ("max_age_s", "60")]);

        assert_eq!(spec.max_age_s, Some(60));
        assert_eq!(spec.to_query(), parsed(&[("experiment", "swap")]).to_query());
    }
}
