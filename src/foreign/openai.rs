//! OpenAI: stored chat completions, as its API lists them, with the messages that each answered. They hold no reactions.

use super::fault;
use super::mapping::{Mapping, MappingError, Said};
use super::wire::{items_of, member};
use crate::domain::fields::FieldCode;
use crate::domain::json::Json;

/// What a message is; the API adds to each stored one an id of its own, with which no two prompts would be the same.
const OF_A_MESSAGE: [&str; 8] =
    ["role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal", "audio"];

/// Returns the mapping of stored completions.
pub fn mapping() -> Result<Mapping, MappingError> {
    Mapping::parse(include_str!("openai.toml"))
}

/// Turns a stored completion into one in our wire form.
pub fn completion(record: &Json, mapping: &Mapping) -> Said {
    let Json::Object(members) = record else {
        return Said::Fault(fault(FieldCode::WrongType, "must be an object"));
    };
    if items_of(record, "choices").len() > 1 {
        return Said::Fault(fault(
            FieldCode::MultipleChoices,
            "a stored completion with several choices has one id for all",
        ));
    }
    let trimmed = members.iter().map(|(name, value)| match value {
        Json::Array(messages) if name == "messages" => {
            let parts_in_place = messages.iter().map(trimmed).collect();
            (name.clone(), Json::Array(parts_in_place))
        }
        _ => (name.clone(), value.clone()),
    });
    match mapping.read(&Json::Object(trimmed.collect())).completion {
        Said::Nothing => Said::Fault(fault(FieldCode::Required, "`id`, `messages` and `choices` are required")),
        said => said,
    }
}

/// Leaves of a message what was said. Of several parts the API keeps the text apart, under a name of its own.
fn trimmed(message: &Json) -> Json {
    let Json::Object(members) = message else { return message.clone() };
    let parts = member(message, "content_parts").filter(|_| member(message, "content").is_none());
    let mut kept: Vec<(String, Json)> = members
        .iter()
        .filter(|(name, value)| OF_A_MESSAGE.contains(&name.as_str()) && *value != Json::Null)
        .cloned()
        .collect();
    kept.extend(parts.map(|parts| ("content".to_owned(), parts.clone())));
    Json::Object(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::completion::NewCompletion;

    fn read(text: &str) -> Said {
        completion(&Json::parse(text.as_bytes()).unwrap(), &mapping().unwrap())
    }

    fn stored(id: &str) -> String {
        format!(
            r#"{{"object":"chat.completion","id":"{id}","model":"gpt-x","created":1769860800,"request_id":"req_1",
            "metadata":{{"route":"faq"}},"usage":{{"prompt_tokens":8,"completion_tokens":2,
            "prompt_tokens_details":{{"cached_tokens":4}}}},"tools":null,"tool_choice":null,"seed":7,
            "choices":[{{"index":0,"message":{{"role":"assistant","content":"So.","refusal":null}},"finish_reason":"stop"}}],
            "messages":[{{"id":"{id}-0","role":"user","content":"Why?","name":null,"content_parts":null}},
            {{"id":"{id}-1","role":"user","content":null,"content_parts":[{{"type":"text","text":"Say."}}]}}]}}"#
        )
    }

    #[test]
    fn a_stored_completion_is_taken_with_what_it_answered() {
        let Said::Item(item) = read(&stored("c-1")) else { panic!("an item") };

        let completion = NewCompletion::from_json(item.clone(), "").unwrap();

        assert_eq!((completion.id.as_str(), completion.finish_reason.as_deref()), ("c-1", Some("stop")));
        assert_eq!(completion.created_at.unwrap().timestamp(), 1_769_860_800);
        let messages =
            r#"[{"role":"user","content":"Why?"},{"role":"user","content":[{"type":"text","text":"Say."}]}]"#;
        assert_eq!(item.get("prompt").map(Json::to_text).as_deref(), Some(messages));
        assert_eq!(item.get("tags").map(Json::to_text).as_deref(), Some(r#"{"route":"faq"}"#));
        let usage = r#"{"cached_input_tokens":4,"input_tokens":8,"output_tokens":2}"#;
        assert_eq!(item.get("usage").map(Json::to_text).as_deref(), Some(usage));
    }

    #[test]
    fn two_answers_to_one_prompt_have_the_same_prompt() {
        let hash = |id: &str| match read(&stored(id)) {
            Said::Item(item) => NewCompletion::from_json(item, "").unwrap().prompt_hash,
            other => panic!("{other:?}"),
        };

        assert_eq!(hash("c-1"), hash("c-2"));
    }

    #[test]
    fn what_is_no_stored_completion_is_refused_with_its_reason() {
        for (text, expected) in [
            ("[]", FieldCode::WrongType),
            ("{}", FieldCode::Required),
            (r#"{"id":"c","choices":[{},{}]}"#, FieldCode::MultipleChoices),
        ] {
            assert!(matches!(read(text), Said::Fault(fault) if fault.code == expected), "{text}");
        }
    }
}
