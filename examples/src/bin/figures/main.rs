//! Draws the paper's figures from our own formulas and simulations: 6, how long blocks take, and 7,
//! what a dishonest miner can hope for. Each as SVG to look at and as CSV to compute with.

mod figures;
mod table;

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;

use chacha20::ChaCha20Rng;
use clap::Parser;
use rand_core::SeedableRng;
use whisper_core::ledger::Header;
use whisper_examples::Failure;
use whisper_examples::exit;
use whisper_examples::say;

use crate::figures::Figure;

#[derive(Parser)]
#[command(about = "Draws figure 6 (block generation time) and figure 7 (a dishonest miner)")]
struct Options {
    /// Where to put the files.
    #[arg(default_value = "figures")]
    folder: PathBuf,
    /// Real headers to hold against the law, 80 bytes each.
    #[arg(long)]
    headers: Option<PathBuf>,
    /// The seed of the simulations.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    exit("figures", run(&Options::parse()))
}

fn run(options: &Options) -> Result<(), Failure> {
    let real = options.headers.as_deref().map(read).transpose()?.unwrap_or_default();
    let mut rng = ChaCha20Rng::seed_from_u64(options.seed);
    fs::create_dir_all(&options.folder)?;
    let figures = [
        figures::intervals(&real, &mut rng),
        figures::means(&real, &mut rng),
        figures::by_confirmations(&mut rng),
        figures::by_share(),
    ];
    for Figure { name, chart, table } in figures {
        let path = options.folder.join(name);
        fs::write(path.with_extension("svg"), chart.to_svg())?;
        fs::write(path.with_extension("csv"), table.to_csv())?;
        say!("{}.svg, .csv", path.display());
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<Header>, Failure> {
    let data = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    match data.as_chunks::<80>() {
        (headers, []) => Ok(headers.iter().map(Header::decode).collect()),
        _ => Err(format!("{} does not hold whole headers", path.display()).into()),
    }
}
