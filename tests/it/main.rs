//! The one integration-test binary.

mod compare;
mod export;
mod faults;
mod postgres;
mod postgres;
mod report;
mod report;
mod stats;
mod store;
mod support;
mod tidy;
