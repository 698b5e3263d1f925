//! What people said of an answer, as telemetry carries it: annotations of OpenInference, and results of evaluations.

use super::super::derived::Source;
use super::super::fault;
use super::super::meaning::{Meanings, Score, Value};
use super::super::wire::{self, reaction, text_of};
use super::attributes::{Attributes, Members, number_of};
use crate::domain::clock::Timestamp;
use crate::domain::fields::{FieldCode, FieldError};
use crate::domain::json::Json;

/// Name of the event that tells the result of one evaluation.
pub(super) const EVALUATION: &str = "gen_ai.evaluation.result";

/// What came of one score: items of feedback, or what is wrong with it.
pub(super) type Said = Result<Vec<Json>, FieldError>;

/// What scores in one record can be about.
#[derive(Debug, Clone, Default)]
pub(super) struct Targets {
    /// The span that they are about, in hex.
    pub(super) span: Option<String>,
    /// Its trace, likewise.
    pub(super) trace: Option<String>,
}

/// The two names that OpenInference has for one thing.
const FORMS: [(&str, &str); 2] = [("annotations", "annotation"), ("evaluations", "evaluation")];

/// Reads every annotation that stands in the attributes of a span.
pub(super) fn annotations(
    attributes: &Attributes<'_>,
    targets: &Targets,
    at: Option<Timestamp>,
    meanings: &Meanings,
) -> Vec<Said> {
    let mut said = Vec::new();
    for (list, member) in FORMS {
        let scopes = [("", targets.span.as_deref()), ("trace.", targets.trace.as_deref()), ("session.", None)];
        for (scope, target) in scopes {
            for told in attributes.indexed(&format!("{scope}{list}")) {
                let annotation = Annotation { told: &told, member };
                said.push(annotation.read(target, attributes, at, meanings));
            }
        }
    }
    said
}

/// One annotation, flattened.
struct Annotation<'a, 'b> {
    told: &'b Members<'a>,
    member: &'static str,
}

impl<'a> Annotation<'a, '_> {
    fn text(&self, name: &str) -> Option<&'a str> {
        self.told.text(&format!("{}.{name}", self.member))
    }

    fn read(
        &self,
        target: Option<&str>,
        attributes: &Attributes<'_>,
        at: Option<Timestamp>,
        meanings: &Meanings,
    ) -> Said {
        if self.text("annotator_kind") != Some("HUMAN") {
            return Err(fault(
                FieldCode::NotAUserReaction,
                "only annotations of the kind HUMAN are people's reactions",
            ));
        }
        let target = target.ok_or_else(unsupported)?;
        let score = self.told.get(&format!("{}.score", self.member)).and_then(number_of);
        let name = self.text("name").ok_or_else(|| fault(FieldCode::Required, "an annotation needs a name"))?;
        let metadata = self.text("metadata").and_then(|text| attributes.parse(text)).unwrap_or(Json::Null);
        let user = ["user_id", "userId"].iter().find_map(|name| text_of(&metadata, name));
        let key = [name, self.text("identifier").unwrap_or_default()].join("\n");
        let of = wire::Circumstances {
            source: Source { system: "openinference", key: &key },
            completion_id: target,
            user: user.or_else(|| attributes.text("user.id")),
            at,
        };
        say(of, name, score, self.text("label"), self.text("explanation"), meanings)
    }
}

fn unsupported() -> FieldError {
    fault(
        FieldCode::TargetUnsupported,
        "it names no span that it is about: sessions, and carriers without one link, have none",
    )
}

/// Reads the result of an evaluation. The conventions do not say who evaluated: only a name that stands for people does.
pub(super) fn evaluation(
    attributes: &Attributes<'_>,
    target: Option<&str>,
    user: Option<&str>,
    at: Option<Timestamp>,
    meanings: &Meanings,
) -> Said {
    let name = attributes.text("gen_ai.evaluation.name");
    let name = name.ok_or_else(|| fault(FieldCode::Required, "`gen_ai.evaluation.name` is required"))?;
    if !meanings.are_of_people(name) {
        return Err(fault(FieldCode::NotAUserReaction, "nobody declared that evaluations of this name are people's"));
    }
    let target = attributes.text("gen_ai.response.id").or(target).ok_or_else(unsupported)?;
    let of = wire::Circumstances {
        source: Source { system: "gen_ai.evaluation", key: name },
        completion_id: target,
        user: attributes.text("user.id").or(user),
        at,
    };
    let score = attributes.number("gen_ai.evaluation.score.value");
    let label = attributes.text("gen_ai.evaluation.score.label");
    say(of, name, score, label, attributes.text("gen_ai.evaluation.explanation"), meanings)
}

fn say(
    of: wire::Circumstances<'_>,
    name: &str,
    score: Option<f64>,
    label: Option<&str>,
    explanation: Option<&str>,
    meanings: &Meanings,
) -> Said {
    let (value, comment) = match (score, label, explanation) {
        (Some(score), _, comment) => (Value::Number(score), comment),
        (None, Some(label), comment) => (Value::Label(label), comment),
        (None, None, Some(text)) => (Value::Text(text), None),
        (None, None, None) => return Err(fault(FieldCode::Required, "a score, a label or an explanation is required")),
    };
    let signals = Score { name, value, comment }.to_signals(meanings)?;
    Ok(signals.into_iter().map(|(signal, own)| reaction(of, signal, own)).collect())
}
