//! The one integration-test binary.

mod compare;
mod export;
mod postgres;
mod report;
mod faults;
mod postgres;
mod report;
mod stats;
mod store;
mod support;
mod tidy;
