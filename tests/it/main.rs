//! The one integration-test binary.

mod compare;
mod export;
mod faults;
mod postgres;
mod report;
mod dataset;
mod routes;
mod stats;
mod store;
mod support;
mod tidy;
