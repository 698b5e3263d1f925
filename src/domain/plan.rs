//! What a plan is asked: how much traffic an experiment needs, from the traffic of a model or from numbers.

use super::experiment::{DEFAULT_ALPHA, METRIC_NAMES};
use super::fields::{FieldCode, FieldError};
use super::query::Query;
use super::selection::Selection;

/// Chance to show an equal candidate that holds where nobody says another.
const DEFAULT_POWER: f64 = 0.8;
/// Days for which the provable margin is told where nobody says how many.
const DEFAULT_DAYS: i64 = 30;
/// The most bytes of `model:` and a name.
const MAX_SIDE_BYTES: usize = super::ids::MAX_ID_BYTES + 6;
/// Parameters that choose among traffic.
const OF_TRAFFIC: [&str; 5] = ["from", "to", "task", "language", "trust"];
/// Parameters that take the place of traffic.
const OF_NUMBERS: [&str; 4] = ["users_per_day", "turns_per_user", "icc", "sd"];

/// What the traffic is known by.
#[derive(Debug, Clone, PartialEq)]
pub enum Basis {
    /// What users of a model did.
    Traffic {
        /// The present model.
        control: String,
        /// Which of its completions; without a window the service chooses one.
        selection: Selection,
    },
    /// Numbers.
    Numbers(Numbers),
}

/// The traffic in numbers, where there is none to look at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Numbers {
    /// Rate of the present model, as a share of its turns.
    pub baseline: f64,
    /// New users a day; without them days are not known.
    pub users_per_day: Option<f64>,
    /// Turns of a user.
    pub turns_per_user: f64,
    /// Correlation of the outcomes of two turns of one user.
    pub icc: f64,
}

/// A parsed question.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanSpec {
    /// What is known of the traffic.
    pub basis: Basis,
    /// The metrics to plan for, by name; all that must pass where it is empty.
    pub metrics: Vec<String>,
    /// Margins as a share of the control's rate, by metric name.
    pub margins: Vec<(String, f64)>,
    /// Share of the users that get the candidate.
    pub share: f64,
    /// One-sided error rate.
    pub alpha: f64,
    /// Chance to show a candidate that is truly equal, on all metrics together.
    pub power: f64,
    /// Days after which the provable margin is told.
    pub n_days: i64,
}

impl PlanSpec {
    /// Parses query parameters, already decoded; everything that is wrong comes back at once.
    ///
    /// `control=model:NAME` or `baseline`; `users_per_day`, `turns_per_user`, `icc` or `sd`; `metric`,
    /// `margin.<metric>`, `share`, `alpha`, `power`, `days`; `from`, `to`, `task`, `language`, `trust`.
    pub fn from_query(pairs: &[(String, String)]) -> Result<Self, Vec<FieldError>> {
        let mut query = Query::new(pairs);
        let metrics = query.metrics();
        let mut margins = Vec::new();
        for metric in METRIC_NAMES {
            let name = format!("margin.{metric}");
            if let Some(margin) = query.ranged(&name, 0.001, 1.0) {
                margins.push((metric.to_owned(), margin));
            }
        }
        let share = query.ranged("share", 0.001, 0.999).unwrap_or(0.5);
        let alpha = query.ranged("alpha", 1e-4, 0.2).unwrap_or(DEFAULT_ALPHA);
        let power = query.ranged("power", 0.5, 0.99).unwrap_or(DEFAULT_POWER);
        let n_days = query.count("days", 1, 3650).unwrap_or(DEFAULT_DAYS);
        let basis = query.basis(&metrics);
        query.refuse_unknown();
        match basis {
            Some(basis) if query.errors.is_empty() => Ok(Self { basis, metrics, margins, share, alpha, power, n_days }),
            _ => Err(query.errors),
        }
    }
}

impl Query<'_> {
    fn ranged(&mut self, name: &str, min: f64, max: f64) -> Option<f64> {
        let text = self.one(name)?;
        self.number(name, &text, min, max)
    }

    fn metrics(&mut self) -> Vec<String> {
        let asked = self.all("metric");
        if asked.iter().any(|metric| !METRIC_NAMES.contains(&metric.as_str())) {
            self.fail("metric", FieldCode::NotOneOf, format!("must be one of: {}", METRIC_NAMES.join(", ")));
        }
        METRIC_NAMES.into_iter().filter(|name| asked.iter().any(|it| it == name)).map(str::to_owned).collect()
    }

    fn basis(&mut self, metrics: &[String]) -> Option<Basis> {
        let control = self.one_up_to("control", MAX_SIDE_BYTES);
        let baseline = self.one("baseline");
        let selection = self.selection();
        let given: Vec<Option<String>> = OF_NUMBERS.iter().map(|name| self.one(name)).collect();
        match (control, baseline) {
            (Some(_), Some(_)) => {
                self.fail("baseline", FieldCode::Contradiction, "is known from the traffic of `control`; leave it out");
                None
            }
            (None, None) => {
                if self.errors.is_empty() {
                    let detail = "is required: give `control` as `model:NAME` to plan with its traffic, or `baseline`";
                    self.fail("control", FieldCode::Required, detail);
                }
                None
            }
            (Some(control), None) => {
                for (name, _) in OF_NUMBERS.iter().zip(&given).filter(|(_, value)| value.is_some()) {
                    self.fail(name, FieldCode::Contradiction, "is known from the traffic of `control`; leave it out");
                }
                let Some(model) = control.strip_prefix("model:").filter(|model| !model.is_empty()) else {
                    self.fail("control", FieldCode::Malformed, "must have the form `model:NAME`");
                    return None;
                };
                Some(Basis::Traffic { control: model.to_owned(), selection })
            }
            (None, Some(baseline)) => {
                let given_too: Vec<&str> = OF_TRAFFIC.into_iter().filter(|name| self.has(name)).collect();
                for name in given_too {
                    self.fail(name, FieldCode::Contradiction, "chooses among the traffic of `control`; leave it out");
                }
                if metrics.len() > 1 {
                    self.fail("metric", FieldCode::Contradiction, "must be given once beside `baseline`, its rate");
                }
                self.numbers(&baseline, &given)
            }
        }
    }

    fn numbers(&mut self, baseline: &str, given: &[Option<String>]) -> Option<Basis> {
        let [users_per_day, turns_per_user, icc, sd] = given else { return None };
        let mut read = |name: &str, text: &Option<String>, min: f64, max: f64| {
            text.as_ref().and_then(|text| self.number(name, text, min, max))
        };
        let users_per_day = read("users_per_day", users_per_day, 1e-3, 1e9);
        let turns_per_user = read("turns_per_user", turns_per_user, 1.0, 1e6).unwrap_or(1.0);
        let (icc_read, sd_read) = (read("icc", icc, 0.0, 1.0), read("sd", sd, 0.0, 0.5));
        let baseline = self.number("baseline", baseline, 1e-4, 1.0 - 1e-4)?;
        if icc.is_some() && sd.is_some() {
            self.fail("sd", FieldCode::Contradiction, "says the same as `icc`; leave one of them out");
        } else if icc.is_none() && sd.is_none() && turns_per_user > 1.0 {
            let detail = "is required where users have several turns, or `sd`: turns of one user resemble each other";
            self.fail("icc", FieldCode::Required, detail);
        }
        // A user's own rate varies by `sd` around the baseline: what two of his turns share is that variance.
        let from_sd = sd_read.map(|sd| sd * sd / (baseline * (1.0 - baseline)));
        if from_sd.is_some_and(|icc| icc > 1.0) {
            let detail = "must not be larger than sqrt(baseline·(1 - baseline)), which is everybody all or nothing";
            self.fail("sd", FieldCode::OutOfRange, detail);
        }
        let icc = icc_read.or(from_sd).unwrap_or(0.0);
        Some(Basis::Numbers(Numbers { baseline, users_per_day, turns_per_user, icc }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<PlanSpec, Vec<(String, FieldCode)>> {
        let pairs: Vec<(String, String)> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        PlanSpec::from_query(&pairs)
            .map_err(|errors| errors.into_iter().map(|error| (error.pointer, error.code)).collect())
    }

    #[test]
    fn a_plan_stands_on_traffic_or_on_numbers() {
        let traffic = parse("control=model:a&task=chat&metric=bad_turn&metric=good_turn&margin.bad_turn=0.2").unwrap();
        let numbers = parse("baseline=0.2&users_per_day=40&turns_per_user=5&sd=0.2&share=0.1&days=14").unwrap();

        let Basis::Traffic { control, selection } = &traffic.basis else { panic!("{traffic:?}") };
        assert_eq!((control.as_str(), selection.tasks.as_slice()), ("a", ["chat".to_owned()].as_slice()));
        assert_eq!(traffic.metrics, ["good_turn", "bad_turn"], "in the order of the report");
        assert_eq!((traffic.share, traffic.alpha, traffic.power, traffic.n_days), (0.5, 0.025, 0.8, 30));
        let Basis::Numbers(of) = numbers.basis else { panic!("{numbers:?}") };
        assert_eq!((of.users_per_day, of.turns_per_user), (Some(40.0), 5.0));
        assert!((of.icc - 0.25).abs() < 1e-12, "0.2²/(0.2·0.8)");
        assert_eq!((numbers.share, numbers.n_days), (0.1, 14));
    }

    #[test]
    fn what_contradicts_itself_or_is_missing_is_named() {
        for (query, name, code) in [
            ("", "control", FieldCode::Required),
            ("control=a", "control", FieldCode::Malformed),
            ("control=model:", "control", FieldCode::Malformed),
            ("control=model:a&baseline=0.1", "baseline", FieldCode::Contradiction),
            ("control=model:a&users_per_day=4", "users_per_day", FieldCode::Contradiction),
            ("baseline=0.1&task=chat", "task", FieldCode::Contradiction),
            ("baseline=0.1&metric=good_turn&metric=bad_turn", "metric", FieldCode::Contradiction),
            ("baseline=0.1&metric=smiles", "metric", FieldCode::NotOneOf),
            ("baseline=0.1&turns_per_user=3", "icc", FieldCode::Required),
            ("baseline=0.1&turns_per_user=3&icc=0.1&sd=0.1", "sd", FieldCode::Contradiction),
            ("baseline=0.1&turns_per_user=3&sd=0.4", "sd", FieldCode::OutOfRange),
            ("baseline=0", "baseline", FieldCode::OutOfRange),
            ("baseline=NaN", "baseline", FieldCode::OutOfRange),
            ("baseline=0.1&power=0.3", "power", FieldCode::OutOfRange),
            ("baseline=0.1&share=half", "share", FieldCode::WrongType),
            ("baseline=0.1&days=0", "days", FieldCode::OutOfRange),
            ("baseline=0.1&more=1", "", FieldCode::UnknownField),
        ] {
            let errors = parse(query).unwrap_err();

            assert_eq!(errors, [(name.to_owned(), code)], "{query}");
        }
    }
}
