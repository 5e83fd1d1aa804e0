//! C16: the ciphers are built so that they wipe themselves. The features that make them do so are
//! off by default, and nothing else would notice if an update lost one.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::env;
use std::process::Command;

/// Whatever handles keys and has such a feature.
const WIPING: [&str; 17] = [
    "aes",
    "aes-gcm",
    "block-buffer",
    "chacha20",
    "chacha20poly1305",
    "cipher",
    "crypto-bigint",
    "crypto-common",
    "ctr",
    "digest",
    "ghash",
    "hmac",
    "hybrid-array",
    "ml-kem",
    "module-lattice",
    "polyval",
    "sha2",
];

#[test]
fn c16_whatever_handles_keys_is_built_to_wipe_itself() {
    let features = features("whisper-core");
    for name in WIPING {
        let enabled = features.get(name).unwrap_or_else(|| panic!("{name} is not used any more"));
        assert!(enabled.contains("zeroize"), "{name}: {enabled:?}");
    }
    // In these it cannot be switched off.
    for name in ["k256", "ecdsa", "elliptic-curve", "zeroize"] {
        assert!(features.contains_key(name), "{name}");
    }
}

#[test]
fn c16_nothing_that_could_wipe_itself_is_missing_in_the_list() {
    for (name, enabled) in features("whisper-core") {
        let listed = WIPING.contains(&&*name) || ["sec1", "der"].contains(&&*name);
        assert!(listed || !enabled.contains("zeroize"), "{name} wipes itself: add it to the list");
    }
    let random = &features("whisper-net")["chacha20"];
    assert!(random.contains("zeroize"), "{random:?}");
}

/// The features of all that a package is built with, as cargo resolves them without its tests.
fn features(package: &str) -> BTreeMap<String, BTreeSet<String>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let arguments = ["tree", "--offline", "--locked", "-e", "normal", "--prefix", "none"];
    let output = Command::new(cargo)
        .args(arguments)
        .args(["--format", "{p} [{f}]", "-p", package])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let line = |line: &str| {
        let (name, _) = line.split_once(' ')?;
        let (_, rest) = line.split_once('[')?;
        let (features, _) = rest.split_once(']')?;
        Some((name.to_owned(), features.split(',').map(str::to_owned).collect()))
    };
    text.lines().filter_map(line).collect()
}
