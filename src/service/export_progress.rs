//! How far a run is, told by the run and looked at by others.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// What a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Reads prompts.
    Reading,
    /// Writes rows.
    Writing,
    /// Copies files to where they are to be.
    Publishing,
}

/// How far a run is; one writes, anyone reads.
#[derive(Debug, Default)]
pub struct Progress {
    phase: AtomicU8,
    n_done: AtomicU64,
    n_total: AtomicU64,
    n_prompts: AtomicU64,
}

/// A look at a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// What it is doing.
    pub phase: Phase,
    /// Steps of the phase that are done.
    pub n_done: u64,
    /// Steps of the phase; 0 where they are not counted.
    pub n_total: u64,
    /// Prompts that the run reads in all; 0 until they are counted.
    pub n_prompts: u64,
}

impl Progress {
    /// Enters a phase of `n_total` steps.
    pub fn enter(&self, phase: Phase, n_total: u64) {
        if phase == Phase::Reading {
            self.n_prompts.store(n_total, Ordering::Relaxed);
        }
        self.n_done.store(0, Ordering::Relaxed);
        self.n_total.store(n_total, Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Counts steps.
    pub fn advance(&self, n_steps: u64) {
        self.n_done.fetch_add(n_steps, Ordering::Relaxed);
    }

    /// Looks at the run.
    pub fn look(&self) -> Look {
        let phase = match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Reading,
            1 => Phase::Writing,
            _ => Phase::Publishing,
        };
        Look {
            phase,
            n_done: self.n_done.load(Ordering::Relaxed),
            n_total: self.n_total.load(Ordering::Relaxed),
            n_prompts: self.n_prompts.load(Ordering::Relaxed),
        }
    }
}

impl Look {
    /// Returns how many prompts of how many are read: what the REST item shows.
    pub fn prompts(self) -> (u64, u64) {
        match self.phase {
            Phase::Reading => (self.n_done, self.n_prompts),
            Phase::Writing | Phase::Publishing => (self.n_prompts, self.n_prompts),
        }
    }
}
