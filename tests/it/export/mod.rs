//! Exports on a real Postgres: from recorded feedback to files that trainers load.

#![cfg(test)]

mod biases;
mod checks;
mod consent;
mod erasure;
mod erasure_properties;
mod fixture;
mod folder;
mod formats;
mod jobs;
mod layouts;
mod lifecycle;
mod readers;
mod trainer_check;
mod trust;
