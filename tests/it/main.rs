//! it

mod report;
mod stats;
mod tidy;
