//! Two exports of one feedback whose recipes draw splits differently: whoever trains on one and evaluates on the other is
//! told what the model has seen.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use afterword::domain::recipe::{Layout, Recipe};
use afterword::service::export_diff::diff;
use afterword::service::export_folder::export_to_folder;
use afterword::service::export_progress::Progress;
use afterword::service::exports;
use arrow::array::{Array as _, AsArray as _};
use bytes::Bytes;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::fixture::{Fixture, batches};

fn recipe(name: &str, salt: &str) -> Recipe {
    let mut recipe = exports::shipped(name).unwrap();
    (recipe.options.test_share, recipe.options.validation_share) = (0.2, 0.2);
    salt.clone_into(&mut recipe.options.split_salt);
    recipe
}

async fn export(fixture: &Fixture, recipe: &Recipe, out: &Path) {
    let (progress, go_on) = (Arc::new(Progress::default()), CancellationToken::new());
    let project_id = fixture.principal.project_id;
    export_to_folder(&fixture.app, project_id, recipe, out, false, &progress, &go_on).await.unwrap();
}

/// Reads the prompts of a folder that lie in its train split, and those that lie in another.
fn prompts(folder: &Path) -> [BTreeSet<String>; 2] {
    let manifest: Value = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let mut found = [BTreeSet::new(), BTreeSet::new()];
    for splits in manifest["configs"].as_object().unwrap().values() {
        for (split, files) in splits.as_object().unwrap() {
            for file in files.as_array().unwrap() {
                let part = fs::read(folder.join(file["path"].as_str().unwrap())).unwrap();
                for batch in batches(Bytes::from(part)) {
                    let hashes = batch.column_by_name("prompt_hash").unwrap().as_string::<i32>().clone();
                    let hashes = (0..hashes.len()).map(|row| hashes.value(row).to_owned());
                    found[usize::from(split != "train")].extend(hashes);
                }
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_one_export_trains_on_and_another_evaluates_on_is_told_whatever_the_config() {
    let fixture = Fixture::with_pairs(60).await;
    let root = tempfile::tempdir().unwrap();
    let (pairs, answers, lines, again) =
        (root.path().join("a"), root.path().join("b"), root.path().join("c"), root.path().join("d"));
    export(&fixture, &recipe("dpo", "one"), &pairs).await;
    export(&fixture, &recipe("sft", "other"), &answers).await;
    let as_lines = Recipe { layout: Layout::OpenaiJsonl, ..recipe("sft", "other") };
    export(&fixture, &as_lines, &lines).await;
    export(&fixture, &recipe("sft", "one"), &again).await;

    let found = diff(&pairs, &answers, 2).unwrap();
    let of_lines = diff(&pairs, &lines, 2).unwrap();
    let same_salt = diff(&pairs, &again, 2).unwrap();

    let ([trained, evaluated], [trained_there, evaluated_there]) = (prompts(&pairs), prompts(&answers));
    let crossing: Vec<&String> = trained.intersection(&evaluated_there).collect();
    let back: Vec<&String> = trained_there.intersection(&evaluated).collect();
    assert!(crossing.len() > 2 && back.len() > 2, "the two salts draw other splits");
    assert_eq!(found.prompts.n_trained_in_a, crossing.len() as u64);
    assert_eq!(found.prompts.n_trained_in_b, back.len() as u64);
    assert_eq!(found.prompts.trained_in_a.iter().collect::<Vec<_>>(), crossing[..2]);
    assert!(
        found.n_moved == 0 && !found.is_safe(),
        "no row is in both, and yet a model would be asked what it has seen"
    );
    assert_eq!(of_lines.prompts, found.prompts, "lines are compared through what proves them");
    assert!(same_salt.is_safe(), "{same_salt:?}");
}
