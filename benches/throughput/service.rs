//! The built program as a process of its own, and a client of it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::header::CONTENT_TYPE;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::Result;

const KEY: &str = "aw_sec_benchbenchbench0_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const PATIENCE: Duration = Duration::from_mins(1);

/// A running service.
pub(super) struct Service {
    child: Child,
    url: String,
    client: reqwest::Client,
}

impl Service {
    /// Starts the service on a data directory; tells how long it took until it was ready.
    pub(super) async fn start(data_dir: &Path) -> Result<(Self, Duration)> {
        let began = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_afterword"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir);
        command.env_remove("DATABASE_URL").env_remove("AFTERWORD_DATABASE_URL").env_remove("AFTERWORD_CONFIG");
        command.env("AFTERWORD_INIT_PROJECT", "bench").env("AFTERWORD_INIT_SECRET_KEY", KEY);
        command.env("AFTERWORD_LOG_LEVEL", "warn");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let out = child.stdout.take().ok_or("the service has no standard output")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let url = line.trim().strip_prefix("listening on ").ok_or("the service did not start")?.to_owned();
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        let service = Self { child, url, client };
        while !service.is_ready().await {
            if began.elapsed() > PATIENCE {
                return Err("the service does not get ready".into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok((service, began.elapsed()))
    }

    async fn is_ready(&self) -> bool {
        let answer = self.client.get(format!("{}/readyz", self.url)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Posts a body and reads the answer, which must be a success.
    pub(super) async fn post(&self, path: &str, body: String) -> Result<Value> {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(KEY);
        let answer = request.header(CONTENT_TYPE, "application/json").body(body).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Gets a path.
    pub(super) async fn get(&self, path: &str) -> Result<Value> {
        let answer = self.client.get(format!("{}{path}", self.url)).bearer_auth(KEY).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Asks the service to stop and waits for its end.
    pub(super) async fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let began = Instant::now();
        while self.child.try_wait()?.is_none() {
            if began.elapsed() > PATIENCE {
                return Err("the service does not stop".into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
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
