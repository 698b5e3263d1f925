//! How reliable voters are, and what their votes say once that is known: the model of Dawid and Skene.
//!
//! Numbers only: voters and items are places in lists. Two classes, `yes` and `no`; what they mean is the caller's.

/// Bound of the iteration.
const MAX_ITERATIONS: usize = 200;
/// How little a posterior may still change for the iteration to end.
const TOLERANCE: f64 = 1e-9;
/// Votes that a voter is imagined to have cast besides the real ones, for each class: rightly and wrongly. They keep
/// whoever has voted three times from counting as infallible, and hold the two classes in their places.
pub const IMAGINED: Imagined = Imagined { n_right: 4.0, n_wrong: 1.0 };

/// One vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote {
    /// Place of the item.
    pub item: u32,
    /// Place of the voter.
    pub voter: u32,
    /// What was voted.
    pub yes: bool,
}

/// Votes that a voter is imagined to have cast, for each class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Imagined {
    /// Rightly.
    pub n_right: f64,
    /// Wrongly.
    pub n_wrong: f64,
}

/// How often a voter is right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reliability {
    /// `P(votes yes | yes)`.
    pub of_yes: f64,
    /// `P(votes no | no)`.
    pub of_no: f64,
}

impl Reliability {
    /// What is taken for granted of a voter of whom nothing is known.
    pub const UNKNOWN: Self = Self {
        of_yes: IMAGINED.n_right / (IMAGINED.n_right + IMAGINED.n_wrong),
        of_no: IMAGINED.n_right / (IMAGINED.n_right + IMAGINED.n_wrong),
    };

    /// Returns `ln P(vote | yes) - ln P(vote | no)`.
    fn evidence(self, yes: bool) -> f64 {
        // A voter who is never wrong would outweigh everybody else for ever, and two of them who differ leave nothing.
        let [of_yes, of_no] = [self.of_yes, self.of_no].map(|share| share.clamp(1e-9, 1.0 - 1e-9));
        if yes { (of_yes / (1.0 - of_no)).ln() } else { ((1.0 - of_yes) / of_no).ln() }
    }
}

/// Whether the two classes are two things or two sides of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Classes {
    /// As for good and bad answers: one may be rarer, and a voter may be better at telling it.
    Distinct,
    /// As for the left and the right of two answers: equally frequent, and told equally well.
    Exchangeable,
}

/// What the votes say.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// Share of the items that are `yes`.
    pub prevalence: f64,
    /// By voter.
    pub reliabilities: Vec<Reliability>,
    /// By item: the probability of `yes`; the prevalence for an item without votes.
    pub posteriors: Vec<f64>,
    /// Rounds that were needed.
    pub n_rounds: usize,
}

/// Fits the model by expectation and maximisation, from the share of `yes` votes of each item on.
///
/// E: `P(yes | votes of i) ∝ p Π_v P(vote of v | yes)`. M: a voter's reliability on a class is the expected share of the
/// class's items on which the voter was right, imagined votes included; the prevalence is the mean posterior. With
/// [`Classes::Exchangeable`] both reliabilities of a voter are one and the prevalence is 1/2. The same votes in the same
/// order give the same numbers; rounds are bounded. Assumes that voters err independently of each other and that all
/// items are equally hard. Dawid & Skene 1979, Applied Statistics 28(1).
pub fn fit(votes: &[Vote], n_items: usize, n_voters: usize, classes: Classes, imagined: Imagined) -> Fit {
    let mut posteriors = shares_of_yes(votes, n_items);
    let (mut prevalence, mut reliabilities) = maximise(votes, &posteriors, n_voters, classes, imagined);
    let mut n_rounds = 0;
    for round in 1..=MAX_ITERATIONS {
        let next = expect(votes, n_items, prevalence, &reliabilities);
        let changes = posteriors.iter().zip(&next).map(|(before, after)| (before - after).abs());
        let largest_change = changes.fold(0.0, f64::max);
        posteriors = next;
        n_rounds = round;
        if largest_change < TOLERANCE {
            break;
        }
        (prevalence, reliabilities) = maximise(votes, &posteriors, n_voters, classes, imagined);
    }
    Fit { prevalence, reliabilities, posteriors, n_rounds }
}

/// Returns the probability of `yes` given the votes of voters of known reliability.
pub fn posterior(prevalence: f64, votes: impl IntoIterator<Item = (Reliability, bool)>) -> f64 {
    let prevalence = prevalence.clamp(1e-9, 1.0 - 1e-9);
    let prior = (prevalence / (1.0 - prevalence)).ln();
    let evidence: f64 = votes.into_iter().map(|(reliability, yes)| reliability.evidence(yes)).sum();
    1.0 / (1.0 + (-(prior + evidence)).exp())
}

fn shares_of_yes(votes: &[Vote], n_items: usize) -> Vec<f64> {
    let mut counts = vec![(0_u32, 0_u32); n_items];
    for vote in votes {
        let (n_yes, n) = &mut counts[vote.item as usize];
        *n_yes += u32::from(vote.yes);
        *n += 1;
    }
    counts.into_iter().map(|(n_yes, n)| if n == 0 { 0.5 } else { f64::from(n_yes) / f64::from(n) }).collect()
}

fn expect(votes: &[Vote], n_items: usize, prevalence: f64, reliabilities: &[Reliability]) -> Vec<f64> {
    let prevalence = prevalence.clamp(1e-9, 1.0 - 1e-9);
    let mut odds = vec![(prevalence / (1.0 - prevalence)).ln(); n_items];
    for vote in votes {
        odds[vote.item as usize] += reliabilities[vote.voter as usize].evidence(vote.yes);
    }
    odds.into_iter().map(|odds| 1.0 / (1.0 + (-odds).exp())).collect()
}

fn maximise(
    votes: &[Vote],
    posteriors: &[f64],
    n_voters: usize,
    classes: Classes,
    imagined: Imagined,
) -> (f64, Vec<Reliability>) {
    /// Expected votes of one voter on items of one class.
    #[derive(Clone, Copy)]
    struct OfClass {
        n_right: f64,
        n: f64,
    }
    let start = OfClass { n_right: imagined.n_right, n: imagined.n_right + imagined.n_wrong };
    let mut sums = vec![[start; 2]; n_voters];
    for vote in votes {
        let yes = posteriors[vote.item as usize];
        let [of_yes, of_no] = &mut sums[vote.voter as usize];
        of_yes.n += yes;
        of_no.n += 1.0 - yes;
        if vote.yes {
            of_yes.n_right += yes;
        } else {
            of_no.n_right += 1.0 - yes;
        }
    }
    // A class of which a voter has met nothing says nothing of the voter.
    let share = |of: OfClass| if of.n > 0.0 { of.n_right / of.n } else { 0.5 };
    let to_reliability = |[of_yes, of_no]: [OfClass; 2]| match classes {
        Classes::Distinct => Reliability { of_yes: share(of_yes), of_no: share(of_no) },
        Classes::Exchangeable => {
            let both = share(OfClass { n_right: of_yes.n_right + of_no.n_right, n: of_yes.n + of_no.n });
            Reliability { of_yes: both, of_no: both }
        }
    };
    let prevalence = match classes {
        Classes::Distinct if !posteriors.is_empty() => posteriors.iter().sum::<f64>() / posteriors.len() as f64,
        _ => 0.5,
    };
    (prevalence, sums.into_iter().map(to_reliability).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOTHING_IMAGINED: Imagined = Imagined { n_right: 0.0, n_wrong: 0.0 };

    /// Reads a table with a row for each item and a character for each voter: `y`, `n` or `.` for no vote.
    fn votes(rows: &[&str]) -> Vec<Vote> {
        let cells = rows.iter().enumerate().flat_map(|(item, row)| {
            row.chars().enumerate().filter(|(_, cell)| *cell != '.').map(move |(voter, cell)| Vote {
                item: item as u32,
                voter: voter as u32,
                yes: cell == 'y',
            })
        });
        cells.collect()
    }

    #[test]
    fn one_reliable_voter_outweighs_two_who_guess() {
        // The first three agree on everything but the last item; the other two follow nobody.
        let rows = ["yyyyn", "nnnyn", "yyyny", "nnnny", "yyynn", "nnnyy", "yyyny", "nnnyn", "y..nn"];
        let votes = votes(&rows);

        let fit = fit(&votes, rows.len(), 5, Classes::Distinct, IMAGINED);

        assert!(fit.posteriors[8] > 0.6, "{fit:?}");
        assert!(fit.reliabilities[0].of_yes > 0.8 && fit.reliabilities[3].of_yes < 0.7, "{fit:?}");
    }

    /// Expected values: the same model in Python, written with plain products of probabilities and without logarithms,
    /// iterated until nothing changes by 1e-14.
    #[test]
    fn it_agrees_with_an_independent_implementation() {
        let rows = ["yyyn", "yyny", "nnny", "yyyy", "yyny", "nynn", "yy.n", "y.ny", "yyyy"];
        let votes = votes(&rows);

        let distinct = fit(&votes, rows.len(), 4, Classes::Distinct, IMAGINED);
        let exchangeable = fit(&votes, rows.len(), 4, Classes::Exchangeable, IMAGINED);
        let plain = fit(&votes, rows.len(), 4, Classes::Distinct, NOTHING_IMAGINED);

        assert!((distinct.prevalence - 0.795_358_767_676_644_2).abs() < 1e-7);
        let of_yes = [0.895_328_279_642_291_7, 0.904_761_642_474_062_7, 0.624_198_739_690_627_8, 0.740_115_912_051_572];
        let of_no = [0.837_119_100_811_775_1, 0.725_346_545_275_055, 0.851_304_599_617_677_3, 0.707_458_595_819_383_9];
        for (got, (of_yes, of_no)) in distinct.reliabilities.iter().zip(of_yes.into_iter().zip(of_no)) {
            assert!((got.of_yes - of_yes).abs() < 1e-7 && (got.of_no - of_no).abs() < 1e-7, "{got:?}");
        }
        let posteriors = [(0, 0.990_869_777_132_590_8), (2, 0.066_522_404_999_941_05), (5, 0.206_100_331_417_322_6)];
        for (item, want) in posteriors {
            assert!((distinct.posteriors[item] - want).abs() < 1e-7, "{}", distinct.posteriors[item]);
        }
        let both = [0.872_801_496_789_580_4, 0.827_066_000_538_456_9, 0.723_442_892_576_665_4, 0.729_298_852_588_573_2];
        for (got, want) in exchangeable.reliabilities.iter().zip(both) {
            assert!((got.of_yes - want).abs() < 1e-7 && (got.of_no - want).abs() < 1e-7, "{got:?}");
        }
        assert!((exchangeable.posteriors[7] - 0.876_036_778_392_885).abs() < 1e-7);
        assert!(
            (plain.prevalence - 7.0 / 9.0).abs() < 1e-6 && (plain.reliabilities[3].of_yes - 5.0 / 7.0).abs() < 1e-6
        );
    }

    #[test]
    fn a_voter_who_always_says_yes_says_nothing() {
        let rows = ["yyy.y", "nnn.y", "yyy.y", "nnn.y", "yyyyy", "nnnny", "yyyyy", "nnnny"];
        let votes = votes(&rows);

        let fit = fit(&votes, rows.len(), 5, Classes::Distinct, NOTHING_IMAGINED);

        assert!((fit.reliabilities[4].of_yes - 1.0).abs() < 1e-6 && fit.reliabilities[4].of_no < 1e-6, "{fit:?}");
        assert!((posterior(0.5, [(fit.reliabilities[4], true)]) - 0.5).abs() < 1e-6);
    }

    #[test]
    fn no_votes_and_no_voters_are_no_trouble() {
        let nothing = fit(&[], 0, 0, Classes::Distinct, IMAGINED);
        let unheard = fit(&[], 2, 1, Classes::Exchangeable, IMAGINED);

        assert_eq!((nothing.posteriors.len(), nothing.reliabilities.len()), (0, 0));
        assert_eq!((unheard.posteriors, unheard.reliabilities), (vec![0.5; 2], vec![Reliability::UNKNOWN]));
    }

    proptest! {
        #[test]
        fn swapping_the_sides_of_every_item_mirrors_what_comes_out(
            cells in proptest::collection::vec((0_u32..6, 0_u32..5, any::<bool>()), 1..40),
        ) {
            let votes: Vec<Vote> = cells.iter().map(|&(item, voter, yes)| Vote { item, voter, yes }).collect();
            let mirrored: Vec<Vote> = votes.iter().map(|vote| Vote { yes: !vote.yes, ..*vote }).collect();

            let fitted = fit(&votes, 6, 5, Classes::Exchangeable, IMAGINED);
            let other = fit(&mirrored, 6, 5, Classes::Exchangeable, IMAGINED);

            for (left, right) in fitted.posteriors.iter().zip(&other.posteriors) {
                prop_assert!((left + right - 1.0).abs() < 1e-6, "{left} {right}");
            }
            for (left, right) in fitted.reliabilities.iter().zip(&other.reliabilities) {
                prop_assert!((left.of_yes - right.of_yes).abs() < 1e-6);
            }
        }

        #[test]
        fn every_number_is_a_probability_and_the_rounds_are_bounded(
            cells in proptest::collection::vec((0_u32..6, 0_u32..5, any::<bool>()), 0..40),
            distinct in any::<bool>(),
            n_right in 0.0_f64..5.0,
        ) {
            let votes: Vec<Vote> = cells.iter().map(|&(item, voter, yes)| Vote { item, voter, yes }).collect();
            let classes = if distinct { Classes::Distinct } else { Classes::Exchangeable };

            let fit = fit(&votes, 6, 5, classes, Imagined { n_right, n_wrong: 1.0 });

            let shares = fit.reliabilities.iter().flat_map(|of| [of.of_yes, of.of_no]);
            for share in shares.chain(fit.posteriors.iter().copied()).chain([fit.prevalence]) {
                prop_assert!((0.0..=1.0).contains(&share), "{share}");
            }
            prop_assert!(fit.n_rounds <= MAX_ITERATIONS);
        }
    }
}
