//! What peers send: one packet after the other, judged before anything is believed.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Node;
use super::TICK;
use super::budget::Cost;
use super::connection::Backlog;
use super::contract::Departure;
use super::contract::Direction;
use super::contract::Event;
use super::contract::Output;
use super::contract::Rejection;
use super::contract::Violation;
use crate::envelope::Envelope;
use crate::envelope::EnvelopeHash;
use crate::hash::keccak256;
use crate::packet;
use crate::packet::Status;
use crate::packet::code;
use crate::peer::PeerId;
use crate::pool::Origin;
use crate::pool::PoolError;
use crate::rlp::Reader;

impl Node {
    pub(super) fn receive(&mut self, peer: PeerId, code: u8, payload: &[u8]) {
        let Some(connection) = self.peers.get(&peer) else { return };
        if !connection.is_ready() {
            return self.introduce(peer, code, payload);
        }
        let max = self.config.max_message_size;
        if payload.len() > max {
            return self.cut(peer, Violation::Oversized { size: payload.len(), max });
        }
        if code == code::MESSAGES {
            return self.receive_messages(peer, payload);
        }
        self.spend(peer, payload.len(), self.cost_of(peer, code));
        match code {
            code::STATUS => self.annoy(peer, UNASKED),
            code::MIN_RATING => self.receive_min_rating(peer, payload),
            code::BLOOM => self.receive_bloom(peer, payload),
            code::BATCH_ACKNOWLEDGED => self.receive_acknowledgement(peer, payload),
            code::MESSAGES_RESPONSE => self.receive_response(peer, payload),
            code::DIRECT => self.receive_direct(peer, payload),
            _ => {}
        }
    }

    fn introduce(&mut self, peer: PeerId, code: u8, payload: &[u8]) {
        if code != code::STATUS {
            return self.cut(peer, Violation::Hasty { code });
        }
        let status = match Status::decode(payload) {
            Ok(status) => status,
            Err(error) => return self.cut(peer, Violation::Status(error)),
        };
        if status.light && self.config.light && self.config.refuse_light_pairs {
            return self.cut(peer, Violation::LightPair);
        }
        if let Some(connection) = self.peers.get_mut(&peer) {
            connection.introduce(status);
            self.emit(Event::Ready(peer));
        }
    }

    /// Checks a packet of envelopes whole, then judges the first of them; the rest waits with the
    /// peer, which is not read meanwhile, so that no packet holds up the others for long.
    fn receive_messages(&mut self, peer: PeerId, payload: &[u8]) {
        // What was read before the throttle took hold comes on top of a backlog.
        while self.peers.get(&peer).is_some_and(|connection| connection.backlog.is_some()) {
            self.work_off(peer);
        }
        if !self.peers.contains_key(&peer) {
            return;
        }
        let envelopes = match packet::check_messages(payload) {
            Ok(envelopes) => envelopes,
            Err(error) => return self.cut(peer, Violation::Malformed(error)),
        };
        let start = payload.len().saturating_sub(envelopes.rest().len());
        let mut batch = Judged { read: start, count: 0, new: 0, refused: Vec::new() };
        self.judge_slice(peer, payload, &mut batch);
        self.spend(peer, payload.len(), Cost::Envelopes(batch.new));
        if batch.read >= payload.len() {
            return self.acknowledge(peer, payload, &batch.refused);
        }
        let Some(connection) = self.peers.get_mut(&peer) else { return };
        let Judged { read, refused, .. } = batch;
        let payload = payload.to_vec();
        connection.backlog = Some(Backlog { payload, read, refused, since: self.now });
        self.hold(peer);
    }

    /// Keeps the peer from sending more while a packet of its waits.
    fn hold(&mut self, peer: PeerId) {
        self.outputs.push_back(Output::Throttle(peer, self.now.saturating_add(TICK)));
    }

    /// Goes on with the packets that were too long for one step.
    pub(super) fn work_off_backlogs(&mut self) {
        let due = |backlog: &Backlog| backlog.since < self.now;
        let waiting = self.peers.iter().filter(|(_, peer)| peer.backlog.as_ref().is_some_and(due));
        let waiting: Vec<PeerId> = waiting.map(|(peer, _)| *peer).collect();
        waiting.into_iter().for_each(|peer| self.work_off(peer));
    }

    fn work_off(&mut self, peer: PeerId) {
        let Some(connection) = self.peers.get_mut(&peer) else { return };
        let Some(backlog) = connection.backlog.take() else { return };
        let Backlog { payload, read, refused, .. } = backlog;
        let mut batch = Judged { read, count: 0, new: 0, refused };
        self.judge_slice(peer, &payload, &mut batch);
        self.spend(peer, 0, Cost::Envelopes(batch.new));
        if batch.read >= payload.len() {
            return self.acknowledge(peer, &payload, &batch.refused);
        }
        if let Some(connection) = self.peers.get_mut(&peer) {
            let Judged { read, refused, .. } = batch;
            connection.backlog = Some(Backlog { payload, read, refused, since: self.now });
            self.hold(peer);
        }
    }

    fn judge_slice(&mut self, peer: PeerId, payload: &[u8], batch: &mut Judged) {
        let mut reader = Reader::new(payload.get(batch.read..).unwrap_or_default());
        while batch.count < ENVELOPES_PER_STEP && !reader.is_empty() {
            let known = |hash| self.knows(peer, &hash);
            let Ok(envelope) = Envelope::read_unless(&mut reader, known) else {
                // The packet was checked whole: what cannot be read now never will be.
                reader = Reader::new(&[]);
                break;
            };
            batch.count = batch.count.saturating_add(1);
            let Some(envelope) = envelope else { continue };
            batch.new = batch.new.saturating_add(1);
            if let Some(connection) = self.peers.get_mut(&peer) {
                connection.skew.note(self.now, &envelope);
            }
            let (hash, rating) = (envelope.hash(), envelope.rating());
            match self.admit(Some(peer), envelope) {
                Ok(()) => self.please(peer),
                // It crossed the border on the way here: nobody is to blame, nobody is told.
                Err(Rejection::Expired) => {}
                Err(rejection) => {
                    // By a clock that is a little ahead of ours it was not made in the future, and is
                    // rated higher.
                    if !self.policy.accepts(self.now, rating) {
                        self.annoy(peer, nuisance(rejection));
                    }
                    if batch.refused.len() < ENVELOPES_PER_STEP {
                        batch.refused.push((hash, rejection));
                    }
                }
            }
        }
        batch.read = payload.len().saturating_sub(reader.rest().len());
    }

    /// Whether an envelope is in the pool; if so, the peer that sent it has it too.
    fn knows(&mut self, peer: PeerId, hash: &EnvelopeHash) -> bool {
        let Some(slot) = self.pool.find(hash) else { return false };
        if let Some(connection) = self.peers.get_mut(&peer) {
            connection.window.line.mark_known(slot);
        }
        true
    }

    /// Takes an envelope into the pool and offers it on.
    pub(super) fn admit(
        &mut self,
        from: Option<PeerId>,
        envelope: Envelope,
    ) -> Result<(), Rejection> {
        let rating = self.policy.judge(self.now, &envelope)?;
        if self.pool.find(&envelope.hash()).is_some() {
            return Err(Rejection::Duplicate);
        }
        let envelope = Arc::new(envelope);
        let origin = from.map_or(Origin::Own, Origin::Peer);
        let inserted =
            self.pool.insert(self.now, Arc::clone(&envelope), rating, origin).map_err(|error| {
                match error {
                    PoolError::OwnShareFull => Rejection::Waiting,
                    _ => Rejection::PoolFull,
                }
            })?;
        for gone in inserted.evicted {
            if gone.is_own() {
                // What has expired makes room first.
                let expired = gone.envelope.expiry() < self.now.as_secs();
                let why = if expired { Departure::Expired } else { Departure::Evicted };
                self.gone(&gone.envelope, why);
            }
        }
        self.emit(Event::Admitted { envelope, from });
        self.offer(inserted.slot, from);
        Ok(())
    }

    /// Tells a peer that asked for it that its packet was judged, before and without regard to who
    /// can read what was in it.
    fn acknowledge(&mut self, peer: PeerId, payload: &[u8], refused: &[(EnvelopeHash, Rejection)]) {
        let asked = self
            .peers
            .get(&peer)
            .is_some_and(|connection| connection.acknowledges() && connection.window.has_room());
        if !asked || !self.config.acknowledges {
            return;
        }
        let batch = keccak256(payload);
        if !refused.is_empty() {
            let refused: Vec<(EnvelopeHash, &str)> =
                refused.iter().map(|(hash, rejection)| (*hash, reason(*rejection))).collect();
            let response = packet::encode_response(&batch, &refused);
            self.transmit(peer, code::MESSAGES_RESPONSE, response);
        }
        self.transmit(peer, code::BATCH_ACKNOWLEDGED, packet::encode_acknowledgement(&batch));
    }

    fn receive_min_rating(&mut self, peer: PeerId, payload: &[u8]) {
        match (packet::decode_min_rating(payload), self.peers.get_mut(&peer)) {
            (Ok(min), Some(connection)) => connection.set_min_rating(min),
            (Err(error), _) => self.cut(peer, Violation::Announcement(error)),
            (_, None) => {}
        }
    }

    fn receive_bloom(&mut self, peer: PeerId, payload: &[u8]) {
        match (packet::decode_bloom(payload), self.peers.get_mut(&peer)) {
            (Ok(bloom), Some(connection)) => connection.set_bloom(bloom),
            (Err(error), _) => self.cut(peer, Violation::Announcement(error)),
            (_, None) => {}
        }
    }

    /// Believes an acknowledgement of a packet that went to this peer, once.
    fn receive_acknowledgement(&mut self, peer: PeerId, payload: &[u8]) {
        let Some(connection) = self.acknowledging(peer) else { return };
        let batch = packet::decode_acknowledgement(payload).ok();
        match batch.and_then(|batch| connection.acknowledged(&batch)) {
            Some(own) => own.into_iter().for_each(|hash| {
                self.emit(Event::Acknowledged { hash, by: peer });
            }),
            None => self.annoy(peer, SMALL),
        }
    }

    fn receive_response(&mut self, peer: PeerId, payload: &[u8]) {
        let Some(connection) = self.acknowledging(peer) else { return };
        let refused = match packet::decode_response(payload, ENVELOPES_PER_STEP) {
            Ok(Some(response)) => connection.refused(&response.batch, &response.refused),
            Ok(None) => Some(Vec::new()),
            Err(_) => None,
        };
        match refused {
            Some(own) => {
                own.into_iter().for_each(|hash| self.emit(Event::Refused { hash, by: peer }));
            }
            None => self.annoy(peer, SMALL),
        }
    }

    /// The connection to a peer, if both sides speak the batch acknowledgement.
    fn acknowledging(&mut self, peer: PeerId) -> Option<&mut super::Connection> {
        let ours = self.config.acknowledges;
        self.peers.get_mut(&peer).filter(|connection| ours && connection.acknowledges())
    }

    /// Of peers that are not trusted nothing is looked at.
    fn receive_direct(&mut self, peer: PeerId, payload: &[u8]) {
        if !self.peers.get(&peer).is_some_and(|connection| connection.trusted) {
            return;
        }
        match packet::decode_direct(payload) {
            Ok(envelopes) => envelopes.into_iter().for_each(|envelope| {
                self.emit(Event::Direct { envelope: Arc::new(envelope), from: peer });
            }),
            Err(error) => self.cut(peer, Violation::Malformed(error)),
        }
    }

    /// What a packet counts that carries no envelopes. One that answers ours is bounded by what we
    /// send.
    fn cost_of(&self, peer: PeerId, code: u8) -> Cost {
        let owed = self.peers.get(&peer).is_some_and(|connection| connection.owes(code));
        if owed { Cost::Answer } else { Cost::Control }
    }

    /// Draws on the budgets of a peer that they bind, and has it throttled when they are overdrawn.
    fn spend(&mut self, peer: PeerId, bytes: usize, cost: Cost) {
        let contended = self.busy || self.pool.is_contended();
        let Some(connection) = self.peers.get_mut(&peer) else { return };
        let stranger = connection.direction == Direction::Inbound && !connection.trusted;
        let Some(allowance) = connection.allowance.as_mut().filter(|_| contended || stranger)
        else {
            return;
        };
        allowance.spend(self.now, bytes, cost);
        if let Some(until) = allowance.in_debt_until() {
            self.outputs.push_back(Output::Throttle(peer, until));
        }
    }

    fn annoy(&mut self, peer: PeerId, points: u32) {
        if self.peers.get_mut(&peer).is_some_and(|connection| connection.annoy(points)) {
            self.cut(peer, Violation::Nuisance);
        }
    }

    fn please(&mut self, peer: PeerId) {
        if let Some(connection) = self.peers.get_mut(&peer) {
            connection.please();
        }
    }
}

/// How far a packet of envelopes is judged.
struct Judged {
    read: usize,
    count: usize,
    /// How many of them were not known: flooding brings each envelope several times, and only the
    /// first costs more than a look, so the others count as bytes alone.
    new: usize,
    refused: Vec<(EnvelopeHash, Rejection)>,
}

/// What a rejection counts against the peer. Clocks differ and settings change, so most count
/// nothing; a peer that goes on below our rating or above our size has been told.
const fn nuisance(rejection: Rejection) -> u32 {
    match rejection {
        Rejection::RatedTooLow { .. } => 2,
        Rejection::TooLarge { .. } => 20,
        _ => 0,
    }
}

/// The words that Status' nodes use, without numbers: they would tell our settings apart.
const fn reason(rejection: Rejection) -> &'static str {
    match rejection {
        Rejection::Future => "envelope from future",
        Rejection::VeryOld | Rejection::Expired => "very old envelope",
        Rejection::TooLarge { .. } => "huge messages are not allowed",
        Rejection::RatedTooLow { .. } => "envelope with low PoW received",
        Rejection::BloomMismatch => "envelope does not match bloom filter",
        Rejection::PoolFull => "pool is full",
        _ => "invalid envelope",
    }
}

/// How many envelopes of one packet are judged in one step.
const ENVELOPES_PER_STEP: usize = 1_024;
/// What a packet that nobody asked for counts.
const UNASKED: u32 = 5;
/// What an answer to nothing counts: a slow peer may answer what we have forgotten.
const SMALL: u32 = 1;
