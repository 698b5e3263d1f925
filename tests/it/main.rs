//! The one integration-test binary.

mod compare;
mod export;
mod postgres;
mod report;
mod stats;
mod support;
mod tidy;
