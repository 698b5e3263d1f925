//! The one integration-test binary.

mod postgres;
mod report;
mod stats;
mod support;
mod tidy;
