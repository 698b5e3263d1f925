//! Bad bodies made by chance: a good body with every member that it can have, and one thing done to it whose code is
//! known by construction.

use afterword::config::environment;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use super::models::{KINDS, full};
use super::{CANARY, Case, check};

const N_CASES: usize = 5_200;

/// What a member may be.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// Text of up to so many bytes.
    Text(usize),
    /// One of a few words.
    Word,
    Signal,
    Time,
    Uuid,
    Integer(i64, i64),
    Number(f64, f64),
    Flag,
    List,
    Object,
}

const DAY_MS: i64 = 24 * 3600 * 1000;
const COUNT: Kind = Kind::Integer(0, i32::MAX as i64);

/// Says what a member of a good body may be; nothing where it may be of several types.
fn kind_of(body: &Value, member: &str) -> Option<Kind> {
    let signal = body["signal"].as_str();
    Some(match (member, signal) {
        ("id" | "supersedes", Some(_)) => Kind::Uuid,
        ("signal", _) => Kind::Signal,
        ("occurred_at" | "sent_at" | "created_at", _) => Kind::Time,
        ("age_ms" | "gap_ms" | "visible_ms", _) => Kind::Integer(0, 366 * DAY_MS),
        ("seq", _) => Kind::Integer(0, i64::MAX),
        ("weight", _) => Kind::Number(1.0, 1e6),
        ("value", Some("thumb")) | ("outcome" | "shown_first" | "method", _) => Kind::Word,
        ("comment", _) | ("text", Some("comment")) => Kind::Text(16 << 10),
        ("text", Some("edit")) => Kind::Text(1 << 20),
        ("strength", _) => Kind::Number(0.0, 1e6),
        ("accepted" | "truncated" | "contains_code" | "rating_solicited", _) => Kind::Flag,
        ("turn" | "n_chars" | "n_total_chars" | "turn_index", _) => COUNT,
        ("attempt", _) => Kind::Integer(1, 10_000),
        ("v", _) => Kind::Integer(1, 1),
        ("cost_usd", _) => Kind::Number(0.0, 1e9),
        ("solicit_prob", _) => Kind::Number(0.0, 1.0),
        ("tools" | "aliases" | "reasons" | "feedback" | "completions", _) => Kind::List,
        ("params" | "tags", _) => Kind::Object,
        // A rating is a number or an object, a prompt a text or a list, a reason a code of its own form.
        ("value" | "prompt" | "response" | "reason", _) => return None,
        _ => Kind::Text(256),
    })
}

fn required(body: &Value) -> &'static [&'static str] {
    match body["signal"].as_str() {
        Some("thumb" | "rating") => &["id", "completion_id", "signal", "value"],
        Some("preference") => &["id", "completion_id", "signal", "against", "outcome"],
        Some("edit" | "comment") => &["id", "completion_id", "signal", "text"],
        Some("dwell") => &["id", "completion_id", "signal", "visible_ms"],
        Some(_) => &["id", "completion_id", "signal"],
        None if body.get("model").is_some() => &["id", "model", "prompt", "response"],
        None => &[],
    }
}

/// Makes a value of any type but those that a kind takes.
fn of_another_type(kind: Kind, chance: &mut ChaCha8Rng) -> Value {
    let letters = format!("{CANARY}{}", chance.random::<u32>());
    let mut values = vec![json!([letters]), json!({&letters: 1}), json!(chance.random::<bool>()), json!([]), json!({})];
    match kind {
        Kind::Integer(..) | Kind::Number(..) => values.push(json!(letters)),
        _ => values.extend([json!(chance.random_range(-1_000_000..1_000_000)), json!(0.5)]),
    }
    values.retain(|value| match kind {
        Kind::Flag => !value.is_boolean(),
        Kind::List => !value.is_array(),
        Kind::Object => !value.is_object(),
        _ => true,
    });
    values.choose(chance).unwrap().clone()
}

/// Makes a value of the right type and of the wrong meaning, with the code that it deserves.
fn of_another_meaning(kind: Kind, chance: &mut ChaCha8Rng) -> Option<(Value, &'static str)> {
    let letters = format!("{CANARY}{}", chance.random::<u32>());
    Some(match kind {
        Kind::Text(max_bytes) if max_bytes < 100_000 && chance.random() => {
            (json!("é".repeat(max_bytes / 2 + chance.random_range(1..500))), "too_long")
        }
        Kind::Text(_) => {
            let mut text = letters;
            text.insert(chance.random_range(0..=text.len()), '\0');
            (json!(text), "nul_character")
        }
        Kind::Word => (json!(letters), "not_one_of"),
        Kind::Signal => (json!(letters), "unknown_signal"),
        Kind::Time | Kind::Uuid => (json!(letters), "malformed"),
        Kind::Integer(min, max) if max == i64::MAX || chance.random() => {
            (json!(min - chance.random_range(1..1_000_000_000)), "out_of_range")
        }
        Kind::Integer(_, max) => (json!(max + chance.random_range(1..1_000_000_000)), "out_of_range"),
        Kind::Number(min, max) => {
            let beyond = chance.random_range(0.001..1e6);
            (json!(if chance.random() { min - beyond } else { max + max.max(1.0) * 1e-6 + beyond }), "out_of_range")
        }
        Kind::Flag | Kind::List | Kind::Object => return None,
    })
}

/// Does something to the text of a good body after which it is no JSON, or none that is read.
fn unreadable(body: &Value, chance: &mut ChaCha8Rng) -> (Vec<u8>, &'static str) {
    let text = body.to_string();
    let members = body.as_object().unwrap();
    let (member, value) = members.iter().nth(chance.random_range(0..members.len())).unwrap();
    let mut bytes = text.clone().into_bytes();
    let code = match chance.random_range(0..8) {
        0 => {
            bytes.truncate(chance.random_range(0..text.len()));
            "json_malformed"
        }
        1 => {
            // No byte of these stands alone in UTF-8.
            let byte = *[0xff, 0xfe, 0xc0, 0xf8].choose(chance).unwrap();
            bytes.insert(chance.random_range(0..=text.len()), byte);
            "json_malformed"
        }
        2 => {
            let control = *[0x00, 0x01, 0x08, 0x1f].choose(chance).unwrap();
            bytes.insert(chance.random_range(0..=text.len()), control);
            "json_malformed"
        }
        3 => {
            // Neither braces nor quotes stand inside the texts of good bodies, so that one less is one too few.
            let places: Vec<usize> = (0..bytes.len()).filter(|at| b"{}\"".contains(&bytes[*at])).collect();
            bytes.remove(*places.choose(chance).unwrap());
            "json_malformed"
        }
        4 => {
            let rest = ["{}", "]", "1", CANARY, "\"", ",", "\0"];
            bytes.extend_from_slice(rest.choose(chance).unwrap().as_bytes());
            "json_malformed"
        }
        5 => {
            bytes = format!("{{\"{member}\":{value},{}", &text[1..]).into_bytes();
            "duplicate_key"
        }
        6 => {
            let depth = chance.random_range(32..120);
            let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            bytes = format!("{{\"{CANARY}\":{deep},{}", &text[1..]).into_bytes();
            "too_deep"
        }
        _ => {
            let sign = if chance.random() { "-" } else { "" };
            let digits: String = (0..chance.random_range(21..60)).map(|_| chance.random_range('1'..='9')).collect();
            bytes = format!("{{\"{CANARY}\":{sign}{digits},{}", &text[1..]).into_bytes();
            "integer_too_large"
        }
    };
    (bytes, code)
}

/// Does something to a member of a good body. Nothing where what was drawn does not go together.
fn meaningless(body: &Value, chance: &mut ChaCha8Rng) -> Option<(Value, &'static str)> {
    let mut members: Map<String, Value> = body.as_object().unwrap().clone();
    let name = members.keys().nth(chance.random_range(0..members.len())).unwrap().clone();
    let code = match chance.random_range(0..5) {
        0 => {
            members.insert(format!("{CANARY}{}", chance.random::<u32>()), json!(chance.random::<u32>()));
            "unknown_field"
        }
        1 => {
            let name = required(body).choose(chance)?;
            if chance.random() {
                members.remove(*name)
            } else {
                members.insert((*name).to_owned(), Value::Null)
            };
            "required"
        }
        2 | 3 => {
            members.insert(name.clone(), of_another_type(kind_of(body, &name)?, chance));
            "wrong_type"
        }
        _ => {
            let (value, code) = of_another_meaning(kind_of(body, &name)?, chance)?;
            members.insert(name, value);
            code
        }
    };
    Some((Value::Object(members), code))
}

fn generate(n_cases: usize, chance: &mut ChaCha8Rng) -> Vec<Case> {
    let mut cases = Vec::new();
    while cases.len() < n_cases {
        let (kind, path) = *KINDS.choose(chance).unwrap();
        let good = full(kind);
        let (body, code) = if chance.random_ratio(2, 5) {
            unreadable(&good, chance)
        } else {
            let Some((bad, code)) = meaningless(&good, chance) else { continue };
            let is_item = !["envelope", "batch"].contains(&kind);
            // What is wrong with an item is as wrong inside a batch.
            let list = path.rsplit('/').next().unwrap();
            let body = if is_item && chance.random_ratio(1, 3) { json!({list: [bad]}) } else { bad };
            (body.to_string().into_bytes(), code)
        };
        let name = format!("{kind}: {}", String::from_utf8_lossy(&body[..body.len().min(400)]));
        cases.push(Case { name, path, body, code: code.to_owned() });
    }
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_bodies_made_bad_by_chance_get_their_own_codes() {
    let given = environment("AFTERWORD_CAMPAIGN_SEED").and_then(|seed| seed.parse().ok());
    let seed: u64 = given.unwrap_or_else(rand::random);
    println!("bad_bodies: AFTERWORD_CAMPAIGN_SEED={seed}");

    let cases = generate(N_CASES, &mut ChaCha8Rng::seed_from_u64(seed));

    assert!(cases.len() >= 5_000);
    check(cases).await;
}
