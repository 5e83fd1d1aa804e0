//! A bot that answers with what it hears. Its identity is a file: after a restart it is reached under
//! the same key, in a new session, since sessions end with the process.

use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;

use clap::Parser;
use whisper_core::node;
use whisper_examples::{Failure, Hiding, ending, say};
use whisper_net::rlpx::RlpxConfig;
use whisper_net::{Conversations, SessionEvent};

/// Answers everybody with what they say. Try it: start a `relay`, then this, then
/// `chat --peer 'enode://…' --to KEY` with the key that this prints.
#[derive(Parser)]
struct Options {
    /// A relay to stay connected to; may be given several times
    #[arg(long, value_name = "ENODE")]
    peer: Vec<String>,
    /// The file of the bot's key, made if there is none
    #[arg(long, value_name = "FILE", default_value = "echo_bot.key")]
    key: PathBuf,
    #[command(flatten)]
    hiding: Hiding,
}

#[tokio::main]
async fn main() -> ExitCode {
    whisper_examples::log();
    whisper_examples::exit("echo_bot", run(&Options::parse()).await)
}

async fn run(options: &Options) -> Result<(), Failure> {
    let mut end = pin!(ending::asked_for()?);
    let rlpx = RlpxConfig::new(whisper_examples::key(None)?);
    let node =
        whisper_examples::start(node::Config::default(), rlpx, &options.peer, &options.hiding)
            .await?;
    let identity = whisper_examples::key(Some(&options.key))?;
    say!("talk to {}", identity.public_key());
    let (talks, mut hears) = node.converse(identity).await?;
    loop {
        match tokio::select! { event = hears.next() => event, () = &mut end => None } {
            // It may have to wait until there is room for the echo.
            Some(Ok(event)) => tokio::select! {
                answered = answer(&talks, event) => answered.unwrap_or_else(|why| say!("{why}")),
                () = &mut end => break,
            },
            Some(Err(lagged)) => say!("{lagged}"),
            None => break,
        }
    }
    node.shutdown().await;
    Ok(())
}

async fn answer(talks: &Conversations, event: SessionEvent) -> Result<(), Failure> {
    match event {
        SessionEvent::Invited { peer, .. } => talks.accept(peer).await?,
        // Nobody waits until the echo is sent: it goes on its way by itself.
        SessionEvent::Message { peer, data, .. } => drop(talks.send(peer, data).await?),
        _ => {}
    }
    Ok(())
}
