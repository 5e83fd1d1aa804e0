//! Data of real chains, read when `WHISPER_CHAIN_DATA` names the folder that has it, and the hashes
//! and rules for chains that are not ours.
#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]
#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use whisper_core::hash::keccak256;
use whisper_core::hash::sha256;
use whisper_core::ledger::Bits;
use whisper_core::ledger::Header;
use whisper_core::ledger::HeaderRules;
use whisper_core::ledger::PowHash;
use whisper_core::ledger::Retarget;
use whisper_core::ledger::TreeHash;

/// Bitcoin's hash of headers and of nodes in its trees.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sha256d;

impl PowHash for Sha256d {
    fn digest(header: &[u8; 80]) -> [u8; 32] {
        sha256(&sha256(header))
    }
}

/// The hash of RFC 6962's own vectors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sha256;

impl TreeHash for Sha256 {
    fn hash(parts: &[&[u8]]) -> [u8; 32] {
        sha256(&parts.concat())
    }
}

/// A hash that meets every target down to one in 2^128: headers of any difficulty without work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Free;

impl PowHash for Free {
    fn digest(header: &[u8; 80]) -> [u8; 32] {
        let mut hash = keccak256(header);
        hash[16..].fill(0);
        hash
    }
}

/// Bitcoin's rules of headers, with this limit in compact form.
pub(crate) fn bitcoin_rules(limit: u32) -> HeaderRules {
    HeaderRules {
        version: None,
        limit: Bits::new(limit).target().unwrap(),
        retarget: Retarget::Bitcoin { spacing: 600, interval: 2_016 },
        ahead: Duration::from_secs(7_200),
        checkpoint: None,
    }
}

/// The limit of Bitcoin's main network.
pub(crate) const MAINNET: u32 = 0x1d00_ffff;

/// A file of the folder, or nothing if no folder is named.
pub(crate) fn file(name: &str) -> Option<Vec<u8>> {
    let Some(folder) = env::var_os("WHISPER_CHAIN_DATA") else {
        println!("WHISPER_CHAIN_DATA is not set: {name} is left out");
        return None;
    };
    let path = PathBuf::from(folder).join(name);
    Some(fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// A file of JSON.
pub(crate) fn json(name: &str) -> Option<Value> {
    file(name).map(|bytes| serde_json::from_slice(&bytes).expect("the data is JSON"))
}

/// A file of headers.
pub(crate) fn headers(name: &str) -> Option<Vec<Header>> {
    let data = file(name)?;
    let (headers, rest) = data.as_chunks::<80>();
    assert!(rest.is_empty(), "{name} holds whole headers");
    Some(headers.iter().map(Header::decode).collect())
}
