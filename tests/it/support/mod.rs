//! What tests stand on: a private Postgres for the whole run, a database for each test.
//!
//! The server is started by the first test that needs it, through the product's own `postgres` module, and lives in
//! cargo's directory for test files. Other test processes of the same run join it. A watchdog outlives each test
//! process, however that ends, and the last one stops the server.

#![cfg(test)]

pub(crate) mod database;
pub(crate) mod disk;
pub(crate) mod program;
pub(crate) mod s3;
mod server;
pub(crate) mod service;

pub(crate) use database::TestDatabase;
pub(crate) use service::TestService;
