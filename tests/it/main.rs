//! it

mod report;
mod stats;
