//! `stats` against reference vectors made by other software (ST-2), and against properties no vector can show.

#![cfg(test)]

mod bands;
mod dispatch;
mod planning;
mod properties;
mod vectors;
