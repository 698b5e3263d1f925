//! Properties that hold for every input: intervals hold the estimate, widen with the multiplier, and never vanish.

mod adjusted;
mod judged;

use afterword::stats::cluster::ClusteredRates;
use afterword::stats::distribution::{chi2_sf, normal_sf, normal_upper_quantile, t_sf, t_upper_quantile};
use afterword::stats::multiple::{bh, holm};
use afterword::stats::proportion::wilson_ci;
use afterword::stats::ratio::{PairedUser, ratio_diff, ratio_diff_paired, welch_t};
use afterword::stats::sequential::{Spending, information_fraction, look_multiplier};
use afterword::stats::verdict::{
    ComparisonMode, MetricBounds, MetricRole, MetricSummary, VerdictCode, VerdictInput, VerdictReason, bounds_of,
    decide,
};
use afterword::stats::{Direction, Interval, Multiplier, Users};
use proptest::prelude::*;

/// Draws the users of one variant as `(y, d)` with `0 <= y <= d`, empty users included.
fn variant() -> impl Strategy<Value = Vec<(f64, f64)>> {
    prop::collection::vec((0_u32..30).prop_flat_map(|d| (0..=d).prop_map(move |y| (f64::from(y), f64::from(d)))), 2..20)
        .prop_filter("somebody is there", |users| users.iter().any(|&(_, d)| d > 0.0))
}

fn split(users: &[(f64, f64)]) -> (Vec<f64>, Vec<f64>) {
    users.iter().copied().unzip()
}

fn rates(a: &[(f64, f64)], b: &[(f64, f64)]) -> ClusteredRates {
    let ((y_a, d_a), (y_b, d_b)) = (split(a), split(b));
    ClusteredRates::of(&Users { y: &y_a, d: &d_a }, &Users { y: &y_b, d: &d_b }).expect("a rate of 0..=1")
}

fn holds(interval: Interval, value: f64) -> bool {
    interval.low <= value && value <= interval.high
}

proptest! {
    #[test]
    fn a_wilson_interval_holds_the_estimate_and_has_width(n in 1_u32..10_000, share in 0.0..=1.0_f64) {
        let x = (f64::from(n) * share).round();

        let got = wilson_ci(x, f64::from(n), 0.05).unwrap();

        prop_assert!(got.low < got.high && 0.0 <= got.low && got.high <= 1.0);
        prop_assert!(got.low <= got.estimate.unwrap() && got.estimate.unwrap() <= got.high);
    }

    #[test]
    fn a_clustered_interval_holds_the_difference_has_width_and_stays_within_the_possible(a in variant(), b in variant()) {
        let rates = rates(&a, &b);
        prop_assume!(rates.df() > 0.0);

        let got = rates.difference(Multiplier::Alpha(0.05));

        let interval = got.interval.unwrap();
        prop_assert!(holds(interval, got.difference));
        prop_assert!(interval.high - interval.low > 1e-6);
        prop_assert!(-1.0 - 1e-12 <= interval.low && interval.high <= 1.0 + 1e-12);
    }

    #[test]
    fn a_larger_multiplier_gives_a_wider_interval(a in variant(), b in variant(), z in 0.5..10.0_f64) {
        let rates = rates(&a, &b);
        prop_assume!(rates.df() > 0.0);

        let narrow = rates.difference(Multiplier::Value(z)).interval.unwrap();
        let wide = rates.difference(Multiplier::Value(z * 1.2)).interval.unwrap();

        prop_assert!(wide.low <= narrow.low && narrow.high <= wide.high);
        prop_assert!(wide.high - wide.low > narrow.high - narrow.low);
    }

    #[test]
    fn swapping_the_variants_mirrors_the_interval(a in variant(), b in variant()) {
        let (there, back) = (rates(&a, &b), rates(&b, &a));
        prop_assume!(there.df() > 0.0);

        let there = there.difference(Multiplier::Alpha(0.05)).interval.unwrap();
        let back = back.difference(Multiplier::Alpha(0.05)).interval.unwrap();

        prop_assert!((there.low + back.high).abs() < 1e-12 && (there.high + back.low).abs() < 1e-12);
    }

    #[test]
    fn a_relative_margin_of_nothing_is_the_plain_difference(a in variant(), b in variant()) {
        let rates = rates(&a, &b);
        prop_assume!(rates.df() > 0.0);
        let plain = rates.difference(Multiplier::Alpha(0.05)).interval.unwrap();

        let up = rates.relative(0.0, Direction::HigherIsBetter, Multiplier::Alpha(0.05)).interval.unwrap();
        let down = rates.relative(0.0, Direction::LowerIsBetter, Multiplier::Alpha(0.05)).interval.unwrap();

        prop_assert!((up.low - plain.low).abs() < 1e-12 && (up.high - plain.high).abs() < 1e-12);
        prop_assert!((down.low + plain.high).abs() < 1e-12 && (down.high + plain.low).abs() < 1e-12);
    }

    #[test]
    fn the_p_of_the_margin_agrees_with_the_interval(a in variant(), b in variant(), margin in 0.0..0.9_f64) {
        let rates = rates(&a, &b);
        prop_assume!(rates.df() > 0.0);

        let p = rates.p_noninferior(margin, Direction::HigherIsBetter).unwrap();

        let low = rates.difference(Multiplier::Alpha(0.05)).interval.unwrap().low;
        prop_assume!((low + margin).abs() > 1e-9);
        prop_assert_eq!(p < 0.025, low > -margin, "p {} low {}", p, low);
    }

    #[test]
    fn bounds_of_a_relative_margin_decide_as_its_contrast_does(a in variant(), b in variant(), m in 0.01..0.9_f64) {
        let rates = rates(&a, &b);
        prop_assume!(rates.df() > 0.0);
        for direction in [Direction::HigherIsBetter, Direction::LowerIsBetter] {
            let reach = Multiplier::Value(1.3);
            let contrast = rates.relative(m, direction, reach);
            prop_assume!(contrast.interval.is_some_and(|i| i.low.abs() > 1e-12 && i.high.abs() > 1e-12));

            let bounds = MetricBounds::relative(MetricRole::Primary, &contrast, &rates.difference(reach), direction);

            prop_assert_eq!(bounds.is_non_inferior(), contrast.is_non_inferior());
            prop_assert_eq!(bounds.is_worse_than_margin(), contrast.is_worse_than_margin());
            prop_assert!((bounds.estimate.unwrap() + bounds.margin - contrast.contrast).abs() < 1e-12);
        }
    }

    #[test]
    fn a_ratio_interval_is_absent_or_has_width(a in variant(), b in variant()) {
        let ((y_a, d_a), (y_b, d_b)) = (split(&a), split(&b));

        let got = ratio_diff(&Users { y: &y_a, d: &d_a }, &Users { y: &y_b, d: &d_b }, Multiplier::Alpha(0.05));

        let difference = got.difference.difference.unwrap();
        if let Some(interval) = got.difference.interval {
            prop_assert!(interval.low < difference && difference < interval.high);
            prop_assert!(interval.high - interval.low > 1e-9);
        }
    }

    #[test]
    fn users_in_one_variant_only_give_the_same_error_paired_or_not(a in variant(), b in variant()) {
        let only_a = a.iter().map(|&(y_a, d_a)| PairedUser { y_a, d_a, y_b: 0.0, d_b: 0.0 });
        let only_b = b.iter().map(|&(y_b, d_b)| PairedUser { y_a: 0.0, d_a: 0.0, y_b, d_b });
        let users: Vec<PairedUser> = only_a.chain(only_b).collect();

        let got = ratio_diff_paired(&users, Multiplier::Alpha(0.05));

        prop_assume!(got.se.is_some());
        prop_assert!((got.se.unwrap() - got.se_independent.unwrap()).abs() < 1e-12);
    }

    #[test]
    fn quantiles_invert_their_tails(tail in 1e-12..0.999_f64, df in 0.6..500.0_f64) {
        let z = normal_upper_quantile(tail).unwrap();
        let t = t_upper_quantile(tail, df).unwrap();

        prop_assert!((normal_sf(z) / tail - 1.0).abs() < 1e-12, "normal {}", normal_sf(z) / tail - 1.0);
        prop_assert!((t_sf(t, df) / tail - 1.0).abs() < 1e-11, "t {}", t_sf(t, df) / tail - 1.0);
    }

    #[test]
    fn a_squared_normal_is_a_chi_square(z in 0.0..30.0_f64) {
        prop_assert!((chi2_sf(z * z, 1) - 2.0 * normal_sf(z)).abs() <= 1e-12 * chi2_sf(z * z, 1));
    }

    #[test]
    fn adjusted_p_values_are_no_smaller_and_keep_their_order(p in prop::collection::vec(0.0..=1.0_f64, 0..12)) {
        for adjusted in [holm(&p), bh(&p)] {
            for i in 0..p.len() {
                prop_assert!(p[i] <= adjusted[i] * (1.0 + 1e-12) && adjusted[i] <= 1.0);
                for j in 0..p.len() {
                    prop_assert!(p[i] > p[j] || adjusted[i] <= adjusted[j]);
                }
            }
        }
    }
}

#[test]
fn equal_users_whose_rate_is_no_binary_fraction_have_no_interval() {
    let got = ratio_diff(
        &Users { y: &[1.0, 2.0, 4.0], d: &[3.0, 6.0, 12.0] },
        &Users { y: &[1.0, 7.0], d: &[10.0, 70.0] },
        Multiplier::Alpha(0.05),
    );

    assert_eq!(got.difference.se, Some(0.0));
    assert_eq!(got.difference.interval, None);
    assert_eq!(got.difference.p_two_sided, None);
}

#[test]
fn a_thousand_equal_users_have_no_interval_though_their_sum_is_rounded() {
    let (cents, twice, ones) = ([0.1; 1000], [0.2; 1000], [1.0; 1000]);

    let means = welch_t(&cents, &twice, Multiplier::Alpha(0.05));
    let ratios = ratio_diff(&Users { y: &cents, d: &ones }, &Users { y: &twice, d: &ones }, Multiplier::Alpha(0.05));

    assert_eq!((means.se, means.interval), (Some(0.0), None));
    assert_eq!((ratios.difference.se, ratios.difference.interval), (Some(0.0), None));
}

#[test]
fn no_spread_is_no_information() {
    assert_eq!(information_fraction(0.0, 0.02, 0.025, 0.8), None);
    let planned = 0.02 / (1.959_963_984_540_054 + 0.841_621_233_572_914);
    assert!((information_fraction(planned, 0.02, 0.025, 0.8).unwrap() - 1.0).abs() < 1e-12);
}

#[test]
fn the_fixed_look_is_spent_once_and_only_at_the_planned_information() {
    let look = |info_fraction: f64, fixed_look_used: bool| {
        look_multiplier(&Spending { alpha: 0.025, alpha_seq_share: 0.2, info_fraction, fixed_look_used }, None).unwrap()
    };

    assert!(look(0.99, false) > 3.0);
    assert!((look(1.0, false) - 2.053_748_910_631_823).abs() < 1e-12);
    assert!(look(1.0, true) > 3.0);
}

fn switchable() -> VerdictInput {
    let metric = MetricSummary {
        role: MetricRole::Primary,
        difference: 0.0,
        se: Some(0.004),
        df: None,
        margin: 0.02,
        direction: Direction::HigherIsBetter,
    };
    let spending = Spending { alpha: 0.025, alpha_seq_share: 0.2, info_fraction: 1.0, fixed_look_used: false };
    VerdictInput {
        mode: ComparisonMode::Randomised,
        srm_p: Some(0.4),
        crossover_share: 0.0,
        info_fraction: 1.0,
        enough_evidence: true,
        days_more: Some(10.0),
        max_days: 90.0,
        metrics: vec![bounds_of(&metric, &spending)],
    }
}

#[test]
fn a_comparison_without_metrics_is_never_a_switch() {
    let input = VerdictInput { metrics: Vec::new(), ..switchable() };

    assert_eq!(decide(&switchable()).code, VerdictCode::Switch);
    assert_eq!(decide(&input).code, VerdictCode::KeepCollecting);
}

#[test]
fn a_metric_without_bounds_blocks_a_switch_and_causes_no_keep() {
    let mut input = switchable();
    let undecided = MetricBounds { low: None, high: None, ..input.metrics[0] };
    input.metrics.push(undecided);

    let got = decide(&input);

    assert_eq!((got.code, got.reason), (VerdictCode::KeepCollecting, VerdictReason::Undecided));
}

#[test]
fn a_mismatch_of_shares_comes_before_everything_else() {
    let got = decide(&VerdictInput { srm_p: Some(0.000_9), ..switchable() });

    assert_eq!((got.code, got.reason), (VerdictCode::Invalid, VerdictReason::SampleRatioMismatch));
}

#[test]
fn too_many_days_or_none_known_is_cannot_tell() {
    let long = VerdictInput { enough_evidence: false, days_more: Some(91.0), ..switchable() };
    let unknown = VerdictInput { days_more: None, ..long.clone() };

    assert_eq!(decide(&long).reason, VerdictReason::TooLong);
    assert_eq!(decide(&unknown).reason, VerdictReason::DurationUnknown);
    assert_eq!(decide(&unknown).code, VerdictCode::CannotTell);
}

#[test]
fn without_randomisation_a_harm_only_leans() {
    let mut input = VerdictInput { mode: ComparisonMode::Observational, ..switchable() };
    input.metrics[0].high = Some(-0.03);

    assert_eq!(decide(&input).code, VerdictCode::LeanKeep);
}

#[test]
fn better_must_hold_in_the_plain_difference_too() {
    let mut input = switchable();
    input.metrics[0].low = Some(0.001);
    input.metrics[0].difference = Some(Interval { low: -0.001, high: 0.02 });

    assert_eq!(decide(&input).reason, VerdictReason::NonInferior);
}
