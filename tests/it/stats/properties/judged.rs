//! Preferences, ratings, weights and worth: what they agree with, and what they say of nothing.

use afterword::stats::Interval;
use afterword::stats::Multiplier;
use afterword::stats::benefit::{Tradeoff, net_benefit};
use afterword::stats::bradley_terry::{Choice, Victories, bradley_terry, bradley_terry_cluster, bradley_terry_map};
use afterword::stats::composite::composite;
use afterword::stats::jackknife::Variant;
use afterword::stats::observational::{Observed, e_value, overlap_weighted_diff};
use afterword::stats::ratio::{mean_and_variance, welch_t};
use afterword::stats::surrogate::{Rateable, Sampled, aipw_mean, ppi_mean};
use proptest::prelude::*;

/// Draws victories between four models, most of them sparse.
fn victories() -> impl Strategy<Value = Vec<Vec<f64>>> {
    prop::collection::vec(prop::collection::vec(0_u8..4, 4), 4).prop_map(|rows| {
        let of = |i: usize, (j, n): (usize, u8)| if i == j { 0.0 } else { f64::from(n) / 2.0 };
        rows.into_iter()
            .enumerate()
            .map(|(i, row)| row.into_iter().enumerate().map(|cell| of(i, cell)).collect())
            .collect()
    })
}

fn read(rows: &[Vec<f64>]) -> Victories {
    Victories::of_rows(rows).unwrap()
}

/// Says by how much the likelihood still rises with each strength.
fn gradient(rows: &[Vec<f64>], thetas: &[f64]) -> Vec<f64> {
    let p = |i: usize, j: usize| 1.0 / (1.0 + (thetas[j] - thetas[i]).exp());
    let of = |i: usize| (0..rows.len()).map(|j| rows[i][j] - (rows[i][j] + rows[j][i]) * p(i, j)).sum::<f64>();
    (0..rows.len()).map(of).collect()
}

fn rated(prediction: f64, propensity: f64, rating: Option<f64>, user: usize) -> Rateable {
    Rateable { prediction, propensity, rating, user }
}

proptest! {
    #[test]
    fn strengths_are_where_the_likelihood_is_flat_or_there_are_none(rows in victories()) {
        let Some(got) = bradley_terry(&read(&rows)) else { return Ok(()) };

        for (slope, (theta, error)) in gradient(&rows, &got.thetas).iter().zip(got.thetas.iter().zip(&got.errors)) {
            prop_assert!(slope.abs() < 1e-9 && theta.is_finite() && error.is_finite());
        }
        prop_assert!(got.errors[1..].iter().all(|error| *error > 0.0));
    }

    #[test]
    fn a_penalty_gives_finite_strengths_that_add_up_to_nothing(rows in victories(), ridge in 0.01..2.0_f64) {
        let thetas = bradley_terry_map(&read(&rows), ridge).unwrap();

        prop_assert!(thetas.iter().sum::<f64>().abs() < 1e-9);
        for (slope, theta) in gradient(&rows, &thetas).iter().zip(&thetas) {
            prop_assert!((slope - 2.0 * ridge * theta).abs() < 1e-9);
        }
    }

    #[test]
    fn the_order_of_the_models_changes_no_strength(rows in victories()) {
        let turned: Vec<Vec<f64>> = rows.iter().rev().map(|row| row.iter().rev().copied().collect()).collect();

        let (there, back) = (bradley_terry(&read(&rows)), bradley_terry(&read(&turned)));

        prop_assert_eq!(there.is_some(), back.is_some());
        if let Some((there, back)) = there.zip(back) {
            for i in 0..4 {
                let (here, mirrored) = (there.thetas[i] - there.thetas[3], back.thetas[3 - i]);
                prop_assert!((here - mirrored).abs() < 1e-9);
            }
            prop_assert!((there.errors[3] - back.errors[3]).abs() < 1e-9, "the same two models are compared");
        }
    }

    #[test]
    fn two_models_have_the_log_odds_and_its_error(wins in 1_u32..1_000_000, losses in 1_u32..1_000_000) {
        let (wins, losses) = (f64::from(wins), f64::from(losses));

        let got = bradley_terry(&read(&[vec![0.0, losses], vec![wins, 0.0]])).unwrap();

        prop_assert!((got.thetas[1] - (wins / losses).ln()).abs() < 1e-9);
        prop_assert!((got.errors[1] - (1.0 / wins + 1.0 / losses).sqrt()).abs() < 1e-9);
        prop_assert!((got.win_probabilities()[1] - wins / (wins + losses)).abs() < 1e-9);
    }

    #[test]
    fn votes_that_are_copied_look_surer_only_to_who_ignores_their_rater(
        drawn in prop::collection::vec((0_usize..5, 0_usize..3, 1_usize..3), 12..40),
    ) {
        let choices: Vec<Choice> = drawn
            .iter()
            .map(|&(rater, winner, step)| Choice { rater, winner, loser: (winner + step) % 3, weight: 1.0 })
            .collect();
        let twice: Vec<Choice> = choices.iter().chain(&choices).copied().collect();

        let (Some(once), Some(twice)) = (bradley_terry_cluster(3, &choices), bradley_terry_cluster(3, &twice)) else {
            return Ok(());
        };
        prop_assume!(once.n_raters > 1);

        let naive = once.strengths.errors[1] / twice.strengths.errors[1];
        prop_assert!((naive - 2.0_f64.sqrt()).abs() < 1e-9);
        prop_assert_eq!(once.n_raters, twice.n_raters);
        for (once, twice) in once.clustered_errors.unwrap().iter().zip(twice.clustered_errors.unwrap()) {
            prop_assert!((once - twice).abs() < 1e-9);
        }
    }

    #[test]
    fn predictions_that_do_not_count_leave_the_mean_of_the_ratings(
        drawn in prop::collection::vec((0.0..1.0_f64, 0.0..1.0_f64), 2..30), f_unrated in prop::collection::vec(0.0..1.0_f64, 1..30),
    ) {
        let (y, f_rated): (Vec<f64>, Vec<f64>) = drawn.into_iter().unzip();
        let sampled = Sampled { y: &y, f_rated: &f_rated, f_unrated: &f_unrated };
        let constant = Sampled { y: &y, f_rated: &vec![0.1; y.len()], f_unrated: &[0.1; 7] };

        let plain = ppi_mean(&sampled, Some(0.0), 0.05).unwrap();
        let tuned = ppi_mean(&sampled, None, 0.05).unwrap();
        let knows_nothing = ppi_mean(&constant, None, 0.05).unwrap();

        prop_assert!((plain.estimate - mean_and_variance(&y).0.unwrap()).abs() < 1e-12);
        prop_assert!((0.0..=1.0).contains(&tuned.lambda) && tuned.se.is_finite());
        prop_assert!(knows_nothing.lambda.abs() <= 0.0 && (knows_nothing.se - plain.se).abs() < 1e-12);
    }

    #[test]
    fn ratings_that_all_are_there_need_no_prediction(
        drawn in prop::collection::vec((0.0..1.0_f64, 0.0..1.0_f64), 2..30),
    ) {
        let completions: Vec<Rateable> =
            drawn.iter().enumerate().map(|(i, &(f, y))| rated(f, 1.0, Some(y), i)).collect();

        let got = aipw_mean(&completions).unwrap();

        let (mean, variance) = mean_and_variance(&drawn.iter().map(|&(_, y)| y).collect::<Vec<_>>());
        prop_assert!((got.estimate - mean.unwrap()).abs() < 1e-12);
        prop_assert!((got.se.unwrap() - (variance.unwrap() / drawn.len() as f64).sqrt()).abs() < 1e-12);
        prop_assert!((got.se.unwrap() - got.se_clustered.unwrap()).abs() < 1e-12, "a user each is no cluster");
    }

    #[test]
    fn a_coin_as_propensity_weights_nobody(
        a in prop::collection::vec(-5.0..5.0_f64, 2..20), b in prop::collection::vec(-5.0..5.0_f64, 2..20),
    ) {
        let of = |variant: Variant, y: &[f64]| -> Vec<Observed> {
            y.iter().map(|&y| Observed { variant, y, propensity: 0.5 }).collect()
        };
        let units = [of(Variant::A, &a), of(Variant::B, &b)].concat();

        let got = overlap_weighted_diff(&units).unwrap();

        let plain = welch_t(&a, &b, Multiplier::Alpha(0.05));
        prop_assert!((got.difference - plain.difference.unwrap()).abs() < 1e-12);
        prop_assert!(got.se.unwrap() <= plain.se.unwrap(), "n below the line instead of n - 1");
    }

    #[test]
    fn a_hidden_cause_is_as_strong_for_a_harm_as_for_its_mirror(ratio in 0.05..20.0_f64, width in 1.0..4.0_f64) {
        let interval = Interval { low: ratio / width, high: ratio * width };
        let mirrored = Interval { low: 1.0 / interval.high, high: 1.0 / interval.low };

        let (got, back) = (e_value(ratio, interval).unwrap(), e_value(1.0 / ratio, mirrored).unwrap());

        prop_assert!((got.of_estimate - back.of_estimate).abs() < 1e-6 * got.of_estimate);
        prop_assert!((got.of_interval - back.of_interval).abs() < 1e-6 * got.of_interval);
        prop_assert!(1.0 <= got.of_interval && got.of_interval <= got.of_estimate * (1.0 + 1e-12));
    }

    #[test]
    fn a_composite_of_one_metric_is_that_metric(estimate in -1.0..1.0_f64, se in 0.0..1.0_f64) {
        let got = composite(&[estimate], &[vec![se * se]], &[1.0]).unwrap();

        prop_assert!((got.all.estimate - estimate).abs() <= 0.0);
        prop_assert!((got.all.se.unwrap() - se).abs() < 1e-12);
        prop_assert_eq!(got.without, [None], "nothing is left without it");
    }
}

#[test]
fn who_was_never_beaten_has_no_finite_strength_and_a_penalised_one() {
    let undefeated = [vec![0.0, 5.0], vec![0.0, 0.0]];

    assert_eq!(bradley_terry(&read(&undefeated)), None);
    assert_eq!(bradley_terry(&read(&[vec![0.0; 2], vec![0.0; 2]])), None);
    assert!(bradley_terry_map(&read(&undefeated), 0.1).unwrap()[0] > 0.5);
    assert_eq!(bradley_terry_map(&read(&undefeated), 0.0), None);
}

#[test]
fn rare_defeats_among_very_many_victories_keep_their_digits() {
    let got = bradley_terry(&read(&[vec![0.0, 1.0], vec![999_999_999.0, 0.0]])).unwrap();

    assert!((got.thetas[1] - 999_999_999.0_f64.ln()).abs() < 1e-9);
    assert!((got.errors[1] - 1.0).abs() < 1e-8);
}

#[test]
fn choices_of_one_rater_have_no_clustered_error_and_wrong_ones_no_strengths() {
    let choice = |winner, loser, weight| Choice { rater: 4, winner, loser, weight };
    let of_one = [choice(0, 1, 1.0), choice(1, 0, 2.0)];

    let got = bradley_terry_cluster(2, &of_one).unwrap();

    assert_eq!((got.clustered_errors, got.n_raters), (None, 1));
    assert!((got.strengths.thetas[1] - 2.0_f64.ln()).abs() < 1e-9);
    assert_eq!(bradley_terry_cluster(2, &[choice(0, 2, 1.0)]), None);
    assert_eq!(bradley_terry_cluster(2, &[choice(1, 1, 1.0)]), None);
    assert_eq!(bradley_terry_cluster(2, &[choice(0, 1, -1.0)]), None);
    assert_eq!(bradley_terry_cluster(0, &[]), None);
    assert_eq!(Victories::of_rows(&[vec![0.0, 1.0]]), None);
    assert_eq!(Victories::of_rows(&[vec![0.0, f64::NAN], vec![1.0, 0.0]]), None);
}

#[test]
fn ratings_of_one_user_have_no_clustered_error_and_impossible_propensities_no_mean() {
    let got = aipw_mean(&[rated(0.5, 0.5, Some(1.0), 3), rated(0.5, 0.5, None, 3)]).unwrap();

    assert!((got.estimate - 1.0).abs() < 1e-15 && got.se.is_some());
    assert_eq!(got.se_clustered, None);
    assert_eq!(aipw_mean(&[]), None);
    assert_eq!(aipw_mean(&[rated(0.5, 0.0, Some(1.0), 3)]), None);
    assert_eq!(aipw_mean(&[rated(0.5, f64::NAN, None, 3)]), None);
}

#[test]
fn a_sample_without_spread_or_without_an_unrated_completion_has_no_interval() {
    let same = Sampled { y: &[1.0, 1.0], f_rated: &[0.3, 0.3], f_unrated: &[0.3] };
    let none_unrated = Sampled { f_unrated: &[], ..same };
    let (y, f) = ([0.7; 1000], [0.1; 1000]);
    let many = Sampled { y: &y, f_rated: &f, f_unrated: &f };

    assert_eq!(ppi_mean(&same, None, 0.05).unwrap().interval, None);
    assert_eq!(ppi_mean(&many, Some(1.0), 0.05).unwrap().interval, None);
    assert_eq!(ppi_mean(&none_unrated, None, 0.05), None);
}

#[test]
fn variants_that_nobody_else_could_have_had_are_not_compared() {
    let unit = |variant, propensity| Observed { variant, y: 1.0, propensity };

    let apart = [unit(Variant::A, 0.0), unit(Variant::B, 1.0)];
    let beyond = [unit(Variant::A, 0.5), unit(Variant::B, 1.5)];
    let one_each = [unit(Variant::A, 0.5), unit(Variant::B, 0.5)];

    assert_eq!(overlap_weighted_diff(&apart), None);
    assert_eq!(overlap_weighted_diff(&beyond), None);
    assert_eq!(overlap_weighted_diff(&[]), None);
    assert_eq!(overlap_weighted_diff(&one_each).unwrap().se, None);
    assert_eq!(e_value(0.0, Interval { low: 0.0, high: 1.0 }), None);
    assert_eq!(e_value(f64::NAN, Interval { low: 0.0, high: 1.0 }), None);
}

#[test]
fn quality_without_a_price_is_worth_the_cost_alone_and_impossible_errors_give_none() {
    let tradeoff = Tradeoff { quality: -0.1, se_quality: 0.1, cost: -2.0, se_cost: 0.0, covariance: 0.0 };
    let impossible = Tradeoff { covariance: 1.0, ..tradeoff };

    let got = net_benefit(&tradeoff, 0.0);

    assert!((got.estimate - 2.0).abs() < 1e-15 && (got.saving_per_quality_lost.unwrap() - 20.0).abs() < 1e-12);
    assert_eq!((got.se, got.p_positive), (Some(0.0), None));
    assert_eq!((net_benefit(&impossible, 1.0).se, net_benefit(&impossible, 1.0).p_positive), (None, None));
    assert_eq!(composite(&[0.1, 0.2], &[vec![1.0, 0.0]], &[0.5, 0.5]), None);
    assert_eq!(composite(&[], &[], &[]), None);
}
