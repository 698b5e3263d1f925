//! The texts of completions as trainers take them, and the reasons for which they cannot.

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

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
///
/// An export folds every text several times, and almost all words are in that form already: only the others are composed.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    if text.is_ascii() {
        join(&mut folded, text.split(|character| matches!(character, '\u{9}'..='\u{d}' | ' ')), String::push_str);
    } else {
        join(&mut folded, text.split_whitespace(), |folded, word| match is_nfc_quick(word.chars()) {
            IsNormalized::Yes => folded.push_str(word),
            IsNormalized::No | IsNormalized::Maybe => folded.extend(word.nfc()),
        });
    }
    folded
}

fn join<'a>(folded: &mut String, words: impl Iterator<Item = &'a str>, push: impl Fn(&mut String, &str)) {
    for word in words.filter(|word| !word.is_empty()) {
        if !folded.is_empty() {
            folded.push(' ');
        }
        push(folded, word);
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What [`fold`] says, without its short cuts.
    fn slowly(text: &str) -> String {
        text.split_whitespace().map(|word| word.nfc().collect::<String>()).collect::<Vec<_>>().join(" ")
    }

    proptest! {
        #[test]
        fn folding_is_the_same_whichever_way_a_text_takes(
            text in prop_oneof![
                "[ -~\\t\\r\\n\u{b}\u{c}\u{1c}]{0,40}",
                "[a e\u{301}\u{327}é\u{212b}각\u{1100}\u{1161}\u{11a8}\u{85}\u{a0}\u{2003} ]{0,30}",
                any::<String>(),
            ]
        ) {
            prop_assert_eq!(fold(&text), slowly(&text));
        }
    }
}
