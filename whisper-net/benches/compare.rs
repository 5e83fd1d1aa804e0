//! Our search for a nonce beside the reference's own `Envelope.Seal`, both on one core in one run:
//! `cargo bench -p whisper-net --bench compare`. Rounds alternate, since the neighbours of a machine
//! move any single number; the ratio of a round is what counts.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made has nobody to tell")]

#[path = "../tests/geth/binary.rs"]
mod binary;

use std::fs;
use std::hint::black_box;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::process::Child;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;
use whisper_core::envelope::Draft;
use whisper_core::envelope::Envelope;
use whisper_core::pow::Search;
use whisper_core::pow::Work;
use whisper_core::time::Timestamp;

const ROUNDS: usize = 6;
const SECONDS: f64 = 0.5;
/// Payload bytes, and how many times as fast we must be.
const SIZES: [(usize, Option<f64>); 3] = [(32, None), (256, Some(5.0)), (1024, None)];

fn main() {
    let mut reference = Reference::start();
    println!("nonces per second and core, best of {ROUNDS} rounds; ratios are of single rounds");
    println!("{:<18} {:>12} {:>12} {:>8} {:>8}", "id", "reference", "ours", "median", "worst");
    let mut slow = Vec::new();
    for (payload, floor) in SIZES {
        let rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| round(&mut reference, payload)).collect();
        let ratios = sorted(rounds.iter().map(|(theirs, ours)| ours / theirs));
        let theirs = sorted(rounds.iter().map(|round| round.0));
        let ours = sorted(rounds.iter().map(|round| round.1));
        let (median, worst) = (ratios[ROUNDS / 2], ratios[0]);
        let id = format!("pow/search/{payload}");
        println!(
            "{id:<18} {:>12.0} {:>12.0} {median:>7.2}x {worst:>7.2}x",
            theirs[ROUNDS - 1],
            ours[ROUNDS - 1]
        );
        if floor.is_some_and(|floor| median < floor) {
            slow.push(id);
        }
    }
    assert!(slow.is_empty(), "below the floor: {slow:?}");
}

/// One measurement of each: the reference's rate and ours.
fn round(reference: &mut Reference, payload: usize) -> (f64, f64) {
    let theirs = reference.bench_seal(payload);
    let sealed = Envelope::decode(&hex::decode(theirs["last"].as_str().unwrap()).unwrap()).unwrap();
    let search = search_of(&sealed);
    assert_eq!(
        search.find(0..sealed.nonce() + 1, sealed.work()),
        Some(sealed.nonce()),
        "both search the same"
    );
    let nonces = theirs["nonces"].as_f64().unwrap();
    (nonces / (theirs["cpu_ns"].as_f64().unwrap() / 1e9), our_rate(&search))
}

/// The search that made the envelope.
fn search_of(sealed: &Envelope) -> Search {
    let issued = Timestamp::from_secs(sealed.issued().unwrap());
    let ttl = Duration::from_secs(sealed.ttl());
    Draft::new(issued, ttl, sealed.topic(), sealed.data().to_vec()).unwrap().search()
}

fn our_rate(search: &Search) -> f64 {
    const BATCH: u64 = 1 << 14;
    let (wall, cpu) = (Instant::now(), cpu_time());
    let mut nonces = 0;
    while wall.elapsed().as_secs_f64() < SECONDS {
        // No hash shows as many bits.
        black_box(search.find(nonces..nonces + BATCH, Work::MAX));
        nonces += BATCH;
    }
    let spent = match (cpu, cpu_time()) {
        (Some(before), Some(after)) => after - before,
        _ => wall.elapsed(),
    };
    nonces as f64 / spent.as_secs_f64()
}

/// What this thread has used of a core, where the system tells.
fn cpu_time() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
}

fn sorted(numbers: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers
}

/// The Go program, asked one thing at a time.
struct Reference {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Reference {
    fn start() -> Self {
        let mut child = Command::new(binary::built())
            .env("TMPDIR", env!("CARGO_TARGET_TMPDIR"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program was just built");
        let stdin = child.stdin.take().expect("asked for a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("asked for a pipe"));
        let mut reference = Self { child, stdin, stdout };
        assert_eq!(reference.line()["event"], "ready");
        reference
    }

    fn bench_seal(&mut self, payload: usize) -> Value {
        let command = json!({ "do": "bench-seal", "payload": payload, "seconds": SECONDS });
        writeln!(self.stdin, "{command}").expect("the process lives");
        let mut answer = self.line();
        assert!(answer["error"].is_null(), "{answer}");
        answer["ok"].take()
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("the process lives");
        serde_json::from_str(&line).expect("each line is an object")
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
