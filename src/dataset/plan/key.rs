//! The key of an example: what a plan has to know of it.

use crate::dataset::example::{Body, Example, RowKind, Tie};
use crate::dataset::folded::PromptHasher;
use crate::dataset::minhash::Sketcher;
use crate::dataset::near::RowSignatures;
use crate::dataset::text::fold;
use crate::dataset::traits::Traits;
use crate::domain::clock::Timestamp;
use crate::domain::hash::ContentHash;

/// The small part of an example that a plan over a whole export needs: hashes, a time and a few numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanKey {
    pub(in crate::dataset) kind: RowKind,
    pub(in crate::dataset) label: Option<bool>,
    pub(in crate::dataset) row_id: ContentHash,
    pub(in crate::dataset) texts: ContentHash,
    pub(in crate::dataset) created_at: Timestamp,
    pub(in crate::dataset) n_votes: u32,
    pub(in crate::dataset) ties: Vec<Tie>,
    pub(in crate::dataset) traits: Traits,
    pub(in crate::dataset) signatures: Option<Box<RowSignatures>>,
}

impl PlanKey {
    /// Takes the key of an example.
    pub fn of(example: &Example) -> Self {
        Self::hashed_by(&mut PromptHasher::default(), example)
    }

    /// Takes the same, quicker where examples of one prompt follow each other.
    pub fn hashed_by(hasher: &mut PromptHasher, example: &Example) -> Self {
        Self {
            kind: example.body.kind(),
            label: example.body.label(),
            row_id: example.row_id,
            texts: texts(hasher, &example.body),
            created_at: example.created_at,
            n_votes: example.n_votes,
            ties: example.ties.clone(),
            traits: Traits::of(example),
            signatures: None,
        }
    }

    /// Says of which cells of [`Cells`](crate::dataset::propensity::Cells) the answers are: the better or only one, the worse one.
    #[must_use]
    pub fn in_cells(mut self, cells: [u32; 2]) -> Self {
        self.traits.cells = cells;
        self
    }

    /// Adds the signatures of an example's texts, which [`Dedup::Near`](crate::domain::recipe::Dedup::Near) compares.
    #[must_use]
    pub fn signed(mut self, example: &Example, sketcher: &mut Sketcher) -> Self {
        self.signatures = Some(Box::new(RowSignatures::of(&example.body, sketcher)));
        self
    }

    /// Makes the key of a row that was an example once; of which kind it was does not matter any more.
    pub(in crate::dataset) fn former(ties: Vec<Tie>, created_at: Timestamp) -> Self {
        let nothing = ContentHash([0; 16]);
        Self {
            kind: RowKind::Pair,
            label: None,
            row_id: nothing,
            texts: nothing,
            created_at,
            n_votes: 0,
            ties,
            traits: Traits::default(),
            signatures: None,
        }
    }
}

/// Hashes the texts so that two bodies of one kind that differ in Unicode form, white space or label only are equal.
fn texts(hasher: &mut PromptHasher, body: &Body) -> ContentHash {
    let mut text = hasher.hash(body.prompt()).to_hex();
    for answer in [body.answer(), body.worse_answer()].into_iter().flatten() {
        // No text holds U+0000, so that it keeps the parts apart.
        text.push('\0');
        text.push_str(&fold(answer));
    }
    text.push('\0');
    text.push_str(body.kind().word());
    ContentHash::of_bytes("texts", text.as_bytes())
}
