//! The manifest: what an export holds and how it came about. It is written last; readers trust only what it names
//! (DS-3).

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::export_benchmarks::BenchmarkFile;
use super::export_bias_counts::Biases;
use super::export_consent::ConsentOfRows;
use super::export_lineage::Lineage;
use super::export_stats::{Labels, Stats};
use crate::columnar::shape::{Config, Shape};
use crate::dataset::example::Split;
use crate::dataset::redact::Redacted;
use crate::domain::clock::Timestamp;
use crate::domain::consent::ConsentDefault;
use crate::domain::erasure::IdHash;
use crate::domain::ids::ExportId;
use crate::domain::recipe::{Format, Formats, Layout, Recipe};
use crate::domain::trust::TrustRule;

/// Version of the manifest's form.
pub const MANIFEST_VERSION: u32 = 1;

/// How a shell names the folder that it is in. A bare `.` has no last part, and `datasets` wants one; the folder's own name
/// would make the same rows another card wherever they lie (DS-2).
pub const THIS_FOLDER: &str = "\"$PWD\"";

/// What an export holds and how it came about.
#[derive(Debug, Clone, Serialize)]
pub struct Manifest {
    /// Version of this form.
    pub manifest_version: u32,
    /// Version of the program.
    pub afterword_version: &'static str,
    /// The export.
    pub export_id: ExportId,
    /// Which attempt at it wrote the files, from 1.
    pub attempt: i32,
    /// When its rows were read.
    pub created_at: Timestamp,
    /// The snapshot that was read, in Postgres's own form.
    pub snapshot: String,
    /// Kinds of data sets.
    pub formats: Formats,
    /// The kind of data set, where there is only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Names and shapes of the columns.
    pub layout: Layout,
    /// The config that `load_dataset` returns where none is named.
    pub default_config: &'static str,
    /// The recipe with every option.
    pub recipe: Recipe,
    /// Whose feedback was counted, and why.
    pub trust: TrustRule,
    /// What held for completions that say nothing of consent.
    pub consent_default: ConsentDefault,
    /// What consent the rows rest on.
    pub consent: ConsentOfRows,
    /// How many of what went in, from completions to rows.
    pub funnel: ManifestFunnel,
    /// Rows, over all formats.
    pub n_examples: u64,
    /// Candidates that became no row, by reason, over all formats; with the rows they are all candidates (DS-5).
    pub n_exclusions: BTreeMap<&'static str, u64>,
    /// Items of feedback that were not counted, by reason.
    pub n_feedback_left_out: BTreeMap<&'static str, u64>,
    /// Rows by split, over all formats.
    pub splits: BTreeMap<&'static str, u64>,
    /// The same numbers for each format.
    pub by_format: BTreeMap<&'static str, FormatCounts>,
    /// What may bias the rows of each format.
    pub biases: BTreeMap<&'static str, Biases>,
    /// What became of comparisons without a winner, where the recipe asks for them; no format counts them as rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ties: Option<FormatCounts>,
    /// What was replaced in the rows, some of which the plan then left out.
    pub pii: Redacted,
    /// Benchmark files, and how many rows repeat them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub benchmarks: Vec<BenchmarkFile>,
    /// Prompts that experiments hold out of the train split.
    pub n_held_out_prompts: u64,
    /// Groups that no split tears apart (DS-1).
    pub n_groups: u64,
    /// Rows of the largest of them.
    pub n_rows_largest_group: u64,
    /// Hash of each config's columns.
    pub schema: BTreeMap<&'static str, String>,
    /// Every file but this one.
    pub files: Vec<ListedFile>,
    /// The parts by config and split.
    pub configs: BTreeMap<&'static str, BTreeMap<&'static str, Vec<ListedFile>>>,
    /// What whoever trains on it should know.
    pub warnings: Vec<String>,
    /// Commands to copy, run inside the folder.
    pub commands: Vec<Command>,
    /// What became of the rows of an earlier export, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Lineage>,
    /// Whose rows it holds, as keyed hashes, sorted: for the database, not for the file.
    #[serde(skip)]
    pub holders: Vec<IdHash>,
}

/// How many of what went in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ManifestFunnel {
    /// Prompts with a selected answer, and feedback on any of their answers.
    pub n_prompts: u64,
    /// Their answers.
    pub n_completions: u64,
    /// The feedback on these.
    pub n_feedback: u64,
    /// What could have become a row, over all formats: rows and exclusions.
    pub n_candidates: u64,
    /// Rows, over all formats.
    pub n_examples: u64,
}

/// What became of the candidates of one format.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FormatCounts {
    /// What could have become a row: rows and exclusions.
    pub n_candidates: u64,
    /// Rows.
    pub n_examples: u64,
    /// Candidates that became no row, by reason.
    pub n_exclusions: BTreeMap<&'static str, u64>,
    /// Rows by split.
    pub splits: BTreeMap<&'static str, u64>,
}

impl FormatCounts {
    /// Adds up the numbers of several formats.
    pub(super) fn total<'a>(formats: impl Iterator<Item = &'a Self>) -> Self {
        let mut total = Self::default();
        for counts in formats {
            total.n_candidates += counts.n_candidates;
            total.n_examples += counts.n_examples;
            for (reason, n) in &counts.n_exclusions {
                *total.n_exclusions.entry(reason).or_default() += n;
            }
            for (split, n) in &counts.splits {
                *total.splits.entry(split).or_default() += n;
            }
        }
        total
    }
}

/// A command that trains on one config of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    before: String,
    after: String,
}

impl Command {
    /// Returns the command for an export that lies in `folder`, which is quoted already where a shell needs it.
    pub fn line(&self, folder: &str) -> String {
        let Self { before, after } = self;
        format!("{before}{folder}{after}")
    }
}

impl Serialize for Command {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.line(THIS_FOLDER))
    }
}

/// A file as the manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedFile {
    /// Path inside the export's folder.
    pub path: String,
    /// Rows; 0 for files that hold none.
    pub rows: u64,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// A part as it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its config and the shape of its rows.
    pub shape: Shape,
    /// Its split.
    pub split: Split,
    /// Its size before encoding and compression.
    pub uncompressed_bytes: u64,
    /// Its entry in the manifest.
    pub file: ListedFile,
}

impl Manifest {
    /// Writes the manifest as it is stored and published.
    pub fn to_json(&self) -> String {
        // A struct of numbers, strings and maps with string keys always serialises.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// Returns the folder of a config's parts: its name, or `data` in an export that has no other.
pub fn folder(shape: Shape, n_configs: usize) -> &'static str {
    if n_configs == 1 { "data" } else { shape.name() }
}

/// Returns the pattern of the paths of a split's parts.
pub fn parts_pattern(shape: Shape, n_configs: usize, split: Split) -> String {
    let folder = folder(shape, n_configs);
    match shape.layout {
        Layout::MlxJsonl => format!("{folder}/{}.jsonl", mlx_word(split)),
        Layout::OpenaiJsonl => format!("{folder}/{}-*.jsonl", split.as_str()),
        _ => format!("{folder}/{}-*.parquet", split.as_str()),
    }
}

/// Returns a part's path inside the export, as `datasets` and the layout's trainers expect it.
pub fn part_path(shape: Shape, n_configs: usize, split: Split, number: usize, n_parts: usize) -> String {
    let numbered = format!("{number:05}-of-{n_parts:05}");
    parts_pattern(shape, n_configs, split).replace('*', &numbered)
}

/// Returns the path of the file that proves the rows of a split whose lines have no room for that.
pub fn provenance_path(shape: Shape, split: Split) -> String {
    provenance_of(shape.name(), split.as_str())
}

/// Does the same for the words of a config and a split.
pub(super) fn provenance_of(config: &str, split: &str) -> String {
    format!("provenance/{config}-{split}.jsonl")
}

/// MLX calls one split otherwise.
fn mlx_word(split: Split) -> &'static str {
    match split {
        Split::Validation => "valid",
        Split::Train | Split::Test => split.as_str(),
    }
}

/// Lists the parts by config and split.
pub fn by_config(parts: &[Part]) -> BTreeMap<&'static str, BTreeMap<&'static str, Vec<ListedFile>>> {
    let mut configs: BTreeMap<&str, BTreeMap<&str, Vec<ListedFile>>> = BTreeMap::new();
    for part in parts {
        let splits = configs.entry(part.shape.name()).or_default();
        splits.entry(part.split.as_str()).or_default().push(part.file.clone());
    }
    configs
}

/// Lists exclusions from the most frequent reason down; equal counts by name.
pub fn top_exclusions(exclusions: &BTreeMap<&'static str, u64>) -> Vec<(&'static str, u64)> {
    let mut listed: Vec<(&str, u64)> = exclusions.iter().map(|(reason, n)| (*reason, *n)).collect();
    listed.sort_by_key(|(reason, n)| (std::cmp::Reverse(*n), *reason));
    listed
}

/// Returns the command that trains on a format's rows, where the layout's trainer has one that needs no configuration file,
/// there are rows to train on, and no warning says not to.
pub fn command(format: Format, recipe: &Recipe, stats: &Stats, parts: &[Part]) -> Option<Command> {
    if stats.biases.label_noise.is_some_and(|noise| noise.is_too_high()) {
        return None;
    }
    // The shape of a config that has rows to train on.
    let trained = |config| {
        let shape = Shape::plain(config, recipe);
        let has_rows = |part: &Part| part.shape == shape && part.split == Split::Train && part.file.rows > 0;
        parts.iter().any(has_rows).then_some(shape)
    };
    let n_configs = Shape::of(recipe).len();
    let (before, after) = match recipe.layout {
        Layout::Trl => {
            let (trainer, config) = match format {
                Format::Preference => ("dpo", Config::Dpo),
                Format::Unpaired => ("kto", Config::Kto),
                Format::Sft => ("sft", Config::SftCompletion),
                Format::Reward => ("reward", Config::Reward),
                Format::Prompts => ("grpo", Config::Prompts),
            };
            let flags = match format {
                Format::Unpaired => stats.labels.map_or_else(String::new, Labels::flags),
                Format::Prompts => " --reward_funcs YOUR_REWARD".to_owned(),
                Format::Preference => stats.noise_flags(),
                Format::Sft | Format::Reward => String::new(),
            };
            let flags = if format == Format::Prompts { flags } else { flags + &stats.length_flags() };
            let config = trained(config)?.name();
            let after =
                format!(" --dataset_config {config}{flags} --model_name_or_path YOUR_MODEL --output_dir OUTPUT");
            (format!("trl {trainer} --dataset_name "), after)
        }
        Layout::Llamafactory => {
            let (stage, config) = match format {
                Format::Preference => ("dpo", Config::Dpo),
                Format::Unpaired => ("kto", Config::Kto),
                Format::Reward => ("rm", Config::Reward),
                Format::Sft | Format::Prompts => ("sft", Config::Sft),
            };
            let set = trained(config)?.name();
            let after = format!(
                " --dataset {set} --stage {stage} --do_train --model_name_or_path YOUR_MODEL --template YOUR_TEMPLATE \
                 --output_dir OUTPUT"
            );
            ("llamafactory-cli train --dataset_dir ".to_owned(), after)
        }
        Layout::MlxJsonl => {
            let folder = folder(trained(Config::Sft)?, n_configs);
            ("mlx_lm.lora --train --data ".to_owned(), format!("/{folder} --model YOUR_MODEL"))
        }
        Layout::Implicit | Layout::NemoRl | Layout::Verl | Layout::OpenaiJsonl => return None,
    };
    Some(Command { before, after })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::recipe::Options;
    use crate::domain::selection::Selection;
    use crate::service::export_biases::LabelNoise;

    #[test]
    fn a_command_is_given_only_where_there_are_rows_to_train_on_and_no_warning_says_not_to() {
        let recipe = Recipe {
            formats: Formats::of(Format::Preference),
            layout: Layout::Trl,
            selection: Selection::default(),
            options: Options::default(),
        };
        let part = |split| Part {
            shape: Shape::plain(Config::Dpo, &recipe),
            split,
            uncompressed_bytes: 1,
            file: ListedFile { path: String::new(), rows: 1, bytes: 1, sha256: String::new() },
        };
        let noisy = |error_rate| {
            let noise = LabelNoise { n_items: 100, disagreement: 0.4, error_rate, low: 0.0, high: 0.5 };
            Stats { biases: Biases { label_noise: Some(noise), ..Biases::default() }, ..Stats::default() }
        };
        let line = |stats: &Stats, splits: &[Split]| {
            let parts: Vec<Part> = splits.iter().map(|split| part(*split)).collect();
            command(Format::Preference, &recipe, stats, &parts).map(|command| command.line("."))
        };

        let all = [Split::Train, Split::Validation];
        let smoothed = line(&noisy(0.1), &all).unwrap();
        assert!(smoothed.contains("--loss_type robust --label_smoothing 0.1 "), "{smoothed}");
        assert_eq!(line(&Stats::default(), &all[1..]), None, "nothing to train on");
        assert_eq!(line(&noisy(0.35), &all), None, "nobody should");
        for layout in [Layout::Llamafactory, Layout::MlxJsonl] {
            let recipe = Recipe { formats: Formats::of(Format::Sft), layout, ..recipe.clone() };
            assert_eq!(command(Format::Sft, &recipe, &Stats::default(), &[]), None, "{layout:?}");
        }
    }
}
