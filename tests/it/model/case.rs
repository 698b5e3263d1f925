//! Plays a script: every answer must be the one that the truth gives, and in the end everything stored must be the truth.

use std::collections::{BTreeMap, BTreeSet};

use afterword::dataset::{Standing, standings};
use afterword::domain::clock::{Clock as _, SystemClock, Timestamp};
use afterword::domain::experiment::Unit;
use afterword::domain::feedback::Feedback;
use afterword::domain::ids::ProjectId;
use afterword::domain::selection::Selection;
use afterword::domain::trust::TrustFilter;
use afterword::store::groups::{self, Wanted};
use afterword::store::tallies::{self, TallyQuery};
use afterword::store::turns;
use chrono::{SecondsFormat, SubsecRound as _, TimeDelta};
use proptest::sample::Index;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use super::front::Front;
use super::operation::{Delivery, N_ANSWERS, N_SOURCES, Operation, Script};
use super::truth::{Own, Said, Truth, Verdict};

const BACKEND: usize = 4;
const USERS: [Option<&str>; N_SOURCES] = [Some("ann"), Some("ann"), Some("bob"), None, Some("ann")];
const MODELS: [&str; N_ANSWERS] = ["old", "new", "old"];

/// A browser, or a backend.
#[derive(Debug, Clone, Default)]
struct Source {
    /// How far its clock is off.
    offset: TimeDelta,
    n_sessions: u32,
    n_said: i64,
    /// Places in `said` of what it holds back.
    held: Vec<usize>,
}

/// A project in which a script is played.
pub(super) struct Case<'a> {
    front: &'a Front,
    owner: &'a PgPool,
    project_id: ProjectId,
    key: String,
    truth: Truth,
    sources: [Source; N_SOURCES],
    said: Vec<Said>,
    /// When the last thing happened, and who did it.
    moment: Timestamp,
    actor: Option<usize>,
    /// From when corrections say to be.
    long_ago: Timestamp,
}

macro_rules! agree {
    ($found:expr, $expected:expr, $($what:tt)+) => {
        let (found, expected) = ($found, $expected);
        if found != expected {
            return Err(format!("{}: the service says {found:?}, it should be {expected:?}", format_args!($($what)+)));
        }
    };
}

/// Plays a script in a project of its own.
pub(super) async fn play(front: &Front, owner: &PgPool, name: &str, script: &Script) -> Result<(), String> {
    let (project_id, key) = front.project(name).await;
    let start = SystemClock.now().trunc_subsecs(3) - TimeDelta::days(1);
    let mut case = Case {
        front,
        owner,
        project_id,
        key,
        truth: Truth::default(),
        sources: Default::default(),
        said: Vec::new(),
        moment: start,
        actor: None,
        long_ago: start - TimeDelta::days(1),
    };
    for operation in &script.operations {
        case.step(operation).await?;
    }
    for source in 0..N_SOURCES {
        case.flush(source, 0, false, Delivery::Heard).await?;
    }
    for answer in (0..N_ANSWERS).filter(|answer| script.complete_at_end[*answer]) {
        case.complete(answer, "first", Delivery::Heard).await?;
    }
    case.agrees_on_rows().await?;
    case.agrees_on_what_counts().await
}

fn id_of(answer: usize) -> String {
    format!("c{answer}")
}

fn wire(moment: Timestamp) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Micros, true)
}

impl Case<'_> {
    async fn step(&mut self, operation: &Operation) -> Result<(), String> {
        match *operation {
            Operation::React { source, answer, by_alias, value, is_held, age_only, delivery } => {
                let own = Own::pick(value, answer);
                let name = if by_alias { format!("alias-{}", id_of(answer)) } else { id_of(answer) };
                let nth = self.say(source, answer, name, own, age_only);
                self.hand_over(nth, is_held, delivery).await
            }
            Operation::Change { of, value, is_held, delivery } => {
                let Some(before) = self.pick(of) else { return Ok(()) };
                let nth = self.say(before.source, before.answer, before.name, before.own.changed(value), false);
                self.hand_over(nth, is_held, delivery).await
            }
            Operation::Correct { of, value, delivery } => {
                let Some(before) = self.pick(of) else { return Ok(()) };
                self.correct(&before, value);
                self.deliver(&[self.said.len() - 1], delivery).await
            }
            Operation::Replay { of, n_times, delivery } => match self.pick_stored(of) {
                Some(nth) => self.deliver(&vec![nth; n_times], delivery).await,
                None => Ok(()),
            },
            Operation::Conflict { of, value } => match self.pick_stored(of) {
                Some(nth) => self.contradict(nth, value).await,
                None => Ok(()),
            },
            Operation::Flush { source, rotation, is_reversed, delivery } => {
                self.flush(source, rotation, is_reversed, delivery).await
            }
            Operation::Complete { answer, delivery } => self.complete(answer, "first", delivery).await,
            Operation::OtherCompletion { answer } if self.truth.completions.contains_key(&answer) => {
                self.complete(answer, "second", Delivery::Heard).await
            }
            Operation::OtherCompletion { .. } => Ok(()),
            Operation::ClockJump { source, minutes } => {
                // A time that was read off one clock cannot be corrected by another.
                self.flush(source, 0, false, Delivery::Heard).await?;
                if source != BACKEND {
                    self.sources[source].offset = TimeDelta::minutes(minutes);
                }
                Ok(())
            }
            Operation::Reload { source } => {
                (self.sources[source].n_sessions, self.sources[source].n_said) =
                    (self.sources[source].n_sessions + 1, 0);
                self.actor = None;
                Ok(())
            }
            Operation::Reset => {
                self.front.reset().await;
                Ok(())
            }
        }
    }

    /// Makes an id that says nothing of when the item happened, and that every other project has, too.
    fn next_id(&self) -> Uuid {
        Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from((self.said.len() as u16).reverse_bits()))
    }

    fn pick(&self, of: Index) -> Option<Said> {
        (!self.said.is_empty()).then(|| of.get(&self.said).clone())
    }

    /// Picks something that is stored already.
    fn pick_stored(&self, of: Index) -> Option<usize> {
        let stored: Vec<usize> = (0..self.said.len())
            .filter(|nth| self.truth.feedback.contains_key(&(self.said[*nth].name.clone(), self.said[*nth].id)))
            .collect();
        (!stored.is_empty()).then(|| *of.get(&stored))
    }

    /// Has somebody react. In one session things follow each other within a second; otherwise a quarter of an hour
    /// lies between them, so that clocks that are believed do not change what was last.
    fn say(&mut self, source: usize, answer: usize, name: String, own: Own, age_only: bool) -> usize {
        let follows_on = self.actor == Some(source) && source != BACKEND;
        self.moment += if follows_on { TimeDelta::seconds(1) } else { TimeDelta::minutes(15) };
        self.actor = Some(source);
        let id = self.next_id();
        let from = &mut self.sources[source];
        from.n_said += 1;
        let session = (source != BACKEND).then(|| format!("{source}-{}", from.n_sessions));
        self.said.push(Said {
            id,
            source,
            answer,
            name,
            user: USERS[source],
            seq: session.as_ref().map(|_| from.n_said),
            session,
            own,
            occurred_at: (!age_only).then(|| self.moment + from.offset),
            happened: self.moment,
            supersedes: None,
        });
        self.said.len() - 1
    }

    /// Replaces an item by name. Only what was named makes the new item the later one: its own time is long ago.
    fn correct(&mut self, before: &Said, value: u8) {
        self.long_ago += TimeDelta::minutes(1);
        let id = self.next_id();
        self.said.push(Said {
            id,
            source: BACKEND,
            user: before.user.or(Some("ann")),
            session: None,
            seq: None,
            own: before.own.changed(value),
            occurred_at: Some(self.long_ago),
            happened: self.long_ago,
            supersedes: Some(before.id),
            ..before.clone()
        });
    }

    async fn hand_over(&mut self, nth: usize, is_held: bool, delivery: Delivery) -> Result<(), String> {
        let source = self.said[nth].source;
        if is_held && source != BACKEND {
            self.sources[source].held.push(nth);
            return Ok(());
        }
        self.deliver(&[nth], delivery).await
    }

    async fn flush(&mut self, source: usize, by: usize, reverse: bool, delivery: Delivery) -> Result<(), String> {
        let mut held = std::mem::take(&mut self.sources[source].held);
        if held.is_empty() {
            return Ok(());
        }
        let n_held = held.len();
        held.rotate_left(by % n_held);
        if reverse {
            held.reverse();
        }
        self.deliver(&held, delivery).await
    }

    /// Sends items in one request, and again where the answer is lost.
    async fn deliver(&mut self, items: &[usize], delivery: Delivery) -> Result<(), String> {
        let said: Vec<Said> = items.iter().map(|nth| self.said[*nth].clone()).collect();
        if delivery == Delivery::ReplyLost {
            self.send(&said, Delivery::Heard).await?;
        }
        self.send(&said, delivery).await
    }

    async fn send(&mut self, items: &[Said], delivery: Delivery) -> Result<(), String> {
        let source = items[0].source;
        let now = SystemClock.now();
        let bodies: Vec<Value> = items.iter().map(|said| body(said, now)).collect();
        let body = if source == BACKEND && bodies.len() == 1 {
            bodies[0].clone()
        } else if source == BACKEND {
            json!({"feedback": bodies})
        } else {
            json!({"v": 1, "sent_at": wire(now + self.sources[source].offset), "sdk": "model/1", "feedback": bodies})
        };
        let answer = self.front.send("/v1/feedback", &self.key, &body, delivery).await?;
        let verdicts: Vec<Verdict> = items.iter().map(|said| self.truth.record(said)).collect();
        check_receipt(&answer, &verdicts)
    }

    /// Sends other content under an id that is taken; what is stored stays.
    async fn contradict(&mut self, nth: usize, value: u8) -> Result<(), String> {
        let mut other = self.said[nth].clone();
        other.own = other.own.changed(value);
        self.send(&[other], Delivery::Heard).await
    }

    async fn complete(&mut self, answer: usize, text: &'static str, delivery: Delivery) -> Result<(), String> {
        let id = id_of(answer);
        let body = json!({"completions": [{
            "id": id, "model": MODELS[answer], "prompt": format!("prompt {}", answer / 2), "response": text,
            "user": format!("author of {id}"), "aliases": [format!("alias-{id}")],
        }]});
        let n_sent = if delivery == Delivery::ReplyLost { 2 } else { 1 };
        for _ in 0..n_sent {
            let answer_to_it = self.front.send("/v1/completions", &self.key, &body, delivery).await?;
            check_receipt(&answer_to_it, &[self.truth.complete(answer, text)])?;
        }
        Ok(())
    }

    /// The history is whole, nothing was invented, and what clients said of time is kept as they said it.
    async fn agrees_on_rows(&self) -> Result<(), String> {
        type Row = (String, Uuid, String, Option<String>, Option<String>, Option<i64>, Option<Timestamp>, Option<Uuid>);
        let rows: Vec<Row> = sqlx::query_as(
            "select completion_id, feedback_id,
                    coalesce(thumb, outcome, rating_score::integer::text, n_chars::text),
                    user_id, session_id, seq, occurred_at, supersedes
               from feedback where project_id = $1 order by completion_id collate \"C\", feedback_id",
        )
        .bind(self.project_id.0)
        .fetch_all(self.owner)
        .await
        .map_err(|error| error.to_string())?;
        let expected: Vec<Row> = self
            .truth
            .feedback
            .iter()
            .map(|((name, id), said)| {
                let (user, session) = (said.user.map(str::to_owned), said.session.clone());
                (name.clone(), *id, said.own.stored(), user, session, said.seq, said.occurred_at, said.supersedes)
            })
            .collect();
        agree!(rows, expected, "the rows of feedback");
        let completions: Vec<String> =
            sqlx::query_scalar("select completion_id from completions where project_id = $1 order by completion_id")
                .bind(self.project_id.0)
                .fetch_all(self.owner)
                .await
                .map_err(|error| error.to_string())?;
        let expected: Vec<String> = self.truth.completions.keys().map(|answer| id_of(*answer)).collect();
        agree!(completions, expected, "the rows of completions");
        Ok(())
    }

    /// What exports and comparisons count is what each person has last said.
    async fn agrees_on_what_counts(&self) -> Result<(), String> {
        let (store, project) = (self.front.store(), self.project_id);
        let everything = Selection::default();
        let fail = |error: afterword::store::StoreError| error.to_string();
        let mut tx = store.begin_snapshot("model", project).await.map_err(fail)?;
        let prompts = groups::list_prompts(&mut tx, project, &everything).await.map_err(fail)?;
        let groups = groups::list(&mut tx, project, &everything, &prompts, Wanted::default()).await.map_err(fail)?;
        tx.commit().await.map_err(fail)?;
        let by_answer: BTreeMap<String, Vec<Feedback>> =
            groups.into_iter().flat_map(|group| group.feedback).fold(BTreeMap::new(), |mut by_answer, item| {
                by_answer.entry(item.completion_id.as_str().to_owned()).or_insert_with(Vec::new).push(item);
                by_answer
            });
        for answer in self.truth.completions.keys() {
            let none = Vec::new();
            let items = by_answer.get(&id_of(*answer)).unwrap_or(&none);
            let standings = standings(items, TrustFilter::Verified);
            let counting: BTreeSet<Uuid> = items
                .iter()
                .zip(standings)
                .filter(|(_, standing)| *standing == Standing::Counts)
                .map(|(item, _)| item.id.0)
                .collect();
            agree!(counting, self.truth.counting(*answer), "what counts of {}", id_of(*answer));
        }

        let page = self.front.get("/v1/completions?limit=200", &self.key).await?;
        let shown: BTreeMap<String, BTreeSet<Uuid>> = page["completions"]
            .as_array()
            .ok_or("no page of completions")?
            .iter()
            .map(|item| (item["id"].as_str().unwrap_or_default().to_owned(), shown_to_count(item)))
            .collect();
        let expected: BTreeMap<String, BTreeSet<Uuid>> =
            self.truth.completions.keys().map(|answer| (id_of(*answer), self.truth.counting(*answer))).collect();
        agree!(shown, expected, "the page of completions");

        let query = TallyQuery {
            project_id: project,
            experiment: None,
            control: "old",
            candidate: "new",
            control_model: None,
            candidate_model: None,
            trust: TrustFilter::Verified,
            selection: &everything,
        };
        let mut tx = store.begin_snapshot("model", project).await.map_err(fail)?;
        let lanes = std::slice::from_mut(&mut tx);
        let tallied = turns::read(lanes, &query, Unit::User, Unit::User).await.map_err(fail)?.turns.tallies();
        tallies::prepare(&mut tx).await.map_err(fail)?;
        let choices = tallies::preferences(&mut tx, &query).await.map_err(fail)?;
        tx.commit().await.map_err(fail)?;
        let tallied: BTreeMap<String, [i64; 3]> =
            tallied.into_iter().map(|tally| (tally.unit, [tally.n_up, tally.n_down, tally.n_copied])).collect();
        let expected: BTreeMap<String, [i64; 3]> = self
            .truth
            .completions
            .keys()
            .map(|answer| (format!("u:author of {}", id_of(*answer)), self.truth.outcomes(*answer)))
            .collect();
        agree!(tallied, expected, "the tallies");
        agree!([choices.n_wins, choices.n_losses, choices.n_ties], self.truth.choices(), "the direct choices");
        Ok(())
    }
}

/// Reads which feedback of a completion is shown as what counts.
fn shown_to_count(completion: &Value) -> BTreeSet<Uuid> {
    let items = completion["feedback"].as_array().into_iter().flatten();
    items.filter(|item| item["standing"] == "counts").filter_map(|item| item["id"].as_str()?.parse().ok()).collect()
}

/// The item as it is sent at a moment; its age grows while it waits.
fn body(said: &Said, now: Timestamp) -> Value {
    let against = id_of(usize::from(said.answer == 0));
    let mut body = json!({"id": said.id, "completion_id": said.name});
    let age = (now - said.happened).num_milliseconds();
    let optional = [
        ("user", said.user.map(Value::from)),
        ("session_id", said.session.clone().map(Value::from)),
        ("seq", said.seq.map(Value::from)),
        ("occurred_at", said.occurred_at.map(|at| wire(at).into())),
        ("age_ms", (said.occurred_at.is_none() || said.seq.is_some_and(|seq| seq % 2 == 0)).then(|| age.into())),
        ("supersedes", said.supersedes.map(|id| id.to_string().into())),
    ];
    let own = said.own.fields(&against);
    let members = body.as_object_mut().unwrap();
    members.extend(own.as_object().unwrap().clone());
    members.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    body
}

fn check_receipt(answer: &super::front::Answer, verdicts: &[Verdict]) -> Result<(), String> {
    let n = |of: Verdict| verdicts.iter().filter(|verdict| **verdict == of).count() as u64;
    let (n_accepted, n_duplicate, n_conflicts) = (n(Verdict::Accepted), n(Verdict::Duplicate), n(Verdict::Conflict));
    let status = match (n_accepted + n_duplicate, n_conflicts) {
        (_, 0) => 200,
        (0, _) => 422,
        _ => 207,
    };
    agree!(answer.status, status, "the status of {verdicts:?} ({})", answer.body);
    let expected: Vec<(u64, &str)> = verdicts
        .iter()
        .enumerate()
        .filter(|(_, verdict)| **verdict == Verdict::Conflict)
        .map(|(nth, _)| (nth as u64, "conflict"))
        .collect();
    let rejected = answer.body["rejected"].as_array().ok_or_else(|| format!("no receipt: {}", answer.body))?;
    let rejected: Vec<(u64, &str)> = rejected
        .iter()
        .map(|item| (item["index"].as_u64().unwrap_or(u64::MAX), item["code"].as_str().unwrap_or_default()))
        .collect();
    agree!(rejected, expected, "what was rejected");
    if status == 422 {
        return Ok(());
    }
    let count = |name: &str| answer.body[name].as_u64().unwrap_or(u64::MAX);
    let (accepted, duplicate) = (count("accepted"), count("duplicate"));
    agree!(accepted.saturating_add(duplicate), n_accepted + n_duplicate, "accepted and duplicate");
    // A request that was sent before may have been carried out then; nothing is ever accepted twice.
    if !answer.is_repeated || accepted > n_accepted {
        agree!(accepted, n_accepted, "accepted");
    }
    Ok(())
}
