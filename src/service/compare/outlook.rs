//! How far a decision is: users still needed, days at the present traffic, and what could be proved meanwhile.
//!
//! It must not know the verdict.

use super::metrics::{Measured, POWER, Rule};
use crate::stats::distribution::bisect;
use crate::stats::sequential::{LookRule, UsersNeeded, UsersNeededInput, users_needed};
use crate::stats::summary::bayes_normal;

/// Days after which nobody waits any longer.
pub(super) const MAX_DAYS: f64 = 90.0;
/// Days for which the provable margin is told.
pub(super) const DAYS_AHEAD: f64 = 30.0;

/// Present traffic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Traffic {
    /// Units of both sides.
    pub(super) n_users: f64,
    /// New units a day, as they came until now.
    pub(super) users_per_day: f64,
    /// One-sided error rate.
    pub(super) alpha: f64,
    /// Metrics that must pass; they share the chance to miss an equal candidate.
    pub(super) n_must_pass: usize,
}

/// What one open metric still needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    pub(super) rule: &'static Rule,
    /// If the sides are truly equal.
    pub(super) if_equal: UsersNeeded,
    /// If the present difference is the true one; nothing where that is beyond the margin.
    pub(super) if_as_now: Option<UsersNeeded>,
    /// Chance of being within the margin under a flat prior: the same evidence as the interval, in other words.
    pub(super) p_acceptable: Option<f64>,
    /// Smallest absolute margin that could be proved [`DAYS_AHEAD`] from now.
    pub(super) provable_ahead: f64,
}

/// What it would take to show that a metric is beyond its margin, if the present difference is the true one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fall {
    pub(super) rule: &'static Rule,
    pub(super) needed: UsersNeeded,
}

impl Traffic {
    /// Computes what it would take to show a loss; nothing where the estimate is within the margin.
    pub(super) fn fall(&self, measured: &Measured) -> Option<Fall> {
        let (bounds, se) = measured.bounds.zip(measured.se)?;
        let beyond = -(bounds.estimate? + bounds.margin);
        let needed = users_needed(&self.question(se, beyond, 0.0))?;
        Some(Fall { rule: measured.rule, needed })
    }

    /// Computes what a metric still needs; nothing where its spread is unknown.
    pub(super) fn need(&self, measured: &Measured) -> Option<Need> {
        let (bounds, se) = measured.bounds.zip(measured.se)?;
        let needed = |margin: f64, true_diff: f64| users_needed(&self.question(se, margin, true_diff));
        let estimate = bounds.estimate;
        let ahead = self.users_per_day * DAYS_AHEAD;
        let out_of_reach = |margin: f64| needed(margin, 0.0).is_none_or(|needed| needed.users_additional > ahead);
        Some(Need {
            rule: measured.rule,
            if_equal: needed(bounds.margin, 0.0)?,
            if_as_now: estimate.and_then(|estimate| needed(bounds.margin, estimate.min(0.0))),
            p_acceptable: estimate
                .and_then(|estimate| bayes_normal(estimate, se, None, bounds.margin))
                .map(|posterior| posterior.p_noninferior),
            provable_ahead: bisect(0.0, 1.0, out_of_reach),
        })
    }

    /// Days until `n_users` have come; nothing where nobody comes.
    pub(super) fn days_for(&self, n_users: f64) -> Option<f64> {
        if n_users <= 0.0 {
            return Some(0.0);
        }
        (self.users_per_day > 0.0).then(|| n_users / self.users_per_day)
    }

    fn question(&self, se_now: f64, margin: f64, true_diff: f64) -> UsersNeededInput {
        UsersNeededInput {
            se_now,
            k_now: self.n_users,
            margin,
            alpha: self.alpha,
            power: 1.0 - (1.0 - POWER) / self.n_must_pass.max(1) as f64,
            true_diff,
            rule: LookRule::Sequential,
            alpha_seq_share: 1.0,
            users_per_day: self.users_per_day,
        }
    }
}

/// Returns the need that takes longest.
pub(super) fn longest(needs: &[Need]) -> Option<&Need> {
    needs.iter().max_by(|left, right| left.if_equal.users_additional.total_cmp(&right.if_equal.users_additional))
}

/// Returns the loss that would be shown first.
pub(super) fn earliest(falls: &[Fall]) -> Option<&Fall> {
    falls.iter().min_by(|left, right| left.needed.users_additional.total_cmp(&right.needed.users_additional))
}
