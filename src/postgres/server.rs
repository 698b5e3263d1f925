//! The server process of a cluster: made, started, watched and stopped.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::account::Account;
use super::binaries::Binaries;
use super::error::PostgresError;
use super::place::{Place, write_private};
use super::{DATABASE, OWNER, SERVICE};

/// How long a server may take to get ready; replaying the log after a crash takes most of it.
const START_PATIENCE: Duration = Duration::from_mins(2);
/// How long a server may take to stop once it was asked, and how long once it was told.
const STOP_PATIENCE: [Duration; 2] = [Duration::from_secs(15), Duration::from_secs(5)];
const PAUSE: Duration = Duration::from_millis(5);
const MAX_LOG_BYTES: u64 = 16 << 20;

/// Settings of every private server. Logs leave out what quotes rows: details, statements and plain errors.
const SETTINGS: &str = "
# Afterword's private server: reached through its socket only.
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 200
fsync = on
synchronous_commit = on
full_page_writes = on
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'
log_min_messages = log
log_min_error_statement = panic
log_error_verbosity = terse
log_checkpoints = off
jit = off
";

/// A server process as its pid file tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Postmaster {
    /// Process id.
    pub(super) pid: i32,
    /// Directory of its socket.
    pub(super) socket_dir: PathBuf,
    /// `starting`, `ready`, `stopping` or nothing yet.
    status: String,
}

impl Postmaster {
    /// Finds the server that runs on a cluster, if there is one.
    pub(super) fn find(place: &Place) -> Option<Self> {
        let text = std::fs::read_to_string(place.cluster().join("postmaster.pid")).ok()?;
        Self::parse(&text).filter(|found| is_server(found.pid, &place.cluster()))
    }

    /// Reads a pid file: pid, data directory, start time, port, socket directory, address, memory key, status.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse().ok()?;
        let socket_dir = lines.nth(3).unwrap_or_default().into();
        let status = lines.nth(2).unwrap_or_default().trim().to_owned();
        Some(Self { pid, socket_dir, status })
    }

    /// Tells whether it takes connections.
    pub(super) fn is_ready(&self) -> bool {
        self.status == "ready"
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            // It may have ended a moment ago; whoever waits for its end will see that.
            let _gone = kill_process(pid, signal);
        }
    }

    /// Asks it to end its connections and stop, without waiting for that.
    pub(super) fn ask_to_stop(&self) {
        self.signal(Signal::INT);
    }
}

/// Tells whether a process is a living server of this cluster, and not one that was given a dead server's number.
fn is_server(pid: i32, cluster: &Path) -> bool {
    let Some(process) = Pid::from_raw(pid) else {
        return false;
    };
    if test_kill_process(process).is_err_and(|error| error == rustix::io::Errno::SRCH) {
        return false;
    }
    let (name, state) = if Path::new("/proc/self/stat").exists() {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let name = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')'));
        name.map(|(name, rest)| (name.to_owned(), rest.trim_start().to_owned())).unwrap_or_default()
    } else {
        let output = Command::new("ps").args(["-o", "stat=,ucomm=", "-p", &pid.to_string()]).output();
        let line = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        line.trim()
            .split_once(char::is_whitespace)
            .map(|(s, n)| (n.trim().to_owned(), s.to_owned()))
            .unwrap_or_default()
    };
    let elsewhere = std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd != cluster);
    name.starts_with("post") && !state.starts_with(['Z', 'X']) && !elsewhere
}

/// Makes the cluster unless it exists; a half-made one of a start that was cut off is made anew.
pub(super) fn initialise(place: &Place, account: Account, binaries: &Binaries) -> Result<(), PostgresError> {
    if place.cluster().exists() {
        return Ok(());
    }
    let half_made = place.root().join("data.new");
    if half_made.exists() {
        std::fs::remove_dir_all(&half_made).map_err(PostgresError::file(&half_made, "removed"))?;
    }
    std::fs::create_dir(&half_made).map_err(PostgresError::file(&half_made, "made"))?;
    account.give(&half_made)?;
    let password_file = place.root().join("initdb.password");
    write_private(&password_file, place.password(OWNER)?.as_bytes())?;
    account.give(&password_file)?;

    let run_initdb = |locale: &[&str]| {
        let mut initdb = account.command(&binaries.bin_dir.join("initdb"));
        initdb.arg("-D").arg(&half_made).arg("--pwfile").arg(&password_file);
        initdb.args(["-U", OWNER, "-A", "scram-sha-256", "-E", "UTF8", "--data-checksums", "--no-instructions"]);
        run(initdb.args(locale), "initdb")
    };
    let locales: &[&[&str]] = if binaries.major >= 17 {
        &[&["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]]
    } else {
        &[&["--locale=C.UTF-8"], &["--locale=C"]]
    };
    // Not every system has the locale C.UTF-8; C orders the same way and only knows no letters outside ASCII.
    let mut made = Ok(());
    for locale in locales {
        made = run_initdb(locale);
        if made.is_ok() {
            break;
        }
    }
    std::fs::remove_file(&password_file).map_err(PostgresError::file(&password_file, "removed"))?;
    made?;

    let configuration = half_made.join("postgresql.conf");
    OpenOptions::new()
        .append(true)
        .open(&configuration)
        .and_then(|mut file| file.write_all(SETTINGS.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(PostgresError::file(&configuration, "written"))?;
    create_database(place, account, binaries, &half_made)?;
    std::fs::rename(&half_made, place.cluster())
        .and_then(|()| File::open(place.root())?.sync_all())
        .map_err(PostgresError::file(place.cluster(), "made"))
}

/// Makes the service's login role and the database, with a server that nobody can connect to.
fn create_database(place: &Place, account: Account, binaries: &Binaries, cluster: &Path) -> Result<(), PostgresError> {
    // Each line is one statement. The password is of `[A-Za-z0-9_-]`.
    let statements = format!(
        "create role {SERVICE} login nosuperuser nobypassrls nocreatedb nocreaterole password '{}';\n\
         create database {DATABASE};\n",
        place.password(SERVICE)?
    );
    let mut server = account.command(&binaries.bin_dir.join("postgres"));
    server.arg("--single").args(["-c", "exit_on_error=on", "-c", "log_min_messages=error"]);
    server.arg("-D").arg(cluster).arg("postgres").stdin(Stdio::piped()).stderr(Stdio::piped());
    let failed = |error: std::io::Error| PostgresError::Program {
        program: "postgres --single",
        reason: error.kind().to_string(),
    };
    let mut child = server.spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A server that ended early is told apart below, by its status.
        drop(stdin.write_all(statements.as_bytes()));
    }
    conclude(&child.wait_with_output().map_err(failed)?, "postgres --single")
}

/// Starts a server and waits until it takes connections.
pub(super) fn start(
    place: &Place,
    account: Account,
    binaries: &Binaries,
    socket_dir: &Path,
) -> Result<Child, PostgresError> {
    let deadline = Instant::now() + START_PATIENCE;
    loop {
        clear_stale_pid(place)?;
        let (log, log_start_bytes) = open_log(place)?;
        let log_copy = log.try_clone().map_err(PostgresError::file(place.log(), "opened"))?;
        let mut command = account.command(&binaries.bin_dir.join("postgres"));
        command.arg("-D").arg(place.cluster()).arg("-k").arg(socket_dir).stdout(log).stderr(log_copy);
        if syncfs_tells_failures() {
            command.args(["-c", "recovery_init_sync_method=syncfs"]);
        }
        let mut child = command
            .spawn()
            .map_err(|error| PostgresError::Program { program: "postgres", reason: error.kind().to_string() })?;
        while child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let own = Postmaster::find(place).filter(|found| u32::try_from(found.pid) == Ok(child.id()));
            if own.is_some_and(|found| found.is_ready()) {
                return Ok(child);
            }
            if Instant::now() > deadline {
                drop(child.kill());
                return Err(PostgresError::NotReady { reason: "it took too long".into(), log: place.log() });
            }
            std::thread::sleep(PAUSE);
        }
        let reason = last_words(place, log_start_bytes);
        // Backends of a server that was killed live on for a moment and hold its memory.
        if !(reason.contains("shared memory block") || reason.contains("lock file")) || Instant::now() > deadline {
            return Err(PostgresError::NotReady { reason, log: place.log() });
        }
        std::thread::sleep(20 * PAUSE);
    }
}

/// Tells whether the kernel can flush a whole file system and says so where that fails: Linux from 5.8 on.
///
/// A server that recovers from a crash flushes its data directory first. One file after the other takes seconds, all
/// that time nothing can be written; the file system as a whole takes a few milliseconds.
fn syncfs_tells_failures() -> bool {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").is_ok_and(|release| is_from_5_8_on(&release))
}

fn is_from_5_8_on(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse::<u32>().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (5, 8)
}

/// Waits for a server that another process started, until it is ready or gone.
pub(super) fn wait_for_other(place: &Place) -> Result<Option<Postmaster>, PostgresError> {
    let deadline = Instant::now() + START_PATIENCE;
    while let Some(found) = Postmaster::find(place) {
        if found.is_ready() {
            return Ok(Some(found));
        }
        if Instant::now() > deadline {
            return Err(PostgresError::NotReady {
                reason: "the one that runs already is stuck".into(),
                log: place.log(),
            });
        }
        std::thread::sleep(PAUSE);
    }
    Ok(None)
}

/// Stops a server: asks it first, then tells it to drop everything (it recovers at its next start).
pub(super) fn stop(place: &Place, postmaster: &Postmaster, child: Option<&mut Child>) -> Result<(), PostgresError> {
    let mut child = child;
    for (signal, patience) in [Signal::INT, Signal::QUIT].into_iter().zip(STOP_PATIENCE) {
        postmaster.signal(signal);
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            // Our own child stays in the process table until it is waited for.
            let is_child_gone = child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(Some(_))));
            if is_child_gone || !is_server(postmaster.pid, &place.cluster()) {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
    }
    Err(PostgresError::NotStopped { pid: postmaster.pid })
}

/// Removes the pid file of a dead server whose number another process has now; Postgres itself would believe it.
fn clear_stale_pid(place: &Place) -> Result<(), PostgresError> {
    let path = place.cluster().join("postmaster.pid");
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Ok(());
    };
    let pid = Postmaster::parse(&text).and_then(|found| Pid::from_raw(found.pid));
    // Where the number is free, Postgres sorts it out, and looks for orphaned backends besides.
    let is_taken = pid.is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH));
    if pid.is_none() || (is_taken && Postmaster::find(place).is_none()) {
        std::fs::remove_file(&path).map_err(PostgresError::file(path, "removed"))?;
    }
    Ok(())
}

/// Opens the log, putting one that has grown large aside, and tells where its new part begins.
fn open_log(place: &Place) -> Result<(File, u64), PostgresError> {
    let path = place.log();
    let size_bytes = std::fs::metadata(&path).map_or(0, |found| found.len());
    if size_bytes > MAX_LOG_BYTES {
        std::fs::rename(&path, path.with_extension("log.old")).map_err(PostgresError::file(&path, "put aside"))?;
    }
    let start_bytes = if size_bytes > MAX_LOG_BYTES { 0 } else { size_bytes };
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
    Ok((file.map_err(PostgresError::file(path, "opened"))?, start_bytes))
}

fn last_words(place: &Place, log_start_bytes: u64) -> String {
    let log = std::fs::read(place.log()).unwrap_or_default();
    let start = usize::try_from(log_start_bytes).unwrap_or(0).min(log.len());
    telling_line(&log[start..]).unwrap_or_else(|| "it ended without a word".to_owned())
}

fn run(command: &mut Command, program: &'static str) -> Result<(), PostgresError> {
    let output = command
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| PostgresError::Program { program, reason: error.kind().to_string() })?;
    conclude(&output, program)
}

fn conclude(output: &std::process::Output, program: &'static str) -> Result<(), PostgresError> {
    if output.status.success() {
        return Ok(());
    }
    let reason = telling_line(&output.stderr).unwrap_or_else(|| output.status.to_string());
    Err(PostgresError::Program { program, reason })
}

/// Returns the line that says what went wrong. No rows are written before a server runs, so none can be quoted.
fn telling_line(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let is_telling = |line: &&str| ["FATAL:", "PANIC:", "ERROR:", "error:"].iter().any(|word| line.contains(word));
    let line = text.lines().find(is_telling).or_else(|| text.lines().rfind(|line| !line.trim().is_empty()))?;
    Some(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_tells_process_sockets_and_status() {
        let text = "4711\n/data\n1700000000\n5432\n/run/pg\n\n 12345 6\nready   \n";

        let found = Postmaster::parse(text).unwrap();

        assert_eq!((found.pid, found.socket_dir.as_path()), (4711, Path::new("/run/pg")));
        assert!(found.is_ready());
        assert!(!Postmaster::parse("4711\n/data\n").unwrap().is_ready());
        assert_eq!(Postmaster::parse(""), None);
    }

    #[test]
    fn a_file_system_is_flushed_as_a_whole_only_where_failures_are_told() {
        for (release, is_told) in [("6.1.0-18-amd64", true), ("5.8.0", true), ("5.4.0-200", false), ("", false)] {
            assert_eq!(is_from_5_8_on(release), is_told, "{release}");
        }
    }

    #[test]
    fn a_process_that_is_no_server_is_not_taken_for_one() {
        let own = i32::try_from(std::process::id()).unwrap();

        assert!(!is_server(own, Path::new("/nowhere")));
        assert!(!is_server(0, Path::new("/nowhere")));
    }

    #[test]
    fn the_line_that_names_the_error_is_told() {
        let log = b"2026 LOG:  starting\n2026 FATAL:  could not create shared memory\n2026 LOG:  shut down\n";

        assert_eq!(telling_line(log).unwrap(), "2026 FATAL:  could not create shared memory");
        assert_eq!(telling_line(b"\n"), None);
    }
}
