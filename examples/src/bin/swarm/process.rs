//! The process of a member, as the conductor holds it.

use std::fs::File;
use std::io;
use std::process::Stdio;

use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::process::Child;
use tokio::process::ChildStdin;
use tokio::process::Command as Program;
use tokio::sync::mpsc;
use whisper_examples::Failure;

use crate::member::Role;
use crate::wire::Command;
use crate::wire::Report;

/// What is heard of a life.
pub(crate) type Said = (usize, Voice);

/// What is heard.
pub(crate) enum Voice {
    Report(Report),
    /// It does not end as it should.
    Lingers,
    /// It is over.
    Over,
}

/// A process that runs.
pub(crate) struct Process {
    child: Child,
    /// Commands on their way: a frozen process takes none.
    commands: mpsc::UnboundedSender<Command>,
}

impl Process {
    /// Starts one. What it says comes under the number of its life.
    pub(crate) fn start(
        role: &Role,
        life: usize,
        said: mpsc::UnboundedSender<Said>,
    ) -> Result<Self, Failure> {
        let log = File::create(role.folder.join(format!("log-{life}")))?;
        let mut program = Program::new(std::env::current_exe()?);
        program.arg("--member").arg(&role.folder);
        program.args(["--offset", &role.offset.to_string()]);
        program.args(role.port.map(|port| format!("--port={port}")));
        program.args(role.brief.then_some("--brief"));
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = program.spawn()?;
        let output = child.stdout.take().ok_or("it has no output")?;
        let input = child.stdin.take().ok_or("it has no input")?;
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Ok(report) = serde_json::from_str(&line) {
                    let _ = said.send((life, Voice::Report(report)));
                }
            }
            let _ = said.send((life, Voice::Over));
        });
        let (commands, waiting) = mpsc::unbounded_channel();
        tokio::spawn(write(input, waiting));
        Ok(Self { child, commands })
    }

    pub(crate) fn tell(&self, command: Command) {
        // It may have ended.
        let _ = self.commands.send(command);
    }

    /// Ends it at once.
    pub(crate) async fn kill(mut self) -> io::Result<()> {
        self.child.kill().await
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> io::Result<bool> {
        Ok(self.child.wait().await?.success())
    }

    /// Sends it a signal by name, such as `-STOP`.
    pub(crate) async fn signal(&self, name: &str) -> Result<(), Failure> {
        let id = self.child.id().ok_or("it has ended")?.to_string();
        match Program::new("kill").args([name, &id]).status().await?.success() {
            true => Ok(()),
            false => Err(format!("kill {name} {id} fails").into()),
        }
    }
}

async fn write(mut input: ChildStdin, mut waiting: mpsc::UnboundedReceiver<Command>) {
    while let Some(command) = waiting.recv().await {
        let Ok(mut line) = serde_json::to_string(&command) else { continue };
        line.push('\n');
        if input.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}
