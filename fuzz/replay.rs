//! Runs the body of a target on every committed input: what fuzzing once found stays found.

use std::fs;
use std::panic;
use std::path::Path;
use std::path::PathBuf;

/// Runs `body` on the corpus of `target`, which has so many inputs. The one that makes it panic is
/// named.
pub(crate) fn replay(target: &str, count: usize, body: fn(&[u8])) {
    let inputs = inputs(target);
    assert_eq!(inputs.len(), count, "inputs for {target}");
    for path in inputs {
        let data = fs::read(&path).expect("an input");
        if let Err(cause) = panic::catch_unwind(|| body(&data)) {
            eprintln!("{target} fails on {}", path.display());
            panic::resume_unwind(cause);
        }
    }
}

fn inputs(target: &str) -> Vec<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let entries = fs::read_dir(&corpus).unwrap_or_else(|error| panic!("{target}: {error}"));
    let mut inputs: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    inputs.sort();
    inputs
}
