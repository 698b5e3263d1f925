//! A comparison in which every part is filled, hand-made after traffic that the simulator of the design makes.

use afterword::report::comparison::candidates::{Candidate, Player, Tournament};
use afterword::report::comparison::costs::{Benefit, Chance, Index, IndexPart, Measure, Quantiles};
use afterword::report::comparison::over_time::{DayPoint, DayTrend, ExposureDay, FixedLook, Plan, Series};
use afterword::report::comparison::segments::{Adjustment, Heterogeneity, Load, Segment, Segmentation};
use afterword::report::comparison::{Comparison, Depth, Metric, Rate, Role};
use afterword::stats::Interval;
use afterword::stats::verdict::{VerdictCode, VerdictReason};
use chrono::{Days, NaiveDate};

use super::rich_ratings::{agreement, disagreements, solicited, up_share};
use super::samples;

/// Days of the experiment.
const N_DAYS: u32 = 28;

/// The sample with everything.
pub(super) fn rich() -> Comparison {
    let mut comparison = samples::switch();
    comparison.metrics.push(rated());
    comparison.depth = Depth {
        plan: Some(Plan {
            info_fraction: 1.12,
            sequential_share: 0.2,
            fixed_look: Some(FixedLook { taken_at: samples::moment("2026-01-29T06:00:00Z"), passed: true }),
        }),
        exposure: exposure(),
        series: comparison.metrics.iter().filter(|metric| metric.role == Role::MustPass).map(series).collect(),
        segmentations: segmentations(),
        adjustments: adjustments(),
        up_share: Some(up_share()),
        solicited: Some(solicited()),
        agreement: Some(agreement()),
        measures: measures(),
        benefit: Some(benefit()),
        index: Some(index()),
        chances: vec![
            Chance { metric: "good_turn", p_acceptable: 0.9981, expected_loss: 0.005_213 },
            Chance { metric: "bad_turn", p_acceptable: 0.9997, expected_loss: 0.000_911 },
        ],
        load: Some(load()),
        candidates: candidates(),
        tournament: Some(tournament()),
        disagreements: disagreements(),
        disagreements_note: None,
    };
    comparison
}

/// The response rate, which is shown and not judged.
fn rated() -> Metric {
    let rate = |n, n_users, estimate, low, high| Rate {
        n,
        n_users,
        estimate: Some(estimate),
        interval: Some(Interval { low, high }),
    };
    let mut metric = samples::switch().metrics.remove(4);
    metric.name = "rated";
    metric.title = "Rated turns";
    metric.definition = "Turns with a thumb, up or down.";
    metric.control = rate(55_310, 2_412, 0.019_31, 0.018_02, 0.020_66);
    metric.candidate = rate(54_702, 2_388, 0.019_74, 0.018_41, 0.021_13);
    metric.difference.estimate = Some(0.000_43);
    metric.difference.interval = Some(Interval { low: -0.001_42, high: 0.002_28 });
    metric
}

fn day(index: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 5).unwrap() + Days::new(u64::from(index))
}

/// A number in -1..1 that looks like chance and is the same at every run.
fn wobble(index: u32) -> f64 {
    f64::from(index * 37 % 19) / 9.5 - 1.0
}

fn exposure() -> Vec<ExposureDay> {
    let falling = |index: u32, start: u64| start * 100 / (100 + 22 * u64::from(index));
    let mut days: Vec<ExposureDay> = (0..N_DAYS)
        .map(|index| ExposureDay {
            day: day(index),
            n_control: falling(index, 240) + u64::from(index * 7 % 5),
            n_candidate: falling(index, 238) + u64::from(index * 5 % 7),
        })
        .collect();
    // The days add up to the sides.
    let comparison = samples::switch();
    let later = days[1..].iter().fold((0, 0), |sum, day| (sum.0 + day.n_control, sum.1 + day.n_candidate));
    days[0].n_control = comparison.control.n_users - later.0;
    days[0].n_candidate = comparison.candidate.n_users - later.1;
    days
}

/// The estimate nears its last value while both bands narrow like the root of the users.
fn series(metric: &Metric) -> Series {
    let last = metric.difference.estimate.unwrap();
    let half = metric.difference.interval.map(|interval| (interval.high - interval.low) / 2.0).unwrap();
    let points: Vec<DayPoint> = (0..N_DAYS)
        .map(|index| {
            let narrowing = (f64::from(N_DAYS) / f64::from(index + 1)).sqrt();
            let estimate = last + half * 0.32 * wobble(index) * (narrowing - 1.0);
            let around = |half: f64| Some(Interval { low: estimate - half, high: estimate + half });
            DayPoint {
                day: day(index),
                n_users: 536 + u64::from(index) * 158,
                estimate: Some(estimate),
                fixed: around(half * narrowing * 0.66),
                anytime: if index + 1 == N_DAYS { metric.difference.interval } else { around(half * narrowing) },
            }
        })
        .collect();
    Series {
        metric: metric.name,
        points,
        passed_on: (metric.name != "thumb_up").then(|| day(15)),
        trend: (metric.name == "good_turn").then_some(DayTrend {
            slope_per_day: 0.000_091,
            p: 0.412,
            last_week: Some((-0.003_7, Some(Interval { low: -0.010_9, high: 0.003_5 }))),
        }),
    }
}

fn segment(value: &str, n: (u64, u64), points: (f64, f64, f64), is_harmed: bool, q: f64) -> Segment {
    let (estimate, low, high) = points;
    Segment {
        value: value.to_owned(),
        n_control: n.0,
        n_candidate: n.1,
        estimate: Some(estimate / 100.0),
        interval: Some(Interval { low: low / 100.0, high: high / 100.0 }),
        is_harmed,
        q: Some(q),
    }
}

fn segmentations() -> Vec<Segmentation> {
    let mut tiny = segment("translation", (2_810, 2_795), (0.0, 0.0, 0.0), false, 1.0);
    (tiny.estimate, tiny.interval, tiny.q) = (Some(0.0112), None, None);
    vec![
        Segmentation {
            by: "task",
            metric: "good_turn",
            segments: vec![
                segment("chat", (31_020, 30_744), (0.21, -0.62, 1.04), false, 0.71),
                segment("summarise", (11_960, 11_801), (-0.34, -1.72, 1.04), false, 0.71),
                segment("code", (8_130, 8_002), (-4.61, -6.88, -2.34), true, 0.0004),
                tiny,
                segment("(others)", (1_390, 1_360), (-0.9, -5.2, 3.4), false, 0.80),
            ],
            heterogeneity: Some(Heterogeneity { p: 0.000_31, i2: 0.78, sign_change_p: 0.041 }),
        },
        Segmentation {
            by: "language",
            metric: "bad_turn",
            segments: vec![
                segment("en", (38_410, 38_066), (0.04, -0.41, 0.49), false, 0.92),
                segment("de", (9_870, 9_745), (0.12, -0.76, 1.0), false, 0.92),
                segment("ja", (4_030, 3_994), (-0.31, -1.74, 1.12), false, 0.92),
            ],
            heterogeneity: Some(Heterogeneity { p: 0.66, i2: 0.0, sign_change_p: 0.5 }),
        },
    ]
}

fn adjustments() -> Vec<Adjustment> {
    let adjustment = |metric, kind, points: (f64, f64, f64), variance_reduction, support| Adjustment {
        metric,
        kind,
        estimate: Some(points.0 / 100.0),
        interval: Some(Interval { low: points.1 / 100.0, high: points.2 / 100.0 }),
        variance_reduction,
        support,
    };
    vec![
        adjustment("good_turn", "cuped", (-0.47, -0.94, 0.0), Some(0.314), None),
        adjustment("good_turn", "like_for_like", (-0.55, -1.12, 0.02), None, Some(0.983)),
        adjustment("good_turn", "mantel_haenszel", (-0.54, -1.11, 0.03), None, Some(0.983)),
        adjustment("good_turn", "same_load", (-0.61, -1.28, 0.06), None, Some(0.874)),
        adjustment("good_turn", "users_alike", (-0.31, -1.19, 0.57), None, None),
        adjustment("bad_turn", "cuped", (0.05, -0.26, 0.36), Some(0.287), None),
        adjustment("bad_turn", "like_for_like", (0.08, -0.3, 0.46), None, Some(0.983)),
    ]
}

fn measures() -> Vec<Measure> {
    let side = |n, mean, p50, p95| Quantiles { n, mean: Some(mean), p50: Some(p50), p95: Some(p95) };
    let measure = |name, title, sides: (Quantiles, Quantiles), difference: (f64, f64, f64), outliers_matter| Measure {
        name,
        title,
        control: sides.0,
        candidate: sides.1,
        difference: Some(difference.0),
        interval: Some(Interval { low: difference.1, high: difference.2 }),
        outliers_matter,
    };
    vec![
        measure(
            "latency_ms",
            "Latency (ms)",
            (side(55_310, 4_181.3, 3_420.0, 10_940.0), side(54_702, 1_702.9, 1_390.0, 4_512.0)),
            (-2_478.4, -2_560.1, -2_396.7),
            false,
        ),
        measure(
            "ttft_ms",
            "Time to the first token (ms)",
            (side(55_310, 612.7, 488.0, 1_730.0), side(54_702, 241.0, 187.0, 702.0)),
            (-371.7, -391.2, -352.2),
            false,
        ),
        measure(
            "cost_usd",
            "Cost of a turn (US dollars)",
            (side(55_310, 0.008_31, 0.006_94, 0.021_9), side(54_702, 0.002_21, 0.001_87, 0.005_84)),
            (-0.006_1, -0.006_3, -0.005_9),
            true,
        ),
        measure(
            "output_tokens",
            "Output tokens",
            (side(55_310, 311.2, 248.0, 840.0), side(54_702, 287.5, 231.0, 771.0)),
            (-23.7, -29.9, -17.5),
            false,
        ),
    ]
}

fn benefit() -> Benefit {
    let chance = |price: f64| 1.0 / (1.0 + ((price - 1.17) / 0.19).exp());
    Benefit {
        saving_per_1000: 6.1,
        saving_interval: Some(Interval { low: 5.9, high: 6.3 }),
        breaks_even_at: Some(1.17),
        surely_pays_below: Some(0.55),
        acceptability: (0..=20).map(|step| f64::from(step) * 0.125).map(|price| (price, chance(price))).collect(),
        worst_case_per_10_000: Some(110.0),
    }
}

fn index() -> Index {
    let part = |signal, weight, without| IndexPart { signal, weight, without };
    Index {
        control: 58.21,
        candidate: 57.94,
        estimate: -0.27,
        interval: Some(Interval { low: -0.83, high: 0.29 }),
        parts: vec![
            part("thumb_up", 1.0, -0.31),
            part("thumb_down", -1.0, -0.36),
            part("copy", 0.5, -0.04),
            part("regenerate", -0.75, -0.22),
            part("edit", -0.25, -0.28),
        ],
        agreeing_share: 0.97,
        n_weightings: 200,
    }
}

fn load() -> Load {
    Load {
        bin_ends: vec![0.2, 0.4, 0.6, 0.8, 1.0],
        control: vec![0.08, 0.21, 0.34, 0.27, 0.10],
        candidate: vec![0.31, 0.36, 0.21, 0.09, 0.03],
        overlap: 0.62,
    }
}

fn candidates() -> Vec<Candidate> {
    use VerdictCode::{Keep, KeepCollecting, Switch};
    use VerdictReason::{SmallCost, Undecided, WorseThanMargin};
    let candidate =
        |name: &str, model: &str, n_users, code, reason, p: (f64, f64), points: (f64, f64, f64), cost, good| {
            Candidate {
                name: name.to_owned(),
                model: Some(model.to_owned()),
                n_users,
                code,
                reason,
                p: Some(p.0),
                p_holm: Some(p.1),
                estimate: Some(points.0 / 100.0),
                interval: Some(Interval { low: points.1 / 100.0, high: points.2 / 100.0 }),
                cost_difference: Some(cost),
                cost_interval: Some(Interval { low: cost - 0.000_21, high: cost + 0.000_21 }),
                is_undominated: good,
            }
        };
    let (eight, fourteen) = ("meta-llama/Llama-3.1-8B-Instruct-Q4_K_M", "Qwen/Qwen3-14B-AWQ");
    vec![
        candidate("llama-8b-q4", eight, 2_388, Switch, SmallCost, (0.0008, 0.0024), (-0.52, -1.1, 0.04), -0.0061, true),
        candidate(
            "qwen-14b",
            fourteen,
            2_401,
            KeepCollecting,
            Undecided,
            (0.061, 0.122),
            (-0.9, -1.9, 0.1),
            -0.0048,
            false,
        ),
        candidate(
            "gemma-2b",
            "google/gemma-2-2b-it",
            2_379,
            Keep,
            WorseThanMargin,
            (0.99, 0.99),
            (-5.3, -6.4, -4.2),
            -0.0077,
            true,
        ),
    ]
}

fn tournament() -> Tournament {
    let player = |name: &str, strength, half: Option<f64>, ranks| Player {
        name: name.to_owned(),
        strength,
        interval: half.map(|half| Interval { low: strength - half, high: strength + half }),
        ranks,
    };
    Tournament {
        players: vec![
            player("llama-70b", 0.0, None, (1, 2)),
            player("llama-8b-q4", -0.08, Some(0.19), (1, 3)),
            player("qwen-14b", -0.21, Some(0.21), (2, 3)),
            player("gemma-2b", -1.04, Some(0.24), (4, 4)),
        ],
        n_wins: vec![
            vec![0.0, 259.5, 143.0, 182.5],
            vec![240.5, 0.0, 88.0, 120.0],
            vec![117.0, 79.0, 0.0, 101.5],
            vec![63.5, 47.0, 42.5, 0.0],
        ],
        is_connected: true,
        first_position: Some(0.11),
    }
}
