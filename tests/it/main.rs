//! The one integration-test binary.

mod cli;
mod compare;
mod dataset;
mod demo;
mod engine;
mod export;
mod faults;
mod model;
mod postgres;
mod replay;
mod report;
mod routes;
mod serving;
mod stats;
mod store;
mod support;
mod tidy;
