//! Langfuse's batches of events: `POST /api/public/ingestion`, by which its clients sent everything before they exported OTLP.
//!
//! Events about one generation are put together before they are read, by the times that stand on them. A generation is a
//! completion once its output is there.

use std::collections::HashMap;

use super::super::parts;
use super::super::wire::{Object, items_of, member, milliseconds, number_of, rfc3339, text_of};
use super::super::{fault, litellm};
use super::score;
use crate::domain::batch::Item;
use crate::domain::completion::NewCompletion;
use crate::domain::feedback::NewFeedback;
use crate::domain::fields::{FieldCode, FieldError};
use crate::domain::ids::CompletionId;
use crate::domain::json::Json;
use crate::foreign::meaning::Meanings;

/// The most events that one request may carry.
pub const MAX_EVENTS: usize = 2_000;

/// What the events of a request became; places count events.
#[derive(Debug, Default, PartialEq)]
pub struct Batch {
    /// Ids of the events, in their order; empty where an event has none.
    pub ids: Vec<String>,
    /// Completions, each with the places of the events that tell it.
    pub completions: Vec<(Vec<usize>, Item<NewCompletion>)>,
    /// Reactions, each with the place of its event.
    pub feedback: Vec<(usize, Item<NewFeedback>)>,
    /// Events that are no items whatever they hold, and what is wrong with them.
    pub faults: Vec<(usize, FieldError)>,
    /// Generations that failed.
    pub n_failed: usize,
    /// Events of generations whose output is not there.
    pub n_unfinished: usize,
    /// Events of anything else.
    pub n_other: usize,
}

/// Reads the events of a request.
pub fn batch(body: &Json, meanings: &Meanings) -> Result<Batch, FieldError> {
    let Some(Json::Array(events)) = body.get("batch") else {
        return Err(FieldError::new("/batch", FieldCode::Required, "`batch` is required, and is a list of events"));
    };
    let mut batch = Batch::default();
    let mut generations: Vec<Generation<'_>> = Vec::new();
    let mut place_of: HashMap<&str, usize> = HashMap::new();
    for (place, event) in events.iter().enumerate() {
        batch.ids.push(text_of(event, "id").unwrap_or_default().to_owned());
        let content = member(event, "body").unwrap_or(&Json::Null);
        match (text_of(event, "type"), text_of(content, "id")) {
            (None, _) => batch.faults.push((place, fault(FieldCode::Required, "an event needs a `type`"))),
            (Some("score-create" | "generation-create" | "generation-update"), None) => {
                batch.faults.push((place, fault(FieldCode::Required, "an event needs a `body` with an `id`")));
            }
            (Some("score-create"), Some(_)) => batch.add_score(place, content, meanings),
            (Some("generation-create" | "generation-update"), Some(id)) => {
                let index = *place_of.entry(id).or_insert(generations.len());
                if index == generations.len() {
                    generations.push(Generation { id, events: Vec::new() });
                }
                generations[index].events.push((place, event));
            }
            (Some(_), _) => batch.n_other += 1,
        }
    }
    for generation in generations {
        batch.add_generation(generation, events);
    }
    Ok(batch)
}

impl Batch {
    fn add_score(&mut self, place: usize, content: &Json, meanings: &Meanings) {
        match score(content, meanings) {
            Err(error) => self.faults.push((place, error)),
            Ok(items) => self.feedback.extend(items.into_iter().map(|item| {
                let id = item.get("id").and_then(Json::as_str).map(str::to_owned);
                (place, Item { id, outcome: NewFeedback::from_json(item, "") })
            })),
        }
    }

    fn add_generation(&mut self, mut generation: Generation<'_>, events: &[Json]) {
        let told = generation.merged();
        let places: Vec<usize> = generation.events.iter().map(|(place, _)| *place).collect();
        if member(&told, "output").is_some() {
            let trace = text_of(&told, "traceId").map_or(Json::Null, |id| trace_of(id, events));
            let item = Item { id: Some(generation.id.to_owned()), outcome: completion(&told, &trace) };
            self.completions.push((places, item));
        } else if text_of(&told, "level") == Some("ERROR") {
            self.n_failed += places.len();
        } else {
            self.n_unfinished += places.len();
        }
    }
}

/// Events of one generation.
struct Generation<'a> {
    id: &'a str,
    events: Vec<(usize, &'a Json)>,
}

impl Generation<'_> {
    /// Puts the events together: of a member that several tell, the latest has the word.
    fn merged(&mut self) -> Json {
        self.events.sort_by_key(|(place, event)| {
            (rfc3339(event.get("timestamp")), text_of(event, "type") == Some("generation-update"), *place)
        });
        let contents: Vec<&Json> = self.events.iter().filter_map(|(_, event)| member(event, "body")).collect();
        merged(&contents)
    }
}

fn merged(contents: &[&Json]) -> Json {
    let mut members: Vec<(String, Json)> = Vec::new();
    for content in contents {
        let Json::Object(entries) = content else { continue };
        for (name, value) in entries.iter().filter(|(_, value)| *value != Json::Null) {
            match members.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => known.clone_from(value),
                None => members.push((name.clone(), value.clone())),
            }
        }
    }
    Json::Object(members)
}

/// What the events of a trace say of it; there its user and session stand.
fn trace_of(id: &str, events: &[Json]) -> Json {
    let is_of_trace = |event: &&Json| {
        text_of(event, "type") == Some("trace-create")
            && event.get("body").is_some_and(|content| text_of(content, "id") == Some(id))
    };
    let mut told: Vec<&Json> = events.iter().filter(is_of_trace).collect();
    told.sort_by_key(|event| rfc3339(event.get("timestamp")));
    merged(&told.into_iter().filter_map(|event| event.get("body")).collect::<Vec<_>>())
}

fn completion(told: &Json, trace: &Json) -> Result<NewCompletion, Vec<FieldError>> {
    let answer = parts::answers(told.get("output").unwrap_or(&Json::Null)).into_iter().next();
    let prompt = member(told, "input").map_or_else(Vec::new, parts::messages);
    if prompt.is_empty() {
        let wrong = "the events of this generation in one request hold no `input`";
        return Err(vec![FieldError::new("/input", FieldCode::Required, wrong)]);
    }
    let id = text_of(told, "id");
    let (started, ended) = (rfc3339(told.get("startTime")), rfc3339(told.get("endTime")));
    let first = rfc3339(told.get("completionStartTime"));
    let timing = Object::default()
        .moment("started_at", started)
        .put("ttft_ms", milliseconds(started, first))
        .put("latency_ms", milliseconds(started, ended));
    let alias = text_of(told, "traceId").filter(|alias| Some(*alias) != id && CompletionId::parse(alias).is_ok());
    let settings = told.get("modelParameters").unwrap_or(&Json::Null);
    let params = litellm::PARAMS
        .iter()
        .fold(Object::default(), |params, name| params.put(name, member(settings, name).cloned()));
    let cost = ["costDetails", "cost_details"].iter().find_map(|name| member(told, name)?.get("total"));
    let value = Object::default()
        .text("id", id)
        .text("model", text_of(told, "model"))
        .put("prompt", Some(Json::Array(prompt)))
        .put("response", answer.as_ref().map(|answer| answer.message.clone()))
        .text("finish_reason", answer.as_ref().and_then(|answer| answer.finish_reason.as_deref()))
        .object("params", params)
        .text("conversation_id", text_of(trace, "sessionId"))
        .text("user", text_of(trace, "userId"))
        .object("usage", usage(told))
        .object("timing", timing)
        .put("cost_usd", cost.and_then(number_of).filter(|cost| *cost > 0.0).map(Json::Float))
        .put("aliases", alias.map(|alias| Json::Array(vec![Json::String(alias.to_owned())])))
        .moment("created_at", ended)
        .build();
    NewCompletion::from_json(value, "")
}

/// Counts of tokens, under the names of each generation of Langfuse's clients.
fn usage(told: &Json) -> Object {
    let count = |names: &[&str]| {
        let groups = ["usageDetails", "usage"].iter().filter_map(|group| member(told, group));
        let mut counts = groups.flat_map(|group| names.iter().filter_map(|name| group.get(name)));
        counts.find(|count| matches!(count, Json::Integer(0..=0x7fff_ffff))).cloned()
    };
    Object::default()
        .put("input_tokens", count(&["input", "promptTokens", "prompt_tokens"]))
        .put("output_tokens", count(&["output", "completionTokens", "completion_tokens"]))
}

/// Returns the events of a request, to be counted before they are read.
pub fn events(body: &Json) -> &[Json] {
    items_of(body, "batch")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(events: &[&str]) -> Batch {
        let body = format!("{{\"batch\":[{}],\"metadata\":{{\"sdk\":\"x\"}}}}", events.join(","));
        batch(&Json::parse(body.as_bytes()).unwrap(), &Meanings::default()).unwrap()
    }

    const TRACE: &str = r#"{"id":"e0","type":"trace-create","timestamp":"2026-11-01T10:00:00Z",
        "body":{"id":"t","userId":"u-1","sessionId":"c-1"}}"#;
    const CREATE: &str = r#"{"id":"e1","type":"generation-create","timestamp":"2026-11-01T10:00:01Z",
        "body":{"id":"g","traceId":"t","model":"acme-8b","input":[{"role":"user","content":"Why?"}],
        "modelParameters":{"temperature":0.5,"key":"k"},"startTime":"2026-11-01T10:00:01Z","output":null}}"#;
    const UPDATE: &str = r#"{"id":"e2","type":"generation-update","timestamp":"2026-11-01T10:00:03Z",
        "body":{"id":"g","output":{"role":"assistant","content":"So."},"endTime":"2026-11-01T10:00:03Z",
        "completionStartTime":"2026-11-01T10:00:01.25Z","usage":{"input":5,"output":2,"unit":"TOKENS"}}}"#;

    #[test]
    fn what_events_tell_of_a_generation_is_one_completion_in_whatever_order_they_come() {
        let orders = [[TRACE, CREATE, UPDATE], [UPDATE, CREATE, TRACE], [CREATE, TRACE, UPDATE]];
        let told = orders.map(|events| read(&events));

        let completion = told[0].completions[0].1.outcome.as_ref().unwrap();
        assert_eq!((completion.id.as_str(), &*completion.model), ("g", "acme-8b"));
        assert_eq!(completion.aliases[0].as_str(), "t");
        assert_eq!(completion.prompt[0].value().to_text(), r#"{"role":"user","content":"Why?"}"#);
        assert_eq!(completion.response.value().to_text(), r#"{"role":"assistant","content":"So."}"#);
        assert_eq!((completion.timing.latency_ms, completion.timing.ttft_ms), (Some(2000.0), Some(250.0)));
        assert_eq!((completion.usage.input_tokens, completion.usage.output_tokens), (Some(5), Some(2)));
        assert_eq!(completion.user.as_ref().unwrap().as_str(), "u-1");
        assert_eq!(completion.conversation_id.as_ref().unwrap().as_str(), "c-1");
        assert_eq!(completion.params.as_ref().unwrap().to_text(), r#"{"temperature":0.5}"#);
        assert_eq!((told[0].completions[0].0.clone(), told[0].n_other), (vec![1, 2], 1));
        for other in &told[1..] {
            assert_eq!(other.completions[0].1, told[0].completions[0].1);
        }
    }

    #[test]
    fn a_generation_without_its_output_is_none_yet_and_one_without_its_input_cannot_be_one() {
        let early = read(&[CREATE]);
        let late = read(&[UPDATE]);
        let failed = read(&[CREATE, r#"{"id":"e3","type":"generation-update","body":{"id":"g","level":"ERROR"}}"#]);

        assert_eq!((early.n_unfinished, early.completions.len()), (1, 0));
        let errors = late.completions[0].1.outcome.as_ref().unwrap_err();
        assert_eq!((&*errors[0].pointer, errors[0].code), ("/input", FieldCode::Required));
        assert_eq!((failed.n_failed, failed.n_unfinished), (2, 0));
    }

    #[test]
    fn scores_are_reactions_and_every_other_event_is_counted_or_faulted() {
        let told = read(&[
            r#"{"id":"a","type":"score-create","body":{"id":"s","traceId":"t","name":"thumb","value":1}}"#,
            r#"{"id":"b","type":"score-create","body":{"traceId":"t","name":"thumb","value":1}}"#,
            r#"{"id":"c","type":"score-create","body":{"id":"s2","traceId":"t","name":"relevance","value":0.5}}"#,
            r#"{"id":"d","type":"span-create","body":{"id":"x"}}"#,
            r#"{"id":"e","type":"sdk-log","body":{"log":{}}}"#,
            r#"{"id":"f"}"#,
            "7",
        ]);

        assert_eq!((told.feedback.len(), told.feedback[0].0, told.n_other), (1, 0, 2));
        let codes: Vec<_> = told.faults.iter().map(|(place, error)| (*place, error.code)).collect();
        let required = FieldCode::Required;
        assert_eq!(codes, [(1, required), (2, FieldCode::RangeUnknown), (5, required), (6, required)]);
        assert_eq!(told.ids, ["a", "b", "c", "d", "e", "f", ""]);
        for wrong in ["{}", "[]", r#"{"batch":{}}"#] {
            assert!(batch(&Json::parse(wrong.as_bytes()).unwrap(), &Meanings::default()).is_err(), "{wrong}");
        }
    }
}
