//! `export verify` and `export diff`: what is right passes, and every kind of damage is found by the check that is for it.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use afterword::service::export_diff::diff;
use afterword::service::export_folder::{FolderError, Target, export_to};
use afterword::service::export_progress::Progress;
use afterword::service::export_reading::ReadError;
use afterword::service::export_verify::{CheckStatus, Verification, verify};
use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::fixture::{Fixture, batches};
use super::folder::export;

const TRAIN: &str = "data/train-00000-of-00001.parquet";
const TEST: &str = "data/test-00000-of-00001.parquet";

pub(super) fn check(folder: &Path) -> Verification {
    verify(folder, &Progress::default()).unwrap()
}

/// Names the checks that fail.
pub(super) fn failing(folder: &Path) -> Vec<&'static str> {
    let checks = check(folder).checks;
    checks.iter().filter(|check| check.status == CheckStatus::Fail).map(|check| check.name).collect()
}

async fn exported(fixture: &Fixture, recipe: &str) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    export(fixture, recipe, &root.path().join("out"), false, &CancellationToken::new()).await.unwrap();
    root
}

/// Copies an export, so that each damage is the only one.
pub(super) fn copied(from: &Path) -> TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy(&entry.path(), &to);
            } else {
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    let root = tempfile::tempdir().unwrap();
    copy(from, &root.path().join("out"));
    root
}

fn edit_manifest(folder: &Path, edit: impl FnOnce(&mut Value)) {
    let path = folder.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    edit(&mut manifest);
    fs::write(path, manifest.to_string()).unwrap();
}

/// Writes a part anew and has the manifest say so.
fn replace_part(folder: &Path, path: &str, batch: &RecordBatch) {
    let mut writer = ArrowWriter::try_new(File::create(folder.join(path)).unwrap(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    renew(folder, path, batch.num_rows());
}

/// Has the manifest name a file with the rows, bytes and hash that it has now.
pub(super) fn renew(folder: &Path, path: &str, n_rows: usize) {
    let content = fs::read(folder.join(path)).unwrap();
    let entry = json!({"path": path, "rows": n_rows, "bytes": content.len(),
                       "sha256": hex::encode(Sha256::digest(&content))});
    edit_manifest(folder, |manifest| {
        let files = manifest["files"].as_array_mut().unwrap();
        for file in files.iter_mut().filter(|file| file["path"] == path) {
            *file = entry.clone();
        }
        for (_, splits) in manifest["configs"].as_object_mut().unwrap() {
            for (_, files) in splits.as_object_mut().unwrap() {
                for file in files.as_array_mut().unwrap().iter_mut().filter(|file| file["path"] == path) {
                    *file = entry.clone();
                }
            }
        }
    });
}

pub(super) fn batch_of(folder: &Path, path: &str) -> RecordBatch {
    let batches = batches(Bytes::from(fs::read(folder.join(path)).unwrap()));
    arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_of_every_shipped_recipe_pass_every_check() {
    let fixture = Fixture::with_pairs(150).await;
    fixture.add(150..155, "tie").await;

    for recipe in afterword::service::exports::shipped_names() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("out");
        if export(&fixture, recipe, &out, false, &CancellationToken::new()).await.is_err() {
            // The pairs hold nothing that the recipe could use.
            continue;
        }
        let verification = check(&out);
        assert!(verification.is_good(), "{recipe}: {verification:#?}");
        assert!(verification.checks.len() >= 12, "{verification:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_damage_is_found_by_its_check() {
    let fixture = Fixture::with_pairs(150).await;
    let good = exported(&fixture, "dpo").await;
    let damaged = |damage: &dyn Fn(&Path)| {
        let copy = copied(&good.path().join("out"));
        damage(&copy.path().join("out"));
        failing(&copy.path().join("out"))
    };

    let flipped = |out: &Path| {
        let mut content = fs::read(out.join(TRAIN)).unwrap();
        let middle = content.len() / 2;
        content[middle] ^= 1;
        fs::write(out.join(TRAIN), content).unwrap();
    };
    assert_eq!(damaged(&flipped), ["files"]);
    assert_eq!(damaged(&|out| fs::remove_file(out.join(TEST)).unwrap()), ["files"]);
    let beside = |out: &Path| {
        fs::copy(out.join(TRAIN), out.join("data/train-00001-of-00002.parquet")).unwrap();
    };
    assert_eq!(damaged(&beside), ["unlisted_files"]);
    assert_eq!(damaged(&|out| fs::write(out.join("model.bin"), "x").unwrap()), [""; 0]);
    let counted = |out: &Path| edit_manifest(out, |manifest| manifest["n_examples"] = json!(149));
    assert_eq!(damaged(&counted), ["counts", "funnel"]);
    let excluded = |out: &Path| edit_manifest(out, |manifest| manifest["n_exclusions"] = json!({"tie": 1}));
    assert_eq!(damaged(&excluded), ["funnel"]);
    let leaked = |out: &Path| {
        let (train, test) = (batch_of(out, TRAIN), batch_of(out, TEST));
        replace_part(out, TEST, &train.slice(0, test.num_rows()));
    };
    assert_eq!(damaged(&leaked), ["leakage_of_rows", "leakage_of_prompts", "leakage_of_groups"]);
    let identical = |out: &Path| {
        let train = batch_of(out, TRAIN);
        let mut columns = train.columns().to_vec();
        columns[train.schema().index_of("rejected").unwrap()] =
            columns[train.schema().index_of("chosen").unwrap()].clone();
        replace_part(out, TRAIN, &RecordBatch::try_new(train.schema(), columns).unwrap());
    };
    assert_eq!(damaged(&identical), ["identical_answers"]);
    let shorter = |out: &Path| {
        let train = batch_of(out, TRAIN);
        replace_part(out, TRAIN, &train.slice(0, train.num_rows() - 1));
    };
    assert_eq!(damaged(&shorter), ["counts", "card"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_of_one_class_and_a_column_of_its_own_are_found() {
    let fixture = Fixture::with_pairs(150).await;
    let good = exported(&fixture, "dpo").await;
    let out = good.path().join("out");
    let train = batch_of(&out, TRAIN);
    let mut fields: Vec<Field> = train.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.push(Field::new("label", DataType::Boolean, false));
    let labels: ArrayRef = Arc::new(BooleanArray::from(vec![true; train.num_rows()]));
    let columns = [train.columns(), &[labels]].concat();

    replace_part(&out, TRAIN, &RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap());

    assert_eq!(failing(&out), ["schema", "label_classes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_export_is_refused() {
    let root = tempfile::tempdir().unwrap();
    assert!(matches!(verify(root.path(), &Progress::default()), Err(ReadError::NoManifest(_))));

    fs::write(root.path().join("manifest.json"), "{}").unwrap();
    assert!(matches!(verify(root.path(), &Progress::default()), Err(ReadError::NotAManifest)));

    let stray = json!({"manifest_version": 1, "export_id": "x", "n_examples": 0, "configs": {},
                       "files": [{"path": "../secret", "rows": 0, "bytes": 1, "sha256": ""}]});
    fs::write(root.path().join("manifest.json"), stray.to_string()).unwrap();
    assert!(failing(root.path()).contains(&"files"), "a path that leads out is not followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_tells_what_came_what_left_and_that_nothing_moved() {
    let fixture = Fixture::with_pairs(100).await;
    let first = exported(&fixture, "dpo").await;
    let same = exported(&fixture, "dpo").await;
    fixture.add(100..110, "better").await;
    fixture.erase("user-5").await;
    let second = exported(&fixture, "dpo").await;
    let folder = |root: &TempDir| root.path().join("out");

    let nothing = diff(&folder(&first), &folder(&same), 10).unwrap();
    let something = diff(&folder(&first), &folder(&second), 3).unwrap();

    assert!(nothing.has_same_rows() && nothing.recipe.is_empty() && nothing.stats.is_empty(), "{nothing:?}");
    let sum = |number: fn(&afterword::service::export_diff::SplitDiff) -> u64| -> u64 {
        something.configs["dpo"].values().map(number).sum()
    };
    assert_eq!((sum(|it| it.n_added), sum(|it| it.n_removed), sum(|it| it.n_changed)), (10, 1, 0));
    assert_eq!((sum(|it| it.n_same), something.n_moved), (99, 0));
    assert!(sum(|it| it.added.len() as u64) <= 9, "as many ids are listed as were asked for, for each split");
    assert!(something.recipe.is_empty() && !something.stats.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_moved_or_changed_is_told() {
    let fixture = Fixture::with_pairs(150).await;
    let good = exported(&fixture, "dpo").await;
    let copy = copied(&good.path().join("out"));
    let (before, after) = (good.path().join("out"), copy.path().join("out"));
    let (train, test) = (batch_of(&after, TRAIN), batch_of(&after, TEST));
    let swapped = [train.slice(0, train.num_rows() - 1), test.slice(0, 1)];
    replace_part(&after, TRAIN, &arrow::compute::concat_batches(&train.schema(), &swapped).unwrap());
    replace_part(&after, TEST, &test.slice(1, test.num_rows() - 1));
    edit_manifest(&after, |manifest| manifest["recipe"]["options"]["min_votes"] = json!(2));

    let found = diff(&before, &after, 10).unwrap();

    assert_eq!((found.n_moved, found.moved[0].from.as_str(), found.moved[0].to.as_str()), (1, "test", "train"));
    assert_eq!(found.recipe.iter().map(|it| it.pointer.as_str()).collect::<Vec<_>>(), ["/options/min_votes"]);
    assert!(!found.has_same_rows());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_tells_which_rows_of_its_parent_left_and_why() {
    let fixture = Fixture::with_pairs(40).await;
    let first = exported(&fixture, "dpo").await;
    let (parent, out) = (first.path().join("out"), first.path().join("child"));
    fixture.add(40..43, "better").await;
    fixture.erase("user-5").await;
    // The rater of another pair changes their mind: that row leaves, too, and nobody was erased for it.
    let mut tie = super::fixture::preference(1_007, "tie");
    (tie["completion_id"], tie["against"], tie["user"]) = (json!("new-7"), json!("old-7"), json!("user-7"));
    fixture.record(Vec::new(), vec![tie]).await;

    let (recipe, progress) = (afterword::service::exports::shipped("dpo").unwrap(), Arc::new(Progress::default()));
    let target = Target { out: &out, force: false, parent: Some(&parent) };
    let (app, project_id, go_on) = (&fixture.app, fixture.principal.project_id, CancellationToken::new());
    let manifest = export_to(app, project_id, &recipe, &target, &progress, &go_on).await.unwrap();
    let other = first.path().join("other");
    let nowhere = Target { out: &other, force: false, parent: Some(first.path()) };
    let refused = export_to(app, project_id, &recipe, &nowhere, &progress, &go_on).await;

    let told = manifest.parent.clone().unwrap();
    assert_eq!((told.n_kept, told.n_added, told.n_removed, told.n_moved), (38, 3, 2, 0), "{told:?}");
    assert_eq!((told.n_erased, told.erased.len(), told.removed.len()), (1, 1, 1));
    let written: Value = serde_json::from_slice(&fs::read(out.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(written["parent"], serde_json::to_value(&told).unwrap());
    assert!(check(&out).is_good());
    assert!(matches!(refused, Err(FolderError::Parent(_))), "{refused:?}");
    assert!(!other.exists());
}
