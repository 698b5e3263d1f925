//! A value as it changed over time, by the order in which we received what changed it.
//!
//! Exports must not reshuffle what an earlier export held. So the rules say not only what holds now but since when,
//! and that can be told from what had arrived until then, whatever arrives later.

use chrono::TimeDelta;

use crate::domain::clock::Timestamp;

/// A step function of time: nothing before the first step, each value until the next step.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Timeline<V> {
    steps: Vec<(Timestamp, V)>,
}

impl<V: Clone + PartialEq> Timeline<V> {
    /// Starts with nothing.
    pub(super) fn new() -> Self {
        Self { steps: Vec::new() }
    }

    /// Holds one value from a moment on.
    pub(super) fn starting(at: Timestamp, value: V) -> Self {
        Self { steps: vec![(at, value)] }
    }

    /// Changes the value at a moment that is not before the last one; the last change of one moment counts.
    fn push(&mut self, at: Timestamp, value: V) {
        self.steps.pop_if(|(last, _)| *last == at);
        if self.steps.last().is_none_or(|(_, last)| *last != value) {
            self.steps.push((at, value));
        }
    }

    /// Returns the value that holds now.
    pub(super) fn last(&self) -> Option<&V> {
        self.steps.last().map(|(_, value)| value)
    }

    /// Returns every step: a moment, and the value that held from then on.
    pub(super) fn steps(&self) -> impl Iterator<Item = (Timestamp, &V)> {
        self.steps.iter().map(|(at, value)| (*at, value))
    }

    /// Returns every value that held at some time, the first one first.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.steps.iter().map(|(_, value)| value)
    }

    /// Lets a value hold from the moment after the last change on.
    pub(super) fn ending_in(mut self, value: V) -> Self {
        if let Some((last, _)) = self.steps.last() {
            let after = *last + TimeDelta::microseconds(1);
            self.push(after, value);
        }
        self
    }

    /// Returns the first moment at which a value held.
    pub(super) fn first(&self, holds: impl Fn(&V) -> bool) -> Option<Timestamp> {
        self.steps.iter().find(|(_, value)| holds(value)).map(|(at, _)| *at)
    }

    /// Returns since when a value has held without a break, if it holds now.
    pub(super) fn since(&self, holds: impl Fn(&V) -> bool) -> Option<Timestamp> {
        self.steps.iter().rev().take_while(|(_, value)| holds(value)).last().map(|(at, _)| *at)
    }

    /// Lets nothing hold before a moment: what held until then starts at it.
    pub(super) fn not_before(mut self, floor: Timestamp) -> Self {
        let n_before = self.steps.iter().take_while(|(at, _)| *at <= floor).count();
        if n_before > 0 {
            self.steps.drain(..n_before - 1);
            self.steps[0].0 = floor;
        }
        self
    }

    /// Maps every value.
    pub(super) fn map<W: Clone + PartialEq>(&self, to: impl Fn(&V) -> W) -> Timeline<W> {
        let mut mapped = Timeline::new();
        for (at, value) in &self.steps {
            mapped.push(*at, to(value));
        }
        mapped
    }

    /// Follows two timelines at once.
    pub(super) fn zip<A, B>(left: &Timeline<A>, right: &Timeline<B>, to: impl Fn(Option<&A>, Option<&B>) -> V) -> Self {
        let (mut n_left, mut n_right) = (0, 0);
        let mut zipped = Self::new();
        loop {
            let next = match (left.steps.get(n_left), right.steps.get(n_right)) {
                (Some((left, _)), Some((right, _))) => *left.min(right),
                (Some((at, _)), None) | (None, Some((at, _))) => *at,
                (None, None) => return zipped,
            };
            n_left += usize::from(left.steps.get(n_left).is_some_and(|(at, _)| *at == next));
            n_right += usize::from(right.steps.get(n_right).is_some_and(|(at, _)| *at == next));
            let before = |n: usize| n.checked_sub(1);
            let of_left = before(n_left).and_then(|n| left.steps.get(n)).map(|(_, value)| value);
            let of_right = before(n_right).and_then(|n| right.steps.get(n)).map(|(_, value)| value);
            zipped.push(next, to(of_left, of_right));
        }
    }

    /// Follows many timelines at once: `change` carries a change of one part, from what to what, into the state, and
    /// `view` reads the value off the state once all changes of a moment are in it.
    pub(super) fn follow<P, S>(
        parts: &[&Timeline<P>],
        mut state: S,
        change: impl Fn(&mut S, usize, Option<&P>, &P),
        view: impl Fn(&S) -> V,
    ) -> Self {
        let mut changes: Vec<(Timestamp, usize, usize)> = Vec::new();
        for (nth, part) in parts.iter().enumerate() {
            changes.extend(part.steps.iter().enumerate().map(|(step, (at, _))| (*at, nth, step)));
        }
        changes.sort_unstable();
        let mut followed = Self::new();
        for of_moment in changes.chunk_by(|left, right| left.0 == right.0) {
            for &(_, nth, step) in of_moment {
                let steps = &parts[nth].steps;
                let from = step.checked_sub(1).and_then(|before| steps.get(before)).map(|(_, value)| value);
                change(&mut state, nth, from, &steps[step].1);
            }
            followed.push(of_moment[0].0, view(&state));
        }
        followed
    }

    /// Builds a timeline from changes in the order of their moments.
    pub(super) fn from_changes(changes: impl IntoIterator<Item = (Timestamp, V)>) -> Self {
        let mut timeline = Self::new();
        for (at, value) in changes {
            timeline.push(at, value);
        }
        timeline
    }
}
