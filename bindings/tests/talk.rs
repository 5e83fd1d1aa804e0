//! Kotlin, Swift and Rust talk: three processes, each pair in a session of its own, over RLPx.
//!
//! Needs the talkers, so `bindings/test` runs it: `WHISPER_KOTLIN_TALKER` and `WHISPER_SWIFT_TALKER`
//! hold the commands that start them.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

use std::collections::BTreeSet;
use std::env;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::io::Lines;
use tokio::process::Child;
use tokio::process::ChildStdin;
use tokio::process::ChildStdout;
use tokio::process::Command;
use tokio::time::timeout;
use whisper_core::identity::Identity;
use whisper_core::identity::PublicKey;
use whisper_net::Config;
use whisper_net::Conversations;
use whisper_net::Entropy;
use whisper_net::Handle;
use whisper_net::SessionEvent;
use whisper_net::Stream;
use whisper_net::rlpx::RlpxConfig;
use whisper_net::rlpx::RlpxTransport;

/// Starting a virtual machine on a busy computer takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process in another language.
struct Talker {
    name: &'static str,
    child: Child,
    words: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    key: PublicKey,
}

impl Talker {
    async fn start(name: &'static str, variable: &str, peer: &str) -> Self {
        let command = env::var(variable).unwrap_or_else(|_| panic!("{variable} names no command"));
        let mut child = Command::new("sh")
            .args(["-c", &format!("exec {command} --peer '{peer}'")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let words = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = timeout(PATIENCE, lines.next_line()).await.expect(name).unwrap();
        let key = first.as_deref().and_then(|line| line.strip_prefix("key ")).expect(name);
        let key = key.parse().unwrap();
        Self { name, child, words, lines, key }
    }

    async fn say(&mut self, line: &str) {
        self.words.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        self.words.flush().await.unwrap();
    }

    /// Reads on until this line comes.
    async fn expect(&mut self, wanted: &str) {
        let reading = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                if line == wanted {
                    return;
                }
            }
            panic!("{} ended without a word of {wanted}", self.name);
        };
        let read = timeout(PATIENCE, reading).await;
        read.unwrap_or_else(|_| panic!("{} did not say {wanted}", self.name));
    }

    async fn quit(mut self) {
        self.say("quit").await;
        let status = timeout(PATIENCE, self.child.wait()).await.expect(self.name).unwrap();
        assert!(status.success(), "{} ended with {status}", self.name);
    }
}

/// The party in Rust, whose node the others dial.
struct Host {
    node: Handle,
    talk: Conversations,
    events: Stream<SessionEvent>,
}

impl Host {
    async fn start() -> Self {
        let mut rng = Entropy::os().rng().unwrap();
        let [node_key, own] = [(); 2].map(|()| Arc::new(Identity::generate(&mut rng)));
        let listen = Some(([127, 0, 0, 1], 0).into());
        let config = RlpxConfig { listen, ..RlpxConfig::new(node_key) };
        let transport = RlpxTransport::bind(config).await.unwrap();
        let node = whisper_net::start(Config::new(transport)).unwrap();
        let (talk, events) = node.converse(own).await.unwrap();
        Self { node, talk, events }
    }

    /// Reads on until everybody here was heard.
    async fn expect(&mut self, mut wanted: BTreeSet<(PublicKey, String)>) {
        let reading = async {
            while !wanted.is_empty() {
                let event = self.events.next().await.expect("the node runs");
                if let Ok(SessionEvent::Message { peer, data, .. }) = event {
                    wanted.remove(&(peer, String::from_utf8(data).unwrap()));
                }
            }
        };
        timeout(PATIENCE, reading).await.expect("everybody is heard in Rust");
    }
}

#[tokio::test]
#[ignore = "needs the talkers of both languages; bindings/test runs it"]
async fn kotlin_swift_and_rust_talk_with_each_other() {
    let mut rust = Host::start().await;
    let address = rust.node.local_address().unwrap().to_owned();
    let mut kotlin = Talker::start("Kotlin", "WHISPER_KOTLIN_TALKER", &address).await;
    let mut swift = Talker::start("Swift", "WHISPER_SWIFT_TALKER", &address).await;
    kotlin.expect("ready").await;
    swift.expect("ready").await;

    let own = rust.talk.public_key();
    rust.talk.add_contact(kotlin.key).await.unwrap();
    rust.talk.add_contact(swift.key).await.unwrap();
    for contact in [own, swift.key] {
        kotlin.say(&format!("contact {contact}")).await;
    }
    for contact in [own, kotlin.key] {
        swift.say(&format!("contact {contact}")).await;
    }

    // Each invites one; then each answers who has invited it.
    rust.talk.invite(kotlin.key, "Rust to Kotlin").await.unwrap().await.unwrap();
    kotlin.say(&format!("say {} Kotlin to Swift", swift.key)).await;
    swift.say(&format!("say {own} Swift to Rust")).await;
    kotlin.expect(&format!("heard {own} Rust to Kotlin")).await;
    swift.expect(&format!("heard {} Kotlin to Swift", kotlin.key)).await;
    rust.expect([(swift.key, "Swift to Rust".to_owned())].into()).await;

    kotlin.say(&format!("say {own} Kotlin to Rust")).await;
    swift.say(&format!("say {} Swift to Kotlin, with ä and 🦀", kotlin.key)).await;
    rust.talk.send(swift.key, "Rust to Swift").await.unwrap().await.unwrap();
    rust.expect([(kotlin.key, "Kotlin to Rust".to_owned())].into()).await;
    kotlin.expect(&format!("heard {} Swift to Kotlin, with ä and 🦀", swift.key)).await;
    swift.expect(&format!("heard {own} Rust to Swift")).await;

    kotlin.quit().await;
    swift.quit().await;
    rust.node.shutdown().await;
}
