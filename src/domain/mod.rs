//! What the words mean: ids, completions, feedback, selections, recipes, principals, the clock.
//!
//! This module knows no I/O and no other module of the crate. Everything that arrives from outside is parsed here,
//! once, into types that cannot be wrong; the rest of the program handles only those.

pub mod assignment;
pub mod bands;
pub mod batch;
pub mod clock;
pub mod comparison;
pub mod completion;
pub(crate) mod completion_wire;
pub mod consent;
pub mod credential;
pub mod destination;
pub mod erasure;
pub mod experiment;
pub mod export;
pub mod feedback;
pub(crate) mod feedback_wire;
mod field_code;
pub mod fields;
pub mod grant;
pub mod hash;
pub mod ids;
pub mod json;
pub mod key_life;
pub mod link;
pub mod listing;
pub mod nearest;
pub mod network;
mod openai;
pub mod origin;
pub mod plan;
pub mod principal;
mod query;
pub mod recipe;
pub mod selection;
pub mod sequence_query;
pub mod serving_query;
pub mod signing;
pub mod token;
pub mod trust;
