//! A local stub of the Hub, and a client that fills a cache from it.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio},
};

use serde_json::{Value, json};

use super::{python, script};
use crate::harness::program;

/// The Hub: it serves until it is dropped.
pub(crate) struct Hub {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub(crate) endpoint: String,
    repos: Value,
}

impl Hub {
    /// A Hub for this machine, or for others, too, with models from folders: `ID=FOLDER`.
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut command = Command::new("python3");
        command.arg(script("stub_hub.py")).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python3 can be started");
        let orders = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let said = line(&mut answers);
        let endpoint = said["endpoint"].as_str().unwrap().to_owned();
        Self { child, orders, answers, endpoint, repos: said["repos"].clone() }
    }

    /// Sends a command to the stub, and waits for its answer.
    pub(crate) fn order(&mut self, order: &str) -> Value {
        writeln!(self.orders, "{order}").unwrap();
        line(&mut self.answers)
    }
}

/// The next line of the stub's output, as JSON.
fn line(answers: &mut BufReader<ChildStdout>) -> Value {
    let mut line = String::new();
    answers.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

impl Drop for Hub {
    fn drop(&mut self) {
        // Errors are ignored: the stub may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A stub of the Hub, a client of one version, and the cache that it writes.
pub(crate) struct World {
    _root: tempfile::TempDir,
    home: PathBuf,
    pub(crate) hub: PathBuf,
    python: PathBuf,
    server: Hub,
}

impl World {
    /// A client of this version with an empty cache, and a stub of the Hub.
    pub(crate) fn new(version: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let home = root.path().canonicalize().unwrap().join("home");
        let hub = home.join("hub");
        fs::create_dir(&home).unwrap();
        Self { _root: root, home, hub, python: python(version), server: Hub::start(&[]) }
    }

    /// Sends a command to the stub of the Hub, and waits for its answer.
    pub(crate) fn order(&mut self, order: &str) -> Value {
        self.server.order(order)
    }

    /// Etags of the files downloaded since the last call. Asserts that each was downloaded once.
    pub(crate) fn fetched(&mut self) -> BTreeSet<String> {
        let counts = self.order("fetched");
        let counts = counts.as_object().unwrap();
        assert!(counts.values().all(|count| *count == 1), "{counts:?}");
        counts.keys().cloned().collect()
    }

    /// Hash of the commit with this number in a repo. The first one is 0.
    pub(crate) fn commit(&self, repo: &str, number: usize) -> String {
        self.server.repos[repo]["commits"][number].as_str().unwrap().to_owned()
    }

    /// Etag of a file in the commit with this number, the name of its blob.
    pub(crate) fn etag(&self, repo: &str, number: usize, file: &str) -> String {
        self.server.repos[repo]["files"][number][file].as_str().unwrap().to_owned()
    }

    /// The command that calls these functions of huggingface_hub.
    pub(crate) fn client(&self, calls: &Value) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(script("client.py")).arg(calls.to_string()).env_clear();
        command.env("PATH", std::env::var("PATH").unwrap()).current_dir(&self.home);
        command.env("HOME", &self.home).env("HF_HUB_CACHE", &self.hub);
        command.env("HF_ENDPOINT", &self.server.endpoint).env("HF_HUB_DISABLE_XET", "1");
        command.env("HF_HUB_DISABLE_PROGRESS_BARS", "1").env("HF_HUB_DISABLE_TELEMETRY", "1");
        // Some tests let the stub delay a file. The client must not time out.
        command.env("HF_HUB_DOWNLOAD_TIMEOUT", "600").env("HF_HUB_ETAG_TIMEOUT", "60");
        command
    }

    /// Calls these functions, and returns the result of each.
    pub(crate) fn calls(&self, calls: &Value) -> Vec<Value> {
        results(&self.client(calls).output().unwrap())
    }

    /// Calls these functions. Asserts that all succeed.
    pub(crate) fn fetch(&self, calls: &Value) {
        let results = self.calls(calls);
        assert!(results.iter().all(|result| result["ok"].is_string()), "{calls}: {results:?}");
    }

    /// The same as [`Self::fetch`], with `HF_HUB_OFFLINE`.
    pub(crate) fn load_offline(&self, calls: &Value) {
        let output = self.client(calls).env("HF_HUB_OFFLINE", "1").output().unwrap();
        let results = results(&output);
        assert!(results.iter().all(|result| result["ok"].is_string()), "{calls}: {results:?}");
    }

    /// Runs `aienergyscore cache` with `args`.
    pub(crate) fn cache(&self, args: &[&str]) -> Output {
        let mut command = Command::new(program());
        command.arg("cache").args(args).env_clear().current_dir(&self.home);
        command.env("PATH", std::env::var("PATH").unwrap());
        command.env("HOME", &self.home).env("HF_HUB_CACHE", &self.hub);
        command.output().unwrap()
    }

    /// Output of `aienergyscore cache` with `args` and `--json`.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let output = self.cache(&[args, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    /// Findings of `cache verify`: kind and path of each.
    pub(crate) fn findings(&self) -> BTreeSet<(String, String)> {
        let found = self.json(&["verify"]);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let findings = found["findings"].as_array().unwrap().iter();
        findings.map(|finding| (text(&finding["what"]), text(&finding["path"]))).collect()
    }

    /// Asserts that `cache verify` has exactly these findings.
    pub(crate) fn assert_found(&self, expected: &[(&str, String)]) {
        let expected: BTreeSet<_> =
            expected.iter().map(|(what, path)| ((*what).to_owned(), path.clone())).collect();
        assert_eq!(self.findings(), expected);
    }

    /// Steps of `cache repair --yes`: state and path of each.
    pub(crate) fn repair(&self) -> Vec<(String, String)> {
        let done = self.json(&["repair", "--yes", "--engine", "host"]);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let steps = done["steps"].as_array().unwrap().iter();
        steps.map(|step| (text(&step["state"]), text(&step["path"]))).collect()
    }
}

/// Results of the called functions, from the client's output.
pub(crate) fn results(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// A call of `snapshot_download`, of a model's `main`.
pub(crate) fn snapshot(repo: &str) -> Value {
    json!({ "call": "snapshot_download", "repo_id": repo })
}

/// A call of `hf_hub_download`, of a model's `main`.
pub(crate) fn file(repo: &str, file: &str) -> Value {
    json!({ "call": "hf_hub_download", "repo_id": repo, "filename": file })
}
