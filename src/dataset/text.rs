//! The texts of completions as trainers take them, and the reasons for which they cannot.

use unicode_normalization::UnicodeNormalization;

use super::example::Turn;
use super::exclusion::{
    CONSENT_MISSING, EMPTY_TEXT, FINISH_REASON_MISSING, FINISH_REASON_NOT_STOP, NOT_PLAIN_TEXT,
    PROMPT_NOT_ENDING_WITH_USER, TOO_LONG, TOOL_CALLS,
};
use crate::domain::completion::{Completion, Message};
use crate::domain::json::Json;
use crate::domain::recipe::{Consent, Options, SystemPrompt};

/// Why something cannot become an example.
pub(super) type Reason = &'static str;

/// Folds a text for comparison: Unicode form NFC, every run of white space one space, none at the ends.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.extend(word.nfc());
    }
    folded
}

/// Writes a prompt as one text, each turn led by its role; U+0000, which no text holds, keeps them apart.
pub(super) fn prompt_text(prompt: &[Turn]) -> String {
    let mut text = String::new();
    for turn in prompt {
        text.push('\0');
        text.push_str(turn.role);
        text.push('\0');
        text.push_str(&turn.content);
    }
    text
}

/// Checks what the recipe asks of a completion whatever it is used for.
pub(super) fn check(completion: &Completion, options: &Options) -> Result<(), Reason> {
    if options.consent == Consent::Required && completion.consent_training != Some(true) {
        return Err(CONSENT_MISSING);
    }
    if options.require_stop {
        match completion.finish_reason.as_deref() {
            Some("stop") => {}
            Some(_) => return Err(FINISH_REASON_NOT_STOP),
            None => return Err(FINISH_REASON_MISSING),
        }
    }
    if completion.has_tools { Err(TOOL_CALLS) } else { Ok(()) }
}

/// Returns the prompt as turns of plain text, ending with the user's.
pub(super) fn prompt_turns(completion: &Completion, options: &Options) -> Result<Vec<Turn>, Reason> {
    let mut turns = Vec::with_capacity(completion.prompt.len());
    for message in &completion.prompt {
        let role = match message.role() {
            "system" | "developer" => "system",
            "user" => "user",
            "assistant" => "assistant",
            _ => return Err(TOOL_CALLS),
        };
        let content = plain_text(message)?;
        if role != "system" || options.system_prompt == SystemPrompt::Keep {
            turns.push(Turn { role, content });
        }
    }
    match turns.last() {
        Some(last) if last.role == "user" => Ok(turns),
        _ => Err(PROMPT_NOT_ENDING_WITH_USER),
    }
}

/// Returns the answer, byte for byte; it must hold more than white space.
pub(super) fn answer(completion: &Completion) -> Result<String, Reason> {
    let text = plain_text(&completion.response)?;
    if text.trim().is_empty() { Err(EMPTY_TEXT) } else { Ok(text) }
}

/// Returns the text of a message: its content, or its parts joined where all of them are text.
fn plain_text(message: &Message) -> Result<String, Reason> {
    let value = message.value();
    let calls = |key| value.get(key).is_some_and(|calls| !is_absent(calls));
    if calls("tool_calls") || calls("function_call") {
        return Err(TOOL_CALLS);
    }
    match value.get("content") {
        Some(Json::String(text)) => Ok(text.clone()),
        Some(Json::Array(parts)) => parts.iter().map(part_text).collect::<Option<String>>().ok_or(NOT_PLAIN_TEXT),
        _ => Err(NOT_PLAIN_TEXT),
    }
}

fn is_absent(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn part_text(part: &Json) -> Option<&str> {
    (part.get("type")?.as_str()? == "text").then(|| part.get("text")?.as_str()).flatten()
}

/// Checks the length of an example in characters.
pub(super) fn check_length(prompt: &[Turn], answers: &[&str], options: &Options) -> Result<(), Reason> {
    if options.max_chars == 0 {
        return Ok(());
    }
    let n_prompt_chars: usize = prompt.iter().map(|turn| turn.content.chars().count()).sum();
    let n_answer_chars: usize = answers.iter().map(|text| text.chars().count()).sum();
    let fits = i64::try_from(n_prompt_chars + n_answer_chars).is_ok_and(|n_chars| n_chars <= options.max_chars);
    if fits { Ok(()) } else { Err(TOO_LONG) }
}
