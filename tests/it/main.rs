//! it

mod stats;
