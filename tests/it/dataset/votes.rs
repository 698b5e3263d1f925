//! How votes are combined: ranked by Bradley and Terry, weighed by Dawid and Skene, and how much they disagree.

use afterword::dataset::{Noise, Panel, Survey, ask, harvest, harvest_by};
use afterword::domain::completion::Completion;
use afterword::domain::feedback::{Feedback, Outcome};
use afterword::domain::hash::ContentHash;
use afterword::domain::recipe::{Aggregate, Format, Options, Pairing};

use super::fixtures::{
    Case, answer, better, check, down, options, pairs_of, prefer, react, recipe, says, sft_of, summary, up, with,
};

/// Ranks by all votes, and keeps every pair that has a winner.
fn ranked() -> Options {
    options(|options| {
        options.aggregate = Aggregate::Bt;
        options.pairing = Pairing::All;
    })
}

fn weighed() -> Options {
    options(|options| options.aggregate = Aggregate::DawidSkene)
}

fn named(names: &str) -> Vec<Completion> {
    names.chars().map(|name| answer(&name.to_string())).collect()
}

/// Votes by as many users, each `left>right`, a tie `left=right`, or both bad `left!right`.
fn votes(list: &[&str]) -> Vec<Feedback> {
    let vote = |(n, vote): (usize, &&str)| {
        let outcome = match &vote[1..2] {
            ">" => Outcome::Better,
            "=" => Outcome::Tie,
            _ => Outcome::BothBad,
        };
        react(n as u64 + 1, &format!("u{n}"), &vote[..1], prefer(&vote[2..], outcome))
    };
    list.iter().enumerate().map(vote).collect()
}

#[test]
fn a_ranking_joins_votes_on_different_pairs() {
    let cases: Vec<Case> = vec![
        (
            "two that nobody compared are ranked by those between",
            named("abc"),
            votes(&["a>b", "b>c"]),
            ranked(),
            "a>b by preference, b>c by preference, a>c by preference",
        ),
        ("a circle ranks nobody above anybody", named("abc"), votes(&["a>b", "b>c", "c>a"]), ranked(), "3 tie"),
        (
            "a tie is half a vote for each",
            named("abc"),
            votes(&["a=b", "b>c", "a>c"]),
            ranked(),
            "b>c by preference, a>c by preference, 1 tie",
        ),
        (
            "a pair that most call bad is none",
            named("abc"),
            votes(&["a!b", "a!b", "a>b", "b>c"]),
            ranked(),
            "b>c by preference, a>c by preference, 1 both_bad",
        ),
        (
            "what no vote ties together is not compared",
            named("abcd"),
            votes(&["a>b", "c>d"]),
            ranked(),
            "a>b by preference, c>d by preference",
        ),
        (
            "two answers are a matter for the majority",
            named("ab"),
            votes(&["a>b", "a>b", "b>a"]),
            ranked(),
            "a>b by preference",
        ),
        (
            "nobody chose between the two, so that both must be selected",
            vec![answer("a"), answer("b"), with(answer("c"), |answer| answer.selected = false)],
            votes(&["a>b", "b>c"]),
            ranked(),
            "a>b by preference, b>c by preference, 1 not_selected",
        ),
        (
            "fewer votes than asked for",
            named("abc"),
            votes(&["a>b", "b>c"]),
            Options { min_votes: 2, ..ranked() },
            "3 too_few_votes",
        ),
        (
            "votes that were tied together once and are no more",
            named("abcd"),
            votes(&["a>b", "b>c", "c>d"])
                .into_iter()
                .chain([react(9, "u1", "b", prefer("c", Outcome::BothBad))])
                .collect(),
            ranked(),
            "a>b by preference, c>d by preference, 1 both_bad, 3 not_connected",
        ),
    ];

    check(cases, pairs_of);
}

#[test]
fn the_best_of_a_ranking_is_worth_imitating_and_what_is_between_is_not() {
    let rows = sft_of(&named("abc"), &votes(&["a>b", "b>c"]), &ranked());

    assert_eq!(summary(&rows), "a by preference_won, 1 not_endorsed, 1 won_and_lost");
}

#[test]
fn a_ranked_pair_names_the_votes_it_rests_on_and_how_sure_the_ranking_is() {
    let rows = pairs_of(&named("abc"), &votes(&["a>b", "b>c"]), &ranked());

    let row = |chosen: &str, rejected: &str| {
        let is_it = |row: &&afterword::dataset::example::Example| {
            row.chosen_id.as_str() == chosen && row.rejected_id.as_ref().is_some_and(|id| id.as_str() == rejected)
        };
        rows.examples.iter().find(is_it).unwrap()
    };
    let (direct, inferred) = (row("a", "b"), row("a", "c"));
    assert_eq!((direct.n_votes, direct.feedback_ids.len(), direct.voters.len()), (1, 1, 1));
    assert_eq!((inferred.n_votes, inferred.feedback_ids.len(), inferred.voters.len()), (1, 2, 2));
    // The strengths of the chain are 5.3033, 0 and -5.3033.
    assert!((direct.agreement - 1.0 / (1.0 + (-5.303_304_9_f64).exp())).abs() < 1e-6, "{}", direct.agreement);
    assert!((inferred.agreement - 1.0 / (1.0 + (-10.606_609_8_f64).exp())).abs() < 1e-6, "{}", inferred.agreement);
}

#[test]
fn later_votes_never_change_since_when_a_ranked_row_has_been_tied_to_its_keys() {
    let early = votes(&["a>b", "b>c"]);
    let more = votes(&["a>b", "b>c", "c>a", "c>b", "c>a", "b>a"]);
    let ties = |feedback: &[Feedback]| {
        let rows = pairs_of(&named("abc"), feedback, &ranked());
        let of_rows = rows.examples.iter().flat_map(|row| row.ties.clone());
        let mut ties: Vec<_> = of_rows.filter(|tie| tie.key == answer("a").prompt_hash).map(|tie| tie.at).collect();
        ties.sort();
        ties
    };

    let (before, after) = (ties(&early), ties(&more));

    assert_eq!((before.len(), before.first()), (3, after.first()));
}

#[test]
fn beyond_thirty_two_answers_the_first_ones_are_ranked() {
    let names: Vec<String> = (0..40).map(|n| format!("c{n:02}")).collect();
    let answers: Vec<Completion> = names.iter().map(|name| answer(name)).collect();
    let chain: Vec<Feedback> = names
        .windows(2)
        .enumerate()
        .map(|(n, two)| react(n as u64 + 1, &format!("u{n}"), &two[0], better(&two[1])))
        .collect();

    let rows = pairs_of(
        &answers,
        &chain,
        &options(|options| {
            options.aggregate = Aggregate::Bt;
            options.pairing = Pairing::All;
            options.max_pairs_per_prompt = 1_000;
        }),
    );

    assert_eq!((rows.examples.len(), rows.exclusions.0["too_many_answers"]), (32 * 31 / 2, 8));
    assert_eq!(rows.n_candidates, 32 * 31 / 2 + 8);
}

/// Two answers to each of `n` prompts, and the votes of users of whom `good` are always right and the others guess.
fn contested(n: usize) -> Vec<(Vec<Completion>, Vec<Feedback>)> {
    let of_prompt = |prompt: usize| {
        let answers: Vec<Completion> = ["a", "b"]
            .iter()
            .map(|name| {
                with(answer(&format!("{name}{prompt}")), |answer| {
                    answer.prompt = vec![says("user", &format!("Question {prompt}"))];
                    answer.prompt_hash = ContentHash::of_bytes("test", prompt.to_string().as_bytes());
                })
            })
            .collect();
        let a_is_better = prompt.is_multiple_of(2);
        // On the last prompt two of the reliable are outnumbered by the three who guess.
        let is_last = prompt + 1 == n;
        let voters: Vec<(&str, bool)> = [
            Some(("good1", a_is_better)),
            Some(("good2", a_is_better)),
            (!is_last).then_some(("good3", a_is_better)),
            Some(("guess1", if is_last { !a_is_better } else { prompt.is_multiple_of(3) })),
            Some(("guess2", if is_last { !a_is_better } else { prompt % 4 < 2 })),
            Some(("guess3", if is_last { !a_is_better } else { prompt % 7 < 3 })),
        ]
        .into_iter()
        .flatten()
        .collect();
        let (a, b) = (format!("a{prompt}"), format!("b{prompt}"));
        let vote = |(nth, (user, for_a)): (usize, (&str, bool))| {
            let (winner, loser) = if for_a { (&a, &b) } else { (&b, &a) };
            react((prompt * 10 + nth) as u64 + 1, user, winner, better(loser))
        };
        let feedback = voters.into_iter().enumerate().map(vote).collect();
        (answers, feedback)
    };
    (0..n).map(of_prompt).collect()
}

fn panel(prompts: &[(Vec<Completion>, Vec<Feedback>)], options: &Options) -> Panel {
    let mut survey = Survey::default();
    for (answers, feedback) in prompts {
        ask(&mut survey, answers, feedback, &recipe(Format::Preference, options.clone()));
    }
    survey.finish()
}

#[test]
fn two_reliable_users_outweigh_three_who_guess() {
    let prompts = contested(40);
    let panel = panel(&prompts, &weighed());
    let (answers, feedback) = &prompts[39];
    let recipe = recipe(Format::Preference, weighed());

    let counted = pairs_of(answers, feedback, &Options::default());
    let believed = harvest_by(Some(&panel), answers, feedback, &recipe);

    // Three of five are 60%, which is no majority that is asked for; the reliable say that b is better.
    assert_eq!(summary(&counted), "1 votes_disagree");
    let rows: Vec<_> = believed.crops.values().flat_map(|crop| &crop.examples).collect();
    assert_eq!((rows.len(), rows[0].chosen_id.as_str(), rows[0].n_votes), (1, "b39", 5));
    assert!(rows[0].agreement > 0.9, "{}", rows[0].agreement);
    assert_eq!((panel.pairs().n_items, panel.pairs().n_voters()), (40, 6));
    let [low, _, high] = panel.pairs().quartiles().unwrap();
    assert!(low < 0.7 && high > 0.9, "{low} {high}");
}

#[test]
fn without_three_votes_nobody_can_tell_who_is_right() {
    let prompts = contested(40);
    let panel = panel(&prompts, &weighed());
    let recipe = recipe(Format::Preference, weighed());
    let answers = named("ab");

    let two = harvest_by(Some(&panel), &answers, &votes(&["a>b", "a>b"]), &recipe);
    let tied = harvest_by(Some(&panel), &answers, &votes(&["a=b", "a=b", "a>b"]), &recipe);
    let strangers = harvest_by(Some(&panel), &answers, &votes(&["a>b", "a>b", "a>b"]), &recipe);

    let reasons = |harvest: &afterword::dataset::Harvest| {
        harvest.crops.values().flat_map(|crop| crop.exclusions.0.keys().copied()).collect::<Vec<_>>()
    };
    assert_eq!(reasons(&two), ["too_few_overlapping_votes"]);
    assert_eq!(reasons(&tied), ["tie"]);
    assert_eq!(reasons(&strangers), Vec::<&str>::new(), "three who are not known are believed a little");
}

#[test]
fn a_verdict_that_turns_with_reliability_leaves_what_ties_the_row_as_it_was() {
    let prompts = contested(40);
    let (answers, feedback) = &prompts[39];
    let recipe = recipe(Format::Preference, weighed());
    let ties = |panel: Option<&Panel>| {
        let harvest = harvest_by(panel, answers, feedback, &recipe);
        let crop = harvest.crops.into_values().next().unwrap();
        (crop.examples.into_iter().map(|row| row.ties).collect::<Vec<_>>(), crop.former.len())
    };
    let few = panel(&prompts[39..], &weighed());

    let (with_all, with_few) = (ties(Some(&panel(&prompts, &weighed()))), ties(Some(&few)));

    assert_eq!((with_all.0.len() + with_all.1, with_few.0.len() + with_few.1), (1, 1));
    if let (Some(one), Some(other)) = (with_all.0.first(), with_few.0.first()) {
        assert_eq!(one, other);
    }
}

#[test]
fn disagreement_is_counted_over_known_users_and_over_contested_things_too() {
    let noise = |feedback: &[Feedback]| -> Noise {
        harvest(&named("abc"), feedback, &recipe(Format::Preference, Options::default())).noise
    };

    let contested = noise(&votes(&["a>b", "b>a", "a>c", "a>c"]));
    let unknown = noise(&[react(1, "", "a", better("b")), react(2, "", "b", better("a"))]);

    assert_eq!((contested.pairs.n_items(), contested.pairs.rate()), (2, Some(0.5)));
    assert_eq!(unknown.pairs.n_items(), 0);
    let labels = harvest(
        &named("a"),
        &[react(1, "u", "a", up()), react(2, "v", "a", down()), react(3, "u", "a", down())],
        &recipe(Format::Unpaired, Options::default()),
    );
    assert_eq!((labels.noise.labels.n_items(), labels.noise.labels.rate()), (1, Some(0.0)), "the last word counts");
}

#[test]
fn answers_that_somebody_said_something_about_are_known_as_heard() {
    let feedback = [
        react(1, "u", "d", better("a")),
        react(2, "u", "b", afterword::domain::feedback::Reaction::Impression),
        react(3, "u", "c", up()),
    ];

    let heard = harvest(&named("dcba"), &feedback, &recipe(Format::Preference, Options::default())).heard;

    let names: Vec<&str> = heard.iter().map(afterword::domain::ids::CompletionId::as_str).collect();
    assert_eq!(names, ["a", "c", "d"]);
}
