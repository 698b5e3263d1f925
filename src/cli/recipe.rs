//! `afterword recipe`: the recipes that are shipped with the product, and a check of one's own.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{UsageError, connect};
use crate::config::Config;
use crate::domain::recipe::{Layout, Options, Recipe};
use crate::service::outside::BenchmarkPlace;
use crate::service::recipes::{self, RecipeError};
use crate::service::{export_checks, export_folder};

/// Arguments of `afterword recipe`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  afterword recipe list
  afterword recipe show dpo > mine.toml
  afterword recipe check mine.toml")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the recipes that are shipped with the product.
    #[command(after_help = "\
Examples:
  afterword recipe list")]
    List,
    /// Print a shipped recipe, to be copied and edited.
    #[command(after_help = "\
Examples:
  afterword recipe show dpo
  afterword recipe show dpo > mine.toml")]
    Show {
        /// Its name.
        name: String,
    },
    /// Check a recipe file as far as that goes without the database, and print what it resolves to.
    #[command(after_help = "\
Examples:
  afterword recipe check mine.toml")]
    Check {
        /// The file.
        file: PathBuf,
        /// Check a folder that it is to be exported into as well.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// A recipe that was named at the command line and cannot be had. One line; no recipe is ever quoted.
#[derive(Debug, thiserror::Error)]
pub enum RecipeChoiceError {
    /// Neither shipped nor a file.
    #[error("unknown recipe `{name}`: shipped are {}; or give the path of a .toml file", shipped_names())]
    Unknown {
        /// What was typed.
        name: String,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {}", .path.display(), .source.kind())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no recipe.
    #[error("{}: {}", .path.display(), lines(.source).join("; "))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Why.
        source: RecipeError,
    },
}

fn shipped_names() -> String {
    recipes::shipped_recipes().iter().map(|shipped| shipped.name).collect::<Vec<_>>().join(", ")
}

/// Says everything that is wrong with a recipe file, a line each.
fn lines(error: &RecipeError) -> Vec<String> {
    match error {
        RecipeError::Syntax { .. } => vec![error.to_string()],
        RecipeError::Invalid(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

/// Finds the recipe that somebody typed: a shipped name, or the path of a file.
pub fn choose(typed: &str) -> Result<Recipe, RecipeChoiceError> {
    let shipped = recipes::find_shipped(typed);
    if let Some(shipped) = shipped {
        return recipes::parse_toml(shipped.text)
            .map_err(|source| RecipeChoiceError::Invalid { path: PathBuf::from(shipped.name), source });
    }
    let path = Path::new(typed);
    let looks_like_a_file = path.components().count() > 1 || path.extension().is_some() || path.exists();
    if looks_like_a_file { read(path) } else { Err(RecipeChoiceError::Unknown { name: typed.to_owned() }) }
}

fn read(path: &Path) -> Result<Recipe, RecipeChoiceError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| RecipeChoiceError::Unreadable { path: path.to_owned(), source })?;
    recipes::parse_toml(&text).map_err(|source| RecipeChoiceError::Invalid { path: path.to_owned(), source })
}

/// Runs the subcommand; it needs no database.
pub fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    match &args.command {
        Command::List => {
            for shipped in recipes::shipped_recipes() {
                writeln!(out, "{:9}{}", shipped.name, shipped.summary)?;
            }
            writeln!(out, "\nafterword recipe show NAME > my.toml    to start from one")?;
        }
        Command::Show { name } => {
            let Some(shipped) = recipes::find_shipped(name) else {
                return Err(UsageError(RecipeChoiceError::Unknown { name: name.clone() }.to_string()).into());
            };
            write!(out, "{}", shipped.text)?;
        }
        Command::Check { file, out: folder } => match read(file) {
            Ok(recipe) => {
                let faults = faults(&recipe, file, folder.as_deref(), config);
                if !faults.is_empty() {
                    let mut err = io::stderr().lock();
                    for fault in faults {
                        writeln!(err, "{fault}")?;
                    }
                    return Ok(ExitCode::FAILURE);
                }
                write!(out, "{}{}", describe(&recipe), unchecked(&recipe, folder.is_some()))?;
            }
            Err(RecipeChoiceError::Invalid { path, source }) => {
                let mut err = io::stderr().lock();
                for line in lines(&source) {
                    writeln!(err, "{}: {line}", path.display())?;
                }
                return Ok(ExitCode::FAILURE);
            }
            Err(error) => return Err(UsageError(error.to_string()).into()),
        },
    }
    Ok(ExitCode::SUCCESS)
}

/// Finds what an export of the recipe would refuse without having read a row, a line each, in the same words.
fn faults(recipe: &Recipe, file: &Path, folder: Option<&Path>, config: &Config) -> Vec<String> {
    let found = export_checks::check_recipe(recipe, &connect::outside(config), &BenchmarkPlace::Anywhere);
    let mut lines: Vec<String> = found.iter().map(|fault| format!("{}: {fault}", file.display())).collect();
    lines.extend(folder.and_then(|folder| {
        let fault = export_folder::check(folder, false).err()?;
        Some(format!("{}: {fault}", folder.display()))
    }));
    lines
}

/// Says what only an export finds out.
fn unchecked(recipe: &Recipe, has_folder: bool) -> String {
    let Options { pii_url, safety_url, .. } = &recipe.options;
    let of_database = "whether the selection lets anything through and rows are left needs the database";
    let mut lines = vec![format!("not checked: {of_database}\n")];
    if !pii_url.is_empty() || !safety_url.is_empty() {
        lines.push("not checked: whether the hooks answer; an export asks them before it reads anything\n".to_owned());
    }
    if !has_folder {
        lines.push("not checked: the folder to write; name it with --out\n".to_owned());
    }
    lines.concat()
}

/// Says what a recipe produces and in which options it differs from the defaults.
fn describe(recipe: &Recipe) -> String {
    let value = |options: &Options| serde_json::to_value(options).unwrap_or_default();
    let (given, defaults) = (value(&recipe.options), value(&Options::default()));
    let formats: Vec<String> = recipe.formats.iter().map(|format| format!("`{}`", format.as_str())).collect();
    let mut lines = vec![format!("a valid recipe for a data set of format {}\n", formats.join(", "))];
    if recipe.layout != Layout::Trl {
        lines.push(format!("  layout = \"{}\" (default \"trl\")\n", recipe.layout.as_str()));
    }
    for (option, value) in given.as_object().into_iter().flatten() {
        if defaults.get(option) != Some(value) {
            let default = defaults.get(option).map(ToString::to_string).unwrap_or_default();
            lines.push(format!("  {option} = {value} (default {default})\n"));
        }
    }
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_a_shipped_name_or_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        std::fs::write(path("good.toml"), "format = \"sft\"\n[options]\nmin_votes = 3\n").unwrap();
        std::fs::write(path("bad.toml"), "format = \"sft\"\n[options]\nmin_votes = 0\ncolour = 1\n").unwrap();

        let good = choose(&path("good.toml")).unwrap();
        let said = |typed: &str| choose(typed).unwrap_err().to_string();

        assert_eq!(
            (choose("dpo").unwrap().formats.words().as_str(), good.formats.words().as_str()),
            ("preference", "sft")
        );
        assert_eq!(describe(&good), "a valid recipe for a data set of format `sft`\n  min_votes = 3 (default 1)\n");
        assert_eq!(
            said("dop"),
            "unknown recipe `dop`: shipped are dpo, kto, sft, reward, prompts, all; or give the path of a .toml file"
        );
        assert!(said("none.toml").starts_with("cannot read none.toml: "), "{}", said("none.toml"));
        assert!(said(&path("bad.toml")).contains("/options/min_votes: "), "{}", said(&path("bad.toml")));
        for typed in ["dop", "none.toml", &path("bad.toml")] {
            assert_eq!(said(typed).lines().count(), 1);
        }
    }
}
