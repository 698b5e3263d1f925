//! it

mod dataset;
mod stats;
