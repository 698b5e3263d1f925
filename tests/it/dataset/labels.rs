//! Labels: the majority of the votes on one answer.

use afterword::dataset::label::{Verdict, label};
use afterword::domain::feedback::Thumb;
use afterword::domain::recipe::Options;
use afterword::domain::trust::TrustFilter;

use super::fixtures::{down, id, rate, react, stars, thumb, up};

#[test]
fn a_label_is_the_majority_of_thumbs_and_ratings() {
    let two_votes = Options { min_votes: 2, ..Options::default() };
    let default = Options::default();
    let table = [
        (vec![react(1, "u", "a", up())], &default, Verdict::Positive, "thumb_majority", 1),
        (vec![react(1, "u", "a", down())], &default, Verdict::Negative, "thumb_majority", 1),
        (vec![react(1, "u", "a", up()), react(2, "u", "a", down())], &default, Verdict::Negative, "thumb_majority", 1),
        (
            vec![react(1, "u", "a", up()), react(2, "u", "a", thumb(Thumb::None))],
            &default,
            Verdict::None,
            "retracted",
            0,
        ),
        (vec![react(1, "u", "a", up()), react(2, "v", "a", down())], &default, Verdict::None, "votes_disagree", 2),
        (vec![react(1, "", "a", up()), react(2, "", "a", up())], &two_votes, Verdict::Positive, "thumb_majority", 2),
        (vec![react(1, "u", "a", up())], &two_votes, Verdict::None, "too_few_votes", 1),
        (vec![react(1, "u", "a", stars(4.0))], &default, Verdict::Positive, "rating_majority", 1),
        (vec![react(1, "u", "a", stars(3.0))], &default, Verdict::None, "not_endorsed", 0),
        (vec![react(1, "u", "a", rate(0.25))], &default, Verdict::Negative, "rating_majority", 1),
        (
            vec![react(1, "u", "a", rate(0.0)), react(2, "u", "a", up())],
            &default,
            Verdict::Positive,
            "thumb_majority",
            1,
        ),
        (vec![], &default, Verdict::None, "not_endorsed", 0),
    ];
    for (nth, (feedback, options, verdict, rule, n_votes)) in table.into_iter().enumerate() {
        let label = label(&id("a"), &feedback, options, TrustFilter::Verified);
        assert_eq!((label.verdict, label.rule, label.n_votes), (verdict, rule, n_votes), "row {nth}");
    }
}

#[test]
fn a_label_is_as_strong_as_its_majority() {
    let feedback = [react(1, "u", "a", up()), react(2, "v", "a", up()), react(3, "w", "a", down())];

    let label = label(&id("a"), &feedback, &Options::default(), TrustFilter::Verified);

    assert!((label.strength - 2.0 / 3.0).abs() < 1e-12);
}
