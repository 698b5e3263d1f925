//! An S3 server of a test's own, which checks signatures and makes faults on request: moto's, in the Python of the
//! tests.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use afterword::blob::{AccessKey, Blob};
use afterword::config::environment;
use afterword::domain::destination::{Bucket, Endpoint, SecretReference};
use serde_json::Value;

/// The bucket that the server has.
pub(crate) const BUCKET: &str = "training";

/// A running server.
pub(crate) struct S3Server {
    child: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    /// Scheme, host and port.
    pub(crate) url: String,
    /// Id of the key that may do everything.
    pub(crate) key_id: String,
    /// Its secret.
    pub(crate) secret: String,
}

impl S3Server {
    /// Starts a server; says loudly that nothing was tested where the Python of the tests is absent.
    pub(crate) fn start() -> Option<Self> {
        let python = environment("AFTERWORD_PYTHON");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/s3_server.py");
        let Some(python) = python else {
            eprintln!("SKIPPED, NOT TESTED: a storage server. AFTERWORD_PYTHON names no Python that has moto");
            return None;
        };
        // What its own libraries find in the environment of whoever runs the tests is no concern of theirs.
        let mut command = Command::new(python);
        command.arg("-B").arg(script).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, mut stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut greeting = String::new();
        stdout.read_line(&mut greeting).unwrap();
        let mut words = greeting.split_whitespace().map(str::to_owned);
        let mut next = || words.next().expect("the storage server ended; are the tests' requirements installed?");
        let (url, key_id, secret) = (next(), next(), next());
        Some(Self { child, pipes: Mutex::new((stdin, stdout)), url, key_id, secret })
    }

    /// Gives the server a command and returns its answer.
    pub(crate) fn ask(&self, command: &str) -> Value {
        let mut pipes = self.pipes.lock().unwrap();
        writeln!(pipes.0, "{command}").unwrap();
        let mut answer = String::new();
        pipes.1.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// Lists the names of the objects in the bucket.
    pub(crate) fn objects(&self) -> Vec<String> {
        serde_json::from_value(self.ask(&format!("state {BUCKET}"))["objects"].clone()).unwrap()
    }

    /// Counts the uploads that were begun and neither ended nor given up.
    pub(crate) fn n_uploads(&self) -> u64 {
        self.ask(&format!("state {BUCKET}"))["uploads"].as_u64().unwrap()
    }

    /// Returns how the bucket is configured.
    pub(crate) fn bucket(&self) -> Bucket {
        let nowhere = || SecretReference::Environment("NOT_READ".to_owned());
        Bucket {
            endpoint: Endpoint::parse(&self.url, true),
            name: BUCKET.to_owned(),
            region: "us-east-1".to_owned(),
            prefix: "some/prefix".to_owned(),
            ca_file: None,
            access_key_id: nowhere(),
            secret_access_key: nowhere(),
        }
    }

    /// Returns the key that may do everything.
    pub(crate) fn key(&self) -> AccessKey {
        AccessKey { id: self.key_id.clone(), secret: self.secret.clone() }
    }

    /// Opens the bucket.
    pub(crate) fn open(&self) -> Blob {
        Blob::bucket(&self.bucket(), &self.key()).unwrap()
    }

    /// Returns a section of a configuration file that names the bucket `lake`; the key is in two variables.
    pub(crate) fn section(&self) -> String {
        format!(
            "[exports.destinations.lake]\nkind = \"s3\"\nendpoint = \"{}\"\nallow_http = true\nbucket = \"{BUCKET}\"\n\
             prefix = \"some/prefix\"\naccess_key_id = \"env:LAKE_KEY_ID\"\nsecret_access_key = \"env:LAKE_SECRET\"\n",
            self.url
        )
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
