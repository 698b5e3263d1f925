//! The card: the README.md of an export. `datasets` reads its head and needs nothing else besides the parts; people
//! read the rest. It holds neither a time nor the export's id, so that the same data give the same bytes (DS-2).

use std::fmt::Write as _;

use super::export_card_biases::write_biases;
use super::export_card_rows::{proof, what};
use super::export_manifest::{FormatCounts, Manifest, Part, THIS_FOLDER, folder, parts_pattern, top_exclusions};
use crate::columnar::columns::Kind;
use crate::columnar::shape::{Config, Shape};
use crate::dataset::example::{RowKind, Split};
use crate::dataset::exclusion;
use crate::domain::recipe::{Format, Layout, Pii};

/// What a card tells.
#[derive(Debug)]
pub struct CardFacts<'a> {
    /// What the manifest says of the rows; a time or an id of it is not told.
    pub manifest: &'a Manifest,
    /// The parts.
    pub parts: &'a [Part],
}

impl CardFacts<'_> {
    /// Returns the shapes that have rows, the default first.
    fn shapes(&self) -> Vec<Shape> {
        let has_rows = |shape: &Shape| self.parts.iter().any(|part| part.shape == *shape);
        Shape::of(&self.manifest.recipe).into_iter().filter(has_rows).collect()
    }

    /// Returns the folder of a shape's parts.
    fn folder(&self, shape: Shape) -> &'static str {
        folder(shape, Shape::of(&self.manifest.recipe).len())
    }

    /// Returns the pattern of the paths of a split's parts.
    fn pattern(&self, shape: Shape, split: Split) -> String {
        parts_pattern(shape, Shape::of(&self.manifest.recipe).len(), split)
    }

    /// Sums a number over the parts of a shape's split; `None` where it has no parts, and is not to be declared.
    fn sum(&self, shape: Shape, split: Split, number: impl Fn(&Part) -> u64) -> Option<u64> {
        let mut found = self.parts.iter().filter(|part| part.shape == shape && part.split == split).peekable();
        found.peek()?;
        Some(found.map(number).sum())
    }

    fn splits(&self, shape: Shape) -> impl Iterator<Item = Split> + '_ {
        Split::ALL.into_iter().filter(move |split| self.sum(shape, *split, |_| 0).is_some())
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
    let formats = &facts.manifest.formats;
    let title = formats.only().map_or("Training data from user feedback", title);
    writeln!(card, "---\npretty_name: {title}\nlicense: other")?;
    write!(card, "task_categories:\n- text-generation\ntags:\n- afterword\n")?;
    for tag in formats.iter().flat_map(tags) {
        writeln!(card, "- {tag}")?;
    }
    writeln!(card, "size_categories:\n- {}", size_category(facts.manifest.n_examples))?;
    writeln!(card, "dataset_info:")?;
    for shape in facts.shapes() {
        write_config_info(card, facts, shape)?;
    }
    writeln!(card, "configs:")?;
    for (place, shape) in facts.shapes().into_iter().enumerate() {
        writeln!(card, "- config_name: {}", shape.name())?;
        if place == 0 {
            writeln!(card, "  default: true")?;
        }
        writeln!(card, "  data_files:")?;
        for split in facts.splits(shape) {
            writeln!(card, "  - split: {}\n    path: {}", split.as_str(), facts.pattern(shape, split))?;
        }
    }
    writeln!(card, "---\n\n# {title}\n")
}

fn title(format: Format) -> &'static str {
    match format {
        Format::Preference => "Preference pairs from user feedback",
        Format::Unpaired => "Labelled answers from user feedback",
        Format::Sft => "Endorsed answers from user feedback",
        Format::Reward => "Preference pairs from user feedback, for reward models",
        Format::Prompts => "Prompts with user feedback",
    }
}

fn tags(format: Format) -> &'static [&'static str] {
    match format {
        Format::Preference => &["preference", "dpo"],
        Format::Unpaired => &["kto"],
        Format::Sft => &["sft"],
        Format::Reward => &["reward"],
        Format::Prompts => &["prompts", "grpo"],
    }
}

/// Writes the exact counts of every split, so that `load_dataset` refuses a folder in which a part is missing.
fn write_config_info(card: &mut String, facts: &CardFacts<'_>, shape: Shape) -> std::fmt::Result {
    writeln!(card, "- config_name: {}", shape.name())?;
    if shape.layout.is_lines() {
        write!(card, "{}", features_of_lines(shape))?;
    } else {
        writeln!(card, "  features:")?;
        for column in shape.columns() {
            writeln!(card, "  - name: {}", column.name)?;
            write_type(card, column.kind)?;
        }
    }
    writeln!(card, "  splits:")?;
    let (mut download_bytes, mut dataset_bytes) = (0, 0);
    for split in facts.splits(shape) {
        let n_bytes = facts.sum(shape, split, |part| part.uncompressed_bytes).unwrap_or_default();
        let n_examples = facts.sum(shape, split, |part| part.file.rows).unwrap_or_default();
        download_bytes += facts.sum(shape, split, |part| part.file.bytes).unwrap_or_default();
        dataset_bytes += n_bytes;
        writeln!(card, "  - name: {}\n    num_bytes: {n_bytes}\n    num_examples: {n_examples}", split.as_str())?;
    }
    writeln!(card, "  download_size: {download_bytes}\n  dataset_size: {dataset_bytes}")
}

/// Returns the keys of a config's lines the way that `datasets` reads them. Messages of OpenAI's conversations are JSON:
/// `weight` stands in some only, so that a declared one would be null in all others, and splits left to themselves differ.
fn features_of_lines(shape: Shape) -> String {
    let message = |indent: &str| {
        format!(
            "{indent}list:\n{indent}- name: role\n{indent}  dtype: string\n{indent}- name: content\n{indent}  dtype: string\n"
        )
    };
    match (shape.config, shape.layout) {
        (Config::Dpo, _) => format!(
            "  features:\n  - name: input\n    struct:\n    - name: messages\n{}    - name: tools\n      list: 'null'\n    \
             - name: parallel_tool_calls\n      dtype: bool\n  - name: preferred_output\n{}  - name: non_preferred_output\n{}",
            message("      "),
            message("    "),
            message("    ")
        ),
        (_, Layout::MlxJsonl) => format!("  features:\n  - name: messages\n{}", message("    ")),
        _ => "  features:\n  - name: messages\n    list: json\n".to_owned(),
    }
}

/// Writes a column's type the way that `datasets` reads it.
fn write_type(card: &mut String, kind: Kind) -> std::fmt::Result {
    let message = |of: &str, indent: &str| {
        format!(
            "{indent}{of}:\n{indent}- name: role\n{indent}  dtype: string\n{indent}- name: content\n\
             {indent}  dtype: string"
        )
    };
    let of_two = |(first, second): (&str, &str), dtype: &str| {
        format!("    struct:\n    - name: {first}\n      dtype: string\n    - name: {second}\n      dtype: {dtype}")
    };
    match kind {
        Kind::Messages => writeln!(card, "{}", message("list", "    ")),
        Kind::Message => writeln!(card, "{}", message("struct", "    ")),
        Kind::Ranked => {
            writeln!(card, "    list:\n    - name: rank\n      dtype: int64\n    - name: completion")?;
            writeln!(card, "{}", message("list", "      "))
        }
        Kind::RewardModel => writeln!(card, "{}", of_two(("style", "ground_truth"), "string")),
        Kind::Extra => writeln!(card, "{}", of_two(("split", "index"), "int64")),
        Kind::JsonMessages => writeln!(card, "    list: json"),
        kind => writeln!(card, "    dtype: {}", kind.as_str()),
    }
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
    let manifest = facts.manifest;
    writeln!(
        card,
        "Written by Afterword from what users did after a language model had answered. `manifest.json` lists"
    )?;
    writeln!(card, "every file with its SHA-256, `stats.json` has the numbers behind the rows.\n")?;
    if manifest.layout != Layout::Trl {
        let layout = manifest.layout.as_str();
        writeln!(card, "The layout is `{layout}`: the same rows as in `trl`, under the same ids, in another shape.\n")?;
    }
    for format in manifest.formats.iter() {
        if manifest.formats.only().is_none() {
            writeln!(card, "**{}** (`{}`)\n", title(format), format.as_str())?;
        }
        writeln!(card, "{}\n", what(format, manifest.layout))?;
    }
    if manifest.ties.as_ref().is_some_and(|ties| ties.n_examples > 0) {
        writeln!(
            card,
            "Beside the rows, `ties` holds comparisons without a winner (`first`, `second`, `verdict`), for losses that\n\
             know ties. Never train on them as pairs.\n"
        )?;
    }
    if facts.shapes().iter().any(|shape| shape.has_tools) {
        writeln!(
            card,
            "Configs that end in `_tools` hold conversations with tools: each message as JSON, with the calls' arguments\n\
             as objects, and the definitions in `tools`. They need datasets 4.7 and TRL 1.0 or newer.\n"
        )?;
    }
    writeln!(card, "{}\n", proof(manifest.layout))?;
    if facts.shapes().iter().any(|shape| shape.has_comments && shape.config.kind() != RowKind::Prompt) {
        writeln!(
            card,
            "What users wrote about an answer is in `feedback_text`, or in `chosen_feedback_text` and such where there are\n\
             two. It is no part of what a model learns from a row.\n"
        )?;
    }
    writeln!(card, "{}\n", manifest.trust.sentence())?;
    writeln!(card, "{}\n", manifest.consent.sentences(manifest.consent_default))?;
    write_splits(card, facts)?;
    write_loading(card, facts)?;
    write_funnel(card, facts)?;
    write_screening(card, manifest)?;
    write_biases(card, &manifest.biases)?;
    if !manifest.warnings.is_empty() {
        writeln!(card, "## Before you train on it\n")?;
        for warning in &manifest.warnings {
            writeln!(card, "- {warning}")?;
        }
        writeln!(card)?;
    }
    writeln!(card, "## Recipe\n\nEvery option as it was used; `afterword export --recipe FILE.toml` takes it back.\n")?;
    let recipe = toml::to_string(&manifest.recipe).unwrap_or_default();
    writeln!(card, "```toml\n{}\n```", recipe.trim_end())
}

/// Says what was done to the texts before they left.
fn write_screening(card: &mut String, manifest: &Manifest) -> std::fmt::Result {
    let options = &manifest.recipe.options;
    writeln!(card, "## Personal data\n")?;
    if options.pii == Pii::Off {
        writeln!(card, "Nothing was looked for and nothing was replaced (`pii = \"off\"`).\n")?;
    } else {
        let pii = &manifest.pii;
        let n_places: u64 = pii.n_places.values().sum();
        let kinds: Vec<String> = pii.n_places.iter().map(|(kind, n)| format!("`{kind}` {n}")).collect();
        let of = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
        writeln!(
            card,
            "{n_places} places in {} rows{of} were replaced by placeholders such as `<EMAIL_1>`, one for each value of a\nrow.",
            pii.n_rows
        )?;
        let more = if options.pii_url.is_empty() {
            "Names, street addresses and whatever else has no form of its own were **not** looked for."
        } else {
            "A service was asked for more, such as names."
        };
        writeln!(card, "{more}\n")?;
    }
    if !manifest.benchmarks.is_empty() {
        writeln!(
            card,
            "## Benchmarks\n\nRows that repeat a text of these files were left out:\n\n| file | texts | rows |\n| --- | ---: | ---: |"
        )?;
        for file in &manifest.benchmarks {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            writeln!(card, "| `{}` | {} | {} |", name.replace(['`', '|'], "_"), file.n_texts, file.n_rows)?;
        }
        writeln!(card)?;
    }
    Ok(())
}

fn write_splits(card: &mut String, facts: &CardFacts<'_>) -> std::fmt::Result {
    writeln!(card, "## Splits\n\nNo prompt, conversation or user is on both sides of a split.\n")?;
    writeln!(card, "| config | split | rows | files | bytes |\n| --- | --- | ---: | ---: | ---: |")?;
    for shape in facts.shapes() {
        for split in facts.splits(shape) {
            let sum = |number: fn(&Part) -> u64| facts.sum(shape, split, number).unwrap_or_default();
            let (rows, files, bytes) = (sum(|part| part.file.rows), sum(|_| 1), sum(|part| part.file.bytes));
            writeln!(card, "| `{}` | {} | {rows} | {files} | {bytes} |", shape.name(), split.as_str())?;
        }
    }
    writeln!(card)
}

fn write_loading(card: &mut String, facts: &CardFacts<'_>) -> std::fmt::Result {
    // An export without rows has no card.
    let Some(shape) = facts.shapes().first().copied() else { return Ok(()) };
    let pattern = facts.pattern(shape, facts.splits(shape).next().unwrap_or(Split::Train));
    let folder = facts.folder(shape);
    writeln!(card, "## Loading\n\nInside this folder, whatever it is called:\n\n```python")?;
    let others = if facts.manifest.layout.is_lines() { "" } else { ", pandas, polars, duckdb" };
    writeln!(card, "import os, datasets{others}")?;
    for shape in facts.shapes() {
        // Not `.`: what is loaded is named after the path, and that has no name.
        writeln!(card, "datasets.load_dataset(os.getcwd(), \"{}\")", shape.name())?;
    }
    if !facts.manifest.layout.is_lines() {
        writeln!(card, "pandas.read_parquet(\"{folder}\")  # every split")?;
        writeln!(card, "polars.read_parquet(\"{pattern}\")")?;
        writeln!(card, "duckdb.sql(\"select signal, count(*) from '{pattern}' group by all\")")?;
    }
    writeln!(card, "```\n")?;
    if facts.manifest.commands.is_empty() {
        return Ok(());
    }
    writeln!(card, "```sh")?;
    for command in &facts.manifest.commands {
        writeln!(card, "{}", command.line(THIS_FOLDER))?;
    }
    writeln!(card, "```\n")
}

fn write_funnel(card: &mut String, facts: &CardFacts<'_>) -> std::fmt::Result {
    let manifest = facts.manifest;
    writeln!(card, "## From completions to rows\n\n| step | number |\n| --- | ---: |")?;
    for (step, n) in [
        ("prompts with an answer that has feedback", manifest.funnel.n_prompts),
        ("their answers", manifest.funnel.n_completions),
        ("feedback on these", manifest.funnel.n_feedback),
    ] {
        writeln!(card, "| {step} | {n} |")?;
    }
    let of = |format: &str| {
        if manifest.formats.only().is_some() { String::new() } else { format!(" of `{format}`") }
    };
    for (format, counts) in &manifest.by_format {
        let FormatCounts { n_candidates, n_examples, n_exclusions, .. } = counts;
        let (of, n_left_out) = (of(format), n_exclusions.values().sum::<u64>());
        writeln!(
            card,
            "| candidates{of} | {n_candidates} |\n| left out | {n_left_out} |\n| **rows** | {n_examples} |"
        )?;
    }
    writeln!(card)?;
    for (format, counts) in &manifest.by_format {
        let title = format!("Left out{}, by reason", of(format));
        write_reasons(card, &title, "candidates", &counts.n_exclusions)?;
    }
    let left_out = &manifest.n_feedback_left_out;
    write_reasons(card, "Feedback that was not counted, by reason", "items", left_out)
}

fn write_reasons(
    card: &mut String,
    title: &str,
    what: &str,
    exclusions: &std::collections::BTreeMap<&'static str, u64>,
) -> std::fmt::Result {
    if exclusions.is_empty() {
        return Ok(());
    }
    writeln!(card, "{title}:\n\n| reason | {what} | why |\n| --- | ---: | --- |")?;
    for (reason, n) in top_exclusions(exclusions) {
        writeln!(card, "| `{reason}` | {n} | {} |", sentence(reason))?;
    }
    writeln!(card)
}
