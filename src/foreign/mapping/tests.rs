//! Mappings read and applied: files and rows in, our wire form out.

use super::*;
use crate::domain::completion::NewCompletion;
use crate::domain::feedback::{NewFeedback, Reaction, Thumb};
use crate::domain::fields::FieldCode;

const THUMBS: &str = r#"
source = "t"
[[feedback]]
signal = "thumb"
completion_id = "id"
key = "vote_id"
user = "who"
at = { path = "at", form = "unix_s" }
value = { path = "vote", up = ["good", 1, true], down = ["bad", -1], none = ["gone"] }
reason = "why"
comment = "said"
"#;

fn mapped(mapping: &str, row: &str) -> Mapped {
    let mapping = Mapping::parse(mapping).unwrap_or_else(|error| panic!("{error}"));
    mapping.read(&Json::parse(row.as_bytes()).unwrap())
}

fn item(said: &Said) -> Json {
    match said {
        Said::Item(item) => item.clone(),
        other => panic!("{other:?}"),
    }
}

fn code(said: &Said) -> Option<FieldCode> {
    if let Said::Fault(fault) = said { Some(fault.code) } else { None }
}

#[test]
fn the_example_is_a_mapping_and_names_every_field_of_a_completion() {
    let mapping = Mapping::parse(EXAMPLE).unwrap_or_else(|error| panic!("{error}"));

    let named: Vec<&str> = mapping.completion.as_ref().unwrap().fields.iter().map(|(name, _)| name.as_str()).collect();
    for (name, _) in FIELDS {
        assert!(named.contains(name), "the example lacks {name}");
    }
    assert_eq!(mapping.names_of_feedback(), ["thumb", "rating", "comment", "edit", "preference"]);
}

#[test]
fn a_row_becomes_a_completion_that_the_parser_of_our_wire_form_takes() {
    let mapping = r#"
        source = "t"
        [completion]
        id = "r.id"
        model = "r.model"
        prompt = "messages"
        response = "r.choices.0.message"
        task = { value = "support" }
        created_at = { path = "created", form = "unix_s" }
        usage.input_tokens = "n_in"
        usage.output_tokens = "n_out"
        tags.route = "route"
        consent.training = { value = true }
        aliases = ["trace", "absent"]
    "#;
    let row = r#"{"r":{"id":"c-1","model":"m","choices":[{"message":{"role":"assistant","content":"So.","refusal":null}}]},
        "messages":[{"role":"user","content":"Why?","name":null}],"created":1769860800,"n_in":"812","route":7,"trace":"t-1",
        "other":1}"#;

    let said = item(&mapped(mapping, row).completion);
    let completion = NewCompletion::from_json(said.clone(), "").unwrap();

    assert_eq!((completion.id.as_str(), completion.task.as_deref()), ("c-1", Some("support")));
    assert_eq!(said.get("usage").map(Json::to_text).as_deref(), Some(r#"{"input_tokens":812}"#));
    assert_eq!(said.get("tags").map(Json::to_text).as_deref(), Some(r#"{"route":"7"}"#));
    assert_eq!((completion.consent_training, completion.aliases.len()), (Some(true), 1));
    assert_eq!(completion.created_at.unwrap().timestamp(), 1_769_860_800);
    let mapping = Mapping::parse(mapping).unwrap();
    let row = Json::parse(row.as_bytes()).unwrap();
    assert_eq!(mapping.unused(&row).collect::<Vec<_>>(), ["other"]);
}

#[test]
fn values_mean_what_was_declared_whether_or_not_their_table_has_types() {
    for (vote, expected) in [
        (r#""good""#, Thumb::Up),
        ("1", Thumb::Up),
        ("1.0", Thumb::Up),
        (r#""1""#, Thumb::Up),
        ("true", Thumb::Up),
        ("-1", Thumb::Down),
        (r#""gone""#, Thumb::None),
    ] {
        let row =
            format!(r#"{{"id":"c","vote":{vote},"vote_id":9,"who":"u","at":1769860800,"why":"slow","said":"x"}}"#);
        let said = mapped(THUMBS, &row);
        let feedback = NewFeedback::from_json(item(&said.feedback[0]), "").unwrap();
        let reaction =
            Reaction::Thumb { value: expected, reasons: vec!["slow".to_owned()], comment: Some("x".to_owned()) };
        assert_eq!(feedback.reaction, reaction, "{vote}");
        assert_eq!(feedback.user.unwrap().as_str(), "u");
        assert_eq!((said.completion, feedback.id.0.get_version_num()), (Said::Nothing, 7));
    }
}

#[test]
fn what_is_not_there_says_nothing_and_what_fits_nowhere_is_a_fault() {
    for (row, expected) in [
        (r#"{"id":"c"}"#, None),
        (r#"{"id":"c","vote":null}"#, None),
        (r#"{"id":"c","vote":""}"#, None),
        (r#"{"id":"c","vote":"meh"}"#, Some(FieldCode::NotOneOf)),
        (r#"{"id":"c","vote":[1]}"#, Some(FieldCode::NotOneOf)),
        (r#"{"vote":"good"}"#, Some(FieldCode::Required)),
        (r#"{"id":{},"vote":"good"}"#, Some(FieldCode::WrongType)),
        (r#"{"id":"c","vote":"good","at":"noon"}"#, Some(FieldCode::Malformed)),
        ("[]", None),
        ("7", None),
    ] {
        let said = mapped(THUMBS, row);
        assert_eq!(code(&said.feedback[0]), expected, "{row}");
        assert!(expected.is_some() || said.feedback[0] == Said::Nothing, "{row}");
    }
}

#[test]
fn every_signal_is_made_by_the_parser_of_our_wire_form() {
    let mapping = r#"
        source = "t"
        [[feedback]]
        signal = "rating"
        completion_id = "id"
        value = { path = "stars", min = 1, max = 5 }
        [[feedback]]
        signal = "comment"
        when = { path = "kind", is = ["note", 3] }
        completion_id = "id"
        text = "text"
        [[feedback]]
        signal = "edit"
        when = { path = "kind", is = ["fix"] }
        completion_id = "id"
        text = "text"
        [[feedback]]
        signal = "preference"
        completion_id = "id"
        against = "other"
        outcome = { path = "won", better = ["a"], worse = ["b"], tie = [0], both_bad = ["-"] }
    "#;
    for (row, expected) in [
        (r#"{"id":"c","stars":"4"}"#, vec!["rating"]),
        (r#"{"id":"c","kind":3,"text":"x"}"#, vec!["comment"]),
        (r#"{"id":"c","kind":"fix","text":"x"}"#, vec!["edit"]),
        (r#"{"id":"c","kind":"else","text":"x"}"#, vec![]),
        (r#"{"id":"c","other":"d","won":"0","stars":1}"#, vec!["rating", "preference"]),
        (r#"{"id":"c","won":"a"}"#, vec![]),
    ] {
        let said = mapped(mapping, row);
        let items = said.feedback.iter().filter(|said| matches!(said, Said::Item(_))).map(item);
        let signals: Vec<&str> =
            items.map(|item| NewFeedback::from_json(item, "").unwrap().reaction.signal().as_str()).collect();
        assert_eq!(signals, expected, "{row}");
        assert!(said.feedback.iter().all(|said| code(said).is_none()), "{row}");
    }
    assert_eq!(code(&mapped(mapping, r#"{"id":"c","stars":"many"}"#).feedback[0]), Some(FieldCode::WrongType));
}

#[test]
fn the_same_row_has_the_same_id_and_another_key_another() {
    let id = |row: &str| item(&mapped(THUMBS, row).feedback[0]).get("id").cloned().unwrap();
    let row = r#"{"id":"c","vote":"good","vote_id":"1"}"#;

    assert_eq!(id(row), id(r#"{"vote_id":1,"vote":"1","id":"c","more":[]}"#));
    assert_ne!(id(row), id(r#"{"id":"c","vote":"good","vote_id":"2"}"#));
    assert_ne!(id(row), id(r#"{"id":"c","vote":"bad","vote_id":"1"}"#));
}

#[test]
fn a_mapping_that_makes_no_sense_is_told_by_its_key() {
    let with = |from: &str, to: &str| {
        assert!(THUMBS.contains(from), "{from}");
        THUMBS.replacen(from, to, 1)
    };
    for (text, place) in [
        ("source = ".to_owned(), "line 1"),
        (with("[[feedback]]", "[feedback]\n["), "line "),
        (with("source = \"t\"", ""), "source: "),
        ("source = \"t\"".to_owned(), "completion: "),
        (with("[[feedback]]", "[[fedback]]"), "fedback: "),
        (with("signal = \"thumb\"", "signal = \"shrug\""), "feedback[1].signal: "),
        (with("completion_id = \"id\"", ""), "feedback[1].completion_id: is required"),
        (with("completion_id = \"id\"", "completion_id = \"a..b\""), "feedback[1].completion_id: is no path"),
        (with("key = \"vote_id\"", "kee = \"vote_id\""), "feedback[1].kee: is not known"),
        (with("unix_s", "epoch"), "feedback[1].at.form: "),
        (with("up = [\"good\", 1, true], ", "up = [], "), "feedback[1].value.up: "),
        (with("-1]", "1]"), "feedback[1].value: one value means two words"),
        (with("none =", "nome ="), "feedback[1].value.nome: is not known"),
        ("source = \"t\"\n[completion]\nid = \"a\"\nmodel = \"b\"\nprompt = \"c\"".to_owned(), "completion.response: "),
        ("source = \"t\"\n[completion]\nusage.tokens = \"a\"".to_owned(), "completion.usage.tokens: "),
        ("source = \"t\"\n[completion]\nid = { path = \"a\", value = 1 }".to_owned(), "completion.id: "),
    ] {
        let told = Mapping::parse(&text).unwrap_err().to_string();
        assert!(told.contains(place), "{told} does not tell {place}\n{text}");
        assert_eq!(told.lines().count(), 1);
    }
    let rating = "source = \"t\"\n[[feedback]]\nsignal = \"rating\"\ncompletion_id = \"id\"\nvalue = ";
    for scale in ["\"stars\"", "{ path = \"stars\" }", "{ path = \"stars\", min = 5, max = 1 }"] {
        assert!(Mapping::parse(&format!("{rating}{scale}")).unwrap_err().to_string().contains("feedback[1].value: "));
    }
}
