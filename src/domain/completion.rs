//! A completion: one model answer to one prompt, with what is known of how it was made and served.

use super::clock::Timestamp;
use super::fields::FieldError;
use super::hash::ContentHash;
use super::ids::{CompletionId, ConversationId, UserId};
use super::json::Json;

/// The most completions, or feedback items, that one request may carry.
pub const MAX_ITEMS: usize = 500;

/// A message as the model saw or wrote it: an object with a `role` and whatever else it carries.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    role: String,
    value: Json,
}

impl Message {
    /// Reads a message back from the JSON value that was stored; `None` where it is not an object with a `role`.
    pub fn from_stored(value: Json) -> Option<Self> {
        let role = value.get("role")?.as_str()?.to_owned();
        Some(Self { role, value })
    }

    /// Wraps an object whose `role` has been checked; the fields stay as they came.
    pub(super) fn new(role: String, value: Json) -> Self {
        Self { role, value }
    }

    /// Returns who speaks: `system`, `developer`, `user`, `assistant`, `tool` or `function`.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// Returns the message as JSON, untouched.
    pub fn value(&self) -> &Json {
        &self.value
    }
}

/// Token counts as the engine reported them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt.
    pub input_tokens: Option<i32>,
    /// Tokens of the response.
    pub output_tokens: Option<i32>,
    /// Tokens of the prompt that the engine's cache held.
    pub cached_input_tokens: Option<i32>,
    /// Tokens spent on reasoning that is not part of the response.
    pub reasoning_tokens: Option<i32>,
}

/// When the answer was made and how long it took, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Timing {
    /// When the request reached the model.
    pub started_at: Option<Timestamp>,
    /// Time to the first token.
    pub ttft_ms: Option<f64>,
    /// Mean time between tokens.
    pub itl_ms: Option<f64>,
    /// Time from request to last token.
    pub latency_ms: Option<f64>,
    /// Time in the engine's queue.
    pub queue_ms: Option<f64>,
}

/// The state of the engine that served the answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Serving {
    /// Name of the instance.
    pub served_by: Option<String>,
    /// Share of the KV cache in use, 0 to 1.
    pub kv_cache_usage: Option<f64>,
    /// Requests waiting for a place.
    pub n_waiting: Option<i32>,
    /// The model's context length in tokens.
    pub max_model_len: Option<i32>,
}

/// A completion as it arrived, parsed and checked, not yet stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCompletion {
    /// The client's id.
    pub id: CompletionId,
    /// Hash of the whole item as it was sent (ACK-2 compares it).
    pub content_hash: ContentHash,
    /// Hash of the prompt's messages and the tools: equal for two answers to one prompt.
    pub prompt_hash: ContentHash,
    /// The model that answered.
    pub model: String,
    /// The model that was asked for, where it differs.
    pub requested_model: Option<String>,
    /// The messages sent to the model; never empty.
    pub prompt: Vec<Message>,
    /// The answer.
    pub response: Message,
    /// Tool definitions offered to the model.
    pub tools: Option<Json>,
    /// Sampling settings.
    pub params: Option<Json>,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
    /// The conversation that the turn belongs to.
    pub conversation_id: Option<ConversationId>,
    /// Place of the turn in its conversation, from 0.
    pub turn_index: Option<i32>,
    /// The completion that this one regenerates.
    pub parent_completion_id: Option<CompletionId>,
    /// Which attempt at the turn this is, from 1.
    pub attempt: Option<i32>,
    /// Who asked.
    pub user: Option<UserId>,
    /// Key of the experiment that chose the model.
    pub experiment: Option<String>,
    /// The variant that was assigned.
    pub variant: Option<String>,
    /// What kind of work it was.
    pub task: Option<String>,
    /// Language tag.
    pub language: Option<String>,
    /// Free labels, text to text.
    pub tags: Option<Json>,
    /// Token counts.
    pub usage: Usage,
    /// Durations.
    pub timing: Timing,
    /// Price of the answer.
    pub cost_usd: Option<f64>,
    /// The engine's state.
    pub serving: Serving,
    /// Whether the answer may be used for training.
    pub consent_training: Option<bool>,
    /// Whether a rating was asked for at random.
    pub rating_solicited: Option<bool>,
    /// With which probability it was.
    pub solicit_prob: Option<f64>,
    /// Other ids under which feedback may name this completion.
    pub aliases: Vec<CompletionId>,
    /// The client's time of the answer.
    pub created_at: Option<Timestamp>,
}

impl NewCompletion {
    /// Parses one completion that stands at `pointer` in a body; everything that is wrong with it comes back at once.
    ///
    /// Both our own form and a raw OpenAI chat-completions pair `{"request", "response"}` are accepted.
    pub fn from_json(value: Json, pointer: &str) -> Result<Self, Vec<FieldError>> {
        super::completion_wire::parse(value, pointer)
    }

    /// Returns about how much memory the item takes.
    pub fn n_bytes(&self) -> usize {
        let messages: usize = self.prompt.iter().map(|message| size_of::<Message>() + message.value.n_bytes()).sum();
        let objects = [self.tools.as_ref(), self.params.as_ref(), self.tags.as_ref()];
        let objects: usize = objects.into_iter().flatten().map(Json::n_bytes).sum();
        let aliases: usize = self.aliases.iter().map(|alias| size_of::<CompletionId>() + alias.as_str().len()).sum();
        // The short texts, of at most 256 bytes each, are far below what the item itself takes.
        size_of::<Self>() + messages + self.response.value.n_bytes() + objects + aliases
    }
}

/// A completion as it is read back, with what data sets need of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// The client's id.
    pub id: CompletionId,
    /// Hash of the prompt's messages and the tools.
    pub prompt_hash: ContentHash,
    /// The model that answered.
    pub model: String,
    /// The messages sent to the model.
    pub prompt: Vec<Message>,
    /// The answer.
    pub response: Message,
    /// Whether tools were offered to the model.
    pub has_tools: bool,
    /// The tools as a JSON list; read only for those who make rows of conversations with tools.
    pub tools: Option<String>,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
    /// The conversation that the turn belongs to.
    pub conversation_id: Option<ConversationId>,
    /// The completion that this one regenerates.
    pub parent_completion_id: Option<CompletionId>,
    /// Who asked.
    pub user: Option<UserId>,
    /// Language tag.
    pub language: Option<String>,
    /// Key of the experiment that it belongs to.
    pub experiment: Option<String>,
    /// Length of the response as it is stored, in bytes.
    pub n_response_bytes: u32,
    /// Whether the answer may be used for training.
    pub consent_training: Option<bool>,
    /// Whether that is the project's word, since the completion says nothing itself.
    pub is_consent_presumed: bool,
    /// Whether the selection lets it through; answers beside a selected one are read too, for pairs.
    pub selected: bool,
    /// When we received it.
    pub received_at: Timestamp,
}
