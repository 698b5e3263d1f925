//! The REST interface, on actix-web: reads requests into the domain's types, calls one use case each, and writes the
//! answer. It knows statuses and headers, and neither SQL nor Parquet.
//!
//! `routes` lists every address; `edge` wraps them all; `problem` is the table of what can go wrong.

mod adapters;
mod admission;
mod auth;
mod body;
mod budget;
mod byte_range;
mod client_address;
mod connection;
mod crowd;
mod decode;
mod docs;
mod door;
mod edge;
mod error;
mod health;
mod incoming;
mod link_page;
mod links;
mod metrics;
mod negotiate;
mod openapi;
mod pages;
mod parsing;
pub(crate) mod problem;
mod query;
mod quota;
mod routes;
mod sdk;
mod server;
mod services;
mod v1;
mod visit;

pub(crate) use body::{Body, Bound, Media};
pub use client_address::{ForwardedHeader, Proxies};
pub(crate) use error::Problem;
pub(crate) use links::PREFIX as LINK_PREFIX;
pub(crate) use query::NoQuery;
pub use quota::Quotas;
pub use sdk::script_tag;
pub use server::{Server, ServerError};
pub use services::{BodyLimits, HttpSettings};
