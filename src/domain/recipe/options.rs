//! The options of a recipe: their defaults, their bounds, and how they are read.

use serde::Serialize;

use super::votes::read_votes;
use super::words::{
    Aggregate, Comments, Consent, Dedup, FinishReason, Holdout, ImplicitPositive, KtoBalance, LabelNoise, LengthRule,
    Margin, MinSignal, PairScope, Pairing, Pii, Policy, PositionRule, RegenerateRule, Safety, SelectionBias,
    SystemPrompt, Ties, ToolCalls, Weights,
};
use crate::domain::fields::{FieldCode, Fields, boolean, integer, number, one_of, short_text, text};
use crate::domain::ids::MAX_ID_BYTES;
use crate::domain::json::Json;

/// The longest system message that a recipe can bring, in bytes.
pub const MAX_SYSTEM_PROMPT_BYTES: usize = 16 << 10;

/// Files of benchmarks that a recipe can name.
pub const MAX_BENCHMARKS: usize = 64;
/// The longest path or URL that a recipe can hold, in bytes.
pub const MAX_PATH_BYTES: usize = 1024;
/// What validation and test must leave: below it, chance leaves many a data set without a row to train on.
pub const MIN_TRAIN_SHARE: f64 = 0.1;
/// The smallest share of the rows that one user may be held to; zero would be nobody.
pub const MIN_USER_SHARE: f64 = 0.0001;
/// Sums of shares that are written with two digits are off by less.
const ROUNDING: f64 = 1e-9;

/// The options of a recipe; `Options::default` is what `datasets.md` calls the defaults.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Options {
    /// Fewest votes that make a verdict.
    pub min_votes: i64,
    /// Smallest share of the votes that agree, 0.5 to 1.
    pub min_agreement: f64,
    /// How several votes are made one verdict.
    pub aggregate: Aggregate,
    /// Whether the share of wrong votes is estimated.
    pub label_noise: LabelNoise,
    /// Rows that one user may decide; 0 for any number.
    pub max_rows_per_user: i64,
    /// Share of the rows that one user may decide; 1 for any share.
    pub max_user_share: f64,
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
    /// What a copy or an accept says of an answer that nobody judged.
    pub implicit_positive: ImplicitPositive,
    /// What becomes of comparisons without a winner.
    pub ties: Ties,
    /// Which of a prompt's pairs are rows.
    pub pairing: Pairing,
    /// Most pairs of one prompt; each weighs one over their number.
    pub max_pairs_per_prompt: i64,
    /// Whether reward rows tell trainers by how much the better answer is better.
    pub margin: Margin,
    /// Which pairs of models may be compared.
    pub policy: Policy,
    /// The only model whose answers enter; empty for any.
    pub target_model: String,
    /// What happens where good and bad answers are out of balance.
    pub kto_balance: KtoBalance,
    /// Whether repeated examples are removed.
    pub dedup: Dedup,
    /// Share of their shingles from which on two texts are nearly the same, 0.8 to 1.
    pub near_threshold: f64,
    /// Files of benchmarks, none of whose texts a row may repeat.
    pub decontaminate: Vec<String>,
    /// Whether prompts that experiments hold out stay out of the train split.
    pub holdout: Holdout,
    /// Whether what users wrote about an answer leaves with its rows.
    pub comments: Comments,
    /// Whether personal data and secrets are replaced.
    pub pii: Pii,
    /// The service that finds more of them, such as names; empty for none.
    pub pii_url: String,
    /// The language that it is asked in.
    pub pii_language: String,
    /// What becomes of answers that a label or a hook calls unsafe.
    pub safety: Safety,
    /// The tag of completions that calls an answer unsafe; empty for none.
    pub safety_label: String,
    /// The service that calls an answer unsafe; empty for none.
    pub safety_url: String,
    /// Whether rows are left out that teach a model to refuse less.
    pub exclude_refusal_rejected: bool,
    /// Whether the user must have agreed to training.
    pub consent: Consent,
    /// Which answers enter by how they ended.
    pub finish_reason: FinishReason,
    /// What becomes of conversations with tools.
    pub tool_calls: ToolCalls,
    /// What happens to system messages.
    pub system_prompt: SystemPrompt,
    /// The system message that replaces the others.
    pub system_prompt_text: String,
    /// Longest example in characters; 0 for no limit.
    pub max_chars: i64,
    /// What happens where better answers are longer.
    pub length: LengthRule,
    /// How many times as long as the other an answer of a pair may be, for `length = "max_ratio"`.
    pub max_length_ratio: f64,
    /// What happens where the answer that is seen first wins.
    pub position: PositionRule,
    /// Whether choices leave whose order of presentation was not random, or is not known.
    pub drop_unrandomised: bool,
    /// What happens where some answers get feedback more often than others.
    pub selection_bias: SelectionBias,
    /// Days after which a row weighs half; 0 for never.
    pub recency_half_life_days: f64,
    /// Where the weights of the rows go.
    pub weights: Weights,
    /// Share of the groups that go to validation.
    pub validation_share: f64,
    /// Share of the groups that go to test.
    pub test_share: f64,
    /// Salt of the split: with one salt and one recipe a row never changes its split (DS-8).
    pub split_salt: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            min_votes: 1,
            min_agreement: 0.66,
            aggregate: Aggregate::Majority,
            label_noise: LabelNoise::Estimate,
            max_rows_per_user: 50,
            max_user_share: 0.01,
            pair_scope: PairScope::User,
            rating_min_points: 1.0,
            rating_min_difference: 0.25,
            rating_good: 0.75,
            edit_min_distance: 0.02,
            edit_max_distance: 0.6,
            regenerate: RegenerateRule::RequirePositive,
            sft_min_signal: MinSignal::Explicit,
            implicit_positive: ImplicitPositive::Off,
            ties: Ties::Drop,
            pairing: Pairing::BestVsWorst,
            max_pairs_per_prompt: 3,
            margin: Margin::None,
            policy: Policy::Any,
            target_model: String::new(),
            kto_balance: KtoBalance::Report,
            dedup: Dedup::Exact,
            near_threshold: 0.85,
            decontaminate: Vec::new(),
            holdout: Holdout::On,
            comments: Comments::Columns,
            pii: Pii::Regex,
            pii_url: String::new(),
            pii_language: "en".to_owned(),
            safety: Safety::DropFlaggedChosen,
            safety_label: String::new(),
            safety_url: String::new(),
            exclude_refusal_rejected: true,
            consent: Consent::Required,
            finish_reason: FinishReason::Stop,
            tool_calls: ToolCalls::Exclude,
            system_prompt: SystemPrompt::Keep,
            system_prompt_text: String::new(),
            max_chars: 0,
            length: LengthRule::Report,
            max_length_ratio: 4.0,
            position: PositionRule::Report,
            drop_unrandomised: false,
            selection_bias: SelectionBias::Report,
            recency_half_life_days: 0.0,
            weights: Weights::Column,
            validation_share: 0.05,
            test_share: 0.05,
            split_salt: "afterword".to_owned(),
        }
    }
}

/// Reads the options out of their object; absent ones take the values of `base`.
pub(super) fn read_options(fields: &mut Fields, base: Options) -> Options {
    let share = || number(0.0, 0.5);
    let base = read_votes(fields, base);
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
        implicit_positive: fields
            .optional("implicit_positive", one_of(ImplicitPositive::WORDS))
            .unwrap_or(base.implicit_positive),
        ties: fields.optional("ties", one_of(Ties::WORDS)).unwrap_or(base.ties),
        pairing: fields.optional("pairing", one_of(Pairing::WORDS)).unwrap_or(base.pairing),
        max_pairs_per_prompt: fields
            .optional("max_pairs_per_prompt", integer(1, 1000))
            .unwrap_or(base.max_pairs_per_prompt),
        margin: fields.optional("margin", one_of(Margin::WORDS)).unwrap_or(base.margin),
        policy: fields.optional("policy", one_of(Policy::WORDS)).unwrap_or(base.policy),
        target_model: fields.optional("target_model", text(MAX_ID_BYTES)).unwrap_or(base.target_model),
        kto_balance: fields.optional("kto_balance", one_of(KtoBalance::WORDS)).unwrap_or(base.kto_balance),
        dedup: fields.optional("dedup", one_of(Dedup::WORDS)).unwrap_or(base.dedup),
        near_threshold: fields.optional("near_threshold", number(0.8, 1.0)).unwrap_or(base.near_threshold),
        decontaminate: fields.items("decontaminate", MAX_BENCHMARKS, read_path).unwrap_or(base.decontaminate),
        holdout: fields.optional("holdout", one_of(Holdout::WORDS)).unwrap_or(base.holdout),
        comments: fields.optional("comments", one_of(Comments::WORDS)).unwrap_or(base.comments),
        pii: fields.optional("pii", one_of(Pii::WORDS)).unwrap_or(base.pii),
        pii_url: fields.optional("pii_url", read_url).unwrap_or(base.pii_url),
        pii_language: fields.optional("pii_language", short_text).unwrap_or(base.pii_language),
        safety: fields.optional("safety", one_of(Safety::WORDS)).unwrap_or(base.safety),
        safety_label: fields.optional("safety_label", text(MAX_ID_BYTES)).unwrap_or(base.safety_label),
        safety_url: fields.optional("safety_url", read_url).unwrap_or(base.safety_url),
        exclude_refusal_rejected: fields
            .optional("exclude_refusal_rejected", boolean)
            .unwrap_or(base.exclude_refusal_rejected),
        consent: fields.optional("consent", one_of(Consent::WORDS)).unwrap_or(base.consent),
        finish_reason: read_finish_reason(fields).unwrap_or(base.finish_reason),
        tool_calls: fields.optional("tool_calls", one_of(ToolCalls::WORDS)).unwrap_or(base.tool_calls),
        system_prompt: fields.optional("system_prompt", one_of(SystemPrompt::WORDS)).unwrap_or(base.system_prompt),
        system_prompt_text: fields
            .optional("system_prompt_text", text(MAX_SYSTEM_PROMPT_BYTES))
            .unwrap_or(base.system_prompt_text),
        max_chars: fields.optional("max_chars", integer(0, 100_000_000)).unwrap_or(base.max_chars),
        validation_share: fields.optional("validation_share", share()).unwrap_or(base.validation_share),
        test_share: fields.optional("test_share", share()).unwrap_or(base.test_share),
        split_salt: fields.optional("split_salt", short_text).unwrap_or(base.split_salt),
        ..base
    };
    if options.edit_min_distance >= options.edit_max_distance {
        fields.fail("edit_max_distance", FieldCode::OutOfRange, "must be greater than `edit_min_distance`");
    }
    if options.validation_share + options.test_share > 1.0 - MIN_TRAIN_SHARE + ROUNDING {
        let most = 1.0 - MIN_TRAIN_SHARE;
        let detail =
            format!("`validation_share` and `test_share` must be at most {most} together: the rest is to train on");
        fields.fail("validation_share", FieldCode::OutOfRange, detail);
    }
    // The other way round, a text that nothing puts in place has no effect.
    if options.system_prompt == SystemPrompt::Replace && options.system_prompt_text.trim().is_empty() {
        let detail = "must be the text that `system_prompt = \"replace\"` puts in place";
        fields.fail("system_prompt_text", FieldCode::Contradiction, detail);
    }
    options
}

/// Reads the path of a file; whether it may be read is for whoever opens it to say.
fn read_path(value: &Json) -> Result<String, (FieldCode, String)> {
    let path = text(MAX_PATH_BYTES)(value)?;
    if path.is_empty() { Err((FieldCode::Empty, "must name a file".to_owned())) } else { Ok(path) }
}

/// Reads the URL of a service, or nothing for none.
fn read_url(value: &Json) -> Result<String, (FieldCode, String)> {
    let url = text(MAX_PATH_BYTES)(value)?;
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'@';
    if url.is_empty() || rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_plain)) {
        Ok(url)
    } else {
        Err((
            FieldCode::Malformed,
            "must be a URL with `http` or `https`, without a name or a password in it".to_owned(),
        ))
    }
}

/// Reads `finish_reason`, or `require_stop`, which said the same in recipes of before.
fn read_finish_reason(fields: &mut Fields) -> Option<FinishReason> {
    let before = fields.optional("require_stop", boolean);
    let before = before.map(|stop| if stop { FinishReason::Stop } else { FinishReason::Any });
    let now = fields.optional("finish_reason", one_of(FinishReason::WORDS));
    if before.is_some() && now.is_some() && before != now {
        fields.fail("finish_reason", FieldCode::Contradiction, "must not differ from `require_stop`");
    }
    now.or(before)
}
