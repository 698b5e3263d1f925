//! Which rows leave although they have a split: repeats, what the picks leave out, and labels that are too many.

use std::collections::{BTreeMap, HashSet};

use super::Planner;
use crate::dataset::example::{Exclusions, RowKind, Split};
use crate::dataset::exclusion::{DOWNSAMPLED, DUPLICATE, NEAR_DUPLICATE};
use crate::dataset::label_balance::balanced;
use crate::dataset::near::{self, RowSignatures};
use crate::dataset::picks::{self, Pickable};
use crate::domain::hash::ContentHash;

impl Planner {
    /// Keeps the best supported of the rows with one text: most votes, then earliest, then smallest id.
    pub(super) fn drop_duplicates(
        &self,
        stay: &mut Vec<(usize, Split)>,
        exclusions: &mut BTreeMap<RowKind, Exclusions>,
    ) {
        stay.sort_by_key(|(place, _)| {
            let row = &self.rows[*place];
            (row.texts, std::cmp::Reverse(row.n_votes), row.created_at_us, row.id)
        });
        stay.dedup_by(|(place, _), (kept, _)| {
            let (row, kept) = (&self.rows[*place], &self.rows[*kept]);
            let is_repeated = row.texts == kept.texts;
            if is_repeated {
                exclusions.entry(row.kind).or_default().add(DUPLICATE);
            }
            is_repeated
        });
    }

    /// Keeps the best supported of rows of one kind and label whose texts are nearly the same, part by part.
    pub(super) fn drop_near_duplicates(
        &self,
        stay: &mut Vec<(usize, Split)>,
        exclusions: &mut BTreeMap<RowKind, Exclusions>,
    ) {
        stay.sort_by_key(|(place, _)| {
            let row = &self.rows[*place];
            (std::cmp::Reverse(row.n_votes), row.created_at_us, row.id)
        });
        let signed: Vec<(usize, &RowSignatures)> = stay
            .iter()
            .filter_map(|(place, _)| Some((*place, self.signatures.get(&(*place as u32))?.as_ref())))
            .collect();
        let rows: Vec<&RowSignatures> = signed.iter().map(|(_, signatures)| *signatures).collect();
        let what = |nth: usize| (self.rows[signed[nth].0].kind, self.rows[signed[nth].0].label);
        let are_repeats = near::repeats(&rows, self.near_threshold, |later, earlier| what(later) == what(earlier));
        let repeated: HashSet<usize> =
            signed.iter().zip(are_repeats).filter_map(|((place, _), is_repeat)| is_repeat.then_some(*place)).collect();
        stay.retain(|(place, _)| {
            let is_repeated = repeated.contains(place);
            if is_repeated {
                exclusions.entry(self.rows[*place].kind).or_default().add(NEAR_DUPLICATE);
            }
            !is_repeated
        });
    }

    /// Lets rows leave that the picks leave out, and gives the others their weights.
    pub(super) fn pick(&mut self, stay: &mut Vec<(usize, Split)>, exclusions: &mut BTreeMap<RowKind, Exclusions>) {
        // Ties are beside the rows that a trainer reads.
        for kind in RowKind::ALL.into_iter().filter(|kind| *kind != RowKind::Tie) {
            let of_kind: Vec<(usize, Split)> =
                stay.iter().filter(|(place, _)| self.rows[*place].kind == kind).copied().collect();
            let row = |nth: usize| self.pickable(of_kind[nth].0, of_kind[nth].1);
            let fates = picks::pick(of_kind.len(), &row, self.keys.len(), &self.rules);
            let mut fates = fates.into_iter();
            stay.retain(|(place, _)| {
                let row = &mut self.rows[*place];
                if row.kind != kind {
                    return true;
                }
                match fates.next() {
                    Some(Ok(weight)) => row.weight = weight,
                    Some(Err(reason)) => {
                        exclusions.entry(kind).or_default().add(reason);
                        return false;
                    }
                    None => {}
                }
                true
            });
        }
    }

    fn pickable(&self, place: usize, split: Split) -> Pickable<'_> {
        let row = &self.rows[place];
        let propensity = |cell: u32| self.propensities.get(cell as usize).copied().unwrap_or(1.0);
        let [better, worse] = row.cells.map(propensity);
        Pickable {
            id: row.id,
            split,
            created_at_us: row.created_at_us,
            weight: row.weight * (better * worse).sqrt(),
            voters: self.row_voters(place),
            lengths: row.lengths,
            presentation: row.presentation,
        }
    }

    /// Leaves out rows of the larger class of a split's labels, by their ids, until KTO needs no weights. A split that has
    /// only one class stays as it is.
    pub(super) fn downsample(
        &self,
        stay: &mut Vec<(usize, Split)>,
        split: Split,
        exclusions: &mut BTreeMap<RowKind, Exclusions>,
    ) {
        let of_label = |label: bool| {
            let mut ids: Vec<ContentHash> = stay
                .iter()
                .filter(|(place, of)| *of == split && self.rows[*place].label == Some(label))
                .map(|(place, _)| self.rows[*place].id)
                .collect();
            ids.sort_unstable();
            ids
        };
        let (good, bad) = (of_label(true), of_label(false));
        let (n_good, n_bad) = balanced(good.len(), bad.len());
        let dropped: HashSet<&ContentHash> = good.iter().skip(n_good).chain(bad.iter().skip(n_bad)).collect();
        stay.retain(|(place, _)| {
            let is_dropped = dropped.contains(&self.rows[*place].id);
            if is_dropped {
                exclusions.entry(self.rows[*place].kind).or_default().add(DOWNSAMPLED);
            }
            !is_dropped
        });
    }
}
