//! The one integration-test binary.

mod cli;
mod compare;
mod export;
mod faults;
mod postgres;
mod report;
mod routes;
mod dataset;
mod faults;
mod postgres;
mod report;
mod stats;
mod store;
mod support;
mod tidy;
