//! Recipes: those that are shipped with the product, and those that an analyst wrote into a TOML file.
//!
//! A recipe in TOML and one in a JSON body are read by the same reader, `domain::recipe`.

use std::fmt;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::domain::fields::{FieldCode, FieldError, MAX_ERRORS};
use crate::domain::json::Json;
use crate::domain::nearest::nearest;
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

/// A place in a text: a line and a column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextPlace {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// Something that is wrong with a recipe file, where it stands in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipeFault {
    /// The place; nothing for what is absent.
    pub place: Option<TextPlace>,
    /// What is wrong.
    pub error: FieldError,
}

impl fmt::Display for RecipeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(TextPlace { line, column }) = self.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        self.error.fmt(f)
    }
}

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
    Invalid(Vec<RecipeFault>),
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
        let TextPlace { line, column } = place(text, start);
        RecipeError::Syntax { line, column }
    })?;
    Recipe::from_json(to_json(toml::Value::Table(table)), "")
        .map_err(|errors| RecipeError::Invalid(locate(text, errors)))
}

/// Turns an offset in bytes into a line and a column.
fn place(text: &str, offset: usize) -> TextPlace {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    TextPlace { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
}

/// Finds where in the text the faults of a recipe stand. A key that is not known becomes a fault of its own, told by its
/// place and never quoted.
fn locate(text: &str, errors: Vec<FieldError>) -> Vec<RecipeFault> {
    let Ok(document) = DeTable::parse(text) else {
        return errors.into_iter().map(|error| RecipeFault { place: None, error }).collect();
    };
    let mut faults = Vec::new();
    for error in errors {
        let (at, table) = find(document.get_ref(), &error.pointer);
        let unknown =
            table.filter(|_| error.code == FieldCode::UnknownField).into_iter().flat_map(|table| table.keys());
        let unknown: Vec<&Spanned<DeString<'_>>> =
            unknown.filter(|key| !error.known.contains(&key.get_ref().as_ref())).take(MAX_ERRORS).collect();
        if unknown.is_empty() {
            faults.push(RecipeFault { place: at.map(|at| place(text, at)), error });
            continue;
        }
        faults.extend(unknown.into_iter().map(|key| {
            let what = match nearest(key.get_ref(), &error.known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known here are: {}", error.known.join(", ")),
            };
            let detail = format!("the key is not known; {what}");
            let error = FieldError::new(error.pointer.as_str(), error.code, detail);
            RecipeFault { place: Some(place(text, key.span().start)), error }
        }));
    }
    faults.sort_by_key(|fault| fault.place.map(|place| (place.line, place.column)));
    faults
}

/// Finds what a pointer points at: the offset of the key or item, and the table that stands there. Where the text does
/// not go that far, the last key on the way.
fn find<'t>(document: &'t DeTable<'t>, pointer: &str) -> (Option<usize>, Option<&'t DeTable<'t>>) {
    let (mut at, mut table) = (None, Some(document));
    let mut item: Option<&DeValue<'t>> = None;
    for part in pointer.split('/').skip(1) {
        let next = match (table, item) {
            (Some(table), _) => table
                .iter()
                .find(|(key, _)| key.get_ref() == part)
                .map(|(key, value)| (key.span().start, value.get_ref())),
            (None, Some(DeValue::Array(items))) => part
                .parse()
                .ok()
                .and_then(|nth: usize| items.get(nth))
                .map(|value| (value.span().start, value.get_ref())),
            _ => None,
        };
        let Some((start, value)) = next else { return (at, None) };
        at = Some(start);
        item = Some(value);
        table = if let DeValue::Table(table) = value { Some(table) } else { None };
    }
    (at, table)
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
    use crate::domain::recipe::{EFFECTS, Format, Formats, Layout, Options};
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
    fn a_shipped_recipe_of_one_format_says_the_options_that_have_an_effect_on_it_and_no_others() {
        for shipped in SHIPPED {
            let Some(format) = parse_toml(shipped.text).unwrap().formats.only() else { continue };
            let table: toml::Table = shipped.text.parse().unwrap();
            let mut written: Vec<&str> = table["options"].as_table().unwrap().keys().map(String::as_str).collect();
            let effective = EFFECTS.iter().filter(|effect| effect.formats.contains(&format));
            let mut effective: Vec<&str> = effective.map(|effect| effect.option).collect();

            written.sort_unstable();
            effective.sort_unstable();
            assert_eq!(written, effective, "{}", shipped.name);
        }
    }

    #[test]
    fn a_recipe_file_is_refused_with_the_place_of_what_is_wrong() {
        assert_eq!(parse_toml("format = \"dpo\"\nx = = 1\n"), Err(RecipeError::Syntax { line: 2, column: 5 }));
        let pointers = |text| match parse_toml(text) {
            Err(RecipeError::Invalid(errors)) => {
                errors.into_iter().map(|fault| fault.error.pointer).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(pointers("format = \"dpo\"\n[options]\nmin_agreement = nan\n"), ["/options/min_agreement"]);
        assert_eq!(pointers("format = \"dpo\"\n[options]\nmin_votez = 1\n").len(), 1);
    }

    #[test]
    fn a_fault_is_told_by_its_line_and_a_mistyped_key_by_what_it_may_mean() {
        let text = "format = \"dpo\"\ncanary = 1\n\n[options]\nmin_votes = 0\n  max_votez = 3\n\
                    min-agreement = 0.7\ndecontaminate = [\n  \"a\",\n  7,\n]\n";

        let Err(RecipeError::Invalid(faults)) = parse_toml(text) else { panic!("it is no recipe") };
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();

        assert_eq!(lines.len(), 5, "{lines:#?}");
        assert_eq!(
            lines[0],
            "line 2, column 1: the key is not known; known here are: format, formats, layout, options, selection"
        );
        assert_eq!(lines[1], "line 5, column 1: /options/min_votes: must be between 1 and 1000");
        assert_eq!(lines[2], "line 6, column 3: /options: the key is not known; did you mean `min_votes`?");
        assert_eq!(lines[3], "line 7, column 1: /options: the key is not known; did you mean `min_agreement`?");
        assert_eq!(lines[4], "line 10, column 3: /options/decontaminate/1: must be a string");
        assert!(!lines.concat().contains("canary"), "{lines:#?}");
        let Err(RecipeError::Invalid(absent)) = parse_toml("[options]\n") else { panic!("it has no format") };
        assert_eq!(absent[0].to_string(), "/format: `format` is required");
    }

    #[test]
    fn a_toml_moment_bounds_the_selection() {
        let recipe = parse_toml("format = \"sft\"\n[selection]\nfrom = 2026-11-01T00:00:00Z\n").unwrap();

        assert_eq!(recipe.selection.from.unwrap().to_rfc3339(), "2026-11-01T00:00:00+00:00");
    }
}
