//! Runs from many seeds, and the one that fails by name.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::panic::resume_unwind;

/// Runs a test from each of the seeds 0 to `count`. One that panics is named on standard error.
///
/// The environment may say otherwise: `WHISPER_SEED=17` runs that seed alone, `WHISPER_SEEDS=5000`
/// runs as many.
///
/// # Panics
/// When `run` does, or when the environment holds no number there.
pub fn for_each_seed(count: u64, run: impl Fn(u64)) {
    let seeds = match (number_in("WHISPER_SEED"), number_in("WHISPER_SEEDS")) {
        (Some(seed), _) => seed..seed.saturating_add(1),
        (None, count_there) => 0..count_there.unwrap_or(count),
    };
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(seed))) {
            eprintln!("seed {seed} fails; WHISPER_SEED={seed} runs it alone");
            resume_unwind(panic);
        }
    }
}

fn number_in(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not {text:?}")))
}
