//! Exports whose rows are lines of JSON: what is right passes every check, and what is wrong is found through the files that
//! prove the rows.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use afterword::domain::recipe::Layout;
use afterword::service::export_diff::diff;
use afterword::service::export_folder::{Target, export_to};
use afterword::service::export_progress::Progress;
use afterword::service::export_verify::CheckStatus;
use afterword::service::exports;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::checks::{check, copied, failing, renew};
use super::fixture::Fixture;

/// Exports a shipped recipe in a layout, and says what became of the rows of `parent`.
pub(super) async fn export_as(fixture: &Fixture, recipe: &str, layout: Layout, out: &Path, parent: Option<&Path>) {
    let mut recipe = exports::shipped(recipe).unwrap();
    recipe.layout = layout;
    (recipe.options.test_share, recipe.options.validation_share) = (0.2, 0.2);
    let target = Target { out, force: false, parent };
    let (progress, go_on) = (Arc::new(Progress::default()), CancellationToken::new());
    export_to(&fixture.app, fixture.principal.project_id, &recipe, &target, &progress, &go_on).await.unwrap();
}

struct Made {
    root: TempDir,
    config: &'static str,
}

impl Made {
    async fn of(fixture: &Fixture, recipe: &'static str, layout: Layout, config: &'static str) -> Self {
        let root = tempfile::tempdir().unwrap();
        export_as(fixture, recipe, layout, &root.path().join("out"), None).await;
        Self { root, config }
    }

    fn out(&self) -> PathBuf {
        self.root.path().join("out")
    }

    /// Names the checks that fail on a copy that was damaged.
    fn damaged(&self, damage: impl Fn(&Path)) -> Vec<&'static str> {
        let copy = copied(&self.out());
        damage(&copy.path().join("out"));
        failing(&copy.path().join("out"))
    }

    fn path(&self, split: &str) -> String {
        let manifest: Value = serde_json::from_slice(&fs::read(self.out().join("manifest.json")).unwrap()).unwrap();
        manifest["configs"][self.config][split][0]["path"].as_str().unwrap().to_owned()
    }

    fn proofs(&self, split: &str) -> String {
        format!("provenance/{}-{split}.jsonl", self.config)
    }
}

fn lines(folder: &Path, path: &str) -> Vec<String> {
    fs::read_to_string(folder.join(path)).unwrap().lines().map(str::to_owned).collect()
}

/// Writes lines and has the manifest say so.
fn write(folder: &Path, path: &str, lines: &[String]) {
    fs::write(folder.join(path), lines.join("\n") + "\n").unwrap();
    renew(folder, path, lines.len());
}

fn without_last(folder: &Path, path: &str) {
    let lines = lines(folder, path);
    write(folder, path, &lines[..lines.len() - 1]);
}

async fn made(fixture: &Fixture) -> [Made; 3] {
    [
        Made::of(fixture, "dpo", Layout::OpenaiJsonl, "dpo").await,
        Made::of(fixture, "sft", Layout::OpenaiJsonl, "sft").await,
        Made::of(fixture, "sft", Layout::MlxJsonl, "sft").await,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_export_of_lines_passes_every_check() {
    let fixture = Fixture::with_pairs(60).await;

    for made in made(&fixture).await {
        let verification = check(&made.out());

        assert!(verification.is_good(), "{verification:#?}");
        let passed: Vec<&str> = verification
            .checks
            .iter()
            .filter(|check| check.status == CheckStatus::Pass)
            .map(|check| check.name)
            .collect();
        for name in ["provenance", "schema", "leakage_of_rows", "leakage_of_prompts", "leakage_of_groups", "card"] {
            assert!(passed.contains(&name), "{name}: {verification:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_to_lines_is_found_by_its_check_though_every_hash_is_right() {
    let fixture = Fixture::with_pairs(60).await;

    for made in made(&fixture).await {
        let (train, proofs) = (made.path("train"), [made.proofs("train"), made.proofs("test")]);
        let fewer_rows = made.damaged(|out| without_last(out, &train));
        assert_eq!(fewer_rows, ["counts", "provenance", "card"]);
        let fewer_proofs = made.damaged(|out| without_last(out, &proofs[0]));
        assert_eq!(fewer_proofs, ["provenance"]);
        let leaked = made.damaged(|out| {
            let trained: Value = serde_json::from_str(&lines(out, &proofs[0])[0]).unwrap();
            let mut tested = lines(out, &proofs[1]);
            let mut proof: Value = serde_json::from_str(&tested[0]).unwrap();
            proof["prompt_hash"] = trained["prompt_hash"].clone();
            tested[0] = proof.to_string();
            write(out, &proofs[1], &tested);
        });
        assert_eq!(leaked, ["leakage_of_prompts"]);
        let other_keys = made.damaged(|out| {
            let mut rows = lines(out, &train);
            rows[1] = rows[1].replacen('{', "{\"row_id\":\"x\",", 1);
            write(out, &train, &rows);
        });
        assert_eq!(other_keys, ["schema"]);
        let unproved = made.damaged(|out| {
            let mut proved = lines(out, &proofs[0]);
            proved[0] = "{}".to_owned();
            write(out, &proofs[0], &proved);
        });
        assert_eq!(unproved, ["leakage_of_rows", "leakage_of_prompts", "leakage_of_groups"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_of_lines_with_one_text_on_both_sides_is_found() {
    let fixture = Fixture::with_pairs(60).await;
    let made = Made::of(&fixture, "dpo", Layout::OpenaiJsonl, "dpo").await;
    let train = made.path("train");

    let identical = made.damaged(|out| {
        let mut rows = lines(out, &train);
        let mut row: Value = serde_json::from_str(&rows[0]).unwrap();
        row["non_preferred_output"] = row["preferred_output"].clone();
        rows[0] = row.to_string();
        write(out, &train, &rows);
    });

    assert_eq!(identical, ["identical_answers"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_of_lines_are_compared_with_each_other_and_with_parents_through_what_proves_their_rows() {
    let fixture = Fixture::with_pairs(40).await;
    let first = Made::of(&fixture, "dpo", Layout::OpenaiJsonl, "dpo").await;
    let same = Made::of(&fixture, "dpo", Layout::OpenaiJsonl, "dpo").await;
    let columns = Made::of(&fixture, "dpo", Layout::Trl, "dpo").await;
    fixture.add(40..43, "better").await;
    fixture.erase("user-5").await;
    let child = first.root.path().join("child");
    export_as(&fixture, "dpo", Layout::OpenaiJsonl, &child, Some(&first.out())).await;

    let nothing = diff(&first.out(), &same.out(), 10).unwrap();
    let shapes = diff(&first.out(), &columns.out(), 10).unwrap();
    let something = diff(&first.out(), &child, 10).unwrap();
    let manifest: Value = serde_json::from_slice(&fs::read(child.join("manifest.json")).unwrap()).unwrap();

    assert!(nothing.has_same_rows() && nothing.is_safe() && nothing.not_compared.is_empty(), "{nothing:?}");
    assert_eq!(nothing.configs["dpo"].values().map(|split| split.n_same).sum::<u64>(), 40);
    assert!(shapes.is_safe() && !shapes.has_same_rows(), "the same rows in another shape, in the same splits");
    assert_eq!(shapes.configs["dpo"].values().map(|split| split.n_changed).sum::<u64>(), 40);
    let counts = something.configs["dpo"].values().fold((0, 0), |sum, it| (sum.0 + it.n_added, sum.1 + it.n_removed));
    assert_eq!((counts, something.n_moved), ((3, 1), 0));
    let told = &manifest["parent"];
    assert_eq!(
        (&told["n_kept"], &told["n_added"], &told["n_removed"], &told["n_erased"]),
        (&Value::from(39), &Value::from(3), &Value::from(1), &Value::from(1)),
        "{told}"
    );
}
