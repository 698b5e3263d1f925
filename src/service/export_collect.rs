//! Collects what prompts give: examples onto a local disk, their keys into a plan, everything else into counts.

use std::collections::BTreeMap;
use std::path::Path;

use super::export_run::RunError;
use super::export_spill::{Spill, SpillWriter};
use crate::dataset::example::{Exclusions, RowKind};
use crate::dataset::{Funnel, Plan, PlanKey, Planner, harvest};
use crate::domain::recipe::Recipe;
use crate::domain::trust::TrustRule;
use crate::store::groups::Group;

/// What the first pass gives the second.
pub(super) struct Gathered {
    /// The examples.
    pub(super) spill: Spill,
    /// Their order, splits and groups.
    pub(super) plan: Plan,
    /// What the manifest tells of the pass.
    pub(super) read: WhatWasRead,
}

/// What the manifest tells of the first pass.
pub(super) struct WhatWasRead {
    /// What was looked at.
    pub(super) funnel: Funnel,
    /// What became of it, for every kind of row that was asked for.
    pub(super) kinds: BTreeMap<RowKind, KindCounts>,
    /// Whose feedback counted.
    pub(super) trust: TrustRule,
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
    spill: SpillWriter,
    planner: Planner,
    kinds: BTreeMap<RowKind, KindCounts>,
    funnel: Funnel,
}

impl Collector {
    /// Starts to collect; the recipe's own filter of trust gives way to the one that was settled.
    pub(super) fn create(mut recipe: Recipe, trust: TrustRule, spill: &Path) -> std::io::Result<Self> {
        recipe.selection.trust = Some(trust.filter);
        let kinds = RowKind::asked_for(&recipe).into_iter().map(|kind| (kind, KindCounts::default())).collect();
        Ok(Self {
            planner: Planner::new(&recipe.options),
            recipe,
            trust,
            spill: SpillWriter::create(spill)?,
            kinds,
            funnel: Funnel::default(),
        })
    }

    /// Counts feedback that no group holds.
    pub(super) fn leave_out(&mut self, reason: &'static str, n_items: u64) {
        if n_items > 0 {
            self.funnel.n_feedback += n_items;
            *self.funnel.feedback_left_out.0.entry(reason).or_default() += n_items;
        }
    }

    /// Takes some prompts with all their answers.
    pub(super) fn take(mut self, groups: Vec<Group>) -> Result<Self, RunError> {
        for group in groups {
            let harvest = harvest(&group.completions, &group.feedback, &self.recipe);
            self.funnel.extend(&harvest.funnel);
            for (kind, crop) in harvest.crops {
                for example in &crop.examples {
                    self.planner.add(PlanKey::of(example));
                    self.spill.push(example)?;
                }
                for key in crop.former {
                    self.planner.add_former(key);
                }
                let counts = self.kinds.entry(kind).or_default();
                counts.n_candidates += crop.n_candidates;
                counts.exclusions.extend(&crop.exclusions);
            }
        }
        Ok(self)
    }

    /// Plans what was collected.
    pub(super) fn finish(mut self, snapshot: String) -> Result<Gathered, RunError> {
        let plan = self.planner.plan();
        for (kind, exclusions) in &plan.exclusions {
            self.kinds.entry(*kind).or_default().exclusions.extend(exclusions);
        }
        for placement in &plan.placements {
            self.kinds.entry(placement.kind).or_default().n_examples += 1;
        }
        let read = WhatWasRead { funnel: self.funnel, kinds: self.kinds, trust: self.trust, snapshot };
        Ok(Gathered { spill: self.spill.finish()?, plan, read })
    }
}
