//! Recipes: those that are shipped with the product, and those that an analyst wrote into a TOML file.
//!
//! A recipe in TOML and one in a JSON body are read by the same reader, `domain::recipe`.

use crate::domain::fields::FieldError;
use crate::domain::json::Json;
use crate::domain::recipe::Recipe;

/// A recipe that is part of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShippedRecipe {
    /// The name that users type.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// What it produces, in one line.
    pub summary: &'static str,
    /// The commented file.
    pub text: &'static str,
}

const SHIPPED: &[ShippedRecipe] = &[
    ShippedRecipe {
        name: "dpo",
        aliases: &["preference"],
        summary: "preference pairs (prompt, chosen, rejected) for DPO, ORPO, CPO and reward models",
        text: include_str!("../../exports/dpo.toml"),
    },
    ShippedRecipe {
        name: "kto",
        aliases: &["unpaired"],
        summary: "single answers labelled good or bad (prompt, completion, label) for KTO",
        text: include_str!("../../exports/kto.toml"),
    },
    ShippedRecipe {
        name: "sft",
        aliases: &[],
        summary: "endorsed answers for supervised fine-tuning, as conversations and as prompt and completion",
        text: include_str!("../../exports/sft.toml"),
    },
    ShippedRecipe {
        name: "reward",
        aliases: &[],
        summary: "preference pairs for reward models, with a margin on request",
        text: include_str!("../../exports/reward.toml"),
    },
    ShippedRecipe {
        name: "prompts",
        aliases: &["grpo"],
        summary: "prompts alone for GRPO, RLOO and other training with a reward function",
        text: include_str!("../../exports/prompts.toml"),
    },
    ShippedRecipe {
        name: "all",
        aliases: &[],
        summary: "every format in one export",
        text: include_str!("../../exports/all.toml"),
    },
];

/// A recipe file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipeError {
    /// The text is not TOML.
    #[error("not valid TOML near line {line}, column {column}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// The text is TOML, but no recipe.
    #[error("not a recipe")]
    Invalid(Vec<FieldError>),
}

/// Returns the recipes that are shipped with the product.
pub fn shipped_recipes() -> &'static [ShippedRecipe] {
    SHIPPED
}

/// Finds a shipped recipe by its name or an alias.
pub fn find_shipped(name: &str) -> Option<&'static ShippedRecipe> {
    SHIPPED.iter().find(|shipped| shipped.name == name || shipped.aliases.contains(&name))
}

/// Parses a recipe file; absent options take their defaults.
pub fn parse_toml(text: &str) -> Result<Recipe, RecipeError> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start);
        let (line, column) = place(text, start);
        RecipeError::Syntax { line, column }
    })?;
    Recipe::from_json(to_json(toml::Value::Table(table)), "").map_err(RecipeError::Invalid)
}

/// Turns an offset in bytes into a line and a column, both from 1.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

fn to_json(value: toml::Value) -> Json {
    match value {
        toml::Value::String(text) => Json::String(text),
        toml::Value::Integer(number) => Json::Integer(number.into()),
        // TOML can write `nan` and `inf`; no option takes them, and null is refused where a number is needed.
        toml::Value::Float(number) if number.is_finite() => Json::Float(number),
        toml::Value::Float(_) => Json::String("not a number".to_owned()),
        toml::Value::Boolean(value) => Json::Bool(value),
        toml::Value::Datetime(moment) => Json::String(moment.to_string()),
        toml::Value::Array(items) => Json::Array(items.into_iter().map(to_json).collect()),
        toml::Value::Table(table) => {
            Json::Object(table.into_iter().map(|(key, value)| (key, to_json(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::recipe::{Format, Formats, Layout, Options};
    use crate::domain::selection::Selection;

    #[test]
    fn shipped_recipes_say_the_defaults_and_one_says_every_option() {
        for (name, formats) in [
            ("dpo", Formats::of(Format::Preference)),
            ("kto", Formats::of(Format::Unpaired)),
            ("sft", Formats::of(Format::Sft)),
            ("reward", Formats::of(Format::Reward)),
            ("prompts", Formats::of(Format::Prompts)),
            ("all", Formats::of_several(Format::WORDS.iter().map(|(_, format)| *format).collect()).unwrap()),
        ] {
            let recipe = parse_toml(find_shipped(name).unwrap().text).unwrap();

            let expected =
                Recipe { formats, layout: Layout::Trl, selection: Selection::default(), options: Options::default() };
            assert_eq!(recipe, expected, "{name}");
        }
        let table: toml::Table = find_shipped("all").unwrap().text.parse().unwrap();
        let written = table["options"].as_table().unwrap();
        let options = serde_json::to_value(Options::default()).unwrap();
        for option in options.as_object().unwrap().keys() {
            assert!(written.contains_key(option), "all.toml does not say {option}");
        }
    }

    #[test]
    fn a_recipe_file_is_refused_with_the_place_of_what_is_wrong() {
        assert_eq!(parse_toml("format = \"dpo\"\nx = = 1\n"), Err(RecipeError::Syntax { line: 2, column: 5 }));
        let pointers = |text| match parse_toml(text) {
            Err(RecipeError::Invalid(errors)) => errors.into_iter().map(|error| error.pointer).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(pointers("format = \"dpo\"\n[options]\nmin_agreement = nan\n"), ["/options/min_agreement"]);
        assert_eq!(pointers("format = \"dpo\"\n[options]\nmin_votez = 1\n").len(), 1);
    }

    #[test]
    fn a_toml_moment_bounds_the_selection() {
        let recipe = parse_toml("format = \"sft\"\n[selection]\nfrom = 2026-11-01T00:00:00Z\n").unwrap();

        assert_eq!(recipe.selection.from.unwrap().to_rfc3339(), "2026-11-01T00:00:00+00:00");
    }
}
