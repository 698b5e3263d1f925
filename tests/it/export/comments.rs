//! What users wrote about answers leaves with the rows: given, changed, retracted, not vouched for, and erased.

use std::collections::BTreeMap;

use afterword::domain::export::{Export, ExportStatus};
use afterword::domain::ids::ExportId;
use afterword::domain::principal::Trust;
use afterword::service::erase;
use afterword::worker::Worker;
use arrow::array::AsArray as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::erasure::user;
use super::fixture::{Fixture, batches, completion, manifest, preference};

fn id_of(n: u128) -> String {
    Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 + n).to_string()
}

/// What somebody says of the answer `about`.
pub(super) fn comment(n: u128, user: &str, about: &str, text: &str) -> Value {
    json!({"id": id_of(n), "completion_id": about, "signal": "comment", "text": text, "user": user})
}

async fn made(fixture: &Fixture, body: Value) -> Export {
    let worker = Worker::start(fixture.app.clone());
    let export = fixture.until_ended(fixture.request(body).await).await;
    worker.stop().await;
    assert_eq!(export.status, ExportStatus::Completed, "{export:?}");
    export
}

/// Reads every column of text of a config, row by row, by the completion that the row is about.
async fn rows(fixture: &Fixture, export: &Export, config: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for files in manifest(export)["configs"][config].as_object().unwrap().values() {
        for file in files.as_array().unwrap() {
            for batch in batches(fixture.read(export.id, file["path"].as_str().unwrap()).await) {
                for row in 0..batch.num_rows() {
                    let schema = batch.schema();
                    let texts = schema.fields().iter().zip(batch.columns()).filter_map(|(field, column)| {
                        Some((field.name().clone(), column.as_string_opt::<i32>()?.value(row).to_owned()))
                    });
                    let texts: BTreeMap<String, String> = texts.collect();
                    let proof: Value = serde_json::from_str(&texts["metadata"]).unwrap();
                    found.insert(proof["completion"].as_str().unwrap().to_owned(), texts);
                }
            }
        }
    }
    found
}

/// Three pairs. `ann` changes her mind about the first, `dan` takes his words back, `eve` is vouched for by nobody.
async fn commented() -> Fixture {
    let mut fixture = Fixture::new().await;
    let mut completions: Vec<Value> = (0..3).flat_map(|n| [completion(n, "new"), completion(n, "old")]).collect();
    completions[0]["response"]["content"] = json!("Write to bob@example.com.");
    let taken_back = json!({"id": id_of(5), "completion_id": "old-0", "signal": "thumb", "value": "none",
                                "user": "dan", "supersedes": id_of(4)});
    let with_thumb = json!({"id": id_of(6), "completion_id": "new-1", "signal": "thumb", "value": "up",
                                "user": "fay", "comment": "Just \u{1F642}\r\nright "});
    let feedback = vec![
        comment(1, "ann", "new-0", "A first thought"),
        comment(2, "ann", "new-0", "bob@example.com is gone, ask carl@example.org"),
        comment(3, "gil", "old-0", "Call +49 30 1234567"),
        comment(4, "dan", "old-0", "I never said this"),
        taken_back,
        with_thumb,
    ];
    let preferences = (0..3).map(|n| preference(n, "better")).collect();
    fixture.record(completions, preferences).await;
    fixture.record(Vec::new(), feedback).await;
    fixture.principal.trust = Trust::Unverified;
    fixture.record(Vec::new(), vec![comment(7, "eve", "new-2", "Buy my watches")]).await;
    fixture.principal.trust = Trust::Verified;
    fixture
}

fn trusted(recipe: &str) -> Value {
    json!({"recipe": recipe, "selection": {"trust": "verified"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_users_wrote_leaves_beside_the_answers_without_personal_data() {
    let fixture = commented().await;

    let export = made(&fixture, trusted("dpo")).await;
    let pairs = rows(&fixture, &export, "dpo").await;
    let labelled = made(&fixture, json!({"format": "sft", "selection": {"trust": "verified"}})).await;
    let endorsed = rows(&fixture, &labelled, "sft").await;

    let texts = |name: &str| [&pairs[name]["chosen_feedback_text"], &pairs[name]["rejected_feedback_text"]];
    assert_eq!(texts("new-0"), ["<EMAIL_1> is gone, ask <EMAIL_2>", "Call <PHONE_1>"]);
    assert_eq!(texts("new-1"), ["Just \u{1F642}\r\nright", ""]);
    assert_eq!(texts("new-2"), ["", ""], "nobody vouches for eve");
    assert_eq!(endorsed["new-1"]["feedback_text"], "Just \u{1F642}\r\nright");
    assert_eq!(manifest(&export)["pii"]["n_places"], json!({"EMAIL": 3, "PHONE": 1}));
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_comments_out_leaves_every_other_value_as_it_is() {
    let fixture = commented().await;
    let mut body = trusted("dpo");
    let with = rows(&fixture, &made(&fixture, body.clone()).await, "dpo").await;
    body["options"] = json!({"comments": "leave_out"});

    let export = made(&fixture, body.clone()).await;
    let mut without = rows(&fixture, &export, "dpo").await;

    assert_eq!(erase::affected(&fixture.app, &fixture.principal, &user("ann")).await.unwrap().len(), 1);
    for (completion, row) in &mut without {
        assert!(!row.contains_key("chosen_feedback_text") && !row.contains_key("rejected_feedback_text"));
        for column in ["chosen_feedback_text", "rejected_feedback_text"] {
            row.insert(column.to_owned(), with[completion][column].clone());
        }
    }
    assert_eq!(without, with);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_proves_lines_of_json_holds_the_comments_and_the_lines_do_not() {
    let fixture = commented().await;
    let mut body = trusted("dpo");
    body["layout"] = json!("openai_jsonl");

    let export = made(&fixture, body).await;

    let manifest = manifest(&export);
    let (mut n_told, mut n_lines) = (0, 0);
    for file in manifest["files"].as_array().unwrap() {
        let path = file["path"].as_str().unwrap();
        if std::path::Path::new(path).extension().is_some_and(|ending| ending == "jsonl") {
            let text = String::from_utf8(fixture.read(export.id, path).await.to_vec()).unwrap();
            assert!(path.starts_with("provenance/") || !text.contains("is gone"), "{path}");
            n_told += text.matches(r#""chosen_feedback_text":"<EMAIL_1> is gone, ask <EMAIL_2>""#).count();
            n_lines += text.lines().count();
        }
    }
    assert_eq!((n_told, n_lines), (1, 6));
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_who_only_commented_revokes_the_export_and_the_words_stay_away() {
    let fixture = commented().await;
    let export = made(&fixture, trusted("dpo")).await;
    let affected = async |name: &str| -> Vec<ExportId> {
        let exports = erase::affected(&fixture.app, &fixture.principal, &user(name)).await.unwrap();
        exports.iter().map(|export| export.id).collect()
    };
    assert_eq!(affected("ann").await, [export.id]);
    assert_eq!(affected("fay").await, [export.id]);
    assert_eq!(affected("dan").await, [], "what was taken back is in no export");
    assert_eq!(affected("eve").await, [], "nor is what nobody vouches for");

    let report = fixture.erase("ann").await;
    let again = made(&fixture, trusted("dpo")).await;
    let pairs = rows(&fixture, &again, "dpo").await;

    assert_eq!(report.exports.iter().map(|export| export.id).collect::<Vec<_>>(), [export.id]);
    assert_eq!(fixture.until_ended(export.id).await.status, ExportStatus::Revoked);
    assert_eq!(pairs.len(), 3, "the row stays: it was never hers");
    assert_eq!(pairs["new-0"]["chosen_feedback_text"], "");
    assert_eq!(pairs["new-0"]["rejected_feedback_text"], "Call <PHONE_1>");
}
