//! The one integration-test binary.

mod export;
mod postgres;
mod stats;
mod support;
