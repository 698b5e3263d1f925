//! What serving engines say of their load, and what it was while an answer was made: pages of metrics and replies in,
//! readings with a reason for every number that is missing, and the load of a completion out.
//!
//! Pure: whoever scrapes hands in bytes and times. A number that is absent or impossible is never 0.

pub mod exposition;
pub mod load;
pub mod maps;
pub mod orca;
pub mod reading;
pub mod recent;
pub mod selector;
pub mod slots;
pub mod target;
