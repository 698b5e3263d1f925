//! What must be so, told from what people did and when they did it. It knows nothing of how the service decides.

use std::collections::{BTreeMap, BTreeSet};

use afterword::domain::clock::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// A reaction's kind and value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    Thumb(&'static str),
    Rating(u8),
    Copy(u8),
    Preference(&'static str),
}

impl Own {
    /// Picks one for an answer; preferences are between the first two, which answer one prompt.
    pub(super) fn pick(value: u8, answer: usize) -> Self {
        match value {
            0..=5 => Self::Thumb(["up", "down", "none"][usize::from(value % 3)]),
            6..=7 => Self::Rating(value),
            8 => Self::Copy(value),
            _ if answer < 2 => Self::Preference(["better", "worse", "tie"][usize::from(value % 3)]),
            _ => Self::Rating(value),
        }
    }

    /// Picks another one of the same kind.
    pub(super) fn changed(self, value: u8) -> Self {
        let other = |words: [&'static str; 3], word: &'static str| {
            let others: Vec<&'static str> = words.into_iter().filter(|other| *other != word).collect();
            others[usize::from(value % 2)]
        };
        match self {
            Self::Thumb(word) => Self::Thumb(other(["up", "down", "none"], word)),
            Self::Preference(word) => Self::Preference(other(["better", "worse", "tie"], word)),
            Self::Rating(points) => Self::Rating(if points == 20 { value } else { 20 }),
            Self::Copy(n_chars) => Self::Copy(if n_chars == 20 { value } else { 20 }),
        }
    }

    pub(super) fn signal(self) -> &'static str {
        match self {
            Self::Thumb(_) => "thumb",
            Self::Rating(_) => "rating",
            Self::Copy(_) => "copy",
            Self::Preference(_) => "preference",
        }
    }

    /// Returns the item's own fields; `against` is the answer that a preference is told against.
    pub(super) fn fields(self, against: &str) -> Value {
        match self {
            Self::Thumb(word) => json!({"signal": "thumb", "value": word}),
            Self::Rating(points) => json!({"signal": "rating", "value": {"score": points, "min": 0, "max": 20}}),
            Self::Copy(n_chars) => json!({"signal": "copy", "n_chars": n_chars}),
            Self::Preference(word) => json!({"signal": "preference", "against": against, "outcome": word}),
        }
    }

    /// Returns the value as the row holds it.
    pub(super) fn stored(self) -> String {
        match self {
            Self::Thumb(word) | Self::Preference(word) => word.to_owned(),
            Self::Rating(number) | Self::Copy(number) => number.to_string(),
        }
    }
}

/// A reaction as its client made it.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) id: Uuid,
    pub(super) source: usize,
    pub(super) answer: usize,
    /// The name under which the answer is told: its id or its alias.
    pub(super) name: String,
    pub(super) user: Option<&'static str>,
    pub(super) session: Option<String>,
    pub(super) seq: Option<i64>,
    pub(super) own: Own,
    /// By the client's clock, where it says so.
    pub(super) occurred_at: Option<Timestamp>,
    /// When it really happened.
    pub(super) happened: Timestamp,
    pub(super) supersedes: Option<Uuid>,
}

/// What an item is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    Duplicate,
    Conflict,
}

/// Everything that must be stored.
#[derive(Debug, Default)]
pub(super) struct Truth {
    pub(super) feedback: BTreeMap<(String, Uuid), Said>,
    /// Completions by answer, with what they hold.
    pub(super) completions: BTreeMap<usize, &'static str>,
}

impl Truth {
    pub(super) fn record(&mut self, said: &Said) -> Verdict {
        let key = (said.name.clone(), said.id);
        match self.feedback.get(&key) {
            None => {
                self.feedback.insert(key, said.clone());
                Verdict::Accepted
            }
            Some(stored) if stored.own == said.own => Verdict::Duplicate,
            Some(_) => Verdict::Conflict,
        }
    }

    pub(super) fn complete(&mut self, answer: usize, text: &'static str) -> Verdict {
        match self.completions.get(&answer) {
            None => {
                self.completions.insert(answer, text);
                Verdict::Accepted
            }
            Some(stored) if *stored == text => Verdict::Duplicate,
            Some(_) => Verdict::Conflict,
        }
    }

    /// Returns what each person has last said of each answer with each signal: what was not taken back by name, and
    /// happened last. Whoever is not known says something of its own each time. `by_pair` tells preferences between two
    /// answers together, whichever of the two they are filed under.
    fn last_words(&self, by_pair: bool) -> Vec<&Said> {
        let taken_back: BTreeSet<Uuid> = self.feedback.values().filter_map(|said| said.supersedes).collect();
        let mut last: BTreeMap<(usize, &str, String), &Said> = BTreeMap::new();
        for said in self.feedback.values().filter(|said| !taken_back.contains(&said.id)) {
            let who = said.user.map_or_else(|| said.id.to_string(), str::to_owned);
            let about = if by_pair && matches!(said.own, Own::Preference(_)) { 0 } else { said.answer };
            let held = last.entry((about, said.own.signal(), who)).or_insert(said);
            if said.happened > held.happened {
                *held = said;
            }
        }
        last.into_values().collect()
    }

    /// Returns the ids of what counts of an answer.
    pub(super) fn counting(&self, answer: usize) -> BTreeSet<Uuid> {
        self.last_words(false).into_iter().filter(|said| said.answer == answer).map(|said| said.id).collect()
    }

    /// Returns whether somebody likes an answer, dislikes it, has copied it.
    pub(super) fn outcomes(&self, answer: usize) -> [i64; 3] {
        let words: Vec<Own> =
            self.last_words(false).into_iter().filter(|said| said.answer == answer).map(|said| said.own).collect();
        let any = |holds: fn(&Own) -> bool| i64::from(words.iter().any(holds));
        [any(|it| *it == Own::Thumb("up")), any(|it| *it == Own::Thumb("down")), any(|it| matches!(it, Own::Copy(_)))]
    }

    /// Returns how often the second answer won against the first, lost, and neither.
    pub(super) fn choices(&self) -> [i64; 3] {
        let mut choices = [0; 3];
        if self.completions.contains_key(&0) && self.completions.contains_key(&1) {
            for said in self.last_words(true) {
                match (said.own, said.answer) {
                    (Own::Preference("better"), 1) | (Own::Preference("worse"), 0) => choices[0] += 1,
                    (Own::Preference("better"), 0) | (Own::Preference("worse"), 1) => choices[1] += 1,
                    (Own::Preference(_), _) => choices[2] += 1,
                    _ => (),
                }
            }
        }
        choices
    }
}
