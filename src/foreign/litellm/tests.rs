//! What is read of a batch as LiteLLM sends it, and what is not.

use super::*;
use crate::domain::completion::NewCompletion;

const BATCH: &[u8] = include_bytes!("../../../tests/fixtures/litellm/batch.json");

fn good(calls: &Calls) -> Vec<&NewCompletion> {
    calls.items.iter().filter_map(|(_, item)| item.outcome.as_ref().ok()).collect()
}

#[test]
fn a_streamed_call_becomes_a_completion_with_its_timing_tokens_and_names() {
    let calls = completions(&records(BATCH).unwrap());

    let first = good(&calls)[0];
    assert_eq!((first.id.as_str(), first.model.as_str()), ("chatcmpl-aw-1", "acme-8b"));
    assert_eq!(first.requested_model.as_deref(), Some("acme"));
    assert_eq!((first.prompt.len(), first.prompt[1].role()), (2, "user"));
    assert_eq!(first.response.value().to_text(), r#"{"content":"Air scatters blue light most.","role":"assistant"}"#);
    assert_eq!(first.finish_reason.as_deref(), Some("stop"));
    assert_eq!((first.timing.ttft_ms, first.timing.latency_ms), (Some(250.0), Some(1500.0)));
    assert_eq!(first.timing.started_at.unwrap().timestamp_millis(), 1_780_000_000_250);
    assert_eq!((first.usage.input_tokens, first.usage.output_tokens), (Some(21), Some(9)));
    assert_eq!((first.usage.cached_input_tokens, first.usage.reasoning_tokens), (Some(16), Some(2)));
    assert_eq!(first.user.as_ref().unwrap().as_str(), "u-1");
    assert_eq!(first.conversation_id.as_ref().unwrap().as_str(), "s-1");
    assert_eq!(first.tags.as_ref().unwrap().to_text(), r#"{"route":"faq","beta":"true","at":"10:30"}"#);
    assert_eq!(first.aliases.iter().map(CompletionId::as_str).collect::<Vec<_>>(), ["call-1", "trace-1"]);
    assert_eq!((first.cost_usd, first.consent_training), (Some(0.000_125), None));
}

#[test]
fn addresses_keys_and_headers_of_a_payload_are_never_kept() {
    let calls = completions(&records(BATCH).unwrap());

    let first = good(&calls)[0];
    assert_eq!(first.serving.served_by.as_deref(), Some("vllm-0.example:8000"));
    assert_eq!(first.params.as_ref().unwrap().to_text(), r#"{"temperature":0.2}"#);
    let all = format!("{first:?}");
    assert!(!all.contains("secret") && !all.contains("hash-of-a-key") && !all.contains("192.0.2.7"), "{all}");
}

#[test]
fn each_choice_is_a_completion_and_what_they_cost_together_is_nobodys() {
    let calls = completions(&records(BATCH).unwrap());

    let (first, second) = (good(&calls)[1], good(&calls)[2]);
    assert_eq!((first.id.as_str(), second.id.as_str()), ("chatcmpl-aw-2", "chatcmpl-aw-2#1"));
    assert_eq!(first.prompt_hash, second.prompt_hash);
    assert_eq!((first.aliases.len(), second.aliases.len()), (2, 0), "an alias of two would name none");
    for completion in [first, second] {
        assert_eq!((completion.usage.input_tokens, completion.usage.output_tokens), (Some(4), None));
        assert_eq!((completion.cost_usd, completion.timing.ttft_ms), (None, None), "it was not streamed");
        assert_eq!(completion.user.as_ref().unwrap().as_str(), "u-2");
        assert_eq!(completion.tags.as_ref().unwrap().to_text(), r#"{"cache_hit":"true"}"#);
        assert_eq!((&completion.requested_model, &completion.serving.served_by), (&None, &None));
    }
    assert_eq!(second.finish_reason.as_deref(), Some("length"));
}

#[test]
fn failures_and_other_calls_are_counted_and_what_was_left_out_is_told() {
    let calls = completions(&records(BATCH).unwrap());

    assert_eq!((calls.n_failed, calls.n_other, calls.items.len()), (1, 1, 4));
    let (place, redacted) = &calls.items[3];
    assert_eq!((*place, redacted.id.as_deref()), (3, Some("chatcmpl-aw-4")));
    assert_eq!(redacted.outcome.as_ref().unwrap_err()[0].code, FieldCode::TextRedacted);
}

#[test]
fn the_three_formats_say_the_same_and_the_same_call_is_the_same_completion() {
    let array = records(BATCH).unwrap();
    let lines: Vec<String> = array.iter().map(Json::to_text).collect();

    assert_eq!(records(lines.join("\n").as_bytes()).unwrap(), array);
    assert_eq!(records(lines[0].as_bytes()).unwrap(), array[..1]);
    assert_eq!(completions(&array), completions(&records(lines.join("\r\n").as_bytes()).unwrap()));
}

#[test]
fn a_text_in_other_forms_counts_as_left_out_or_as_an_answer() {
    let redacted = [
        r#"{"messages":"redacted-by-litellm","response":{"choices":[]}}"#,
        r#"{"messages":[],"response":{"text":"redacted-by-litellm"}}"#,
        r#"{"messages":[],"response":"redacted-by-litellm"}"#,
    ];
    for text in redacted {
        let calls = completions(&records(text.as_bytes()).unwrap());
        assert_eq!(calls.items[0].1.outcome.as_ref().unwrap_err()[0].code, FieldCode::TextRedacted, "{text}");
    }
    let text = r#"{"id":"cmpl-1","status":"success","model":"m","messages":"Once",
        "response":{"choices":[{"text":" upon a time","finish_reason":"length"}]}}"#;
    let calls = completions(&records(text.as_bytes()).unwrap());
    assert_eq!(good(&calls)[0].response.value().get("content").unwrap().as_str(), Some(" upon a time"));
}

#[test]
fn a_record_that_makes_no_sense_is_its_own_fault_alone() {
    let text = r#"[7, {"id":"x","response":{"choices":[{"message":{"role":"assistant","content":"y"}}]}},
        {"id":"z","model":"m","messages":"q","startTime":1e300,"response_cost":"much","request_tags":{"a":1},
         "model_parameters":[],"response":{"choices":[{"message":{"role":"assistant","content":"y"}}]}}]"#;

    let calls = completions(&records(text.as_bytes()).unwrap());

    let codes: Vec<Option<FieldCode>> =
        calls.items.iter().map(|(_, item)| item.outcome.as_ref().err().map(|errors| errors[0].code)).collect();
    assert_eq!(codes, [Some(FieldCode::WrongType), Some(FieldCode::Required), None]);
    assert_eq!(calls.items[1].1.id.as_deref(), Some("x"));
}
