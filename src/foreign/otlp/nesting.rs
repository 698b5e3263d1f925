//! Several records of one call: of those that meet in one id, and of spans around the span of the same call, one tells the
//! call, and the others are ways to name it.

use std::collections::{HashMap, HashSet};

use super::super::fault;
use super::Translated;
use super::calls::{self, Call, Circumstances};
use crate::domain::batch::Item;
use crate::domain::clock::Timestamp;
use crate::domain::fields::FieldCode;

/// A record of a call.
pub(super) struct Candidate<'a> {
    /// Place of the record in the request.
    pub(super) place: usize,
    /// The call.
    pub(super) call: Call<'a>,
    /// What else the record says.
    pub(super) of: Circumstances<'a>,
}

impl Candidate<'_> {
    fn id(&self) -> Option<&str> {
        self.call.response_id.or(self.of.span_id.as_deref())
    }

    /// What tells the call before others do: the record of the innermost span, which does not depend on their order.
    fn rank(&self) -> (bool, Option<Timestamp>, Option<&str>) {
        (self.call.has_texts(), self.of.started_at, self.of.span_id.as_deref())
    }

    /// The ids by which somebody may know it.
    fn names(&self) -> impl Iterator<Item = String> {
        [self.call.response_id.map(str::to_owned), self.of.span_id.clone()].into_iter().flatten()
    }
}

/// Adds the completions of all records to what the request became.
pub(super) fn settle(candidates: Vec<Candidate<'_>>, translated: &mut Translated) {
    let mut names: HashMap<String, Vec<String>> = HashMap::new();
    let tellers = without_repeats(without_wrappers(candidates, &mut names, translated), &mut names, translated);
    for Candidate { place, call, of } in tellers {
        if call.has_texts() {
            let further = of.span_id.as_ref().and_then(|id| names.remove(id)).unwrap_or_default();
            let items = calls::completions(call, &of, &further);
            translated.completions.extend(items.into_iter().map(|item| (place, item)));
        } else if of.is_failed {
            translated.n_failed += 1;
        } else {
            let id = call.response_id.map(str::to_owned).or(of.span_id);
            let wrong = fault(FieldCode::TextRedacted, "the record of this call holds no prompt or no answer");
            translated.completions.push((place, Item { id, outcome: Err(vec![wrong]) }));
        }
    }
}

/// Leaves out spans that are around others' calls. One that is around a single call is a name of it.
fn without_wrappers<'a>(
    candidates: Vec<Candidate<'a>>,
    names: &mut HashMap<String, Vec<String>>,
    translated: &mut Translated,
) -> Vec<Candidate<'a>> {
    let mut within: HashMap<String, Vec<String>> = HashMap::new();
    for candidate in candidates.iter().filter(|candidate| candidate.call.has_texts()) {
        if let (Some(parent), Some(span)) = (&candidate.of.parent_id, &candidate.of.span_id)
            && parent != span
        {
            within.entry(parent.clone()).or_default().push(span.clone());
        }
    }
    let (wrappers, tellers): (Vec<_>, Vec<_>) = candidates
        .into_iter()
        .partition(|candidate| candidate.of.span_id.as_ref().is_some_and(|id| within.contains_key(id)));
    for wrapper in wrappers {
        translated.n_nested += 1;
        let calls = wrapper.of.span_id.as_ref().and_then(|id| within.get(id));
        if let Some([only]) = calls.map(Vec::as_slice) {
            names.entry(only.clone()).or_default().extend(wrapper.names());
        }
    }
    tellers
}

/// Of records that meet in one id leaves the one that tells it. A span that comes twice is a repetition, which storing finds.
fn without_repeats<'a>(
    candidates: Vec<Candidate<'a>>,
    names: &mut HashMap<String, Vec<String>>,
    translated: &mut Translated,
) -> Vec<Candidate<'a>> {
    let mut tellers: HashMap<String, usize> = HashMap::new();
    for (index, candidate) in candidates.iter().enumerate() {
        let Some(id) = candidate.id() else { continue };
        let teller = tellers.entry(id.to_owned()).or_insert(index);
        if candidates[*teller].rank() < candidate.rank() {
            *teller = index;
        }
    }
    let mut repeats: HashSet<usize> = HashSet::new();
    for (index, candidate) in candidates.iter().enumerate() {
        let teller = candidate.id().and_then(|id| tellers.get(id)).map_or(index, |teller| *teller);
        let (told, own) = (&candidates[teller].of.span_id, &candidate.of.span_id);
        if let (true, Some(told), Some(own)) = (told != own, told, own) {
            names.entry(told.clone()).or_default().push(own.clone());
            repeats.insert(index);
        }
    }
    translated.n_nested += repeats.len();
    candidates.into_iter().enumerate().filter(|(index, _)| !repeats.contains(index)).map(|(_, kept)| kept).collect()
}
