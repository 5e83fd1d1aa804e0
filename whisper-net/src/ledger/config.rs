//! What a ledger is set to.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use whisper_core::ledger::Params;

use crate::clock::Clock;

/// The settings of a ledger. Only the network has no default.
#[derive(Clone, Debug)]
pub struct LedgerConfig {
    /// The network's rules and first block.
    pub params: Params,
    /// The file to keep the chain in. Without one it is kept in memory and ends with the process.
    pub path: Option<PathBuf>,
    /// How many of the newest blocks to check in full once more when the file is opened. Headers are
    /// all checked.
    pub recheck: u32,
    /// How many threads check signatures and search for nonces: half of the processors, at least one.
    pub threads: NonZeroUsize,
    /// How many events may wait for a slow reader before it misses some.
    pub backlog: usize,
    /// Where the time comes from.
    pub clock: Clock,
}

impl LedgerConfig {
    /// The defaults for a network, in memory.
    pub fn new(params: Params) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            params,
            path: None,
            recheck: 144,
            threads: NonZeroUsize::new(processors / 2).unwrap_or(NonZeroUsize::MIN),
            backlog: 1_024,
            clock: Clock::system(),
        }
    }
}
