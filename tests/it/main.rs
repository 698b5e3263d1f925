//! it

mod stats;
mod tidy;
