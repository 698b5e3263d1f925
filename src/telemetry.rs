//! The log: to the standard error, for people or for machines.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Libraries that say more than an operator wants to know; a directive in the configuration goes before these. A slow
/// statement would be told with its whole text.
const QUIET: &str = "sqlx=warn,sqlx::query=error,actix_server=warn,actix_http=warn,hyper=warn,object_store=warn";

/// Starts logging; called once, before anything is done.
pub fn start(log: &Log) {
    let filter = EnvFilter::new(format!("{QUIET},{}", log.level));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}
