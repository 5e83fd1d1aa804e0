//! Builds the Go program beside this file, once per process.

use std::env;
use std::io::ErrorKind;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Where the program stands once built. `GOFLAGS` and the other settings of Go come from the
/// environment.
///
/// # Panics
///
/// If Go is missing or the build fails: there is no test without the real peer.
pub(crate) fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build)
}

fn build() -> PathBuf {
    let binary =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("geth{}", env::consts::EXE_SUFFIX));
    let status = Command::new("go")
        // go-ethereum of 2020 reaches into the runtime, which Go 1.23 and later refuse to link.
        .args(["build", "-buildvcs=false", "-ldflags=-checklinkname=0", "-o"])
        .arg(&binary)
        .arg(".")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/geth"))
        .status();
    match status {
        Ok(status) => assert!(status.success(), "go build ended with {status}"),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("the real peer is written in Go: install Go 1.21 or later, and gcc")
        }
        Err(error) => panic!("go build did not start: {error}"),
    }
    binary
}
