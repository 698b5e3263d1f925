//! The one integration-test binary.

mod compare;
mod postgres;
mod report;
mod stats;
mod support;
