//! Which texts are nearly the same, found among any number of them in close to linear time.
//!
//! Signatures are cut into 16 bands of eight notes. Two texts of similarity J share a band with probability
//! 1 - (1 - J^8)^16: 0.99 at 0.85, 0.95 at 0.8, 0.06 at 0.5 (Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets",
//! section 3.4). Texts that share one are compared by their whole signatures.
//!
//! What a text is linked to depends on it and on the texts before it alone: later ones never change that. Of the texts
//! that share a band, a text is compared with the leaders only, those that were like none before them, so that ten
//! thousand copies cost ten thousand comparisons.

use super::example::Body;
use super::minhash::{N_BANDS, Signature, Sketcher, standard_error};

/// Leaders of one band's bucket; whatever is like none of so many is left alone there.
const N_LEADERS: usize = 32;

/// Prompts by the numbers of their keys, with their signatures.
#[derive(Debug, Default)]
pub(super) struct Prompts {
    keys: Vec<u32>,
    signatures: Vec<Signature>,
}

impl Prompts {
    /// Adds a prompt, which must not have been added before.
    pub(super) fn add(&mut self, key: u32, signature: Signature) {
        self.keys.push(key);
        self.signatures.push(signature);
    }

    /// Finds the earlier prompts that each one is nearly the same as; `rank` orders them by when they came and then by
    /// something that never changes. Prompts without a rank are left out.
    ///
    /// An estimate misses the threshold by chance; what belongs together must not be torn apart for that, so that the
    /// bar lies two standard errors lower: of the pairs right at the threshold 98 of 100 are found.
    pub(super) fn neighbours<R: Ord>(&self, threshold: f64, rank: impl Fn(u32) -> Option<R>) -> Neighbours {
        let bar = threshold - 2.0 * standard_error(threshold);
        let mut ranked: Vec<(R, u32)> = Vec::with_capacity(self.keys.len());
        for (place, key) in self.keys.iter().enumerate() {
            ranked.extend(rank(*key).map(|rank| (rank, place as u32)));
        }
        ranked.sort_unstable();
        let order: Vec<u32> = ranked.into_iter().map(|(_, place)| place).collect();
        let signature = |place: u32| &self.signatures[place as usize];
        let found = links(&self.signatures, &order, |left, right| signature(left).similarity(signature(right)) >= bar);
        let key = |place: u32| self.keys[place as usize];
        let mut links: Vec<(u32, u32)> = found.into_iter().map(|(later, earlier)| (key(later), key(earlier))).collect();
        links.sort_unstable();
        Neighbours { links }
    }

    /// Lists the keys of the prompts that are nearly the same as one of `others`, sorted.
    pub(super) fn like_any(&self, others: &[Signature], threshold: f64) -> Vec<u32> {
        let bar = threshold - 2.0 * standard_error(threshold);
        let are_like = are_like_any(&self.signatures, others, bar);
        let mut keys: Vec<u32> = self.keys.iter().zip(are_like).filter_map(|(key, is)| is.then_some(*key)).collect();
        keys.sort_unstable();
        keys
    }
}

/// Which earlier prompts each prompt is nearly the same as.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    /// (later, earlier), sorted.
    links: Vec<(u32, u32)>,
}

impl Neighbours {
    /// Lists the earlier neighbours of a prompt.
    pub(super) fn of(&self, key: u32) -> impl Iterator<Item = u32> {
        let start = self.links.partition_point(|(later, _)| *later < key);
        self.links[start..].iter().take_while(move |(later, _)| *later == key).map(|(_, earlier)| *earlier)
    }
}

/// What is compared of two rows before one of them is called a repeat of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowSignatures {
    /// Of the prompt and the answers together: near rows share a band of it.
    pub(super) whole: Signature,
    /// Of the prompt.
    pub(super) prompt: Signature,
    /// Of the better or only answer.
    pub(super) answer: Option<Signature>,
    /// Of the worse answer.
    pub(super) worse_answer: Option<Signature>,
}

impl RowSignatures {
    /// Takes them of a row's texts.
    pub(super) fn of(body: &Body, sketcher: &mut Sketcher) -> Self {
        let answers = [body.answer(), body.worse_answer()];
        let prompt = body.prompt().iter().filter(|turn| turn.role != "system").map(|turn| turn.content.as_str());
        Self {
            whole: sketcher.of_parts(prompt.chain(answers.into_iter().flatten())),
            prompt: sketcher.of_prompt(body.prompt()),
            answer: answers[0].map(|answer| sketcher.of_parts([answer])),
            worse_answer: answers[1].map(|answer| sketcher.of_parts([answer])),
        }
    }

    /// Whether each part is nearly the same as the other row's: a long prompt must not hide that the answers differ.
    fn are_near(&self, other: &Self, threshold: f64) -> bool {
        let is_near = |left: &Signature, right: &Signature| left.similarity(right) >= threshold;
        let are_both = |left: Option<&Signature>, right: Option<&Signature>| match (left, right) {
            (Some(left), Some(right)) => is_near(left, right),
            (None, None) => true,
            _ => false,
        };
        is_near(&self.prompt, &other.prompt)
            && are_both(self.answer.as_ref(), other.answer.as_ref())
            && are_both(self.worse_answer.as_ref(), other.worse_answer.as_ref())
    }
}

/// Tells of every row, the best supported first, whether it repeats one before it that is no repeat itself; `may_repeat`
/// says of two rows whether one may stand for the other at all.
pub(super) fn repeats(rows: &[&RowSignatures], threshold: f64, may_repeat: impl Fn(usize, usize) -> bool) -> Vec<bool> {
    let wholes: Vec<Signature> = rows.iter().map(|row| row.whole).collect();
    let order: Vec<u32> = (0..rows.len() as u32).collect();
    let found = links(&wholes, &order, |later, earlier| {
        let (later, earlier) = (later as usize, earlier as usize);
        may_repeat(later, earlier) && rows[later].are_near(rows[earlier], threshold)
    });
    let mut are_repeats = vec![false; rows.len()];
    for (later, earlier) in found {
        // Links come in the order of the later row, so that the earlier one has been decided on.
        are_repeats[later as usize] |= !are_repeats[earlier as usize];
    }
    are_repeats
}

/// Links every text to earlier ones that it is like; `order` lists places among the signatures, the earliest first.
/// The links come as (later, earlier), sorted, without repeats.
pub(super) fn links(signatures: &[Signature], order: &[u32], is_near: impl Fn(u32, u32) -> bool) -> Vec<(u32, u32)> {
    let mut found: Vec<(u32, u32)> = Vec::new();
    let mut bucketed: Vec<(u64, u32)> = Vec::with_capacity(order.len());
    let mut leaders: Vec<u32> = Vec::new();
    for band in 0..N_BANDS {
        bucketed.clear();
        bucketed.extend(
            order.iter().enumerate().map(|(rank, place)| (signatures[*place as usize].band(band), rank as u32)),
        );
        bucketed.sort_unstable();
        for bucket in bucketed.chunk_by(|left, right| left.0 == right.0).filter(|bucket| bucket.len() > 1) {
            leaders.clear();
            for (_, rank) in bucket {
                let text = order[*rank as usize];
                let n_before = found.len();
                found.extend(leaders.iter().filter(|leader| is_near(text, **leader)).map(|leader| (text, *leader)));
                if found.len() == n_before && leaders.len() < N_LEADERS {
                    leaders.push(text);
                }
            }
        }
        // The same links come up in band after band.
        found.sort_unstable();
        found.dedup();
    }
    found
}

/// Tells of every text whether it is like one of `others`.
pub(super) fn are_like_any(texts: &[Signature], others: &[Signature], threshold: f64) -> Vec<bool> {
    let mut found = vec![false; texts.len()];
    if others.is_empty() {
        return found;
    }
    let mut bucketed: Vec<(u64, u32)> = Vec::with_capacity(others.len());
    for band in 0..N_BANDS {
        bucketed.clear();
        bucketed.extend(others.iter().enumerate().map(|(place, other)| (other.band(band), place as u32)));
        bucketed.sort_unstable();
        // Of equal signatures one is enough.
        bucketed
            .dedup_by(|later, earlier| later.0 == earlier.0 && others[later.1 as usize] == others[earlier.1 as usize]);
        for (text, is_like) in texts.iter().zip(&mut found).filter(|(_, is_like)| !**is_like) {
            let key = text.band(band);
            let start = bucketed.partition_point(|(other, _)| *other < key);
            let bucket = bucketed[start..].iter().take_while(|(other, _)| *other == key).take(N_LEADERS);
            *is_like = bucket.into_iter().any(|(_, place)| text.similarity(&others[*place as usize]) >= threshold);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sentence(seed: usize, n_words: usize) -> Vec<String> {
        (0..n_words).map(|nth| format!("w{}", (seed * 7_919 + nth * 104_729) % 100_003)).collect()
    }

    fn with_change(mut words: Vec<String>, at: usize) -> String {
        words[at] = "changed".to_owned();
        words.join(" ")
    }

    fn signatures(texts: &[String]) -> Vec<Signature> {
        let mut sketcher = Sketcher::new("salt");
        texts.iter().map(|text| sketcher.of_parts([text.as_str()])).collect()
    }

    fn links_of(signatures: &[Signature]) -> Vec<(u32, u32)> {
        let order: Vec<u32> = (0..signatures.len() as u32).collect();
        let near = |left: u32, right: u32| signatures[left as usize].similarity(&signatures[right as usize]) >= 0.85;
        links(signatures, &order, near)
    }

    #[test]
    fn a_changed_word_links_and_another_text_does_not() {
        let texts: Vec<String> =
            (0..50).flat_map(|seed| [sentence(seed, 150).join(" "), with_change(sentence(seed, 150), seed)]).collect();

        let found = links_of(&signatures(&texts));

        let expected: Vec<(u32, u32)> = (0..50).map(|seed| (2 * seed + 1, 2 * seed)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn twenty_thousand_copies_are_linked_to_the_first_of_them() {
        let all = vec![signatures(&[sentence(1, 40).join(" ")])[0]; 20_000];

        let found = links_of(&all);

        assert_eq!(found.len(), 19_999);
        assert!(found.iter().all(|(_, earlier)| *earlier == 0));
    }

    #[test]
    fn what_is_held_out_is_found_by_its_near_copies() {
        let held: Vec<String> = (0..40).map(|seed| sentence(seed, 120).join(" ")).collect();
        let texts: Vec<String> = (0..80).map(|seed| with_change(sentence(seed, 120), 60)).collect();

        let found = are_like_any(&signatures(&texts), &signatures(&held), 0.85);

        assert_eq!(found, (0..80).map(|seed| seed < 40).collect::<Vec<_>>());
        assert_eq!(are_like_any(&signatures(&texts), &[], 0.85), vec![false; 80]);
    }

    proptest! {
        #[test]
        fn what_comes_later_changes_no_earlier_link(
            choices in prop::collection::vec((0..6_usize, 0..30_usize), 2..60),
            n_early in 1..60_usize,
        ) {
            let texts: Vec<String> =
                choices.iter().map(|(seed, at)| with_change(sentence(*seed, 60), *at)).collect();
            let all = signatures(&texts);
            let n_early = n_early.min(all.len());

            let early = links_of(&all[..n_early]);
            let late = links_of(&all);

            let of_early: Vec<_> = late.iter().copied().filter(|(text, _)| (*text as usize) < n_early).collect();
            prop_assert_eq!(early, of_early);
            prop_assert!(late.iter().all(|(text, earlier)| earlier < text));
        }
    }
}
