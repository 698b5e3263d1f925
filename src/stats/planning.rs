//! How much traffic an experiment needs before it starts: what the traffic of a period tells, and when that suffices.
//!
//! It must not know of calendars or of metrics: days are numbers, and a rate is a rate.

use super::Direction;
use super::distribution::{bisect, normal_cdf, normal_upper_quantile};
use super::sequential::{LookRule, Spending, UsersNeededInput, information_fraction, look_multiplier, users_needed};

/// Holds what the traffic of a period tells about a rate, were all of its users on one side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// Length of the period in days.
    pub days: f64,
    /// Users of the period.
    pub n_users: f64,
    /// Turns of the period.
    pub n_turns: f64,
    /// Variance of the rate, clustered by user: `K/(K-1) Σ(y - R d)² / (Σd)²`, at least `R(1-R)/Σd`.
    pub variance: f64,
}

impl Stretch {
    /// Computes one day of users who are alike: `n_users` new ones a day with `turns_per_user` turns each, whose outcomes
    /// are correlated by `icc` within a user.
    ///
    /// `variance = deff R(1-R)/n`, `deff = 1 + (m - 1) icc` (Kish 1965). Assumes that users have equally many turns; where
    /// a few have most of them the true variance is larger.
    pub fn of_equal_users(rate: f64, n_users: f64, turns_per_user: f64, icc: f64) -> Self {
        let n_turns = n_users * turns_per_user;
        let deff = 1.0 + (turns_per_user - 1.0).max(0.0) * icc;
        Self { days: 1.0, n_users, n_turns, variance: deff * rate * (1.0 - rate) / n_turns }
    }
}

/// What had come after so many days, and what comes later.
///
/// Information is `1/variance`. Between two known days it grows in a straight line, and beyond the last one as it grew
/// over the last half of the known days: users who come back add less and less, and a line through the whole would hide it.
#[derive(Debug, Clone, PartialEq)]
pub struct Growth(Vec<Stretch>);

impl Growth {
    /// Takes what had come after 1, 2, … days, in that order; nothing where there is no spread to plan with.
    pub fn of(stretches: Vec<Stretch>) -> Option<Self> {
        let known: Vec<Stretch> =
            stretches.into_iter().filter(|it| it.days > 0.0 && it.variance > 0.0 && it.variance.is_finite()).collect();
        (!known.is_empty()).then_some(Self(known))
    }

    /// Returns the length of the known part in days.
    pub fn n_days_known(&self) -> f64 {
        self.0.last().map_or(0.0, |last| last.days)
    }

    /// Returns what will have come after so many days.
    pub fn after(&self, days: f64) -> Stretch {
        Stretch {
            days,
            n_users: self.line(days, |it| it.n_users),
            n_turns: self.line(days, |it| it.n_turns),
            variance: 1.0 / self.line(days, |it| 1.0 / it.variance),
        }
    }

    /// Returns the first day on which the variance is as small as this; nothing where it never will be.
    pub fn first_with(&self, variance: f64) -> Option<f64> {
        let falls_short = |days: f64| self.after(days).variance > variance;
        let mut high = self.0.first()?.days;
        while falls_short(high) {
            high *= 2.0;
            // Ten thousand years are never.
            if high > 3.65e6 {
                return None;
            }
        }
        // What was there once may be hidden again by a day of other users: the first of the known days decides.
        let high = self.0.iter().map(|it| it.days).find(|&days| !falls_short(days)).map_or(high, |days| days.min(high));
        Some(bisect(0.0, high, falls_short))
    }

    fn line(&self, days: f64, of: impl Fn(&Stretch) -> f64) -> f64 {
        let (mut from, mut value) = (0.0, 0.0);
        for known in &self.0 {
            if days <= known.days {
                return value + (of(known) - value) * (days - from) / (known.days - from);
            }
            (from, value) = (known.days, of(known));
        }
        let middle = self.0.iter().rfind(|it| it.days <= from / 2.0);
        let (start, at_start) = middle.map_or((0.0, 0.0), |it| (it.days, of(it)));
        value + ((value - at_start) / (from - start)).max(0.0) * (days - from)
    }
}

/// Holds the question that is planned for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proof {
    /// Rate of control.
    pub rate: f64,
    /// Which way the rate improves.
    pub direction: Direction,
    /// Smallest absolute margin: where a share of the rate is less, this takes its place.
    pub margin_floor: f64,
    /// Share of the users that get the candidate.
    pub share: f64,
    /// One-sided error rate.
    pub alpha: f64,
    /// Chance to show it for a candidate that is truly equal.
    pub power: f64,
    /// Power that the looks are tuned for; see [`information_fraction`].
    pub tuned_power: f64,
}

impl Proof {
    /// Returns the absolute margin of a margin that is a share of the rate.
    pub fn absolute(&self, margin: f64) -> f64 {
        (margin * self.rate).max(self.margin_floor)
    }

    /// Computes the standard error of the contrast `R_b - (1 ∓ m) R_a`: `sqrt(V ((1 ∓ m)²/(1-s) + 1/s))`.
    ///
    /// `V` is the variance of the rate over all users; a random part `f` of them has `V/f`. Assumes a candidate that is
    /// truly equal, in its spread, too.
    pub fn se(&self, variance: f64, margin: f64) -> f64 {
        (variance * self.factor(margin)).sqrt()
    }

    /// Computes the variance over all users that gives the planned power; nothing where no number of users does.
    pub fn variance_needed(&self, margin: f64, rule: LookRule) -> Option<f64> {
        let needed = users_needed(&UsersNeededInput {
            se_now: 1.0,
            k_now: 1.0,
            margin: self.absolute(margin),
            alpha: self.alpha,
            power: self.power,
            true_diff: 0.0,
            rule,
            alpha_seq_share: 1.0,
            users_per_day: 0.0,
        })?;
        Some(needed.se_target.powi(2) / self.factor(margin))
    }

    /// Computes the smallest margin, as a share of the rate, that is shown with the planned power; nothing where even the
    /// whole rate is too little to be lost.
    pub fn provable(&self, variance: f64, rule: LookRule) -> Option<f64> {
        let out_of_reach = |margin: f64| self.variance_needed(margin, rule).is_none_or(|needed| needed < variance);
        (!out_of_reach(1.0)).then(|| bisect(0.0, 1.0, out_of_reach))
    }

    /// Computes the chance to show a margin at one look: `Φ(margin/se - z)`, with `z_alpha` for a single look and the
    /// multiplier of [`look_multiplier`] for looks at any time, which is then a lower bound: earlier looks add to it.
    pub fn power_at(&self, variance: f64, margin: f64, rule: LookRule) -> Option<f64> {
        let (se, absolute) = (self.se(variance, margin), self.absolute(margin));
        let reach = match rule {
            LookRule::Fixed => normal_upper_quantile(self.alpha)?,
            LookRule::Hybrid | LookRule::Sequential => {
                let info_fraction = information_fraction(se, absolute, self.alpha, self.tuned_power)?;
                let every_look =
                    Spending { alpha: self.alpha, alpha_seq_share: 1.0, info_fraction, fixed_look_used: true };
                look_multiplier(&every_look, None)?
            }
        };
        Some(normal_cdf(absolute / se - reach))
    }

    fn factor(&self, margin: f64) -> f64 {
        // A margin below the floor is held as an absolute one, which scales nothing.
        let scale = match self.direction {
            _ if margin * self.rate < self.margin_floor => 1.0,
            Direction::HigherIsBetter => 1.0 - margin,
            Direction::LowerIsBetter => 1.0 + margin,
        };
        scale * scale / (1.0 - self.share) + 1.0 / self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::power::{Hypothesis, Plan, TwoRates, mde_two_prop, power_two_prop, sample_size_two_prop};

    const HALVES: Proof = Proof {
        rate: 0.3,
        direction: Direction::HigherIsBetter,
        margin_floor: 0.015,
        share: 0.5,
        alpha: 0.025,
        power: 0.8,
        tuned_power: 0.8,
    };
    /// Below the floor of [`HALVES`], so that the margin is an absolute one.
    const FLOORED: f64 = 0.01;

    fn close(left: f64, right: f64) {
        assert!((left - right).abs() <= 1e-9 * right.abs().max(1.0), "{left} against {right}");
    }

    #[test]
    fn an_absolute_margin_needs_what_the_sample_size_of_two_proportions_says() {
        let (turns_per_user, deff) = (5.0, 1.4);
        let growth = Growth::of(vec![Stretch::of_equal_users(0.3, 100.0, turns_per_user, 0.1)]).unwrap();
        let hypothesis = Hypothesis::NonInferior { margin: 0.015, direction: Direction::HigherIsBetter };
        let plan = Plan {
            p_a: 0.3,
            p_b: 0.3,
            hypothesis,
            alpha: 0.025,
            power: 0.8,
            ratio: 1.0,
            deff,
            completions_per_user: turns_per_user,
        };
        let size = sample_size_two_prop(&plan).unwrap();

        let days = growth.first_with(HALVES.variance_needed(FLOORED, LookRule::Fixed).unwrap()).unwrap();
        let then = growth.after(days);

        // By hand: 1.4·(1.959964 + 0.841621)²·2·0.3·0.7/0.015² = 20,511.7 turns a side.
        assert!((size.n_a - 20_511.7).abs() < 0.1, "{}", size.n_a);
        assert!((then.n_turns - 2.0 * size.n_a).abs() < 1e-3 * size.n_a, "{} turns", then.n_turns);
        let rates = TwoRates { p_a: 0.3, n_a: size.n_a, p_b: 0.3, n_b: size.n_b, deff };
        let power = power_two_prop(&rates, hypothesis, 0.025).unwrap();
        assert!((power - 0.8).abs() < 1e-9);
        assert!((HALVES.power_at(then.variance, FLOORED, LookRule::Fixed).unwrap() - 0.8).abs() < 1e-4);
        let mde = mde_two_prop(0.3, size.n_a, size.n_b, deff, 0.05, 0.8).unwrap();
        close(mde, 0.015);
    }

    #[test]
    fn a_relative_margin_counts_the_smaller_share_of_the_controls_variance() {
        // By hand: m = 0.1, se = 0.03/2.801585 = 0.0107082; V = se²/(0.81/0.5 + 1/0.5) = 3.16757e-5.
        let needed = HALVES.variance_needed(0.1, LookRule::Fixed).unwrap();

        assert!((needed - 3.167_57e-5).abs() < 1e-9, "{needed}");
        let lower = Proof { direction: Direction::LowerIsBetter, ..HALVES };
        // (1.21/0.5 + 1/0.5) in place of (0.81/0.5 + 1/0.5).
        close(lower.variance_needed(0.1, LookRule::Fixed).unwrap(), needed * 3.62 / 4.42);
    }

    #[test]
    fn looks_at_any_time_cost_more_than_one_look_and_their_margin_is_wider() {
        let variance = 4e-5;
        let [once, always] = [LookRule::Fixed, LookRule::Sequential];

        assert!(HALVES.variance_needed(0.1, always).unwrap() < HALVES.variance_needed(0.1, once).unwrap());
        assert!(HALVES.provable(variance, always).unwrap() > HALVES.provable(variance, once).unwrap());
        assert!(HALVES.power_at(variance, 0.1, always).unwrap() < HALVES.power_at(variance, 0.1, once).unwrap());
    }

    #[test]
    fn what_can_be_proved_is_what_is_shown_with_the_planned_power() {
        for rule in [LookRule::Fixed, LookRule::Sequential] {
            let margin = HALVES.provable(4e-5, rule).unwrap();

            assert!((HALVES.power_at(4e-5, margin, rule).unwrap() - 0.8).abs() < 1e-3, "{rule:?}");
        }
        assert_eq!(HALVES.provable(0.05, LookRule::Fixed), None, "two users prove nothing");
    }

    #[test]
    fn a_small_share_of_candidates_costs_more_users_than_halves() {
        let canary = Proof { share: 0.05, ..HALVES };

        let ratio = HALVES.variance_needed(0.1, LookRule::Fixed).unwrap()
            / canary.variance_needed(0.1, LookRule::Fixed).unwrap();

        // By hand: (0.81/0.95 + 20) / (0.81/0.5 + 2).
        close(ratio, (0.81 / 0.95 + 20.0) / 3.62);
    }

    #[test]
    fn growth_goes_through_what_is_known_and_on_as_it_last_went() {
        let stretch = |days: f64, n_users: f64, information: f64| Stretch {
            days,
            n_users,
            n_turns: 10.0 * n_users,
            variance: 1.0 / information,
        };
        let growth = Growth::of(vec![stretch(7.0, 100.0, 700.0), stretch(14.0, 150.0, 1000.0)]).unwrap();

        close(growth.after(3.5).n_users, 50.0);
        close(growth.after(14.0).variance, 1e-3);
        close(growth.after(21.0).n_users, 200.0);
        close(1.0 / growth.after(21.0).variance, 1300.0);
        close(growth.first_with(1.0 / 850.0).unwrap(), 10.5);
        close(growth.first_with(1.0 / 1300.0).unwrap(), 21.0);
        assert!((growth.n_days_known() - 14.0).abs() < 1e-12);
    }

    #[test]
    fn traffic_that_tells_nothing_new_never_suffices() {
        let stuck = |days: f64| Stretch { days, n_users: 20.0, n_turns: 100.0 * days, variance: 1e-3 };
        let growth = Growth::of(vec![stuck(5.0), stuck(10.0), stuck(20.0)]).unwrap();

        assert_eq!(growth.first_with(1e-4), None);
        assert_eq!(Growth::of(vec![Stretch { variance: 0.0, ..stuck(1.0) }]), None);
        assert_eq!(Growth::of(vec![]), None);
    }
}
