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
    tell_panics();
}

/// Tells where the program panics and not with what words: they may quote what a user sent.
fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked, a bug of ours");
    }));
}
