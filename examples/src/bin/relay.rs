//! A node that only relays: it holds no key and reads nothing.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::time::MissedTickBehavior;
use whisper_core::node;
use whisper_core::pow::Rating;
use whisper_examples::Failure;
use whisper_examples::Hiding;
use whisper_examples::PrivacyChoice;
use whisper_examples::ending;
use whisper_examples::say;
use whisper_net::Event;
use whisper_net::Handle;
use whisper_net::Lagged;
use whisper_net::Stats;
use whisper_net::rlpx::Host;
use whisper_net::rlpx::RlpxConfig;

/// Relays Whisper envelopes between its peers, until Ctrl-C or SIGTERM.
#[derive(Parser)]
#[command(version, after_help = EXAMPLE)]
struct Options {
    /// Where to listen; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:30303")]
    listen: SocketAddr,
    /// The name or address under which others reach this machine, if it is another
    #[arg(long, value_name = "NAME")]
    host: Option<Host>,
    /// A peer to stay connected to; may be given several times
    #[arg(long, value_name = "ENODE")]
    peer: Vec<String>,
    /// The least rating that is relayed
    #[arg(long, value_name = "RATING", default_value_t = 0.2)]
    min_pow: f64,
    /// The largest envelope and packet, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1024 * 1024,
          value_parser = clap::value_parser!(u32).range(1_024..=10 * 1024 * 1024))]
    max_message_size: u32,
    /// Do not relay for others; useful only to watch
    #[arg(long)]
    light: bool,
    /// The file of the node's key, made if there is none; without it the key is new each time
    #[arg(long, value_name = "FILE")]
    node_key: Option<PathBuf>,
    #[command(flatten)]
    hiding: Hiding,
    /// Print counters every so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    stats: u64,
}

const EXAMPLE: &str = "Two relays on this machine:
  relay --listen 127.0.0.1:30303 --node-key relay.key
  relay --listen 127.0.0.1:30304 --peer 'enode://…' (as the first one printed)";

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    whisper_examples::log();
    whisper_examples::exit("relay", run(options).await)
}

async fn run(options: Options) -> Result<(), Failure> {
    let end = ending::asked_for()?;
    let node = node::Config {
        min_rating: Rating::new(options.min_pow)
            .map_err(|error| format!("--min-pow {}: {error}", options.min_pow))?,
        max_message_size: options.max_message_size as usize,
        light: options.light,
        ..node::Config::default()
    };
    let key = whisper_examples::key(options.node_key.as_deref())?;
    let is_guess = options.host.is_none() && options.listen.ip().is_unspecified();
    let rlpx =
        RlpxConfig { listen: Some(options.listen), host: options.host, ..RlpxConfig::new(key) };
    let handle = whisper_examples::start(node, rlpx, &options.peer, &options.hiding).await?;
    for address in handle.addresses().await? {
        say!("{address}");
    }
    if options.peer.len() < 2 && matches!(options.hiding.privacy, PrivacyChoice::Stem) {
        say!("dial at least two relays by --peer: who dials this one becomes its relay otherwise");
    }
    if is_guess {
        say!("others may know this machine by another name or address: give it by --host");
    }
    relay(&handle, Duration::from_secs(options.stats), end).await?;
    say!("stopping");
    handle.shutdown().await;
    Ok(())
}

/// Tells who comes and goes, and counts, until the program is to end or the node ends.
async fn relay(
    handle: &Handle,
    every: Duration,
    end: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let mut end = pin!(end);
    let mut events = handle.events().await?;
    let mut timer = tokio::time::interval(every);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = Stats::default();
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => tell(&event),
                Some(Err(Lagged(missed))) => say!("{missed} events were missed"),
                None => return Ok(()),
            },
            _ = timer.tick() => {
                let stats = handle.stats().await?;
                if stats != before {
                    count(&stats);
                    before = stats;
                }
            }
            () = &mut end => return Ok(()),
        }
    }
}

fn tell(event: &Event) {
    match event {
        Event::Connected { peer, facts } => {
            let direction = format!("{:?}", facts.direction).to_lowercase();
            say!("peer {}: {direction}, {}", peer.as_u64(), facts.client);
        }
        Event::Ready(peer) => say!("peer {}: ready", peer.as_u64()),
        Event::Dismissed { peer, why } => say!("peer {}: cut, {why}", peer.as_u64()),
        Event::Disconnected { peer, how } => {
            say!("peer {}: gone, {}", peer.as_u64(), format!("{how:?}").to_lowercase());
        }
        Event::Unreachable { address, why, .. } => say!("no connection to {address}: {why}"),
        Event::Addresses(addresses) => {
            say!("others now reach this node at {}", addresses.join(" "));
        }
        Event::ClockSuspect { ahead, by } => {
            let direction = if *ahead { "ahead" } else { "behind" };
            say!("the clock of this machine seems {direction} by {} s: set it", by.as_secs());
        }
        _ => {}
    }
}

fn count(stats: &Stats) {
    say!(
        "{} peers, {} envelopes held, {} relayed so far, {} KiB in, {} KiB out",
        stats.ready_peers,
        stats.pool_envelopes,
        stats.admitted_envelopes,
        stats.bytes_received / 1_024,
        stats.bytes_sent / 1_024,
    );
}
