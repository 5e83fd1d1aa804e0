//! A chat between two people: a demonstration on this machine, or the real thing in a terminal.

mod demonstration;
mod terminal;
mod typed;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use whisper_core::identity::PublicKey;
use whisper_examples::Hiding;
use whisper_net::rlpx::Host;

/// Talks to somebody, end-to-end encrypted, over a network of strangers.
///
/// Without options it shows two people talking through a relay on this machine, and what the relay
/// could see.
#[derive(Parser)]
#[command(version, after_help = EXAMPLE)]
struct Options {
    /// Where to listen for peers
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// The name or address under which others reach this machine, if it is another
    #[arg(long, value_name = "NAME")]
    host: Option<Host>,
    /// A peer to stay connected to; may be given several times
    #[arg(long, value_name = "ENODE")]
    peer: Vec<String>,
    /// Whom to talk to; without it the chat waits to be invited
    #[arg(long, value_name = "PUBLIC KEY")]
    to: Option<PublicKey>,
    /// The file of your own key, made if there is none; without it the key is new each time
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// How you are called on your own screen
    #[arg(long, value_name = "NAME", default_value = "you")]
    name: String,
    /// The file of the node's key, made if there is none; without it the key is new each time
    #[arg(long, value_name = "FILE")]
    node_key: Option<PathBuf>,
    #[command(flatten)]
    hiding: Hiding,
}

const EXAMPLE: &str = "Two terminals on this machine, the first listening:
  chat --listen 127.0.0.1:30303 --name alice
  chat --peer 'enode://…' --to 04… --name bob (both as the first one printed)
Through a relay, start `relay` and give its enode to both with --peer. From a program:
  printf 'dinner is ready\\n' | chat --peer 'enode://…' --to 04…
sends before it ends, and succeeds if a peer has taken all of it.";

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    whisper_examples::log();
    let result = if std::env::args_os().len() == 1 {
        demonstration::run().await
    } else {
        terminal::run(options).await
    };
    whisper_examples::exit("chat", result)
}
