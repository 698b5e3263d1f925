//! The load while an answer was made, and the ring of samples that it is had from.

use std::time::Duration;

use afterword::domain::clock::Timestamp;
use afterword::engine::load::{Load, LoadSample, Series, Span};
use afterword::engine::recent::{Recent, SeriesKey};
use proptest::prelude::*;

const INTERVAL: Duration = Duration::from_secs(5);

/// A moment, in seconds after an arbitrary one.
fn at(seconds: f64) -> Timestamp {
    Timestamp::from_timestamp_micros(1_790_000_000_000_000 + (seconds * 1e6) as i64).unwrap()
}

fn span(start: f64, end: f64) -> Span {
    Span { start: at(start), end: at(end) }
}

fn sample(seconds: f64, kv: f64, n_waiting: f64, n_preempted: f64) -> LoadSample {
    LoadSample {
        at: at(seconds),
        kv_cache_usage: Some(kv),
        kv_capacity_tokens: None,
        n_running: Some(1.0),
        n_waiting: Some(n_waiting),
        n_preempted: Some(n_preempted),
    }
}

fn series(samples: Vec<LoadSample>) -> Series {
    Series { interval: INTERVAL, samples }
}

/// One engine that gets busier, sampled every five seconds.
fn rising() -> Series {
    series((0..7).map(|n| sample(f64::from(n) * 5.0, f64::from(n) / 10.0, f64::from(n), 3.0)).collect())
}

#[test]
fn the_load_is_that_at_the_end_and_the_mean_and_the_largest_meanwhile() {
    let load = Load::during(span(9.0, 21.0), &[rising()]);

    assert_eq!(load.kv_at_end, Some(0.4));
    assert_eq!(load.staleness_ms, Some(1000));
    assert!((load.kv_mean.unwrap() - 0.3).abs() < 1e-12, "{load:?}");
    assert_eq!((load.kv_max, load.n_waiting_max, load.preempted), (Some(0.4), Some(4.0), Some(false)));
}

#[test]
fn an_answer_between_two_samples_has_the_nearest() {
    let load = Load::during(span(11.0, 12.0), &[rising()]);

    assert_eq!(
        (load.kv_at_end, load.kv_mean, load.kv_max, load.staleness_ms),
        (Some(0.2), Some(0.2), Some(0.2), Some(2000))
    );
}

#[test]
fn a_sample_is_too_far_from_the_end_behind_two_intervals_and_from_everything_behind_three() {
    for (start, end, at_end, mean) in [
        (35.0, 40.0, Some(0.6), Some(0.6)),
        (35.0, 40.001, None, Some(0.6)),
        (45.0, 50.0, None, Some(0.6)),
        (45.001, 50.0, None, None),
        (-20.0, -10.0, Some(0.0), Some(0.0)),
        (-20.0, -15.001, None, None),
    ] {
        let load = Load::during(span(start, end), &[rising()]);

        assert_eq!((load.kv_at_end, load.kv_mean), (at_end, mean), "{start} to {end}");
        assert_eq!(load.staleness_ms.is_some(), at_end.is_some());
    }
    assert!(Load::during(span(100.0, 101.0), &[rising()]).is_nothing());
    assert!(Load::during(span(0.0, 1.0), &[]).is_nothing());
}

#[test]
fn what_is_unknown_stays_unknown_beside_what_is_known() {
    let blind = LoadSample { kv_cache_usage: None, n_preempted: None, ..sample(10.0, 0.0, 7.0, 0.0) };

    let load = Load::during(span(9.0, 11.0), &[series(vec![blind])]);

    assert_eq!(load, Load { n_waiting_max: Some(7.0), ..Load::default() });
}

#[test]
fn of_several_engines_the_larger_cache_weighs_more_where_both_sizes_are_known() {
    let sized = |kv, tokens| LoadSample { kv_capacity_tokens: tokens, ..sample(10.0, kv, 0.0, 0.0) };
    let of = |tokens| series(vec![sized(0.2, tokens)]);
    let large = series(vec![sized(0.8, Some(300.0))]);

    let known = Load::during(span(9.0, 11.0), &[of(Some(100.0)), large.clone()]);
    let unknown = Load::during(span(9.0, 11.0), &[of(None), large]);

    assert_eq!((known.kv_at_end, known.kv_mean, known.kv_max), (Some(0.65), Some(0.65), Some(0.8)));
    assert_eq!((unknown.kv_at_end, unknown.kv_mean, unknown.kv_max), (Some(0.5), Some(0.5), Some(0.8)));
}

#[test]
fn preemption_is_a_rise_from_before_the_answer_to_behind_it() {
    let counts = |counts: [f64; 4]| {
        let samples = counts.into_iter().enumerate().map(|(n, count)| sample(n as f64 * 5.0, 0.5, 0.0, count));
        Load::during(span(6.0, 9.0), &[series(samples.collect())]).preempted
    };

    assert_eq!(counts([2.0, 2.0, 2.0, 2.0]), Some(false));
    assert_eq!(counts([2.0, 2.0, 3.0, 3.0]), Some(true));
    // Before and behind the answer is not during it.
    assert_eq!(counts([1.0, 2.0, 2.0, 3.0]), Some(false));
    // The engine began anew, and has preempted nobody since.
    assert_eq!(counts([9.0, 9.0, 0.0, 0.0]), Some(false));
    assert_eq!(Load::during(span(0.0, 1.0), &[series(vec![sample(0.5, 0.5, 0.0, 1.0)])]).preempted, None);
    let missed = series(vec![sample(0.0, 0.5, 0.0, 1.0), sample(100.0, 0.5, 0.0, 2.0)]);
    assert_eq!(Load::during(span(50.0, 51.0), &[missed]).preempted, None);
}

#[test]
fn a_span_is_had_from_what_the_client_tells_and_ends_when_we_received_it() {
    let received = at(100.0);
    for (started, latency_ms, created, expected) in [
        (Some(90.0), Some(4000.0), None, span(90.0, 94.0)),
        (Some(90.0), Some(4000.0), Some(97.0), span(90.0, 94.0)),
        (Some(90.0), None, Some(97.0), span(90.0, 97.0)),
        (None, Some(4000.0), Some(97.0), span(93.0, 97.0)),
        (None, Some(4000.0), None, span(96.0, 100.0)),
        (None, None, None, span(100.0, 100.0)),
        // A clock that goes wrong.
        (None, Some(4000.0), Some(500.0), span(96.0, 100.0)),
        (Some(500.0), Some(4000.0), None, span(96.0, 100.0)),
        (Some(-90_000.0), None, None, span(100.0, 100.0)),
        (None, Some(f64::MAX), None, span(-3500.0, 100.0)),
        (None, Some(f64::NAN), None, span(100.0, 100.0)),
    ] {
        let found = Span::of(started.map(at), latency_ms, created.map(at), received);

        assert_eq!(found, expected, "{started:?} {latency_ms:?} {created:?}");
    }
}

fn key(target: &str) -> SeriesKey {
    SeriesKey { target: target.to_owned(), model: "m".to_owned(), rank: String::new() }
}

#[test]
fn the_ring_holds_a_quarter_of_an_hour_and_says_what_it_covers() {
    let mut recent = Recent::default();
    assert!(!recent.covers(at(0.0)));
    for second in 0..2000 {
        recent.push(key("a"), sample(f64::from(second), 0.5, 0.0, 0.0));
    }

    let kept = recent.between(&key("a"), at(0.0), at(5000.0));

    assert_eq!((kept.first().unwrap().at, kept.last().unwrap().at), (at(1100.0), at(1999.0)));
    assert!(recent.covers(at(1099.0)) && !recent.covers(at(1098.0)));
    assert_eq!(recent.between(&key("a"), at(1500.0), at(1502.0)).len(), 3);
    assert_eq!(recent.between(&key("b"), at(0.0), at(5000.0)), []);
}

#[test]
fn a_ring_that_began_a_moment_ago_covers_nothing_before() {
    let mut recent = Recent::default();
    recent.push(key("a"), sample(10.0, 0.5, 0.0, 0.0));

    assert!(recent.covers(at(10.0)) && !recent.covers(at(9.0)));
}

#[test]
fn a_clock_that_is_set_back_disorders_nothing_and_an_engine_that_is_gone_is_forgotten() {
    let mut recent = Recent::default();
    for second in [0.0, 5.0, 3.0, 5.0, 6.0] {
        recent.push(key("a"), sample(second, 0.5, 0.0, 0.0));
    }
    let times: Vec<_> = recent.between(&key("a"), at(0.0), at(10.0)).iter().map(|sample| sample.at).collect();
    assert_eq!(times, [at(0.0), at(5.0), at(6.0)]);
    assert_eq!(recent.last(&key("a")).map(|sample| sample.at), Some(at(6.0)));

    recent.push(key("b"), sample(1000.0, 0.5, 0.0, 0.0));

    assert_eq!(recent.keys().collect::<Vec<_>>(), [&key("b")]);
}

proptest! {
    #[test]
    fn a_load_lies_within_what_was_sampled(
        mut samples in prop::collection::vec((0.0..60.0_f64, 0.0..=1.0_f64, 0.0..100.0_f64), 1..30),
        start in 0.0..60.0_f64, length in 0.0..30.0_f64,
    ) {
        samples.sort_by(|one, other| one.0.total_cmp(&other.0));
        let series = series(samples.iter().map(|(second, kv, n)| sample(*second, *kv, *n, 0.0)).collect());
        let smallest = samples.iter().map(|(_, kv, _)| *kv).fold(1.0, f64::min);
        let largest = samples.iter().map(|(_, kv, _)| *kv).fold(0.0, f64::max);

        let load = Load::during(span(start, start + length), &[series]);

        for kv in [load.kv_at_end, load.kv_mean, load.kv_max].into_iter().flatten() {
            prop_assert!((smallest - 1e-9..=largest + 1e-9).contains(&kv));
        }
        prop_assert!(load.kv_max >= load.kv_mean.map(|mean| mean - 1e-9));
        prop_assert!(load.staleness_ms.is_none_or(|staleness| (0..=10_000).contains(&staleness)));
        prop_assert_ne!(load.preempted, Some(true));
    }
}
