//! The HTML report, read as a browser, a screen reader and a suspicious person would read it.

#![cfg(test)]

mod agreement;
mod golden;
mod page;
mod pages;
mod rich;
mod rich_ratings;
mod samples;
mod serving;
mod terminal;
mod wire;
