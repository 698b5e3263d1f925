//! `dataset`: the rules as tables, the plan of splits, and what holds for any feedback whatsoever.

#![cfg(test)]

mod fixtures;
mod labels;
mod pairs;
mod properties;
mod requirements;
mod sft;
mod splits;
mod traps;
