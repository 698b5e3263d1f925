//! Bad bodies made by hand, one by one: the text files beside this one.

use serde_json::Value;

use super::models::{KINDS, small};
use super::{Case, check};

const FEEDBACK: &str = include_str!("feedback.txt");
const COMPLETIONS: &str = include_str!("completions.txt");
const UNREADABLE: &str = include_str!("unreadable.txt");

/// Lines of a corpus with their numbers, without its comments.
fn lines(corpus: &'static str) -> impl Iterator<Item = (usize, &'static str)> {
    corpus.lines().enumerate().map(|(index, line)| (index + 1, line)).filter(|(_, line)| !line.starts_with('#'))
}

/// Reads `kind member code value ¦ value …` and makes a body of each value.
fn members(corpus: &'static str) -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, line) in lines(corpus) {
        let [kind, member, code, values] = line.splitn(4, ' ').collect::<Vec<_>>()[..] else {
            panic!("line {number}: {line}")
        };
        let (_, path) = KINDS.into_iter().find(|(known, _)| *known == kind).unwrap();
        for value in values.split(" ¦ ") {
            let mut good = small(kind);
            good.as_object_mut().unwrap().remove(member);
            let value = expand(value);
            // The value stays a text: what is wrong with it may be how it is written.
            let rest = good.to_string();
            let comma = if rest == "{}" { "" } else { "," };
            let body = format!("{{\"{member}\":{value}{comma}{}", &rest[1..]);
            let name = format!("line {number}, {kind} {member} {}", value.chars().take(60).collect::<String>());
            cases.push(Case { name, path, body: body.into_bytes(), code: code.to_owned() });
        }
    }
    cases
}

/// Replaces `~n~` by n letters and `{~n tags~}` by n tags.
fn expand(value: &str) -> String {
    let mut parts = value.split('~');
    let mut expanded = parts.next().unwrap().to_owned();
    while let (Some(amount), Some(rest)) = (parts.next(), parts.next()) {
        match amount.strip_suffix(" tags") {
            Some(n_tags) => {
                let tags: Vec<String> =
                    (0..n_tags.parse().unwrap()).map(|n: usize| format!("\"t{n}\":\"x\"")).collect();
                expanded.push_str(&tags.join(","));
            }
            None => expanded.push_str(&"i".repeat(amount.parse().unwrap())),
        }
        expanded.push_str(rest);
    }
    expanded
}

/// Reads `code body` and makes a case for either path.
fn unreadable() -> Vec<Case> {
    let case = |(number, line): (usize, &'static str)| {
        let (code, body) = line.split_once(' ').unwrap();
        ["/v1/feedback", "/v1/completions"].map(|path| Case {
            name: format!("line {number}, {path}: {body}"),
            path,
            body: bytes(body),
            code: code.to_owned(),
        })
    };
    lines(UNREADABLE).flat_map(case).collect()
}

/// Reads `\xNN` as a byte.
fn bytes(text: &str) -> Vec<u8> {
    let mut pieces = text.split("\\x");
    let mut bytes = pieces.next().unwrap().as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).unwrap());
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_member_of_the_corpus_gets_its_own_code() {
    let cases = [members(FEEDBACK), members(COMPLETIONS)].concat();
    assert!(cases.len() >= 400, "{} bodies", cases.len());

    check(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_unreadable_body_of_the_corpus_is_refused_whole() {
    let cases = unreadable();
    assert!(cases.len() >= 200, "{} bodies", cases.len());

    check(cases).await;
}

#[test]
fn the_items_that_bad_ones_are_made_of_are_good() {
    for (kind, _) in KINDS {
        for good in [small(kind), super::models::full(kind)] {
            assert!(is_good(kind, &good), "{kind}: {good}");
        }
    }
}

fn is_good(kind: &str, body: &Value) -> bool {
    use afterword::domain::batch;
    use afterword::domain::json::Json;
    let body = Json::from(body.clone());
    match kind {
        "completion" | "batch" => batch::completions(body).unwrap().iter().all(|item| item.outcome.is_ok()),
        _ => batch::feedback(body, None).unwrap().iter().all(|item| item.outcome.is_ok()),
    }
}
