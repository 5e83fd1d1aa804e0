//! What begins its way through the network here, and leaves for each peer at a moment of its own.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use core::time::Duration;

use super::dice::Dice;
use super::dice::Throw;
use crate::envelope::Envelope;
use crate::peer::PeerId;
use crate::pool::Slot;
use crate::time::Timestamp;

/// The envelopes of the pool that begin their way here: each peer waits for them by itself, so that
/// the order and the moments at which peers learn of one do not point at this node. All others are
/// relayed at once.
#[derive(Debug)]
pub(super) struct Scatter {
    dice: Dice,
    mean: Duration,
    begun: BTreeMap<Slot, Begun>,
    due: BTreeSet<(Timestamp, Slot, PeerId)>,
    /// How many of those that began were brought by a peer, or are our own.
    counts: BTreeMap<Option<PeerId>, usize>,
}

/// One that begins here.
#[derive(Debug)]
struct Begun {
    from: Option<PeerId>,
    waits: BTreeMap<PeerId, Timestamp>,
    has_left: bool,
}

impl Scatter {
    pub(super) const fn new(dice: Dice, mean: Duration) -> Self {
        Self { dice, mean, begun: BTreeMap::new(), due: BTreeSet::new(), counts: BTreeMap::new() }
    }

    /// Lets an envelope begin that this peer brought for that, or that is our own; false if so many
    /// of them have begun that it goes out at once.
    pub(super) fn begin(&mut self, slot: Slot, from: Option<PeerId>) -> bool {
        let most = if from.is_some() { BROUGHT } else { OWN };
        let count = self.counts.entry(from).or_default();
        if *count >= most {
            return false;
        }
        *count = count.saturating_add(1);
        self.begun.insert(slot, Begun { from, waits: BTreeMap::new(), has_left: false });
        true
    }

    /// Whether the envelope in `slot` begins here and waits, or has never left.
    pub(super) fn contains(&self, slot: Slot) -> bool {
        self.begun.contains_key(&slot)
    }

    /// Lets a peer wait for the envelope in `slot`, unless it does; false if that does not begin here.
    pub(super) fn wait(
        &mut self,
        now: Timestamp,
        slot: Slot,
        envelope: &Envelope,
        peer: PeerId,
    ) -> bool {
        let Some(begun) = self.begun.get_mut(&slot) else { return false };
        let number = peer.as_u64().to_be_bytes();
        let drawn = self.dice.span(Throw::Wait, &[envelope.hash().as_bytes(), &number], self.mean);
        let tenth = envelope.time_left(now).checked_div(10).unwrap_or_default();
        let due = now.saturating_add(drawn.min(LONGEST).min(tenth));
        self.due.insert((*begun.waits.entry(peer).or_insert(due), slot, peer));
        true
    }

    /// The next peer whose wait is over, and for what. It does not leave for one that is gone.
    pub(super) fn pop(
        &mut self,
        now: Timestamp,
        is_here: impl FnOnce(PeerId) -> bool,
    ) -> Option<(Slot, PeerId)> {
        let (_, slot, peer) = self.due.first().copied().filter(|(due, ..)| *due <= now)?;
        self.due.pop_first();
        if let Some(begun) = self.begun.get_mut(&slot) {
            begun.waits.remove(&peer);
            begun.has_left |= is_here(peer);
            if begun.waits.is_empty() && begun.has_left {
                drop(self.end(slot));
            }
        }
        Some((slot, peer))
    }

    /// Ends all waits for the envelope in `slot`, and returns who waited: from now on it is relayed as
    /// any other.
    pub(super) fn end(&mut self, slot: Slot) -> impl Iterator<Item = PeerId> + use<> {
        let begun = self.begun.remove(&slot);
        if let Some(begun) = &begun {
            begun.waits.iter().for_each(|(peer, due)| {
                self.due.remove(&(*due, slot, *peer));
            });
            if let Some(count) = self.counts.get_mut(&begun.from) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.counts.remove(&begun.from);
                }
            }
        }
        begun.into_iter().flat_map(|begun| begun.waits.into_keys())
    }

    /// When the next wait is over.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, ..)| *due)
    }

    /// Moves all moments back, after the clock was set back by as much.
    pub(super) fn shift_back(&mut self, by: Duration) {
        let waits = self.begun.values_mut().flat_map(|begun| begun.waits.values_mut());
        waits.for_each(|due| *due = due.saturating_sub(by));
        let due = core::mem::take(&mut self.due).into_iter();
        self.due = due.map(|(due, slot, peer)| (due.saturating_sub(by), slot, peer)).collect();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.begun.len()
    }
}

/// No peer waits longer than this. It cuts 0.7 % of the draws at a mean of one second.
const LONGEST: Duration = Duration::from_secs(5);
/// How many envelopes of one peer begin here at once, as stems: 25 a second at the longest wait.
/// Chosen; with 64 peers and as many waits for each, all waits take some 25 MiB at most.
const BROUGHT: usize = 128;
/// How many of our own begin here at once. Nobody else decides how many there are.
const OWN: usize = 1_024;
