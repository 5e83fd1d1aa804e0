//! go-ethereum as a process that is driven by lines.

use std::collections::VecDeque;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::process::Child;
use tokio::process::ChildStdin;
use tokio::process::ChildStdout;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time;

use crate::binary;

/// How long anything may take that should come at once. go-ethereum waits up to 300 ms before it
/// sends, and a machine that tests may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What is fixed when the process starts.
pub(crate) struct Options {
    pub(crate) listen: String,
    pub(crate) node_key: Option<String>,
    pub(crate) min_rating: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { listen: "127.0.0.1:0".into(), node_key: None, min_rating: 0.001 }
    }
}

/// A running peer. Dropping it kills the process.
pub(crate) struct Geth {
    child: Child,
    stdin: ChildStdin,
    answers: mpsc::UnboundedReceiver<Value>,
    events: mpsc::UnboundedReceiver<Value>,
    unclaimed: VecDeque<Value>,
    last_id: u64,
    enode: String,
}

impl Geth {
    pub(crate) async fn start(options: Options) -> Self {
        let mut command = Command::new(binary::built());
        command.args(["--listen", &options.listen, "--pow", &options.min_rating.to_string()]);
        if let Some(key) = &options.node_key {
            command.args(["--node-key", key]);
        }
        let mut child = command
            .env("TMPDIR", env!("CARGO_TARGET_TMPDIR"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program was just built");
        let stdin = child.stdin.take().expect("asked for a pipe");
        let stdout = child.stdout.take().expect("asked for a pipe");
        let (answer, answers) = mpsc::unbounded_channel();
        let (event, events) = mpsc::unbounded_channel();
        tokio::spawn(sort_lines(stdout, answer, event));
        let unclaimed = VecDeque::new();
        let mut geth =
            Self { child, stdin, answers, events, unclaimed, last_id: 0, enode: String::new() };
        let ready = geth.event(|e| e["event"] == "ready").await;
        geth.enode = text(&ready["enode"]);
        geth
    }

    /// Ends the process as a crash would.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("the process is ours");
    }

    pub(crate) fn enode(&self) -> &str {
        &self.enode
    }

    /// Carries out a command: `arguments` is an object.
    pub(crate) async fn call(&mut self, name: &str, arguments: Value) -> Result<Value, String> {
        self.last_id += 1;
        let mut line = arguments;
        line["id"] = json!(self.last_id);
        line["do"] = json!(name);
        self.stdin.write_all(format!("{line}\n").as_bytes()).await.expect("the process lives");
        let mut answer = time::timeout(PATIENCE, self.answers.recv())
            .await
            .unwrap_or_else(|_| panic!("no answer to {name}"))
            .unwrap_or_else(|| panic!("the process ended at {name}: see its standard error"));
        assert_eq!(answer["id"], line["id"], "answers come in order");
        match answer["error"].as_str() {
            Some(error) => Err(error.into()),
            None => Ok(answer["ok"].take()),
        }
    }

    /// Carries out a command that must not fail.
    pub(crate) async fn must(&mut self, name: &str, arguments: Value) -> Value {
        let shown = arguments.to_string();
        match self.call(name, arguments).await {
            Ok(answer) => answer,
            Err(error) => panic!("{name} {shown:.200}: {error}"),
        }
    }

    /// Waits for the first event that nobody has taken yet and that `wanted` likes.
    pub(crate) async fn event(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.unclaimed.iter().position(&wanted) {
            return self.unclaimed.remove(at).expect("just found there");
        }
        let next = async {
            loop {
                let event = self.events.recv().await.expect("the process lives");
                assert_ne!(event["event"], "fatal", "{event}");
                if wanted(&event) {
                    return event;
                }
                self.unclaimed.push_back(event);
            }
        };
        match time::timeout(PATIENCE, next).await {
            Ok(event) => event,
            Err(_) => panic!("nothing of that kind among {:?}", self.unclaimed),
        }
    }

    /// Waits for the message with this payload to come through the filter.
    pub(crate) async fn message(&mut self, filter: &str, payload: &[u8]) -> Value {
        let digest = hex::encode(whisper_core::hash::keccak256(payload));
        self.event(|e| e["event"] == "message" && e["filter"] == filter && e["digest"] == digest)
            .await
    }

    /// Whether the message has come through the filter by now.
    pub(crate) fn has_message(&mut self, filter: &str, payload: &[u8]) -> bool {
        while let Ok(event) = self.events.try_recv() {
            self.unclaimed.push_back(event);
        }
        let digest = hex::encode(whisper_core::hash::keccak256(payload));
        self.unclaimed.iter().any(|e| e["filter"] == filter && e["digest"] == digest)
    }

    pub(crate) async fn add_peer(&mut self, enode: &str) {
        self.must("add-peer", json!({ "enode": enode })).await;
    }

    pub(crate) async fn peers(&mut self) -> Vec<Value> {
        let answer = self.must("peers", json!({})).await;
        answer["peers"].as_array().expect("a list").clone()
    }

    /// Waits until a connection stands.
    pub(crate) async fn connected(&mut self) {
        self.event(|e| e["event"] == "peer" && e["what"] == "add").await;
    }

    /// Adds a key and gives its name.
    pub(crate) async fn symmetric_key(&mut self, key: &[u8; 32]) -> String {
        text(&self.must("add-symmetric-key", json!({ "key": hexed(key) })).await["key"])
    }

    pub(crate) async fn password(&mut self, password: &str) -> String {
        text(&self.must("add-symmetric-key", json!({ "password": password })).await["key"])
    }

    /// Adds a key pair and gives its name; the public key is derived on our side as well.
    pub(crate) async fn key_pair(&mut self, secret: &[u8; 32]) -> String {
        text(&self.must("add-key-pair", json!({ "key": hexed(secret) })).await["key"])
    }

    /// Subscribes under a name; `filter` says `symmetric_key` or `key_pair` and what else it wants.
    pub(crate) async fn subscribe(&mut self, name: &str, filter: Value) {
        let mut filter = filter;
        filter["name"] = json!(name);
        self.must("subscribe", filter).await;
    }
}

/// What the Go program takes for bytes.
pub(crate) fn hexed(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).into()
}

/// Parts the answers from the events, so that either can be waited for.
async fn sort_lines(
    stdout: ChildStdout,
    answers: mpsc::UnboundedSender<Value>,
    events: mpsc::UnboundedSender<Value>,
) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let value: Value = serde_json::from_str(&line).expect("each line is an object");
        let to = if value["event"].is_null() { &answers } else { &events };
        if to.send(value).is_err() {
            return;
        }
    }
}
