//! What holds for every text, and what becomes of a row.

use proptest::prelude::*;

use super::*;
use crate::dataset::example::{Turn, example_of};

fn kinds(text: &str) -> Vec<(&str, String)> {
    find(text).into_iter().map(|span| (&text[span.start..span.end], span.kind.into_owned())).collect()
}

fn pair(user: &str, chosen: &str, rejected: &str) -> Example {
    let prompt = vec![Turn { role: "user", content: user.to_owned() }];
    example_of(Body::Pair { prompt, chosen: chosen.to_owned(), rejected: rejected.to_owned() })
}

#[test]
fn addresses_are_found_in_any_surroundings() {
    for (text, address) in [
        ("Write to jane.doe+news@mail.example.co.uk.", "jane.doe+news@mail.example.co.uk"),
        ("<a@b.io>", "a@b.io"),
        ("mailto:J_D%x@example.com?subject=x", "J_D%x@example.com"),
        ("\u{8BF7}\u{8054}\u{7CFB}foo@bar.com\u{8C22}\u{8C22}", "foo@bar.com"),
        ("m\u{fc}ller@m\u{fc}nchen.example\r\nnext", "m\u{fc}ller@m\u{fc}nchen.example"),
        ("\u{1F4E7}a.b@example.org\u{1F4E7}", "a.b@example.org"),
        ("'x@example.xn--p1ai'", "x@example.xn--p1ai"),
        ("+4915123456789@example.net", "+4915123456789@example.net"),
        ("4111111111111111@example.net", "4111111111111111@example.net"),
    ] {
        assert_eq!(kinds(text), [(address, EMAIL.to_owned())], "{text}");
    }
    for text in
        ["@scope/package", "package@1.2.3", "a@localhost", "me @ example.com", "a@b..com", "@@@", "x@.com", "a@b.c"]
    {
        assert_eq!(kinds(text), [], "{text}");
    }
}

#[test]
fn every_kind_is_found_beside_the_others() {
    let text = "Card 4111 1111 1111 1111; IBAN: DE89 3704 0044 0532 0130 00, tel. +49 30 1234567 \u{1F4DE}(2001:db8::1, 192.0.2.1)";

    let found: Vec<String> = kinds(text).into_iter().map(|(_, kind)| kind).collect();

    assert_eq!(found, [CARD, IBAN, PHONE, IP, IP]);
    let plain =
        "In 2024, 3 of 4 users (75.5 %) chose version 1.2.3 at 10:30; `std::vec::Vec` is a 64-bit type: 0xDEADBEEF.";
    assert_eq!(kinds(plain), []);
}

#[test]
fn one_value_has_one_placeholder_in_the_whole_row() {
    let mut body = pair(
        "I am A@example.com \u{1F600}\r\n and b@example.com,",
        "Hello a@example.com! Call +49 30 1234567.",
        "Hello b@example.com (+49-30-1234567), 192.0.2.1",
    );

    let redacted = redact(&mut body, Vec::new());

    let expected = pair(
        "I am <EMAIL_1> \u{1F600}\r\n and <EMAIL_2>,",
        "Hello <EMAIL_1>! Call <PHONE_1>.",
        "Hello <EMAIL_2> (<PHONE_1>), <IP_1>",
    );
    assert_eq!(body, expected);
    assert_eq!(redacted.n_rows, 1);
    let n_places: Vec<(&str, u64)> = redacted.n_places.iter().map(|(kind, n)| (kind.as_str(), *n)).collect();
    assert_eq!(n_places, [("EMAIL", 4), ("IP", 1), ("PHONE", 2)]);
    assert_eq!(redact(&mut body, Vec::new()), Redacted::default(), "nothing is left to replace");
}

#[test]
fn placeholders_that_were_there_before_keep_their_meaning() {
    let mut body = pair("<EMAIL_1> and <EMAIL_3>, now x@example.com <PHONE_x> <_1> <EMAIL_9999999>", "a", "b");

    redact(&mut body, Vec::new());

    assert_eq!(texts(&body)[0], "<EMAIL_1> and <EMAIL_3>, now <EMAIL_4> <PHONE_x> <_1> <EMAIL_9999999>");
}

#[test]
fn a_comment_shares_the_rows_placeholders_and_shifts_none() {
    let mut example = pair("I am a@example.com", "b", "c");
    "a@example.com, not d@example.com <EMAIL_5>".clone_into(&mut example.feedback_text.better);
    "D@example.com or +49 30 1234567 \u{f6}".clone_into(&mut example.feedback_text.worse);

    let places = texts(&example).iter().map(|text| find(text).len()).collect::<Vec<_>>();
    let redacted = redact(&mut example, Vec::new());

    assert_eq!(places, [1, 0, 0, 2, 2], "a hook is asked about comments behind the answers");
    assert_eq!(texts(&example)[0], "I am <EMAIL_1>");
    assert_eq!(example.feedback_text.better, "<EMAIL_1>, not <EMAIL_6> <EMAIL_5>");
    assert_eq!(example.feedback_text.worse, "<EMAIL_6> or <PHONE_1> \u{f6}");
    assert_eq!((redacted.n_rows, redacted.n_places["EMAIL"], redacted.n_places["PHONE"]), (1, 4, 1));
}

#[test]
fn a_hook_finds_places_in_a_comment() {
    for tools in [None, Some("[]".to_owned())] {
        let message = r#"{"role":"user","content":"x"}"#;
        let mut example = Example { tools, ..pair(message, message, message) };
        "J\u{f6}rg says no".clone_into(&mut example.feedback_text.worse);
        let texts = texts(&example);
        let person = Span::of_characters(0, 4, "person", &edges(&texts[texts.len() - 1])).unwrap();
        let mut found = vec![Vec::new(); texts.len()];
        found[texts.len() - 1].push(person);

        redact(&mut example, found);

        assert_eq!(example.feedback_text.worse, "<PERSON_1> says no");
        assert_eq!(bodies(&example.body), [message; 3], "no answer is written anew for the sake of a comment");
    }
}

#[test]
fn a_hook_adds_places_in_characters() {
    let user = "\u{1F600} J\u{f6}rg M\u{fc}ller, joerg@example.com";
    let edges = edges(user);
    let person = Span::of_characters(2, 13, "person", &edges).unwrap();
    let mail = Span::of_characters(15, 20, "EMAIL_ADDRESS", &edges).unwrap();
    let mut body = pair(user, "J\u{f6}rg", "b");

    redact(&mut body, vec![vec![mail, person]]);

    assert_eq!(texts(&body)[0], "\u{1F600} <PERSON_1>, <EMAIL_1>", "the longer of two that overlap says what it is");
    assert_eq!(Span::of_characters(3, 3, "PERSON", &edges), None);
    assert_eq!(Span::of_characters(3, edges.len(), "PERSON", &edges), None);
    assert_eq!(Span::of_characters(0, 1, "<b>&", &edges).unwrap().kind, "_B__");
    assert_eq!(Span::of_characters(0, 1, "12", &edges).unwrap().kind, "PII");
}

#[test]
fn messages_that_are_json_stay_json() {
    let user = r#"{"role":"user","content":"Mine:\na@example.com \"x\""}"#;
    let call = r#"{"role":"assistant","content":"","tool_calls":[{"type":"function","function":{"name":"mail","arguments":{"to":"a@example.com","card":4111111111111111,"n":12}}}]}"#;
    let mut example = Example { tools: Some("[]".to_owned()), ..pair(user, call, user) };
    assert!(texts(&example).contains(&"4111111111111111".to_owned()));

    let redacted = redact(&mut example, Vec::new());

    assert_eq!(redacted.n_places.values().sum::<u64>(), 4);
    assert_eq!(bodies(&example.body)[0], r#"{"role":"user","content":"Mine:\n<EMAIL_1> \"x\""}"#);
    assert!(bodies(&example.body)[1].contains(r#""arguments":{"to":"<EMAIL_1>","card":"<CARD_1>","n":12}"#));
}

#[test]
fn hostile_texts_take_no_longer_than_harmless_ones() {
    let n_bytes = 1 << 18;
    let repeated = |part: &str| part.repeat(n_bytes / part.len());
    let started = std::time::Instant::now();
    for text in [
        repeated("7"),
        repeated("a"),
        repeated("@"),
        repeated("a@"),
        repeated("a@b."),
        repeated("1 "),
        repeated("1-2"),
        repeated("eyJ-"),
        repeated("eyJaaaaaaaaaa."),
        repeated("sk-"),
        repeated("::"),
        repeated("a:"),
        repeated("1.2."),
        repeated("-----BEGIN PRIV\u{41}TE KEY\""),
        repeated("-----BEGIN PRIV\u{41}TE KEY-----"),
        repeated("DE89 "),
        repeated("Bearer "),
        repeated("<EMAIL_"),
        repeated("+("),
        repeated("\u{1F600}"),
        repeated("\u{e9}@"),
        repeated("4111 1111 1111 1112 "),
    ] {
        find(&text);
    }

    // Five megabytes: some seconds without optimisation where it is linear, an hour where it is not. Nothing is measured
    // here; the limit only tells the one from the other, also on a machine that is busy.
    assert!(started.elapsed() < std::time::Duration::from_mins(3), "{:?}", started.elapsed());
}

proptest! {
    #[test]
    fn spans_are_ordered_apart_and_at_the_edges_of_characters(text in "(\\PC|[0-9+@:. -]|\r\n|DE89|eyJ|sk-|\u{1F600}){0,80}") {
        let mut at = 0;
        for span in find(&text) {
            prop_assert!(span.start >= at && span.start < span.end && span.end <= text.len());
            prop_assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end));
            at = span.end;
        }
    }

    #[test]
    fn what_was_found_is_gone_and_the_rest_is_as_it_was(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "a@example.com", "+49 30 1234567", "4111111111111111", "192.0.2.1", "hello", "\r\n", " ", "\u{1F600}", "\u{4E2D}\u{6587}", ",",
            ]),
            0..30,
        ),
    ) {
        let text = parts.join(" ");
        let mut body = pair(&text, &text, "b");

        redact(&mut body, Vec::new());

        let texts = texts(&body);
        prop_assert_eq!(&texts[0], &texts[1]);
        for value in ["a@example.com", "1234567", "4111111111111111", "192.0.2.1"] {
            prop_assert!(!texts[0].contains(value));
        }
        let harmless = |text: &str| text.matches("hello").count() + text.matches('\u{1F600}').count() + text.matches("\r\n").count();
        prop_assert_eq!(harmless(&texts[0]), harmless(&text));
    }
}
