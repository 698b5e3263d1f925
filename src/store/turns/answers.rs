//! Answers as they come, one by one and in any order, put together into turns.
//!
//! It must not know where they come from.

use std::collections::HashMap;

use super::chains;
use super::{Before, Opening, Outcomes, Told, Turn, Turns};
use crate::domain::clock::Timestamp;
use crate::store::tallies::Coverage;

/// Kinds of thumbs, one bit each.
const THUMBS: i32 = 126_976;
/// Some item replaces another one.
const REPLACES: i32 = 131_072;
/// Some item is vouched for by a token that is good for one conversation.
const GRANTED: i32 = 262_144;

/// What came of one answer, as far as it is known without putting it in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reactions(pub(super) i32);

impl Reactions {
    fn outcomes(self) -> Outcomes {
        Outcomes(self.0 as u16 & Outcomes::ALL)
    }

    /// Tells whether the last words have to be found out: thumbs that differ, or an item that replaces another one.
    fn are_in_doubt(self) -> bool {
        let kinds = self.0 & THUMBS;
        self.0 & REPLACES != 0 || kinds & (kinds - 1) != 0
    }

    /// Tells whether something counts only where the answer is of its turn's conversation.
    fn hang_on_the_conversation(self) -> bool {
        self.0 & GRANTED != 0
    }
}

/// Hash of a completion's id.
pub(super) type IdHash = (i64, i64);

/// One answer of either side, or of the week before.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) id: IdHash,
    /// What it regenerates.
    pub(super) parent: Option<IdHash>,
    pub(super) unit: &'a str,
    /// What was randomised with it, where that is not the unit.
    pub(super) randomised: Option<&'a str>,
    /// Hash of its conversation.
    pub(super) conversation: i64,
    pub(super) turn_index: i32,
    pub(super) model: Option<&'a str>,
    pub(super) task: Option<&'a str>,
    pub(super) language: Option<&'a str>,
    pub(super) made_at: Timestamp,
    pub(super) reactions: Reactions,
    /// Its id in full, where its reactions may have to be looked at again.
    pub(super) full_id: Option<&'a str>,
    /// The rest; places in lists are filled in here.
    pub(super) turn: Turn,
}

/// An answer whose last words have to be found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Doubt {
    /// Its place among the answers.
    place: u32,
    /// Its id.
    pub(super) id: String,
    /// Whether it belongs to the conversation of its turn.
    pub(super) shares_conversation: bool,
}

/// Names that get numbers in the order in which they come.
#[derive(Debug, Default)]
struct Names(HashMap<String, u32>);

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.0.get(name) {
            return *number;
        }
        let number = self.0.len() as u32;
        self.0.insert(name.to_owned(), number);
        number
    }

    /// Returns the names in their order, and the place there of each number.
    fn in_order(self) -> (Vec<String>, Vec<u32>) {
        let mut named: Vec<(String, u32)> = self.0.into_iter().collect();
        named.sort_unstable();
        let mut places = vec![0; named.len()];
        for (place, (_, number)) in named.iter().enumerate() {
            places[*number as usize] = place as u32;
        }
        (named.into_iter().map(|(name, _)| name).collect(), places)
    }
}

/// How a conversation began, with the answer that tells it.
type Opened = (Opening, IdHash);

/// An answer that names a parent: only once all have come is it known whether it is a turn of its own.
#[derive(Debug)]
struct Attempt {
    place: u32,
    parent: IdHash,
    opened: Opened,
}

/// Answers of one kind, those of both sides or those of the week before, each as the turn that it would be alone.
#[derive(Debug, Default)]
struct Answers {
    ids: Vec<IdHash>,
    rows: Vec<Turn>,
    attempts: Vec<Attempt>,
    /// Answers whose reactions may have to be looked at again: place, id, reactions.
    named: Vec<(u32, String, Reactions)>,
    /// The first answer of each attempt's turn; nothing where parents go round in a circle.
    roots: HashMap<u32, Option<u32>>,
}

impl Answers {
    fn push(&mut self, answer: &Answer<'_>, turn: Turn, opening: Opening) {
        let place = self.rows.len() as u32;
        self.ids.push(answer.id);
        self.rows.push(Turn { outcomes: answer.reactions.outcomes(), ..turn });
        if let Some(parent) = answer.parent {
            self.attempts.push(Attempt { place, parent, opened: (opening, answer.id) });
        }
        if let Some(id) = answer.full_id {
            self.named.push((place, id.to_owned(), answer.reactions));
        }
    }

    /// Finds the turns, once all answers have come.
    fn find_roots(&mut self) {
        let mut wanted: HashMap<IdHash, Option<u32>> = self.attempts.iter().map(|it| (it.parent, None)).collect();
        if !wanted.is_empty() {
            for (place, id) in self.ids.iter().enumerate() {
                if let Some(found) = wanted.get_mut(id) {
                    *found = Some(place as u32);
                }
            }
        }
        self.ids = Vec::new();
        let parent = |it: &Attempt| Some((it.place, wanted.get(&it.parent).copied().flatten()?));
        self.roots = chains::roots(&self.attempts.iter().filter_map(parent).collect());
    }

    fn in_doubt(&mut self) -> Vec<Doubt> {
        let (rows, roots) = (&self.rows, &self.roots);
        let shares = |place: u32| match roots.get(&place) {
            Some(Some(root)) => rows[*root as usize].conversation == rows[place as usize].conversation,
            Some(None) | None => true,
        };
        std::mem::take(&mut self.named)
            .into_iter()
            .map(|(place, id, reactions)| (Doubt { place, id, shares_conversation: shares(place) }, reactions))
            .filter(|(doubt, reactions)| {
                reactions.are_in_doubt() || (!doubt.shares_conversation && reactions.hang_on_the_conversation())
            })
            .map(|(doubt, _)| doubt)
            .collect()
    }

    /// Adds the attempts to their turns and leaves these. A regeneration by the other side is still the turn's outcome;
    /// what was thought of that answer is neither side's, because the other side met this prompt only after a failure.
    fn into_turns(mut self) -> Vec<Turn> {
        let mut costs: HashMap<u32, Vec<f32>> = HashMap::new();
        let mut of_turns: Vec<(u32, u32)> =
            self.roots.iter().filter_map(|(place, root)| Some(((*root)?, *place))).collect();
        of_turns.sort_unstable();
        for (root, place) in of_turns {
            let attempt = self.rows[place as usize];
            let turn = &mut self.rows[root as usize];
            let all = costs.entry(root).or_insert_with(|| vec![turn.cost_usd.0]);
            turn.n_by_other_model = turn.n_by_other_model.saturating_add(attempt.n_by_other_model);
            turn.outcomes = turn.outcomes.and(Outcomes::REGENERATED).and(Outcomes::ANY_SIGNAL);
            if attempt.is_candidate == turn.is_candidate {
                turn.n_completions = turn.n_completions.saturating_add(attempt.n_completions);
                turn.outcomes = turn.outcomes.and(attempt.outcomes);
                all.push(attempt.cost_usd.0);
            }
        }
        for (root, mut all) in costs {
            all.retain(|cost| cost.is_finite());
            // In an order of their own, so that the sum does not depend on how they came.
            all.sort_unstable_by(f32::total_cmp);
            let sum = (!all.is_empty()).then(|| all.iter().map(|cost| f64::from(*cost)).sum::<f64>() as f32);
            self.rows[root as usize].cost_usd = Told::of(sum);
        }
        if !self.roots.is_empty() {
            let mut place = 0;
            self.rows.retain(|_| {
                place += 1;
                !self.roots.contains_key(&(place - 1))
            });
        }
        self.rows
    }
}

/// What has been read so far.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    units: Names,
    /// When each unit was first seen.
    first_at: Vec<Timestamp>,
    randomised: Names,
    models: Names,
    tasks: Names,
    languages: Names,
    conversations: HashMap<i64, u32>,
    openings: Vec<Option<Opened>>,
    sides: Answers,
    before: Answers,
    window: Option<(Timestamp, Timestamp)>,
    /// Which sides answered on each day.
    days: HashMap<i64, (bool, bool)>,
    n_unverified: i64,
}

impl Assembly {
    /// Takes an answer of a side, with how many of the reactions to it nobody vouches for.
    pub(super) fn take(&mut self, answer: &Answer<'_>, n_unverified: i32) {
        let at = answer.made_at;
        self.n_unverified += i64::from(n_unverified);
        self.window = Some(self.window.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        let day = self.days.entry(at.timestamp().div_euclid(86_400)).or_default();
        day.0 |= !answer.turn.is_candidate;
        day.1 |= answer.turn.is_candidate;
        let unit = self.units.number(answer.unit);
        match self.first_at.get_mut(unit as usize) {
            Some(first_at) => *first_at = at.min(*first_at),
            None => self.first_at.push(at),
        }
        let opening = Opening {
            task: answer.task.map(|name| self.tasks.number(name) as u16),
            language: answer.language.map(|name| self.languages.number(name) as u16),
            prompt_tokens: answer.turn.input_tokens,
            order: (answer.turn_index, answer.turn.made_at_ms),
        };
        let turn = Turn {
            unit,
            randomised: answer.randomised.map_or(unit, |name| self.randomised.number(name)),
            conversation: self.conversation(answer.conversation),
            model: answer.model.map_or(0, |name| self.models.number(name) as u16),
            ..answer.turn
        };
        if answer.parent.is_none() {
            open(&mut self.openings, turn.conversation, (opening, answer.id));
        }
        self.sides.push(answer, turn, opening);
    }

    /// Takes an answer of the week before, of a unit that is on a side.
    pub(super) fn take_before(&mut self, answer: &Answer<'_>) {
        let prompt_tokens = answer.turn.input_tokens;
        let opening = Opening { task: None, language: None, prompt_tokens, order: (0, 0) };
        let (unit, conversation) = (self.units.number(answer.unit), self.conversation(answer.conversation));
        self.before.push(answer, Turn { unit, conversation, ..answer.turn }, opening);
    }

    fn conversation(&mut self, hash: i64) -> u32 {
        let next = self.openings.len() as u32;
        let number = *self.conversations.entry(hash).or_insert(next);
        if number == next {
            self.openings.push(None);
        }
        number
    }

    /// Lists the users of both sides with the moment of their first answer.
    pub(super) fn users_first_seen(&self) -> Vec<(&str, Timestamp)> {
        let named = self.units.0.iter();
        named
            .filter_map(|(name, number)| Some((name.strip_prefix("u:")?, *self.first_at.get(*number as usize)?)))
            .collect()
    }

    /// Finds the turns, once all answers of the sides have come; gives those whose last words have to be found out.
    pub(super) fn doubts_of_sides(&mut self) -> Vec<Doubt> {
        self.sides.find_roots();
        self.sides.in_doubt()
    }

    /// The same of the week before.
    pub(super) fn doubts_of_before(&mut self) -> Vec<Doubt> {
        self.before.find_roots();
        self.before.in_doubt()
    }

    /// Keeps what came of an answer of a side in the end.
    pub(super) fn settle_of_sides(&mut self, doubt: &Doubt, last_words: Reactions) {
        self.sides.rows[doubt.place as usize].outcomes = last_words.outcomes();
    }

    /// The same of the week before.
    pub(super) fn settle_of_before(&mut self, doubt: &Doubt, last_words: Reactions) {
        self.before.rows[doubt.place as usize].outcomes = last_words.outcomes();
    }

    /// Returns the turns, and what they stand on; what is filed under shared aliases is not known here.
    pub(super) fn end(mut self) -> (Turns, Coverage) {
        let coverage = Coverage {
            first_at: self.window.map(|(first, _)| first),
            last_at: self.window.map(|(_, last)| last),
            n_days: self.days.len() as i64,
            n_days_both: self.days.values().filter(|(control, candidate)| *control && *candidate).count() as i64,
            n_unverified: self.n_unverified,
            n_ambiguous: 0,
        };
        // What regenerates an answer from before the experiment is a turn of its own: the first that it saw of it.
        for attempt in &self.sides.attempts {
            if !self.sides.roots.contains_key(&attempt.place) {
                let conversation = self.sides.rows[attempt.place as usize].conversation;
                open(&mut self.openings, conversation, attempt.opened);
            }
        }
        let is_own = !self.randomised.0.is_empty();
        let n_randomised = if is_own { self.randomised.0.len() } else { self.units.0.len() };
        let (units, places) = self.units.in_order();
        let (models, models_at) = self.models.in_order();
        let (tasks, tasks_at) = self.tasks.in_order();
        let (languages, languages_at) = self.languages.in_order();
        let mut before = vec![Before::default(); units.len()];
        for turn in self.before.into_turns() {
            before[places[turn.unit as usize] as usize].add(turn.outcomes);
        }
        drop(self.conversations);
        let mut rows = self.sides.into_turns();
        for turn in &mut rows {
            turn.unit = places[turn.unit as usize];
            turn.randomised = if is_own { turn.randomised } else { turn.unit };
            turn.model = models_at.get(usize::from(turn.model)).map_or(0, |place| *place as u16);
        }
        put_in_order(&mut rows);
        let nothing = Opening { task: None, language: None, prompt_tokens: Told::of(None), order: (0, 0) };
        let conversations = self.openings.into_iter().map(|opening| {
            let opening = opening.map_or(nothing, |(opening, _)| opening);
            Opening {
                task: opening.task.map(|task| tasks_at[usize::from(task)] as u16),
                language: opening.language.map(|language| languages_at[usize::from(language)] as u16),
                ..opening
            }
        });
        let conversations = conversations.collect();
        (Turns { units, before, models, tasks, languages, conversations, rows, n_randomised }, coverage)
    }
}

/// Keeps how a conversation began: by its first turn, and of turns at one place by that of the smallest hash.
fn open(openings: &mut [Option<Opened>], conversation: u32, opened: Opened) {
    let order = |(opening, id): &Opened| (opening.order, *id);
    if let Some(known) = openings.get_mut(conversation as usize) {
        *known = Some(known.filter(|known| order(known) <= order(&opened)).unwrap_or(opened));
    }
}

/// Sorts by unit, side and time. Rows that are alike in all of this differ in nothing that is added up in the order of rows
/// but their measures.
fn put_in_order(rows: &mut [Turn]) {
    rows.sort_unstable_by(|left, right| {
        let first = |turn: &Turn| (turn.unit, turn.is_candidate, turn.made_at_ms);
        first(left).cmp(&first(right)).then_with(|| {
            let bits = |told: Told| told.0.to_bits();
            let rest = |turn: &Turn| {
                let served = (bits(turn.latency_ms), bits(turn.ttft_ms), bits(turn.cost_usd), bits(turn.input_tokens));
                let own = (turn.outcomes, bits(turn.output_tokens), bits(turn.kv_cache_usage), bits(turn.solicit_prob));
                (served, own)
            };
            rest(left).cmp(&rest(right))
        })
    });
}
