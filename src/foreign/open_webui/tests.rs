//! What is read of an export as Open WebUI writes it.

use super::*;
use crate::domain::completion::{Message, NewCompletion};
use crate::domain::feedback::{NewFeedback, Outcome, Reaction, Thumb};

const EXPORT: &[u8] = include_bytes!("../../../tests/fixtures/open_webui/feedback.json");

fn rows() -> Vec<Json> {
    let Json::Array(rows) = Json::parse_foreign(EXPORT).unwrap() else { panic!("a list") };
    rows
}

fn gather(rows: &[Json], options: Options) -> (Import, Vec<FieldCode>) {
    let mut gathered = Gathered::new(options);
    let refused = rows.iter().filter_map(|row| gathered.add(row).err()).map(|error| error.code).collect();
    (gathered.finish(), refused)
}

fn completion(import: &Import, id: &str) -> NewCompletion {
    let of_id = |value: &&Json| value.get("id").unwrap().as_str() == Some(id);
    NewCompletion::from_json(import.completions.iter().find(of_id).unwrap().clone(), "").unwrap()
}

fn feedback(import: &Import) -> Vec<NewFeedback> {
    import.feedback.iter().map(|item| NewFeedback::from_json(item.clone(), "").unwrap()).collect()
}

#[test]
fn every_answer_of_a_chat_becomes_one_completion_with_what_was_asked_before_it() {
    let (import, _) = gather(&rows(), Options::default());

    let ids: Vec<&str> = import.completions.iter().map(|value| value.get("id").unwrap().as_str().unwrap()).collect();
    assert_eq!(ids, ["a-1", "a-2", "m-1", "m-2", "m-3", "m-4"]);
    let (first, second, third) = (completion(&import, "m-1"), completion(&import, "m-2"), completion(&import, "m-3"));
    assert!(first.prompt_hash == second.prompt_hash && second.prompt_hash == third.prompt_hash);
    assert_eq!((third.model.as_str(), third.conversation_id.unwrap().as_str()), ("other-7b", "c-1"));
    assert_eq!((first.usage.input_tokens, first.usage.output_tokens), (Some(7), Some(5)));
    assert_eq!(first.created_at.unwrap().timestamp(), 1_780_000_010);
    let last = completion(&import, "m-4");
    assert_eq!(last.prompt.iter().map(Message::role).collect::<Vec<_>>(), ["user", "assistant", "user"]);
    assert_eq!((last.turn_index, last.consent_training, last.finish_reason), (Some(1), None, None));
    assert_eq!(completion(&import, "a-2").model, "other-7b", "an arena hides the model behind its own name");
}

#[test]
fn what_a_user_edited_is_an_edit_and_the_models_own_words_stay_the_answer() {
    let (import, _) = gather(&rows(), Options::default());

    let first = completion(&import, "m-1");
    assert_eq!(first.response.value().get("content").unwrap().as_str(), Some("It reflects the sea."));
    let edits: Vec<NewFeedback> =
        feedback(&import).into_iter().filter(|item| matches!(item.reaction, Reaction::Edit { .. })).collect();
    let text = "It reflects the sea, later.".to_owned();
    assert_eq!(edits[0].reaction, Reaction::Edit { text, accepted: true, truncated: false });
    assert_eq!((edits.len(), edits[0].completion_id.as_str()), (1, "m-1"));
}

#[test]
fn a_rating_is_a_thumb_on_its_own_message_with_points_beside_it() {
    let (import, _) = gather(&rows(), Options::default());

    let of_row: Vec<NewFeedback> =
        feedback(&import).into_iter().filter(|item| item.completion_id.as_str() == "m-2").collect();
    let comment = Some("Shorter, please.".to_owned());
    let thumb = Reaction::Thumb { value: Thumb::Down, reasons: vec!["too_verbose".to_owned()], comment };
    assert_eq!(of_row[0].reaction, thumb);
    let Reaction::Rating { points: Some(points), .. } = of_row[1].reaction else { panic!("a rating") };
    assert_eq!((points.score, points.min, points.max, of_row.len()), (3.0, 1.0, 10.0, 2));
    assert_eq!(of_row[0].occurred_at.unwrap().timestamp(), 1_780_000_200);
    assert_eq!(of_row[0].user.as_ref().unwrap().as_str(), "u-1");
    let n_thumbs = feedback(&import).iter().filter(|item| matches!(item.reaction, Reaction::Thumb { .. })).count();
    assert_eq!(n_thumbs, 4, "no thumb goes to an answer beside the one that was rated");
}

#[test]
fn a_later_answer_of_the_same_model_replaces_the_one_before() {
    let (import, _) = gather(&rows(), Options::default());

    assert_eq!(completion(&import, "m-2").parent_completion_id.unwrap().as_str(), "m-1");
    for other in ["m-1", "m-3", "m-4", "a-1", "a-2"] {
        assert_eq!(completion(&import, other).parent_completion_id, None, "{other}");
    }
    let regenerations: Vec<NewFeedback> =
        feedback(&import).into_iter().filter(|item| matches!(item.reaction, Reaction::Regenerate { .. })).collect();
    assert_eq!((regenerations.len(), regenerations[0].completion_id.as_str()), (1, "m-1"));
    assert_eq!(regenerations[0].reaction.other_completion().unwrap().as_str(), "m-2");
}

#[test]
fn a_thumb_in_an_arena_is_a_preference_where_that_is_asked_for() {
    let options = Options { arena_preference: true, consent_training: true };
    let (import, _) = gather(&rows(), options);

    let of_arena: Vec<Reaction> = feedback(&import)
        .into_iter()
        .filter(|item| item.completion_id.as_str() == "a-1")
        .map(|item| item.reaction)
        .collect();
    assert!(
        matches!(&of_arena[0], Reaction::Preference { against, outcome: Outcome::Better, .. } if against.as_str() == "a-2")
    );
    assert!(matches!(&of_arena[1], Reaction::Comment { text } if text == "Clear."));
    assert_eq!(of_arena.len(), 2);
    assert_eq!(completion(&import, "a-1").consent_training, Some(true));
}

#[test]
fn rows_in_any_order_make_the_same_import() {
    let mut backwards = rows();
    backwards.reverse();

    let (mut one, mut other) = (gather(&rows(), Options::default()).0, gather(&backwards, Options::default()).0);
    for import in [&mut one, &mut other] {
        import.feedback.sort_by_key(Json::to_text);
    }

    assert_eq!(one, other);
}

#[test]
fn of_two_texts_of_one_message_the_oldest_rows_is_kept_and_the_difference_told() {
    let mut rows = rows();
    let changed = rows[1].to_text().replace("It reflects the sea.", "Nobody knows.");
    rows[1] = Json::parse_foreign(changed.as_bytes()).unwrap();

    let (import, _) = gather(&rows, Options::default());

    assert_eq!(completion(&import, "m-1").response.value().get("content").unwrap().as_str(), Some("Nobody knows."));
    assert_eq!(import.n_contested, 1);
    assert!(!feedback(&import).iter().any(|item| matches!(item.reaction, Reaction::Edit { .. })), "of another text");
}

#[test]
fn rows_that_say_nothing_known_are_refused_and_what_is_missing_is_counted() {
    let (import, refused) = gather(&rows(), Options::default());

    assert_eq!(refused, [FieldCode::OutOfRange, FieldCode::UnknownSignal]);
    assert_eq!((import.n_unanswered, import.n_unseen, import.n_contested), (1, 1, 0));
    for (text, code) in [
        ("[]", FieldCode::WrongType),
        (r#"{"id":"f","meta":{}}"#, FieldCode::Required),
        (r#"{"meta":{"message_id":"m"}}"#, FieldCode::Required),
        (r#"{"id":"f","meta":{"message_id":"m"},"data":{"comment":" "}}"#, FieldCode::Required),
        (r#"{"id":"f","meta":{"message_id":"m"},"data":{"rating":"up"}}"#, FieldCode::WrongType),
    ] {
        let row = Json::parse(text.as_bytes()).unwrap();
        assert_eq!(Gathered::default().add(&row).unwrap_err().code, code, "{text}");
    }
}

#[test]
fn a_chat_that_runs_in_a_circle_or_lacks_a_question_has_no_answers() {
    for messages in [
        r#"{"a":{"parentId":"b","role":"assistant","content":"x"},"b":{"parentId":"a","role":"user","content":"y"}}"#,
        r#"{"a":{"parentId":"a","role":"assistant","content":"x"}}"#,
        r#"{"a":{"parentId":"gone","role":"assistant","content":"x"}}"#,
        r#"{"a":{"role":"assistant","content":"x"}}"#,
        r#"{"a":{"parentId":"b","role":"assistant","content":"x","done":false},"b":{"role":"user","content":"y"}}"#,
    ] {
        let row = format!(
            r#"{{"id":"f","data":{{"rating":1}},"meta":{{"message_id":"a"}},
                "snapshot":{{"chat":{{"chat":{{"history":{{"messages":{messages}}}}}}}}}}}"#
        );
        let (import, refused) = gather(&[Json::parse_foreign(row.as_bytes()).unwrap()], Options::default());

        assert_eq!((import.completions.len(), import.n_unanswered, import.n_unseen), (0, 1, 1), "{messages}");
        assert_eq!((import.feedback.len(), refused.len()), (1, 0), "{messages}");
    }
}
