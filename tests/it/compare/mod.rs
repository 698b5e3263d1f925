//! Comparisons from stored rows to their renderings.

#![cfg(test)]

mod kept;
mod order;
mod plan;
mod seed;
mod simulator;
mod tallies;
mod trust;
mod verdicts;
