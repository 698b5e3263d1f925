//! What the texts of a row must pass before they leave: no unsafe answer to learn, no lesson in refusing less, nothing of
//! a benchmark, no personal data.
//!
//! A row is admitted by what is in it, then a hook may be asked about it, then its texts are redacted. What a row ties
//! together it ties whether it passes or not only where it was harvested as an example; what is screened out ties nothing.

use std::borrow::Cow;
use std::sync::Arc;

use super::decontaminate::Benchmarks;
use super::example::{Body, ChosenSource, Example};
use super::exclusion::{CONTAMINATED, IDENTICAL_AFTER_REDACTION, REFUSAL_REJECTED, UNSAFE};
use super::redact::{Redacted, Span, redact};
use super::refusal::is_refusal;
use super::text::{Reason, are_one};
use crate::domain::json::Json;
use crate::domain::recipe::{Options, Pii, Safety};

/// What the screen has found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Screened {
    /// What was replaced.
    pub redacted: Redacted,
    /// By the place of a benchmark file, rows that repeat it.
    pub n_rows_of_benchmarks: Vec<u64>,
}

impl Screened {
    /// Adds what another screen of the same recipe has found.
    pub fn extend(&mut self, other: &Self) {
        self.redacted.extend(&other.redacted);
        self.n_rows_of_benchmarks.resize(other.n_rows_of_benchmarks.len().max(self.n_rows_of_benchmarks.len()), 0);
        for (ours, theirs) in self.n_rows_of_benchmarks.iter_mut().zip(&other.n_rows_of_benchmarks) {
            *ours += theirs;
        }
    }
}

/// The screen of one export. Several may work at once: a clone has found nothing yet if what it was cloned of has not.
#[derive(Debug, Clone)]
pub struct Screen {
    benchmarks: Arc<Benchmarks>,
    redacts: bool,
    drops_unsafe: bool,
    excludes_refusals: bool,
    screened: Screened,
    words: Vec<u64>,
}

impl Screen {
    /// Puts up a screen by a recipe's options.
    pub fn new(options: &Options, benchmarks: Benchmarks) -> Self {
        let n_rows_of_benchmarks = vec![0; benchmarks.n_texts().len()];
        Self {
            benchmarks: Arc::new(benchmarks),
            redacts: options.pii == Pii::Regex,
            drops_unsafe: options.safety == Safety::DropFlaggedChosen,
            excludes_refusals: options.exclude_refusal_rejected,
            screened: Screened { n_rows_of_benchmarks, ..Screened::default() },
            words: Vec::new(),
        }
    }

    /// Admits a row by what is in it; `is_flagged` says whether the better answer is labelled unsafe.
    pub fn admit(&mut self, example: &Example, is_flagged: bool) -> Result<(), Reason> {
        if self.drops_unsafe && is_flagged && teaches_answer(example) {
            return Err(UNSAFE);
        }
        if self.excludes_refusals && teaches_to_refuse_less(example) {
            return Err(REFUSAL_REJECTED);
        }
        if self.benchmarks.is_empty() {
            return Ok(());
        }
        let turns = example.body.prompt().iter().map(|turn| (turn.role == "user", spoken(example, &turn.content)));
        let answers = [example.body.answer(), example.body.worse_answer()].into_iter().flatten();
        let texts: Vec<(bool, Cow<str>)> =
            turns.chain(answers.map(|answer| (false, spoken(example, answer)))).collect();
        let texts = texts.iter().map(|(is_users, text)| (*is_users, text.as_ref()));
        let repeated = self.benchmarks.repeated_by(texts, &mut self.words);
        for file in &repeated {
            self.screened.n_rows_of_benchmarks[*file] += 1;
        }
        if repeated.is_empty() { Ok(()) } else { Err(CONTAMINATED) }
    }

    /// Replaces personal data in a row, those that a hook has found among them.
    pub fn redact(&mut self, example: &mut Example, found: Vec<Vec<Span>>) -> Result<(), Reason> {
        if !self.redacts {
            return Ok(());
        }
        // An edit of white space alone, which a recipe may ask for, is one text before anything is replaced.
        let were_one = has_one_answer(example);
        let redacted = redact(example, found);
        if !were_one && has_one_answer(example) {
            return Err(IDENTICAL_AFTER_REDACTION);
        }
        self.screened.redacted.extend(&redacted);
        Ok(())
    }

    /// Returns what was found.
    pub fn finish(self) -> Screened {
        self.screened
    }
}

/// Whether the two answers of a row are one text.
fn has_one_answer(example: &Example) -> bool {
    match &example.body {
        Body::Pair { chosen, rejected, .. } | Body::Tie { first: chosen, second: rejected, .. } => {
            are_one(chosen, rejected)
        }
        _ => false,
    }
}

/// Whether a model learns from a row to give its better or only answer, which a label on the completion speaks of.
fn teaches_answer(example: &Example) -> bool {
    example.chosen_source == ChosenSource::Model && learned_answer(example).is_some()
}

/// Returns the answer that a model learns to give from a row, as it is spoken.
pub fn learned_answer(example: &Example) -> Option<Cow<'_, str>> {
    match &example.body {
        Body::Pair { chosen: answer, .. }
        | Body::Labelled { completion: answer, label: true, .. }
        | Body::Endorsed { response: answer, .. } => Some(spoken(example, answer)),
        Body::Labelled { .. } | Body::Prompt { .. } | Body::Tie { .. } => None,
    }
}

fn teaches_to_refuse_less(example: &Example) -> bool {
    match &example.body {
        Body::Pair { chosen, rejected, .. } => {
            is_refusal(&spoken(example, rejected)) && !is_refusal(&spoken(example, chosen))
        }
        Body::Labelled { completion, label: false, .. } => is_refusal(&spoken(example, completion)),
        _ => false,
    }
}

/// Returns what is said in a text of a row: all of it, or the content of a message that is written as JSON.
fn spoken<'a>(example: &Example, text: &'a str) -> Cow<'a, str> {
    if example.tools.is_none() {
        return Cow::Borrowed(text);
    }
    let message = Json::parse(text.as_bytes()).ok();
    let content = message.as_ref().and_then(|message| message.get("content")?.as_str());
    Cow::Owned(content.unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::decontaminate::BenchmarkReader;
    use crate::dataset::example::{Turn, example_of};

    fn prompt() -> Vec<Turn> {
        vec![Turn { role: "user", content: "How is glass made?".to_owned() }]
    }

    fn pair(chosen: &str, rejected: &str) -> Example {
        example_of(Body::Pair { prompt: prompt(), chosen: chosen.to_owned(), rejected: rejected.to_owned() })
    }

    fn labelled(completion: &str, label: bool) -> Example {
        example_of(Body::Labelled { prompt: prompt(), completion: completion.to_owned(), label })
    }

    fn screen() -> Screen {
        Screen::new(&Options::default(), Benchmarks::default())
    }

    const REFUSAL: &str = "I'm sorry, but I can't help with that.";

    #[test]
    fn a_row_that_would_teach_an_unsafe_answer_is_left_out() {
        let edited = Example { chosen_source: ChosenSource::HumanEdit, ..pair("a", "b") };
        let both =
            example_of(Body::Tie { prompt: prompt(), first: "a".to_owned(), second: "b".to_owned(), both_bad: true });

        assert_eq!(screen().admit(&pair("a", "b"), true), Err(UNSAFE));
        assert_eq!(screen().admit(&labelled("a", true), true), Err(UNSAFE));
        for (example, why) in [
            (edited, "the label speaks of what was edited"),
            (labelled("a", false), "it is learned as bad"),
            (example_of(Body::Prompt { prompt: prompt() }), "it has no answer"),
            (both, "nobody learns from it"),
        ] {
            assert_eq!(screen().admit(&example, true), Ok(()), "{why}");
        }
        let off = Options { safety: Safety::Off, ..Options::default() };
        assert_eq!(Screen::new(&off, Benchmarks::default()).admit(&pair("a", "b"), true), Ok(()));
    }

    #[test]
    fn a_refusal_is_not_unlearned() {
        assert_eq!(screen().admit(&pair("Melt sand.", REFUSAL), false), Err(REFUSAL_REJECTED));
        assert_eq!(screen().admit(&labelled(REFUSAL, false), false), Err(REFUSAL_REJECTED));
        assert_eq!(screen().admit(&pair(REFUSAL, "Melt sand."), false), Ok(()));
        assert_eq!(screen().admit(&pair(&format!("{REFUSAL} Ask a smith."), REFUSAL), false), Ok(()));
        assert_eq!(screen().admit(&labelled(REFUSAL, true), false), Ok(()));
        let off = Options { exclude_refusal_rejected: false, ..Options::default() };
        assert_eq!(Screen::new(&off, Benchmarks::default()).admit(&pair("Melt sand.", REFUSAL), false), Ok(()));
        let called = |text: &str| format!("{{\"role\":\"assistant\",\"content\":{text:?}}}");
        let with_tools = Example { tools: Some("[]".to_owned()), ..pair(&called("Melt sand."), &called(REFUSAL)) };
        assert_eq!(screen().admit(&with_tools, false), Err(REFUSAL_REJECTED));
    }

    #[test]
    fn a_row_that_repeats_a_benchmark_is_counted_by_its_file() {
        let mut reader = BenchmarkReader::default();
        for text in ["Another question, which nobody has asked here before.", "How is glass made?"] {
            reader.begin_file();
            reader.add(text).unwrap();
        }
        let mut screen = Screen::new(&Options::default(), reader.finish());

        assert_eq!(screen.admit(&pair("a", "b"), false), Err(CONTAMINATED));
        assert_eq!(screen.finish().n_rows_of_benchmarks, [0, 1]);
    }

    #[test]
    fn answers_that_differ_in_personal_data_only_are_left_out() {
        let mut screen = screen();
        let (mut kept, mut lost) = (pair("Ask a@example.com.", "Ask  nobody"), pair("Ask a@x.org", "Ask  b@x.org"));
        let mut one = pair("Ask a@x.org", "Ask  A@x.org");

        assert_eq!(screen.redact(&mut kept, Vec::new()), Ok(()));
        assert_eq!(screen.redact(&mut lost, Vec::new()), Ok(()), "two people are two people");
        assert_eq!(screen.redact(&mut one, Vec::new()), Err(IDENTICAL_AFTER_REDACTION));
        let screened = screen.finish();
        assert_eq!((screened.redacted.n_rows, screened.redacted.n_places["EMAIL"]), (2, 3));
        let mut untouched = pair("Ask a@x.org", "b");
        let mut off = Screen::new(&Options { pii: Pii::Off, ..Options::default() }, Benchmarks::default());
        assert_eq!(off.redact(&mut untouched, Vec::new()), Ok(()));
        assert_eq!(untouched, pair("Ask a@x.org", "b"));
    }

    #[test]
    fn answers_that_were_one_text_before_are_not_left_out_for_a_replacement_elsewhere() {
        let mut screen = screen();
        let mut spaced = pair("Ask a@x.org", "Ask  a@x.org");

        assert_eq!(screen.redact(&mut spaced, Vec::new()), Ok(()));
        assert_eq!(spaced, pair("Ask <EMAIL_1>", "Ask  <EMAIL_1>"));
    }
}
