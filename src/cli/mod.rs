//! cli
pub mod export;
pub mod recipe;
