//! What users wrote about the answers of a row: whose words leave, about which answer, and that nothing else depends on them.

use std::collections::BTreeMap;

use afterword::dataset::Harvest;
use afterword::dataset::decontaminate::Benchmarks;
use afterword::dataset::example::{Body, Example, Exclusions};
use afterword::dataset::exclusion::NO_EVIDENCE;
use afterword::dataset::feedback_text::{FeedbackText, MAX_COMMENTS, SEPARATOR};
use afterword::dataset::screen::Screen;
use afterword::domain::feedback::{Feedback, Outcome, Reaction, Thumb};
use afterword::domain::principal::Trust;
use afterword::domain::recipe::{Comments, Format, Options, Ties};
use proptest::prelude::*;

use super::fixtures::{
    at, better, changed, down, edit, labelled_of, options, pairs_of, prefer, prompts_of, react, recipe, sft_of, thumb,
    ties_of, two, up, yield_of,
};
use super::properties::{World, any_recipe, any_world, export, name};

fn says(text: &str) -> Reaction {
    Reaction::Comment { text: text.to_owned() }
}

fn thumb_that_says(value: Thumb, text: &str) -> Reaction {
    Reaction::Thumb { value, reasons: Vec::new(), comment: Some(text.to_owned()) }
}

fn superseding(item: Feedback, other: &Feedback) -> Feedback {
    changed(item, |item| item.supersedes = Some(other.id))
}

/// What is written about the better and the worse answer of the only pair, `a` over `b`, and by whom.
fn written(mut feedback: Vec<Feedback>) -> (String, String, Vec<String>) {
    feedback.push(react(0, "voter", "a", better("b")));
    let examples = pairs_of(&two(), &feedback, &Options::default()).examples;
    let [Example { feedback_text: FeedbackText { better, worse, writers }, .. }] = examples.as_slice() else {
        panic!("one pair, not {examples:?}");
    };
    (better.clone(), worse.clone(), writers.iter().map(|user| user.as_str().to_owned()).collect())
}

/// What a case is about, what was said, the words beside the better and the worse answer, and who wrote them.
type Case = (&'static str, Vec<Feedback>, &'static str, &'static str, &'static [&'static str]);

#[test]
fn a_users_last_words_about_an_answer_stand_beside_it() {
    let said = |n, user, about, text| react(n, user, about, says(text));
    let unverified = |item| changed(item, |item: &mut Feedback| item.trust = Trust::Unverified);
    let first = said(1, "u", "a", "one");
    let cases: Vec<Case> = vec![
        ("nobody wrote", vec![], "", "", &[]),
        (
            "about either",
            vec![said(2, "v", "b", "too long"), said(1, "u", "a", "good")],
            "good",
            "too long",
            &["u", "v"],
        ),
        ("changed", vec![first.clone(), said(2, "u", "a", "two")], "two", "", &["u"]),
        ("retracted", vec![first.clone(), superseding(react(2, "u", "a", thumb(Thumb::None)), &first)], "", "", &[]),
        (
            "retracted by another",
            vec![first.clone(), superseding(said(2, "v", "a", "x"), &first)],
            "one\n---\nx",
            "",
            &["u", "v"],
        ),
        ("retracted elsewhere", vec![first.clone(), superseding(said(2, "u", "b", "x"), &first)], "one", "x", &["u"]),
        ("unverified", vec![unverified(first.clone()), said(2, "v", "a", "two")], "two", "", &["v"]),
        ("replaced by none", vec![first.clone(), unverified(said(2, "u", "a", "two"))], "one", "", &["u"]),
        ("blank", vec![said(1, "u", "a", " \n"), said(2, "v", "a", "\t two \r\n")], "two", "", &["v"]),
        ("a blank one replaces", vec![first.clone(), said(2, "u", "a", " ")], "", "", &[]),
        ("nobody known", vec![said(1, "", "a", "one"), said(2, "", "a", "two")], "one\n---\ntwo", "", &[]),
        (
            "with a thumb",
            vec![first.clone(), react(2, "u", "a", thumb_that_says(Thumb::Up, "two"))],
            "one\n---\ntwo",
            "",
            &["u"],
        ),
        (
            "with a thumb that was replaced",
            vec![react(1, "u", "a", thumb_that_says(Thumb::Up, "one")), react(2, "u", "a", up())],
            "",
            "",
            &[],
        ),
        ("about neither", vec![said(1, "u", "c", "one")], "", "", &[]),
    ];
    for (what, feedback, better, worse, writers) in cases {
        let backwards = feedback.iter().rev().cloned().collect();
        let expected =
            (better.to_owned(), worse.to_owned(), writers.iter().map(|user| (*user).to_owned()).collect::<Vec<_>>());

        assert_eq!(written(feedback), expected, "{what}");
        assert_eq!(written(backwards), expected, "{what}, whatever the order of the input");
    }
    assert_eq!(SEPARATOR, "\n---\n");
}

#[test]
fn of_very_many_comments_the_latest_leave() {
    let n_comments = MAX_COMMENTS as u64 + 5;
    let feedback = (1..=n_comments).map(|n| react(n, &format!("u{n:02}"), "a", says(&n.to_string()))).collect();

    let (text, _, writers) = written(feedback);

    let expected: Vec<String> = (6..=n_comments).map(|n| n.to_string()).collect();
    assert_eq!(text, expected.join(SEPARATOR));
    assert_eq!((writers.len(), writers[0].as_str()), (MAX_COMMENTS, "u06"), "who is not quoted holds nothing");
}

#[test]
fn every_kind_of_row_has_the_words_about_its_own_answers_and_a_prompt_has_none() {
    let about_a = react(8, "x", "a", says("about a"));
    let about_b = react(9, "y", "b", says("about b"));
    let default = Options::default();
    let with = |items: Vec<Feedback>| [items, vec![about_a.clone(), about_b.clone()]].concat();
    let texts = |examples: Vec<Example>| -> Vec<(String, String)> {
        examples.into_iter().map(|example| (example.feedback_text.better, example.feedback_text.worse)).collect()
    };
    let pair = |better: &str, worse: &str| (better.to_owned(), worse.to_owned());
    let tie = with(vec![react(1, "u", "a", prefer("b", Outcome::Tie))]);
    let edited = with(vec![react(1, "u", "a", edit("The answer called a names three rivers."))]);
    let judged = with(vec![react(1, "u", "a", down()), react(2, "u", "b", up())]);

    assert_eq!(texts(pairs_of(&two(), &judged, &default).examples), [pair("about b", "about a")]);
    assert_eq!(
        texts(ties_of(&two(), &tie, &options(|it| it.ties = Ties::SideFile)).examples),
        [pair("about a", "about b")]
    );
    assert_eq!(texts(labelled_of(&two(), &judged, &default).examples), [pair("about a", ""), pair("about b", "")]);
    assert_eq!(texts(sft_of(&two(), &judged, &default).examples), [pair("about b", "")]);
    assert_eq!(texts(pairs_of(&two(), &edited, &default).examples), [pair("", "about a")], "it is about the original");
    assert_eq!(texts(sft_of(&two(), &edited, &default).examples), [pair("", "")], "nobody wrote about the edited text");
    assert_eq!(texts(prompts_of(&two(), &judged, &default).examples), [pair("", "")]);
    let left_out = options(|it| it.comments = Comments::LeaveOut);
    let examples = pairs_of(&two(), &judged, &left_out).examples;
    assert_eq!(examples[0].feedback_text, FeedbackText::default(), "nobody is a holder of what does not leave");
}

#[test]
fn a_comment_alone_makes_no_row_of_any_format() {
    let feedback = [react(1, "u", "a", says("Wrong!")), react(2, "v", "b", says("Right."))];
    for (word, format) in Format::WORDS {
        let harvest = yield_of(&two(), &feedback, &recipe(*format, Options::default()));

        assert_eq!((harvest.n_candidates, harvest.examples, harvest.former.len()), (0, vec![], 0), "{word}");
        assert_eq!(harvest.feedback_left_out.0, BTreeMap::from([(NO_EVIDENCE, 2)]), "{word}");
    }
}

/// Takes out of a harvest what users wrote, and how much of it was looked at.
fn without_words(mut harvest: Harvest) -> Harvest {
    harvest.funnel.n_feedback = 0;
    harvest.funnel.feedback_left_out = Exclusions::default();
    for example in harvest.crops.values_mut().flat_map(|crop| &mut crop.examples) {
        example.feedback_text = FeedbackText::default();
    }
    harvest
}

prop_compose! {
    fn any_comments()(
        comments in prop::collection::vec(
            (0..12_usize, prop::option::of(0..8_u8), 0..40_i64, any::<bool>(),
             prop::sample::select(vec!["plain", "Ask a@example.com <EMAIL_7>", "+49 30 1234567", ""])),
            0..12,
        ),
    ) -> Vec<Feedback> {
        let comment = |(nth, (answer, user, minute, verified, text)): (usize, (usize, Option<u8>, i64, bool, &str))| {
            let user = user.map(|user| format!("u{user}")).unwrap_or_default();
            changed(react(1_000 + nth as u64, &user, &name(answer / 3, answer % 3), says(text)), |item| {
                item.received_at = at(minute);
                item.effective_at = at(minute);
                item.trust = if verified { Trust::Verified } else { Trust::Unverified };
            })
        };
        comments.into_iter().enumerate().map(comment).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_comment_changes_no_other_value_no_row_and_no_split(
        world in any_world(), recipe in any_recipe(), comments in any_comments(),
    ) {
        let more = World {
            completions: world.completions.clone(),
            feedback: [world.feedback.clone(), comments].concat(),
        };
        let (harvests, examples, plan) = export(&world, &recipe);
        let (told_harvests, told_examples, told_plan) = export(&more, &recipe);

        prop_assert_eq!(&plan, &told_plan);
        let bare = |harvests: Vec<Harvest>| harvests.into_iter().map(without_words).collect::<Vec<_>>();
        prop_assert_eq!(bare(harvests), bare(told_harvests));
        let screen = || Screen::new(&recipe.options, Benchmarks::default());
        for (mut silent, mut told) in examples.into_iter().zip(told_examples) {
            // Something to replace, and something that looks replaced: a comment could take their numbers away.
            for example in [&mut silent, &mut told] {
                if let Body::Endorsed { response: answer, .. } | Body::Pair { chosen: answer, .. } = &mut example.body {
                    answer.push_str(" <EMAIL_2> b@example.com +49 30 7654321");
                }
            }
            let outcomes = (screen().redact(&mut silent, Vec::new()), screen().redact(&mut told, Vec::new()));
            prop_assert_eq!(outcomes.0, outcomes.1);
            let FeedbackText { better, worse, .. } = &told.feedback_text;
            let has_address = better.contains("@example") || worse.contains("@example");
            prop_assert!(!has_address, "{} {}", better, worse);
            prop_assert_eq!(&silent.body, &told.body);
        }
    }
}
