//! What two exports differ in: rows by their ids, recipes, statistics. It reads two folders and changes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::export_crossing::{Crossing, crossing};
use super::export_proofs::Proofs;
use super::export_reading::{Pass, ReadError, ReadManifest};
use crate::domain::hash::ContentHash;

/// What two exports, `a` and then `b`, differ in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diff {
    /// The first.
    pub a: Side,
    /// The second.
    pub b: Side,
    /// Rows by config and split.
    pub configs: BTreeMap<String, BTreeMap<String, SplitDiff>>,
    /// Rows that lie in another split of `b` than of `a`; under one salt and one recipe there must be none.
    pub n_moved: u64,
    /// The first of them.
    pub moved: Vec<Moved>,
    /// Prompts, by `prompt_hash`, that one of the two trains on and the other evaluates on, whichever the config.
    pub prompts: Crossing,
    /// Groups, by `group_id`, for which the same is true.
    pub groups: Crossing,
    /// Configs that cannot be compared row by row, because nothing there tells the ids of their rows.
    pub not_compared: Vec<String>,
    /// What the recipes differ in.
    pub recipe: Vec<Difference>,
    /// What the statistics differ in.
    pub stats: Vec<Difference>,
}

/// One of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The export that its manifest names.
    pub export_id: String,
    /// Its rows.
    pub n_examples: u64,
}

/// What became of the rows of a split; a row that moved counts as removed here and as added there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SplitDiff {
    /// Rows that are the same.
    pub n_same: u64,
    /// Rows of `b` only.
    pub n_added: u64,
    /// Rows of `a` only.
    pub n_removed: u64,
    /// Rows of both with other content.
    pub n_changed: u64,
    /// The ids of the first that were added.
    pub added: Vec<String>,
    /// The ids of the first that were removed.
    pub removed: Vec<String>,
    /// The ids of the first that changed.
    pub changed: Vec<String>,
}

/// A row in two splits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// Its id.
    pub row_id: String,
    /// Its config.
    pub config: String,
    /// Where it was.
    pub from: String,
    /// Where it is.
    pub to: String,
}

/// A value that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// JSON Pointer to it.
    pub pointer: String,
    /// Its value in `a`; null where it is absent.
    pub a: Value,
    /// Its value in `b`.
    pub b: Value,
}

impl Diff {
    /// Tells whether one may train on either and evaluate on the other: no row moved, and no prompt or group crosses.
    pub fn is_safe(&self) -> bool {
        self.n_moved == 0 && self.prompts.is_none() && self.groups.is_none()
    }

    /// Tells whether both hold the same rows in the same splits.
    pub fn has_same_rows(&self) -> bool {
        let is_same = |split: &SplitDiff| split.n_added + split.n_removed + split.n_changed == 0;
        self.configs.values().flat_map(BTreeMap::values).all(is_same)
    }
}

/// Compares two folders; lists at most `max_listed` ids of each kind.
pub fn diff(a: &Path, b: &Path, max_listed: usize) -> Result<Diff, ReadError> {
    let (of_a, of_b) = (ReadManifest::open(a)?, ReadManifest::open(b)?);
    let side =
        |manifest: &ReadManifest| Side { export_id: manifest.export_id.clone(), n_examples: manifest.n_examples };
    let mut diff = Diff {
        a: side(&of_a),
        b: side(&of_b),
        configs: BTreeMap::new(),
        n_moved: 0,
        moved: Vec::new(),
        prompts: crossing((a, &of_a), (b, &of_b), "prompt_hash", max_listed)?,
        groups: crossing((a, &of_a), (b, &of_b), "group_id", max_listed)?,
        not_compared: Vec::new(),
        recipe: differences(&of_a.recipe, &of_b.recipe),
        stats: differences(&stats(a), &stats(b)),
    };
    let configs: BTreeSet<&String> = of_a.configs.keys().chain(of_b.configs.keys()).collect();
    for config in configs {
        match (of_a.proofs_of(a, config), of_b.proofs_of(b, config)) {
            (Ok(left), Ok(right)) => {
                let passes = Pass::all(&[&of_a, &of_b]);
                compare((&left, &right), passes, &mut diff, config, max_listed)?;
            }
            _ => diff.not_compared.push(config.clone()),
        }
    }
    Ok(diff)
}

/// Tells every row of a pass: its key, its id, what it holds, its split.
fn read<'a>(
    proofs: &[Proofs<'a>],
    pass: Pass,
    mut each: impl FnMut(u128, &str, ContentHash, &'a str),
) -> Result<(), ReadError> {
    for proof in proofs {
        proof.contents(|row_id, content| {
            if let Some(key) = pass.take(row_id) {
                each(key, row_id, content, proof.split);
            }
        })?;
    }
    Ok(())
}

fn compare(
    (left, right): (&[Proofs<'_>], &[Proofs<'_>]),
    passes: impl Iterator<Item = Pass>,
    diff: &mut Diff,
    config: &str,
    max_listed: usize,
) -> Result<(), ReadError> {
    let mut splits: BTreeMap<String, SplitDiff> = BTreeMap::new();
    let (moved, n_moved) = (&mut diff.moved, &mut diff.n_moved);
    let list = |ids: &mut Vec<String>, row_id: &str| {
        if ids.len() < max_listed {
            ids.push(row_id.to_owned());
        }
    };
    for pass in passes {
        let mut rows: HashMap<u128, (ContentHash, &str)> = HashMap::new();
        read(left, pass, |key, _, content, split| {
            rows.insert(key, (content, split));
        })?;
        read(right, pass, |key, row_id, content, split| {
            let before = rows.remove(&key);
            if let Some((_, from)) = before.filter(|(_, from)| *from != split) {
                *n_moved += 1;
                if moved.len() < max_listed {
                    let (from, to) = (from.to_owned(), split.to_owned());
                    moved.push(Moved { row_id: row_id.to_owned(), config: config.to_owned(), from, to });
                }
                let there = splits.entry(from.to_owned()).or_default();
                there.n_removed += 1;
                list(&mut there.removed, row_id);
            }
            let here = splits.entry(split.to_owned()).or_default();
            match before.filter(|(_, from)| *from == split) {
                Some((same, _)) if same == content => here.n_same += 1,
                Some(_) => {
                    here.n_changed += 1;
                    list(&mut here.changed, row_id);
                }
                None => {
                    here.n_added += 1;
                    list(&mut here.added, row_id);
                }
            }
        })?;
        let mut gone: Vec<(u128, &str)> = rows.into_iter().map(|(key, (_, split))| (key, split)).collect();
        gone.sort_unstable();
        for (key, split) in gone {
            let there = splits.entry(split.to_owned()).or_default();
            there.n_removed += 1;
            list(&mut there.removed, &format!("{key:032x}"));
        }
    }
    diff.configs.insert(config.to_owned(), splits);
    Ok(())
}

/// Reads the statistics of a folder; null where there are none.
fn stats(folder: &Path) -> Value {
    let text = std::fs::read(folder.join("stats.json")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Lists the values that differ, by their pointers. A list is one value; an object that only one side has is as many as it
/// has members.
fn differences(a: &Value, b: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    walk("", a, b, &mut found);
    found
}

fn walk(pointer: &str, a: &Value, b: &Value, found: &mut Vec<Difference>) {
    let (none, members) =
        (serde_json::Map::new(), |value: &Value| value.as_object().filter(|it| !it.is_empty()).cloned());
    let sides = match (a, b) {
        (Value::Object(left), Value::Object(right)) => Some((left.clone(), right.clone())),
        (left, Value::Null) => members(left).map(|left| (left, none)),
        (Value::Null, right) => members(right).map(|right| (none, right)),
        _ => None,
    };
    if let Some((left, right)) = sides {
        let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
        for name in names {
            let below = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
            let member = |object: &serde_json::Map<String, Value>| object.get(name).cloned().unwrap_or_default();
            walk(&below, &member(&left), &member(&right), found);
        }
    } else if a != b {
        found.push(Difference { pointer: pointer.to_owned(), a: a.clone(), b: b.clone() });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_that_differ_are_named_by_their_pointers() {
        let a = json!({"options": {"min_votes": 1, "ties": "drop"}, "formats": ["sft"], "a/b": 1, "only": {"here": 3}});
        let b = json!({"options": {"min_votes": 2, "ties": "drop", "margin": "none"}, "formats": ["sft"], "a/b": 2});

        let found = differences(&a, &b);

        let told: Vec<(&str, &Value, &Value)> = found.iter().map(|it| (it.pointer.as_str(), &it.a, &it.b)).collect();
        assert_eq!(
            told,
            [
                ("/a~1b", &json!(1), &json!(2)),
                ("/only/here", &json!(3), &Value::Null),
                ("/options/margin", &Value::Null, &json!("none")),
                ("/options/min_votes", &json!(1), &json!(2)),
            ]
        );
    }
}
