//! Why rows cannot be exported, in words for whoever asked for them.

use std::collections::BTreeMap;

use super::export_card::sentence;
use super::export_collect::{KindCounts, WhatWasRead};
use super::export_manifest::top_exclusions;
use crate::dataset::Plan;
use crate::dataset::example::{Exclusions, RowKind};
use crate::dataset::exclusion::UNTRUSTED;
use crate::domain::export::ExportProblem;
use crate::domain::recipe::{Format, Formats};
use crate::report::count::{counted, words_for};

/// Reasons that a sentence names.
const N_REASONS: usize = 3;

/// Says why what was gathered cannot be exported, if it cannot.
pub(super) fn refuse(read: &WhatWasRead, plan: &Plan) -> Option<ExportProblem> {
    // Ties stand beside rows, not in their place.
    if plan.placements.iter().all(|row| row.kind == RowKind::Tie) {
        return Some(no_examples(read));
    }
    match plan.n_labels {
        (n_good @ 1.., 0) => Some(one_class(read, n_good, "good")),
        (0, n_bad @ 1..) => Some(one_class(read, n_bad, "bad")),
        _ => None,
    }
}

/// Says of every format without rows, beside others that have some, that it has none and why.
pub(super) fn empty_formats(read: &WhatWasRead, formats: &Formats) -> Vec<String> {
    let empty = formats.iter().filter_map(|format| {
        let counts = read.kinds.get(&RowKind::of(format)).filter(|counts| counts.n_examples == 0)?;
        Some(format!("`{}` has no rows, so the export has no such config: {}.", format.as_str(), why(read, counts)))
    });
    empty.collect()
}

/// Explains an export without rows by what was left out.
fn no_examples(read: &WhatWasRead) -> ExportProblem {
    let mut all = KindCounts::default();
    for (_, counts) in read.kinds.iter().filter(|(kind, _)| **kind != RowKind::Tie) {
        all.n_candidates += counts.n_candidates;
        all.exclusions.extend(&counts.exclusions);
    }
    let n_untrusted = read.funnel.feedback_left_out.0.get(UNTRUSTED).copied().unwrap_or_default();
    let nothing = if all.n_candidates == 0 { ", so there is nothing to export" } else { "" };
    let detail = format!("{}{nothing}", why(read, &all));
    let detail = if n_untrusted > 0 {
        format!("{detail}; nothing vouches for {n_untrusted} of the items, and only verified feedback counts (`trust`)")
    } else {
        detail
    };
    problem(ExportProblem::NO_EXAMPLES, detail, &all.exclusions)
}

fn why(read: &WhatWasRead, counts: &KindCounts) -> String {
    let funnel = &read.funnel;
    if funnel.n_feedback == 0 {
        "no completion that the selection lets through has feedback".to_owned()
    } else if counts.n_candidates == 0 {
        format!(
            "{} of feedback on {} {} nothing that this format can use",
            counted(funnel.n_feedback, "item"),
            counted(funnel.n_prompts, "prompt"),
            words_for(funnel.n_feedback, "holds", "hold")
        )
    } else {
        let reasons: Vec<String> = top_exclusions(&counts.exclusions.0)
            .iter()
            .take(N_REASONS)
            .map(|(reason, n)| format!("{reason} {n} ({})", sentence(reason).trim_end_matches('.')))
            .collect();
        format!("all {} candidates were left out: {}", counts.n_candidates, reasons.join("; "))
    }
}

/// KTO learns from the contrast of good and bad answers, and no trainer says a word when there is none.
fn one_class(read: &WhatWasRead, n: u64, class: &str) -> ExportProblem {
    let exclusions = read.kinds.get(&RowKind::Labelled).map(|counts| counts.exclusions.clone()).unwrap_or_default();
    let detail = format!(
        "the {n} rows of the format `{}` are all labelled {class}; KTO needs good and bad answers, and trains on one \
         class without a word",
        Format::Unpaired.as_str()
    );
    problem(ExportProblem::ONE_CLASS, detail, &exclusions)
}

fn problem(code: &str, detail: String, exclusions: &Exclusions) -> ExportProblem {
    let n_exclusions: BTreeMap<String, u64> =
        exclusions.0.iter().map(|(reason, n)| ((*reason).to_owned(), *n)).collect();
    ExportProblem { code: code.to_owned(), detail, n_exclusions }
}
