//! Answers, reactions and recipes in as few words as a table needs.

use afterword::dataset::example::{Example, Exclusions, RowKind};
use afterword::dataset::{Crop, Harvest, PlanKey, harvest};
use afterword::domain::clock::Timestamp;
use afterword::domain::completion::{Completion, Message, NewCompletion};
use afterword::domain::feedback::{Feedback, Outcome, Points, Reaction, ShownFirst, Thumb};
use afterword::domain::hash::ContentHash;
use afterword::domain::ids::{CompletionId, ConversationId, FeedbackId, UserId};
use afterword::domain::json::Json;
use afterword::domain::principal::Trust;
use afterword::domain::recipe::{Format, Formats, Layout, Options, Recipe};
use afterword::domain::selection::Selection;
use uuid::Uuid;

pub(super) fn at(minute: i64) -> Timestamp {
    Timestamp::from_timestamp(1_780_000_000 + 60 * minute, 0).unwrap()
}

pub(super) fn message(text: &str) -> Message {
    Message::from_stored(Json::parse(text.as_bytes()).unwrap()).unwrap()
}

pub(super) fn says(role: &str, content: &str) -> Message {
    message(&serde_json::json!({"role": role, "content": content}).to_string())
}

pub(super) fn id(text: &str) -> CompletionId {
    CompletionId::parse(text).unwrap()
}

/// An answer that every default lets through; its text is as distinct as its id.
pub(super) fn answer(name: &str) -> Completion {
    Completion {
        id: id(name),
        prompt_hash: ContentHash::of_bytes("test", b"prompt"),
        model: "model-1".to_owned(),
        prompt: vec![says("system", "Be brief."), says("user", "Which rivers cross the city?")],
        response: says("assistant", &format!("The answer called {name} names two rivers.")),
        has_tools: false,
        tools: None,
        finish_reason: Some("stop".to_owned()),
        conversation_id: None,
        parent_completion_id: None,
        user: None,
        language: Some("en".to_owned()),
        experiment: None,
        n_response_bytes: 100,
        consent_training: Some(true),
        is_consent_presumed: false,
        selected: true,
        received_at: at(0),
    }
}

/// An answer as ingest takes it and reading gives it back, with the hash of its prompt.
pub(super) fn stored(value: &serde_json::Value) -> Completion {
    let new = NewCompletion::from_json(Json::parse(value.to_string().as_bytes()).unwrap(), "").unwrap();
    Completion {
        id: new.id,
        prompt_hash: new.prompt_hash,
        model: new.model,
        prompt: new.prompt,
        response: new.response,
        has_tools: new.tools.is_some(),
        tools: new.tools.map(|tools| tools.to_text()),
        finish_reason: new.finish_reason,
        conversation_id: new.conversation_id,
        parent_completion_id: new.parent_completion_id,
        user: new.user,
        language: new.language,
        experiment: new.experiment,
        n_response_bytes: 100,
        consent_training: new.consent_training,
        is_consent_presumed: false,
        selected: true,
        received_at: at(0),
    }
}

pub(super) fn two() -> Vec<Completion> {
    vec![answer("a"), answer("b")]
}

pub(super) fn options(change: impl FnOnce(&mut Options)) -> Options {
    let mut options = Options::default();
    change(&mut options);
    options
}

pub(super) fn with(mut completion: Completion, change: impl FnOnce(&mut Completion)) -> Completion {
    change(&mut completion);
    completion
}

/// The `n`th item: by a user, or by nobody where the name is empty, `n` minutes after the answers came.
pub(super) fn react(n: u64, user: &str, completion: &str, reaction: Reaction) -> Feedback {
    let minute = i64::try_from(n).unwrap();
    Feedback {
        id: FeedbackId(Uuid::from_u128(u128::from(n))),
        completion_id: id(completion),
        reaction,
        trust: Trust::Verified,
        granted: None,
        user: (!user.is_empty()).then(|| UserId::parse(user).unwrap()),
        session_id: None,
        seq: None,
        supersedes: None,
        effective_at: at(minute),
        received_at: at(minute),
    }
}

pub(super) fn changed(mut feedback: Feedback, change: impl FnOnce(&mut Feedback)) -> Feedback {
    change(&mut feedback);
    feedback
}

pub(super) fn up() -> Reaction {
    thumb(Thumb::Up)
}

pub(super) fn down() -> Reaction {
    thumb(Thumb::Down)
}

pub(super) fn thumb(value: Thumb) -> Reaction {
    Reaction::Thumb { value, reasons: Vec::new(), comment: None }
}

pub(super) fn prefer(against: &str, outcome: Outcome) -> Reaction {
    Reaction::Preference { against: id(against), outcome, strength: None, shown_first: ShownFirst::Unknown }
}

pub(super) fn better(against: &str) -> Reaction {
    prefer(against, Outcome::Better)
}

pub(super) fn rate(value: f64) -> Reaction {
    Reaction::Rating { value, points: None }
}

pub(super) fn stars(score: f64) -> Reaction {
    Reaction::Rating { value: (score - 1.0) / 4.0, points: Some(Points { score, min: 1.0, max: 5.0 }) }
}

pub(super) fn edit(text: &str) -> Reaction {
    Reaction::Edit { text: text.to_owned(), accepted: true, truncated: false }
}

pub(super) fn regenerate(next: Option<&str>, reason: Option<&str>) -> Reaction {
    Reaction::Regenerate { next_completion_id: next.map(id), reason: reason.map(str::to_owned) }
}

pub(super) fn copy() -> Reaction {
    Reaction::Copy { n_chars: None, n_total_chars: None, method: None, contains_code: None }
}

pub(super) fn conversation(name: &str) -> ConversationId {
    ConversationId::parse(name).unwrap()
}

pub(super) fn recipe(format: Format, options: Options) -> Recipe {
    Recipe { formats: Formats::of(format), layout: Layout::Trl, selection: Selection::default(), options }
}

/// What one format gets, with the feedback that was not counted.
pub(super) struct Yield {
    pub(super) examples: Vec<Example>,
    pub(super) exclusions: Exclusions,
    pub(super) former: Vec<PlanKey>,
    pub(super) n_candidates: u64,
    pub(super) feedback_left_out: Exclusions,
}

/// Harvests for the only format of a recipe.
pub(super) fn yield_of(completions: &[Completion], feedback: &[Feedback], recipe: &Recipe) -> Yield {
    let Harvest { mut crops, funnel, .. } = harvest(completions, feedback, recipe);
    let kind = RowKind::of(recipe.formats.only().unwrap());
    let Crop { n_candidates, examples, exclusions, former } = crops.remove(&kind).unwrap();
    assert!(crops.is_empty());
    Yield { examples, exclusions, former, n_candidates, feedback_left_out: funnel.feedback_left_out }
}

pub(super) fn pairs_of(completions: &[Completion], feedback: &[Feedback], options: &Options) -> Yield {
    yield_of(completions, feedback, &recipe(Format::Preference, options.clone()))
}

pub(super) fn sft_of(completions: &[Completion], feedback: &[Feedback], options: &Options) -> Yield {
    yield_of(completions, feedback, &recipe(Format::Sft, options.clone()))
}

/// Harvests the ties that stand beside pairs.
pub(super) fn ties_of(completions: &[Completion], feedback: &[Feedback], options: &Options) -> Yield {
    let Harvest { mut crops, funnel, .. } =
        harvest(completions, feedback, &recipe(Format::Preference, options.clone()));
    let Crop { n_candidates, examples, exclusions, former } = crops.remove(&RowKind::Tie).unwrap();
    Yield { examples, exclusions, former, n_candidates, feedback_left_out: funnel.feedback_left_out }
}

pub(super) fn labelled_of(completions: &[Completion], feedback: &[Feedback], options: &Options) -> Yield {
    yield_of(completions, feedback, &recipe(Format::Unpaired, options.clone()))
}

pub(super) fn prompts_of(completions: &[Completion], feedback: &[Feedback], options: &Options) -> Yield {
    yield_of(completions, feedback, &recipe(Format::Prompts, options.clone()))
}

/// Says what came out in one line: rows as `chosen>rejected by rule`, then what was left out.
pub(super) fn summary(harvest: &Yield) -> String {
    let row = |example: &Example| {
        let rejected = example.rejected_id.as_ref().map_or(String::new(), |id| format!(">{}", id.as_str()));
        let label = example.body.label().map_or("", |label| if label { " good" } else { " bad" });
        format!("{}{rejected}{label} by {}", example.chosen_id.as_str(), example.rule)
    };
    let rows = harvest.examples.iter().map(row);
    let reasons = harvest.exclusions.0.iter().map(|(reason, n)| format!("{n} {reason}"));
    rows.chain(reasons).collect::<Vec<_>>().join(", ")
}

/// A row of a table: a name, the answers, the feedback, the options, and the summary that is expected.
pub(super) type Case = (&'static str, Vec<Completion>, Vec<Feedback>, Options, &'static str);

pub(super) fn check(cases: Vec<Case>, of: fn(&[Completion], &[Feedback], &Options) -> Yield) {
    for (name, completions, feedback, options, expected) in cases {
        let harvest = of(&completions, &feedback, &options);
        assert_eq!(summary(&harvest), expected, "{name}");
        let n_made = harvest.examples.len() as u64 + harvest.exclusions.total();
        assert_eq!(harvest.n_candidates, n_made, "{name}");
    }
}
