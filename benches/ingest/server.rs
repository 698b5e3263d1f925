//! The services that are measured, each a process of its own: the built program, and this benchmark's own executable as
//! the same server that writes otherwise or not at all.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use afterword::blob::Blob;
use afterword::config::Config;
use afterword::domain::clock::SystemClock;
use afterword::http::{HttpSettings, Server};
use afterword::postgres::Cluster;
use afterword::service::App;
use afterword::service::ingest::{IngestQueue, Writing};
use afterword::store::{PoolSizes, Store};
use afterword::telemetry;
use rustix::process::{Pid, Signal, kill_process};

use super::Result;
use super::items::KEY;

/// Transactions at a time where every request has its own: enough that more of them bring nothing.
const N_ALONE: u32 = 16;

/// A running service.
pub(super) struct Service {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Service {
    /// Starts the program with its own Postgres on a data directory.
    pub(super) async fn start(data_dir: &Path) -> Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_afterword"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir);
        command.env_remove("DATABASE_URL").env_remove("AFTERWORD_DATABASE_URL").env_remove("AFTERWORD_CONFIG");
        command.env("AFTERWORD_INIT_PROJECT", "bench").env("AFTERWORD_INIT_SECRET_KEY", KEY);
        Self::spawn(command).await
    }

    /// Starts this executable as a server on the same database that writes in another way.
    pub(super) async fn start_variant(data_dir: &Path, writing: &str) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--serve", writing]).arg(data_dir);
        Self::spawn(command).await
    }

    async fn spawn(mut command: Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let out = child.stdout.take().ok_or("the service has no standard output")?;
        let line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(out).read_line(&mut line).map(|_| line)
        });
        let line = line.await??;
        let address = line.trim().strip_prefix("listening on http://").ok_or("the service did not start")?.parse()?;
        Ok(Self { child, address })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the processor time that the process has taken, in seconds: on a machine that others use as well it says
    /// more than the clock.
    pub(super) fn cpu_s(&self) -> f64 {
        processes().iter().filter(|process| process.pid == self.child.id()).map(|process| process.cpu_s).sum()
    }

    /// Returns the processor time of its Postgres, in seconds.
    pub(super) fn postgres_cpu_s(&self) -> f64 {
        let all = processes();
        let postmaster = all.iter().find(|process| process.parent == self.child.id()).map(|process| process.pid);
        let of_postgres = |process: &&Process| Some(process.pid) == postmaster || Some(process.parent) == postmaster;
        all.iter().filter(of_postgres).map(|process| process.cpu_s).sum()
    }

    /// Returns the memory that the process has now and has had at most, in MiB.
    pub(super) fn memory_mib(&self) -> Result<(f64, f64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| -> Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such field")?;
            Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
        };
        Ok((field("VmRSS:")?, field("VmHWM:")?))
    }

    /// Asks the service to stop and waits for its end.
    pub(super) fn stop(mut self) -> Result<()> {
        // A variant ends with its standard input, the program by the signal.
        drop(self.child.stdin.take());
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _asked = kill_process(Pid::from_child(&self.child), Signal::TERM);
            let _ended = self.child.wait();
        }
    }
}

struct Process {
    pid: u32,
    parent: u32,
    cpu_s: f64,
}

fn processes() -> Vec<Process> {
    const TICKS_PER_S: f64 = 100.0;
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        // Its own time, and that of children that have ended and been waited for.
        let ticks: f64 = fields.get(11..15)?.iter().filter_map(|field| field.parse::<f64>().ok()).sum();
        Some(Process { pid, parent: fields.get(1)?.parse().ok()?, cpu_s: ticks / TICKS_PER_S })
    };
    entries.filter_map(read).collect()
}

/// Serves as a variant until standard input ends or a signal comes.
pub(super) async fn serve(writing: &str, data_dir: &Path) -> Result<()> {
    let writing = match writing {
        "alone" => Writing::Alone { n_writers: N_ALONE },
        "nowhere" => Writing::Nowhere,
        _ => return Err("no such variant".into()),
    };
    // The program writes a line for every answer, and so does whatever is called the same server.
    telemetry::start(&Config::load(None, &|_| None)?.log);
    let cluster = Cluster::join(data_dir).await?.ok_or("no database runs there")?;
    let store = Store::connect(cluster.service_url(), PoolSizes { ingest: N_ALONE, reading: 4, jobs: 1, lanes: 1 })?;
    let mut app = App::start(store.clone(), Blob::memory(), Arc::new(SystemClock));
    app.ingest = IngestQueue::start(&store, writing);
    let server = Server::start(app, TcpListener::bind("127.0.0.1:0")?, HttpSettings::default())?;
    writeln!(std::io::stdout().lock(), "listening on http://{}", server.address())?;
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    tokio::time::timeout(Duration::from_secs(5), server.stop()).await?;
    cluster.leave();
    Ok(())
}
