//! The texts of completions as trainers take them, and the reasons for which they cannot.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::example::Turn;
use super::exclusion::{
    CONSENT_MISSING, CONSENT_REFUSED, EMPTY_TEXT, FINISH_REASON_MISSING, FINISH_REASON_NOT_STOP, NOT_PLAIN_TEXT,
    OTHER_MODEL, PROMPT_NOT_ENDING_WITH_USER, TOO_LONG, TOOL_CALLS,
};
use super::minhash::{Signature, Sketcher};
use super::tools::{self, Form};
use crate::domain::completion::{Completion, Message};
use crate::domain::consent::Ground;
use crate::domain::json::Json;
use crate::domain::recipe::{Consent, FinishReason, Options, SystemPrompt, ToolCalls};

/// Why something cannot become an example.
pub(super) type Reason = &'static str;

/// Bytes that are looked at together.
const STRETCH_BYTES: usize = 64;

/// Folds a text for comparison: Unicode form NFC, every run of white space one space, none at the ends.
///
/// An export folds every text several times, and almost all words are in that form already: only the others are composed.
pub(super) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return fold_ascii(text);
    }
    let mut folded = String::with_capacity(text.len());
    for word in words(text) {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(&word);
    }
    folded
}

/// Looks at bytes and not at characters, a few dozen at a time: most stretches are folded already and are copied whole.
fn fold_ascii(text: &str) -> String {
    let mut folded: Vec<u8> = Vec::with_capacity(text.len());
    for stretch in text.as_bytes().chunks(STRETCH_BYTES) {
        // What stands between two words is one space; whether one may begin the stretch, its forerunner tells.
        let begins_well = stretch[0] != b' ' || folded.last().is_some_and(|last| *last != b' ');
        if begins_well && is_folded(stretch) {
            folded.extend_from_slice(stretch);
            continue;
        }
        for byte in stretch {
            if !is_space(*byte) {
                folded.push(*byte);
            } else if folded.last().is_some_and(|last| *last != b' ') {
                folded.push(b' ');
            }
        }
    }
    folded.pop_if(|last| *last == b' ');
    // ASCII without some of it is ASCII.
    String::from_utf8(folded).unwrap_or_default()
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

/// Tells whether no two white spaces follow each other and all of them are spaces. Every byte is looked at, whatever the
/// ones before it say, so that the compiler looks at many at once.
fn is_folded(stretch: &[u8]) -> bool {
    let others = stretch.iter().fold(0, |found, byte| found | u8::from(matches!(byte, b'\t'..=b'\r')));
    let is_one = |byte: &u8| u8::from(*byte == b' ');
    let twice = stretch.iter().zip(&stretch[1..]).fold(0, |found, (one, next)| found | (is_one(one) & is_one(next)));
    others == 0 && twice == 0
}

/// Tells whether two texts are one once they are folded; most differ in their first words.
pub(super) fn are_one(left: &str, right: &str) -> bool {
    left == right || words(left).eq(words(right))
}

/// Lists the words of a text, composed.
fn words(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.split_whitespace().map(|word| match is_nfc_quick(word.chars()) {
        IsNormalized::Yes => Cow::Borrowed(word),
        IsNormalized::No | IsNormalized::Maybe => Cow::Owned(word.nfc().collect()),
    })
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

/// Checks what the recipe asks of a completion whose prompt is used and whose answer is not.
pub(super) fn check_prompt(completion: &Completion, options: &Options) -> Result<(), Reason> {
    match Ground::of(completion) {
        Ground::Recorded | Ground::Presumed => Ok(()),
        Ground::Refused => Err(CONSENT_REFUSED),
        Ground::None if options.consent == Consent::Ignore => Ok(()),
        Ground::None => Err(CONSENT_MISSING),
    }
}

/// Checks what the recipe asks of a completion whose answer is used.
pub(super) fn check(completion: &Completion, options: &Options) -> Result<(), Reason> {
    check_prompt(completion, options)?;
    if options.finish_reason == FinishReason::Stop {
        match completion.finish_reason.as_deref() {
            Some("stop") => {}
            Some("tool_calls") if options.tool_calls != ToolCalls::Exclude => {}
            Some(_) => return Err(FINISH_REASON_NOT_STOP),
            None => return Err(FINISH_REASON_MISSING),
        }
    }
    let is_of_target = options.target_model.is_empty() || completion.model == options.target_model;
    if is_of_target { Ok(()) } else { Err(OTHER_MODEL) }
}

/// A prompt as a row holds it.
#[derive(Debug, Clone)]
pub(super) struct Prompt {
    pub(super) turns: Vec<Turn>,
    /// The tools as JSON, for rows whose messages are JSON.
    pub(super) tools: Option<String>,
}

/// Returns the prompt in a form, ending with the user's turn or a tool's.
pub(super) fn prompt(completion: &Completion, form: Form, options: &Options) -> Result<Prompt, Reason> {
    let mut turns: Vec<Turn> = Vec::with_capacity(completion.prompt.len() + 1);
    if options.system_prompt == SystemPrompt::Replace {
        turns.push(said("system", &options.system_prompt_text, form));
    }
    let mut last_role = "";
    for message in &completion.prompt {
        let role = match message.role() {
            "system" | "developer" => "system",
            "user" => "user",
            "assistant" => "assistant",
            "tool" if form != Form::Plain => "tool",
            _ => return Err(TOOL_CALLS),
        };
        if role == "system" && options.system_prompt != SystemPrompt::Keep {
            continue;
        }
        let content = match (form, role) {
            (Form::Json, _) => tools::json_message(message, role)?,
            (Form::Flat, "tool") => tools::flat_result(message)?,
            (Form::Flat, "assistant") => tools::flat_message(message)?,
            _ => plain_text(message)?,
        };
        match turns.last_mut() {
            // Results that came together are one turn of the user's, as the templates write them.
            Some(last) if form == Form::Flat && role == "tool" && last_role == "tool" => {
                last.content.push('\n');
                last.content.push_str(&content);
            }
            _ => turns.push(Turn { role: if form == Form::Flat && role == "tool" { "user" } else { role }, content }),
        }
        last_role = role;
    }
    if !matches!(last_role, "user" | "tool") {
        return Err(PROMPT_NOT_ENDING_WITH_USER);
    }
    if form == Form::Flat {
        tools::flatten_definitions(&mut turns, completion.tools.as_deref());
    }
    let tools = (form == Form::Json).then(|| completion.tools.clone().unwrap_or_else(|| "[]".to_owned()));
    Ok(Prompt { turns, tools })
}

fn said(role: &'static str, text: &str, form: Form) -> Turn {
    let content = if form == Form::Json { tools::json_text(role, text) } else { text.to_owned() };
    Turn { role, content }
}

/// Returns the answer in a form, byte for byte where it is plain; it must hold more than white space, or a call.
pub(super) fn answer(completion: &Completion, form: Form) -> Result<String, Reason> {
    let message = &completion.response;
    if form != Form::Plain && !tools::has(message, "tool_calls") && content(message)?.trim().is_empty() {
        return Err(EMPTY_TEXT);
    }
    match form {
        Form::Plain => editable(completion),
        Form::Json => tools::json_message(message, "assistant"),
        Form::Flat => tools::flat_message(message),
    }
}

/// Returns the answer's own text, which a user can edit: there is none where it calls a tool.
pub(super) fn editable(completion: &Completion) -> Result<String, Reason> {
    let text = plain_text(&completion.response)?;
    if text.trim().is_empty() { Err(EMPTY_TEXT) } else { Ok(text) }
}

/// Returns a text of a user's as an answer in a form.
pub(super) fn written(text: &str, form: Form) -> String {
    said("assistant", text, form).content
}

/// Returns the text of a message that neither calls a tool nor was written by one.
fn plain_text(message: &Message) -> Result<String, Reason> {
    if tools::has(message, "tool_calls") || tools::has(message, "function_call") {
        return Err(TOOL_CALLS);
    }
    content(message)
}

/// Returns the content of a message: its text, or its parts joined where all of them are text. Beside calls it may be
/// absent.
pub(super) fn content(message: &Message) -> Result<String, Reason> {
    if tools::has(message, "function_call") {
        return Err(TOOL_CALLS);
    }
    match message.value().get("content") {
        Some(Json::String(text)) => Ok(text.clone()),
        Some(Json::Array(parts)) => parts.iter().map(part_text).collect::<Option<String>>().ok_or(NOT_PLAIN_TEXT),
        Some(Json::Null) | None if tools::has(message, "tool_calls") => Ok(String::new()),
        _ => Err(NOT_PLAIN_TEXT),
    }
}

/// Takes the signature of a prompt as it was sent, whatever a recipe makes of its system messages and tools.
pub fn prompt_signature(prompt: &[Message], sketcher: &mut Sketcher) -> Signature {
    let turns: Vec<Turn> = prompt
        .iter()
        .map(|message| Turn {
            role: if matches!(message.role(), "system" | "developer") { "system" } else { "user" },
            content: content(message).unwrap_or_default(),
        })
        .collect();
    sketcher.of_prompt(&turns)
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
                "([a-z]{1,7}[ \\n\\t]{0,2}| {1,3}){0,80}",
                any::<String>(),
            ]
        ) {
            prop_assert_eq!(fold(&text), slowly(&text));
            let (around, more) = (format!(" {text}\n"), format!("{text} more"));
            prop_assert!(are_one(&text, &slowly(&text)) && are_one(&text, &around) && !are_one(&text, &more));
        }
    }
}
