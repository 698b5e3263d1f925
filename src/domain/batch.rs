//! The items of one write: a single object, or an envelope around up to [`MAX_ITEMS`] of them.
//!
//! What is wrong with an envelope is the whole request's fault; what is wrong with an item is the item's own.

use super::clock::Timestamp;
use super::completion::NewCompletion;
use super::credential::MAX_TOKEN_BYTES;
use super::feedback::NewFeedback;
use super::fields::{FieldCode, FieldError, Fields, id, integer, one_of, short_text, text, timestamp, uuid};
use super::grant::Grant;
use super::ids::CompletionId;
use super::json::Json;
use super::principal::Trust;

/// The most items that one request may write.
pub const MAX_ITEMS: usize = 500;

/// Why no item of a request can be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchError {
    /// More than [`MAX_ITEMS`].
    TooManyItems,
    /// The envelope is invalid.
    Invalid(Vec<FieldError>),
}

impl From<Vec<FieldError>> for BatchError {
    fn from(errors: Vec<FieldError>) -> Self {
        Self::Invalid(errors)
    }
}

/// One item of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Item<T> {
    /// The client's id of it, where it could be read.
    pub id: Option<String>,
    /// The item, or everything that is wrong with it.
    pub outcome: Result<T, Vec<FieldError>>,
}

/// Parses `POST /v1/completions`: one completion, a raw OpenAI pair, or `{"completions": […]}`.
pub fn completions(body: Json) -> Result<Vec<Item<NewCompletion>>, BatchError> {
    let Some(values) = body.get("completions") else {
        return Ok(vec![completion(body, "")]);
    };
    check_length(values, "/completions")?;
    let mut envelope = Fields::open(body, "")?;
    let values = take_list(&mut envelope, "completions");
    envelope.finish()?;
    Ok(values
        .into_iter()
        .enumerate()
        .map(|(index, value)| completion(value, &format!("/completions/{index}")))
        .collect())
}

/// Parses `POST /v1/feedback`: one reaction, which may have `sent_at` beside its own fields, or the envelope
/// `{"v": 1, "token": …, "sent_at": …, "sdk": …, "trust": …, "feedback": […]}`, whose `sent_at` and `sdk` are every item's.
///
/// The time of sending is no part of an item: a retry has another one, and is a duplicate all the same (ACK-2).
///
/// Where the caller has a grant, every item is held to it.
pub fn feedback(body: Json, grant: Option<&Grant>) -> Result<Vec<Item<NewFeedback>>, BatchError> {
    let Some(values) = body.get("feedback") else {
        return Ok(vec![lone_reaction(body, grant)]);
    };
    check_length(values, "/feedback")?;
    let mut envelope = Fields::open(body, "")?;
    envelope.optional("v", integer(1, 1));
    // A credential, which whoever authenticates has read before; it is never kept.
    envelope.optional("token", text(MAX_TOKEN_BYTES));
    let sent_at: Option<Timestamp> = envelope.optional("sent_at", timestamp);
    let sdk = envelope.optional("sdk", short_text);
    // What the sender says of its own trust; whoever authenticates has read it before.
    envelope.optional("trust", one_of(Trust::WORDS));
    let values = take_list(&mut envelope, "feedback");
    envelope.finish()?;
    let items = values.into_iter().enumerate().map(|(index, value)| {
        let mut item = reaction(value, &format!("/feedback/{index}"), grant);
        if let Ok(reaction) = &mut item.outcome {
            reaction.sent_at = sent_at;
            reaction.sdk.clone_from(&sdk);
        }
        item
    });
    Ok(items.collect())
}

/// Returns the credential that stands in an envelope, for a request that has none in its head.
pub fn token(body: &Json) -> Option<&Json> {
    body.get("feedback").and_then(|_| body.get("token")).filter(|token| **token != Json::Null)
}

/// Returns what the sender of an envelope says of how much its items can be trusted; it can only lower that.
pub fn claimed_trust(body: &Json) -> Option<Trust> {
    body.get("feedback")?;
    one_of(Trust::WORDS)(body.get("trust")?).ok()
}

fn check_length(values: &Json, pointer: &str) -> Result<(), BatchError> {
    match values {
        Json::Array(items) if items.len() > MAX_ITEMS => Err(BatchError::TooManyItems),
        Json::Array(items) if items.is_empty() => {
            Err(vec![FieldError::new(pointer, FieldCode::Empty, "must have at least one item")].into())
        }
        Json::Array(_) => Ok(()),
        _ => Err(vec![FieldError::new(pointer, FieldCode::WrongType, "must be an array")].into()),
    }
}

fn take_list(envelope: &mut Fields, name: &'static str) -> Vec<Json> {
    match envelope.take(name) {
        Some(Json::Array(items)) => items,
        _ => Vec::new(),
    }
}

fn completion(value: Json, pointer: &str) -> Item<NewCompletion> {
    // A raw pair has its id in the response, unless one is given beside it.
    let given = value.get("id").or_else(|| value.get("response").and_then(|response| response.get("id")));
    let id = given.and_then(|given| id(CompletionId::parse)(given).ok()).map(CompletionId::into_string);
    Item { id, outcome: NewCompletion::from_json(value, pointer) }
}

fn reaction(value: Json, pointer: &str, grant: Option<&Grant>) -> Item<NewFeedback> {
    let id = value.get("id").and_then(|given| uuid(given).ok()).map(|id| id.to_string());
    let outcome = NewFeedback::from_json(value, pointer).and_then(|item| match grant {
        Some(grant) => grant.bind(item, pointer),
        None => Ok(item),
    });
    Item { id, outcome }
}

/// Parses a reaction without an envelope, together with the time at which it was sent.
fn lone_reaction(mut body: Json, grant: Option<&Grant>) -> Item<NewFeedback> {
    let sent_at = take_sent_at(&mut body);
    let mut item = reaction(body, "", grant);
    match (&mut item.outcome, sent_at) {
        (Ok(reaction), Ok(sent_at)) => reaction.sent_at = sent_at,
        (Err(errors), Err(error)) => errors.push(error),
        (Ok(_), Err(error)) => item.outcome = Err(vec![error]),
        (Err(_), Ok(_)) => (),
    }
    item
}

/// Takes `sent_at` out of an object, so that what is left of it is the item.
fn take_sent_at(body: &mut Json) -> Result<Option<Timestamp>, FieldError> {
    let Json::Object(members) = body else { return Ok(None) };
    let Some(place) = members.iter().position(|(name, _)| name == "sent_at") else { return Ok(None) };
    match members.remove(place).1 {
        Json::Null => Ok(None),
        given => timestamp(&given).map(Some).map_err(|(code, detail)| FieldError::new("/sent_at", code, detail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes()).unwrap()
    }

    fn thumbs(n_items: usize) -> Json {
        let item = r#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","completion_id":"c","signal":"thumb","value":"up"}"#;
        json(&format!(r#"{{"feedback":[{}]}}"#, vec![item; n_items].join(",")))
    }

    #[test]
    fn an_envelope_holds_one_to_five_hundred_items() {
        assert_eq!(feedback(thumbs(MAX_ITEMS), None).unwrap().len(), MAX_ITEMS);
        assert_eq!(feedback(thumbs(MAX_ITEMS + 1), None), Err(BatchError::TooManyItems));
        assert_eq!(completions(json(r#"{"completions":[]}"#)).unwrap_err(), empty("/completions"));
        assert_eq!(feedback(thumbs(0), None).unwrap_err(), empty("/feedback"));
    }

    fn empty(pointer: &str) -> BatchError {
        vec![FieldError::new(pointer, FieldCode::Empty, "must have at least one item")].into()
    }

    #[test]
    fn the_envelopes_time_and_sdk_are_every_items() {
        let mut envelope = thumbs(2);
        let Json::Object(members) = &mut envelope else { panic!("an object") };
        members.push(("sent_at".to_owned(), json("\"2026-01-31T12:00:00Z\"")));
        members.push(("sdk".to_owned(), json("\"js/1.0.0\"")));
        members.push(("v".to_owned(), json("1")));

        let items = feedback(envelope, None).unwrap();

        for item in items {
            let reaction = item.outcome.unwrap();
            assert_eq!(reaction.sdk.as_deref(), Some("js/1.0.0"));
            assert_eq!(reaction.sent_at.unwrap().to_rfc3339(), "2026-01-31T12:00:00+00:00");
        }
    }

    #[test]
    fn a_lone_reaction_has_its_time_of_sending_beside_it_and_stays_the_same_item() {
        let item = r#""id":"01890a5d-ac96-774b-bcce-b302099a8057","completion_id":"c","signal":"thumb","value":"up""#;
        let lone = |sent_at: &str| feedback(json(&format!("{{{item}{sent_at}}}")), None).unwrap().remove(0).outcome;

        let bare = lone("").unwrap();
        let sent = lone(r#","sent_at":"2026-01-31T12:00:00Z""#).unwrap();
        let sent_again = lone(r#","sent_at":"2026-01-31T12:00:09Z""#).unwrap();

        assert_eq!(sent.sent_at.unwrap().to_rfc3339(), "2026-01-31T12:00:00+00:00");
        assert_eq!((sent.content_hash, sent_again.content_hash), (bare.content_hash, bare.content_hash));
        assert_eq!(lone(r#","sent_at":null"#).unwrap(), bare);
        let errors = lone(r#","sent_at":"yesterday","user":7"#).unwrap_err();
        let told: Vec<_> = errors.iter().map(|error| (error.pointer.as_str(), error.code)).collect();
        assert_eq!(told, [("/user", FieldCode::WrongType), ("/sent_at", FieldCode::Malformed)]);
        let only = lone(r#","sent_at":7"#).unwrap_err();
        assert_eq!((only.len(), only[0].pointer.as_str()), (1, "/sent_at"));
    }

    #[test]
    fn an_item_of_an_envelope_has_no_time_of_sending_of_its_own() {
        let item = r#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","completion_id":"c","signal":"thumb","value":"up",
                       "sent_at":"2026-01-31T12:00:00Z"}"#;

        let items = feedback(json(&format!(r#"{{"feedback":[{item}]}}"#)), None).unwrap();

        assert_eq!(items[0].outcome.as_ref().unwrap_err()[0].code, FieldCode::UnknownField);
    }

    #[test]
    fn what_is_wrong_with_an_envelope_is_nobodys_but_its_own() {
        for (text, pointer, code) in [
            (r#"{"feedback":{}}"#, "/feedback", FieldCode::WrongType),
            (r#"{"feedback":null}"#, "/feedback", FieldCode::WrongType),
            (r#"{"feedback":[{}],"trust":"some"}"#, "/trust", FieldCode::NotOneOf),
            (r#"{"feedback":[{}],"v":2}"#, "/v", FieldCode::OutOfRange),
            (r#"{"feedback":[{}],"sent_at":"yesterday"}"#, "/sent_at", FieldCode::Malformed),
            (r#"{"feedback":[{}],"more":1}"#, "", FieldCode::UnknownField),
        ] {
            let Err(BatchError::Invalid(errors)) = feedback(json(text), None) else { panic!("{text}") };
            assert_eq!((errors[0].pointer.as_str(), errors[0].code), (pointer, code), "{text}");
        }
    }

    #[test]
    fn an_item_keeps_its_id_beside_what_is_wrong_with_it() {
        let items = completions(json(
            r#"{"completions":[{"id":"c-1"},{"request":{},"response":{"id":"c-2"}},{"id":"\u0000"},[]]}"#,
        ))
        .unwrap();

        let ids: Vec<Option<&str>> = items.iter().map(|item| item.id.as_deref()).collect();

        assert_eq!(ids, [Some("c-1"), Some("c-2"), None, None]);
        assert!(items.iter().all(|item| item.outcome.is_err()));
    }

    #[test]
    fn a_single_object_is_a_batch_of_one_whose_pointers_begin_at_the_body() {
        let items = feedback(json(r#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057"}"#), None).unwrap();

        let errors = items[0].outcome.as_ref().unwrap_err();

        assert_eq!(items[0].id.as_deref(), Some("01890a5d-ac96-774b-bcce-b302099a8057"));
        assert_eq!(errors[0].pointer, "/completion_id");
    }
}
