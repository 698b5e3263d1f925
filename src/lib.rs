//! Afterword collects what people do after a language model has answered, and turns it into training sets and
//! honest model comparisons.
//!
//! The module list is the map; `ARCHITECTURE.md` explains it and `tests/it/tidy.rs` asserts its import rules.
//! Dependencies point downwards only: `domain` → (`stats`, `dataset`, `engine`, `foreign`, `columnar`, `report`) → (`store`,
//! `blob`, `hook`, `scrape`) → `service` → (`worker`, `cli`, `http`).

pub mod blob;
pub mod cli;
pub mod columnar;
pub mod config;
pub mod dataset;
pub mod domain;
pub mod engine;
pub mod foreign;
pub mod hook;
pub mod http;
pub mod postgres;
pub mod report;
pub mod scrape;
pub mod service;
pub mod stats;
pub mod store;
pub mod telemetry;
pub mod worker;

/// Who gives out memory, to the program and to its benchmarks and tests alike.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
