//! For any history of answers, reactions, erasures and declarations: no erased and no non-consenting row leaves, and what
//! leaves is recorded under whose it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use afterword::domain::consent::ConsentDefault;
use afterword::domain::ids::ProjectId;
use afterword::domain::principal::Principal;
use afterword::service::export_folder::{FolderError, export_to_folder};
use afterword::service::export_progress::Progress;
use afterword::service::export_run::RunError;
use afterword::service::{bootstrap, erase, exports, projects};
use arrow::array::AsArray as _;
use bytes::Bytes;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::erasure::user;
use super::fixture::{Fixture, batches, principal};

const N_CASES: u8 = 16;
const N_PROMPTS: u8 = 3;
const USERS: [&str; 4] = ["u0", "u1", "u2", "u3"];

#[derive(Debug, Clone)]
enum Step {
    Answer { prompt: u8, nth: u8, user: Option<u8>, conversation: Option<u8>, consent: Option<bool> },
    Thumb { prompt: u8, nth: u8, user: Option<u8>, up: bool },
    Prefer { prompt: u8, user: Option<u8> },
    Erase { user: u8 },
    Declare { default: u8 },
}

fn any_step() -> impl Strategy<Value = Step> {
    let user = || prop::option::weighted(0.8, 0..USERS.len() as u8);
    let answer = (
        0..N_PROMPTS,
        0..2_u8,
        user(),
        prop::option::of(0..3_u8),
        prop::option::weighted(0.7, prop::bool::weighted(0.8)),
    );
    prop_oneof![
        6 => answer.prop_map(|(prompt, nth, user, conversation, consent)| {
            Step::Answer { prompt, nth, user, conversation, consent }
        }),
        4 => (0..N_PROMPTS, 0..2_u8, user(), any::<bool>())
            .prop_map(|(prompt, nth, user, up)| Step::Thumb { prompt, nth, user, up }),
        4 => (0..N_PROMPTS, user()).prop_map(|(prompt, user)| Step::Prefer { prompt, user }),
        1 => (0..USERS.len() as u8).prop_map(|user| Step::Erase { user }),
        1 => (0..3_u8).prop_map(|default| Step::Declare { default }),
    ]
}

/// What is known of an answer that was taken.
#[derive(Debug, Clone)]
struct Known {
    user: Option<u8>,
    conversation: Option<u8>,
    consent: Option<bool>,
}

/// What should be left, told by a few sets.
#[derive(Debug, Default)]
struct Truth {
    answers: BTreeMap<String, Known>,
    /// Votes by their ids: whose, and on which answers.
    votes: BTreeMap<Uuid, (Option<u8>, Vec<String>)>,
    gone: BTreeSet<String>,
    default: ConsentDefault,
}

impl Truth {
    fn erase(&mut self, user: u8) {
        let is_theirs = |known: &Known| known.user == Some(user);
        let conversations: BTreeSet<u8> =
            self.answers.values().filter(|known| is_theirs(known)).filter_map(|known| known.conversation).collect();
        let is_gone = |known: &Known| {
            is_theirs(known)
                || (known.user.is_none() && known.conversation.is_some_and(|it| conversations.contains(&it)))
        };
        let gone: Vec<String> =
            self.answers.iter().filter(|(_, known)| is_gone(known)).map(|(id, _)| id.clone()).collect();
        self.gone.extend(gone.iter().cloned());
        self.answers.retain(|id, _| !gone.contains(id));
        self.votes.retain(|_, (whose, about)| *whose != Some(user) && !gone.contains(&about[0]));
    }

    fn may_leave(&self, id: &str) -> bool {
        let known = self.answers.get(id);
        known.is_some_and(|known| known.consent.or(self.default.to_stored()) == Some(true))
    }
}

/// A project in which a case is played.
struct Play<'a> {
    fixture: &'a Fixture,
    principal: Principal,
    truth: Truth,
    n_said: u128,
}

impl Play<'_> {
    async fn step(&mut self, step: &Step) {
        let name = |user: &Option<u8>| user.map(|user| USERS[usize::from(user)]);
        let id = |prompt: u8, nth: u8| format!("p{prompt}-{nth}");
        match step {
            Step::Answer { prompt, nth, user, conversation, consent } => {
                let id = id(*prompt, *nth);
                let item = json!({
                    "id": id, "model": format!("m{nth}"), "prompt": format!("prompt {prompt}"),
                    "response": format!("answer {nth} to {prompt}"), "finish_reason": "stop", "user": name(user),
                    "conversation_id": conversation.map(|it| format!("c{it}")),
                    "consent": consent.map(|training| json!({"training": training})),
                });
                if self.fixture.take_completion(&self.principal, &item).await {
                    let known = Known { user: *user, conversation: *conversation, consent: *consent };
                    self.truth.answers.insert(id, known);
                }
            }
            Step::Thumb { prompt, nth, user, up } => {
                let value = if *up { "up" } else { "down" };
                let more = json!({"signal": "thumb", "value": value, "user": name(user)});
                self.vote(*user, vec![id(*prompt, *nth)], more).await;
            }
            Step::Prefer { prompt, user } => {
                let about = vec![id(*prompt, 0), id(*prompt, 1)];
                let more =
                    json!({"signal": "preference", "against": about[1], "outcome": "better", "user": name(user)});
                self.vote(*user, about, more).await;
            }
            Step::Erase { user: whom } => {
                let (app, whom_id) = (&self.fixture.app, user(USERS[usize::from(*whom)]));
                let (erasure, _) = erase::request(app, &self.principal, &whom_id, false).await.unwrap();
                self.fixture.finish(&self.principal, &erasure).await;
                self.truth.erase(*whom);
            }
            Step::Declare { default } => {
                self.truth.default = ConsentDefault::WORDS[usize::from(*default)].1;
                let declared = self.truth.default;
                projects::set_consent_default(&self.fixture.app, &self.principal, declared).await.unwrap();
            }
        }
    }

    async fn vote(&mut self, whose: Option<u8>, about: Vec<String>, mut item: Value) {
        self.n_said += 1;
        let id = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + self.n_said);
        item["id"] = json!(id);
        item["completion_id"] = json!(about[0]);
        if self.fixture.take_feedback(&self.principal, &item).await {
            assert!(!self.truth.gone.contains(&about[0]), "feedback on an erased answer was taken");
            self.truth.votes.insert(id, (whose, about));
        }
    }

    /// Exports and holds every row against the truth; returns how many rows left.
    async fn check(&self, recipe: &str, root: &std::path::Path) -> usize {
        let out = root.join(format!("{recipe}-{}", self.principal.project_id));
        let (recipe, progress) = (exports::shipped(recipe).unwrap(), Arc::new(Progress::default()));
        let (app, project_id, stop) = (&self.fixture.app, self.principal.project_id, CancellationToken::new());
        let manifest = match export_to_folder(app, project_id, &recipe, &out, false, &progress, &stop).await {
            Ok(manifest) => manifest,
            Err(FolderError::Run(RunError::NoExamples(_))) => return 0,
            Err(error) => panic!("{error:?}"),
        };
        assert_eq!(manifest.consent_default, self.truth.default);
        let (mut n_rows, mut users) = (0, BTreeSet::new());
        for file in manifest.files.iter().filter(|file| file.path.ends_with(".parquet")) {
            for batch in batches(Bytes::from(std::fs::read(out.join(&file.path)).unwrap())) {
                for proof in batch.column_by_name("metadata").unwrap().as_string::<i32>().iter().flatten() {
                    let proof: Value = serde_json::from_str(proof).unwrap();
                    for name in ["completion", "rejected_completion"] {
                        let Some(id) = proof[name].as_str() else { continue };
                        assert!(self.truth.may_leave(id), "{id} left: {:?}", self.truth);
                        users.extend(self.truth.answers[id].user);
                    }
                    for vote in proof["feedback"].as_array().unwrap() {
                        let vote = Uuid::parse_str(vote.as_str().unwrap()).unwrap();
                        let (whose, _) = self.truth.votes.get(&vote).expect("a vote that is gone made a row");
                        users.extend(*whose);
                    }
                    n_rows += 1;
                }
            }
        }
        for (number, name) in USERS.iter().enumerate() {
            let affected = erase::affected(app, &self.principal, &user(name)).await.unwrap();
            let is_listed = affected.iter().any(|export| export.id == manifest.export_id);
            if users.contains(&(number as u8)) {
                assert!(is_listed, "{name} is not among the holders");
            }
        }
        n_rows
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn for_any_history_no_erased_and_no_non_consenting_row_leaves() {
    let fixture = Fixture::new().await;
    let root = tempfile::tempdir().unwrap();
    let mut n_rows = 0;
    for nth in 0..N_CASES {
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[nth; 32]);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let steps = prop::collection::vec(any_step(), 5..60).new_tree(&mut runner).unwrap().current();
        let project_id: ProjectId = bootstrap::ensure(&fixture.app, &format!("case-{nth}"), None).await.unwrap();
        let mut play = Play { fixture: &fixture, principal: principal(project_id), truth: Truth::default(), n_said: 0 };
        for step in &steps {
            play.step(step).await;
        }
        for recipe in ["dpo", "sft"] {
            n_rows += play.check(recipe, root.path()).await;
        }
    }

    assert!(n_rows > 10, "the histories say too little: {n_rows} rows");
}
