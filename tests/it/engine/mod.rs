//! What engines say of their load: pages of every engine to readings, properties of the parser, and the load of an answer.

#![cfg(test)]

mod headers;
mod joins;
mod pages;
mod parser;
