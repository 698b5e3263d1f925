//! The one integration-test binary.

mod export;
mod compare;
mod postgres;
mod report;
mod stats;
mod support;
mod tidy;
