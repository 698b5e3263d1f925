//! Score intervals, regression, adjustment and strata: what they agree with, and what they say of nothing.

use afterword::stats::cuped::{Covaried, CovariedUsers, Slope, cuped, cuped_ratio};
use afterword::stats::distribution::normal_upper_quantile;
use afterword::stats::jackknife::Variant;
use afterword::stats::proportion::{TwoCounts, newcombe_diff_ci};
use afterword::stats::ratio::{Ratio, ratio_diff};
use afterword::stats::regression::cluster_ols;
use afterword::stats::score::{ScoreVariance, mn_diff_ci, mn_noninferiority};
use afterword::stats::sequential::{asymp_cs, asymp_cs_mean, asymp_cs_one_sided, rho2_approx, rho2_exact};
use afterword::stats::strata::{Cell, StratifiedUser, mh_risk_difference, poststrat_cluster};
use afterword::stats::{Direction, Multiplier, Users};
use proptest::prelude::*;

use super::{split, variant};

const NINETY_FIVE: Multiplier = Multiplier::Alpha(0.05);

/// Draws counts of both variants, no and only events included.
fn counts() -> impl Strategy<Value = TwoCounts> {
    let of_variant = || (1_u32..200).prop_flat_map(|n| (0..=n).prop_map(move |x| (f64::from(x), f64::from(n))));
    (of_variant(), of_variant()).prop_map(|((x_a, n_a), (x_b, n_b))| TwoCounts { x_a, n_a, x_b, n_b })
}

fn swapped(c: &TwoCounts) -> TwoCounts {
    TwoCounts { x_a: c.x_b, n_a: c.n_b, x_b: c.x_a, n_b: c.n_a }
}

/// Draws units as `(y, x)`.
fn units() -> impl Strategy<Value = Vec<(f64, f64)>> {
    prop::collection::vec((-5.0..5.0_f64, 0.0..10.0_f64), 2..15)
}

fn in_one_stratum(variant: Variant, users: &[(f64, f64)]) -> impl Iterator<Item = StratifiedUser> {
    users.iter().map(move |&(y, d)| StratifiedUser { variant, cells: vec![Cell { stratum: 7, y, d }] })
}

proptest! {
    #[test]
    fn a_score_interval_holds_the_estimate_has_width_and_mirrors(c in counts()) {
        for variance in [ScoreVariance::Corrected, ScoreVariance::Plain] {
            let got = mn_diff_ci(&c, variance, 0.05).unwrap();
            let back = mn_diff_ci(&swapped(&c), variance, 0.05).unwrap();

            prop_assert!(-1.0 <= got.low && got.low <= got.difference);
            prop_assert!(got.difference <= got.high && got.high <= 1.0);
            prop_assert!(got.high - got.low > 1e-4, "{got:?}");
            prop_assert!((got.low + back.high).abs() < 1e-12 && (got.high + back.low).abs() < 1e-12);
        }
    }

    #[test]
    fn the_score_test_of_the_margin_agrees_with_its_interval(c in counts(), margin in 0.001..0.99_f64) {
        let interval = mn_diff_ci(&c, ScoreVariance::Corrected, 0.05).unwrap();
        prop_assume!((interval.low + margin).abs() > 1e-9 && (interval.high - margin).abs() > 1e-9);

        let up = mn_noninferiority(&c, margin, Direction::HigherIsBetter, ScoreVariance::Corrected).unwrap();
        let down = mn_noninferiority(&c, margin, Direction::LowerIsBetter, ScoreVariance::Corrected).unwrap();

        prop_assert_eq!(up.p < 0.025, interval.low > -margin);
        prop_assert_eq!(down.p < 0.025, interval.high < margin);
    }

    #[test]
    fn the_corrected_score_interval_holds_the_plain_one(c in counts()) {
        let corrected = mn_diff_ci(&c, ScoreVariance::Corrected, 0.05).unwrap();
        let plain = mn_diff_ci(&c, ScoreVariance::Plain, 0.05).unwrap();

        prop_assert!(corrected.low <= plain.low + 1e-12 && plain.high <= corrected.high + 1e-12);
    }

    #[test]
    fn a_regression_on_completions_is_the_difference_of_the_ratios(a in variant(), b in variant()) {
        let ((y_a, d_a), (y_b, d_b)) = (split(&a), split(&b));
        let (a, b) = (Users { y: &y_a, d: &d_a }, Users { y: &y_b, d: &d_b });

        let got = cluster_ols(&a, &b).unwrap();

        let ratios = ratio_diff(&a, &b, NINETY_FIVE);
        prop_assert_eq!(Some(got.coefficient), ratios.difference.difference);
        prop_assert_eq!(got.n_users, ratios.a.n_users + ratios.b.n_users);
        prop_assert!(got.se.is_none_or(f64::is_finite));
    }

    #[test]
    fn units_and_origin_of_the_covariate_change_no_adjusted_difference(
        a in units(), b in units(), scale in 0.1..10.0_f64, origin in -10.0..10.0_f64,
    ) {
        let ((y_a, x_a), (y_b, x_b)) = (split(&a), split(&b));
        let moved = |x: &[f64]| -> Vec<f64> { x.iter().map(|x| x * scale + origin).collect() };
        let (moved_a, moved_b) = (moved(&x_a), moved(&x_b));
        for slope in [Slope::WithinVariant, Slope::Grand] {
            let before = cuped(&Covaried { y: &y_a, x: &x_a }, &Covaried { y: &y_b, x: &x_b }, slope).unwrap();
            let after = cuped(&Covaried { y: &y_a, x: &moved_a }, &Covaried { y: &y_b, x: &moved_b }, slope).unwrap();

            prop_assert!((before.difference - after.difference).abs() < 1e-6);
            prop_assert!((before.se.unwrap() - after.se.unwrap()).abs() < 1e-6);
            prop_assert!((before.theta - after.theta * scale).abs() < 1e-6 * (1.0 + before.theta.abs()));
        }
    }

    #[test]
    fn a_covariate_that_does_not_vary_adjusts_nothing(a in variant(), b in variant(), x in -1.0..1.0_f64) {
        let ((y_a, d_a), (y_b, d_b)) = (split(&a), split(&b));
        let (x_a, x_b) = (vec![x; a.len()], vec![x; b.len()]);

        let got = cuped_ratio(&CovariedUsers { y: &y_a, d: &d_a, x: &x_a }, &CovariedUsers { y: &y_b, d: &d_b, x: &x_b });

        let (got, plain) = (got.unwrap(), ratio_diff(&Users { y: &y_a, d: &d_a }, &Users { y: &y_b, d: &d_b }, NINETY_FIVE));
        prop_assert!(got.theta.abs() <= 0.0);
        prop_assert!((got.difference - plain.difference.difference.unwrap()).abs() < 1e-12);
        prop_assert_eq!(got.se.is_some(), plain.difference.se.is_some());
        prop_assert!(got.se.zip(plain.difference.se).is_none_or(|(got, plain)| (got - plain).abs() < 1e-12));
        prop_assert_eq!(got.se, got.se_unadjusted);
    }

    #[test]
    fn one_stratum_is_no_stratum(a in variant(), b in variant()) {
        let users: Vec<_> = in_one_stratum(Variant::A, &a).chain(in_one_stratum(Variant::B, &b)).collect();

        let got = poststrat_cluster(&users).unwrap();

        let ((y_a, d_a), (y_b, d_b)) = (split(&a), split(&b));
        let plain = ratio_diff(&Users { y: &y_a, d: &d_a }, &Users { y: &y_b, d: &d_b }, NINETY_FIVE).difference;
        prop_assert!((got.difference - plain.difference.unwrap()).abs() < 1e-12);
        prop_assert!((got.crude - got.difference).abs() < 1e-12 && (got.support - 1.0).abs() < 1e-12);
        prop_assert_eq!(got.se.is_some(), plain.se.is_some());
        prop_assert!(got.se.zip(plain.se).is_none_or(|(got, plain)| (got - plain).abs() < 1e-12));
    }

    #[test]
    fn strata_of_one_difference_and_one_mix_give_that_difference(c in counts(), k in 1_usize..5) {
        let strata = vec![c; k];

        let got = mh_risk_difference(&strata).unwrap();

        let difference = c.x_b / c.n_b - c.x_a / c.n_a;
        prop_assert!((got.difference - difference).abs() < 1e-12 && !got.is_reversed);
        let plain = newcombe_diff_ci(c.x_a, c.n_a, c.x_b, c.n_b, 0.05).unwrap();
        prop_assert!((got.crude.unwrap() - plain.difference).abs() < 1e-12);
        prop_assert!(got.se_sato.is_none_or(f64::is_finite) && got.se_greenland_robins.is_finite());
    }

    #[test]
    fn the_exact_precision_of_a_mixture_inverts_lamberts_function(alpha in 1e-6..0.5_f64, n_star in 1.0..1e6_f64) {
        let v = rho2_exact(alpha, n_star).unwrap() * n_star;

        let (w, want) = (-1.0 - v, -alpha * alpha / std::f64::consts::E);
        prop_assert!((w * w.exp() / want - 1.0).abs() < 1e-12);
        prop_assert!(v < rho2_approx(alpha, n_star).unwrap() * n_star * 1.5);
    }

    #[test]
    fn one_side_alone_reaches_less_far_than_both(est in -1.0..1.0_f64, se in 0.001..1.0_f64, n in 50.0..1e6_f64) {
        let one = asymp_cs_one_sided(est, se, n, 5000.0, 0.025).unwrap();
        let both = asymp_cs(est, se, n, 5000.0, 0.025).unwrap();

        prop_assert!(normal_upper_quantile(0.025).unwrap() * se < one.half && one.half < both.half);
    }
}

#[test]
fn mixes_that_differ_can_turn_a_sign_and_like_for_like_turns_it_back() {
    // In either stratum the candidate is 10 points worse, and it gets most of the easy work.
    let easy = TwoCounts { x_a: 9.0, n_a: 10.0, x_b: 72.0, n_b: 90.0 };
    let hard = TwoCounts { x_a: 27.0, n_a: 90.0, x_b: 2.0, n_b: 10.0 };
    let cell = |stratum, y, d| Cell { stratum, y, d };
    let user = |variant, cells| StratifiedUser { variant, cells };
    let users = [
        user(Variant::A, vec![cell(0, 5.0, 5.0), cell(1, 20.0, 50.0)]),
        user(Variant::A, vec![cell(0, 4.0, 5.0), cell(1, 7.0, 40.0)]),
        user(Variant::B, vec![cell(0, 32.0, 40.0), cell(1, 2.0, 10.0)]),
        user(Variant::B, vec![cell(0, 40.0, 50.0)]),
    ];

    let rates = mh_risk_difference(&[easy, hard]).unwrap();
    let clustered = poststrat_cluster(&users).unwrap();

    assert!((rates.difference + 0.1).abs() < 1e-12 && (clustered.difference + 0.1).abs() < 1e-12);
    assert!((rates.crude.unwrap() - 0.38).abs() < 1e-12 && (clustered.crude - 0.38).abs() < 1e-12);
    assert!(rates.is_reversed && clustered.is_reversed);
}

#[test]
fn what_only_one_variant_did_is_no_common_ground() {
    let cells = |stratum| vec![Cell { stratum, y: 1.0, d: 2.0 }];
    let users = [
        StratifiedUser { variant: Variant::A, cells: cells(0) },
        StratifiedUser { variant: Variant::B, cells: cells(1) },
    ];
    let only_a = TwoCounts { x_a: 1.0, n_a: 2.0, x_b: 0.0, n_b: 0.0 };

    assert_eq!(poststrat_cluster(&users), None);
    assert_eq!(poststrat_cluster(&[]), None);
    assert_eq!(mh_risk_difference(&[only_a]), None);
    assert_eq!(mh_risk_difference(&[]), None);
}

#[test]
fn counts_that_cannot_be_and_margins_out_of_reach_have_no_score() {
    let score = |x_a, n_a, x_b, n_b, margin| {
        let counts = TwoCounts { x_a, n_a, x_b, n_b };
        let test = mn_noninferiority(&counts, margin, Direction::HigherIsBetter, ScoreVariance::Corrected);
        (mn_diff_ci(&counts, ScoreVariance::Corrected, 0.05), test)
    };

    assert_eq!(score(0.0, 0.0, 1.0, 2.0, 0.1), (None, None));
    assert_eq!(score(3.0, 2.0, 1.0, 2.0, 0.1), (None, None));
    assert_eq!(score(f64::NAN, 2.0, 1.0, 2.0, 0.1), (None, None));
    assert_eq!(score(1.0, 2.0, 1.0, 2.0, 1.0).1, None);
    assert_eq!(score(0.0, 20.0, 0.0, 20.0, 0.0).1, None, "no events at a margin of nothing have no variance");
    assert_eq!(score(20.0, 20.0, 20.0, 20.0, 0.0).1, None);
}

#[test]
fn an_adjustment_of_nobody_or_of_one_user_says_so() {
    let nobody = Covaried { y: &[], x: &[] };
    let one = Covaried { y: &[1.0], x: &[2.0] };
    let some = Covaried { y: &[1.0, 2.0, 4.0], x: &[2.0, 1.0, 3.0] };
    let absent = CovariedUsers { y: &[1.0], d: &[0.0], x: &[2.0] };
    let present = CovariedUsers { y: &[1.0, 2.0], d: &[2.0, 3.0], x: &[2.0, 1.0] };

    let of_one = cuped(&one, &some, Slope::WithinVariant).unwrap();

    assert_eq!(cuped(&nobody, &some, Slope::Grand), None);
    assert_eq!((of_one.se, of_one.se_unadjusted, of_one.variance_reduction), (None, None, None));
    assert_eq!(cuped_ratio(&absent, &present), None);
    assert_eq!(Ratio::of(&Users { y: absent.y, d: absent.d }).estimate, None);
}

#[test]
fn an_outcome_that_the_covariate_explains_leaves_no_error() {
    let a = Covaried { y: &[0.3, 0.6, 0.9], x: &[0.1, 0.2, 0.3] };
    let b = Covaried { y: &[1.3, 1.9], x: &[0.1, 0.3] };

    let got = cuped(&a, &b, Slope::WithinVariant).unwrap();

    assert!((got.theta - 3.0).abs() < 1e-12 && (got.difference - 1.0).abs() < 1e-12);
    assert!(got.se.unwrap() < 1e-12 && (got.variance_reduction.unwrap() - 1.0).abs() < 1e-12);
}

#[test]
fn a_sequence_has_nothing_to_say_before_the_second_value_and_after_the_last() {
    let x = [1.0, 0.0, 1.0, 1.0];

    let got = asymp_cs_mean(&x, &[0, 1, 2, 4, 5], 10.0, 0.05);

    let is_there: Vec<bool> = got.iter().map(Option::is_some).collect();
    assert_eq!(is_there, [false, false, true, true, false]);
    assert!((got[3].unwrap().mean - 0.75).abs() < 1e-15);
    assert_eq!(asymp_cs_mean(&x, &[4], 10.0, 1.0), [None]);
    assert_eq!((rho2_exact(0.0, 10.0), rho2_exact(0.05, 0.0), rho2_approx(2.0, 10.0)), (None, None, None));
    assert_eq!(asymp_cs_one_sided(0.1, 0.0, 100.0, 100.0, 0.05), None);
    assert_eq!(asymp_cs_one_sided(0.1, 0.1, 100.0, 100.0, 0.5), None);
}
