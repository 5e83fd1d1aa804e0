//! What peers send: one packet after the other, judged before anything is believed.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::ENVELOPES_PER_STEP;
use super::Node;
use super::admission::SILENT_WINDOW;
use super::budget::Price;
use super::connection::Packet;
use super::contract::Event;
use super::contract::Rejection;
use super::contract::Violation;
use crate::envelope::Encoded;
use crate::envelope::Envelope;
use crate::envelope::EnvelopeHash;
use crate::hash::keccak256_all;
use crate::packet;
use crate::packet::code;
use crate::peer::PeerId;
use crate::pool::Entry;
use crate::pow::Rating;
use crate::rlp::Reader;

impl Node {
    pub(super) fn receive(&mut self, peer: PeerId, code: u8, payload: &[u8]) {
        let Some(connection) = self.connections.get(peer) else { return };
        if !connection.is_ready() {
            return self.connections.introduce(peer, &self.config, code, payload);
        }
        let max = self.config.max_message_size;
        if payload.len() > max {
            return self.connections.cut(peer, Violation::Oversized { size: payload.len(), max });
        }
        let (now, contended, owed) = (self.now, self.is_contended(), connection.owes(code));
        let stems = self.connections.stems && connection.stems();
        if let Some(allowance) = self.connections.allowance(peer, contended) {
            allowance.spend_bytes(now, payload.len());
            match code {
                code::MESSAGES => allowance.spend_work(now, Price::Copy),
                code::STEM if stems => allowance.spend_work(now, Price::Copy),
                // What answers a packet of ours is bounded by what we send.
                _ if owed => {}
                _ => allowance.spend_control(now),
            }
        }
        match code {
            code::STATUS => self.connections.penalise(peer, UNASKED),
            code::MESSAGES => self.receive_messages(peer, payload),
            code::MIN_RATING | code::BLOOM => {
                self.connections.receive_announcement(peer, code, payload);
                self.look_again_for(peer);
            }
            code::STEM if stems => self.receive_stem(peer, payload),
            code::BATCH_ACKNOWLEDGED | code::MESSAGES_RESPONSE => {
                self.connections.receive_answer(peer, code, payload);
            }
            code::REQUEST => self.receive_request(peer, payload),
            code::DIRECT => self.receive_direct(peer, payload),
            _ => {}
        }
        self.connections.throttle(now, peer, contended);
    }

    /// Checks a packet of envelopes whole, then judges the first of them; the rest waits with the
    /// peer, which is not read meanwhile, so that no packet holds up the others for long.
    fn receive_messages(&mut self, peer: PeerId, payload: &[u8]) {
        let envelopes = match packet::check_messages(payload) {
            Ok(envelopes) => envelopes,
            Err(error) => return self.connections.cut(peer, Violation::Malformed(error)),
        };
        let waiting = || self.connections.get(peer).map_or(0, |peer| peer.backlog.len());
        let is_first = waiting() == 0;
        // A host that keeps to the throttle never comes here: there is room for what was under way.
        if waiting() >= CREDIT {
            self.finish_oldest(peer);
        }
        let read = payload.len().saturating_sub(envelopes.rest().len());
        let mut judged = Judged { read, refused: Vec::new() };
        if is_first {
            let most = self.affordable(peer);
            self.judge_slice(peer, payload, &mut judged, most);
        }
        if judged.read >= payload.len() {
            return self.connections.acknowledge(self.now, peer, payload, &judged.refused);
        }
        if let Some(connection) = self.connections.get_mut(peer) {
            connection.backlog.push_back(Packet { payload: payload.to_vec(), judged });
        }
    }

    /// Goes on with the packets that were too long for one step, one slice of each peer.
    pub(super) fn work_off_backlogs(&mut self) {
        let (now, contended) = (self.now, self.is_contended());
        let peers = self.connections.peers.iter();
        let due = peers.filter(|(_, peer)| !peer.backlog.is_empty() && peer.backlog_due <= now);
        let due: Vec<PeerId> = due.map(|(peer, _)| *peer).collect();
        for peer in due {
            let most = self.affordable(peer);
            self.work_off(peer, most);
            self.connections.throttle(now, peer, contended);
        }
    }

    /// Judges the packet that waits longest to its end, whatever that costs.
    fn finish_oldest(&mut self, peer: PeerId) {
        let waiting = |node: &Self| node.connections.get(peer).map_or(0, |peer| peer.backlog.len());
        let before = waiting(self);
        while waiting(self) == before && before > 0 {
            self.work_off(peer, ENVELOPES_PER_STEP);
        }
    }

    fn work_off(&mut self, peer: PeerId, most: usize) {
        let Some(connection) = self.connections.get_mut(peer) else { return };
        let Some(Packet { payload, mut judged }) = connection.backlog.pop_front() else { return };
        self.judge_slice(peer, &payload, &mut judged, most);
        if judged.read >= payload.len() {
            self.connections.acknowledge(self.now, peer, &payload, &judged.refused);
        } else if let Some(connection) = self.connections.get_mut(peer) {
            connection.backlog.push_front(Packet { payload, judged });
        }
    }

    /// How many envelopes of a peer may be judged in this step.
    fn affordable(&mut self, peer: PeerId) -> usize {
        let (now, contended) = (self.now, self.is_contended());
        let budget = self.connections.allowance(peer, contended);
        budget.map_or(ENVELOPES_PER_STEP, |budget| budget.affordable(now)).min(ENVELOPES_PER_STEP)
    }

    /// Judges at most so many envelopes: decodes all, hashes all, drops what is known, looks at the
    /// work of the rest, and admits what may be.
    fn judge_slice(&mut self, peer: PeerId, payload: &[u8], judged: &mut Judged, most: usize) {
        let mut reader = Reader::new(payload.get(judged.read..).unwrap_or_default());
        let mut read = Vec::new();
        while read.len() < most && !reader.is_empty() {
            // The packet was checked whole: what cannot be read now never will be.
            let Ok(encoded) = Encoded::read(&mut reader) else {
                reader = Reader::new(&[]);
                break;
            };
            read.push(encoded);
        }
        judged.read = payload.len().saturating_sub(reader.rest().len());
        for (envelope, began_here) in self.drop_known(peer, read) {
            let (hash, rating) = (envelope.hash(), envelope.rating());
            if self.connections.get(peer).is_none() {
                return;
            }
            let arrival = self.arrival(peer, &hash, false);
            match self.admit(arrival, envelope) {
                Ok(()) => {
                    self.note_flooded(peer, &hash);
                    if let Some(connection) = self.connections.get_mut(peer) {
                        connection.reward();
                    }
                }
                Err(Rejection::Duplicate) if began_here => {
                    if let Some(connection) = self.connections.get_mut(peer) {
                        connection.reward();
                    }
                }
                // It was in this packet before.
                Err(Rejection::Duplicate) => {}
                Err(rejection) => {
                    self.blame(peer, rating, rejection);
                    if judged.refused.len() < ENVELOPES_PER_STEP {
                        judged.refused.push((hash, rejection));
                    }
                }
            }
        }
    }

    /// Counts an envelope against the peer that brought it, if the peer could know better.
    pub(super) fn blame(&mut self, peer: PeerId, rating: Rating, rejection: Rejection) {
        // By a clock that is a little ahead of ours it was not made in the future, and is rated higher.
        // What we demand beyond the floor while space is short may have risen while it waited here.
        let is_below_floor = rating < self.config.min_rating;
        if is_below_floor && !self.policy.accepts(self.now, rating) {
            self.connections.penalise(peer, penalty(rejection));
        }
    }

    /// The envelopes that are not in the pool, with their work; the peer pays for each before that is
    /// looked at. So it is with those that begin here, which are marked: the peer is not to see that
    /// they do. What has expired on the way here is dropped unhashed: nobody is to blame, nobody is
    /// told.
    fn drop_known(&mut self, peer: PeerId, read: Vec<Encoded<'_>>) -> Vec<(Envelope, bool)> {
        let (now, contended) = (self.now, self.is_contended());
        let (alive, dead): (Vec<_>, Vec<_>) =
            read.into_iter().partition(|encoded| !is_freshly_expired(now.as_secs(), encoded));
        let hashes = keccak256_all(alive.iter().map(Encoded::as_bytes));
        let tells_spread = self.stems.is_some();
        let scatter = self.connections.scatter.as_ref();
        let is_scattering = |slot| scatter.is_some_and(|scatter| scatter.contains(slot));
        let Some(connection) = self.connections.peers.get_mut(&peer) else { return Vec::new() };
        let mut prices = alloc::vec![Price::Whole; dead.len()];
        let (mut unknown, mut spread) = (Vec::new(), Vec::new());
        let mut waited_for = BTreeSet::new();
        dead.iter().for_each(|encoded| connection.skew.note(now, encoded.issued()));
        for (encoded, hash) in alive.into_iter().zip(hashes.into_iter().map(EnvelopeHash::new)) {
            let slot = self.pool.find(&hash);
            let back = slot.filter(|slot| tells_spread && !connection.window.line.knows(*slot));
            let is_own = |slot| self.pool.get(slot).is_some_and(Entry::is_own);
            spread.extend(back.filter(|slot| is_own(*slot)).map(|_| hash));
            // Flooding brings each envelope once from each peer: a second copy is no copy of that.
            let is_copy = slot.is_some_and(|slot| connection.window.line.bring(slot));
            let begun = slot.filter(|slot| is_scattering(*slot));
            prices.push(if is_copy && begun.is_none() { Price::Copy } else { Price::Whole });
            if slot.is_none() || begun.is_some() {
                connection.skew.note(now, encoded.issued());
                unknown.push((encoded, hash, begun.is_some_and(|slot| waited_for.insert(slot))));
            }
        }
        let told = |hash| Event::Spread { hash, from: peer };
        spread.into_iter().for_each(|hash| self.connections.emit(told(hash)));
        waited_for.into_iter().for_each(|slot| self.connections.end_waits(&self.pool, slot));
        if let Some(allowance) = self.connections.allowance(peer, contended) {
            prices.into_iter().for_each(|price| allowance.spend_work(now, price));
        }
        let unknown = unknown.into_iter();
        unknown.map(|(encoded, hash, began_here)| (encoded.to_envelope(hash), began_here)).collect()
    }

    /// Of peers that are not trusted nothing is looked at.
    fn receive_direct(&mut self, peer: PeerId, payload: &[u8]) {
        if !self.connections.get(peer).is_some_and(|connection| connection.trusted) {
            return;
        }
        match packet::decode_direct(payload) {
            Ok(envelopes) => envelopes.into_iter().for_each(|envelope| {
                let envelope = Arc::new(envelope);
                self.connections.emit(Event::Direct { envelope, from: peer });
            }),
            Err(error) => self.connections.cut(peer, Violation::Malformed(error)),
        }
    }

    /// Where no archive is kept nothing is looked at.
    fn receive_request(&mut self, peer: PeerId, payload: &[u8]) {
        if !self.config.takes_requests {
            return;
        }
        match Envelope::decode(payload) {
            Ok(envelope) => {
                let envelope = Arc::new(envelope);
                self.connections.emit(Event::Requested { envelope, by: peer });
            }
            Err(error) => self.connections.cut(peer, Violation::Malformed(error)),
        }
    }
}

/// How far a packet of envelopes is judged.
#[derive(Debug)]
pub(super) struct Judged {
    read: usize,
    refused: Vec<(EnvelopeHash, Rejection)>,
}

/// Whether it has died, but not so long ago that its peer is told.
pub(super) fn is_freshly_expired(now: u64, encoded: &Encoded<'_>) -> bool {
    encoded.expiry() < now && now <= encoded.expiry().saturating_add(SILENT_WINDOW.as_secs())
}

/// What a rejection counts against the peer. Clocks differ and settings change, so most count
/// nothing; a peer that goes on below our rating or above our size has been told.
const fn penalty(rejection: Rejection) -> u32 {
    match rejection {
        Rejection::RatedTooLow { .. } => 2,
        Rejection::TooLarge { .. } => 20,
        Rejection::Future
        | Rejection::VeryOld
        | Rejection::ZeroTtl
        | Rejection::TtlTooLong
        | Rejection::Expired
        | Rejection::BloomMismatch
        | Rejection::Duplicate
        | Rejection::PoolFull
        | Rejection::Waiting => 0,
    }
}

/// How many packets of a peer wait at most: one that is judged, and one that was under way when it
/// was throttled.
const CREDIT: usize = 2;
/// What a packet that nobody asked for counts.
pub(super) const UNASKED: u32 = 5;
