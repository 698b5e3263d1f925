//! The card: the README.md of an export. `datasets` reads its head and needs nothing else besides the parts; people
//! read the rest. It holds neither a time nor the export's id, so that the same data give the same bytes (DS-2).

use std::fmt::Write as _;

use super::export_manifest::{ManifestFunnel, Part, commands, folder, top_exclusions};
use crate::columnar::columns::{Config, Kind};
use crate::dataset::example::{Exclusions, Split};
use crate::dataset::exclusion;
use crate::domain::recipe::{Format, Recipe};
use crate::domain::trust::TrustRule;

/// What a card tells.
#[derive(Debug)]
pub struct CardFacts<'a> {
    /// The recipe with every option.
    pub recipe: &'a Recipe,
    /// Whose feedback was counted, and why.
    pub trust: TrustRule,
    /// How many of what went in.
    pub funnel: ManifestFunnel,
    /// Candidates that became no row.
    pub exclusions: &'a Exclusions,
    /// Feedback that was not counted.
    pub feedback_left_out: &'a Exclusions,
    /// The parts.
    pub parts: &'a [Part],
    /// What whoever trains on it should know.
    pub warnings: &'a [String],
}

impl CardFacts<'_> {
    fn format(&self) -> Format {
        self.recipe.format
    }

    /// Sums a number over the parts of a config's split; `None` where it has no parts, and is not to be declared.
    fn sum(&self, config: Config, split: Split, number: impl Fn(&Part) -> u64) -> Option<u64> {
        let mut found = self.parts.iter().filter(|part| part.config == config && part.split == split).peekable();
        found.peek()?;
        Some(found.map(number).sum())
    }

    fn splits(&self, config: Config) -> impl Iterator<Item = Split> + '_ {
        Split::ALL.into_iter().filter(move |split| self.sum(config, *split, |_| 0).is_some())
    }
}

/// Returns the sentence that explains why candidates or feedback were left out.
pub fn sentence(reason: &str) -> &'static str {
    let mut known = exclusion::REASONS.iter().chain(exclusion::FEEDBACK_REASONS);
    known.find(|(word, _)| *word == reason).map_or("", |(_, sentence)| sentence)
}

/// Writes the card.
pub fn to_card(facts: &CardFacts<'_>) -> String {
    let mut card = String::new();
    // Writing into a string cannot fail.
    let _written = write_head(&mut card, facts).and_then(|()| write_body(&mut card, facts));
    card
}

fn write_head(card: &mut String, facts: &CardFacts<'_>) -> std::fmt::Result {
    let (title, tags) = match facts.format() {
        Format::Preference => ("Preference pairs from user feedback", "- preference\n- dpo\n"),
        Format::Sft => ("Endorsed answers from user feedback", "- sft\n"),
    };
    writeln!(card, "---\npretty_name: {title}\nlicense: other")?;
    write!(card, "task_categories:\n- text-generation\ntags:\n- afterword\n{tags}")?;
    writeln!(card, "size_categories:\n- {}", size_category(facts.funnel.n_examples))?;
    writeln!(card, "dataset_info:")?;
    for config in Config::of(facts.format()) {
        write_config_info(card, facts, *config)?;
    }
    writeln!(card, "configs:")?;
    for (place, config) in Config::of(facts.format()).iter().enumerate() {
        writeln!(card, "- config_name: {}", config.as_str())?;
        if place == 0 {
            writeln!(card, "  default: true")?;
        }
        writeln!(card, "  data_files:")?;
        for split in facts.splits(*config) {
            let (split, folder) = (split.as_str(), folder(*config, facts.format()));
            writeln!(card, "  - split: {split}\n    path: {folder}/{split}-*.parquet")?;
        }
    }
    writeln!(card, "---\n\n# {title}\n")
}

/// Writes the exact counts of every split, so that `load_dataset` refuses a folder in which a part is missing.
fn write_config_info(card: &mut String, facts: &CardFacts<'_>, config: Config) -> std::fmt::Result {
    writeln!(card, "- config_name: {}\n  features:", config.as_str())?;
    for column in config.columns() {
        writeln!(card, "  - name: {}", column.name)?;
        if column.kind == Kind::Messages {
            writeln!(card, "    list:")?;
            writeln!(card, "    - name: role\n      dtype: string\n    - name: content\n      dtype: string")?;
        } else {
            writeln!(card, "    dtype: {}", column.kind.as_str())?;
        }
    }
    writeln!(card, "  splits:")?;
    let (mut download_bytes, mut dataset_bytes) = (0, 0);
    for split in facts.splits(config) {
        let n_bytes = facts.sum(config, split, |part| part.uncompressed_bytes).unwrap_or_default();
        let n_examples = facts.sum(config, split, |part| part.file.rows).unwrap_or_default();
        download_bytes += facts.sum(config, split, |part| part.file.bytes).unwrap_or_default();
        dataset_bytes += n_bytes;
        writeln!(card, "  - name: {}\n    num_bytes: {n_bytes}\n    num_examples: {n_examples}", split.as_str())?;
    }
    writeln!(card, "  download_size: {download_bytes}\n  dataset_size: {dataset_bytes}")
}

fn size_category(n_examples: u64) -> &'static str {
    match n_examples {
        0..1_000 => "n<1K",
        1_000..10_000 => "1K<n<10K",
        10_000..100_000 => "10K<n<100K",
        100_000..1_000_000 => "100K<n<1M",
        1_000_000..10_000_000 => "1M<n<10M",
        _ => "10M<n<100M",
    }
}

fn write_body(card: &mut String, facts: &CardFacts<'_>) -> std::fmt::Result {
    writeln!(
        card,
        "Written by Afterword from what users did after a language model had answered. `manifest.json` lists"
    )?;
    writeln!(card, "every file with its SHA-256, `stats.json` has the numbers behind the rows.\n")?;
    write_what(card, facts.format())?;
    writeln!(card, "{}\n", facts.trust.sentence())?;
    write_splits(card, facts)?;
    write_loading(card, facts)?;
    write_funnel(card, facts)?;
    if !facts.warnings.is_empty() {
        writeln!(card, "## Before you train on it\n")?;
        for warning in facts.warnings {
            writeln!(card, "- {warning}")?;
        }
        writeln!(card)?;
    }
    writeln!(card, "## Recipe\n\nEvery option as it was used; `afterword export --recipe FILE.toml` takes it back.\n")?;
    let recipe = toml::to_string(facts.recipe).unwrap_or_default();
    writeln!(card, "```toml\n{}\n```", recipe.trim_end())
}

fn write_what(card: &mut String, format: Format) -> std::fmt::Result {
    match format {
        Format::Preference => {
            writeln!(
                card,
                "Each row is a prompt with a better answer (`chosen`) and a worse one (`rejected`), as lists"
            )?;
            writeln!(
                card,
                "of messages. The columns beside them say which signal, votes and models are behind it, and"
            )?;
            writeln!(card, "`metadata` names the rule, the completions and the feedback.\n")
        }
        Format::Sft => {
            writeln!(card, "Each row is a prompt with an answer that somebody endorsed, in two shapes with the same")?;
            writeln!(
                card,
                "examples: `sft_completion` (`prompt`, `completion`), on which TRL learns the answer only, and"
            )?;
            writeln!(
                card,
                "`sft` (`messages`) for the other trainers. `metadata` names the rule, the completion and the"
            )?;
            writeln!(card, "feedback.\n")
        }
    }
}

fn write_splits(card: &mut String, facts: &CardFacts<'_>) -> std::fmt::Result {
    writeln!(card, "## Splits\n\nNo prompt, conversation or user is on both sides of a split.\n")?;
    writeln!(card, "| config | split | rows | files | bytes |\n| --- | --- | ---: | ---: | ---: |")?;
    for config in Config::of(facts.format()) {
        for split in facts.splits(*config) {
            let sum = |number: fn(&Part) -> u64| facts.sum(*config, split, number).unwrap_or_default();
            let (rows, files, bytes) = (sum(|part| part.file.rows), sum(|_| 1), sum(|part| part.file.bytes));
            writeln!(card, "| `{}` | {} | {rows} | {files} | {bytes} |", config.as_str(), split.as_str())?;
        }
    }
    writeln!(card)
}

fn write_loading(card: &mut String, facts: &CardFacts<'_>) -> std::fmt::Result {
    let config = Config::of(facts.format())[0];
    let split = facts.splits(config).next().unwrap_or(Split::Train).as_str();
    let (name, folder) = (config.as_str(), folder(config, facts.format()));
    writeln!(card, "## Loading\n\nInside this folder:\n\n```python")?;
    writeln!(card, "import datasets, pandas, polars, duckdb")?;
    writeln!(card, "datasets.load_dataset(\".\", \"{name}\")")?;
    writeln!(card, "pandas.read_parquet(\"{folder}\")  # every split")?;
    writeln!(card, "polars.read_parquet(\"{folder}/{split}-*.parquet\")")?;
    writeln!(card, "duckdb.sql(\"select signal, count(*) from '{folder}/{split}-*.parquet' group by all\")")?;
    writeln!(card, "```\n\n```sh")?;
    for command in commands(facts.format(), ".") {
        writeln!(card, "{command}")?;
    }
    writeln!(card, "```\n")
}

fn write_funnel(card: &mut String, facts: &CardFacts<'_>) -> std::fmt::Result {
    let funnel = facts.funnel;
    writeln!(card, "## From completions to rows\n\n| step | number |\n| --- | ---: |")?;
    for (step, n) in [
        ("prompts with an answer that has feedback", funnel.n_prompts),
        ("their answers", funnel.n_completions),
        ("feedback on these", funnel.n_feedback),
        ("candidates", funnel.n_candidates),
        ("left out", facts.exclusions.total()),
        ("**rows**", funnel.n_examples),
    ] {
        writeln!(card, "| {step} | {n} |")?;
    }
    writeln!(card)?;
    write_reasons(card, "Left out, by reason", "candidates", facts.exclusions)?;
    write_reasons(card, "Feedback that was not counted, by reason", "items", facts.feedback_left_out)
}

fn write_reasons(card: &mut String, title: &str, what: &str, exclusions: &Exclusions) -> std::fmt::Result {
    if exclusions.total() == 0 {
        return Ok(());
    }
    writeln!(card, "{title}:\n\n| reason | {what} | why |\n| --- | ---: | --- |")?;
    for (reason, n) in top_exclusions(exclusions) {
        writeln!(card, "| `{reason}` | {n} | {} |", sentence(reason))?;
    }
    writeln!(card)
}
