//! A call of a model as some convention tells of it, and the completions that it becomes.

use super::super::parts::Answer;
use super::super::wire::Object;
use super::attributes::Attributes;
use crate::domain::batch::Item;
use crate::domain::clock::Timestamp;
use crate::domain::completion::NewCompletion;
use crate::domain::completion_wire::{MAX_COST_USD, MAX_DURATION_MS};
use crate::domain::ids::CompletionId;
use crate::domain::json::Json;

/// What a convention says of a call.
#[derive(Debug, Clone, Default)]
pub(super) struct Call<'a> {
    /// The id that the engine gave its answer.
    pub(super) response_id: Option<&'a str>,
    /// The model that answered.
    pub(super) model: Option<&'a str>,
    /// The model that was asked for.
    pub(super) requested_model: Option<&'a str>,
    /// The messages before the answer.
    pub(super) prompt: Vec<Json>,
    /// The answers, one for each choice.
    pub(super) answers: Vec<Answer>,
    /// Tools that were offered.
    pub(super) tools: Option<Json>,
    /// Sampling settings.
    pub(super) params: Object,
    /// The conversation.
    pub(super) conversation_id: Option<&'a str>,
    /// The user of the product.
    pub(super) user: Option<&'a str>,
    /// Counts of tokens.
    pub(super) usage: Usage,
    /// Time to the first piece of the answer, in milliseconds.
    pub(super) ttft_ms: Option<f64>,
    /// What it cost, in dollars.
    pub(super) cost_usd: Option<f64>,
    /// Host and port of the engine.
    pub(super) served_by: Option<String>,
    /// Whether the span that this one is a part of is another record of the same call.
    pub(super) is_within_its_wrapper: bool,
}

/// Counts of tokens, each absent where nobody says.
#[derive(Debug, Clone, Default)]
pub(super) struct Usage {
    pub(super) input: Option<Json>,
    pub(super) output: Option<Json>,
    pub(super) cached_input: Option<Json>,
    pub(super) reasoning: Option<Json>,
}

impl Call<'_> {
    /// Tells whether it carries what a completion is made of.
    pub(super) fn has_texts(&self) -> bool {
        !self.prompt.is_empty() && !self.answers.is_empty()
    }
}

/// What a record says beside the convention that it follows.
#[derive(Debug, Clone)]
pub(super) struct Circumstances<'a> {
    /// Attributes that every convention has.
    pub(super) attributes: Attributes<'a>,
    /// Trace, in hex; absent where it is none.
    pub(super) trace_id: Option<String>,
    /// Span, likewise.
    pub(super) span_id: Option<String>,
    /// The span that it is a part of, likewise.
    pub(super) parent_id: Option<String>,
    /// When the call began.
    pub(super) started_at: Option<Timestamp>,
    /// When it ended.
    pub(super) ended_at: Option<Timestamp>,
    /// Whether it ended with an error.
    pub(super) is_failed: bool,
}

/// Makes the completions of a call: the first answer has the call's id and its aliases, the others a number behind it.
pub(super) fn completions(
    call: Call<'_>,
    of: &Circumstances<'_>,
    further_aliases: &[String],
) -> Vec<Item<NewCompletion>> {
    let id = call.response_id.map(str::to_owned).or_else(|| of.span_id.clone());
    let parent = of.parent_id.as_ref().filter(|_| call.is_within_its_wrapper);
    let mut aliases: Vec<String> = Vec::new();
    for alias in [&of.trace_id, &of.span_id].into_iter().flatten().chain(parent).chain(further_aliases) {
        if Some(alias) != id.as_ref() && !aliases.contains(alias) && CompletionId::parse(alias).is_ok() {
            aliases.push(alias.clone());
        }
    }
    let n_answers = call.answers.len();
    let answers = call.answers.clone();
    let shared = shared(call, of, n_answers);
    let numbered = answers.into_iter().enumerate().map(|(place, answer)| {
        let id = id.as_ref().map(|id| if place == 0 { id.clone() } else { format!("{id}#{place}") });
        let aliases = aliases.iter().filter(|_| place == 0).map(|alias| Json::String(alias.clone())).collect();
        let value = Object::default()
            .text("id", id.as_deref())
            .all(shared.clone())
            .put("response", Some(answer.message))
            .text("finish_reason", answer.finish_reason.as_deref())
            .put("aliases", (place == 0).then_some(Json::Array(aliases)))
            .build();
        Item { id, outcome: NewCompletion::from_json(value, "") }
    });
    numbered.collect()
}

/// What the completions of a call share. What several answers took together is no answer's own.
fn shared(call: Call<'_>, of: &Circumstances<'_>, n_answers: usize) -> Object {
    let is_single = n_answers == 1;
    let latency_ms = of.started_at.zip(of.ended_at).and_then(|(started, ended)| (ended - started).num_microseconds());
    let duration = |ms: f64| (0.0..=MAX_DURATION_MS).contains(&ms).then_some(Json::Float(ms));
    let usage = Object::default()
        .put("input_tokens", call.usage.input)
        .put("output_tokens", call.usage.output.filter(|_| is_single))
        .put("cached_input_tokens", call.usage.cached_input)
        .put("reasoning_tokens", call.usage.reasoning.filter(|_| is_single));
    let timing = Object::default()
        .moment("started_at", of.started_at)
        .put("ttft_ms", call.ttft_ms.and_then(duration))
        .put("latency_ms", latency_ms.and_then(|us| duration(us as f64 / 1e3)));
    let cost = call.cost_usd.filter(|cost| is_single && *cost > 0.0 && *cost <= MAX_COST_USD);
    let user = call.user.or_else(|| of.attributes.first_text(&["user.id", "enduser.id"]));
    let conversation =
        call.conversation_id.or_else(|| of.attributes.first_text(&["gen_ai.conversation.id", "session.id"]));
    Object::default()
        .text("model", call.model.or(call.requested_model))
        .text("requested_model", call.requested_model)
        .put("prompt", Some(Json::Array(call.prompt)))
        .put("tools", call.tools.filter(|tools| matches!(tools, Json::Array(items) if !items.is_empty())))
        .object("params", call.params)
        .text("conversation_id", conversation)
        .text("user", user)
        .object("usage", usage)
        .object("timing", timing)
        .put("cost_usd", cost.map(Json::Float))
        .object("serving", Object::default().text("served_by", call.served_by.as_deref()))
        .moment("created_at", of.ended_at)
}
