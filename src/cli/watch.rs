//! `afterword compare --watch`: one look after the other, until somebody or the verdict ends it.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use super::UsageError;
use super::compare::{Args, Format, USUAL_WIDTH, explain, is_coloured, look, render, terminal_width};
use super::connect::{self, Connected};
use crate::config::Config;
use crate::domain::comparison::ComparisonSpec;
use crate::domain::principal::Principal;
use crate::report::comparison::{Comparison, Decision};
use crate::report::{json, text};
use crate::service::{App, ServiceError};

/// Shortest and longest pause between two looks, in seconds: a look reads every turn, and nobody waits for a day.
const PAUSES_S: std::ops::RangeInclusive<u64> = 1..=86_400;
/// Clears a terminal and begins at its top.
const CLEAR: &str = "\u{1b}[2J\u{1b}[H";
/// What stands below the first look.
const WATCHING: &str = "Watching: the bounds hold at every look, so that to look costs nothing. Ctrl-C ends it.";
/// Exit status where somebody ends the wait for a verdict, which is none: that of a program that a signal ended.
const INTERRUPTED: u8 = 130;

/// How a comparison is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Watch {
    /// Pause between two looks.
    pub(super) pause: Duration,
    /// Whether the first verdict that is no "keep collecting" ends it.
    pub(super) until_verdict: bool,
}

impl Watch {
    /// Reads a pause such as `30s`, `5m` or `1h`; a bare number is one of seconds.
    pub(super) fn parse(pause: &str, until_verdict: bool) -> Result<Self, UsageError> {
        let (number, unit_s) = match pause.char_indices().next_back() {
            Some((at, 's')) => (&pause[..at], 1),
            Some((at, 'm')) => (&pause[..at], 60),
            Some((at, 'h')) => (&pause[..at], 3600),
            _ => (pause, 1),
        };
        let pause_s = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_s));
        let pause_s = pause_s
            .filter(|pause_s| PAUSES_S.contains(pause_s))
            .ok_or_else(|| UsageError("--watch: must be a time from 1s to 24h, such as 30s, 5m or 1h".to_owned()))?;
        Ok(Self { pause: Duration::from_secs(pause_s), until_verdict })
    }
}

/// Returns the exit status that tells a verdict to a script.
fn status_of(decision: Decision) -> u8 {
    match decision {
        Decision::Switch => 0,
        Decision::Keep => 3,
        Decision::CannotTell | Decision::KeepCollecting => 4,
        Decision::Invalid => 5,
    }
}

/// Looks until it is ended: by Ctrl-C, or by a verdict where that was asked for.
pub(super) async fn run(args: &Args, spec: ComparisonSpec, watch: Watch, config: &Config) -> anyhow::Result<ExitCode> {
    connect::with(config, async |connected: &Connected| {
        let project = connected.project(args.project()).await?;
        let principal = project.operator();
        let ended = tokio::select! {
            ended = look_on(args, &spec, watch, &connected.app, &principal) => ended?,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.context("cannot wait for Ctrl-C")?;
                if watch.until_verdict { INTERRUPTED } else { 0 }
            }
        };
        Ok(ExitCode::from(ended))
    })
    .await
}

/// Takes one look after the other and returns the status of the verdict that ends them.
async fn look_on(
    args: &Args,
    spec: &ComparisonSpec,
    watch: Watch,
    app: &App,
    principal: &Principal,
) -> anyhow::Result<u8> {
    let mut before: Option<Comparison> = None;
    loop {
        match look(app, principal, spec.clone(), args.format() == Format::Html).await {
            Ok(now) => {
                show(args, before.as_ref(), &now)?;
                let decision = now.verdict.decision();
                if watch.until_verdict && decision != Decision::KeepCollecting {
                    return Ok(status_of(decision));
                }
                before = Some(now);
            }
            // Whoever watches may begin before the first completion, and outlives a restart of the database.
            Err(error @ (ServiceError::NoData(_) | ServiceError::TimedOut | ServiceError::Store(_))) => {
                writeln!(io::stderr().lock(), "no look: {error}")?;
            }
            Err(error) => return Err(explain(error)),
        }
        tokio::time::sleep(watch.pause).await;
    }
}

/// Shows a look: to a terminal the whole text anew, into a file the whole report anew, else what moved.
fn show(args: &Args, before: Option<&Comparison>, now: &Comparison) -> anyhow::Result<()> {
    if let Some(out) = args.out() {
        std::fs::write(out, render(now, args.format(), false)?)
            .with_context(|| format!("cannot write {}", out.display()))?;
    }
    let mut stdout = io::stdout().lock();
    if args.format() == Format::Json && args.out().is_none() {
        writeln!(stdout, "{}", json::to_json(now))?;
        return Ok(stdout.flush()?);
    }
    let is_terminal = stdout.is_terminal();
    let width = if is_terminal { terminal_width() } else { USUAL_WIDTH };
    let moved = before.map(|before| text::moved::to_text(before, now, width, is_terminal && is_coloured()));
    if args.out().is_none() && (is_terminal || before.is_none()) {
        let clear = if is_terminal { CLEAR } else { "" };
        writeln!(stdout, "{clear}{}", render(now, Format::Text, is_terminal)?)?;
    }
    match moved {
        Some(moved) => stdout.write_all(moved.as_bytes())?,
        None if args.out().is_some() => writeln!(stdout, "{}", now.verdict.sentence)?,
        None => writeln!(stdout, "{WATCHING}")?,
    }
    Ok(stdout.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_a_number_of_seconds_minutes_or_hours() {
        for (text, pause_s) in
            [("30s", Some(30)), ("5m", Some(300)), ("1h", Some(3600)), ("7", Some(7)), ("24h", Some(86_400))]
        {
            let expected = pause_s.map(Duration::from_secs);
            assert_eq!(Watch::parse(text, false).ok().map(|watch| watch.pause), expected, "{text}");
        }
        for text in ["", "0", "0s", "25h", "s", "-1", "1.5", "1d", "é", "18446744073709551615h"] {
            assert!(Watch::parse(text, true).is_err(), "{text}");
        }
    }

    #[test]
    fn a_script_tells_verdicts_apart_by_the_exit_status() {
        let decisions = [Decision::Switch, Decision::Keep, Decision::CannotTell, Decision::Invalid];

        assert_eq!(decisions.map(status_of), [0, 3, 4, 5]);
    }
}
