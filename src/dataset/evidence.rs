//! What the rules say about two answers to one prompt, rule by rule.

use std::collections::{BTreeMap, BTreeSet};

use super::effective::{Chain, Group, Target, Voter};
use super::example::Exclusions;
use super::exclusion::{
    BOTH_BAD, LABELS_NOT_OPPOSED, OTHER_PROMPT_OR_UNKNOWN, RATING_DIFFERENCE_TOO_SMALL, RATINGS_INCOMPARABLE, TIE,
    TOO_MANY_ANSWERS,
};
use super::label::{NEGATIVE, POSITIVE, judgement, signal, votes};
use super::label_noise::Disagreement;
use super::panel::Question;
use super::poll::{Ballot, Choice, Poll, Side, Support, Vote, cast};
use super::ranking::{self, Ballots, Ranked};
use super::timeline::Timeline;
use crate::domain::clock::Timestamp;
use crate::domain::feedback::{Outcome, Points, Reaction, ShownFirst, Signal};
use crate::domain::recipe::{Aggregate, Options, PairScope};

/// Of how many answers to one prompt thumbs and ratings are compared with each other, the first ones judged: pairs
/// grow with the square of the answers, and a popular prompt has thousands.
pub(super) const MAX_COMPARED_ANSWERS: usize = 32;

/// What one rule says about two answers; they are the sides, the smaller place in the group on the left.
pub(super) struct Evidence<'a> {
    pub(super) rule: &'static str,
    pub(super) signal: Signal,
    pub(super) standing: Timeline<Choice>,
    /// Whether a ranking tells it of two answers between which nobody chose.
    pub(super) is_inferred: bool,
    /// What supports the side that stands, or the tie, where either does.
    pub(super) support: Option<Support>,
    /// Everyone who has ever voted, and since when.
    pub(super) voters: Vec<(Voter<'a>, Timestamp)>,
}

impl<'a> Evidence<'a> {
    /// Tells whether somebody chose between the two, rather than judged each by itself.
    pub(super) fn is_of_the_two(&self) -> bool {
        !self.is_inferred && matches!(self.signal, Signal::Preference | Signal::Regenerate)
    }

    /// Returns since when each voter has had a part in a row that rests on a standing: not before a side first stood,
    /// for only then can it be told that the votes belong to one row.
    pub(super) fn involved(&self, standing: &Timeline<Choice>) -> impl Iterator<Item = (Voter<'a>, Timestamp)> {
        let stood = standing.first(Choice::is_side);
        let voters = self.voters.iter().copied();
        voters.filter_map(move |(voter, first)| Some((voter, first.max(stood?))))
    }
}

/// Two answers by their places, the smaller first.
pub(super) type Pair = (usize, usize);

/// All evidence on all pairs of a group, the strongest rule first, and what cannot be a pair.
#[derive(Default)]
pub(super) struct Candidates<'a> {
    pub(super) pairs: BTreeMap<Pair, Vec<Evidence<'a>>>,
    pub(super) exclusions: Exclusions,
    /// Who votes for which side now, thing by thing: for whoever asks how far votes can be believed.
    pub(super) casts: Vec<Vec<(Voter<'a>, Side)>>,
}

/// A rule's word, with the signal that it looks at.
type Rule = (&'static str, Signal);

impl<'a> Candidates<'a> {
    /// Collects what preferences say.
    pub(super) fn of_preferences(group: &Group<'a>, options: &Options) -> Self {
        let mut candidates = Self::default();
        candidates.add_preferences(group, options);
        candidates
    }

    /// Collects what thumbs and ratings say besides.
    pub(super) fn add_votes(&mut self, group: &Group<'a>, options: &Options) {
        self.add_thumbs(group, options);
        if options.pair_scope == PairScope::Prompt {
            self.add_labels(group, options);
        }
        self.add_ratings(group, options);
    }

    /// Counts how the users disagree whom we know: of others it cannot be told whether they are two.
    pub(super) fn count_disagreement(&self, noise: &mut Disagreement) {
        for cast in &self.casts {
            noise.add_cast(cast);
        }
    }

    pub(super) fn add(&mut self, pair: Pair, evidence: Evidence<'a>) {
        self.pairs.entry(pair).or_default().push(evidence);
    }

    /// Adds what one rule says about every pair that it knows ballots of.
    fn add_polls(&mut self, group: &Group<'a>, (rule, signal): Rule, ballots: Ballots<'a>, options: &Options) {
        self.casts.extend(ballots.values().map(|of_pair| cast(of_pair)));
        let parts = match options.aggregate {
            Aggregate::Bt => ranking::parts(since_both_were_there(group, ballots)),
            Aggregate::Majority | Aggregate::DawidSkene => {
                ballots.into_iter().map(|of_pair| Ballots::from([of_pair])).collect()
            }
        };
        for part in parts {
            let part = self.keep_first_ballots(group, part);
            if part.len() == 1 {
                for (pair, of_pair) in part {
                    self.add_poll(group, (rule, signal), pair, of_pair, options);
                }
                continue;
            }
            for Ranked { pair, standing, support, voters } in ranking::rank(&part, options) {
                let is_inferred = !part.contains_key(&pair);
                self.add(pair, Evidence { rule, signal, standing, is_inferred, support, voters });
            }
        }
    }

    fn add_poll(
        &mut self,
        group: &Group<'a>,
        (rule, signal): Rule,
        pair: Pair,
        ballots: Vec<Ballot<'a>>,
        options: &Options,
    ) {
        let jury = group.panel.map(|panel| (panel, Question::Pair));
        let Some(poll) = Poll::new(ballots, options, jury) else { return };
        let support = match poll.standing.last() {
            Some(choice @ (Choice::Side(_) | Choice::Neither(TIE | BOTH_BAD))) => Some(poll.support(*choice)),
            _ => None,
        };
        let voters = poll.voters();
        self.add(pair, Evidence { rule, signal, standing: poll.standing, is_inferred: false, support, voters });
    }

    /// Keeps the ballots between the first answers that were judged; each pair with a further one is left out.
    fn keep_first_ballots(&mut self, group: &Group<'a>, ballots: Ballots<'a>) -> Ballots<'a> {
        let mut judged: BTreeMap<usize, Option<Timestamp>> = BTreeMap::new();
        for (pair, of_pair) in &ballots {
            let first = of_pair.iter().filter_map(|ballot| ballot.votes.first(Option::is_some)).min();
            for place in [pair.0, pair.1] {
                let since = judged.entry(place).or_insert(first);
                *since = (*since).min(first);
            }
        }
        if judged.len() <= MAX_COMPARED_ANSWERS {
            return ballots;
        }
        let mut order: Vec<(Option<Timestamp>, usize)> = judged
            .into_iter()
            .map(|(place, first)| (first.max(Some(group.completions[place].received_at)), place))
            .collect();
        order.sort_unstable();
        let kept: BTreeSet<usize> = order.into_iter().take(MAX_COMPARED_ANSWERS).map(|(_, place)| place).collect();
        let (within, beyond): (Ballots, Ballots) =
            ballots.into_iter().partition(|(pair, _)| kept.contains(&pair.0) && kept.contains(&pair.1));
        for _ in beyond {
            self.exclusions.add(TOO_MANY_ANSWERS);
        }
        within
    }

    fn add_preferences(&mut self, group: &Group<'a>, options: &Options) {
        let mut by_pair = Ballots::new();
        for (target, chains) in group.targets(Signal::Preference) {
            let Target::Pair(left, right) = target else {
                self.exclusions.add(OTHER_PROMPT_OR_UNKNOWN);
                continue;
            };
            let ballots = chains.iter().map(|chain| ballot(chain, |item| preference(group, item, left))).collect();
            by_pair.insert((left, right), ballots);
        }
        self.add_polls(group, ("preference", Signal::Preference), by_pair, options);
    }

    /// A user's thumb up on one answer and down on another.
    fn add_thumbs(&mut self, group: &Group<'a>, options: &Options) {
        let mut by_pair = Ballots::new();
        for (voter, judged) in self.by_voter(group, Signal::Thumb) {
            for (left, right) in pairs(&judged) {
                let votes = Timeline::zip(&left.1.items, &right.1.items, |left, right| {
                    let (left, right) = ((*left?)?, (*right?)?);
                    let judged = |item: usize| judgement(&group.items[item].reaction, options);
                    let side = match (judged(left), judged(right)) {
                        (Some(POSITIVE), Some(NEGATIVE)) => Side::Left,
                        (Some(NEGATIVE), Some(POSITIVE)) => Side::Right,
                        _ => return None,
                    };
                    let choice = Choice::Side(side);
                    Some(Vote { choice, strength: None, shown_first: None, items: [left, right] })
                });
                by_pair.entry((left.0, right.0)).or_default().push(Ballot { voter, votes });
            }
        }
        self.add_polls(group, ("thumb_up_down", Signal::Thumb), by_pair, options);
    }

    /// A user's higher rating of one answer than of another.
    fn add_ratings(&mut self, group: &Group<'a>, options: &Options) {
        let mut by_pair = Ballots::new();
        for (voter, judged) in self.by_voter(group, Signal::Rating) {
            for (left, right) in pairs(&judged) {
                let votes = Timeline::zip(&left.1.items, &right.1.items, |left, right| {
                    let items = [(*left?)?, (*right?)?];
                    let [left, right] = items.map(|item| rating(&group.items[item].reaction));
                    let (choice, strength) = compare_ratings(left?, right?, options);
                    Some(Vote { choice, strength, shown_first: None, items })
                });
                by_pair.entry((left.0, right.0)).or_default().push(Ballot { voter, votes });
            }
        }
        self.add_polls(group, ("rating_higher", Signal::Rating), by_pair, options);
    }

    /// Opposite majority verdicts on two answers, whoever gave them.
    fn add_labels(&mut self, group: &Group<'a>, options: &Options) {
        let mut judged: Vec<(usize, Poll<'a>)> = (0..group.completions.len())
            .filter_map(|place| votes(group, place, options).map(|poll| (place, poll)))
            .collect();
        self.keep_first(&mut judged, |(place, poll)| {
            (poll.standing.first(|_| true).max(Some(group.completions[*place].received_at)), *place)
        });
        for (nth, (left, of_left)) in judged.iter().enumerate() {
            for (right, of_right) in &judged[nth + 1..] {
                let ever = |poll: &Poll, side| {
                    let for_side = |vote: &Option<Vote>| vote.is_some_and(|vote| vote.choice == Choice::Side(side));
                    poll.ballots.iter().any(|ballot| ballot.votes.first(for_side).is_some())
                };
                let opposed = ever(of_left, POSITIVE) && ever(of_right, NEGATIVE)
                    || ever(of_left, NEGATIVE) && ever(of_right, POSITIVE);
                if opposed {
                    self.add((*left, *right), labels(group, of_left, of_right));
                }
            }
        }
    }

    /// Returns the answers that each user has judged with a signal, by place.
    fn by_voter<'g>(
        &mut self,
        group: &'g Group<'a>,
        signal: Signal,
    ) -> BTreeMap<Voter<'a>, Vec<(usize, &'g Chain<'a>)>> {
        let mut by_voter: BTreeMap<Voter<'a>, Vec<(usize, &Chain<'a>)>> = BTreeMap::new();
        for (target, chains) in group.targets(signal) {
            if let Target::Answer(place) = target {
                for chain in chains {
                    by_voter.entry(chain.voter).or_default().push((place, chain));
                }
            }
        }
        for judged in by_voter.values_mut() {
            self.keep_first(judged, |(place, chain)| {
                (chain.items.first(|_| true).max(Some(group.completions[*place].received_at)), *place)
            });
        }
        by_voter
    }

    /// Keeps the first answers that were judged, by place; each further one is left out.
    fn keep_first<T>(&mut self, judged: &mut Vec<T>, order: impl Fn(&T) -> (Option<Timestamp>, usize)) {
        if judged.len() > MAX_COMPARED_ANSWERS {
            judged.sort_by_key(&order);
            for _ in judged.drain(MAX_COMPARED_ANSWERS..) {
                self.exclusions.add(TOO_MANY_ANSWERS);
            }
            judged.sort_by_key(|item| order(item).1);
        }
    }
}

/// Lets no vote count before both of its answers are there: until then it would rank others by an answer that nobody knows.
fn since_both_were_there<'a>(group: &Group<'a>, ballots: Ballots<'a>) -> Ballots<'a> {
    let delayed = |(pair, of_pair): (Pair, Vec<Ballot<'a>>)| {
        let both_there = group.completions[pair.0].received_at.max(group.completions[pair.1].received_at);
        let delayed = |ballot: Ballot<'a>| Ballot { votes: ballot.votes.not_before(both_there), ..ballot };
        (pair, of_pair.into_iter().map(delayed).collect())
    };
    ballots.into_iter().map(delayed).collect()
}

fn pairs<T>(judged: &[T]) -> impl Iterator<Item = (&T, &T)> {
    judged.iter().enumerate().flat_map(|(nth, left)| judged[nth + 1..].iter().map(move |right| (left, right)))
}

fn ballot<'a>(chain: &Chain<'a>, vote: impl Fn(usize) -> Option<Vote>) -> Ballot<'a> {
    Ballot { voter: chain.voter, votes: chain.items.map(|item| vote((*item)?)) }
}

/// Reads a preference as a vote between the answer at `left` and the other one.
fn preference(group: &Group, item: usize, left: usize) -> Option<Vote> {
    let feedback = group.items[item];
    let Reaction::Preference { outcome, strength, shown_first, .. } = &feedback.reaction else { return None };
    let this = if feedback.completion_id == group.completions[left].id { Side::Left } else { Side::Right };
    let choice = match outcome {
        Outcome::Better => Choice::Side(this),
        Outcome::Worse => Choice::Side(this.other()),
        Outcome::Tie => Choice::Neither(TIE),
        Outcome::BothBad => Choice::Neither(BOTH_BAD),
    };
    let shown_first = match shown_first {
        ShownFirst::This => Some(this),
        ShownFirst::Against => Some(this.other()),
        ShownFirst::Unknown => None,
    };
    Some(Vote { choice, strength: *strength, shown_first, items: [item; 2] })
}

fn rating(reaction: &Reaction) -> Option<(f64, Option<Points>)> {
    match reaction {
        Reaction::Rating { value, points } => Some((*value, *points)),
        _ => None,
    }
}

/// Compares two ratings of one user: points with points of the same scale, bare values with bare values.
fn compare_ratings(
    left: (f64, Option<Points>),
    right: (f64, Option<Points>),
    options: &Options,
) -> (Choice, Option<f64>) {
    let same = |left: f64, right: f64| left.total_cmp(&right).is_eq();
    let (difference, enough) = match (left.1, right.1) {
        (Some(left), Some(right)) if same(left.min, right.min) && same(left.max, right.max) => {
            (left.score - right.score, options.rating_min_points)
        }
        (None, None) => (left.0 - right.0, options.rating_min_difference),
        _ => return (Choice::Neither(RATINGS_INCOMPARABLE), None),
    };
    // 0.9 - 0.65 is a little less than 0.25 in floating point.
    if difference.abs() < f64::EPSILON.max(enough - 1e-9) {
        return (Choice::Neither(RATING_DIFFERENCE_TOO_SMALL), None);
    }
    (Choice::Side(if difference > 0.0 { Side::Left } else { Side::Right }), Some(difference.abs()))
}

fn labels<'a>(group: &Group<'a>, left: &Poll<'a>, right: &Poll<'a>) -> Evidence<'a> {
    let standing = Timeline::zip(&left.standing, &right.standing, |left, right| match (left, right) {
        (Some(Choice::Side(POSITIVE)), Some(Choice::Side(NEGATIVE))) => Choice::Side(Side::Left),
        (Some(Choice::Side(NEGATIVE)), Some(Choice::Side(POSITIVE))) => Choice::Side(Side::Right),
        (Some(Choice::Neither(reason)), _) | (_, Some(Choice::Neither(reason))) => Choice::Neither(reason),
        _ => Choice::Neither(LABELS_NOT_OPPOSED),
    });
    let joined = |of_left, of_right| left.support(Choice::Side(of_left)).join(right.support(Choice::Side(of_right)));
    let support = match standing.last() {
        Some(Choice::Side(Side::Left)) => Some(joined(POSITIVE, NEGATIVE)),
        Some(Choice::Side(Side::Right)) => Some(joined(NEGATIVE, POSITIVE)),
        _ => None,
    };
    let signal = support.as_ref().map_or(Signal::Thumb, |support| signal(group, &support.items));
    let voters: BTreeSet<(Voter, Timestamp)> = left.voters().into_iter().chain(right.voters()).collect();
    Evidence {
        rule: "labels_opposed",
        signal,
        standing,
        is_inferred: false,
        support,
        voters: voters.into_iter().collect(),
    }
}
