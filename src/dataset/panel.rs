//! Who of the voters is to be believed: told from how they agree with each other over all prompts
//! (`aggregate = "dawid_skene"`).
//!
//! A survey reads every vote once and keeps twelve bytes for each; the panel that comes of it lends every later verdict
//! the reliability of its voters. Answers judged by themselves and answers compared with each other are two surveys: who
//! is good at one need not be good at the other.

use std::collections::HashMap;

use super::dawid_skene::{self, Classes, Fit, IMAGINED, Reliability, Vote};
use super::effective::Voter;
use super::poll::Side;
use crate::domain::hash::ContentHash;
use crate::domain::ids::UserId;

/// Fewest votes on one thing from which reliability can be told: two who differ do not say which of them is wrong.
pub(super) const MIN_OVERLAPPING_VOTES: usize = 3;

/// What votes are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// Whether one answer is good.
    Label,
    /// Which of two answers is better.
    Pair,
}

/// Collects votes.
#[derive(Debug, Default)]
pub struct Survey {
    labels: Sheet,
    pairs: Sheet,
}

#[derive(Debug, Default)]
struct Sheet {
    voters: HashMap<ContentHash, u32>,
    votes: Vec<Vote>,
    n_items: u32,
    n_items_below: u64,
}

/// How reliable every voter is.
#[derive(Debug, Clone, Default)]
pub struct Panel {
    labels: Opinion,
    pairs: Opinion,
}

/// How reliable voters are at one question.
#[derive(Debug, Clone)]
pub struct Opinion {
    /// Things with three votes or more, of which reliability was told.
    pub n_items: u64,
    /// Things with fewer votes.
    pub n_items_below: u64,
    /// Share of the things that are good answers; 1/2 for pairs.
    pub prevalence: f64,
    /// Rounds until nothing changed.
    pub n_rounds: u64,
    voters: HashMap<ContentHash, Reliability>,
}

impl Default for Opinion {
    fn default() -> Self {
        Self { n_items: 0, n_items_below: 0, prevalence: 0.5, n_rounds: 0, voters: HashMap::new() }
    }
}

fn key(user: &UserId) -> ContentHash {
    ContentHash::of_bytes("voter", user.as_str().as_bytes())
}

impl Survey {
    /// Adds what users said about one thing; whoever is unknown cannot be met again and is not asked.
    pub(super) fn add(&mut self, question: Question, cast: &[(Voter, Side)]) {
        let sheet = match question {
            Question::Label => &mut self.labels,
            Question::Pair => &mut self.pairs,
        };
        let known = cast.iter().filter_map(|(voter, side)| match voter {
            Voter::User(user) => Some((key(user), *side == Side::Left)),
            Voter::Nobody(_) => None,
        });
        let known: Vec<(ContentHash, bool)> = known.collect();
        if known.len() < MIN_OVERLAPPING_VOTES {
            sheet.n_items_below += u64::from(!known.is_empty());
            return;
        }
        for (voter, yes) in known {
            let next = sheet.voters.len() as u32;
            let voter = *sheet.voters.entry(voter).or_insert(next);
            sheet.votes.push(Vote { item: sheet.n_items, voter, yes });
        }
        sheet.n_items += 1;
    }

    /// Ends the survey.
    pub fn finish(self) -> Panel {
        Panel { labels: self.labels.finish(Classes::Distinct), pairs: self.pairs.finish(Classes::Exchangeable) }
    }
}

impl Sheet {
    fn finish(self, classes: Classes) -> Opinion {
        let fit = dawid_skene::fit(&self.votes, self.n_items as usize, self.voters.len(), classes, IMAGINED);
        let Fit { prevalence, reliabilities, n_rounds, .. } = fit;
        let reliability = |number: u32| reliabilities.get(number as usize).copied().unwrap_or(Reliability::UNKNOWN);
        Opinion {
            n_items: u64::from(self.n_items),
            n_items_below: self.n_items_below,
            prevalence,
            n_rounds: n_rounds as u64,
            voters: self.voters.into_iter().map(|(voter, number)| (voter, reliability(number))).collect(),
        }
    }
}

impl Panel {
    /// Returns what is known of who judges single answers.
    pub fn labels(&self) -> &Opinion {
        &self.labels
    }

    /// Returns what is known of who compares two answers.
    pub fn pairs(&self) -> &Opinion {
        &self.pairs
    }

    /// Returns the probability that the left side is right, given who voted for which.
    pub(super) fn probability_of_left(&self, question: Question, cast: &[(Voter, Side)]) -> f64 {
        let opinion = match question {
            Question::Label => &self.labels,
            Question::Pair => &self.pairs,
        };
        let votes = cast.iter().map(|(voter, side)| (opinion.of(*voter), *side == Side::Left));
        dawid_skene::posterior(opinion.prevalence, votes)
    }
}

impl Opinion {
    /// Returns how many voters are known.
    pub fn n_voters(&self) -> usize {
        self.voters.len()
    }

    /// Returns the quartiles of the voters' reliability: how often one is right, a good and a bad answer counting the
    /// same. Nothing where nobody is known.
    pub fn quartiles(&self) -> Option<[f64; 3]> {
        let mut shares: Vec<f64> = self.voters.values().map(|of| f64::midpoint(of.of_yes, of.of_no)).collect();
        shares.sort_unstable_by(f64::total_cmp);
        let last = shares.len().checked_sub(1)?;
        Some([1, 2, 3].map(|quarter| shares[last * quarter / 4]))
    }

    fn of(&self, voter: Voter) -> Reliability {
        match voter {
            Voter::User(user) => self.voters.get(&key(user)).copied().unwrap_or(Reliability::UNKNOWN),
            Voter::Nobody(_) => Reliability::UNKNOWN,
        }
    }
}
