//! `afterword demo`: everything at once on a private Postgres. Simulated users of two models react through the public
//! interface, two data sets and a comparison are made of it, and then the service stays up to be played with.
//!
//! It goes the ways that a customer would go: everything after the start is an HTTP request.

mod chance;
mod chat;
mod closing;
mod conversation;
mod player;
mod reactions;
mod serving;
mod simulator;
mod state;
mod steps;
mod texts;

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use indicatif::HumanCount;
use serde_json::Value;

use super::UsageError;
use super::connect::Connected;
use super::serve::{Signals, http_settings};
use crate::config::Config;
use crate::domain::clock::{Clock as _, SystemClock};
use crate::domain::principal::SecretKey;
use crate::http::Server;
use crate::report::count::counted;
use crate::service::bootstrap;
use crate::service::ids::new_id;
use crate::worker::Worker;
use closing::Closing;
use player::{Player, Verdicts};
use simulator::{EXPERIMENT, Scenario};
use state::State;
use steps::Steps;
use texts::Corpus;

/// Directory of a demo for which nobody named another.
pub(super) const DATA_DIR: &str = ".afterword/demo";
const PROJECT: &str = "demo";
const N_STEPS: u32 = 6;

/// Arguments of `afterword demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  afterword demo                  play everything, then serve until Ctrl-C
  afterword demo --exit           play everything and leave
  afterword demo --reset          begin from an empty directory
  afterword demo --seed 2         add the traffic of other users

The demo always uses a private Postgres in a directory of its own (--data-dir, by default .afterword/demo); the
database and the directories of the configuration stay untouched.")]
pub struct Args {
    /// Leave when everything is played.
    #[arg(long)]
    exit: bool,
    /// Wipe what earlier runs left, then begin anew.
    #[arg(long)]
    reset: bool,
    /// Where all chance comes from.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(..1_000_000))]
    seed: u64,
    /// Simulated users.
    #[arg(long, value_name = "N", default_value_t = 650, value_parser = clap::value_parser!(u32).range(1..=9_999))]
    users: u32,
    /// Address and port to listen on; a free port where the usual one is taken.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<String>,
}

/// Runs the subcommand: until a signal ends it, or with `--exit` until everything is played.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::catch()?;
    let config = own_config(config);
    let data_dir = config.data_dir.as_path();
    if args.reset && state::wipe(data_dir).await? {
        writeln!(std::io::stdout().lock(), "wiped {}", data_dir.display())?;
    }
    let state = State::open(data_dir)?;
    let key = state.key().ok_or_else(|| UsageError("the demo has no key; --reset starts anew".to_owned()))?;
    let listener = listen(&args, &config)?;
    writeln!(std::io::stdout().lock(), "Everything of this demo is in {}\n", data_dir.display())?;
    let mut steps = Steps::new(N_STEPS);
    let step = steps.begin("Service", None);
    let connected = tokio::select! {
        connected = Connected::open(&config) => connected?,
        () = signals.next() => return Ok(interrupted()),
    };
    let begun = Box::pin(begin(&connected, &config, listener, &key)).await;
    let outcome = match begun {
        Ok((server, worker, player)) => {
            step.done(&format!("{}, on a private Postgres", player.url()))?;
            let outcome = tokio::select! {
                outcome = play_and_tell(&args, state, &mut steps, &player, &key, &config) => outcome.map(Some),
                () = signals.next() => Ok(None),
            };
            if matches!(outcome, Ok(Some(()))) && !args.exit {
                signals.next().await;
            }
            tokio::join!(server.stop(), worker.stop());
            outcome
        }
        Err(error) => Err(error),
    };
    let closed = connected.close().await;
    let is_done = outcome?.is_some();
    closed?;
    Ok(if is_done { ExitCode::SUCCESS } else { interrupted() })
}

fn interrupted() -> ExitCode {
    let _unseen = writeln!(std::io::stderr().lock(), "stopped before the end; the next run goes on from here");
    ExitCode::FAILURE
}

/// Takes the configuration without what belongs to a real instance: its database, its directories, its first key.
fn own_config(config: &Config) -> Config {
    let mut own = config.clone();
    own.database.url = None;
    own.database.owner_url = None;
    own.exports.directory = own.data_dir.join("exports");
    own.exports.destinations.clear();
    own.init.project = None;
    own.init.secret_key = None;
    own
}

/// Listens where it was told to; where nobody said and the usual port is taken, on a free one.
fn listen(args: &Args, config: &Config) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(config.listen);
    let bound = match bound {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && args.listen.is_none() => {
            TcpListener::bind((config.listen.ip(), 0))
        }
        bound => bound,
    };
    bound.with_context(|| format!("cannot listen on {}", config.listen))
}

async fn begin(
    connected: &Connected,
    config: &Config,
    listener: TcpListener,
    key: &SecretKey,
) -> anyhow::Result<(Server, Worker, Player)> {
    bootstrap::ensure(&connected.app, PROJECT, Some(key)).await?;
    let address = listener.local_addr()?;
    let player = Player::new(format!("http://{address}"), key.reveal())?;
    let chat = chat::routes(player.clone())?;
    let server = Server::start_with(connected.app.clone(), listener, http_settings(config), chat)?;
    let worker = Worker::start(connected.app.clone());
    if let Err(error) = chat::admit_pages(&player, address.port()).await {
        tokio::join!(server.stop(), worker.stop());
        return Err(error.into());
    }
    Ok((server, worker, player))
}

/// Plays everything through the public interface, then says what there is now.
async fn play_and_tell(
    args: &Args,
    mut state: State,
    steps: &mut Steps,
    player: &Player,
    key: &SecretKey,
    config: &Config,
) -> anyhow::Result<()> {
    let until = state.end_of(args.seed, SystemClock.now())?;
    let scenario = Scenario { seed: args.seed, n_users: args.users, until };
    let liked = traffic(player, steps, scenario).await?;
    let dpo = data_set(player, steps, "Set for DPO", "dpo", &config.data_dir).await?;
    let sft = data_set(player, steps, "Set for SFT", "sft", &config.data_dir).await?;
    let (report, verdict) = report(player, steps, &config.data_dir).await?;
    let closing = Closing {
        url: player.url(),
        key: &key.reveal(),
        verdict: &verdict,
        completion_id: &liked,
        feedback_id: &new_id().to_string(),
        dpo: &dpo,
        sft: &sft,
        report: &report,
        stays: !args.exit,
    };
    write!(std::io::stdout().lock(), "{closing}")?;
    Ok(())
}

/// Declares the experiment and plays the users; returns the id of a completion to try a thumb on.
async fn traffic(player: &Player, steps: &mut Steps, scenario: Scenario) -> anyhow::Result<String> {
    let step = steps.begin("Users", None);
    let corpus = Corpus::embedded()?;
    let played = tokio::task::spawn_blocking(move || simulator::simulate(&scenario, &corpus)).await?;
    player.declare(&simulator::experiment()).await?;
    let days = "two weeks of an experiment with two models";
    step.done(&format!("{} people, {days} (seed {})", HumanCount(scenario.n_users.into()), scenario.seed))?;

    let (completions, feedback) = (&played.completions, &played.feedback);
    let step = steps.begin("Traffic", Some((completions.len() + feedback.len()) as u64));
    let (of_completions, of_feedback) = player.play(completions, feedback, |n| step.advance(n)).await?;
    let told = |verdicts: Verdicts, what: &str| -> String {
        let n = HumanCount(verdicts.total());
        match verdicts {
            Verdicts { n_duplicate: 0, .. } => format!("{n} {what}"),
            Verdicts { n_duplicate, .. } => format!("{n} {what} ({} of them known already)", HumanCount(n_duplicate)),
        }
    };
    step.done(&format!("{}, {}", told(of_completions, "completions"), told(of_feedback, "reactions")))?;
    refuse_losses(of_completions, of_feedback)?;
    let shown = completions.iter().rev().find(|item| item["variant"].is_string());
    Ok(shown.and_then(|item| item["id"].as_str()).unwrap_or("none").to_owned())
}

fn refuse_losses(of_completions: Verdicts, of_feedback: Verdicts) -> anyhow::Result<()> {
    let n_refused = of_completions.n_refused + of_feedback.n_refused;
    anyhow::ensure!(n_refused == 0, "the service refused {}", counted(n_refused, "item"));
    let n_conflict = of_completions.n_conflict + of_feedback.n_conflict;
    if n_conflict > 0 {
        let told = "sent with other content by an earlier version; --reset begins anew";
        writeln!(std::io::stderr().lock(), "warning: {}, {told}", counted(n_conflict, "item"))?;
    }
    Ok(())
}

/// Has a data set made and fetches it into a folder of its own.
async fn data_set(
    player: &Player,
    steps: &mut Steps,
    title: &'static str,
    recipe: &str,
    data_dir: &Path,
) -> anyhow::Result<PathBuf> {
    let step = steps.begin(title, None);
    let (id, manifest) = player.export(recipe, |n_done, n_total| step.set(n_done, n_total)).await?;
    let (folder, fetched) = (data_dir.join(recipe), data_dir.join(format!("{recipe}.new")));
    remove_folder(&fetched).await?;
    player.fetch(&id, &manifest, &fetched).await?;
    remove_folder(&folder).await?;
    tokio::fs::rename(&fetched, &folder).await?;
    let count = |value: &Value| HumanCount(value.as_u64().unwrap_or_default()).to_string();
    let splits = manifest["splits"].as_object().into_iter().flatten();
    let splits: Vec<String> = splits.map(|(split, n)| format!("{} {split}", count(n))).collect();
    step.done(&format!("{} examples ({})", count(&manifest["n_examples"]), splits.join(", ")))?;
    Ok(folder)
}

async fn remove_folder(folder: &Path) -> anyhow::Result<()> {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(anyhow::anyhow!("{}: {}", folder.display(), error.kind()))
        }
        _ => Ok(()),
    }
}

/// Has the comparison made; returns where the page is, and the verdict as text.
async fn report(player: &Player, steps: &mut Steps, data_dir: &Path) -> anyhow::Result<(PathBuf, String)> {
    let step = steps.begin("Comparison", None);
    let page = data_dir.join("report.html");
    tokio::fs::write(&page, player.comparison(EXPERIMENT, "text/html").await?).await?;
    let json = player.comparison(EXPERIMENT, "application/json").await?;
    tokio::fs::write(data_dir.join("report.json"), &json).await?;
    let verdict: Value = serde_json::from_str(&json)?;
    step.done(&format!("verdict {}", verdict["verdict"]["code"].as_str().unwrap_or("unknown")))?;
    Ok((page, player.comparison(EXPERIMENT, "text/plain").await?))
}
