//! The built program, run as an operator runs it: with an environment of the test's own.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_mins(1);

/// A directory that the user who runs Postgres for root can pass through.
pub(crate) fn open_dir() -> TempDir {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    dir
}

/// Prepares the program with nothing in its environment but where programs are found, in a directory without a
/// configuration.
pub(crate) fn afterword(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterword"));
    command.args(args).env_clear().current_dir(env!("CARGO_TARGET_TMPDIR"));
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin").stdin(Stdio::null());
    // The usual port may be taken on a machine where somebody looks at the demo.
    command.env("AFTERWORD_LOG_LEVEL", "warn").env("AFTERWORD_LISTEN", "127.0.0.1:0");
    command
}

/// What a run of the program came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs the program to its end.
pub(crate) fn run(command: &mut Command) -> Outcome {
    command.output().unwrap().into()
}

impl Outcome {
    /// Checks that the program refused with this status and one line that has these words, and nothing else.
    pub(crate) fn assert_refused(&self, status: i32, words: &str) {
        assert_eq!(self.status, Some(status), "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
        assert!(self.err.starts_with("error: ") && self.err.contains(words), "{self:?}");
        assert_eq!(self.err.trim_end().lines().count(), 1, "{self:?}");
    }
}

/// A service that runs.
pub(crate) struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
    /// What it wrote before the line that says where it listens.
    pub(crate) greeting: Vec<String>,
    /// Where it listens.
    pub(crate) url: String,
    client: Client,
}

/// Reads what `serve` says until it says where it listens; nothing where it ends before.
fn greeting_and_url(output: &mut impl BufRead) -> Option<(Vec<String>, String)> {
    let mut greeting = Vec::new();
    for line in output.lines() {
        let line = line.unwrap();
        match line.strip_prefix("listening on ") {
            Some(url) => return Some((greeting, url.to_owned())),
            None => greeting.push(line),
        }
    }
    None
}

impl Running {
    /// Starts `serve` on a free port, in a process group of its own, and waits until it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        command.env("AFTERWORD_LISTEN", "127.0.0.1:0").stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let Some((greeting, url)) = greeting_and_url(&mut output) else {
            panic!("the service ended: {:?}", child.wait());
        };
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { child, output, greeting, url, client }
    }

    /// Starts `serve` on the private Postgres of a data directory.
    pub(crate) fn start_on(data_dir: &Path) -> Self {
        Self::start(afterword(&["serve"]).env("AFTERWORD_DATA_DIR", data_dir))
    }

    /// Begins a request.
    pub(crate) fn post(&self, path: &str, key: &str, body: &Value) -> RequestBuilder {
        let body = body.to_string();
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(key);
        request.header("content-type", "application/json").body(body)
    }

    /// Returns the status of a path.
    pub(crate) async fn status(&self, path: &str) -> u16 {
        self.client.get(format!("{}{path}", self.url)).send().await.unwrap().status().as_u16()
    }

    /// Sends a signal to the service alone.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Sends a signal to all that a terminal would send it to.
    pub(crate) fn signal_group(&self, signal: Signal) {
        kill_process_group(self.pid(), signal).unwrap();
    }

    /// Returns its process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits for the end; returns the exit status and what else was written.
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the service does not end");
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.output, &mut rest).unwrap();
        (status.code(), rest)
    }

    /// Asks for the end and waits for it.
    pub(crate) fn stop(self) {
        self.signal(Signal::TERM);
        assert_eq!(self.wait(), (Some(0), String::new()));
    }
}

impl Drop for Running {
    /// A test that failed leaves no service behind.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _gone = self.child.kill();
            let _reaped = self.child.wait();
        }
    }
}
