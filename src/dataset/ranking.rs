//! All votes between the answers to one prompt taken together: who is ranked above whom (`aggregate = "bt"`).
//!
//! A majority looks at two answers alone. Over three and more, votes on other pairs say something of these two as well,
//! and of two that nobody has compared. The ranking is followed over time like every verdict, so that later votes
//! never change since when a row has stood.

use std::collections::{BTreeMap, BTreeSet};

use super::bradley_terry::{Strengths, Wins};
use super::effective::Voter;
use super::evidence::Pair;
use super::exclusion::{
    BOTH_BAD, NOT_CONNECTED, RATING_DIFFERENCE_TOO_SMALL, RETRACTED, TIE, TOO_FEW_VOTES, VOTES_DISAGREE,
};
use super::poll::{Ballot, Choice, Counts, Side, Support, Vote};
use super::timeline::Timeline;
use crate::domain::clock::Timestamp;
use crate::domain::recipe::Options;

/// A hundredth of a vote against an average answer: it keeps an undefeated answer finite and moves nothing else, not even
/// the middle of a chain of 32 answers.
const PRIOR_VOTES: f64 = 0.01;
/// Probabilities nearer to 1/2 than this are a tie.
const TIE_WIDTH: f64 = 1e-6;

/// Ballots by the two answers that they choose between.
pub(super) type Ballots<'a> = BTreeMap<Pair, Vec<Ballot<'a>>>;

/// What the ranking says about two answers.
pub(super) struct Ranked<'a> {
    pub(super) pair: Pair,
    pub(super) standing: Timeline<Choice>,
    /// What supports the side that stands, where one does.
    pub(super) support: Option<Support>,
    /// Everyone who has ever voted on any of the answers: the ranking rests on all of them.
    pub(super) voters: Vec<(Voter<'a>, Timestamp)>,
}

/// Divides ballots into parts that no vote has ever tied to each other; those on which nobody has ever voted are none.
pub(super) fn parts(ballots: Ballots) -> Vec<Ballots> {
    let mut parts: Vec<(BTreeSet<usize>, Ballots)> = Vec::new();
    for (pair, mut of_pair) in ballots {
        of_pair.retain(|ballot| ballot.votes.first(Option::is_some).is_some());
        if of_pair.is_empty() {
            continue;
        }
        let (touched, rest): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|(answers, _)| answers.contains(&pair.0) || answers.contains(&pair.1));
        let mut joined = (BTreeSet::from([pair.0, pair.1]), Ballots::from([(pair, of_pair)]));
        for (answers, ballots) in touched {
            joined.0.extend(answers);
            joined.1.extend(ballots);
        }
        parts = rest;
        parts.push(joined);
    }
    parts.into_iter().map(|(_, ballots)| ballots).collect()
}

/// Ranks the answers of one part, every two of them.
pub(super) fn rank<'a>(ballots: &Ballots<'a>, options: &Options) -> Vec<Ranked<'a>> {
    let answers: BTreeSet<usize> = ballots.keys().flat_map(|pair| [pair.0, pair.1]).collect();
    let answers: Vec<usize> = answers.into_iter().collect();
    let place = |answer: usize| answers.binary_search(&answer).unwrap_or_default();
    let cast: Vec<(Pair, &Ballot<'a>)> = ballots
        .iter()
        .flat_map(|(pair, of_pair)| of_pair.iter().map(move |ballot| ((place(pair.0), place(pair.1)), ballot)))
        .collect();
    let votes: Vec<&Timeline<Option<Vote>>> = cast.iter().map(|(_, ballot)| &ballot.votes).collect();
    let verdicts: Timeline<Vec<Choice>> = Timeline::follow(
        &votes,
        Table::new(answers.len()),
        |table, nth, from, to| {
            let (pair, _) = cast[nth];
            if let Some(vote) = from.copied().flatten() {
                table.add(pair, vote.choice, -1.0);
                *table.direct.entry(pair).or_default().of(vote.choice) -= 1;
            }
            if let Some(vote) = to {
                table.add(pair, vote.choice, 1.0);
                table.ever.add(pair.0, pair.1, 1.0);
                *table.direct.entry(pair).or_default().of(vote.choice) += 1;
            }
        },
        |table| table.verdicts(options),
    );
    let voters: BTreeMap<Voter, Timestamp> = cast.iter().fold(BTreeMap::new(), |mut voters, (_, ballot)| {
        if let Some(first) = ballot.votes.first(Option::is_some) {
            let since = voters.entry(ballot.voter).or_insert(first);
            *since = first.min(*since);
        }
        voters
    });
    let voters: Vec<(Voter, Timestamp)> = voters.into_iter().collect();
    let now = Now::of(&cast, answers.len());
    all_pairs(answers.len())
        .enumerate()
        .map(|(nth, pair)| {
            let standing = verdicts.map(|verdicts| verdicts[nth]);
            let support = match standing.last() {
                Some(Choice::Side(side)) => now.support(pair, *side),
                _ => None,
            };
            Ranked { pair: (answers[pair.0], answers[pair.1]), standing, support, voters: voters.clone() }
        })
        .collect()
}

fn all_pairs(n_answers: usize) -> impl Iterator<Item = Pair> {
    (0..n_answers).flat_map(move |left| (left + 1..n_answers).map(move |right| (left, right)))
}

/// The votes that count at a moment.
struct Table {
    n_answers: usize,
    wins: Wins,
    both_bad: BTreeMap<Pair, f64>,
    /// Every vote until then, also those that were taken back: as long as they tie a pair to no third answer, it is a
    /// matter for the majority, as it was when nobody knew that a third would come.
    ever: Wins,
    direct: BTreeMap<Pair, Counts>,
}

impl Table {
    fn new(n_answers: usize) -> Self {
        let (wins, ever) = (Wins::new(n_answers), Wins::new(n_answers));
        Self { n_answers, wins, both_bad: BTreeMap::new(), ever, direct: BTreeMap::new() }
    }

    fn add(&mut self, (left, right): Pair, choice: Choice, n: f64) {
        match choice {
            Choice::Side(Side::Left) => self.wins.add(left, right, n),
            Choice::Side(Side::Right) => self.wins.add(right, left, n),
            // Ratings that hardly differ are a tie between two answers, too.
            Choice::Neither(TIE | RATING_DIFFERENCE_TOO_SMALL) => {
                self.wins.add(left, right, n / 2.0);
                self.wins.add(right, left, n / 2.0);
            }
            Choice::Neither(BOTH_BAD) => *self.both_bad.entry((left, right)).or_default() += n,
            Choice::Neither(_) => {}
        }
    }

    fn verdicts(&self, options: &Options) -> Vec<Choice> {
        let strengths = Strengths::fit(&self.wins, PRIOR_VOTES);
        let n_votes: Vec<f64> = (0..self.n_answers).map(|answer| self.wins.n_votes_on(answer)).collect();
        let parts = self.ever.components();
        let size = |part: usize| parts.iter().filter(|other| **other == part).count();
        let verdict = |pair: Pair| {
            let (left, right) = pair;
            if parts[left] == parts[right] && size(parts[left]) == 2 {
                return self.direct.get(&pair).map_or(Choice::Neither(RETRACTED), |direct| direct.verdict(options));
            }
            let n_direct = self.wins.of(left, right) + self.wins.of(right, left);
            let n_both_bad = self.both_bad.get(&pair).copied().unwrap_or_default();
            if n_both_bad > n_direct {
                return Choice::Neither(BOTH_BAD);
            }
            let n_fewest = n_votes[left].min(n_votes[right]);
            if n_fewest <= 0.0 {
                return Choice::Neither(RETRACTED);
            }
            if n_fewest < options.min_votes as f64 {
                return Choice::Neither(TOO_FEW_VOTES);
            }
            let probability = strengths.as_ref().and_then(|strengths| strengths.win_probability(left, right));
            match probability {
                None => Choice::Neither(NOT_CONNECTED),
                Some(probability) if (probability - 0.5).abs() < TIE_WIDTH => Choice::Neither(TIE),
                Some(probability) if probability >= options.min_agreement => Choice::Side(Side::Left),
                Some(probability) if 1.0 - probability >= options.min_agreement => Choice::Side(Side::Right),
                Some(_) => Choice::Neither(VOTES_DISAGREE),
            }
        };
        all_pairs(self.n_answers).map(verdict).collect()
    }
}

/// The votes that count now, one by one.
struct Now<'v> {
    strengths: Option<Strengths>,
    wins: Wins,
    votes: Vec<(Pair, &'v Vote)>,
}

impl<'v> Now<'v> {
    fn of(cast: &[(Pair, &'v Ballot<'_>)], n_answers: usize) -> Self {
        let standing = |(pair, ballot): &(Pair, &'v Ballot<'_>)| Some((*pair, ballot.votes.last()?.as_ref()?));
        let votes: Vec<(Pair, &Vote)> = cast.iter().filter_map(standing).collect();
        let mut table = Table::new(n_answers);
        for (pair, vote) in &votes {
            table.add(*pair, vote.choice, 1.0);
        }
        Self { strengths: Strengths::fit(&table.wins, PRIOR_VOTES), wins: table.wins, votes }
    }

    /// Gathers what supports a side: the votes for its answer or against the other one, whoever the rival was. As many
    /// votes count as the answer with fewer of them has, and they agree as much as the model is sure.
    fn support(&self, pair: Pair, side: Side) -> Option<Support> {
        let (better, worse) = match side {
            Side::Left => pair,
            Side::Right => (pair.1, pair.0),
        };
        let probability = self.strengths.as_ref()?.win_probability(better, worse)?;
        let direct = || self.votes.iter().filter(|(of, _)| *of == pair).map(|(_, vote)| *vote);
        let speaks_for_it = |(of, vote): &&(Pair, &Vote)| match vote.choice {
            Choice::Side(Side::Left) => of.0 == better || of.1 == worse,
            Choice::Side(Side::Right) => of.1 == better || of.0 == worse,
            Choice::Neither(_) => false,
        };
        let agreeing = direct().filter(|vote| vote.choice == Choice::Side(side));
        let strengths: Vec<f64> = agreeing.filter_map(|vote| vote.strength).collect();
        let mut seen = direct().filter_map(|vote| vote.shown_first);
        let first_seen = seen.next();
        let n_votes = self.wins.n_votes_on(better).min(self.wins.n_votes_on(worse)).floor();
        Some(Support {
            n_votes: n_votes as u32,
            n_agreeing: probability * n_votes,
            strength: (!strengths.is_empty()).then(|| strengths.iter().sum::<f64>() / strengths.len() as f64),
            shown_first: first_seen.filter(|first| seen.all(|side| side == *first)),
            items: self.votes.iter().filter(speaks_for_it).flat_map(|(_, vote)| vote.items).collect(),
        })
    }
}
