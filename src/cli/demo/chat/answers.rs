//! What the demo's chat answers: written by hand, chosen by the words of a question. Nothing here is random.

use serde::Deserialize;

/// The embedded answers are not what they should be; a test keeps this from ever being seen.
#[derive(Debug, thiserror::Error)]
#[error("the embedded answers of the chat cannot be read")]
pub(in super::super) struct AnswersError;

/// In whose voice is answered; each has a name as a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Voice {
    Thorough,
    Brief,
}

impl Voice {
    /// Returns the name under which its answers are recorded.
    pub(super) fn model(self) -> &'static str {
        match self {
            Self::Thorough => "canned-thorough",
            Self::Brief => "canned-brief",
        }
    }
}

/// Every answer, by topic.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answers {
    topics: Vec<Topic>,
    /// Answers to everything else.
    other: Texts,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Topic {
    /// A question that a visitor may ask without typing.
    ask: String,
    /// A question with most of these, and one at least, is about this topic.
    words: Vec<String>,
    texts: Texts,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Texts {
    thorough: Vec<String>,
    brief: Vec<String>,
}

impl Answers {
    /// Reads the answers that are part of the program.
    pub(super) fn embedded() -> Result<Self, AnswersError> {
        toml::from_str(include_str!("answers.toml")).map_err(|_| AnswersError)
    }

    /// Lists questions that have answers of their own.
    pub(super) fn suggestions(&self) -> Vec<&str> {
        self.topics.iter().map(|topic| topic.ask.as_str()).collect()
    }

    /// Finds the answer to a question; each further attempt gets another one, until they begin again.
    pub(super) fn find(&self, question: &str, voice: Voice, attempt: u32) -> &str {
        let question = question.to_lowercase();
        let n_words = |topic: &Topic| topic.words.iter().filter(|word| question.contains(word.as_str())).count();
        let nearest = self.topics.iter().rev().max_by_key(|topic| n_words(topic)).filter(|topic| n_words(topic) > 0);
        let texts = nearest.map_or(&self.other, |topic| &topic.texts);
        let texts = if voice == Voice::Thorough { &texts.thorough } else { &texts.brief };
        let index = attempt.saturating_sub(1) as usize % texts.len().max(1);
        texts.get(index).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_suggestion_gets_answers_of_its_own_that_differ_in_voice_and_attempt() {
        let answers = Answers::embedded().unwrap();
        let asked: Vec<String> = answers.suggestions().into_iter().map(str::to_owned).collect();
        let mut seen = HashSet::new();

        for question in asked.iter().map(String::as_str).chain(["What is the meaning of it?"]) {
            for voice in [Voice::Thorough, Voice::Brief] {
                for attempt in 1..=2 {
                    let text = answers.find(question, voice, attempt);
                    assert!(!text.is_empty() && seen.insert(text), "{question} {voice:?} {attempt}: {text}");
                }
                assert_eq!(answers.find(question, voice, 3), answers.find(question, voice, 1));
            }
        }
        assert_eq!(seen.len(), 4 * (asked.len() + 1));
    }
}
