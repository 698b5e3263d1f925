//! An experiment: a planned comparison whose shares, unit and margins were fixed before the data.

use serde::Serialize;

use super::fields::{FieldCode, FieldError, Fields, boolean, list, number, one_of, short_text};
use super::json::Json;

/// What is randomised, and therefore what a standard error clusters by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A person keeps one variant.
    User,
    /// A conversation keeps one variant.
    Conversation,
}

impl Unit {
    /// Every unit with its word on the wire.
    pub const WORDS: &'static [(&'static str, Self)] = &[("user", Self::User), ("conversation", Self::Conversation)];

    /// Returns the unit's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Conversation => "conversation",
        }
    }
}

/// One side of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Variant {
    /// Name, as completions carry it.
    pub name: String,
    /// The model behind it, for the report.
    pub model: Option<String>,
    /// Planned share of the units; the shares of all variants add up to 1.
    pub share: f64,
}

/// An experiment as it was declared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Experiment {
    /// Key, as completions carry it.
    pub key: String,
    /// The variant that the others are compared with.
    pub control: String,
    /// All variants, the control among them.
    pub variants: Vec<Variant>,
    /// What is randomised.
    pub unit: Unit,
    /// One-sided error rate of a verdict.
    pub alpha: f64,
    /// Margins that replace the defaults, as a share of the control's rate, by metric name.
    #[serde(serialize_with = "margins_as_object")]
    pub margins: Vec<(String, f64)>,
    /// Whether its prompts are an evaluation set, on which nothing is to be trained.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub holdout: bool,
}

fn margins_as_object<S: serde::Serializer>(margins: &[(String, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(margins.iter().map(|(name, margin)| (name, margin)))
}

impl Experiment {
    /// Parses a declaration; everything that is wrong with it comes back at once.
    pub fn from_json(value: Json) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::open(value, "")?;
        let key = fields.required("key", short_text);
        let control = fields.required("control", short_text);
        let unit = fields.optional("unit", one_of(Unit::WORDS)).unwrap_or(Unit::User);
        let alpha = fields.optional("alpha", number(1e-4, 0.2)).unwrap_or(DEFAULT_ALPHA);
        let variants = fields.required("variants", list(10, |value| Ok(value.clone())));
        let margins = fields.nested("margins", margins).unwrap_or_default();
        let holdout = fields.optional("holdout", boolean).unwrap_or(false);
        let variants = variants.map(|values| read_variants(values, &mut fields)).unwrap_or_default();
        if let Some(control) = &control
            && !variants.iter().any(|variant| variant.name == *control)
        {
            fields.fail("control", FieldCode::NotOneOf, "must be the name of one of the variants");
        }
        fields.finish()?;
        let (Some(key), Some(control)) = (key, control) else { return Err(Vec::new()) };
        Ok(Self { key, control, variants, unit, alpha, margins, holdout })
    }
}

/// The default one-sided error rate of a verdict, which makes the intervals 95 % ones.
pub const DEFAULT_ALPHA: f64 = 0.025;

fn read_variants(values: Vec<Json>, fields: &mut Fields) -> Vec<Variant> {
    let mut variants = Vec::new();
    for (index, value) in values.into_iter().enumerate() {
        match Fields::open(value, fields.at(&format!("variants/{index}"))) {
            Ok(mut inner) => {
                let name = inner.required("name", short_text);
                let model = inner.optional("model", short_text);
                let share = inner.required("share", number(0.001, 0.999));
                if let Err(errors) = inner.finish() {
                    fields.extend(errors);
                }
                if let (Some(name), Some(share)) = (name, share) {
                    variants.push(Variant { name, model, share });
                }
            }
            Err(errors) => fields.extend(errors),
        }
    }
    let total: f64 = variants.iter().map(|variant| variant.share).sum();
    if variants.len() < 2 {
        fields.fail("variants", FieldCode::OutOfRange, "must name at least two variants");
    } else if (total - 1.0).abs() > 1e-6 {
        fields.fail("variants", FieldCode::OutOfRange, "must have shares that add up to 1");
    }
    let mut names: Vec<&str> = variants.iter().map(|variant| variant.name.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        fields.fail("variants", FieldCode::Contradiction, "must have different names");
    }
    variants
}

/// Reads margins by metric name; the names are checked where the metrics are known.
fn margins(fields: &mut Fields) -> Vec<(String, f64)> {
    let mut margins = Vec::new();
    for (name, value) in fields.take_rest() {
        match number(0.001, 1.0)(&value) {
            Ok(margin) if METRIC_NAMES.contains(&name.as_str()) => margins.push((name, margin)),
            Ok(_) => fields.fail(
                "",
                FieldCode::UnknownField,
                format!("holds a metric that is not known here; known are: {}", METRIC_NAMES.join(", ")),
            ),
            Err((code, detail)) => fields.fail("", code, format!("a margin {detail}")),
        }
    }
    margins.sort_by(|left, right| left.0.cmp(&right.0));
    margins
}

/// The metrics that carry a margin.
pub const METRIC_NAMES: [&str; 4] = ["good_turn", "bad_turn", "thumb_up", "thumb_down"];
