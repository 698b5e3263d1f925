//! The one integration-test binary.

mod postgres;
mod stats;
mod support;
