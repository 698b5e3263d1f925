//! `afterword recipe`: the recipes that are shipped with the product, and a check of one's own.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::UsageError;
use crate::domain::recipe::{Layout, Options, Recipe};
use crate::service::recipes::{self, RecipeError};

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
    /// Check a recipe file and print what it resolves to.
    #[command(after_help = "\
Examples:
  afterword recipe check mine.toml")]
    Check {
        /// The file.
        file: PathBuf,
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

/// Runs the subcommand; it needs neither database nor configuration.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
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
        Command::Check { file } => match read(file) {
            Ok(recipe) => write!(out, "{}", describe(&recipe))?,
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
