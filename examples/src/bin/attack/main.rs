//! Attacks a network of nodes, with and without their guards, and shows what comes of it.

mod attacks;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use std::time::Instant;

use clap::Parser;
use whisper_examples::Failure;
use whisper_examples::say;

use attacks::ATTACKS;
use attacks::Attack;
use report::Report;

/// Attacks a simulated network of 24 nodes in eleven ways, each with the guards on and off, and prints
/// a table: how many honest messages arrived, how fast, and who was cut. Draws a picture of each.
#[derive(Debug, Parser)]
#[command(after_help = "Example: attack --only flood --seed 7 --pictures /tmp/pictures")]
struct Arguments {
    /// Run only this attack: expiry, flood, rewrap, dust, deaf, fickle, clocks, liars, expired, copies
    /// or returns.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// What the run is drawn from: the same seed gives the same figures.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How long each attack lasts, in simulated seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// The folder that the pictures go to.
    #[arg(long, default_value = "attack-pictures", value_name = "FOLDER")]
    pictures: PathBuf,
}

fn main() -> ExitCode {
    whisper_examples::exit("attack", run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let attacks = chosen(arguments.only.as_deref())?;
    std::fs::create_dir_all(&arguments.pictures)
        .map_err(|error| format!("{}: {error}", arguments.pictures.display()))?;
    say!("24 nodes of degree 8, eight adversaries with three victims each; pools of 256 KiB.");
    say!("All is simulated: a run of one seed can be repeated.\n");
    let mut rows = Vec::new();
    for attack in attacks {
        let begin = Instant::now();
        eprint!("{}: {} …", attack.name, attack.what);
        let report = both(attack, arguments)?;
        eprintln!(" {:.0} s", begin.elapsed().as_secs_f64());
        rows.extend(report.rows());
        let file = arguments.pictures.join(format!("{}.svg", attack.name));
        std::fs::write(&file, report.chart().to_svg())
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    say!("\n{}", report::head());
    rows.iter().for_each(|row| say!("{row}"));
    say!("\nPictures: {}", arguments.pictures.display());
    Ok(())
}

fn chosen(only: Option<&str>) -> Result<Vec<Attack>, Failure> {
    let Some(name) = only else { return Ok(ATTACKS.to_vec()) };
    let attack = ATTACKS.into_iter().find(|attack| attack.name == name);
    let names = ATTACKS.map(|attack| attack.name).join(", ");
    Ok(vec![attack.ok_or_else(|| format!("there is no attack {name:?}; there are {names}"))?])
}

/// Runs an attack with and without guards, side by side.
fn both(attack: Attack, arguments: &Arguments) -> Result<Report, Failure> {
    let span = Duration::from_secs(arguments.seconds);
    let seed = arguments.seed;
    let (guarded, bare) = std::thread::scope(|threads| {
        let bare = threads.spawn(|| attack.run(seed, span, false));
        (attack.run(seed, span, true), bare.join())
    });
    let bare = bare.map_err(|_| "the run without guards failed")?;
    Ok(Report { attack, guarded: guarded?, bare: bare? })
}
