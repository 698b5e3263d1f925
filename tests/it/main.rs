//! The one integration-test binary.

mod cli;
mod compare;
mod dataset;
mod export;
mod faults;
mod postgres;
mod report;
mod routes;
mod stats;
mod store;
mod support;
mod tidy;
