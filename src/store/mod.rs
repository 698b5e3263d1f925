//! Postgres: the only place where SQL is written.
//!
//! Functions insert, find, list, stream, count, claim, complete and delete; they create no ids, read no clock and
//! know no HTTP. Every transaction says which projects it may touch, and row-level security holds it to that.

pub mod audit;
pub mod completions;
mod composite;
pub mod connection;
pub mod erased_rows;
pub mod erasures;
pub mod error;
pub mod examples;
pub mod experiments;
pub mod exports;
pub mod feedback;
pub mod groups;
pub mod holders;
pub mod jobs;
pub mod kept_comparisons;
pub mod key_life;
pub mod keys;
pub mod links;
pub mod migrations;
pub mod pages;
pub mod projects;
pub mod publishable_keys;
pub mod rates;
pub mod reading;
pub mod sequence_lengths;
pub mod serving;
pub mod serving_load;
pub mod signing_keys;
pub mod tallies;
pub mod turns;
pub mod votes;

pub use composite::{Inserted, Telling};
pub use connection::{Access, PoolSizes, Store, Tx};
pub use error::StoreError;
