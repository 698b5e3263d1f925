//! A recipe: what an export produces. Parsed from TOML files and JSON bodies alike, by one reader.

mod effects;
mod options;
mod votes;
mod words;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::destination::{DestinationName, is_plain_part};
use super::fields::{FieldCode, FieldError, Fields, list, one_of, short_text, uuid};
use super::ids::ExportId;
use super::json::Json;
use super::selection::Selection;
use super::trust::TrustFilter;

pub use effects::{EFFECTS, Effect};
use options::read_options;
pub use options::{MAX_BENCHMARKS, MAX_PATH_BYTES, MAX_SYSTEM_PROMPT_BYTES, MIN_TRAIN_SHARE, MIN_USER_SHARE, Options};
pub use words::{
    Aggregate, Comments, Consent, Dedup, FinishReason, Format, Holdout, ImplicitPositive, KtoBalance, LabelNoise,
    Layout, LengthRule, Margin, MinSignal, PairScope, Pairing, Pii, Policy, PositionRule, RegenerateRule, Safety,
    SelectionBias, SystemPrompt, Ties, ToolCalls, Weights,
};

/// The formats of an export: one at least, none twice, in the order of [`Format::WORDS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Formats(Vec<Format>);

impl Formats {
    /// Takes one format.
    pub fn of(format: Format) -> Self {
        Self(vec![format])
    }

    /// Takes several; nothing where there is none, or one twice.
    pub fn of_several(mut formats: Vec<Format>) -> Option<Self> {
        formats.sort_unstable();
        let is_a_set = formats.windows(2).all(|two| two[0] != two[1]);
        (is_a_set && !formats.is_empty()).then_some(Self(formats))
    }

    /// Returns each format.
    pub fn iter(&self) -> impl Iterator<Item = Format> + '_ {
        self.0.iter().copied()
    }

    /// Tells whether a format is among them.
    pub fn has(&self, format: Format) -> bool {
        self.0.contains(&format)
    }

    /// Returns the format where there is only one.
    pub fn only(&self) -> Option<Format> {
        match self.0[..] {
            [format] => Some(format),
            _ => None,
        }
    }

    /// Returns the words of the formats, for people.
    pub fn words(&self) -> String {
        self.iter().map(Format::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// What an export produces, fully resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// Kinds of data sets.
    pub formats: Formats,
    /// Names and shapes of their columns.
    pub layout: Layout,
    /// Which completions enter.
    pub selection: Selection,
    /// How examples are made of them.
    pub options: Options,
}

impl Serialize for Recipe {
    /// Writes a recipe as it is read: one format under `format`, several under `formats`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_struct("Recipe", 4)?;
        match self.formats.only() {
            Some(format) => members.serialize_field("format", &format)?,
            None => members.serialize_field("formats", &self.formats)?,
        }
        members.serialize_field("layout", &self.layout)?;
        members.serialize_field("selection", &self.selection)?;
        members.serialize_field("options", &self.options)?;
        members.end()
    }
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
    /// An earlier export: the manifest then tells what became of its rows.
    pub parent: Option<ExportId>,
}

impl Recipe {
    /// Parses a recipe; absent options take the values of `base`, which is usually the default.
    pub fn from_json(value: Json, pointer: &str) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::open(value, pointer)?;
        let recipe = Self::read(&mut fields, None);
        refuse_contradictions(&mut fields, recipe.as_ref());
        fields.finish()?;
        recipe.ok_or_else(|| vec![FieldError::new(pointer, FieldCode::Required, "`format` is required")])
    }

    /// Reads a recipe back that an earlier version may have taken: what contradicts itself was let through then, and makes
    /// the rows now that it would have made.
    pub fn from_stored(value: Json) -> Option<Self> {
        let mut fields = Fields::open(value, "").ok()?;
        let recipe = Self::read(&mut fields, None);
        fields.finish().ok()?;
        recipe
    }

    /// Reads a recipe out of an object that may have other members, over a shipped one that it names.
    fn read(fields: &mut Fields, base: Option<Self>) -> Option<Self> {
        let formats = read_formats(fields, base.as_ref().map(|base| &base.formats));
        let layout = fields.optional("layout", one_of(Layout::WORDS));
        let layout = layout.or(base.as_ref().map(|base| base.layout)).unwrap_or(Layout::Trl);
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
        Some(Self { formats: formats?, layout, selection, options })
    }

    /// Lists what the parts of the recipe ask of each other and do not get: the place in the recipe, and why.
    pub fn contradictions(&self) -> Vec<(&'static str, String)> {
        let (options, layout) = (&self.options, self.layout.as_str());
        let mut found = effects::in_vain(&self.formats, options);
        let formless = self.formats.iter().filter(|format| !self.layout.formats().contains(format));
        let formless: Vec<String> = formless.map(|format| format!("`{}`", format.as_str())).collect();
        if !formless.is_empty() {
            let has: Vec<&str> = self.layout.formats().iter().map(|format| format.as_str()).collect();
            let (formless, has) = (formless.join(", "), has.join(", "));
            found.push(("layout", format!("`{layout}` has no form of {formless}; it has: {has}")));
        }
        if self.layout != Layout::Trl {
            for (place, is_asked_for, what) in [
                ("options/ties", options.ties == Ties::SideFile, "the side file of ties"),
                ("options/tool_calls", options.tool_calls == ToolCalls::Json, "messages as JSON"),
            ] {
                if is_asked_for {
                    found.push((place, format!("{what} exist in the layout `trl` only, not in `{layout}`")));
                }
            }
        }
        found
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
            let recipe = Recipe::read(&mut fields, base);
            refuse_contradictions(&mut fields, recipe.as_ref());
            recipe
        };
        let place = fields.nested("destination", |inner| {
            (inner.optional("name", DestinationName::from_json), inner.optional("path", directory))
        });
        let (destination, directory) = place.unwrap_or_default();
        let parent = fields.optional("parent", uuid).map(ExportId);
        fields.finish()?;
        recipe
            .map(|recipe| Self { recipe, destination, directory, parent })
            .ok_or_else(|| vec![FieldError::new("", FieldCode::Required, "`recipe` or `format` is required")])
    }
}

fn refuse_contradictions(fields: &mut Fields, recipe: Option<&Recipe>) {
    for (place, detail) in recipe.map(Recipe::contradictions).unwrap_or_default() {
        fields.fail(place, FieldCode::Contradiction, detail);
    }
}

/// Reads `format` or `formats`; a recipe that is built upon has some already.
fn read_formats(fields: &mut Fields, base: Option<&Formats>) -> Option<Formats> {
    if !fields.has("formats") {
        fields.take("formats");
        return match base {
            None => fields.required("format", one_of(Format::INPUT_WORDS)).map(Formats::of),
            Some(base) => {
                let format = fields.optional("format", one_of(Format::INPUT_WORDS));
                Some(format.map_or_else(|| base.clone(), Formats::of))
            }
        };
    }
    if fields.has("format") {
        fields.fail("formats", FieldCode::Contradiction, "must not stand beside `format`");
    }
    fields.take("format");
    let listed = fields.optional("formats", list(Format::WORDS.len(), one_of(Format::INPUT_WORDS)))?;
    let is_empty = listed.is_empty();
    let formats = Formats::of_several(listed);
    if formats.is_none() {
        let (code, detail) = if is_empty {
            (FieldCode::Empty, "must have at least one format")
        } else {
            (FieldCode::Contradiction, "must not name a format twice")
        };
        fields.fail("formats", code, detail);
    }
    formats
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

    #[test]
    fn one_format_or_several_are_read_and_written_back() {
        let written = |text: &str| serde_json::to_value(recipe(text).unwrap()).unwrap();

        let one = written(r#"{"formats":["kto"]}"#);
        let several = written(r#"{"formats":["sft","dpo","grpo","reward"]}"#);

        assert_eq!((&one["format"], one.get("formats")), (&"unpaired".into(), None));
        assert_eq!(several["formats"], serde_json::json!(["preference", "sft", "reward", "prompts"]));
        assert_eq!(recipe(&several.to_string()).unwrap().formats.words(), "preference, sft, reward, prompts");
        for (text, pointer, code) in [
            ("{}", "/format", FieldCode::Required),
            (r#"{"formats":[]}"#, "/formats", FieldCode::Empty),
            (r#"{"formats":["dpo","preference"]}"#, "/formats", FieldCode::Contradiction),
            (r#"{"formats":["dpo"],"format":"sft"}"#, "/formats", FieldCode::Contradiction),
            (r#"{"formats":["ppo"]}"#, "/formats", FieldCode::NotOneOf),
            (r#"{"formats":"dpo"}"#, "/formats", FieldCode::WrongType),
        ] {
            let errors = recipe(text).unwrap_err();
            assert_eq!((errors[0].pointer.as_str(), errors[0].code, errors.len()), (pointer, code, 1), "{text}");
        }
    }

    #[test]
    fn options_that_no_format_of_the_recipe_has_are_refused() {
        for (text, pointer) in [
            (r#"{"format":"dpo","options":{"margin":"strength"}}"#, "/options/margin"),
            (r#"{"format":"sft","options":{"ties":"side_file"}}"#, "/options/ties"),
            (r#"{"format":"dpo","options":{"implicit_positive":"on"}}"#, "/options/implicit_positive"),
            (r#"{"format":"dpo","options":{"kto_balance":"downsample"}}"#, "/options/kto_balance"),
            (r#"{"format":"dpo","layout":"verl"}"#, "/layout"),
            (r#"{"formats":["sft","kto"],"layout":"mlx_jsonl"}"#, "/layout"),
            (r#"{"format":"sft","layout":"verl","options":{"tool_calls":"json"}}"#, "/options/tool_calls"),
            (r#"{"format":"dpo","layout":"implicit","options":{"ties":"side_file"}}"#, "/options/ties"),
            (r#"{"format":"kto","options":{"aggregate":"bt"}}"#, "/options/aggregate"),
            (r#"{"format":"sft","options":{"length":"match"}}"#, "/options/length"),
            (r#"{"format":"sft","options":{"position":"reweight"}}"#, "/options/position"),
            (r#"{"format":"kto","options":{"drop_unrandomised":true}}"#, "/options/drop_unrandomised"),
            (r#"{"format":"dpo","options":{"system_prompt":"replace"}}"#, "/options/system_prompt_text"),
            (r#"{"format":"dpo","options":{"system_prompt_text":"t"}}"#, "/options/system_prompt_text"),
            (r#"{"format":"dpo","options":{"require_stop":true,"finish_reason":"any"}}"#, "/options/finish_reason"),
        ] {
            let errors = recipe(text).unwrap_err();
            assert_eq!((errors[0].pointer.as_str(), errors[0].code), (pointer, FieldCode::Contradiction), "{text}");
        }
        let before = recipe(r#"{"format":"dpo","options":{"require_stop":false}}"#).unwrap();
        assert_eq!(before.options.finish_reason, FinishReason::Any);
    }

    #[test]
    fn validation_and_test_leave_something_to_train_on() {
        let read = |options: &str| recipe(&format!(r#"{{"format":"dpo","options":{{{options}}}}}"#));
        for (validation, test) in [("0.5", "0.5"), ("0.5", "0.41"), ("0.42", "0.5")] {
            let errors = read(&format!(r#""validation_share":{validation},"test_share":{test}"#)).unwrap_err();

            assert_eq!((errors[0].pointer.as_str(), errors.len()), ("/options/validation_share", 1));
            assert_eq!(errors[0].code, FieldCode::OutOfRange);
            assert!(errors[0].detail.contains("`validation_share` and `test_share`"), "{errors:?}");
        }
        for (validation, test) in [("0.5", "0.4"), ("0.45", "0.45"), ("0.41", "0.49"), ("0", "0.5")] {
            assert!(read(&format!(r#""validation_share":{validation},"test_share":{test}"#)).is_ok());
        }
        let nobody = read(r#""max_user_share":0.0"#).unwrap_err();
        assert_eq!((nobody[0].pointer.as_str(), nobody[0].code), ("/options/max_user_share", FieldCode::OutOfRange));
    }

    #[test]
    fn options_of_what_texts_pass_have_bounds_and_words_of_their_own() {
        let long = format!(r#""decontaminate":["{}"]"#, "a".repeat(MAX_PATH_BYTES + 1));
        let many = format!(r#""decontaminate":[{}]"#, vec![r#""a""#; MAX_BENCHMARKS + 1].join(","));
        for (option, pointer, code) in [
            (r#""dedup":"fuzzy""#, "/options/dedup", FieldCode::NotOneOf),
            (r#""near_threshold":0.79"#, "/options/near_threshold", FieldCode::OutOfRange),
            (r#""near_threshold":1.01"#, "/options/near_threshold", FieldCode::OutOfRange),
            (r#""decontaminate":"gsm8k.jsonl""#, "/options/decontaminate", FieldCode::WrongType),
            (r#""decontaminate":["a",""]"#, "/options/decontaminate/1", FieldCode::Empty),
            (&long, "/options/decontaminate/0", FieldCode::TooLong),
            (&many, "/options/decontaminate", FieldCode::TooLong),
            (r#""holdout":true"#, "/options/holdout", FieldCode::WrongType),
            (r#""pii":"presidio""#, "/options/pii", FieldCode::NotOneOf),
            (r#""pii_url":"presidio:3000""#, "/options/pii_url", FieldCode::Malformed),
            (r#""pii_url":"http://u:p@presidio""#, "/options/pii_url", FieldCode::Malformed),
            (r#""pii_language":"""#, "/options/pii_language", FieldCode::Empty),
            (r#""pii":"off","pii_url":"http://h""#, "/options/pii_url", FieldCode::Contradiction),
            (r#""safety":"drop""#, "/options/safety", FieldCode::NotOneOf),
            (r#""safety":"off","safety_url":"http://h""#, "/options/safety_url", FieldCode::Contradiction),
            (r#""safety":"off","safety_label":"l""#, "/options/safety_label", FieldCode::Contradiction),
            (r#""exclude_refusal_rejected":"yes""#, "/options/exclude_refusal_rejected", FieldCode::WrongType),
        ] {
            let errors = recipe(&format!(r#"{{"format":"dpo","options":{{{option}}}}}"#)).unwrap_err();
            assert_eq!((errors[0].pointer.as_str(), errors[0].code), (pointer, code), "{option}");
        }
        let kept = r#"{"format":"dpo","options":{"dedup":"near","near_threshold":0.8,"decontaminate":["a/b.jsonl"]}}"#;
        let options = recipe(kept).unwrap().options;
        assert_eq!((options.dedup, options.near_threshold), (Dedup::Near, 0.8));
        assert_eq!(options.decontaminate, ["a/b.jsonl"]);
    }

    #[test]
    fn what_an_earlier_version_took_is_read_back_though_it_would_be_refused_now() {
        let text = r#"{"format":"prompts","options":{"max_pairs_per_prompt":5}}"#;
        let json = || Json::parse(text.as_bytes()).unwrap();

        assert!(Recipe::from_json(json(), "").is_err());
        assert_eq!(Recipe::from_stored(json()).map(|recipe| recipe.options.max_pairs_per_prompt), Some(5));
        assert_eq!(Recipe::from_stored(Json::parse(br#"{"format":"none"}"#).unwrap()), None);
    }
}
