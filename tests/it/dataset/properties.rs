//! What holds for any feedback whatsoever.

use std::collections::{BTreeMap, HashMap};

use afterword::dataset::example::{Example, Exclusions, RowKind, Split};
use afterword::dataset::exclusion::{FEEDBACK_REASONS, REASONS};
use afterword::dataset::minhash::Sketcher;
use afterword::dataset::{Harvest, Plan, PlanKey, Planner, harvest, prompt_signature};
use afterword::domain::completion::Completion;
use afterword::domain::feedback::{Feedback, Outcome, Reaction, ShownFirst, Thumb};
use afterword::domain::hash::ContentHash;
use afterword::domain::ids::UserId;
use afterword::domain::principal::Trust;
use afterword::domain::recipe::{
    Aggregate, Comments, Consent, Dedup, EFFECTS, FinishReason, Format, Formats, ImplicitPositive, KtoBalance,
    LengthRule, Margin, MinSignal, Options, PairScope, Pairing, Policy, Recipe, RegenerateRule, Ties, Weights,
};
use proptest::prelude::*;

use super::fixtures::{
    answer, at, changed, conversation, copy, id, rate, react, recipe, regenerate, says, stars, thumb, with,
};

/// All answers to a few prompts with all feedback on them.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) completions: Vec<Completion>,
    pub(super) feedback: Vec<Feedback>,
}

const N_PROMPTS: usize = 4;
const N_ANSWERS: usize = 3;

/// Two of the prompts are one text but for white space, two others but for one word in ninety.
fn asks(prompt: usize) -> String {
    let long =
        |word: &str| (0..90).map(|n| if n == 40 { word.to_owned() } else { format!("w{n}") }).collect::<Vec<_>>();
    match prompt {
        0 => "What is it?".to_owned(),
        1 => "What  is it?".to_owned(),
        2 => long("rivers").join(" "),
        _ => long("lakes").join(" "),
    }
}

pub(super) fn name(prompt: usize, nth: usize) -> String {
    format!("p{prompt}-{nth}")
}

prop_compose! {
    fn any_completion(prompt: usize, nth: usize)(
        conversation_of in prop::option::of(0..3_u8),
        user in prop::option::of(0..5_u8),
        minute in 0..40_i64,
        parent in prop::option::weighted(0.3, 0..N_ANSWERS),
        text in prop::option::weighted(0.2, 0..2_u8),
        stop in prop::bool::weighted(0.95),
        consent in prop::bool::weighted(0.95),
        selected in prop::bool::weighted(0.9),
    ) -> Completion {
        with(answer(&name(prompt, nth)), |it| {
            let asks = asks(prompt);
            it.prompt = vec![says("user", &asks)];
            it.prompt_hash = ContentHash::of_bytes("test", asks.as_bytes());
            it.conversation_id = conversation_of.map(|n| conversation(&format!("c{n}")));
            it.user = user.map(|n| UserId::parse(&format!("u{n}")).unwrap());
            it.received_at = at(minute);
            it.parent_completion_id = parent.filter(|other| *other != nth).map(|other| id(&name(prompt, other)));
            if let Some(text) = text {
                it.response = says("assistant", &format!("A common answer, number {text}."));
            }
            it.finish_reason = Some(if stop { "stop" } else { "length" }.to_owned());
            it.consent_training = consent.then_some(true);
            it.selected = selected;
        })
    }
}

fn any_reaction(prompt: usize) -> impl Strategy<Value = Reaction> {
    let other = (0..N_ANSWERS + 1).prop_map(move |nth| name(prompt, nth));
    let outcome =
        prop::sample::select(vec![Outcome::Better, Outcome::Better, Outcome::Worse, Outcome::Tie, Outcome::BothBad]);
    let shown = prop::sample::select(vec![ShownFirst::This, ShownFirst::Against, ShownFirst::Unknown]);
    prop_oneof![
        4 => (other.clone(), outcome, shown).prop_map(|(against, outcome, shown_first)| Reaction::Preference {
            against: id(&against), outcome, strength: None, shown_first,
        }),
        4 => prop::sample::select(vec![Thumb::Up, Thumb::Down, Thumb::None]).prop_map(thumb),
        2 => (1..=5_u8).prop_map(|score| stars(f64::from(score))),
        1 => (0..=4_u8).prop_map(|quarters| rate(f64::from(quarters) / 4.0)),
        2 => (0..N_ANSWERS, any::<bool>(), prop::bool::weighted(0.1)).prop_map(move |(nth, accepted, truncated)| {
            let text = format!("The answer called {} names three rivers.", name(prompt, nth));
            Reaction::Edit { text, accepted, truncated }
        }),
        2 => (prop::option::of(other), prop::option::weighted(0.2, Just("error")))
            .prop_map(|(next, reason)| regenerate(next.as_deref(), reason)),
        1 => Just(copy()),
        1 => Just(Reaction::Impression),
    ]
}

prop_compose! {
    fn any_feedback(n: u64)(prompt in 0..N_PROMPTS)(
        reaction in any_reaction(prompt),
        nth in 0..N_ANSWERS,
        prompt in Just(prompt),
        user in prop::option::weighted(0.9, 0..5_u8),
        received in 0..40_i64,
        delay in 0..10_i64,
        verified in prop::bool::weighted(0.9),
        supersedes in prop::option::weighted(0.2, 0..30_u64),
    ) -> Feedback {
        let user = user.map(|user| format!("u{user}")).unwrap_or_default();
        // An item cannot be compared with itself, as the door asserts.
        let nth = match &reaction {
            Reaction::Preference { against, .. } if against.as_str() == name(prompt, nth) => (nth + 1) % N_ANSWERS,
            _ => nth,
        };
        changed(react(n, &user, &name(prompt, nth), reaction), |item| {
            item.received_at = at(received);
            item.effective_at = at(received - delay);
            item.trust = if verified { Trust::Verified } else { Trust::Unverified };
            item.supersedes = supersedes.filter(|other| *other != n).map(|other| react(other, "", "x", copy()).id);
        })
    }
}

prop_compose! {
    pub(super) fn any_world()(
        completions in (0..N_PROMPTS * N_ANSWERS)
            .map(|n| any_completion(n / N_ANSWERS, n % N_ANSWERS).boxed())
            .collect::<Vec<_>>(),
        feedback in (0..30_u64).map(|n| any_feedback(n).boxed()).collect::<Vec<_>>(),
    ) -> World {
        World { completions, feedback }
    }
}

pub(super) fn any_recipe() -> impl Strategy<Value = Recipe> {
    let more = (prop::sample::select(Pairing::WORDS), 1..=3_i64, any::<bool>(), any::<bool>(), any::<bool>());
    let aggregates = prop::sample::select(&[Aggregate::Majority, Aggregate::Bt][..]);
    let picks = (aggregates, 0..=3_i64, prop::sample::select(Weights::WORDS), prop::sample::select(LengthRule::WORDS));
    let formats = prop::sample::subsequence(Format::WORDS, 1..=Format::WORDS.len());
    let dedup = prop::sample::select(vec![Dedup::Exact, Dedup::Near, Dedup::Off]);
    (formats, any::<bool>(), any::<bool>(), 1..=2_i64, dedup, more, picks).prop_map(
        |(formats, prompt_scope, implicit, min_votes, dedup, (pairing, max_pairs, ties, used, downsample), picks)| {
            let (aggregate, max_rows_per_user, weights, length) = picks;
            let options = Options {
                aggregate,
                max_rows_per_user,
                weights: weights.1,
                length: length.1,
                recency_half_life_days: 0.01,
                pair_scope: if prompt_scope { PairScope::Prompt } else { PairScope::User },
                sft_min_signal: if implicit { MinSignal::Implicit } else { MinSignal::Explicit },
                min_votes,
                pairing: pairing.1,
                max_pairs_per_prompt: max_pairs,
                ties: if ties { Ties::SideFile } else { Ties::Drop },
                implicit_positive: if used { ImplicitPositive::On } else { ImplicitPositive::Off },
                kto_balance: if downsample { KtoBalance::Downsample } else { KtoBalance::Report },
                dedup,
                validation_share: 0.3,
                test_share: 0.3,
                ..Options::default()
            };
            let formats = Formats::of_several(formats.into_iter().map(|(_, format)| format).collect()).unwrap();
            Recipe { formats, ..recipe(Format::Sft, options) }
        },
    )
}

/// Harvests every prompt of a world and plans the whole, as an export does.
pub(super) fn export(world: &World, recipe: &Recipe) -> (Vec<Harvest>, Vec<Example>, Plan) {
    let mut by_prompt: BTreeMap<ContentHash, Vec<Completion>> = BTreeMap::new();
    for completion in &world.completions {
        by_prompt.entry(completion.prompt_hash).or_default().push(completion.clone());
    }
    let harvests: Vec<Harvest> = by_prompt
        .values()
        .map(|completions| {
            let of_prompt = |item: &&Feedback| completions.iter().any(|it| it.id == item.completion_id);
            let feedback: Vec<Feedback> = world.feedback.iter().filter(of_prompt).cloned().collect();
            harvest(completions, &feedback, recipe)
        })
        .collect();
    let crops = || harvests.iter().flat_map(|harvest| harvest.crops.values());
    let examples: Vec<Example> = crops().flat_map(|crop| crop.examples.clone()).collect();
    let mut planner = Planner::new(&recipe.options);
    let mut sketcher = Sketcher::new(&recipe.options.split_salt);
    for (prompt_hash, completions) in &by_prompt {
        planner.describe_prompt(*prompt_hash, prompt_signature(&completions[0].prompt, &mut sketcher));
    }
    for crop in crops() {
        crop.examples.iter().for_each(|example| planner.add(PlanKey::of(example).signed(example, &mut sketcher)));
        crop.former.iter().for_each(|key| planner.add_former(key.clone()));
    }
    let plan = planner.plan();
    (harvests, examples, plan)
}

fn until(world: &World, minute: i64) -> World {
    World {
        completions: world.completions.iter().filter(|it| it.received_at <= at(minute)).cloned().collect(),
        feedback: world.feedback.iter().filter(|it| it.received_at <= at(minute)).cloned().collect(),
    }
}

fn splits_of(examples: &[Example], plan: &Plan) -> HashMap<ContentHash, Split> {
    plan.placements.iter().map(|row| (examples[row.index].row_id, row.split)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn what_goes_in_is_an_example_or_is_counted(world in any_world(), recipe in any_recipe()) {
        let (harvests, examples, plan) = export(&world, &recipe);

        for harvest in &harvests {
            prop_assert!(harvest.funnel.feedback_left_out.total() <= harvest.funnel.n_feedback);
            let known = |reasons: &[(&str, &str)], counted: &Exclusions| {
                counted.0.keys().all(|reason| reasons.iter().any(|(word, _)| word == reason))
            };
            for (kind, crop) in &harvest.crops {
                prop_assert_eq!(crop.n_candidates, crop.examples.len() as u64 + crop.exclusions.total());
                prop_assert!(crop.examples.iter().all(|example| example.body.kind() == *kind));
                prop_assert!(known(REASONS, &crop.exclusions));
            }
            let asked_for = RowKind::asked_for(&recipe);
            prop_assert!(harvest.crops.keys().all(|kind| asked_for.contains(kind)));
            prop_assert!(known(FEEDBACK_REASONS, &harvest.funnel.feedback_left_out));
        }
        let n_excluded: u64 = plan.exclusions.values().map(Exclusions::total).sum();
        prop_assert!(plan.placements.iter().all(|row| examples[row.index].body.kind() == row.kind));
        prop_assert_eq!(examples.len() as u64, plan.placements.len() as u64 + n_excluded);
        let names: std::collections::BTreeSet<ContentHash> = examples.iter().map(|example| example.row_id).collect();
        prop_assert_eq!(names.len(), examples.len());
    }

    #[test]
    fn the_order_of_the_input_changes_nothing(
        (world, shuffled) in any_world().prop_flat_map(|world| {
            let completions = Just(world.completions.clone()).prop_shuffle();
            let feedback = Just(world.feedback.clone()).prop_shuffle();
            (Just(world), (completions, feedback).prop_map(|(completions, feedback)| World { completions, feedback }))
        }),
        recipe in any_recipe(),
    ) {
        let (left, left_examples, left_plan) = export(&world, &recipe);
        let (right, right_examples, right_plan) = export(&shuffled, &recipe);

        prop_assert_eq!(left, right);
        prop_assert_eq!(&left_plan, &right_plan);
        prop_assert_eq!(&left_examples, &right_examples);
        let mut backwards = Planner::new(&recipe.options);
        for example in left_examples.iter().rev() {
            backwards.add(PlanKey::of(example));
        }
        let mut forwards = Planner::new(&recipe.options);
        for example in &left_examples {
            forwards.add(PlanKey::of(example));
        }
        let turned: Vec<_> = backwards.plan().placements.iter().map(|row| (left_examples.len() - 1 - row.index, row.split, row.group)).collect();
        let straight: Vec<_> = forwards.plan().placements.iter().map(|row| (row.index, row.split, row.group)).collect();
        prop_assert_eq!(turned, straight);
    }

    #[test]
    fn no_prompt_conversation_or_user_is_in_two_splits(world in any_world(), recipe in any_recipe()) {
        let (_, examples, plan) = export(&world, &recipe);

        let mut seen: HashMap<String, Split> = HashMap::new();
        for row in &plan.placements {
            let example = &examples[row.index];
            let nth = (0..N_PROMPTS).find(|n| example.body.prompt()[0].content == asks(*n)).unwrap();
            let keys = [format!("prompts {}", nth / 2)]
                .into_iter()
                .chain(example.conversations.iter().map(|it| format!("conversation {}", it.as_str())))
                .chain(example.users.iter().map(|it| format!("user {}", it.as_str())));
            for key in keys {
                prop_assert_eq!(*seen.entry(key).or_insert(row.split), row.split);
            }
        }
        let mut groups: HashMap<ContentHash, Split> = HashMap::new();
        for row in &plan.placements {
            prop_assert_eq!(*groups.entry(row.group).or_insert(row.split), row.split);
        }
        prop_assert_eq!(groups.len() as u64, plan.n_groups);
    }

    #[test]
    fn what_arrives_later_never_moves_an_old_row(world in any_world(), recipe in any_recipe(), minute in 0..40_i64) {
        let before = until(&world, minute);
        let (_, old_examples, old_plan) = export(&before, &recipe);
        let (_, new_examples, new_plan) = export(&world, &recipe);

        let new_splits = splits_of(&new_examples, &new_plan);
        for (row_id, split) in splits_of(&old_examples, &old_plan) {
            prop_assert!(new_splits.get(&row_id).is_none_or(|new| *new == split));
        }
        // Whatever the new export has from before is what the old one had: everything else is appended.
        for example in new_examples.iter().filter(|example| example.created_at <= at(minute)) {
            let old = old_examples.iter().find(|old| old.row_id == example.row_id);
            prop_assert_eq!(old.map(|old| old.created_at), Some(example.created_at));
        }
        for example in new_examples.iter().filter(|example| example.created_at > at(minute)) {
            let old = old_examples.iter().find(|old| old.row_id == example.row_id);
            prop_assert!(old.is_none_or(|old| old.created_at < example.created_at));
        }
        // What is picked among all rows depends on all of them: which of them stay may change, where they lie may not.
        let picks = recipe.options.max_rows_per_user > 0
            || recipe.options.weights == Weights::Resample
            || recipe.options.length == LengthRule::Match;
        if recipe.options.dedup == Dedup::Off && recipe.options.kto_balance == KtoBalance::Report && !picks {
            let old_splits = splits_of(&old_examples, &old_plan);
            for row in &new_plan.placements {
                let example = &new_examples[row.index];
                if example.created_at <= at(minute) {
                    prop_assert!(old_splits.contains_key(&example.row_id));
                }
            }
        }
    }
}

/// An option and what sets it to something else than its default.
type Change = (&'static str, fn(&mut Options));

/// The options that are looked at where rows are made; what plans, screens and writes is elsewhere.
const CHANGES: &[Change] = &[
    ("min_votes", |options| options.min_votes = 2),
    ("min_agreement", |options| options.min_agreement = 1.0),
    ("aggregate", |options| options.aggregate = Aggregate::Bt),
    ("pair_scope", |options| options.pair_scope = PairScope::Prompt),
    ("rating_min_points", |options| options.rating_min_points = 3.0),
    ("rating_min_difference", |options| options.rating_min_difference = 0.9),
    ("rating_good", |options| options.rating_good = 1.0),
    ("edit_min_distance", |options| options.edit_min_distance = 0.5),
    ("edit_max_distance", |options| options.edit_max_distance = 0.03),
    ("regenerate", |options| options.regenerate = RegenerateRule::Off),
    ("sft_min_signal", |options| options.sft_min_signal = MinSignal::Implicit),
    ("implicit_positive", |options| options.implicit_positive = ImplicitPositive::On),
    ("comments", |options| options.comments = Comments::LeaveOut),
    ("ties", |options| options.ties = Ties::SideFile),
    ("pairing", |options| options.pairing = Pairing::All),
    ("max_pairs_per_prompt", |options| options.max_pairs_per_prompt = 1),
    ("margin", |options| options.margin = Margin::Strength),
    ("policy", |options| options.policy = Policy::SameModel),
    ("target_model", |options| "none".clone_into(&mut options.target_model)),
    ("consent", |options| options.consent = Consent::Ignore),
    ("finish_reason", |options| options.finish_reason = FinishReason::Any),
    ("max_chars", |options| options.max_chars = 60),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn an_option_that_is_refused_for_having_no_effect_has_none(world in any_world()) {
        for (word, format) in Format::WORDS {
            let default = export(&world, &recipe(*format, Options::default())).0;
            for (option, change) in CHANGES {
                let effect = EFFECTS.iter().find(|effect| effect.option == *option).unwrap();
                if !effect.formats.contains(format) {
                    let mut options = Options::default();
                    change(&mut options);
                    prop_assert_eq!(&export(&world, &recipe(*format, options)).0, &default, "{} under {}", option, word);
                }
            }
        }
    }
}
