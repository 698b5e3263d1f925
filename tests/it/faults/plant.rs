//! Services on a private Postgres of their own, so that a fault made here meets no other test.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use afterword::postgres::Cluster;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::program::{Outcome, Running, afterword, open_dir, run};

/// How long a killed server may take to be there again.
const PATIENCE: Duration = Duration::from_mins(1);

/// A service, or several, on one private Postgres.
pub(super) struct Plant {
    dir: Arc<TempDir>,
    data_dir: PathBuf,
    environment: Vec<(String, String)>,
    services: Vec<Arc<Mutex<Service>>>,
}

struct Service {
    running: Option<Running>,
    url: String,
}

impl Plant {
    /// Starts services in a directory of the plant's own.
    pub(super) async fn start(n_services: usize) -> Self {
        let dir = Arc::new(open_dir());
        let data_dir = dir.path().to_owned();
        Self::start_in(dir, data_dir, n_services).await
    }

    /// Starts services in a given place, such as a small disk mounted below the directory.
    pub(super) async fn start_in(dir: Arc<TempDir>, data_dir: PathBuf, n_services: usize) -> Self {
        Self::start_with(dir, data_dir, n_services, Vec::new()).await
    }

    /// Starts services with further variables in their environment.
    pub(super) async fn start_with(
        dir: Arc<TempDir>,
        data_dir: PathBuf,
        n_services: usize,
        environment: Vec<(String, String)>,
    ) -> Self {
        let mut plant = Self { dir, data_dir, environment, services: Vec::new() };
        for _ in 0..n_services {
            let running = plant.launch().await;
            let url = running.url.clone();
            plant.services.push(Arc::new(Mutex::new(Service { running: Some(running), url })));
        }
        plant
    }

    async fn launch(&self) -> Running {
        let (data_dir, log, environment) = (self.data_dir.clone(), self.log(), self.environment.clone());
        let start = move || {
            let mut command = afterword(&["serve"]);
            command.env("AFTERWORD_DATA_DIR", data_dir).env("AFTERWORD_HTTP_DRAIN_NOTICE_SECONDS", "0");
            Running::start(command.envs(environment).stderr(log))
        };
        tokio::task::spawn_blocking(start).await.unwrap()
    }

    /// What the services say on the way is of use only where a test fails.
    fn log(&self) -> File {
        OpenOptions::new().create(true).append(true).open(self.dir.path().join("service.log")).unwrap()
    }

    /// Reads what the services have logged.
    pub(super) fn read_log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("service.log")).unwrap_or_default()
    }

    /// Reads the last lines of what the services have logged, for the message of a test that fails.
    pub(super) fn end_of_log(&self) -> String {
        let log = self.read_log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }

    /// Makes a project and a key that writes into it.
    pub(super) fn key(&self, project: &str) -> String {
        self.key_with_role(project, "ingest")
    }

    /// Makes a project and a key with a role.
    pub(super) fn key_with_role(&self, project: &str, role: &str) -> String {
        let data_dir = self.data_dir.to_str().unwrap();
        let args = ["key", "create", "--project", project, "--role", role, "--data-dir", data_dir];
        let made = run(&mut afterword(&args));
        assert_eq!(made.status, Some(0), "{made:?}");
        made.out.trim().to_owned()
    }

    /// Returns the URL of the database's owner.
    pub(super) fn owner_url(&self) -> String {
        run(&mut afterword(&["postgres", "url", "--data-dir", self.data_dir.to_str().unwrap()])).out.trim().to_owned()
    }

    /// Returns where a service listens now; a service that was killed comes back elsewhere.
    pub(super) fn url(&self, index: usize) -> String {
        self.services[index % self.services.len()].lock().unwrap().url.clone()
    }

    /// Kills a service with SIGKILL and starts it again.
    pub(super) async fn kill_service(&self, index: usize) {
        self.kill_service_and(index, || ()).await;
    }

    /// Kills a service with SIGKILL, lets the caller look at what it left, and starts it again.
    pub(super) async fn kill_service_and(&self, index: usize, look: impl FnOnce()) {
        let slot = Arc::clone(&self.services[index % self.services.len()]);
        let killed = slot.lock().unwrap().running.take().unwrap();
        killed.signal(Signal::KILL);
        assert_eq!(tokio::task::spawn_blocking(|| killed.wait().0).await.unwrap(), None);
        look();
        let running = self.launch().await;
        let mut service = slot.lock().unwrap();
        service.url.clone_from(&running.url);
        service.running = Some(running);
    }

    /// Kills one of the Postgres processes that serve our connections.
    pub(super) async fn kill_backend(&self, which: usize) {
        let deadline = Instant::now() + PATIENCE;
        // After a crash there is none for a moment.
        let backends = loop {
            let backends = self.backends();
            if !backends.is_empty() {
                break backends;
            }
            assert!(Instant::now() < deadline, "nobody connects to Postgres");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        // It may have ended between the look and the blow; the next fault is then the first.
        let _gone = kill_process(backends[which % backends.len()], Signal::KILL);
    }

    /// Kills the Postgres server's first process and waits until a service has started another one.
    pub(super) async fn kill_postmaster(&self) {
        let killed = self.postmaster().unwrap();
        kill_process(killed, Signal::KILL).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while self.postmaster().is_none_or(|found| found == killed) {
            assert!(Instant::now() < deadline, "nobody starts Postgres again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends a signal to every process of the server, as SIGSTOP and SIGCONT for a machine that hangs.
    pub(super) fn signal_postgres(&self, signal: Signal) {
        let postmaster = self.postmaster().unwrap();
        kill_process(postmaster, signal).unwrap();
        for child in children_of(postmaster) {
            let _gone = kill_process(child.pid, signal);
        }
    }

    /// Lists the connections of the service's that Postgres serves.
    fn backends(&self) -> Vec<Pid> {
        let Some(postmaster) = self.postmaster() else { return Vec::new() };
        let is_ours = |child: &Child| child.command.contains("afterword afterword");
        children_of(postmaster).into_iter().filter(is_ours).map(|child| child.pid).collect()
    }

    fn postmaster(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(self.data_dir.join("postgres/data/postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok().and_then(Pid::from_raw)
    }

    /// Stops the services as an operator does, starts Postgres by itself and lets the caller look at what is stored.
    pub(super) async fn stop_and_look<T>(self, look: impl AsyncFnOnce(&str) -> T) -> T {
        for slot in &self.services {
            let running = slot.lock().unwrap().running.take().unwrap();
            tokio::task::spawn_blocking(|| running.stop()).await.unwrap();
        }
        let cluster = Cluster::start(&self.data_dir).await.unwrap();
        let seen = look(cluster.owner_url()).await;
        cluster.stop().await.unwrap();
        seen
    }

    /// Runs the program on the plant's database and places, to its end.
    pub(super) fn run(&self, args: &[&str]) -> Outcome {
        let mut command = afterword(args);
        run(command.envs(self.environment.clone()).env("AFTERWORD_DATA_DIR", &self.data_dir))
    }

    /// Returns the plant's directory.
    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }
}

struct Child {
    pid: Pid,
    command: String,
}

fn children_of(parent: Pid) -> Vec<Child> {
    let output = Command::new("ps").args(["-A", "-o", "pid=,ppid=,args="]).output().unwrap();
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let child = |line: &str| {
        let mut words = line.split_whitespace();
        let (pid, ppid) = (words.next()?.parse().ok()?, words.next()?.parse::<i32>().ok()?);
        let command = words.collect::<Vec<_>>().join(" ");
        (Pid::from_raw(ppid) == Some(parent)).then(|| Some(Child { pid: Pid::from_raw(pid)?, command }))?
    };
    table.lines().filter_map(child).collect()
}
