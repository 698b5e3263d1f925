//! The part of the rich sample that tells what people say: ratings, agreement of signals, and texts.

use afterword::report::comparison::ratings::{Agreement, Answer, Disagreement, SignalPair, Solicited, UpShare};
use afterword::stats::Interval;

pub(super) fn up_share() -> UpShare {
    UpShare {
        control: Some(0.5612),
        candidate: Some(0.6034),
        odds_ratio: 1.187,
        interval: Some(Interval { low: 0.932, high: 1.512 }),
        tipping_factor: Some(1.62),
    }
}

pub(super) fn solicited() -> Solicited {
    Solicited {
        n_asked: (1_660, 1_641),
        n_rated: (581, 566),
        up_share: (Some(0.691), Some(0.684)),
        difference: Some((-0.007, Some(Interval { low: -0.071, high: 0.057 }))),
    }
}

pub(super) fn agreement() -> Agreement {
    let pair = |(n_both, phi): (u64, f64)| SignalPair { n_both, phi: Some(phi) };
    let row = |pairs: &[(u64, f64)]| pairs.iter().copied().map(pair).collect::<Vec<_>>();
    let never = SignalPair { n_both: 0, phi: None };
    let mut candidate = vec![
        row(&[]),
        row(&[(0, -0.01)]),
        row(&[(402, 0.21), (31, -0.08)]),
        row(&[(12, -0.04), (161, 0.33), (611, -0.11)]),
    ];
    candidate.push(vec![never; 4]);
    Agreement {
        signals: vec!["thumb_up", "thumb_down", "copy", "regenerate", "edit"],
        control: vec![
            row(&[]),
            row(&[(0, -0.01)]),
            row(&[(388, 0.20), (28, -0.07)]),
            row(&[(9, -0.03), (148, 0.31), (590, -0.12)]),
            row(&[(3, 0.01), (6, 0.02), (71, 0.09), (2, 0.0)]),
        ],
        candidate,
    }
}

pub(super) fn disagreements() -> Vec<Disagreement> {
    let answer = |completion_id: &str, prompt: &str, response: &str, reactions: &[&'static str]| Answer {
        completion_id: completion_id.to_owned(),
        prompt: prompt.to_owned(),
        response: response.to_owned(),
        reactions: reactions.to_vec(),
    };
    vec![
        Disagreement {
            task: Some("code".to_owned()),
            control: Some(answer(
                "c-70b-18841",
                "Write a function that removes duplicates from a list and keeps the order.",
                "def unique(items):\n    seen = set()\n    return [i for i in items if not (i in seen or seen.add(i))]",
                &["copy", "thumb up"],
            )),
            candidate: Some(answer(
                "c-8b-20417",
                "Remove duplicates from a list without changing its order, please.",
                "def unique(items):\n    return list(set(items))",
                &["regenerate", "thumb down"],
            )),
        },
        Disagreement {
            task: None,
            control: Some(answer(
                "c-70b-9002",
                "Opening hours on Sunday?",
                "We are closed on Sundays.",
                &["thumb down"],
            )),
            candidate: Some(answer("c-8b-9117", "Are you open on Sundays?", "On Sundays we open 10–16.", &["copy"])),
        },
    ]
}
