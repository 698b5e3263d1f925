//! Comparisons with every verdict and every awkward shape of data, as plain values.

use afterword::domain::clock::Timestamp;
use afterword::domain::experiment::Unit;
use afterword::domain::trust::TrustRule;
use afterword::report::comparison::{
    Check, CheckStatus, Comparison, Conclusion, Depth, Difference, ExperimentFacts, Margin, Metric, Preference, Rate,
    Role, Side, Status,
};
use afterword::stats::Interval;
use afterword::stats::verdict::{ComparisonMode, VerdictCode, VerdictReason};

use super::rich;

/// A model name that tries to become markup.
pub(super) const HOSTILE_NAME: &str = "<script>alert(1)</script><!-- \"'&";

/// Every sample with the name of its file.
pub(super) fn all() -> Vec<(&'static str, Comparison)> {
    vec![
        ("switch", switch()),
        ("keep", keep()),
        ("keep_collecting", keep_collecting()),
        ("cannot_tell", cannot_tell()),
        ("invalid", invalid()),
        ("lean_switch", lean_switch()),
        ("lean_keep", lean_keep()),
        ("no_feedback", no_feedback()),
        ("long_names", long_names()),
        ("hostile", hostile()),
        ("rich", rich::rich()),
        ("rich_invalid", rich_invalid()),
        ("rich_hostile", rich_hostile()),
    ]
}

pub(super) fn moment(text: &str) -> Timestamp {
    text.parse().expect("a moment in RFC 3339")
}

fn side(name: &str, model: Option<&str>, n_users: u64, n_turns: u64) -> Side {
    Side {
        name: name.to_owned(),
        model: model.map(ToOwned::to_owned),
        n_users,
        n_completions: n_turns + n_turns / 21,
        n_turns,
        n_seen: n_turns - n_turns / 55,
        n_any_signal: n_turns * 46 / 100,
        n_explicit: n_turns * 2 / 100,
        n_wrote: n_turns / 320,
    }
}

fn conclusion(code: VerdictCode, reason: VerdictReason, sentence: &str, rule: &str, next: Option<&str>) -> Conclusion {
    Conclusion {
        code,
        reason,
        sentence: sentence.to_owned(),
        rule: rule.to_owned(),
        next: next.map(ToOwned::to_owned),
        withholds_numbers: code == VerdictCode::Invalid,
    }
}

fn check(name: &'static str, title: &'static str, status: CheckStatus, detail: &str) -> Check {
    Check { name, title, status, detail: detail.to_owned() }
}

fn checks() -> Vec<Check> {
    use CheckStatus::Pass;
    vec![
        check("sample_ratio", "Sample ratio", Pass, "2,412 and 2,388 users, planned 50.0% each (p = 0.73)."),
        check(
            "crossover",
            "Crossover",
            Pass,
            "0.2% of users were served by both sides; more than 5% would be too many.",
        ),
        check("weekdays", "Weekdays", Pass, "28 days, every weekday at least 4 times."),
        check(
            "minimum_evidence",
            "Minimum evidence",
            Pass,
            "At least 100 users and 20 good and 20 other turns per side.",
        ),
        check(
            "response_rate",
            "Response rate",
            Pass,
            "1.93% and 1.97% of turns were rated; the difference includes 0.",
        ),
    ]
}

/// Numbers of one metric: rates in percent, difference and its ends in points, limit as a share.
struct Row {
    name: &'static str,
    title: &'static str,
    definition: &'static str,
    higher_is_better: bool,
    rates: (f64, f64),
    difference: (f64, f64),
    margin: Option<f64>,
    status: Status,
}

fn metric(row: &Row, n_turns: (u64, u64), n_users: (u64, u64)) -> Metric {
    let rate = |percent: f64, n: u64, n_users: u64| {
        let estimate = percent / 100.0;
        let half = 2.6 * (estimate * (1.0 - estimate) / n as f64).sqrt();
        let interval = Interval { low: (estimate - half).max(0.0), high: (estimate + half).min(1.0) };
        Rate { n, n_users, estimate: Some(estimate), interval: Some(interval) }
    };
    let interval = Interval { low: row.difference.0 / 100.0, high: row.difference.1 / 100.0 };
    Metric {
        name: row.name,
        title: row.title,
        definition: row.definition,
        role: if row.margin.is_some() { Role::MustPass } else { Role::Secondary },
        // Whether people carry on or rate is shown, and nobody calls more of it better.
        is_judged: !matches!(row.name, "continuation" | "rated"),
        higher_is_better: row.higher_is_better,
        control: rate(row.rates.0, n_turns.0, n_users.0),
        candidate: rate(row.rates.1, n_turns.1, n_users.1),
        difference: Difference {
            estimate: Some((row.rates.1 - row.rates.0) / 100.0),
            interval: Some(interval),
            method: if row.margin.is_some() { "cluster_newcombe_relative" } else { "cluster_newcombe" },
        },
        margin: row.margin.map(|relative| Margin {
            relative,
            absolute: (relative * row.rates.0 / 100.0).max(0.002),
            below_floor: relative * row.rates.0 < 0.2,
        }),
        status: row.status,
        note: None,
    }
}

/// The differences of the six usual metrics: low and high in points, and what they say.
type Effects = [(f64, f64, f64, Status); 6];

/// A metric before its effect is known: name, title, definition, higher is better, control's rate in percent, limit.
type Shape = (&'static str, &'static str, &'static str, bool, f64, Option<f64>);

fn metrics(effects: &Effects, n_turns: (u64, u64), n_users: (u64, u64)) -> Vec<Metric> {
    let shapes: [Shape; 6] = [
        (
            "good_turn",
            "Good turns",
            "Copied or thumbed up, and neither regenerated nor thumbed down.",
            true,
            31.92,
            Some(0.05),
        ),
        ("bad_turn", "Bad turns", "Regenerated or thumbed down.", false, 8.74, Some(0.10)),
        ("thumb_up", "Thumbs up", "Turns with a thumb up; no thumb counts as none.", true, 1.08, Some(0.15)),
        ("thumb_down", "Thumbs down", "Turns with a thumb down; no thumb counts as none.", false, 0.83, Some(0.15)),
        ("continuation", "Continued", "The conversation went on after this turn.", true, 57.3, None),
        ("edit", "Edited", "The answer was edited before it was used.", false, 0.31, None),
    ];
    shapes
        .iter()
        .zip(effects)
        .map(|(&(name, title, definition, higher_is_better, control, margin), &(low, high, estimate, status))| {
            let rates = (control, control + estimate);
            let row = Row { name, title, definition, higher_is_better, rates, difference: (low, high), margin, status };
            metric(&row, n_turns, n_users)
        })
        .collect()
}

/// The comparison that the others depart from: an experiment that ended well.
pub(super) fn switch() -> Comparison {
    use Status::{Better, NonInferior, Undecided};
    let effects = [
        (-1.10, 0.04, -0.52, NonInferior),
        (-0.31, 0.44, 0.06, NonInferior),
        (-0.11, 0.17, 0.03, NonInferior),
        (-0.21, -0.02, -0.11, Better),
        (-1.3, 0.9, -0.2, Undecided),
        (-0.06, 0.05, -0.01, Undecided),
    ];
    Comparison {
        control: side("llama-70b", Some("meta-llama/Llama-3.3-70B-Instruct"), 2_412, 55_310),
        candidate: side("llama-8b-q4", Some("meta-llama/Llama-3.1-8B-Instruct-Q4_K_M"), 2_388, 54_702),
        mode: ComparisonMode::Randomised,
        experiment: Some(ExperimentFacts {
            key: "llama-8b-rollout".to_owned(),
            declared_at: moment("2026-01-05T09:00:00Z"),
            planned_shares: (0.5, 0.5),
        }),
        unit: Unit::User,
        alpha: 0.025,
        verdict: conclusion(
            VerdictCode::Switch,
            VerdictReason::SmallCost,
            "You can switch. Good turns: 31.4 against 31.9 per 100; at worst 1.1 fewer (limit 1.6).",
            "Every metric that must pass stays within its limit over its whole interval, on enough users and days.",
            None,
        ),
        metrics: metrics(&effects, (55_310, 54_702), (2_412, 2_388)),
        checks: checks(),
        preference: Some(Preference {
            n_wins: 212,
            n_losses: 231,
            n_ties: 57,
            share: Some(0.481),
            interval: Some(Interval { low: 0.4401, high: 0.5221 }),
            p: Some(0.3911),
        }),
        window: Some((moment("2026-01-05T09:04:11Z"), moment("2026-02-01T22:58:40Z"))),
        depth: Depth::default(),
        n_days: 28,
        trust: TrustRule::settle(None, Some(Timestamp::UNIX_EPOCH)),
        n_unverified: 17,
        filters: vec![("task".to_owned(), "chat".to_owned())],
        margin_departures: Vec::new(),
        computed_at: moment("2026-02-02T06:00:00Z"),
    }
}

pub(super) fn keep() -> Comparison {
    use Status::{NonInferior, Undecided, Worse};
    let effects = [
        (-4.42, -2.31, -3.36, Worse),
        (1.02, 2.24, 1.63, Worse),
        (-0.26, 0.14, -0.06, Undecided),
        (-0.09, 0.11, 0.01, NonInferior),
        (-3.9, -1.4, -2.6, Worse),
        (-0.02, 0.11, 0.05, Undecided),
    ];
    Comparison {
        verdict: conclusion(
            VerdictCode::Keep,
            VerdictReason::WorseThanMargin,
            "Keep llama-70b. llama-8b-q4 loses at least 2.3 good turns per 100 (limit 1.6).",
            "The whole interval of good turns and of bad turns lies beyond the limit.",
            Some("A better candidate, or a limit of 4.5 points agreed on before a new experiment."),
        ),
        metrics: metrics(&effects, (55_310, 54_702), (2_412, 2_388)),
        margin_departures: vec![("good_turn".to_owned(), 0.05, 0.08)],
        ..switch()
    }
}

pub(super) fn keep_collecting() -> Comparison {
    use Status::Undecided;
    let effects = [
        (-4.1, 3.2, -0.4, Undecided),
        (-2.4, 2.9, 0.2, Undecided),
        (-0.81, 0.74, -0.03, Undecided),
        (-0.66, 0.92, 0.12, Undecided),
        (-6.1, 5.7, -0.2, Undecided),
        (-0.3, 0.4, 0.05, Undecided),
    ];
    let mut checks = checks();
    checks[2] = check("weekdays", "Weekdays", CheckStatus::Warn, "3 days so far; below 7 there is no switch.");
    checks[3] =
        check("minimum_evidence", "Minimum evidence", CheckStatus::Warn, "77 users in the candidate; 100 are needed.");
    Comparison {
        control: side("llama-70b", None, 81, 1_840),
        candidate: side("llama-8b-q4", None, 77, 1_702),
        verdict: conclusion(
            VerdictCode::KeepCollecting,
            VerdictReason::Undecided,
            "Not yet decided: good turns may be up to 4.1 fewer per 100, and the limit is 1.6.",
            "The intervals still reach beyond the limits, and they will not for ever.",
            Some(
                "About 1,610 more users (27 days) if the models are truly equal; 3,490 if the present difference is real.",
            ),
        ),
        metrics: metrics(&effects, (1_840, 1_702), (81, 77)),
        checks,
        preference: None,
        depth: Depth::default(),
        n_days: 3,
        ..switch()
    }
}

pub(super) fn cannot_tell() -> Comparison {
    let mut comparison = keep_collecting();
    comparison.verdict = conclusion(
        VerdictCode::CannotTell,
        VerdictReason::TooLong,
        "At 4 users a day this needs 31 months. In 30 days you can prove a limit of 6 points.",
        "More days are needed than the 90 that are allowed.",
        Some("More traffic in the experiment, or a wider limit agreed on beforehand."),
    );
    // One reaction was never seen, so that its data hold no spread.
    let unseen = &mut comparison.metrics[3];
    unseen.control.estimate = Some(0.0);
    unseen.candidate.estimate = Some(0.0);
    unseen.difference.estimate = Some(0.0);
    unseen.difference.interval = None;
    unseen.margin = Some(Margin { relative: 0.15, absolute: 0.002, below_floor: true });
    // An interval far wider than its limit is clipped, with an arrow.
    comparison.metrics[2].difference.interval = Some(Interval { low: -0.031, high: 0.042 });
    comparison
}

pub(super) fn invalid() -> Comparison {
    let mut checks = checks();
    checks[0] = check(
        "sample_ratio",
        "Sample ratio",
        CheckStatus::Fail,
        "2,412 and 2,108 users, planned 50.0% each (p = 6e-6): 12% of the candidate's users are missing.",
    );
    Comparison {
        candidate: side("llama-8b-q4", None, 2_108, 48_120),
        verdict: conclusion(
            VerdictCode::Invalid,
            VerdictReason::SampleRatioMismatch,
            "Do not read this: 46.6% of users are in the candidate, planned 50.0% (p = 6e-6).",
            "The observed shares are not those that were planned, and chance does not explain it.",
            Some("Find out why users of the candidate are missing: timeouts, a redirect, a filter on one side only."),
        ),
        checks,
        ..switch()
    }
}

pub(super) fn lean_switch() -> Comparison {
    Comparison {
        mode: ComparisonMode::Observational,
        experiment: None,
        verdict: conclusion(
            VerdictCode::LeanSwitch,
            VerdictReason::NonInferior,
            "Leaning towards a switch: good turns 31.4 against 31.9 per 100, at worst 1.1 fewer (limit 1.6).",
            "Every metric that must pass stays within its limit, but nothing was randomised.",
            Some("An experiment: assign users to both models by chance."),
        ),
        filters: Vec::new(),
        ..switch()
    }
}

pub(super) fn lean_keep() -> Comparison {
    let preference = Preference {
        n_wins: 35,
        n_losses: 767,
        n_ties: 3,
        share: Some(0.0453),
        interval: Some(Interval { low: 0.033, high: 0.062 }),
        p: Some(1.2e-170),
    };
    Comparison {
        mode: ComparisonMode::Observational,
        experiment: None,
        preference: Some(preference),
        verdict: conclusion(
            VerdictCode::LeanKeep,
            VerdictReason::WorseThanMargin,
            "Leaning towards vicuna-13b: vicuna-7b loses at least 2.3 good turns per 100 (limit 1.6).",
            "The whole interval of good turns lies beyond the limit, but nothing was randomised.",
            Some("An experiment: assign users to both models by chance."),
        ),
        ..keep()
    }
}

/// Completions without a single reaction, and a candidate that nobody has used.
pub(super) fn no_feedback() -> Comparison {
    let mut comparison = keep_collecting();
    comparison.verdict = conclusion(
        VerdictCode::CannotTell,
        VerdictReason::DurationUnknown,
        "There is no reaction yet, so nothing can be said.",
        "Nobody can say how many days are needed, since no user arrives.",
        Some("Send feedback: see the tour."),
    );
    comparison.control = Side { n_seen: 0, n_any_signal: 0, n_explicit: 0, n_wrote: 0, ..comparison.control };
    comparison.candidate = Side {
        n_users: 0,
        n_completions: 0,
        n_turns: 0,
        n_seen: 0,
        n_any_signal: 0,
        n_explicit: 0,
        n_wrote: 0,
        ..comparison.candidate
    };
    for metric in &mut comparison.metrics {
        metric.control.estimate = Some(0.0);
        metric.control.interval = Some(Interval { low: 0.0, high: 0.0021 });
        metric.candidate = Rate { n: 0, n_users: 0, estimate: None, interval: None };
        metric.difference = Difference { estimate: None, interval: None, method: metric.difference.method };
        metric.margin = metric.margin.map(|margin| Margin { absolute: 0.002, below_floor: true, ..margin });
        metric.status = Status::Undecided;
    }
    comparison.window = None;
    comparison.n_days = 0;
    comparison
}

pub(super) fn long_names() -> Comparison {
    let long =
        "registry.internal.example/llm/finetunes/support-assistant-de-at-ch-2026-01-rank64-epoch3-merged-AWQ-4bit-g128";
    let mut comparison = switch();
    comparison.control.name = format!("{long}-control");
    comparison.candidate.name = format!("{long}-{}", "x".repeat(140));
    comparison.filters = vec![("tag".to_owned(), "a-very-long-tag-".repeat(12))];
    comparison
}

pub(super) fn hostile() -> Comparison {
    let mut comparison = lean_keep();
    comparison.control.name = HOSTILE_NAME.to_owned();
    comparison.candidate.name = format!("\u{202e}{HOSTILE_NAME}");
    comparison.control.model = Some(HOSTILE_NAME.to_owned());
    comparison.candidate.model = Some(format!("\u{202e}{HOSTILE_NAME}"));
    comparison.verdict.sentence = format!("Leaning towards {HOSTILE_NAME}.");
    comparison.verdict.rule = HOSTILE_NAME.to_owned();
    comparison.verdict.next = Some(HOSTILE_NAME.to_owned());
    comparison.filters = vec![(HOSTILE_NAME.to_owned(), HOSTILE_NAME.to_owned())];
    comparison.checks[0].detail = HOSTILE_NAME.to_owned();
    comparison.margin_departures = vec![(HOSTILE_NAME.to_owned(), 0.05, 0.1)];
    comparison
}

/// Everything is known, and nothing of it may be read.
pub(super) fn rich_invalid() -> Comparison {
    let depth = rich::rich().depth;
    Comparison { depth, ..invalid() }
}

/// Every word of the depth that comes from outside tries to become markup.
pub(super) fn rich_hostile() -> Comparison {
    let depth = rich::rich().depth;
    let mut comparison = Comparison { depth, ..hostile() };
    let name = format!("\u{202e}{HOSTILE_NAME}");
    let depth = &mut comparison.depth;
    for segment in depth.segmentations.iter_mut().flat_map(|segmentation| &mut segmentation.segments) {
        segment.value.clone_from(&name);
    }
    for candidate in &mut depth.candidates {
        candidate.name.clone_from(&name);
        candidate.model = Some(name.clone());
    }
    for player in depth.tournament.iter_mut().flat_map(|tournament| &mut tournament.players) {
        player.name.clone_from(&name);
    }
    for disagreement in &mut depth.disagreements {
        disagreement.task = Some(name.clone());
        for answer in [&mut disagreement.control, &mut disagreement.candidate].into_iter().flatten() {
            answer.completion_id.clone_from(&name);
            answer.prompt.clone_from(&name);
            answer.response.clone_from(&name);
        }
    }
    comparison
}
