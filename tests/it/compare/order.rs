//! ORD-4: a comparison, which counts in SQL, and an export, which counts in Rust, count the same reactions.

use std::collections::{BTreeMap, HashMap};

use afterword::dataset::example::RowKind;
use afterword::dataset::{Standing, harvest, standings};
use afterword::domain::clock::Timestamp;
use afterword::domain::feedback::{Feedback, NewFeedback, Reaction, Thumb};
use afterword::domain::json::Json;
use afterword::domain::principal::Trust;
use afterword::domain::recipe::{Format, Formats, Layout, Options, Recipe};
use afterword::domain::selection::Selection;
use afterword::domain::trust::TrustFilter;
use afterword::store::connection::Pool;
use afterword::store::feedback::{self, FeedbackRow};
use afterword::store::groups;
use afterword::store::{Access, Inserted, Telling};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::seed::{Seeded, completion};

const N_WORLDS: usize = 400;

/// How an item names an answer of its world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Id,
    Alias,
    /// An alias that the other answer carries, too.
    Shared,
}

impl Name {
    fn of(self, world: usize, is_candidate: bool) -> String {
        let model = if is_candidate { "new" } else { "old" };
        match self {
            Self::Id => format!("{model}-{world}"),
            Self::Alias => format!("alias-{model}-{world}"),
            Self::Shared => format!("shared-{world}"),
        }
    }
}

/// An item on one answer of a world, with every way in which two of them can stand to each other.
#[derive(Debug, Clone)]
struct Said {
    on_candidate: bool,
    name: Name,
    against: Name,
    user: Option<u8>,
    session: Option<u8>,
    seq: Option<u8>,
    happened: u8,
    arrived: u8,
    supersedes: Option<prop::sample::Index>,
    is_trusted: bool,
    signal: u8,
    order_of_id: u16,
}

fn any_item() -> impl Strategy<Value = Said> {
    let name = prop_oneof![8 => Just(Name::Id), 2 => Just(Name::Alias), 1 => Just(Name::Shared)];
    let against = prop_oneof![4 => Just(Name::Id), 1 => Just(Name::Alias)];
    let who = (prop::bool::weighted(0.3), (name, against), prop::option::weighted(0.9, 0..2_u8));
    let place = (prop::option::weighted(0.7, 0..2_u8), prop::option::weighted(0.8, 0..3_u8), 0..3_u8, 0..3_u8);
    let rest =
        (prop::option::weighted(0.4, any::<prop::sample::Index>()), prop::bool::weighted(0.9), 0..8_u8, any::<u16>());
    (who, place, rest).prop_map(|(who, place, rest)| Said {
        on_candidate: who.0,
        name: who.1.0,
        against: who.1.1,
        user: who.2,
        session: place.0,
        seq: place.1,
        happened: place.2,
        arrived: place.3,
        supersedes: rest.0,
        is_trusted: rest.1,
        signal: rest.2,
        order_of_id: rest.3,
    })
}

fn minute(n: u8) -> Timestamp {
    Timestamp::from_timestamp(1_780_000_000 + 60 * i64::from(n), 0).unwrap()
}

fn feedback_id(world: usize, nth: usize, said: &Said) -> uuid::Uuid {
    uuid::Uuid::from_u128((u128::from(said.order_of_id) << 64) | ((world as u128) << 16) | nth as u128)
}

/// The item as it is sent. The first half of the worlds holds thumbs and the like, the other preferences of one user.
fn body(world: usize, nth: usize, items: &[Said]) -> Value {
    let said = &items[nth];
    let completion_id = said.name.of(world, said.on_candidate);
    let mut body = json!({"id": feedback_id(world, nth, said), "completion_id": completion_id});
    let own = if is_of_preferences(world) {
        let outcome = ["better", "worse", "tie", "both_bad"][usize::from(said.signal % 4)];
        json!({"signal": "preference", "against": said.against.of(world, !said.on_candidate),
            "outcome": outcome, "user": "u"})
    } else {
        let mut own = match said.signal {
            0..=1 => json!({"signal": "thumb", "value": "up"}),
            2..=3 => json!({"signal": "thumb", "value": "down"}),
            4 => json!({"signal": "thumb", "value": "none"}),
            5 => json!({"signal": "copy"}),
            6 => json!({"signal": "regenerate"}),
            _ => json!({"signal": "comment", "text": "why"}),
        };
        if let Some(user) = said.user {
            own["user"] = format!("u{user}").into();
        }
        own
    };
    body.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    if let Some(session) = said.session {
        body["session_id"] = format!("s{session}").into();
    }
    if let Some(seq) = said.seq {
        body["seq"] = seq.into();
    }
    if let Some(other) = said.supersedes.map(|index| index.index(items.len())).filter(|other| *other != nth) {
        body["supersedes"] = feedback_id(world, other, &items[other]).to_string().into();
    }
    body
}

fn is_of_preferences(world: usize) -> bool {
    world >= N_WORLDS / 2
}

/// Stores worlds of two answers each, whose users are units of their own.
async fn store(seeded: &Seeded, worlds: &[Vec<Said>]) {
    let answers: Vec<Value> = (0..worlds.len())
        .flat_map(|world| ["old", "new"].map(|model| (world, model)))
        .map(|(world, model)| {
            let id = format!("{model}-{world}");
            let more = json!({
                "prompt": format!("prompt {world}"), "response": format!("answer {id}"), "user": id,
                "aliases": [format!("alias-{id}"), format!("alias-{id}"), format!("shared-{world}")], "finish_reason": "stop", "consent": {"training": true},
            });
            completion(&id, model, more)
        })
        .collect();
    seeded.completions(&answers).await;
    for (world, items) in worlds.iter().enumerate() {
        let parsed: Vec<NewFeedback> = (0..items.len())
            .map(|nth| {
                let text = body(world, nth, items).to_string();
                NewFeedback::from_json(Json::parse(text.as_bytes()).unwrap(), "").unwrap()
            })
            .collect();
        let project_id = seeded.principal.project_id;
        let mut rows: Vec<FeedbackRow> = parsed
            .iter()
            .zip(items)
            .map(|(feedback, said)| FeedbackRow {
                granted_conversation_id: None,
                project_id,
                feedback,
                trust: if said.is_trusted { Trust::Verified } else { Trust::Unverified },
                effective_at: minute(said.happened),
                received_at: minute(10 + said.arrived),
            })
            .collect();
        rows.sort_by_key(|row| (&row.feedback.completion_id, row.feedback.id));
        let access = [project_id];
        let mut tx = seeded.app.store.begin(Pool::Ingest, "test", Access::Projects(&access)).await.unwrap();
        assert!(matches!(feedback::insert(&mut tx, &rows, Telling::Count).await.unwrap(), Inserted::All));
        tx.commit().await.unwrap();
    }
}

/// What a tally says of an answer: up, down, copied, regenerated, commented, any signal.
type Counts = [i64; 6];

/// Counts what is the last word of each user of one answer.
fn count(feedback: &[Feedback], trust: TrustFilter) -> Counts {
    let standings = standings(feedback, trust);
    let counting = feedback.iter().zip(standings).filter(|(_, standing)| *standing == Standing::Counts);
    let reactions: Vec<&Reaction> = counting.map(|(item, _)| &item.reaction).collect();
    let any = |holds: fn(&Reaction) -> bool| i64::from(reactions.iter().any(|reaction| holds(reaction)));
    [
        any(|it| matches!(it, Reaction::Thumb { value: Thumb::Up, .. })),
        any(|it| matches!(it, Reaction::Thumb { value: Thumb::Down, .. })),
        any(|it| matches!(it, Reaction::Copy { .. })),
        any(|it| matches!(it, Reaction::Regenerate { .. })),
        any(|it| matches!(it, Reaction::Comment { .. })),
        any(|it| !matches!(it, Reaction::Thumb { value: Thumb::None, .. })),
    ]
}

#[tokio::test]
async fn comparisons_and_exports_count_the_same_reactions() {
    let mut runner = TestRunner::deterministic();
    let some_items = prop::collection::vec(any_item(), 2..16);
    let worlds: Vec<Vec<Said>> = (0..N_WORLDS).map(|_| some_items.new_tree(&mut runner).unwrap().current()).collect();
    let seeded = Seeded::new().await;
    store(&seeded, &worlds).await;
    let project = seeded.principal.project_id;

    let tallies: HashMap<String, Counts> = seeded
        .list(afterword::domain::experiment::Unit::User)
        .await
        .into_iter()
        .map(|it| (it.unit, [it.n_up, it.n_down, it.n_copied, it.n_regenerated, it.n_wrote, it.n_any_signal]))
        .collect();
    let (choices, coverage) = (seeded.choices().await, seeded.coverage().await);
    let mut tx = seeded.app.store.begin_snapshot("test", project).await.unwrap();
    let prompts = groups::list_prompts(&mut tx, project, &Selection::default()).await.unwrap();
    let groups = groups::list(&mut tx, project, &Selection::default(), &prompts, false).await.unwrap();
    let n_ambiguous = groups::count_ambiguous(&mut tx, project, &Selection::default()).await.unwrap();

    let (mut n_answers, mut rules) = (0, BTreeMap::new());
    let mut directions = [0; 3];
    let recipe = Recipe {
        formats: Formats::of(Format::Preference),
        layout: Layout::Trl,
        selection: Selection::default(),
        options: Options::default(),
    };
    for group in &groups {
        let world: usize = group.completions[0].id.as_str().rsplit('-').next().unwrap().parse().unwrap();
        if is_of_preferences(world) {
            let mut harvest = harvest(&group.completions, &group.feedback, &recipe);
            let pairs = harvest.crops.remove(&RowKind::Pair).unwrap();
            for example in &pairs.examples {
                directions[usize::from(example.chosen_id.as_str().starts_with("old"))] += 1;
            }
            let n = |reason| pairs.exclusions.0.get(reason).copied().unwrap_or_default();
            directions[2] += n("tie") + n("both_bad");
            continue;
        }
        for answer in &group.completions {
            let on_it: Vec<Feedback> =
                group.feedback.iter().filter(|item| item.completion_id == answer.id).cloned().collect();
            n_answers += 1;
            assert_eq!(
                tallies[&format!("u:{}", answer.id.as_str())],
                count(&on_it, TrustFilter::Verified),
                "world {world}: {:#?}",
                worlds[world]
            );
            for standing in standings(&on_it, TrustFilter::Verified) {
                *rules.entry(standing.as_str()).or_insert(0) += 1;
            }
        }
    }

    let n_of = |holds: fn(&Said) -> bool| worlds.iter().flatten().filter(|said| holds(said)).count();
    let n_in_groups: usize = groups.iter().map(|group| group.feedback.len()).sum();
    let n_shared = n_of(|said| said.name == Name::Shared);
    assert!(n_shared > 50);
    assert_eq!([n_in_groups, n_ambiguous as usize], [n_of(|said| said.name != Name::Shared), n_shared]);
    let n_strange = n_of(|said| said.name != Name::Shared && !said.is_trusted);
    assert_eq!([coverage.n_unverified, coverage.n_ambiguous], [n_strange as i64, n_shared as i64]);
    assert_eq!([choices.n_wins, choices.n_losses, choices.n_ties].map(|n| u64::try_from(n).unwrap()), directions);
    assert!(n_answers > 300 && directions.iter().all(|n| *n > 20), "{n_answers} {directions:?}");
    assert!(rules.len() == 4 && rules.values().all(|n| *n > 50), "{rules:?}");
}
