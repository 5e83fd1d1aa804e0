//! The program under test, as a process of its own.

use std::fs;
use std::process::Stdio;

use tokio::io::AsyncBufReadExt;
use tokio::io::BufReader;
use tokio::process::Child;
use tokio::process::Command;
use whisper_net::rlpx::Enode;

/// A relay that runs until it is dropped.
pub(crate) struct Relay {
    pub(crate) enode: Enode,
    process: Child,
}

impl Relay {
    pub(crate) async fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_relay"))
            .args(["--listen", "127.0.0.1:0", "--min-pow", "0.00001", "--stats", "3600"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the relay starts");
        let output = process.stdout.take().expect("it was asked for");
        let mut lines = BufReader::new(output).lines();
        let first = lines.next_line().await.expect("it prints").expect("its address");
        // A pipe that nobody reads would stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { enode: first.parse().expect("its address"), process }
    }

    /// How many files and sockets it has open.
    pub(crate) fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.id())).expect("it runs").count()
    }

    /// The memory that it has now, in bytes.
    pub(crate) fn memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).expect("a number");
        kib.trim().parse::<usize>().expect("a number") * 1024
    }

    fn id(&self) -> u32 {
        self.process.id().expect("it runs")
    }
}
