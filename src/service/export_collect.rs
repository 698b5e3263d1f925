//! Collects what prompts give: examples onto a local disk, their keys into a plan, everything else into counts.

use std::collections::BTreeMap;
use std::path::Path;

use super::export_benchmarks::BenchmarkFile;
use super::export_bias_counts::Found;
use super::export_biases::{LabelNoise, Reliability, SelectionBias};
use super::export_holders::Holders;
use super::export_rows::{MadeRow, PageOfRows};
use super::export_run::RunError;
use super::export_spill::{Spill, SpillWriter};
use crate::dataset::example::{Exclusions, RowKind};
use crate::dataset::label_noise::Disagreement;
use crate::dataset::minhash::Sketcher;
use crate::dataset::propensity::{Cells, Propensity};
use crate::dataset::redact::Redacted;
use crate::dataset::screen::Screened;
use crate::dataset::{Funnel, Noise, Panel, Plan, Planner, Survey, ask, prompt_signature};
use crate::domain::completion::Message;
use crate::domain::consent::ConsentDefault;
use crate::domain::erasure::IdHash;
use crate::domain::hash::ContentHash;
use crate::domain::recipe::{Aggregate, LabelNoise as LabelNoiseRule, Recipe, SelectionBias as SelectionRule};
use crate::domain::trust::TrustRule;
use crate::store::groups::Group;
use crate::store::rates::AnswerCount;

/// What the first pass gives the second.
pub(super) struct Gathered {
    /// The examples.
    pub(super) spill: Spill,
    /// Their order, splits and groups.
    pub(super) plan: Plan,
    /// Whose rows they are, as keyed hashes.
    pub(super) holders: Vec<IdHash>,
    /// What the manifest tells of the pass.
    pub(super) read: WhatWasRead,
}

/// What the manifest tells of the first pass.
pub(super) struct WhatWasRead {
    /// What was looked at.
    pub(super) funnel: Funnel,
    /// What became of it, for every kind of row that was asked for.
    pub(super) kinds: BTreeMap<RowKind, KindCounts>,
    /// What was found out about votes and voters.
    pub(super) found: Found,
    /// What was replaced in rows, before the plan left some of them out.
    pub(super) redacted: Redacted,
    /// The benchmark files, and how many rows repeat them.
    pub(super) benchmarks: Vec<BenchmarkFile>,
    /// Prompts that experiments hold out.
    pub(super) n_held_out_prompts: u64,
    /// Whose feedback counted.
    pub(super) trust: TrustRule,
    /// What held for completions that say nothing of consent.
    pub(super) consent_default: ConsentDefault,
    /// The snapshot, in Postgres's own form.
    pub(super) snapshot: String,
}

/// What became of the candidates of one kind of row: examples and exclusions are all of them (DS-5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KindCounts {
    /// What could have become a row.
    pub(super) n_candidates: u64,
    /// Rows.
    pub(super) n_examples: u64,
    /// Candidates that became no row, from harvest and plan.
    pub(super) exclusions: Exclusions,
}

impl KindCounts {
    /// Adds the counts of other candidates.
    fn extend(&mut self, other: &Self) {
        self.n_candidates += other.n_candidates;
        self.n_examples += other.n_examples;
        self.exclusions.extend(&other.exclusions);
    }
}

/// Collects what prompts give.
pub(super) struct Collector {
    recipe: Recipe,
    trust: TrustRule,
    consent_default: ConsentDefault,
    spill: SpillWriter,
    planner: Planner,
    holders: Holders,
    kinds: BTreeMap<RowKind, KindCounts>,
    funnel: Funnel,
    cells: Cells,
    noise: Noise,
    survey: Survey,
    reliability: [Option<Reliability>; 2],
    screened: Screened,
    benchmarks: Vec<BenchmarkFile>,
    sketcher: Sketcher,
    n_held_out_prompts: u64,
}

impl Collector {
    /// Starts to collect.
    pub(super) fn create(
        recipe: Recipe,
        (trust, consent_default): (TrustRule, ConsentDefault),
        spill: &Path,
        benchmarks: Vec<BenchmarkFile>,
    ) -> std::io::Result<Self> {
        let kinds = RowKind::asked_for(&recipe).into_iter().map(|kind| (kind, KindCounts::default())).collect();
        Ok(Self {
            planner: Planner::new(&recipe.options),
            screened: Screened::default(),
            benchmarks,
            sketcher: Sketcher::new(&recipe.options.split_salt),
            n_held_out_prompts: 0,
            recipe,
            trust,
            consent_default,
            holders: Holders::default(),
            spill: SpillWriter::create(spill)?,
            kinds,
            funnel: Funnel::default(),
            cells: Cells::default(),
            noise: Noise::default(),
            survey: Survey::default(),
            reliability: [None, None],
        })
    }

    /// Counts feedback that no group holds.
    pub(super) fn leave_out(&mut self, reason: &'static str, n_items: u64) {
        if n_items > 0 {
            self.funnel.n_feedback += n_items;
            *self.funnel.feedback_left_out.0.entry(reason).or_default() += n_items;
        }
    }

    /// Takes the number of all answers, by model, language and length: what rates of feedback are rates of.
    pub(super) fn count_answers(&mut self, counts: &[AnswerCount]) {
        for AnswerCount { model, language, bucket, n_completions } in counts {
            self.cells.add_completions(model, language, *bucket, *n_completions);
        }
    }

    /// Tells whether every prompt has to be read once before, to find out how reliable voters are.
    pub(super) fn needs_survey(&self) -> bool {
        self.recipe.options.aggregate == Aggregate::DawidSkene
    }

    /// Asks the voters of some prompts.
    pub(super) fn ask(mut self, groups: &[Group]) -> Self {
        for group in groups {
            ask(&mut self.survey, &group.completions, &group.feedback, &self.recipe);
        }
        self
    }

    /// Ends the survey: votes are weighed by the panel that it gives.
    pub(super) fn empanel(mut self) -> (Self, Panel) {
        let panel = std::mem::take(&mut self.survey).finish();
        self.reliability = [Reliability::of(panel.pairs()), Reliability::of(panel.labels())];
        (self, panel)
    }

    /// Keeps a prompt, and what is nearly the same, out of the train split.
    pub(super) fn hold_out(&mut self, hash: ContentHash, prompt: &[Message]) {
        self.planner.hold_out(hash, prompt_signature(prompt, &mut self.sketcher));
        self.n_held_out_prompts += 1;
    }

    /// Takes the rows of a page onto the disk, their keys into the plan, and adds up what was counted.
    pub(super) fn add(mut self, page: PageOfRows) -> Result<Self, RunError> {
        self.funnel.extend(&page.funnel);
        self.noise.extend(&page.noise);
        self.screened.extend(&page.screened);
        let numbers = self.cells.absorb(&page.cells);
        for (hash, signature) in page.prompts {
            self.planner.describe_prompt(hash, signature);
        }
        for key in page.former {
            self.planner.add_former(key);
        }
        for (kind, counts) in &page.kinds {
            self.kinds.entry(*kind).or_default().extend(counts);
        }
        for MadeRow { example, key, cells, holders } in page.rows {
            // A cell without a number has none here either.
            let cells = cells.map(|cell| numbers.get(cell as usize).copied().unwrap_or(cell));
            self.planner.add(key.in_cells(cells));
            self.holders.add(&holders);
            self.spill.push(&example)?;
        }
        Ok(self)
    }

    /// Sums up what was found out about votes and voters, and weighs the rows by it where the recipe asks for it.
    fn find_out(&mut self) -> Found {
        let propensity = Propensity::new(self.cells.list());
        if self.recipe.options.selection_bias == SelectionRule::Ipw {
            self.planner.weigh_by(self.cells.list().iter().map(|cell| propensity.weight(cell)).collect());
        }
        let is_estimated = self.recipe.options.label_noise == LabelNoiseRule::Estimate;
        let noise = |of: &Disagreement| is_estimated.then(|| LabelNoise::of(of)).flatten();
        let [pair_reliability, label_reliability] = self.reliability;
        Found {
            pair_noise: noise(&self.noise.pairs),
            label_noise: noise(&self.noise.labels),
            pair_reliability,
            label_reliability,
            selection: Some(SelectionBias::of(&propensity)),
        }
    }

    /// Plans what was collected.
    pub(super) fn finish(mut self, snapshot: String) -> Result<Gathered, RunError> {
        let found = self.find_out();
        let plan = self.planner.plan();
        for (kind, exclusions) in &plan.exclusions {
            self.kinds.entry(*kind).or_default().exclusions.extend(exclusions);
        }
        for placement in &plan.placements {
            self.kinds.entry(placement.kind).or_default().n_examples += 1;
        }
        for (file, n_rows) in self.benchmarks.iter_mut().zip(&self.screened.n_rows_of_benchmarks) {
            file.n_rows = *n_rows;
        }
        let read = WhatWasRead {
            funnel: self.funnel,
            kinds: self.kinds,
            found,
            redacted: self.screened.redacted,
            benchmarks: self.benchmarks,
            n_held_out_prompts: self.n_held_out_prompts,
            trust: self.trust,
            consent_default: self.consent_default,
            snapshot,
        };
        Ok(Gathered { spill: self.spill.finish()?, holders: self.holders.of(&plan), plan, read })
    }
}
