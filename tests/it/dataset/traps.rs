//! Seeded traps: feedback that a careless reader would turn into a wrong row.

use afterword::domain::feedback::{Outcome, Reaction, Thumb};
use afterword::domain::recipe::{Options, Pairing};

use super::fixtures::{
    answer, better, changed, copy, down, edit, id, pairs_of, prefer, react, says, sft_of, summary, thumb, two, up, with,
};

#[test]
fn every_trap_of_one_prompt_lands_under_its_own_reason() {
    let truncated = with(answer("cut"), |answer| answer.finish_reason = Some("length".to_owned()));
    let repeated = with(answer("same"), |answer| {
        answer.response = says("assistant", "The answer called a names two rivers.\u{a0}");
    });
    let answers: Vec<_> = ["a", "b", "c", "d", "e"].map(answer).into_iter().chain([truncated, repeated]).collect();
    let feedback = [
        react(1, "u", "a", prefer("b", Outcome::Tie)),
        react(2, "u", "a", prefer("c", Outcome::BothBad)),
        react(3, "u", "a", better("d")),
        react(4, "v", "d", better("a")),
        react(5, "u", "e", edit("the answer called E names\n two rivers.")),
        react(6, "u", "a", better("cut")),
        react(7, "u", "a", better("same")),
        react(8, "u", "b", better("c")),
        react(9, "u", "e", better("absent")),
    ];

    let harvest = pairs_of(&answers, &feedback, &Options::default());

    assert_eq!(
        summary(&harvest),
        "b>c by preference, 1 both_bad, 1 edit_unchanged, 1 finish_reason_not_stop, 1 identical_texts, \
         1 other_prompt_or_unknown, 1 tie, 1 votes_disagree"
    );
    assert_eq!(harvest.n_candidates, 8);
}

#[test]
fn a_retracted_thumb_endorses_nothing_and_pairs_nothing() {
    let feedback = [react(1, "u", "a", up()), react(2, "u", "b", down()), react(3, "u", "a", thumb(Thumb::None))];

    let pairs = pairs_of(&two(), &feedback, &Options::default());
    let endorsed = sft_of(&two(), &feedback, &Options::default());

    assert_eq!(summary(&pairs), "1 retracted");
    assert_eq!(summary(&endorsed), "1 negative_label, 1 retracted");
    assert_eq!(pairs.former.len(), 1);
    assert_eq!(pairs.feedback_left_out.0, [("replaced", 1)].into());
}

#[test]
fn a_changed_vote_turns_the_pair_around() {
    let feedback =
        [react(1, "u", "a", up()), react(2, "u", "b", down()), react(3, "u", "a", down()), react(4, "u", "b", up())];

    let harvest = pairs_of(&two(), &feedback, &Options::default());

    assert_eq!(summary(&harvest), "b>a by thumb_up_down");
    assert_eq!(harvest.examples[0].created_at, feedback[3].received_at);
}

#[test]
fn the_latest_word_is_the_latest_by_the_users_clock_whatever_arrives_last() {
    let late = changed(react(9, "u", "a", better("b")), |item| item.effective_at = super::fixtures::at(1));
    let feedback = [react(2, "u", "b", better("a")), late];

    let harvest = pairs_of(&two(), &feedback, &Options::default());

    assert_eq!(summary(&harvest), "b>a by preference");
}

#[test]
fn items_of_one_moment_are_ordered_by_their_place_in_the_session_and_then_by_id() {
    let of_session = |n, seq, reaction| {
        changed(react(n, "u", "a", reaction), |item| {
            item.session_id = Some("s".to_owned());
            item.seq = seq;
            item.effective_at = super::fixtures::at(1);
        })
    };

    let by_place = [of_session(2, Some(1), up()), of_session(1, Some(2), down())];
    let by_id = [of_session(2, None, up()), of_session(1, None, down())];

    assert_eq!(summary(&sft_of(&[answer("a")], &by_place, &Options::default())), "1 negative_label");
    assert_eq!(summary(&sft_of(&[answer("a")], &by_id, &Options::default())), "a by thumb_up");
}

#[test]
fn only_the_user_of_an_item_can_supersede_it() {
    let by = |user| changed(react(2, user, "a", copy()), |item| item.supersedes = Some(react(1, "", "a", up()).id));
    let of_user = |user, by_user| {
        let feedback = [react(1, user, "a", up()), by(by_user)];
        let harvest = sft_of(&[answer("a")], &feedback, &Options::default());
        (summary(&harvest), harvest.feedback_left_out.0.contains_key("superseded"))
    };

    assert_eq!(of_user("u", "u"), ("1 retracted".to_owned(), true));
    assert_eq!(of_user("", "u"), ("1 retracted".to_owned(), true));
    assert_eq!(of_user("u", "v"), ("a by thumb_up".to_owned(), false));
    assert_eq!(of_user("u", ""), ("a by thumb_up".to_owned(), false));
}

#[test]
fn an_item_supersedes_on_its_own_answer_only() {
    let same_id = [react(1, "u", "a", up()), react(1, "u", "b", up())];
    let cleared = changed(react(2, "u", "a", copy()), |item| item.supersedes = Some(same_id[0].id));

    let harvest = sft_of(&two(), &[same_id[0].clone(), same_id[1].clone(), cleared], &Options::default());

    assert_eq!(summary(&harvest), "b by thumb_up, 1 retracted");
}

#[test]
fn one_user_with_ten_thousand_votes_is_one_voter() {
    let feedback: Vec<_> = (1..=10_000)
        .map(|n| react(n, "u", "a", if n % 2 == 0 { better("b") } else { prefer("b", Outcome::Worse) }))
        .collect();

    let harvest = pairs_of(&two(), &feedback, &Options::default());

    assert_eq!(summary(&harvest), "a>b by preference");
    assert_eq!(harvest.examples[0].n_votes, 1);
    assert_eq!(harvest.feedback_left_out.0, [("replaced", 9_999)].into());
}

#[test]
fn a_prompt_with_thousands_of_judged_answers_gives_a_bounded_number_of_pairs() {
    let answers: Vec<_> = (0..2_000).map(|n| answer(&format!("a{n:04}"))).collect();
    let feedback: Vec<_> =
        (0..2_000).map(|n| react(n + 1, "u", &format!("a{n:04}"), if n % 2 == 0 { up() } else { down() })).collect();

    let all = Options { pairing: Pairing::All, max_pairs_per_prompt: 1_000, ..Options::default() };
    let compared = pairs_of(&answers, &feedback, &all);
    let chosen = pairs_of(&answers, &feedback, &Options::default());

    assert_eq!(compared.examples.len(), 16 * 16);
    assert_eq!(compared.exclusions.0, [("too_many_answers", 2_000 - 32)].into());
    assert_eq!((chosen.examples.len(), chosen.exclusions.0["max_pairs"]), (3, 16 * 16 - 3));
}

#[test]
fn comments_impressions_and_dwell_times_prove_nothing() {
    let feedback = [
        react(1, "u", "a", Reaction::Comment { text: "Best answer ever".to_owned() }),
        react(2, "u", "a", Reaction::Impression),
        react(3, "u", "a", Reaction::Dwell { visible_ms: 60_000 }),
        react(4, "u", "absent", up()),
    ];

    let harvest = sft_of(&[answer("a")], &feedback, &Options::default());

    assert_eq!(summary(&harvest), "");
    assert_eq!(harvest.feedback_left_out.0, [("no_evidence", 3), ("unknown_completion", 1)].into());
}

#[test]
fn feedback_that_came_before_its_answers_counts_from_their_arrival_on() {
    let answers = [answer("a"), with(answer("b"), |answer| answer.received_at = super::fixtures::at(60))];
    let feedback = [react(1, "u", "a", better("b"))];

    let harvest = pairs_of(&answers, &feedback, &Options::default());

    assert_eq!(harvest.examples[0].created_at, super::fixtures::at(60));
    assert_eq!(harvest.examples[0].rejected_id, Some(id("b")));
}
