//! The programs as people start, pipe and end them.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

use std::process::ExitStatus;
use std::process::Stdio;
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
use whisper_examples::ending::hang_up_is_ignored;

/// A program with its input and output in our hands.
struct Program {
    child: Child,
    input: Option<ChildStdin>,
    output: Option<Lines<BufReader<ChildStdout>>>,
}

impl Program {
    fn start(path: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(path)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let output = child.stdout.take().map(|output| BufReader::new(output).lines());
        Self { child, input, output }
    }

    fn relay(arguments: &[&str]) -> Self {
        let listen = ["--listen", "127.0.0.1:0", "--stats", "1"];
        Self::start(env!("CARGO_BIN_EXE_relay"), &[&listen[..], arguments].concat())
    }

    fn chat(arguments: &[&str]) -> Self {
        Self::start(env!("CARGO_BIN_EXE_chat"), arguments)
    }

    /// The rest of the next line that has `begin` in it.
    async fn line(&mut self, begin: &str) -> String {
        let lines = self.output.as_mut().expect("it is still read");
        let found = timeout(PATIENCE, async {
            loop {
                let line = lines.next_line().await.unwrap();
                let line = line.unwrap_or_else(|| panic!("it ends without {begin:?}"));
                if let Some((_, rest)) = line.split_once(begin) {
                    return rest.trim().to_owned();
                }
            }
        });
        found.await.unwrap_or_else(|_| panic!("nothing like {begin:?}"))
    }

    async fn write(&mut self, text: &[u8]) {
        self.input.as_mut().expect("it is still open").write_all(text).await.unwrap();
    }

    async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([name, &id]).status().await.unwrap();
        assert!(sent.success());
    }

    async fn end(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap()
    }
}

#[tokio::test]
async fn a_relay_whose_output_nobody_reads_goes_on() {
    let mut first = Program::relay(&[]);
    let address = first.line("").await;
    drop(first.output.take());
    for _ in 0..3 {
        // It tells that somebody comes and goes: into a closed pipe.
        let mut other = Program::relay(&["--peer", &address]);
        other.line("ready").await;
        other.signal("-KILL").await;
        other.end().await;
    }
    assert_eq!(first.child.try_wait().unwrap(), None);
    first.signal("-TERM").await;
    assert!(first.end().await.success());
}

#[tokio::test]
async fn every_signal_to_end_is_the_same_way_out() {
    // Programs inherit from us what is ignored.
    let names = match hang_up_is_ignored() {
        true => &["-INT", "-TERM"][..],
        false => &["-INT", "-TERM", "-HUP"],
    };
    for name in names {
        let mut relay = Program::relay(&[]);
        relay.line("enode://").await;
        relay.signal(name).await;
        relay.line("stopping").await;
        assert!(relay.end().await.success(), "{name}");
    }
}

#[tokio::test]
async fn what_another_program_says_is_sent_before_the_chat_ends() {
    let mut relay = Program::relay(&[]);
    let address = relay.line("").await;
    let mut reader = Program::chat(&["--peer", &address]);
    let key = reader.line("your key:").await;
    reader.line("connected").await;

    let mut writer = Program::chat(&["--peer", &address, "--to", &key]);
    writer.write(b"dinner\nis ready").await;
    drop(writer.input.take());
    let begin = reader.line("/refuse ").await;
    reader.write(b"/accept\n").await;
    reader.line("say whom").await;
    reader.write(format!("/accept {begin}\n").as_bytes()).await;
    let begin = format!("{begin}: ");
    assert_eq!(reader.line(&begin).await, "dinner");
    assert_eq!(reader.line(&begin).await, "is ready");
    assert!(writer.end().await.success());
}

#[tokio::test]
async fn a_chat_that_could_not_send_everything_fails() {
    let nobody = format!("04{}{}", GENERATOR[0], GENERATOR[1]);
    let mut chat = Program::chat(&["--to", &nobody]);
    chat.write(b"hello\n\xff\xfe\n").await;
    drop(chat.input.take());
    chat.line("not sent: a line that is not UTF-8").await;
    chat.signal("-TERM").await;
    assert_eq!(chat.end().await.code(), Some(1));
}

/// A public key is as good as any: the generator of secp256k1.
const GENERATOR: [&str; 2] = [
    "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
];
/// Nothing on one machine takes longer.
const PATIENCE: Duration = Duration::from_secs(60);
