//! `afterword serving`: asks a serving engine for its load once, before it goes into the configuration, and reports on what was
//! kept.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use super::UsageError;
use super::serving_report::{self, ReportArgs};
use crate::config::Config;
use crate::engine::maps::{Engine, MetricMap, Signal};
use crate::engine::selector::Term;
use crate::engine::target::{ModelNames, Target, TargetUrl};
use crate::service::serving;
use crate::service::serving_view::ReadingView;

/// Arguments of `afterword serving`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  afterword serving check http://10.0.0.7:8000/metrics --engine vllm
  afterword serving report --out serving.html")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Ask an engine once, and print what it says and why where it says nothing.
    #[command(after_help = "\
Examples:
  afterword serving check http://10.0.0.7:8000/metrics --engine vllm
  afterword serving check http://10.0.0.8/m --engine custom --kv-usage-spec 'pool_used / pool_blocks'

The exit status is 1 if the engine does not answer or tells nothing of its load.")]
    Check(CheckArgs),
    /// Report how busy engines were, how long prompts and answers are, and what users do then.
    #[command(after_help = "\
Examples:
  afterword serving report
  afterword serving report --model llama-3-70b --from 2026-03-01 --out serving.html

What users do by load is an association: nobody assigned load by chance.")]
    Report(Box<ReportArgs>),
}

#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// Address of its page of metrics.
    url: String,
    /// What it is: vllm, sglang, tgi, trtllm, triton, dynamo, llamacpp, lmdeploy or custom.
    #[arg(long)]
    engine: String,
    /// For `custom`: the series of the KV cache's use, metric{label=value}, or two with ` / ` between them.
    #[arg(long, value_name = "SPEC")]
    kv_usage_spec: Option<String>,
    /// For `custom`: the series of requests that are being answered.
    #[arg(long, value_name = "SPEC")]
    running_requests_spec: Option<String>,
    /// For `custom`: the series of requests that wait.
    #[arg(long, value_name = "SPEC")]
    queued_requests_spec: Option<String>,
}

/// Runs the subcommand.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Check(args) => check(&args).await,
        Command::Report(args) => serving_report::run(*args, config).await,
    }
}

/// Asks an engine once; it needs no database.
async fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let target = args.target()?;
    let mut out = std::io::stdout().lock();
    let readings = match serving::check(&target).await? {
        Ok(readings) => readings,
        Err(fault) => {
            writeln!(out, "✗ {fault}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    for reading in &readings.readings {
        print(&mut out, &ReadingView::of(reading, &target.models))?;
    }
    if readings.n_skipped > 0 {
        writeln!(out, "{} lines of the page could not be read", readings.n_skipped)?;
    }
    if readings.n_left_out > 0 {
        writeln!(out, "{} further models and ranks are not read", readings.n_left_out)?;
    }
    let load = [Signal::KvCacheUsage, Signal::NRunning, Signal::NWaiting];
    let tells_load = readings.readings.iter().any(|reading| load.iter().any(|signal| reading.value(*signal).is_ok()));
    Ok(if tells_load { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(out: &mut impl std::io::Write, reading: &ReadingView) -> std::io::Result<()> {
    let model = reading.model.as_deref().unwrap_or("(says no model)");
    let rank = if reading.rank.is_empty() { String::new() } else { format!(", rank {}", reading.rank) };
    // What an engine calls its models is not ours: no control character of it reaches the terminal.
    let title: String = format!("{model}{rank}").chars().filter(|character| !character.is_control()).collect();
    writeln!(out, "{title}")?;
    for (name, value) in &reading.values {
        match (value, reading.missing.get(name)) {
            (Some(value), _) => writeln!(out, "  {name:20}{value}")?,
            (None, reason) => writeln!(out, "  {name:20}– ({})", reason.unwrap_or(&"absent"))?,
        }
    }
    Ok(())
}

impl CheckArgs {
    fn target(&self) -> Result<Target, UsageError> {
        let usage = |text: &str| UsageError(text.to_owned());
        let engine = Engine::parse(&self.engine).ok_or_else(|| {
            let words: Vec<&str> = Engine::WORDS.iter().map(|(word, _)| *word).collect();
            UsageError(format!("--engine must be one of {}", words.join(", ")))
        })?;
        let url = TargetUrl::parse(&self.url);
        let url =
            url.ok_or_else(|| usage("the address must be http:// or https://, a host, and no user or password"))?;
        Ok(Target {
            name: "check".to_owned(),
            engine,
            map: self.map(engine)?,
            url,
            interval: Duration::from_secs(5),
            models: ModelNames::AsReported,
            instance: "check".to_owned(),
        })
    }

    fn map(&self, engine: Engine) -> Result<MetricMap, UsageError> {
        let specs = [
            ("--kv-usage-spec", Signal::KvCacheUsage, &self.kv_usage_spec),
            ("--running-requests-spec", Signal::NRunning, &self.running_requests_spec),
            ("--queued-requests-spec", Signal::NWaiting, &self.queued_requests_spec),
        ];
        let mut terms = Vec::new();
        for (flag, signal, text) in specs {
            let Some(text) = text else { continue };
            if engine != Engine::Custom {
                return Err(UsageError(format!(
                    "{flag} is for --engine custom: {} has a map of its own",
                    engine.as_str()
                )));
            }
            let term = Term::parse(text);
            let fault = || UsageError(format!("{flag} must be metric{{label=value}}, or two with ` / ` between them"));
            terms.push((signal, term.ok_or_else(fault)?));
        }
        match engine {
            Engine::Custom if terms.is_empty() => Err(UsageError("--engine custom needs one of the specs".to_owned())),
            Engine::Custom => Ok(MetricMap::custom(terms)),
            engine => Ok(MetricMap::of(engine)),
        }
    }
}
