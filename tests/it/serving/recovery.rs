//! The serving report of fleets whose truth is known, over many seeds: it recovers the curve of load and the effect of load, and
//! claims none where there is none.

use afterword::report::serving::{Measure, ServingReport, Standing};
use afterword::service::serving_report::conclude;

use super::fleet::{Fleet, beginning, curve, true_difference};

fn report(fleet: Fleet) -> ServingReport {
    conclude(fleet.play(), beginning())
}

fn by_load(report: &ServingReport) -> &Measure {
    report.quality.measures.iter().find(|measure| measure.bands.name == "kv_usage").unwrap()
}

#[test]
fn an_effect_of_load_is_recovered_within_its_intervals_and_noticed_where_it_begins() {
    const N_RUNS: u64 = 60;
    let (mut n_held, mut n_told, mut n_where_it_begins) = (0, 0, 0);
    for seed in 0..N_RUNS {
        let report = report(Fleet { seed, n_users: 400, n_turns_per_user: 30, has_effect: true });

        let measure = by_load(&report);
        let good = measure.metrics.iter().find(|metric| metric.name == "good_turn").unwrap();
        let base = measure.base.unwrap();
        for (band, banded) in good.bands.iter().enumerate() {
            let Some(gap) = banded.difference else { continue };
            let truth = true_difference(base, band);
            n_told += 1;
            n_held += u64::from((gap.interval.low..=gap.interval.high).contains(&truth));
        }
        n_where_it_begins += u64::from(measure.notice.as_ref().is_some_and(|notice| notice.band == 2));
    }

    assert_eq!(n_told, 3 * N_RUNS, "every band but the base is compared");
    // Simultaneous intervals: each of them holds far more often than 95 times of a hundred.
    assert!(n_held * 100 >= n_told * 98, "{n_held} of {n_told} intervals hold the truth");
    assert!(n_where_it_begins * 100 >= N_RUNS * 95, "noticed where it begins in {n_where_it_begins} of {N_RUNS}");
}

#[test]
fn without_an_effect_of_load_none_is_claimed_although_busy_hours_have_longer_prompts() {
    const N_RUNS: u64 = 300;
    let mut n_claims = 0;
    let mut crude = 0.0;
    for seed in 0..N_RUNS {
        let report = report(Fleet { seed: 1000 + seed, n_users: 120, n_turns_per_user: 20, has_effect: false });

        let measure = by_load(&report);
        let is_claim = |measure: &Measure| {
            measure.metrics.iter().any(|metric| {
                let standings = metric.bands.iter().filter_map(|band| band.difference);
                standings.into_iter().any(|gap| gap.standing(metric.higher_is_better) != Standing::Unclear)
            })
        };
        n_claims += u64::from(is_claim(measure));
        let good = &measure.metrics[0].bands;
        crude += good[3].rate.estimate.unwrap() - good[0].rate.estimate.unwrap();
    }

    // The whole page may be wrong five times of a hundred; this is a third of it.
    assert!(n_claims * 100 <= N_RUNS * 5, "{n_claims} of {N_RUNS} claim an effect that is not there");
    assert!(crude / (N_RUNS as f64) < -0.03, "there is nothing that could mislead: {crude}");
}

#[test]
fn the_length_of_prompts_is_found_where_it_matters_and_load_does_not() {
    let report = report(Fleet { seed: 7, n_users: 400, n_turns_per_user: 30, has_effect: false });

    let lengths = report.quality.measures.iter().find(|measure| measure.bands.name == "input_tokens").unwrap();
    let notice = lengths.notice.as_ref().unwrap();
    assert_eq!((notice.band, lengths.base), (2, Some(0)));
    assert!(notice.metrics.contains(&"good_turn"));
    assert_eq!(by_load(&report).notice, None);
}

#[test]
fn the_curve_of_load_its_bands_and_the_room_that_is_left_are_recovered() {
    let report = report(Fleet { seed: 3, n_users: 40, n_turns_per_user: 5, has_effect: false });

    let usage = report.usage.unwrap();
    assert_eq!((usage.source.as_str(), usage.bin_s, usage.points.len()), ("engines", 21_600, 56));
    for point in &usage.points {
        let first = (point.at - beginning()).num_minutes();
        let truth = (first..first + 360).map(curve).sum::<f64>() / 360.0;
        assert!((point.mean.unwrap() - truth).abs() < 0.005, "{} is not {truth}", point.mean.unwrap());
        assert_eq!(point.n, 720);
    }
    let mut uses: Vec<f64> = (0..1440).map(curve).collect();
    uses.sort_unstable_by(f64::total_cmp);
    let below = |edge: f64| uses.iter().filter(|usage| **usage < edge).count() as f64 / 1440.0;
    assert!((usage.shares[0] - below(0.5)).abs() < 0.02, "{:?}", usage.shares);
    assert!((usage.shares[0] + usage.shares[1] - below(0.8)).abs() < 0.03, "{:?}", usage.shares);
    assert!((usage.shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    let p95 = usage.all.p95.unwrap();
    assert!((p95 - uses[1368]).abs() < 0.04, "{p95} is not {}", uses[1368]);
    let [of_80, of_95] = usage.headroom[..] else { panic!("two limits") };
    assert!(of_80.more_traffic.unwrap() < 0.0);
    assert!((of_95.more_traffic.unwrap() - (0.95 / p95 - 1.0)).abs() < 1e-12);
    assert!(usage.all.waiting_share.unwrap() > 0.05 && usage.all.n_waiting_max.unwrap() >= 34.0);
}

#[test]
fn a_project_without_completions_gets_a_report_that_says_so() {
    let mut evidence = Fleet { seed: 1, n_users: 0, n_turns_per_user: 0, has_effect: false }.play();
    evidence.engines.clear();

    let report = conclude(evidence, beginning());

    assert_eq!(report.findings, ["There are no completions of these models in this window."]);
    assert_eq!((report.n_turns, report.usage, report.lengths), (0, None, None));
    assert!(report.weeks.is_empty() && report.quality.measures.is_empty() && report.notes.is_empty());
}
