//! Comparisons without a winner, for losses that know ties: both answers equally good, or both bad.

use super::bonds::{Bonds, example, row_id};
use super::effective::Group;
use super::example::{Body, Example, FirstShown, RowKind};
use super::exclusion::{BOTH_BAD, RETRACTED, TIE};
use super::harvest::Crop;
use super::pair::{Compared, Texts};
use super::plan::PlanKey;
use super::poll::{Choice, Side};
use crate::domain::clock::Timestamp;

/// Tells whether a comparison ended without a winner.
pub(super) fn is_tie(choice: &Choice) -> bool {
    matches!(choice, Choice::Neither(TIE | BOTH_BAD))
}

/// Makes a row of every comparison that stands without a winner, or counts why there is none.
pub(super) fn crop(group: &Group, compared: &[Compared]) -> Crop {
    let mut crop = Crop::default();
    for one in compared {
        let Some(first) = one.standing.first(is_tie) else { continue };
        let standing = one.standing.last().filter(|choice| is_tie(choice));
        let texts = match &one.texts {
            Some(Ok(texts)) => texts,
            Some(Err(reason)) if standing.is_some() => {
                crop.n_candidates += 1;
                crop.exclusions.add(reason);
                continue;
            }
            _ => continue,
        };
        let bonds = bonds(group, one, texts, first);
        match standing {
            // A winner, or nothing any more: it is no candidate, but what it tied together stays so.
            None => crop.former.push(PlanKey::former(bonds.ties, first)),
            Some(choice) => {
                crop.n_candidates += 1;
                match row(group, one, texts, *choice, bonds) {
                    Some(example) => crop.examples.push(example),
                    None => crop.exclusions.add(RETRACTED),
                }
            }
        }
    }
    crop
}

fn bonds(group: &Group, one: &Compared, texts: &Texts, first: Timestamp) -> Bonds {
    let voters = one.evidence.iter().flat_map(|evidence| {
        let tied = evidence.standing.first(is_tie);
        evidence.voters.iter().filter_map(move |(voter, first)| Some((*voter, (*first).max(tied?))))
    });
    Bonds::of(group, &[one.pair.0, one.pair.1], &texts.prompt.turns, first, voters)
}

fn row(group: &Group, one: &Compared, texts: &Texts, choice: Choice, bonds: Bonds) -> Option<Example> {
    let strongest = one.evidence.iter().find(|evidence| evidence.standing.last() == Some(&choice))?;
    let support = strongest.support.as_ref()?;
    let (left, right) = (group.completions[one.pair.0], group.completions[one.pair.1]);
    let since = one.standing.since(|other| *other == choice)?;
    let both_bad = choice == Choice::Neither(BOTH_BAD);
    let body = Body::Tie {
        prompt: texts.prompt.turns.clone(),
        first: texts.left.clone(),
        second: texts.right.clone(),
        both_bad,
    };
    Some(Example {
        row_id: row_id(RowKind::Tie, left.id.as_str(), Some(&right.id), if both_bad { BOTH_BAD } else { TIE }),
        tools: texts.prompt.tools.clone(),
        rejected_id: Some(right.id.clone()),
        feedback_ids: group.feedback_ids(&support.items),
        rejected_model: Some(right.model.clone()),
        n_votes: support.n_votes,
        agreement: support.agreement(),
        preference_strength: 0.0,
        shown_first: match support.shown_first {
            Some(Side::Left) => FirstShown::Chosen,
            Some(Side::Right) => FirstShown::Rejected,
            None => FirstShown::Unknown,
        },
        ..example(left, body, (strongest.signal, strongest.rule), since, bonds)
    })
}
