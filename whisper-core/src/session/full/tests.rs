//! Sessions of full mode, driven by hand.

mod attacks;
mod cast;
mod known;
mod laws;
mod ratchet;
mod side;
mod thief;
mod vectors;
mod watcher;

extern crate std;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::time::Duration;

use chacha20::ChaCha20Rng;
use rand_core::CryptoRng;
use rand_core::Rng;
use rand_core::SeedableRng;
use rand_core::TryCryptoRng;
use rand_core::TryRng;

use self::side::Side;
use super::*;
use crate::session::contract::MessageName;
use crate::session::contract::Role;
use crate::session::watch::Place;
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp::from_secs(1_750_000_000);

fn after(seconds: u64) -> Timestamp {
    NOW.saturating_add(Duration::from_secs(seconds))
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn app(now: Timestamp, text: &[u8]) -> Body {
    Body { sent_at: now, content: Content::App(text.to_vec()) }
}

/// Gives what it was given, in that order, then what a generator of its own draws.
struct Script {
    draws: VecDeque<Vec<u8>>,
    then: ChaCha20Rng,
}

impl Script {
    fn new(draws: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self { draws: draws.into_iter().collect(), then: rng(99) }
    }
}

impl TryRng for Script {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.then.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.then.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        match self.draws.pop_front() {
            Some(draw) => bytes.copy_from_slice(&draw),
            None => self.then.fill_bytes(bytes),
        }
        Ok(())
    }
}

impl TryCryptoRng for Script {}
