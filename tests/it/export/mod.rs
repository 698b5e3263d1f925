//! Exports on a real Postgres: from recorded feedback to files that trainers load.

#![cfg(test)]

mod fixture;
mod folder;
mod jobs;
mod lifecycle;
mod trainer_check;
mod trust;
