//! Collects what prompts give: examples onto a local disk, their keys into a plan, everything else into counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::export_benchmarks::BenchmarkFile;
use super::export_bias_counts::Found;
use super::export_biases::{LabelNoise, Reliability, SelectionBias};
use super::export_holders::Holders;
use super::export_hooks::{Admitted, Asked};
use super::export_run::RunError;
use super::export_spill::{Spill, SpillWriter};
use crate::dataset::decontaminate::Benchmarks;
use crate::dataset::example::{Exclusions, RowKind};
use crate::dataset::exclusion::UNSAFE;
use crate::dataset::label_noise::Disagreement;
use crate::dataset::minhash::Sketcher;
use crate::dataset::propensity::{Cells, Propensity};
use crate::dataset::redact::Redacted;
use crate::dataset::screen::Screen;
use crate::dataset::{Crop, Funnel, Noise, Panel, Plan, PlanKey, Planner, Survey, ask, harvest_by, prompt_signature};
use crate::domain::completion::Message;
use crate::domain::consent::ConsentDefault;
use crate::domain::erasure::IdHash;
use crate::domain::hash::ContentHash;
use crate::domain::ids::CompletionId;
use crate::domain::recipe::{Aggregate, Dedup, LabelNoise as LabelNoiseRule, Recipe, SelectionBias as SelectionRule};
use crate::domain::trust::TrustRule;
use crate::store::groups::Group;
use crate::store::rates::AnswerCount;

/// The cell of an answer that was not read.
const NO_CELL: u32 = u32::MAX;

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
    panel: Option<Panel>,
    screen: Screen,
    benchmarks: Vec<BenchmarkFile>,
    sketcher: Sketcher,
    n_held_out_prompts: u64,
}

impl Collector {
    /// Starts to collect; the recipe's own filter of trust gives way to the one that was settled with the project.
    pub(super) fn create(
        mut recipe: Recipe,
        (trust, consent_default): (TrustRule, ConsentDefault),
        holders: Holders,
        spill: &Path,
        (benchmarks, files): (Benchmarks, Vec<BenchmarkFile>),
    ) -> std::io::Result<Self> {
        recipe.selection.trust = Some(trust.filter);
        let kinds = RowKind::asked_for(&recipe).into_iter().map(|kind| (kind, KindCounts::default())).collect();
        Ok(Self {
            planner: Planner::new(&recipe.options),
            screen: Screen::new(&recipe.options, benchmarks),
            benchmarks: files,
            sketcher: Sketcher::new(&recipe.options.split_salt),
            n_held_out_prompts: 0,
            recipe,
            trust,
            consent_default,
            holders,
            spill: SpillWriter::create(spill)?,
            kinds,
            funnel: Funnel::default(),
            cells: Cells::new(),
            noise: Noise::default(),
            survey: Survey::default(),
            panel: None,
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

    /// Ends the survey: from now on votes are weighed.
    pub(super) fn empanel(mut self) -> Self {
        self.panel = Some(std::mem::take(&mut self.survey).finish());
        self
    }

    /// Keeps a prompt, and what is nearly the same, out of the train split.
    pub(super) fn hold_out(&mut self, hash: ContentHash, prompt: &[Message]) {
        self.planner.hold_out(hash, prompt_signature(prompt, &mut self.sketcher));
        self.n_held_out_prompts += 1;
    }

    /// Takes some prompts with all their answers; gives the rows back that hooks may be asked about before they are kept.
    pub(super) fn take(mut self, groups: Vec<Group>) -> (Self, Vec<Admitted>) {
        let mut admitted = Vec::new();
        for group in groups {
            let harvest = harvest_by(self.panel.as_ref(), &group.completions, &group.feedback, &self.recipe);
            self.funnel.extend(&harvest.funnel);
            self.noise.extend(&harvest.noise);
            let cells = self.cells_of(&group, &harvest.heard);
            let ties_something = |crop: &Crop| !crop.examples.is_empty() || !crop.former.is_empty();
            if harvest.crops.values().any(ties_something)
                && let Some(completion) = group.completions.first()
            {
                let signature = prompt_signature(&completion.prompt, &mut self.sketcher);
                self.planner.describe_prompt(group.prompt_hash, signature);
            }
            for (kind, crop) in harvest.crops {
                for key in crop.former {
                    self.planner.add_former(key);
                }
                let counts = self.kinds.entry(kind).or_default();
                counts.n_candidates += crop.n_candidates;
                counts.exclusions.extend(&crop.exclusions);
                for example in crop.examples {
                    let is_flagged = group.flagged.contains(&example.chosen_id);
                    let better = cells.get(&example.chosen_id).copied().unwrap_or(NO_CELL);
                    let worse = example.rejected_id.as_ref().and_then(|id| cells.get(id)).copied();
                    match self.screen.admit(&example, is_flagged) {
                        Ok(()) => {
                            let holders = self.holders.numbers(&example, &group.completions);
                            admitted.push(Admitted { example, cells: [better, worse.unwrap_or(better)], holders });
                        }
                        Err(reason) => counts.exclusions.add(reason),
                    }
                }
            }
        }
        (self, admitted)
    }

    /// Keeps rows, without personal data where the recipe wants that.
    pub(super) fn keep(mut self, asked: Vec<Asked>) -> Result<Self, RunError> {
        for Asked { row: Admitted { mut example, cells, holders }, found, is_flagged } in asked {
            let passed = if is_flagged { Err(UNSAFE) } else { self.screen.redact(&mut example, found) };
            match passed {
                Ok(()) => {
                    let key = PlanKey::of(&example).in_cells(cells);
                    let is_compared = self.recipe.options.dedup == Dedup::Near;
                    self.planner.add(if is_compared { key.signed(&example, &mut self.sketcher) } else { key });
                    self.holders.add(&holders);
                    self.spill.push(&example)?;
                }
                Err(reason) => self.kinds.entry(example.body.kind()).or_default().exclusions.add(reason),
            }
        }
        Ok(self)
    }

    /// Counts the answers with feedback, and returns the cell of every answer. Answers beside the selection belong to cells,
    /// too, but are not among those that were counted.
    fn cells_of<'g>(&mut self, group: &'g Group, heard: &BTreeSet<CompletionId>) -> HashMap<&'g CompletionId, u32> {
        let mut cells = HashMap::with_capacity(group.completions.len());
        for completion in &group.completions {
            let language = completion.language.as_deref().unwrap_or_default();
            let cell = self.cells.number(&completion.model, language, completion.n_response_bytes);
            if completion.selected && heard.contains(&completion.id) {
                self.cells.add_feedback(cell);
            }
            cells.insert(&completion.id, cell);
        }
        cells
    }

    /// Sums up what was found out about votes and voters, and weighs the rows by it where the recipe asks for it.
    fn find_out(&mut self) -> Found {
        let propensity = Propensity::new(self.cells.list());
        if self.recipe.options.selection_bias == SelectionRule::Ipw {
            self.planner.weigh_by(self.cells.list().iter().map(|cell| propensity.weight(cell)).collect());
        }
        let is_estimated = self.recipe.options.label_noise == LabelNoiseRule::Estimate;
        let noise = |of: &Disagreement| is_estimated.then(|| LabelNoise::of(of)).flatten();
        Found {
            pair_noise: noise(&self.noise.pairs),
            label_noise: noise(&self.noise.labels),
            pair_reliability: self.panel.as_ref().and_then(|panel| Reliability::of(panel.pairs())),
            label_reliability: self.panel.as_ref().and_then(|panel| Reliability::of(panel.labels())),
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
        let screened = self.screen.finish();
        for (file, n_rows) in self.benchmarks.iter_mut().zip(screened.n_rows_of_benchmarks) {
            file.n_rows = n_rows;
        }
        let read = WhatWasRead {
            funnel: self.funnel,
            kinds: self.kinds,
            found,
            redacted: screened.redacted,
            benchmarks: self.benchmarks,
            n_held_out_prompts: self.n_held_out_prompts,
            trust: self.trust,
            consent_default: self.consent_default,
            snapshot,
        };
        Ok(Gathered { spill: self.spill.finish()?, holders: self.holders.of(&plan), plan, read })
    }
}
