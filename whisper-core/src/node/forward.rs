//! The way of an envelope before it is flooded: held, passed on, sent once more.

use alloc::sync::Arc;

use super::Node;
use super::TICK;
use super::budget::Price;
use super::connections::Arrival;
use super::contract::Departure;
use super::contract::Event;
use super::contract::Outputs;
use super::contract::Rejection;
use super::contract::Violation;
use super::intake;
use super::intake::UNASKED;
use super::stem;
use super::stem::Hop;
use super::stem::Stems;
use crate::envelope::Encoded;
use crate::envelope::Envelope;
use crate::envelope::EnvelopeHash;
use crate::hash::keccak256;
use crate::packet;
use crate::packet::code;
use crate::peer::Network;
use crate::peer::PeerId;
use crate::pool::OVERHEAD;
use crate::pool::Origin;
use crate::pow::Rating;
use crate::rlp;
use crate::time::Timestamp;

impl Node {
    /// Takes relays that were kept over a restart or a lost connection, in their places: nobody, where
    /// one is away. They are drawn anew at `until`, as [`Event::Relays`] said.
    pub fn prefer_relays(
        &mut self,
        now: Timestamp,
        kept: &[Option<PeerId>],
        until: Timestamp,
    ) -> Outputs<'_> {
        self.advance(now);
        if let Some(stems) = &mut self.stems {
            stems.seats.prefer(now, kept, until);
            self.connections.roster_changed = true;
        }
        self.finish()
    }

    /// Draws relays anew. Whoever sees who wrote a message learns more with each new relay.
    pub fn redraw_relays(&mut self, now: Timestamp) -> Outputs<'_> {
        self.advance(now);
        if let Some(stems) = &mut self.stems {
            stems.seats.clear();
            self.connections.roster_changed = true;
        }
        self.finish()
    }

    /// Lets an envelope of our own begin its way.
    pub(super) fn begin(&mut self, envelope: Envelope) -> Result<(), Rejection> {
        let rating = self.judge(&envelope)?;
        let envelope = Arc::new(envelope);
        let Some(stems) = &self.stems else {
            return self.release(Arrival::OWN, envelope, rating);
        };
        if stems.store.contains(&envelope.hash()) {
            return Err(Rejection::Duplicate);
        }
        match self.route(stems, None, &envelope, rating) {
            Hop::Flood => self.release(Arrival::OWN, envelope, rating),
            hop => {
                let held = self.pool.waiting_bytes().saturating_add(stems.store.own_bytes());
                let bytes = envelope.encoded_len().saturating_add(OVERHEAD);
                if held.saturating_add(bytes) > self.config.pool_bytes / 8 {
                    return Err(Rejection::Waiting);
                }
                self.hold(None, envelope, rating, hop);
                Ok(())
            }
        }
    }

    /// Takes an envelope from a stem.
    pub(super) fn receive_stem(&mut self, peer: PeerId, payload: &[u8]) {
        let (size, max) = (payload.len(), stem::LARGEST_PACKET);
        if size > max {
            return self.connections.cut(peer, Violation::Oversized { size, max });
        }
        let encoded = match packet::decode_stem(payload) {
            Ok(Some(encoded)) => encoded,
            // No link is confidential yet, so none is filled up.
            Ok(None) => return self.connections.penalise(peer, UNASKED),
            Err(error) => return self.connections.cut(peer, Violation::Malformed(error)),
        };
        let Some(envelope) = self.pay_for(peer, encoded) else { return };
        match self.policy.judge(self.now, &envelope) {
            Ok(rating) => {
                if let Some(connection) = self.connections.get_mut(peer) {
                    connection.reward();
                }
                self.forward(peer, envelope, rating);
            }
            Err(rejection) => self.blame(peer, envelope.rating(), rejection),
        }
    }

    /// Has the peer pay for an envelope as for one of a packet of several: held or not, it is new
    /// unless it is in the pool and does not begin here. Nothing, if it is known, or has just died.
    fn pay_for(&mut self, peer: PeerId, encoded: Encoded<'_>) -> Option<Envelope> {
        let (now, contended) = (self.now, self.is_contended());
        let hash = EnvelopeHash::new(keccak256(encoded.as_bytes()));
        let slot = self.pool.find(&hash).filter(|slot| !self.connections.is_scattering(*slot));
        let price = if slot.is_some() { Price::Copy } else { Price::Whole };
        if let Some(allowance) = self.connections.allowance(peer, contended) {
            allowance.spend_work(now, price);
        }
        let connection = self.connections.get_mut(peer)?;
        match slot {
            Some(slot) => {
                connection.window.line.bring(slot);
            }
            None => connection.skew.note(now, encoded.issued()),
        }
        let is_over = intake::is_freshly_expired(now.as_secs(), &encoded);
        (slot.is_none() && !is_over).then(|| encoded.to_envelope(hash))
    }

    /// Passes on what has come by a stem, or floods it. What is held is looked at last: before, all is
    /// as if it were not.
    fn forward(&mut self, peer: PeerId, envelope: Envelope, rating: Rating) {
        let (hash, envelope) = (envelope.hash(), Arc::new(envelope));
        // It begins here: those that wait for it go on to do so.
        if self.pool.find(&hash).is_some() {
            return;
        }
        let Some(stems) = &self.stems else { return };
        let hop = self.route(stems, Some(peer), &envelope, rating);
        let ends = stems.ends(peer) || !stems.store.has_room(peer, &envelope);
        if ends || hop == Hop::Flood {
            let arrival = self.arrival(peer, &hash, true);
            if self.release(arrival, envelope, rating).is_ok() {
                self.forget(&hash);
            }
        } else if stems.store.contains(&hash) {
            self.forward_again(peer, &hash);
        } else {
            self.hold(Some(peer), envelope, rating, hop);
        }
    }

    /// Gives what is held and has come once more to a relay that has not had it. If all have, its time
    /// will tell.
    fn forward_again(&mut self, peer: PeerId, hash: &EnvelopeHash) {
        let Some(stems) = &mut self.stems else { return };
        stems.store.note_brought(hash, peer);
        let Some(held) = stems.store.get(hash) else { return };
        let candidates = self.connections.candidates(self.now, &held.envelope, held.rating);
        let hop = stems.next_hop(hash, Some(peer), &candidates, &held.tried);
        self.pass_on(hash, hop);
    }

    /// Holds an envelope and does with it what is next.
    fn hold(&mut self, edge: Option<PeerId>, envelope: Arc<Envelope>, rating: Rating, hop: Hop) {
        let network = edge.and_then(|peer| self.connections.get(peer)).map(|peer| peer.network);
        let origin = network.map_or(Origin::Own, Origin::Network);
        let Some(stems) = &mut self.stems else { return };
        let hash = envelope.hash();
        let due = stems.embargo(self.now, &hash, 0, envelope.time_left(self.now));
        stems.store.insert(envelope, rating, (origin, edge), due);
        self.pass_on(&hash, hop);
    }

    fn pass_on(&mut self, hash: &EnvelopeHash, hop: Hop) {
        let (peer, code) = match hop {
            Hop::Stem(peer) => (peer, code::STEM),
            Hop::HandOver(peer) => (peer, code::MESSAGES),
            Hop::Wait | Hop::Flood => return,
        };
        let Some(stems) = &mut self.stems else { return };
        let Some(held) = stems.store.get(hash) else { return };
        let payload = packet::encode_messages(core::slice::from_ref(&held.envelope));
        let own = (held.origin == Origin::Own).then_some(*hash);
        self.connections.transmit_envelopes(
            self.now,
            peer,
            code,
            payload,
            own.into_iter().collect(),
        );
        stems.store.note_left(hash, peer, code == code::MESSAGES);
    }

    /// Keeps relays, ends what has lasted too long, and looks at what waits for a relay.
    pub(super) fn tend_stems(&mut self) {
        self.look_at_relays();
        for _ in 0..STEMS_PER_STEP {
            let overdue = self.stems.as_ref().and_then(|stems| stems.store.overdue(self.now));
            let Some(hash) = overdue else { break };
            self.end_embargo(&hash);
        }
        for _ in 0..STEMS_PER_STEP {
            let waiting = self.stems.as_mut().and_then(|stems| stems.store.next_waiting());
            let Some(hash) = waiting else { break };
            let Some(stems) = &self.stems else { break };
            let Some(held) = stems.store.get(&hash) else { continue };
            let candidates = self.connections.candidates(self.now, &held.envelope, held.rating);
            let hop = stems.next_hop(&hash, held.edge(), &candidates, &held.tried);
            self.pass_on(&hash, hop);
        }
    }

    /// Has what waits looked at again, where a relay may take what it did not take before.
    pub(super) fn look_again_for(&mut self, peer: PeerId) {
        if let Some(stems) = &mut self.stems
            && stems.seats.holds(peer)
        {
            stems.store.look_again();
        }
    }

    fn look_at_relays(&mut self) {
        let Some(stems) = &mut self.stems else { return };
        let has_changed = core::mem::take(&mut self.connections.roster_changed);
        let deadline = stems.seats.deadline(!self.connections.peers.is_empty());
        if !has_changed && !stems.seats.are_new() && deadline.is_none_or(|due| due > self.now) {
            return;
        }
        let members = self.connections.members();
        stems.routes.retain(|peer| self.connections.peers.contains_key(&peer));
        if stems.seats.look(self.now, &members, &stems.dice) {
            let (peers, until) = stems.seats.holders();
            self.connections.emit(Event::Relays { peers, until });
        }
        stems.store.look_again();
        if !members.is_empty() {
            stems.resume(self.now);
        }
    }

    /// Sends what has not come back in time once more, or floods it: our own and others' alike.
    fn end_embargo(&mut self, hash: &EnvelopeHash) {
        let Some(stems) = &mut self.stems else { return };
        let Some(held) = stems.store.get(hash) else { return };
        let (edge, attempts) = (held.edge(), held.attempts);
        let left = held.envelope.time_left(self.now);
        let candidates = self.connections.candidates(self.now, &held.envelope, held.rating);
        let lasts = carries(self.now, &held.envelope);
        if candidates.is_empty() && lasts {
            // Nobody could have brought it back.
            let span = left.saturating_sub(stem::LEAST_LEFT).max(TICK);
            return stems.store.stop(hash, self.now.saturating_add(span), attempts);
        }
        let hop = (attempts == 0 && lasts).then(|| stems.second_hop(hash, held, &candidates));
        let is_here = edge.is_none_or(|peer| self.connections.peers.contains_key(&peer));
        if held.has_left && attempts == 0 && is_here {
            stems.routes.note_late(edge);
        }
        match hop.flatten() {
            Some(hop) => {
                let due = stems.embargo(self.now, hash, 1, left);
                stems.store.await_until(hash, due, 1);
                self.pass_on(hash, hop);
            }
            None => self.flood(hash),
        }
    }

    /// Floods what was held.
    fn flood(&mut self, hash: &EnvelopeHash) {
        let Some(held) = self.forget(hash) else { return };
        let (from, origin, handed) = (held.edge(), held.origin, held.handed);
        let arrival = Arrival { from, origin, begins: true, handed };
        let outcome = self.judge(&held.envelope);
        let outcome = outcome.and_then(|rating| self.release(arrival, held.envelope, rating));
        if let Err(why) = outcome
            && origin == Origin::Own
        {
            self.tell_lost(*hash, why);
        }
    }

    /// How an envelope comes into the pool that a peer has brought, if it is our own or not: a peer is
    /// not to see the difference.
    pub(super) fn arrival(&self, peer: PeerId, hash: &EnvelopeHash, begins: bool) -> Arrival {
        let held = self.stems.as_ref().and_then(|stems| stems.store.get(hash));
        let network = self.connections.get(peer).map(|connection| connection.network);
        let is_own = held.is_some_and(|held| held.origin == Origin::Own);
        let of: fn(Network) -> Origin = if is_own { Origin::Returned } else { Origin::Network };
        let origin = network.map_or(Origin::Own, of);
        Arrival { from: Some(peer), origin, begins, handed: held.and_then(|held| held.handed) }
    }

    /// Notes that what was held has come with the flood: it is in the pool now.
    pub(super) fn note_flooded(&mut self, peer: PeerId, hash: &EnvelopeHash) {
        let Some(held) = self.forget(hash) else { return };
        if let Some(stems) = &mut self.stems {
            stems.routes.note_back(held.edge());
        }
        if held.origin == Origin::Own {
            self.connections.emit(Event::Spread { hash: *hash, from: peer });
        }
    }

    fn forget(&mut self, hash: &EnvelopeHash) -> Option<stem::Held> {
        self.stems.as_mut().and_then(|stems| stems.store.remove(hash))
    }

    /// Says of an envelope of ours that it has found no place in the pool.
    pub(super) fn tell_lost(&mut self, hash: EnvelopeHash, why: Rejection) {
        let why = match why {
            // It is there already.
            Rejection::Duplicate => return,
            Rejection::Expired | Rejection::VeryOld => Departure::Expired,
            _ => Departure::Evicted,
        };
        self.connections.emit(Event::Gone { hash, why });
    }

    /// Where an envelope goes that comes by this edge.
    fn route(
        &self,
        stems: &Stems,
        edge: Option<PeerId>,
        envelope: &Envelope,
        rating: Rating,
    ) -> Hop {
        if !carries(self.now, envelope) {
            return Hop::Flood;
        }
        let candidates = self.connections.candidates(self.now, envelope, rating);
        stems.next_hop(&envelope.hash(), edge, &candidates, edge.as_slice())
    }
}

/// Whether an envelope lives long enough for a stem, and fits into its packets.
fn carries(now: Timestamp, envelope: &Envelope) -> bool {
    let fits = rlp::list_len(envelope.encoded_len()) <= stem::LARGEST;
    fits && envelope.time_left(now) >= stem::LEAST_LEFT
}

/// How many envelopes on stems are looked at in one step, of those whose time is over and of those
/// that wait.
const STEMS_PER_STEP: usize = 256;
