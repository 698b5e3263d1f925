//! `dataset`: the rules as tables, the plan of splits, and what holds for any feedback whatsoever.

#![cfg(test)]

mod comments;
mod fixtures;
mod labelled;
mod labels;
mod links;
mod near;
mod pairing;
mod pairs;
mod prompts;
mod properties;
mod requirements;
mod sft;
mod splits;
mod tools;
mod traps;
mod voters;
mod votes;
