//! Answers to look at: a small sample of those on which people reacted in opposite ways.
//!
//! Only roles that may read texts get any. The sample is drawn around moments that follow from the question alone, so that
//! the same question shows the same answers and costs the same however much is stored.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::compare;
use crate::dataset::{Standing, standings};
use crate::domain::clock::Timestamp;
use crate::domain::comparison::ComparisonSpec;
use crate::domain::feedback::{Feedback, Reaction, Thumb};
use crate::domain::hash::ContentHash;
use crate::domain::ids::ProjectId;
use crate::domain::principal::Principal;
use crate::domain::selection::Selection;
use crate::domain::trust::TrustFilter;
use crate::report::comparison::Comparison;
use crate::report::comparison::ratings::{Answer, Disagreement};
use crate::service::App;
use crate::service::detached::detached;
use crate::service::error::ServiceError;
use crate::store::Access;
use crate::store::connection::{Pool, Tx};
use crate::store::examples::{self, Sampled};
use crate::store::experiments;
use crate::store::pages::{self, CompletionRecord};
use crate::store::tallies::TallyQuery;

/// Moments around which answers are looked for.
const N_MOMENTS: u64 = 24;
/// Answers that are looked at around each moment.
const N_EACH: i64 = 25;
/// The most pairs, and the most answers of one side, that are shown.
const MAX_OF_A_KIND: usize = 5;
/// The most characters of a text that are shown.
const MAX_CHARS: usize = 600;

const NOT_ALLOWED: &str = "Answers are shown to roles that may read texts: analyst and admin.";
const NONE_FOUND: &str = "Among the sampled answers there is none on which people reacted in opposite ways.";

/// Compares as [`compare`] does, with answers to look at for those who may read texts.
pub async fn compare_with_examples(
    app: &App,
    principal: &Principal,
    spec: ComparisonSpec,
) -> Result<Comparison, ServiceError> {
    let mut comparison = compare(app, principal, spec.clone()).await?;
    if comparison.verdict.withholds_numbers {
        return Ok(comparison);
    }
    if !principal.role.may_analyse() {
        comparison.depth.disagreements_note = Some(NOT_ALLOWED);
        return Ok(comparison);
    }
    let question = Asked {
        project_id: principal.project_id,
        experiment: comparison.experiment.as_ref().map(|facts| facts.key.clone()),
        control: comparison.control.name.clone(),
        candidate: comparison.candidate.name.clone(),
        trust: comparison.trust.filter,
        selection: spec.selection,
    };
    let app = app.clone();
    let found = detached(async move {
        let mut question = question;
        let project_id = question.project_id;
        let mut tx = app.store.begin(Pool::Reading, "compare.examples", Access::Projects(&[project_id])).await?;
        pages::prepare(&mut tx).await?;
        if let Some(key) = &question.experiment {
            // What arrived after the stop was not part of the experiment.
            let stopped_at = experiments::find(&mut tx, project_id, key).await?.and_then(|held| held.stopped_at);
            let to = question.selection.to.into_iter().chain(stopped_at).min();
            question.selection.to = to;
        }
        let found = question.look(&mut tx).await?;
        tx.commit().await?;
        Ok::<_, ServiceError>(found)
    })
    .await?;
    comparison.depth.disagreements_note = found.is_empty().then_some(NONE_FOUND);
    comparison.depth.disagreements = found;
    Ok(comparison)
}

/// What is looked for.
struct Asked {
    project_id: ProjectId,
    experiment: Option<String>,
    control: String,
    candidate: String,
    trust: TrustFilter,
    selection: Selection,
}

/// A sampled answer with what people made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    completion_id: String,
    is_candidate: bool,
    task: Option<String>,
    reactions: BTreeSet<&'static str>,
}

impl Asked {
    async fn look(&self, tx: &mut Tx) -> Result<Vec<Disagreement>, ServiceError> {
        let query = TallyQuery {
            project_id: self.project_id,
            experiment: self.experiment.as_deref(),
            control: &self.control,
            candidate: &self.candidate,
            control_model: None,
            candidate_model: None,
            trust: self.trust,
            selection: &self.selection,
        };
        let Some(window) = examples::window(tx, &query).await? else { return Ok(Vec::new()) };
        let mut chance = Chance::of(&[self.experiment.as_deref().unwrap_or_default(), &self.control, &self.candidate]);
        let moments = moments(window, &self.selection, &mut chance);
        let sampled = examples::list(tx, &query, &moments, N_EACH).await?;
        let seen = self.seen(tx, &sampled).await?;
        let picked = pick(seen, &mut chance);
        self.with_texts(tx, picked).await
    }

    /// Reads the reactions that count on sampled answers.
    async fn seen(&self, tx: &mut Tx, sampled: &[Sampled]) -> Result<Vec<Seen>, ServiceError> {
        let ids: Vec<&str> = sampled.iter().map(|it| it.completion_id.as_str()).collect();
        let records = pages::find_completions(tx, self.project_id, &ids, false).await?;
        let names: Vec<&str> = records.iter().flat_map(|record| &record.names).map(String::as_str).collect();
        let mut by_name: BTreeMap<String, Vec<Feedback>> = BTreeMap::new();
        for record in pages::list_feedback_of(tx, self.project_id, &names).await? {
            let granted = record.granted_conversation_id.clone();
            let mut feedback = record.feedback;
            let owner = records.iter().find(|it| it.names.contains(&record.name));
            let conversation = owner.and_then(|it| it.conversation_id.as_deref());
            feedback.trust = feedback.trust.within(granted.as_deref(), conversation);
            by_name.entry(record.name).or_default().push(feedback);
        }
        let is_candidate = |id: &str| sampled.iter().any(|it| it.completion_id == id && it.is_candidate);
        let seen = |record: &CompletionRecord| {
            let own: BTreeSet<&String> = record.names.iter().collect();
            let mut items: Vec<Feedback> =
                own.iter().filter_map(|name| by_name.get(*name)).flatten().cloned().collect();
            for item in &mut items {
                item.completion_id = record.id.clone();
            }
            let counts = standings(&items, self.trust).into_iter().map(|standing| standing == Standing::Counts);
            let reactions = items.iter().zip(counts).filter(|(_, counts)| *counts).filter_map(|(item, _)| word(item));
            Seen {
                completion_id: record.id.as_str().to_owned(),
                is_candidate: is_candidate(record.id.as_str()),
                task: member(&record.facts, "task"),
                reactions: reactions.collect(),
            }
        };
        Ok(records.iter().map(seen).collect())
    }

    async fn with_texts(&self, tx: &mut Tx, picked: Vec<Picked>) -> Result<Vec<Disagreement>, ServiceError> {
        let both = || picked.iter().flat_map(|picked| [&picked.control, &picked.candidate]).flatten();
        let ids: Vec<&str> = both().map(|seen| seen.completion_id.as_str()).collect();
        let records = pages::find_completions(tx, self.project_id, &ids, true).await?;
        let answer = |seen: Seen| {
            let record = records.iter().find(|record| record.id.as_str() == seen.completion_id)?;
            let text = |name: &str| {
                let (_, text) = record.texts.iter().find(|(known, _)| *known == name)?;
                serde_json::from_str(text).ok().map(|value| excerpt(&value))
            };
            Some(Answer {
                completion_id: seen.completion_id,
                prompt: text("prompt").unwrap_or_default(),
                response: text("response").unwrap_or_default(),
                reactions: seen.reactions.into_iter().collect(),
            })
        };
        let told = picked.into_iter().map(|Picked { task, control, candidate }| Disagreement {
            task,
            control: control.and_then(answer),
            candidate: candidate.and_then(answer),
        });
        // Of what was erased since it was sampled nothing is left to show.
        Ok(told.filter(|it| it.control.is_some() || it.candidate.is_some()).collect())
    }
}

/// Chance that follows from a text (splitmix64, Steele et al. 2014).
struct Chance(u64);

impl Chance {
    fn of(words: &[&str]) -> Self {
        let hash = ContentHash::of_bytes("afterword/examples/1", words.join("\0").as_bytes()).0;
        Self(hash[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Draws a share of 0..1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for place in (1..items.len()).rev() {
            items.swap(place, (self.next() % (place as u64 + 1)) as usize);
        }
    }
}

/// Draws moments of the window, one from each of as many equal stretches.
fn moments(window: (Timestamp, Timestamp), selection: &Selection, chance: &mut Chance) -> Vec<Timestamp> {
    let first = selection.from.map_or(window.0, |from| from.max(window.0));
    let last = selection.to.map_or(window.1, |to| to.min(window.1));
    let length_ms = (last - first).num_milliseconds().max(0) as f64;
    let at = |stretch: u64, share: f64| length_ms * (stretch as f64 + share) / N_MOMENTS as f64;
    // The first one is the start itself: where everything arrived at once there is no other.
    let later = (0..N_MOMENTS).map(|stretch| chrono::TimeDelta::milliseconds(at(stretch, chance.share()) as i64));
    std::iter::once(first).chain(later.map(|after| first + after).collect::<Vec<_>>()).collect()
}

/// Answers that are shown together.
#[derive(Debug, PartialEq, Eq)]
struct Picked {
    task: Option<String>,
    control: Option<Seen>,
    candidate: Option<Seen>,
}

impl Seen {
    fn has(&self, any_of: &[&str]) -> bool {
        any_of.iter().any(|word| self.reactions.contains(word))
    }

    fn is_bad(&self) -> bool {
        self.has(&["regenerate", "thumb down"])
    }

    fn is_good(&self) -> bool {
        self.has(&["copy", "accept", "thumb up"]) && !self.is_bad()
    }

    /// Tells whether what was said and what was done disagree.
    fn is_torn(&self) -> bool {
        (self.has(&["thumb down"]) && self.has(&["copy", "accept"]))
            || (self.has(&["thumb up"]) && self.has(&["regenerate"]))
    }
}

/// Picks pairs of one task in which either side does well and the other does not, as many of both where there are as many,
/// and answers on which one user's word and deed disagree.
fn pick(mut seen: Vec<Seen>, chance: &mut Chance) -> Vec<Picked> {
    chance.shuffle(&mut seen);
    let (torn, seen): (Vec<Seen>, Vec<Seen>) = seen.into_iter().partition(Seen::is_torn);
    let mut piles: BTreeMap<(Option<String>, bool, bool), Vec<Seen>> = BTreeMap::new();
    for it in seen.into_iter().filter(|it| it.is_good() || it.is_bad()) {
        piles.entry((it.task.clone(), it.is_candidate, it.is_good())).or_default().push(it);
    }
    let mut tasks: Vec<Option<String>> =
        piles.keys().map(|(task, ..)| task.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    chance.shuffle(&mut tasks);
    let mut pairs = [Vec::new(), Vec::new()];
    for task in tasks {
        for (pairs, is_control_good) in pairs.iter_mut().zip([true, false]) {
            let mut take = |is_candidate: bool, is_good: bool| {
                piles.remove(&(task.clone(), is_candidate, is_good)).unwrap_or_default()
            };
            let (control, candidate) = (take(false, is_control_good), take(true, !is_control_good));
            pairs.extend(control.into_iter().zip(candidate).map(|(control, candidate)| Picked {
                task: task.clone(),
                control: Some(control),
                candidate: Some(candidate),
            }));
        }
    }
    let [mut one_way, mut other_way] = pairs;
    chance.shuffle(&mut one_way);
    chance.shuffle(&mut other_way);
    let mut picked = Vec::new();
    let (mut one_way, mut other_way) = (one_way.into_iter(), other_way.into_iter());
    while picked.len() < MAX_OF_A_KIND {
        let before = picked.len();
        picked.extend(one_way.next());
        picked.extend(other_way.next());
        if picked.len() == before {
            break;
        }
    }
    picked.truncate(MAX_OF_A_KIND);
    picked.extend(torn.into_iter().take(MAX_OF_A_KIND).map(|it| {
        let task = it.task.clone();
        let (control, candidate) = if it.is_candidate { (None, Some(it)) } else { (Some(it), None) };
        Picked { task, control, candidate }
    }));
    picked
}

/// Names what a reaction shows; nothing where it shows neither approval nor rejection.
fn word(feedback: &Feedback) -> Option<&'static str> {
    Some(match &feedback.reaction {
        Reaction::Thumb { value: Thumb::Up, .. } => "thumb up",
        Reaction::Thumb { value: Thumb::Down, .. } => "thumb down",
        Reaction::Copy { .. } => "copy",
        Reaction::Accept { .. } => "accept",
        Reaction::Regenerate { .. } => "regenerate",
        Reaction::Edit { .. } => "edit",
        Reaction::Continuation { .. } => "continuation",
        _ => return None,
    })
}

/// Reads a member of a JSON object that is text.
fn member(object: &str, name: &str) -> Option<String> {
    let object: Value = serde_json::from_str(object).ok()?;
    object.get(name)?.as_str().map(str::to_owned)
}

/// Cuts what was said last to an excerpt: of a conversation its last message, of a message its text.
fn excerpt(value: &Value) -> String {
    let said = match value {
        Value::Array(messages) => messages.last().map(content).unwrap_or_default(),
        message => content(message),
    };
    let mut characters = said.trim().chars();
    let mut cut: String = characters.by_ref().take(MAX_CHARS).collect();
    if characters.next().is_some() {
        cut.push('…');
    }
    cut
}

fn content(message: &Value) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match message.get("content").unwrap_or(message) {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part.get("text").and_then(text)).collect(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(id: &str, is_candidate: bool, task: &str, reactions: &[&'static str]) -> Seen {
        Seen {
            completion_id: id.to_owned(),
            is_candidate,
            task: Some(task.to_owned()),
            reactions: reactions.iter().copied().collect(),
        }
    }

    #[test]
    fn pairs_are_of_one_task_and_of_opposite_reactions_and_go_both_ways() {
        let sampled = || {
            let of = |n: usize, side: bool, task: &str, reaction: &'static str| {
                (0..n)
                    .map(|i| seen(&format!("{task}-{side}-{reaction}-{i}"), side, task, &[reaction]))
                    .collect::<Vec<_>>()
            };
            [
                of(9, false, "code", "copy"),
                of(9, true, "code", "thumb down"),
                of(9, false, "chat", "regenerate"),
                of(9, true, "chat", "accept"),
                of(9, true, "alone", "copy"),
                of(9, false, "silent", "continuation"),
            ]
            .concat()
        };

        let picked = pick(sampled(), &mut Chance::of(&["a"]));

        assert_eq!(picked.len(), MAX_OF_A_KIND);
        let tasks: BTreeSet<&str> = picked.iter().filter_map(|it| it.task.as_deref()).collect();
        assert_eq!(tasks, ["chat", "code"].into());
        for pair in &picked {
            let (control, candidate) = (pair.control.as_ref().unwrap(), pair.candidate.as_ref().unwrap());
            assert_ne!(control.is_good(), candidate.is_good());
            assert_eq!((control.is_candidate, candidate.is_candidate), (false, true));
            assert_eq!(control.task, candidate.task);
        }
        assert_eq!(picked, pick(sampled(), &mut Chance::of(&["a"])), "the same question shows the same answers");
        assert_ne!(picked, pick(sampled(), &mut Chance::of(&["b"])));
    }

    #[test]
    fn an_answer_whose_word_and_deed_disagree_stands_alone() {
        let sampled = vec![
            seen("torn", true, "code", &["thumb down", "copy"]),
            seen("asked again", false, "code", &["thumb up", "regenerate"]),
            seen("plain", false, "code", &["thumb up", "copy"]),
        ];

        let mut picked = pick(sampled, &mut Chance::of(&[]));
        picked.sort_by_key(|it| it.control.is_some());

        assert_eq!(picked.len(), 2);
        assert_eq!(picked[0].candidate.as_ref().unwrap().completion_id, "torn");
        assert_eq!(picked[1].control.as_ref().unwrap().completion_id, "asked again");
    }

    #[test]
    fn excerpts_are_of_the_last_message_and_bounded() {
        let long = "é".repeat(MAX_CHARS + 1);
        for (value, expected) in [
            (json!("plain"), "plain".to_owned()),
            (json!([{"role": "system", "content": "s"}, {"role": "user", "content": " asked "}]), "asked".to_owned()),
            (json!({"role": "assistant", "content": [{"type": "text", "text": "a"}, {"text": "b"}]}), "ab".to_owned()),
            (json!({"role": "assistant", "content": null}), String::new()),
            (json!(long), format!("{}…", "é".repeat(MAX_CHARS))),
        ] {
            assert_eq!(excerpt(&value), expected);
        }
    }

    #[test]
    fn moments_lie_in_the_window_and_in_their_order() {
        let day = |n: i64| Timestamp::UNIX_EPOCH + chrono::TimeDelta::days(n);
        let selection = Selection { to: Some(day(50)), ..Selection::default() };

        let drawn = moments((day(10), day(90)), &selection, &mut Chance::of(&["a"]));

        assert_eq!(drawn.len() as u64, N_MOMENTS + 1);
        assert!(drawn.is_sorted() && drawn[0] == day(10) && drawn.iter().all(|at| *at <= day(50)));
        let at_once = moments((day(3), day(3)), &Selection::default(), &mut Chance::of(&["a"]));
        assert!(at_once.iter().all(|at| *at == day(3)));
    }
}
