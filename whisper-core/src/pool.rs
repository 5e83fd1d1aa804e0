//! Holds envelopes: a placeholder until the bounded pool stands.
#![allow(missing_docs)]
use crate::envelope::{Envelope, EnvelopeHash};
use crate::peer::PeerId;
use crate::pow::Rating;
use crate::time::Timestamp;
use alloc::sync::Arc;
use alloc::vec::Vec;
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub bytes: usize,
}
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Slot {
    index: u32,
    generation: u32,
}
impl Slot {
    pub const fn index(self) -> usize {
        self.index as usize
    }
}
#[derive(Clone, Copy, Debug)]
pub enum Origin {
    Own,
    Peer(PeerId),
}
#[derive(Debug)]
pub struct Entry {
    envelope: Arc<Envelope>,
    rating: Rating,
    own: bool,
}
impl Entry {
    pub fn envelope(&self) -> &Arc<Envelope> {
        &self.envelope
    }
    pub fn rating(&self) -> Rating {
        self.rating
    }
    pub fn is_own(&self) -> bool {
        self.own
    }
}
#[derive(Debug)]
pub struct Gone {
    pub slot: Slot,
    pub envelope: Arc<Envelope>,
    own: bool,
}
impl Gone {
    pub fn is_own(&self) -> bool {
        self.own
    }
}
#[derive(Debug)]
pub struct Inserted {
    pub slot: Slot,
    pub evicted: Vec<Gone>,
}
#[derive(Debug)]
pub enum PoolError {
    Full,
    OwnShareFull,
}
#[derive(Debug)]
pub struct Pool {
    e: Vec<Option<Entry>>,
}
impl Pool {
    pub fn new(_l: Limits, _s: [u8; 32]) -> Self {
        Self { e: Vec::new() }
    }
    pub fn insert(
        &mut self,
        _now: Timestamp,
        envelope: Arc<Envelope>,
        rating: Rating,
        origin: Origin,
    ) -> Result<Inserted, PoolError> {
        self.e.push(Some(Entry { envelope, rating, own: matches!(origin, Origin::Own) }));
        Ok(Inserted {
            slot: Slot { index: (self.e.len() - 1) as u32, generation: 0 },
            evicted: Vec::new(),
        })
    }
    pub fn find(&self, h: &EnvelopeHash) -> Option<Slot> {
        self.e
            .iter()
            .position(|e| e.as_ref().is_some_and(|e| e.envelope.hash() == *h))
            .map(|i| Slot { index: i as u32, generation: 0 })
    }
    pub fn get(&self, s: Slot) -> Option<&Entry> {
        self.e.get(s.index())?.as_ref()
    }
    pub fn mark_sent(&mut self, _s: Slot) {}
    pub fn expire(&mut self, _now: Timestamp, _n: usize) -> Vec<Gone> {
        Vec::new()
    }
    pub fn next_expiry(&self) -> Option<Timestamp> {
        None
    }
    pub fn iter_best_first(&self) -> impl Iterator<Item = (Slot, &Entry)> {
        let mut v: Vec<_> = self
            .e
            .iter()
            .enumerate()
            .filter_map(|(i, e)| Some((Slot { index: i as u32, generation: 0 }, e.as_ref()?)))
            .collect();
        v.sort_by_key(|(_, e)| core::cmp::Reverse(e.rating));
        v.into_iter()
    }
    pub fn len(&self) -> usize {
        self.e.len()
    }
    pub fn is_contended(&self) -> bool {
        false
    }
}
