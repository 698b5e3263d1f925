//! Where each option has an effect: under which formats, and beside which other options. One table, which refuses what
//! would be set in vain and which the documents are compared with.

use super::Formats;
use super::options::Options;
use super::words::{
    Aggregate, Format, LengthRule, PairScope, Pii, RegenerateRule, Safety, SelectionBias, SystemPrompt,
};

const ALL: &[Format] = &[Format::Preference, Format::Unpaired, Format::Sft, Format::Reward, Format::Prompts];
const ANSWERS: &[Format] = &[Format::Preference, Format::Unpaired, Format::Sft, Format::Reward];
const PAIRS: &[Format] = &[Format::Preference, Format::Reward];
const PAIRS_AND_LABELS: &[Format] = &[Format::Preference, Format::Unpaired, Format::Reward];
const PAIRS_AND_SFT: &[Format] = &[Format::Preference, Format::Sft, Format::Reward];
const UNPAIRED: &[Format] = &[Format::Unpaired];
const SFT: &[Format] = &[Format::Sft];
const REWARD: &[Format] = &[Format::Reward];

/// Where one option has an effect.
#[derive(Debug)]
pub struct Effect {
    /// The option.
    pub option: &'static str,
    /// The formats that look at it.
    pub formats: &'static [Format],
    /// What else it takes, in words; empty where it takes nothing else.
    pub needs: &'static str,
    place: &'static str,
    is_default: fn(&Options, &Options) -> bool,
    is_met: fn(&Options, &Formats) -> bool,
}

impl Effect {
    /// Says under which formats the option has an effect, for people.
    pub fn of_formats(&self) -> String {
        if self.formats.len() == ALL.len() {
            return "all".to_owned();
        }
        if self.formats == ANSWERS {
            return format!("all but `{}`", Format::Prompts.as_str());
        }
        let words: Vec<String> = self.formats.iter().map(|format| format!("`{}`", format.as_str())).collect();
        words.join(", ")
    }

    fn is_in(&self, formats: &Formats) -> bool {
        self.formats.iter().any(|format| formats.has(*format))
    }
}

macro_rules! effects {
    ($($option:ident: $formats:ident $(, needs $words:literal $is_met:expr)?;)+) => {
        /// Every option, in the order of [`Options`].
        pub const EFFECTS: &[Effect] = &[$(Effect {
            option: stringify!($option),
            formats: $formats,
            needs: effects!(@words $($words)?),
            place: concat!("options/", stringify!($option)),
            is_default: |options, default| options.$option.eq(&default.$option),
            is_met: effects!(@is_met $($is_met)?),
        }),+];

        // An option without a row does not compile.
        const _: fn(Options) = |Options { $($option: _),+ }| ();
    };
    (@words) => { "" };
    (@words $words:literal) => { $words };
    (@is_met) => { |_, _| true };
    (@is_met $is_met:expr) => { $is_met };
}

effects! {
    min_votes: ANSWERS, needs "votes that are counted: not `dawid_skene`, but in pairs by `regenerate`" counts_votes;
    min_agreement: ANSWERS;
    aggregate: ANSWERS, needs "comparisons for `bt`: `preference`, `sft` or `reward`"
        |options, formats| options.aggregate != Aggregate::Bt || has_any(formats, PAIRS_AND_SFT);
    label_noise: ANSWERS;
    max_rows_per_user: ALL;
    max_user_share: ALL;
    pair_scope: PAIRS;
    rating_min_points: PAIRS;
    rating_min_difference: PAIRS;
    rating_good: ANSWERS, needs "labels: in pairs, `regenerate` or `pair_scope = \"prompt\"`" |options, formats| {
        has_any(formats, &[Format::Unpaired, Format::Sft])
            || options.regenerate != RegenerateRule::Off
            || options.pair_scope == PairScope::Prompt
    };
    edit_min_distance: PAIRS_AND_SFT;
    edit_max_distance: PAIRS_AND_SFT;
    regenerate: PAIRS;
    sft_min_signal: SFT;
    implicit_positive: UNPAIRED;
    ties: PAIRS;
    pairing: PAIRS;
    max_pairs_per_prompt: PAIRS;
    margin: REWARD;
    policy: PAIRS;
    target_model: ANSWERS;
    kto_balance: UNPAIRED;
    dedup: ALL;
    near_threshold: ALL;
    decontaminate: ALL;
    holdout: ALL;
    comments: ANSWERS;
    pii: ALL;
    pii_url: ALL, needs "`pii = \"regex\"`" |options, _| options.pii == Pii::Regex;
    pii_language: ALL, needs "`pii_url`" |options, _| !options.pii_url.is_empty();
    safety: ANSWERS;
    safety_label: ANSWERS, needs "`safety = \"drop_flagged_chosen\"`" |options, _| options.safety != Safety::Off;
    safety_url: ANSWERS, needs "`safety = \"drop_flagged_chosen\"`" |options, _| options.safety != Safety::Off;
    exclude_refusal_rejected: PAIRS_AND_LABELS;
    consent: ALL;
    finish_reason: ANSWERS;
    tool_calls: ALL;
    system_prompt: ALL;
    system_prompt_text: ALL, needs "`system_prompt = \"replace\"`"
        |options, _| options.system_prompt == SystemPrompt::Replace;
    max_chars: ALL;
    length: PAIRS;
    max_length_ratio: PAIRS, needs "`length = \"max_ratio\"`" |options, _| options.length == LengthRule::MaxRatio;
    position: PAIRS;
    drop_unrandomised: PAIRS;
    selection_bias: ALL;
    recency_half_life_days: ALL;
    weights: ALL, needs "rows that weigh differently: pairs, `selection_bias = \"ipw\"` or `recency_half_life_days`"
        |options, formats| {
            has_any(formats, PAIRS)
                || options.selection_bias == SelectionBias::Ipw
                || options.recency_half_life_days > 0.0
        };
    validation_share: ALL;
    test_share: ALL;
    split_salt: ALL;
}

fn has_any(formats: &Formats, some: &[Format]) -> bool {
    some.iter().any(|format| formats.has(*format))
}

/// Reliable voters are asked whatever their number, but what proves a kept answer good is counted all the same.
fn counts_votes(options: &Options, formats: &Formats) -> bool {
    options.aggregate != Aggregate::DawidSkene || (has_any(formats, PAIRS) && options.regenerate != RegenerateRule::Off)
}

/// Lists the options that are set to something else than their default and have no effect: the place in the recipe, and
/// why. What is written out with its default is in nobody's way.
pub(super) fn in_vain(formats: &Formats, options: &Options) -> Vec<(&'static str, String)> {
    let default = Options::default();
    let given = EFFECTS.iter().filter(|effect| !(effect.is_default)(options, &default));
    let found = given.filter_map(|effect| {
        if !effect.is_in(formats) {
            let (looking, words) = (effect.of_formats(), formats.words());
            return Some((effect.place, format!("has no effect on {words}, but on {looking}: leave it out")));
        }
        let needs = effect.needs;
        (!(effect.is_met)(options, formats)).then(|| (effect.place, format!("has no effect without {needs}")))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::domain::fields::FieldCode;
    use crate::domain::json::Json;
    use crate::domain::recipe::Recipe;

    /// Another value than the default for every option, and the options that it does not stand without.
    fn others() -> Vec<(&'static str, Value, Value)> {
        let alone = json!({});
        vec![
            ("min_votes", json!(2), alone.clone()),
            ("min_agreement", json!(0.9), alone.clone()),
            ("aggregate", json!("dawid_skene"), alone.clone()),
            ("label_noise", json!("off"), alone.clone()),
            ("max_rows_per_user", json!(0), alone.clone()),
            ("max_user_share", json!(1.0), alone.clone()),
            ("pair_scope", json!("prompt"), alone.clone()),
            ("rating_min_points", json!(2.0), alone.clone()),
            ("rating_min_difference", json!(0.5), alone.clone()),
            ("rating_good", json!(0.9), alone.clone()),
            ("edit_min_distance", json!(0.1), alone.clone()),
            ("edit_max_distance", json!(0.9), alone.clone()),
            ("regenerate", json!("off"), alone.clone()),
            ("sft_min_signal", json!("implicit"), alone.clone()),
            ("implicit_positive", json!("on"), alone.clone()),
            ("ties", json!("side_file"), alone.clone()),
            ("pairing", json!("all"), alone.clone()),
            ("max_pairs_per_prompt", json!(9), alone.clone()),
            ("margin", json!("strength"), alone.clone()),
            ("policy", json!("same_model"), alone.clone()),
            ("target_model", json!("m"), alone.clone()),
            ("kto_balance", json!("downsample"), alone.clone()),
            ("dedup", json!("off"), alone.clone()),
            ("near_threshold", json!(0.9), alone.clone()),
            ("decontaminate", json!(["a.jsonl"]), alone.clone()),
            ("holdout", json!("off"), alone.clone()),
            ("comments", json!("leave_out"), alone.clone()),
            ("pii", json!("off"), alone.clone()),
            ("pii_url", json!("http://h"), alone.clone()),
            ("pii_language", json!("de"), json!({"pii_url": "http://h"})),
            ("safety", json!("off"), alone.clone()),
            ("safety_label", json!("unsafe"), alone.clone()),
            ("safety_url", json!("http://h"), alone.clone()),
            ("exclude_refusal_rejected", json!(false), alone.clone()),
            ("consent", json!("ignore"), alone.clone()),
            ("finish_reason", json!("any"), alone.clone()),
            ("tool_calls", json!("flatten"), alone.clone()),
            ("system_prompt", json!("drop"), alone.clone()),
            ("system_prompt_text", json!("t"), json!({"system_prompt": "replace"})),
            ("max_chars", json!(9), alone.clone()),
            ("length", json!("match"), alone.clone()),
            ("max_length_ratio", json!(2.0), json!({"length": "max_ratio"})),
            ("position", json!("reweight"), alone.clone()),
            ("drop_unrandomised", json!(true), alone.clone()),
            ("selection_bias", json!("ipw"), alone.clone()),
            ("recency_half_life_days", json!(9.0), alone.clone()),
            ("weights", json!("resample"), json!({"selection_bias": "ipw"})),
            ("validation_share", json!(0.1), alone.clone()),
            ("test_share", json!(0.1), alone.clone()),
            ("split_salt", json!("s"), alone),
        ]
    }

    /// Reads a recipe of some formats and options; returns what is said of one of the options.
    fn said(formats: &[&str], options: &Map<String, Value>, option: &str) -> Vec<(FieldCode, String)> {
        let recipe = json!({"formats": formats, "options": options}).to_string();
        let errors = Recipe::from_json(Json::parse(recipe.as_bytes()).unwrap(), "").err().unwrap_or_default();
        let pointer = format!("/options/{option}");
        errors.into_iter().filter(|error| error.pointer == pointer).map(|error| (error.code, error.detail)).collect()
    }

    fn with(option: &str, value: Value, beside: &Value) -> Map<String, Value> {
        let mut options = beside.as_object().unwrap().clone();
        options.insert(option.to_owned(), value);
        options
    }

    #[test]
    fn an_option_is_refused_under_each_format_that_it_has_no_effect_on_and_under_no_other() {
        let others = others();
        let named: Vec<&str> = others.iter().map(|(option, _, _)| *option).collect();
        assert_eq!(named, EFFECTS.iter().map(|effect| effect.option).collect::<Vec<_>>());
        for (effect, (option, value, beside)) in EFFECTS.iter().zip(others) {
            for (word, format) in Format::WORDS {
                let found = said(&[word], &with(option, value.clone(), &beside), option);

                let codes: Vec<FieldCode> = found.iter().map(|(code, _)| *code).collect();
                let is_effective = effect.formats.contains(format);
                let expected = if is_effective { Vec::new() } else { vec![FieldCode::Contradiction] };
                assert_eq!(codes, expected, "{option} under {word}: {found:?}");
            }
            let every: Vec<&str> = Format::WORDS.iter().map(|(word, _)| *word).collect();
            assert_eq!(said(&every, &with(option, value, &beside), option), [], "{option} beside every format");
        }
    }

    #[test]
    fn an_option_is_refused_without_what_it_needs() {
        for (format, option, value, beside) in [
            ("sft", "min_votes", json!(2), json!({"aggregate": "dawid_skene"})),
            ("dpo", "min_votes", json!(2), json!({"aggregate": "dawid_skene", "regenerate": "off"})),
            ("kto", "aggregate", json!("bt"), json!({})),
            ("dpo", "rating_good", json!(0.9), json!({"regenerate": "off"})),
            ("dpo", "pii_url", json!("http://h"), json!({"pii": "off"})),
            ("dpo", "pii_language", json!("de"), json!({})),
            ("dpo", "safety_label", json!("l"), json!({"safety": "off"})),
            ("dpo", "safety_url", json!("http://h"), json!({"safety": "off"})),
            ("dpo", "system_prompt_text", json!("t"), json!({})),
            ("dpo", "system_prompt_text", json!(" "), json!({"system_prompt": "drop"})),
            ("dpo", "max_length_ratio", json!(2.0), json!({"length": "match"})),
            ("kto", "weights", json!("resample"), json!({})),
        ] {
            let found = said(&[format], &with(option, value, &beside), option);

            assert_eq!(found.len(), 1, "{option}: {found:?}");
            assert_eq!(found[0].0, FieldCode::Contradiction, "{option}");
            assert!(found[0].1.starts_with("has no effect without "), "{option}: {found:?}");
        }
        for (format, option, value, beside) in [
            ("dpo", "min_votes", json!(2), json!({"aggregate": "dawid_skene"})),
            ("dpo", "weights", json!("resample"), json!({})),
            ("prompts", "weights", json!("resample"), json!({"recency_half_life_days": 9.0})),
            ("dpo", "rating_good", json!(0.9), json!({"regenerate": "off", "pair_scope": "prompt"})),
        ] {
            assert_eq!(said(&[format], &with(option, value, &beside), option), [], "{option}");
        }
    }

    #[test]
    fn defaults_that_are_written_out_are_in_nobodys_way() {
        let defaults = serde_json::to_value(Options::default()).unwrap();
        for (word, _) in Format::WORDS {
            let recipe = json!({"format": word, "options": defaults}).to_string();

            assert!(Recipe::from_json(Json::parse(recipe.as_bytes()).unwrap(), "").is_ok(), "{word}");
        }
    }

    #[test]
    fn a_refusal_says_where_the_option_would_have_an_effect() {
        let found = said(&["sft", "prompts"], &with("policy", json!("same_model"), &json!({})), "policy");

        assert_eq!(found[0].1, "has no effect on sft, prompts, but on `preference`, `reward`: leave it out");
    }
}
