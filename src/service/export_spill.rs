//! Examples on a local disk between the two passes of an export: in the order in which they were found, out in the
//! order in which they are written. Only eight bytes for each stay in memory.
//!
//! The form is private to one run: little-endian numbers, texts with their lengths. Floats keep their bits. What only
//! the plan needs (conversations, users and ties) has gone into its keys, and who wrote comments to the holders; neither is
//! kept.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use chrono::DateTime;
use uuid::Uuid;

use crate::dataset::example::{Body, ChosenSource, Example, FirstShown, RowKind, Turn};
use crate::dataset::feedback_text::FeedbackText;
use crate::domain::consent::Ground;
use crate::domain::feedback::Signal;
use crate::domain::hash::ContentHash;
use crate::domain::ids::{CompletionId, FeedbackId};

const SOURCES: [ChosenSource; 2] = [ChosenSource::Model, ChosenSource::HumanEdit];
const FIRST_SHOWN: [FirstShown; 3] = [FirstShown::Chosen, FirstShown::Rejected, FirstShown::Unknown];

/// Takes examples in.
pub(super) struct SpillWriter {
    file: BufWriter<File>,
    /// Where each example begins, and where the last one ends.
    offsets: Vec<u64>,
    /// The words that examples hold by reference, numbered as they were met.
    words: Vec<&'static str>,
    buffer: Vec<u8>,
}

impl SpillWriter {
    /// Creates the file, which must not exist.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        let file = BufWriter::with_capacity(1 << 20, file);
        Ok(Self { file, offsets: vec![0], words: Vec::new(), buffer: Vec::new() })
    }

    /// Appends an example.
    pub(super) fn push(&mut self, example: &Example) -> io::Result<()> {
        self.buffer.clear();
        let mut encoder = Encoder { bytes: &mut self.buffer, words: &mut self.words };
        encoder.example(example);
        self.file.write_all(&self.buffer)?;
        let end = self.offsets.last().copied().unwrap_or_default() + self.buffer.len() as u64;
        self.offsets.push(end);
        Ok(())
    }

    /// Ends the first pass.
    pub(super) fn finish(self) -> io::Result<Spill> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Spill { file, offsets: self.offsets, words: self.words })
    }
}

/// Gives examples back.
pub(super) struct Spill {
    file: File,
    offsets: Vec<u64>,
    words: Vec<&'static str>,
}

impl Spill {
    /// Reads the example that was pushed as number `index`, without conversations, users, ties and writers; `buffer` is the
    /// reader's own and spares it an allocation for each. Several may read at once.
    pub(super) fn read(&self, index: usize, buffer: &mut Vec<u8>) -> io::Result<Example> {
        let broken = || io::Error::from(io::ErrorKind::InvalidData);
        let Some(&[start, end]) = self.offsets.get(index..index + 2) else { return Err(broken()) };
        buffer.resize((end - start) as usize, 0);
        self.file.read_exact_at(buffer, start)?;
        Decoder { rest: buffer, words: &self.words }.example().ok_or_else(broken)
    }
}

struct Encoder<'a> {
    bytes: &'a mut Vec<u8>,
    words: &'a mut Vec<&'static str>,
}

impl Encoder<'_> {
    fn example(&mut self, example: &Example) {
        self.hash(example.row_id);
        self.hash(example.prompt_hash);
        self.body(&example.body);
        self.text(&example.feedback_text.better);
        self.text(&example.feedback_text.worse);
        self.option(example.tools.as_deref());
        self.place(&Signal::WORDS.iter().map(|(_, signal)| *signal).collect::<Vec<_>>(), example.signal);
        self.word(example.rule);
        self.text(example.chosen_id.as_str());
        self.option(example.rejected_id.as_ref().map(CompletionId::as_str));
        self.list(&example.feedback_ids, |encoder, id| encoder.bytes.extend(id.0.as_bytes()));
        self.text(&example.chosen_model);
        self.option(example.rejected_model.as_deref());
        self.place(&SOURCES, example.chosen_source);
        self.number(example.n_votes);
        for value in [example.agreement, example.preference_strength, example.sample_weight] {
            self.bytes.extend(value.to_bits().to_le_bytes());
        }
        self.place(&Ground::OF_ROWS.map(|(_, ground)| ground), example.consent);
        self.place(&FIRST_SHOWN, example.shown_first);
        self.text(&example.language);
        self.option(example.experiment.as_deref());
        self.bytes.extend(example.created_at.timestamp_micros().to_le_bytes());
    }

    fn body(&mut self, body: &Body) {
        self.place(&RowKind::ALL, body.kind());
        self.list(body.prompt(), |encoder, turn| {
            encoder.word(turn.role);
            encoder.text(&turn.content);
        });
        for answer in [body.answer(), body.worse_answer()].into_iter().flatten() {
            self.text(answer);
        }
        match body {
            Body::Labelled { label: flag, .. } | Body::Tie { both_bad: flag, .. } => self.bytes.push(u8::from(*flag)),
            Body::Pair { .. } | Body::Endorsed { .. } | Body::Prompt { .. } => (),
        }
    }

    fn hash(&mut self, hash: ContentHash) {
        self.bytes.extend(hash.0);
    }

    fn number(&mut self, number: u32) {
        self.bytes.extend(number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u32);
        self.bytes.extend(text.as_bytes());
    }

    /// A text that may be absent, as a list of none or one.
    fn option(&mut self, text: Option<&str>) {
        self.list(text.as_slice(), |encoder, text| encoder.text(text));
    }

    fn word(&mut self, word: &'static str) {
        let place = self.words.iter().position(|known| *known == word).unwrap_or_else(|| {
            self.words.push(word);
            self.words.len() - 1
        });
        self.number(place as u32);
    }

    fn place<T: Copy + PartialEq>(&mut self, all: &[T], value: T) {
        let place = all.iter().position(|known| *known == value).unwrap_or(usize::from(u8::MAX));
        self.bytes.push(place as u8);
    }

    fn list<T>(&mut self, items: &[T], mut put: impl FnMut(&mut Self, &T)) {
        self.number(items.len() as u32);
        for item in items {
            put(self, item);
        }
    }
}

struct Decoder<'a> {
    rest: &'a [u8],
    words: &'a [&'static str],
}

impl<'a> Decoder<'a> {
    fn example(&mut self) -> Option<Example> {
        let (row_id, prompt_hash, body) = (self.hash()?, self.hash()?, self.body()?);
        let (better, worse) = (self.text()?.to_owned(), self.text()?.to_owned());
        let feedback_text = FeedbackText { better, worse, writers: Vec::new() };
        let tools = self.list(|decoder| decoder.text().map(str::to_owned))?.pop();
        let signal = Signal::WORDS.get(usize::from(self.byte()?))?.1;
        let rule = self.word()?;
        let chosen_id = CompletionId::parse(self.text()?).ok()?;
        let rejected_id = self.list(|decoder| CompletionId::parse(decoder.text()?).ok())?.pop();
        let feedback_ids =
            self.list(|decoder| Some(FeedbackId(Uuid::from_bytes(decoder.take(16)?.try_into().ok()?))))?;
        let chosen_model = self.text()?.to_owned();
        let rejected_model = self.list(|decoder| decoder.text().map(str::to_owned))?.pop();
        let chosen_source = *SOURCES.get(usize::from(self.byte()?))?;
        let n_votes = self.number()?;
        let (agreement, preference_strength, sample_weight) = (self.float()?, self.float()?, self.float()?);
        let consent = Ground::OF_ROWS.get(usize::from(self.byte()?))?.1;
        let shown_first = *FIRST_SHOWN.get(usize::from(self.byte()?))?;
        let language = self.text()?.to_owned();
        let experiment = self.list(|decoder| decoder.text().map(str::to_owned))?.pop();
        let created_at = DateTime::from_timestamp_micros(i64::from_le_bytes(self.take(8)?.try_into().ok()?))?;
        self.rest.is_empty().then_some(Example {
            row_id,
            prompt_hash,
            body,
            feedback_text,
            tools,
            signal,
            rule,
            chosen_id,
            rejected_id,
            feedback_ids,
            chosen_model,
            rejected_model,
            chosen_source,
            n_votes,
            agreement,
            preference_strength,
            sample_weight,
            consent,
            shown_first,
            language,
            experiment,
            created_at,
            conversations: Vec::new(),
            users: Vec::new(),
            voters: Vec::new(),
            ties: Vec::new(),
        })
    }

    fn body(&mut self) -> Option<Body> {
        let kind = *RowKind::ALL.get(usize::from(self.byte()?))?;
        let prompt = self.list(|decoder| Some(Turn { role: decoder.word()?, content: decoder.text()?.to_owned() }))?;
        Some(match kind {
            RowKind::Pair => Body::Pair { prompt, chosen: self.text()?.to_owned(), rejected: self.text()?.to_owned() },
            RowKind::Labelled => {
                Body::Labelled { prompt, completion: self.text()?.to_owned(), label: self.byte()? == 1 }
            }
            RowKind::Endorsed => Body::Endorsed { prompt, response: self.text()?.to_owned() },
            RowKind::Prompt => Body::Prompt { prompt },
            RowKind::Tie => Body::Tie {
                prompt,
                first: self.text()?.to_owned(),
                second: self.text()?.to_owned(),
                both_bad: self.byte()? == 1,
            },
        })
    }

    fn take(&mut self, n_bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(n_bytes)?;
        self.rest = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|taken| taken[0])
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn float(&mut self) -> Option<f64> {
        Some(f64::from_bits(u64::from_le_bytes(self.take(8)?.try_into().ok()?)))
    }

    fn hash(&mut self) -> Option<ContentHash> {
        Some(ContentHash(self.take(16)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<&'a str> {
        let n_bytes = self.number()?;
        std::str::from_utf8(self.take(n_bytes as usize)?).ok()
    }

    fn word(&mut self) -> Option<&'static str> {
        let place = self.number()?;
        self.words.get(place as usize).copied()
    }

    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let n_items = self.number()?;
        (0..n_items).map(|_| read(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(number: u8, body: Body) -> Example {
        Example {
            row_id: ContentHash([number; 16]),
            prompt_hash: ContentHash([7; 16]),
            body,
            feedback_text: FeedbackText {
                better: "too\r\nlong \u{1F600}".to_owned(),
                worse: String::new(),
                writers: Vec::new(),
            },
            tools: (number == 0).then(|| "[]".to_owned()),
            signal: Signal::Preference,
            rule: if number == 0 { "preference" } else { "edit_accepted" },
            chosen_id: CompletionId::parse("better").unwrap(),
            rejected_id: (number == 0).then(|| CompletionId::parse("worse").unwrap()),
            feedback_ids: vec![FeedbackId(Uuid::from_u128(3)), FeedbackId(Uuid::from_u128(4))],
            chosen_model: "m".to_owned(),
            rejected_model: None,
            chosen_source: ChosenSource::HumanEdit,
            n_votes: 3,
            agreement: 2.0 / 3.0,
            preference_strength: 0.1 + 0.2,
            sample_weight: 1.0,
            consent: Ground::Presumed,
            shown_first: FirstShown::Unknown,
            language: String::new(),
            experiment: (number == 0).then(|| "test".to_owned()),
            created_at: DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap(),
            conversations: Vec::new(),
            users: Vec::new(),
            voters: Vec::new(),
            ties: Vec::new(),
        }
    }

    #[test]
    fn examples_come_back_as_they_went_in_and_in_any_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = SpillWriter::create(&folder.path().join("spill")).unwrap();
        let prompt = vec![
            Turn { role: "system", content: " \r\nérôle\u{1F600} ".to_owned() },
            Turn { role: "user", content: String::new() },
        ];
        let pair = Body::Pair { prompt: prompt.clone(), chosen: "a\n".to_owned(), rejected: "b".to_owned() };
        let first = example(0, pair);
        let labelled = Body::Labelled { prompt: prompt.clone(), completion: "c".to_owned(), label: true };
        let tie = Body::Tie { prompt: prompt.clone(), first: "d".to_owned(), second: "e".to_owned(), both_bad: true };
        let bodies = [
            labelled,
            Body::Endorsed { prompt: prompt.clone(), response: "c".to_owned() },
            Body::Prompt { prompt: prompt.clone() },
            tie,
        ];
        let examples: Vec<Example> =
            [first].into_iter().chain(bodies.into_iter().map(|body| example(1, body))).collect();

        for example in &examples {
            writer.push(example).unwrap();
        }
        let (spill, mut buffer) = (writer.finish().unwrap(), Vec::new());

        for (index, example) in examples.iter().enumerate().rev() {
            assert_eq!(spill.read(index, &mut buffer).unwrap(), *example);
        }
        assert!(spill.read(examples.len(), &mut buffer).is_err());
    }
}
