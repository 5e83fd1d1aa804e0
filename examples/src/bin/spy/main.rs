//! Spies among the nodes of a simulated network try to find out who wrote what, and a table and pictures
//! show how often they do.

mod checks;
mod dice;
mod estimate;
mod floods;
mod graph;
mod mechanism;
mod network;
mod pictures;
mod posterior;
mod rows;
mod score;
mod stems;

use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use whisper_examples::Failure;
use whisper_examples::say;

use checks::Extent;
use dice::Dice;
use mechanism::Mechanism;
use network::Adversary;
use rows::Row;
use rows::Series;

/// Puts spies among the nodes of simulated networks of the shipping engine and prints how often they
/// name the author of a message. The spies keep the rules, take the time of what they are sent, and know
/// the whole graph and the latency of each connection. Writes spy.csv and pictures.
#[derive(Debug, Parser)]
#[command(after_help = "Example: spy --nodes 400 --spies 1,10,30 --seed 7 --out /tmp/spy\n\n\
    A column gives the share of messages whose author an estimator names, and half of the interval in \
    which it lies with 95 % over networks.")]
struct Arguments {
    /// How many nodes a network has.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(20..=5_000))]
    nodes: u16,
    /// How many of a hundred nodes are spies; several, parted by commas.
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', default_value = "1,5,10,20,30",
        value_parser = clap::value_parser!(u8).range(1..=90))]
    spies: Vec<u8>,
    /// How many networks are drawn for each row.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    networks: u16,
    /// How many messages are written in each network.
    #[arg(long, default_value_t = 180, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    messages: u16,
    /// What all is drawn from: the same seed gives the same figures.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Two networks and 10 % of spies alone: a look that takes a moment.
    #[arg(long)]
    quick: bool,
    /// Holds what is measured against the bounds of the attack catalogue, and fails where one is passed.
    #[arg(long)]
    check: bool,
    /// As --check with larger networks, and with what takes long; a night's work.
    #[arg(long)]
    night: bool,
    /// The folder that files go to.
    #[arg(long, default_value = "spy", value_name = "FOLDER")]
    out: PathBuf,
}

fn main() -> ExitCode {
    whisper_examples::exit("spy", run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.night {
        checks::all(Extent::NIGHT, arguments.seed, timed)
    } else if arguments.check {
        checks::all(Extent::CHANGE, arguments.seed, timed)
    } else {
        draw(arguments)
    }
}

/// Prints the table and draws the pictures.
fn draw(arguments: &Arguments) -> Result<(), Failure> {
    std::fs::create_dir_all(&arguments.out).map_err(|error| at(&arguments.out, &error))?;
    let table = table(arguments)?;
    write(&arguments.out, "spy.csv", &rows::csv(&table))?;
    write(&arguments.out, "spy.svg", &pictures::recall(&table).to_svg())?;
    write(&arguments.out, "holes.svg", &pictures::holes(&table).to_svg())?;
    // Where most spies are, most is handed to them.
    let honest = |row: &&Row| matches!(row.series.adversary, Adversary::Spies(_));
    if let Some(row) = table.iter().filter(honest).max_by_key(|row| row.handed().count()) {
        let mut dice = Dice::new(arguments.seed, 2);
        write(&arguments.out, "age.svg", &pictures::age(row, &mut dice).to_svg())?;
    }
    if !arguments.quick {
        let nodes = usize::from(arguments.nodes);
        let row = timed(Series {
            mechanism: Mechanism::Stem,
            adversary: Adversary::Spies((nodes / 10).max(1)),
            nodes,
            networks: u64::from(arguments.networks),
            messages: AUTHORS * 50,
            authors: Some(AUTHORS),
            seed: arguments.seed,
        })?;
        write(&arguments.out, "linked.svg", &pictures::linked(&row).to_svg())?;
        for count in [1, 10, 50] {
            if let Some(named) = row.linked(count) {
                say!("{count} messages of one author: named {:.3} ±{:.3}", named.mean, named.half);
            }
        }
    }
    say!("\nFiles: {}", arguments.out.display());
    Ok(())
}

/// One row for each mechanism and adversary.
fn table(arguments: &Arguments) -> Result<Vec<Row>, Failure> {
    let (networks, percents) = if arguments.quick {
        (2, &[10][..])
    } else {
        (u64::from(arguments.networks), &arguments.spies[..])
    };
    let (nodes, messages) = (usize::from(arguments.nodes), usize::from(arguments.messages));
    say!("{networks} networks of {nodes} nodes, each dials 4; {messages} messages in each;");
    say!("a connection takes 20 to 200 ms, always the same, and a packet up to 5 ms more.\n");
    say!("{}", rows::head());
    let counts = percents.iter().map(|percent| (nodes * usize::from(*percent) / 100).max(1));
    let counts: Vec<usize> = counts.collect();
    let mut kinds = Vec::new();
    for mechanism in Mechanism::ALL {
        kinds.extend(counts.iter().map(|count| (mechanism, Adversary::Spies(*count))));
        kinds.push((mechanism, Adversary::Supernode));
    }
    let of_stem = |build: fn(usize) -> Adversary| {
        counts.iter().map(move |count| (Mechanism::Stem, build(*count)))
    };
    kinds.extend(of_stem(Adversary::Holes).chain(of_stem(Adversary::Echoes)));
    let mut rows = Vec::new();
    for (mechanism, adversary) in kinds {
        let (authors, seed) = (None, arguments.seed);
        let series = Series { mechanism, adversary, nodes, networks, messages, authors, seed };
        let row = timed(series)?;
        say!("{}", row.text());
        rows.push(row);
    }
    Ok(rows)
}

/// Runs a series and says on standard error what it does.
fn timed(series: Series) -> Result<Row, Failure> {
    let begin = Instant::now();
    eprint!("{}, {} …", series.mechanism.name(), series.adversary());
    let row = series.run()?;
    eprintln!(" {:.0} s", begin.elapsed().as_secs_f64());
    Ok(row)
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Failure> {
    let path = folder.join(name);
    std::fs::write(&path, text).map_err(|error| at(&path, &error))
}

fn at(path: &Path, error: &std::io::Error) -> Failure {
    format!("{}: {error}", path.display()).into()
}

/// How many write to somebody who tells the spies.
const AUTHORS: usize = 25;
