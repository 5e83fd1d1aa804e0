//! A network of 24 real processes, to which everything happens that happens to networks: processes
//! are killed, frozen and moved, links fall silent, addresses change, clocks are wrong. At the end
//! each message is accounted for.
#![cfg(unix)]

mod conductor;
mod history;
mod link;
mod member;
mod plan;
mod process;
mod reach;
mod table;
#[cfg(test)]
mod tests;
mod verdict;
mod wire;

use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;

use chacha20::ChaCha20Rng;
use clap::Parser;
use rand_core::SeedableRng;
use whisper_examples::Failure;
use whisper_examples::say;

use conductor::Conductor;
use member::Role;
use plan::Size;

/// Runs 6 relays and 18 people as processes on this machine, lets them talk while things go wrong,
/// and tells whether a message was lost, shown twice, shown out of order, or refused without a
/// reason. Succeeds if none was.
#[derive(Debug, Parser)]
#[command(after_help = "Example: swarm --minutes 1.5 --seed 7 --trace /tmp/swarm.jsonl
The seed decides what is done; what comes of it also depends on the machine.")]
struct Options {
    /// How long it runs
    #[arg(long, value_name = "MINUTES", default_value_t = 10.0)]
    minutes: f64,
    /// What is done is drawn from this
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// A file for all that the processes report
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Be one of the processes
    #[arg(long, hide = true)]
    member: Option<PathBuf>,
    #[arg(long, hide = true, requires = "member")]
    port: Option<u16>,
    #[arg(long, hide = true, default_value_t = 0, allow_hyphen_values = true)]
    offset: i64,
    #[arg(long, hide = true)]
    brief: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let result = match options.member.clone() {
        Some(folder) => {
            whisper_examples::log();
            let Options { port, offset, brief, .. } = options;
            member::run(&Role { folder, port, offset, brief }).await
        }
        None => conduct(&options).await,
    };
    whisper_examples::exit("swarm", result)
}

async fn conduct(options: &Options) -> Result<(), Failure> {
    if !(1.0..=600.0).contains(&options.minutes) {
        return Err("--minutes: a run takes between 1 and 600".into());
    }
    let size = Size { relays: 6, people: 18, span: (options.minutes * 60_000.0) as u64 };
    let mut rng = ChaCha20Rng::seed_from_u64(options.seed);
    let folder = std::env::temp_dir().join(format!("whisper-swarm-{}", std::process::id()));
    let faults = run(size, &folder, options.trace.as_deref(), &mut rng).await?;
    if faults == 0 {
        std::fs::remove_dir_all(&folder)?;
        return Ok(());
    }
    Err(format!("{faults} faults; what the processes logged is in {}", folder.display()).into())
}

/// Runs a swarm, and gives the number of its faults.
async fn run(
    size: Size,
    folder: &Path,
    trace: Option<&Path>,
    rng: &mut ChaCha20Rng,
) -> Result<usize, Failure> {
    let plan = plan::plan(size, rng);
    let conductor = Conductor::start(size, folder, trace, rng).await?;
    say!("all are connected; what goes wrong from now on is drawn");
    let history = conductor.carry_out(&plan).await?;
    table::deeds(&plan);
    let verdict = verdict::judge(&history, size);
    verdict.print();
    Ok(verdict.all_faults().count())
}
