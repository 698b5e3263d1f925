//! Which configs an export has, and which columns each of them has in a layout.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};

use super::columns::{self, Column, Kind};
use crate::dataset::example::{Example, RowKind};
use crate::domain::hash::ContentHash;
use crate::domain::recipe::{Comments, Format, Layout, Margin, Recipe, ToolCalls};

/// A config of a data set: what users type as the second argument of `load_dataset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Config {
    /// Prompt, chosen, rejected.
    Dpo,
    /// Prompt, completion, label.
    Kto,
    /// Whole conversations that end with the endorsed answer.
    Sft,
    /// Prompt and endorsed answer: TRL then learns the answer only.
    SftCompletion,
    /// Prompt, chosen, rejected, and a margin on request.
    Reward,
    /// Prompts.
    Prompts,
    /// Prompt and two answers that nobody preferred.
    Ties,
}

impl Config {
    /// Returns the configs that a format produces; the first is the format's default.
    pub fn of(format: Format) -> &'static [Self] {
        match format {
            Format::Preference => &[Self::Dpo],
            Format::Unpaired => &[Self::Kto],
            // TRL trains on user turns too when it is given `messages` without further flags; the other shape cannot
            // go wrong, so it is what `load_dataset(folder)` returns.
            Format::Sft => &[Self::SftCompletion, Self::Sft],
            Format::Reward => &[Self::Reward],
            Format::Prompts => &[Self::Prompts],
        }
    }

    /// Returns the config's name, and that of its conversations with tools.
    fn names(self) -> [&'static str; 2] {
        match self {
            Self::Dpo => ["dpo", "dpo_tools"],
            Self::Kto => ["kto", "kto_tools"],
            Self::Sft => ["sft", "sft_tools"],
            Self::SftCompletion => ["sft_completion", "sft_completion_tools"],
            Self::Reward => ["reward", "reward_tools"],
            Self::Prompts => ["prompts", "prompts_tools"],
            Self::Ties => ["ties", "ties_tools"],
        }
    }

    /// Returns the kind of its rows.
    pub fn kind(self) -> RowKind {
        match self {
            Self::Dpo | Self::Reward => RowKind::Pair,
            Self::Kto => RowKind::Labelled,
            Self::Sft | Self::SftCompletion => RowKind::Endorsed,
            Self::Prompts => RowKind::Prompt,
            Self::Ties => RowKind::Tie,
        }
    }
}

/// The shape of a config's rows in one export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shape {
    /// The config.
    pub config: Config,
    /// How the columns are named and shaped.
    pub layout: Layout,
    /// Whether it holds conversations with tools, each message as JSON; the others are in a config beside it.
    pub has_tools: bool,
    /// Whether a reward config tells trainers by how much the better answer is better: they subtract it in the loss.
    pub has_margin: bool,
    /// Whether what users wrote about the answers has columns.
    pub has_comments: bool,
}

impl Shape {
    /// Returns the shapes that a recipe asks for, format by format; the first is the folder's default.
    pub fn of(recipe: &Recipe) -> Vec<Self> {
        let has_ties = RowKind::asked_for(recipe).contains(&RowKind::Tie);
        let configs = recipe.formats.iter().flat_map(Config::of).copied().chain(has_ties.then_some(Config::Ties));
        // The shape that learns the answer only is TRL's own.
        let configs = configs.filter(|config| *config != Config::SftCompletion || recipe.layout == Layout::Trl);
        let kinds: &[bool] = if recipe.options.tool_calls == ToolCalls::Json { &[false, true] } else { &[false] };
        let shapes = configs
            .flat_map(|config| kinds.iter().map(move |has_tools| Self::plain(config, recipe).with_tools(*has_tools)));
        shapes.collect()
    }

    /// Returns the shape that a recipe gives to a config's conversations without tools.
    pub fn plain(config: Config, recipe: &Recipe) -> Self {
        let has_margin = config == Config::Reward && recipe.options.margin == Margin::Strength;
        let has_comments = recipe.options.comments == Comments::Columns;
        Self { config, layout: recipe.layout, has_tools: false, has_margin, has_comments }
    }

    /// Returns the same shape for conversations with or without tools.
    #[must_use]
    pub fn with_tools(self, has_tools: bool) -> Self {
        Self { has_tools, ..self }
    }

    /// Returns the name of the config that users type.
    pub fn name(self) -> &'static str {
        self.config.names()[usize::from(self.has_tools)]
    }

    /// Tells whether an example is a row of this shape.
    pub fn takes(self, example: &Example) -> bool {
        example.body.kind() == self.config.kind() && example.tools.is_some() == self.has_tools
    }

    /// Returns the columns in their order.
    pub fn columns(self) -> Vec<Column> {
        let mut core = self.core();
        if self.has_tools {
            for column in core.iter_mut().filter(|column| column.kind == Kind::Messages) {
                column.kind = Kind::JsonMessages;
            }
            core.push(columns::TOOLS);
        }
        core.extend(self.provenance());
        core
    }

    /// Returns the columns that trainers read, as their layout names and shapes them.
    fn core(self) -> Vec<Column> {
        use columns::{
            ABILITY, CHOSEN, CHOSEN_MESSAGE, CHOSEN_WHOLE, COMPLETION, CONTEXT, CONVERSATION, DATA_SOURCE, EXTRA,
            FIRST, LABEL, MARGIN, MESSAGES, PROMPT, RANKED, REJECTED, REJECTED_MESSAGE, REJECTED_WHOLE, REWARD_MODEL,
            SECOND, VERDICT,
        };
        let mut core = match (self.config, self.layout) {
            (Config::Dpo | Config::Reward, Layout::Implicit) => vec![CHOSEN_WHOLE, REJECTED_WHOLE],
            (Config::Dpo | Config::Reward, Layout::Llamafactory) => {
                vec![CONVERSATION, CHOSEN_MESSAGE, REJECTED_MESSAGE]
            }
            (Config::Dpo | Config::Reward, Layout::NemoRl) => vec![CONTEXT, RANKED],
            (Config::Dpo | Config::Reward, _) => vec![PROMPT, CHOSEN, REJECTED],
            (Config::Kto, Layout::Llamafactory) => vec![MESSAGES, LABEL],
            (Config::Kto, _) => vec![PROMPT, COMPLETION, LABEL],
            (Config::Sft, _) => vec![MESSAGES],
            (Config::SftCompletion, _) => vec![PROMPT, COMPLETION],
            (Config::Prompts, Layout::Verl) => vec![DATA_SOURCE, PROMPT, ABILITY, REWARD_MODEL, EXTRA],
            (Config::Prompts, _) => vec![PROMPT],
            (Config::Ties, _) => vec![PROMPT, FIRST, SECOND, VERDICT],
        };
        if self.has_margin {
            core.push(MARGIN);
        }
        core
    }

    /// Returns the columns that prove a row and tell what it is like; they are the same in every layout.
    pub(super) fn provenance(self) -> Vec<Column> {
        let (own, written) = match self.config.kind() {
            RowKind::Pair => (columns::PAIR_PROVENANCE, columns::PAIR_FEEDBACK),
            RowKind::Labelled => (columns::LABELLED_PROVENANCE, columns::ANSWER_FEEDBACK),
            RowKind::Endorsed => (columns::ENDORSED_PROVENANCE, columns::ANSWER_FEEDBACK),
            RowKind::Prompt => (columns::PROMPT_PROVENANCE, &[][..]),
            RowKind::Tie => (columns::TIE_PROVENANCE, columns::TIE_FEEDBACK),
        };
        let written = if self.has_comments { written } else { &[] };
        [columns::NAMES, own, written, columns::ENDS].concat()
    }

    /// Returns the Arrow schema.
    pub fn schema(self) -> SchemaRef {
        let fields: Vec<Field> =
            self.columns().iter().map(|column| Field::new(column.name, column.kind.to_arrow(), false)).collect();
        Arc::new(Schema::new(fields))
    }

    /// Hashes the names and types of the columns: two exports with one fingerprint can be read as one.
    pub fn fingerprint(self) -> ContentHash {
        let lines: Vec<String> =
            self.columns().iter().map(|column| format!("{}: {}\n", column.name, column.kind.as_str())).collect();
        ContentHash::of_bytes("schema", lines.concat().as_bytes())
    }
}
