//! The command line, run as the built program.

#![cfg(test)]

mod compare;
mod configuration;
mod doctor;
mod drain;
mod erase;
mod export;
mod import;
mod import_table;
mod keys;
mod logs;
mod ordinary_user;
mod refusals;
mod sdk;
mod serve;
mod tokens;

use crate::support::program;
