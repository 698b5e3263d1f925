//! Exports on a real Postgres: from recorded feedback to files that trainers load.

#![cfg(test)]

mod biases;
mod cancel;
mod checks;
mod comments;
mod consent;
mod crossing;
mod erasure;
mod erasure_places;
mod erasure_properties;
pub(crate) mod fixture;
mod folder;
mod formats;
mod jobs;
mod lanes;
mod layouts;
mod lifecycle;
mod lines;
mod parents;
mod readers;
mod s3;
mod screening;
mod trainer_check;
mod trust;
