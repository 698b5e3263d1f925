//! A recipe: what an export produces. Parsed from TOML files and JSON bodies alike, by one reader.

use serde::Serialize;

use super::destination::{DestinationName, is_plain_part};
use super::fields::{FieldCode, FieldError, Fields, boolean, integer, number, one_of, short_text};
use super::json::Json;
use super::selection::Selection;
use super::trust::TrustFilter;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// Every choice with its word on the wire.
            pub const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),+];

            /// Returns the choice's word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

words!(
    /// Kind of data set.
    Format {
        /// Pairs for DPO and reward models.
        Preference = "preference",
        /// Endorsed answers for supervised fine-tuning.
        Sft = "sft",
    }
);
words!(
    /// Between whose thumbs and ratings a pair may be made.
    PairScope {
        /// Only between the reactions of one user.
        User = "user",
        /// Between the majority verdicts on two answers to one prompt.
        Prompt = "prompt",
    }
);
words!(
    /// What a regeneration says.
    RegenerateRule {
        /// Kept beats replaced only with positive evidence on the kept one and none on the replaced.
        RequirePositive = "require_positive",
        /// Nothing.
        Off = "off",
    }
);
words!(
    /// The weakest signal that makes an answer worth imitating.
    MinSignal {
        /// A thumb up, a top rating, a won preference or an accepted edit.
        Explicit = "explicit",
        /// A copy or an accept as well.
        Implicit = "implicit",
    }
);
words!(
    /// Whether repeated examples are removed.
    Dedup {
        /// Equal after NFC and white-space folding.
        Exact = "exact",
        /// Kept.
        Off = "off",
    }
);
words!(
    /// Whether the user must have agreed to training.
    Consent {
        /// Rows without consent never leave.
        Required = "required",
        /// Consent is settled elsewhere.
        Ignore = "ignore",
    }
);
words!(
    /// What happens to system messages.
    SystemPrompt {
        /// They stay in the prompt.
        Keep = "keep",
        /// They are left out.
        Drop = "drop",
    }
);
words!(
    /// Which pairs of models may be compared.
    Policy {
        /// Any; the column `same_policy` tells.
        Any = "any",
        /// Only two answers of one model.
        SameModel = "same_model",
    }
);

/// The options of a recipe; `Options::default` is what `datasets.md` calls the defaults.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Options {
    /// Fewest votes that make a verdict.
    pub min_votes: i64,
    /// Smallest share of the votes that agree, 0.5 to 1.
    pub min_agreement: f64,
    /// Between whose thumbs and ratings a pair may be made.
    pub pair_scope: PairScope,
    /// Smallest difference of two ratings given in points.
    pub rating_min_points: f64,
    /// Smallest difference of two ratings given as a bare value in 0..1.
    pub rating_min_difference: f64,
    /// Scaled rating at or above which an answer is good, 0.5 to 1; it is bad from one minus this down.
    pub rating_good: f64,
    /// Smallest normalised edit distance of an edit that says something.
    pub edit_min_distance: f64,
    /// Largest normalised edit distance of an edit that is still the same answer.
    pub edit_max_distance: f64,
    /// What a regeneration says.
    pub regenerate: RegenerateRule,
    /// The weakest signal that makes an answer an SFT example.
    pub sft_min_signal: MinSignal,
    /// Which pairs of models may be compared.
    pub policy: Policy,
    /// Whether repeated examples are removed.
    pub dedup: Dedup,
    /// Whether the user must have agreed to training.
    pub consent: Consent,
    /// Whether only answers that ended by themselves (`stop`) enter.
    pub require_stop: bool,
    /// What happens to system messages.
    pub system_prompt: SystemPrompt,
    /// Longest example in characters; 0 for no limit.
    pub max_chars: i64,
    /// Share of the groups that go to validation.
    pub validation_share: f64,
    /// Share of the groups that go to test.
    pub test_share: f64,
    /// Salt of the split: with one salt a row never changes its split.
    pub split_salt: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            min_votes: 1,
            min_agreement: 0.66,
            pair_scope: PairScope::User,
            rating_min_points: 1.0,
            rating_min_difference: 0.25,
            rating_good: 0.75,
            edit_min_distance: 0.02,
            edit_max_distance: 0.6,
            regenerate: RegenerateRule::RequirePositive,
            sft_min_signal: MinSignal::Explicit,
            policy: Policy::Any,
            dedup: Dedup::Exact,
            consent: Consent::Required,
            require_stop: true,
            system_prompt: SystemPrompt::Keep,
            max_chars: 0,
            validation_share: 0.05,
            test_share: 0.05,
            split_salt: "afterword".to_owned(),
        }
    }
}

/// What an export produces, fully resolved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recipe {
    /// Kind of data set.
    pub format: Format,
    /// Which completions enter.
    pub selection: Selection,
    /// How examples are made of them.
    pub options: Options,
}

/// A request for an export: a recipe and where its folder goes below the project's root.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportRequest {
    /// What it produces.
    pub recipe: Recipe,
    /// The operator's destination that it goes to; the service's own directory where it is absent.
    pub destination: Option<DestinationName>,
    /// Folder below the project's root, its parts of `[a-z0-9_-]{1,64}`.
    pub directory: Option<String>,
}

impl Recipe {
    /// Parses a recipe; absent options take the values of `base`, which is usually the default.
    pub fn from_json(value: Json, pointer: &str) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::open(value, pointer)?;
        let recipe = Self::read(&mut fields, None);
        fields.finish()?;
        recipe.ok_or_else(|| vec![FieldError::new(pointer, FieldCode::Required, "`format` is required")])
    }

    /// Reads a recipe out of an object that may have other members, over a shipped one that it names.
    fn read(fields: &mut Fields, base: Option<Self>) -> Option<Self> {
        let aliases: &'static [(&'static str, Format)] =
            &[("preference", Format::Preference), ("dpo", Format::Preference), ("sft", Format::Sft)];
        let format = match &base {
            None => fields.required("format", one_of(aliases)),
            Some(base) => fields.optional("format", one_of(aliases)).or(Some(base.format)),
        };
        let (base_selection, base_options) = base.map(|base| (base.selection, base.options)).unwrap_or_default();
        let mut selection = match fields.take("selection") {
            Some(value) => match Selection::from_json(value, &fields.at("selection")) {
                Ok(selection) => selection,
                Err(errors) => {
                    fields.extend(errors);
                    base_selection
                }
            },
            None => base_selection,
        };
        let mut trust = None;
        let options = fields.nested("options", |inner| {
            // It is the selection's; recipes of before it moved there still say it here.
            trust = inner.optional("trust", one_of(TrustFilter::WORDS));
            if trust.is_some() && selection.trust.is_some_and(|other| Some(other) != trust) {
                inner.fail("trust", FieldCode::Contradiction, "must not differ from the selection's `trust`");
            }
            read_options(inner, base_options.clone())
        });
        selection.trust = selection.trust.or(trust);
        let options = options.unwrap_or(base_options);
        Some(Self { format: format?, selection, options })
    }
}

impl ExportRequest {
    /// Parses a request: `{"recipe": NAME}` for a shipped recipe found by `shipped`, its members overriding the
    /// recipe's, or a recipe inline; `destination.name` is one that the operator has configured, and
    /// `destination.path` names a folder below the project's root there.
    pub fn from_json(value: Json, shipped: impl Fn(&str) -> Option<Recipe>) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::open(value, "")?;
        let mut named = false;
        let base = fields.optional("recipe", |value| {
            named = true;
            let name = short_text(value)?;
            shipped(&name).ok_or_else(|| {
                (
                    FieldCode::UnknownRecipe,
                    "must be the name of a shipped recipe; `afterword recipe list` shows them".to_owned(),
                )
            })
        });
        // A recipe that is named but unknown has been recorded; reading on would only add that the format is absent.
        let recipe = if named && base.is_none() {
            fields.take_rest();
            None
        } else {
            Recipe::read(&mut fields, base)
        };
        let place = fields.nested("destination", |inner| {
            (inner.optional("name", DestinationName::from_json), inner.optional("path", directory))
        });
        let (destination, directory) = place.unwrap_or_default();
        fields.finish()?;
        recipe
            .map(|recipe| Self { recipe, destination, directory })
            .ok_or_else(|| vec![FieldError::new("", FieldCode::Required, "`recipe` or `format` is required")])
    }
}

/// Parses a relative folder whose parts cannot leave the root that they are put under.
pub fn directory(value: &Json) -> Result<String, (FieldCode, String)> {
    let text = short_text(value)?;
    if text.split('/').all(is_plain_part) {
        Ok(text)
    } else {
        let detail = "must be a relative path whose parts are 1 to 64 characters from a-z, 0-9, `_` and `-`";
        Err((FieldCode::UnsafePath, detail.to_owned()))
    }
}

fn read_options(fields: &mut Fields, base: Options) -> Options {
    let share = || number(0.0, 0.5);
    let options = Options {
        min_votes: fields.optional("min_votes", integer(1, 1000)).unwrap_or(base.min_votes),
        min_agreement: fields.optional("min_agreement", number(0.5, 1.0)).unwrap_or(base.min_agreement),
        pair_scope: fields.optional("pair_scope", one_of(PairScope::WORDS)).unwrap_or(base.pair_scope),
        rating_min_points: fields.optional("rating_min_points", number(0.0, 1e6)).unwrap_or(base.rating_min_points),
        rating_min_difference: fields
            .optional("rating_min_difference", number(0.0, 1.0))
            .unwrap_or(base.rating_min_difference),
        rating_good: fields.optional("rating_good", number(0.5, 1.0)).unwrap_or(base.rating_good),
        edit_min_distance: fields.optional("edit_min_distance", number(0.0, 1.0)).unwrap_or(base.edit_min_distance),
        edit_max_distance: fields.optional("edit_max_distance", number(0.0, 1.0)).unwrap_or(base.edit_max_distance),
        regenerate: fields.optional("regenerate", one_of(RegenerateRule::WORDS)).unwrap_or(base.regenerate),
        sft_min_signal: fields.optional("sft_min_signal", one_of(MinSignal::WORDS)).unwrap_or(base.sft_min_signal),
        policy: fields.optional("policy", one_of(Policy::WORDS)).unwrap_or(base.policy),
        dedup: fields.optional("dedup", one_of(Dedup::WORDS)).unwrap_or(base.dedup),
        consent: fields.optional("consent", one_of(Consent::WORDS)).unwrap_or(base.consent),
        require_stop: fields.optional("require_stop", boolean).unwrap_or(base.require_stop),
        system_prompt: fields.optional("system_prompt", one_of(SystemPrompt::WORDS)).unwrap_or(base.system_prompt),
        max_chars: fields.optional("max_chars", integer(0, 100_000_000)).unwrap_or(base.max_chars),
        validation_share: fields.optional("validation_share", share()).unwrap_or(base.validation_share),
        test_share: fields.optional("test_share", share()).unwrap_or(base.test_share),
        split_salt: fields.optional("split_salt", short_text).unwrap_or(base.split_salt),
    };
    if options.edit_min_distance >= options.edit_max_distance {
        fields.fail("edit_max_distance", FieldCode::OutOfRange, "must be greater than `edit_min_distance`");
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(text: &str) -> Result<Recipe, Vec<FieldError>> {
        Recipe::from_json(Json::parse(text.as_bytes()).unwrap(), "")
    }

    #[test]
    fn trust_is_the_selections_wherever_an_older_recipe_says_it() {
        let trust = |text: &str| recipe(text).unwrap().selection.trust;

        assert_eq!(trust(r#"{"format":"dpo"}"#), None);
        assert_eq!(trust(r#"{"format":"dpo","selection":{"trust":"any"}}"#), Some(TrustFilter::Any));
        assert_eq!(trust(r#"{"format":"dpo","options":{"trust":"verified"}}"#), Some(TrustFilter::Verified));
        let both =
            recipe(r#"{"format":"dpo","selection":{"trust":"any"},"options":{"trust":"verified"}}"#).unwrap_err();
        assert_eq!((both[0].pointer.as_str(), both[0].code), ("/options/trust", FieldCode::Contradiction));
        let unknown = recipe(r#"{"format":"dpo","selection":{"trust":"some"}}"#).unwrap_err();
        assert_eq!((unknown[0].pointer.as_str(), unknown[0].code), ("/selection/trust", FieldCode::NotOneOf));
    }
}
