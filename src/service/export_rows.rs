//! Makes the rows of a page of prompts: harvested, screened, asked about and without personal data. What becomes of one page
//! does not depend on any other, so that several are made at once; what has to be known of all of them, the collector
//! puts together.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::erase_hashes::IdHasher;
use super::export_collect::KindCounts;
use super::export_holders::holders_of;
use super::export_hooks::{Admitted, Asked, Asking};
use super::export_lanes::AsyncWork;
use super::export_run::{RunError, blocking};
use crate::dataset::decontaminate::Benchmarks;
use crate::dataset::example::{Example, RowKind};
use crate::dataset::exclusion::UNSAFE;
use crate::dataset::folded::PromptHasher;
use crate::dataset::minhash::{Signature, Sketcher};
use crate::dataset::propensity::Cells;
use crate::dataset::screen::{Screen, Screened};
use crate::dataset::{Crop, Funnel, Noise, Panel, PlanKey, harvest_by, prompt_signature};
use crate::domain::erasure::IdHash;
use crate::domain::hash::ContentHash;
use crate::domain::ids::CompletionId;
use crate::domain::recipe::{Dedup, Recipe};
use crate::store::groups::Group;

/// The cell of an answer that was not read.
const NO_CELL: u32 = u32::MAX;

/// A row with what the plan has to know of it.
pub(super) struct MadeRow {
    /// The row.
    pub(super) example: Example,
    /// Its key.
    pub(super) key: PlanKey,
    /// Cells of its answers by their numbers in the page: the better or only one, the worse one.
    pub(super) cells: [u32; 2],
    /// Whose row it is.
    pub(super) holders: Vec<IdHash>,
}

/// What a page of prompts gives.
#[derive(Default)]
pub(super) struct PageOfRows {
    /// What was looked at.
    pub(super) funnel: Funnel,
    /// How users disagree.
    pub(super) noise: Noise,
    /// Answers with feedback.
    pub(super) cells: Cells,
    /// What became of the candidates; no rows are counted yet.
    pub(super) kinds: BTreeMap<RowKind, KindCounts>,
    /// Prompts that tie something, with what they are like.
    pub(super) prompts: Vec<(ContentHash, Signature)>,
    /// Keys of rows that were examples once.
    pub(super) former: Vec<PlanKey>,
    /// The rows.
    pub(super) rows: Vec<MadeRow>,
    /// What the screen found.
    pub(super) screened: Screened,
}

/// Makes rows by one recipe.
pub(super) struct RowMaker {
    recipe: Recipe,
    panel: Option<Panel>,
    screen: Screen,
    asking: Asking,
    hasher: IdHasher,
    sketcher: Sketcher,
}

impl RowMaker {
    /// Gets ready; the recipe's own filter of trust must have been settled.
    pub(super) fn new(recipe: Recipe, hasher: IdHasher, benchmarks: Benchmarks, asking: Asking) -> Self {
        let screen = Screen::new(&recipe.options, benchmarks);
        let sketcher = Sketcher::new(&recipe.options.split_salt);
        Self { recipe, panel: None, screen, asking, hasher, sketcher }
    }

    /// Weighs votes from now on instead of counting them.
    #[must_use]
    pub(super) fn with_panel(self, panel: Panel) -> Self {
        Self { panel: Some(panel), ..self }
    }

    fn harvest(&self, groups: Vec<Group>) -> Harvested {
        let mut harvested =
            Harvested { page: PageOfRows::default(), screen: self.screen.clone(), admitted: Vec::new() };
        let mut sketcher = self.sketcher.clone();
        for group in groups {
            let harvest = harvest_by(self.panel.as_ref(), &group.completions, &group.feedback, &self.recipe);
            let page = &mut harvested.page;
            page.funnel.extend(&harvest.funnel);
            page.noise.extend(&harvest.noise);
            let cells = cells_of(&mut page.cells, &group, &harvest.heard);
            let ties_something = |crop: &Crop| !crop.examples.is_empty() || !crop.former.is_empty();
            if harvest.crops.values().any(ties_something)
                && let Some(completion) = group.completions.first()
            {
                let signature = prompt_signature(&completion.prompt, &mut sketcher);
                page.prompts.push((group.prompt_hash, signature));
            }
            for (kind, crop) in harvest.crops {
                harvested.take(kind, crop, (&group, &cells), &self.hasher);
            }
        }
        harvested
    }

    fn finish(&self, Harvested { mut page, mut screen, .. }: Harvested, asked: Vec<Asked>) -> PageOfRows {
        let (mut sketcher, mut hasher) = (self.sketcher.clone(), PromptHasher::default());
        for Asked { row: Admitted { mut example, cells, holders }, found, is_flagged } in asked {
            let passed = if is_flagged { Err(UNSAFE) } else { screen.redact(&mut example, found) };
            match passed {
                Ok(()) => {
                    let key = PlanKey::hashed_by(&mut hasher, &example);
                    let is_compared = self.recipe.options.dedup == Dedup::Near;
                    let key = if is_compared { key.signed(&example, &mut sketcher) } else { key };
                    page.rows.push(MadeRow { example, key, cells, holders });
                }
                Err(reason) => page.kinds.entry(example.body.kind()).or_default().exclusions.add(reason),
            }
        }
        page.screened = screen.finish();
        page
    }
}

impl AsyncWork<PageOfRows> for Arc<RowMaker> {
    async fn work_on(&self, groups: Vec<Group>) -> Result<PageOfRows, RunError> {
        let maker = Self::clone(self);
        let mut harvested = blocking(move || Ok(maker.harvest(groups))).await?;
        let asked = self.asking.ask(std::mem::take(&mut harvested.admitted)).await?;
        let maker = Self::clone(self);
        blocking(move || Ok(maker.finish(harvested, asked))).await
    }
}

/// A page before anybody was asked about its rows.
struct Harvested {
    page: PageOfRows,
    screen: Screen,
    admitted: Vec<Admitted>,
}

impl Harvested {
    /// Takes what one prompt gives of one kind of row.
    fn take(
        &mut self,
        kind: RowKind,
        crop: Crop,
        (group, cells): (&Group, &HashMap<&CompletionId, u32>),
        hasher: &IdHasher,
    ) {
        self.page.former.extend(crop.former);
        let counts = self.page.kinds.entry(kind).or_default();
        counts.n_candidates += crop.n_candidates;
        counts.exclusions.extend(&crop.exclusions);
        for example in crop.examples {
            let is_flagged = group.flagged.contains(&example.chosen_id);
            let better = cells.get(&example.chosen_id).copied().unwrap_or(NO_CELL);
            let worse = example.rejected_id.as_ref().and_then(|id| cells.get(id)).copied();
            match self.screen.admit(&example, is_flagged) {
                Ok(()) => {
                    let holders = holders_of(hasher, &example, &group.completions);
                    self.admitted.push(Admitted { example, cells: [better, worse.unwrap_or(better)], holders });
                }
                Err(reason) => counts.exclusions.add(reason),
            }
        }
    }
}

/// Counts the answers with feedback, and returns the cell of every answer. Answers beside the selection belong to cells,
/// too, but are not among those that were counted.
fn cells_of<'g>(page: &mut Cells, group: &'g Group, heard: &BTreeSet<CompletionId>) -> HashMap<&'g CompletionId, u32> {
    let mut cells = HashMap::with_capacity(group.completions.len());
    for completion in &group.completions {
        let language = completion.language.as_deref().unwrap_or_default();
        let cell = page.number(&completion.model, language, completion.n_response_bytes);
        if completion.selected && heard.contains(&completion.id) {
            page.add_feedback(cell);
        }
        cells.insert(&completion.id, cell);
    }
    cells
}
