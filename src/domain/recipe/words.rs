//! The choices of a recipe and their words.

use serde::Serialize;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
        /// Pairs of a better and a worse answer, for DPO.
        Preference = "preference",
        /// Single answers labelled good or bad, for KTO.
        Unpaired = "unpaired",
        /// Endorsed answers for supervised fine-tuning.
        Sft = "sft",
        /// The same pairs, for reward models.
        Reward = "reward",
        /// Prompts alone, for training with a reward function.
        Prompts = "prompts",
    }
);
impl Format {
    /// Every format with the words that a recipe may name it by.
    pub const INPUT_WORDS: &'static [(&'static str, Self)] = &[
        ("preference", Self::Preference),
        ("dpo", Self::Preference),
        ("unpaired", Self::Unpaired),
        ("kto", Self::Unpaired),
        ("sft", Self::Sft),
        ("reward", Self::Reward),
        ("prompts", Self::Prompts),
        ("grpo", Self::Prompts),
    ];
}

words!(
    /// Names and shapes of the columns, or of the lines: which trainers load the rows unchanged.
    Layout {
        /// TRL, Axolotl, OpenRLHF, Unsloth: the prompt in a column of its own.
        Trl = "trl",
        /// The whole conversation in each answer: torchtune, Axolotl's `argilla_chat` and `ultra`.
        Implicit = "implicit",
        /// LLaMA-Factory.
        Llamafactory = "llamafactory",
        /// NeMo-RL.
        NemoRl = "nemo_rl",
        /// verl.
        Verl = "verl",
        /// JSON lines for the fine-tuning services of OpenAI, Azure, Together and Fireworks.
        OpenaiJsonl = "openai_jsonl",
        /// JSON lines for MLX.
        MlxJsonl = "mlx_jsonl",
    }
);

impl Layout {
    /// Returns the formats that the layout has a form of.
    pub fn formats(self) -> &'static [Format] {
        match self {
            Self::Trl => &[Format::Preference, Format::Unpaired, Format::Sft, Format::Reward, Format::Prompts],
            Self::Implicit => &[Format::Preference, Format::Sft, Format::Reward],
            Self::Llamafactory => &[Format::Preference, Format::Unpaired, Format::Sft, Format::Reward],
            Self::NemoRl => &[Format::Preference, Format::Reward],
            Self::Verl => &[Format::Sft, Format::Prompts],
            Self::OpenaiJsonl => &[Format::Preference, Format::Sft],
            Self::MlxJsonl => &[Format::Sft],
        }
    }

    /// Tells whether rows are lines of JSON rather than Parquet.
    pub fn is_lines(self) -> bool {
        matches!(self, Self::OpenaiJsonl | Self::MlxJsonl)
    }
}

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
        /// Nearly equal, prompt by prompt and answer by answer, as well.
        Near = "near",
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
    /// Whether reward rows have the column `margin`, which trainers subtract in the loss wherever they find it.
    Margin {
        /// They have none.
        None = "none",
        /// The strength of the preference.
        Strength = "strength",
    }
);
words!(
    /// What becomes of comparisons without a winner.
    Ties {
        /// They are left out.
        Drop = "drop",
        /// They are written beside the rows, for losses that know ties.
        SideFile = "side_file",
    }
);
words!(
    /// Which of a prompt's pairs are rows.
    Pairing {
        /// Those whose better answer has won most, against the worst ones first.
        BestVsWorst = "best_vs_worst",
        /// All.
        All = "all",
    }
);
words!(
    /// Whether a copy or an accept calls an answer good where nothing else is said of it.
    ImplicitPositive {
        /// It does not.
        Off = "off",
        /// It does.
        On = "on",
    }
);
words!(
    /// What happens where good and bad answers are out of balance.
    KtoBalance {
        /// The weights that KTO needs are told.
        Report = "report",
        /// Rows of the larger class are left out.
        Downsample = "downsample",
    }
);
words!(
    /// Which answers enter by how they ended.
    FinishReason {
        /// Those that ended by themselves; where tool calls enter, those that ended with one as well.
        Stop = "stop",
        /// All.
        Any = "any",
    }
);
words!(
    /// What becomes of conversations with tools.
    ToolCalls {
        /// They are left out.
        Exclude = "exclude",
        /// They go into configs of their own, each message as JSON.
        Json = "json",
        /// Calls and results are written into the text.
        Flatten = "flatten",
    }
);
words!(
    /// What happens to system messages.
    SystemPrompt {
        /// They stay in the prompt.
        Keep = "keep",
        /// They are left out.
        Drop = "drop",
        /// One of the recipe's own stands in their place.
        Replace = "replace",
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
words!(
    /// How several votes are made one verdict.
    Aggregate {
        /// The most frequent choice, if its share is large enough.
        Majority = "majority",
        /// Answers ranked by all votes between more than two of them (Bradley-Terry).
        Bt = "bt",
        /// Votes weighed by how reliable their users are (Dawid-Skene).
        DawidSkene = "dawid_skene",
    }
);
words!(
    /// Whether the share of wrong votes is told from how often users disagree.
    LabelNoise {
        /// It is, and recommended trainer flags follow from it.
        Estimate = "estimate",
        /// It is not.
        Off = "off",
    }
);
words!(
    /// What happens where better answers are longer.
    LengthRule {
        /// It is reported.
        Report = "report",
        /// Pairs of very different lengths are left out.
        MaxRatio = "max_ratio",
        /// Rows are left out until better and worse answers are equally long on average.
        Match = "match",
    }
);
words!(
    /// What happens where the answer that is seen first wins.
    PositionRule {
        /// It is reported.
        Report = "report",
        /// Rows are weighted so that either place wins equally often.
        Reweight = "reweight",
    }
);
words!(
    /// What happens where some answers get feedback more often than others.
    SelectionBias {
        /// It is reported.
        Report = "report",
        /// Rows are weighted by one over the rate of answers like theirs.
        Ipw = "ipw",
    }
);
words!(
    /// Where the weights of the rows go.
    Weights {
        /// Into the column `sample_weight`.
        Column = "column",
        /// Into the rows: those of small weight are left out.
        Resample = "resample",
    }
);
words!(
    /// Whether prompts that experiments hold out stay out of the train split.
    Holdout {
        /// They, and what is nearly the same, are left out of it.
        On = "on",
        /// They are prompts like others.
        Off = "off",
    }
);
words!(
    /// Whether what users wrote about an answer leaves with its rows.
    Comments {
        /// It has columns of its own.
        Columns = "columns",
        /// It stays.
        LeaveOut = "leave_out",
    }
);
words!(
    /// Whether personal data and secrets are replaced.
    Pii {
        /// What has a form is replaced, and what the hook finds.
        Regex = "regex",
        /// Texts leave as they are.
        Off = "off",
    }
);
words!(
    /// What becomes of answers that a label or a hook calls unsafe.
    Safety {
        /// Rows that would teach one are left out.
        DropFlaggedChosen = "drop_flagged_chosen",
        /// Nobody is asked.
        Off = "off",
    }
);
