//! The packets that carry no envelopes: who a peer is, what it wants, what it says of our packets.

use alloc::vec::Vec;

use super::ENVELOPES_PER_STEP;
use super::config::Config;
use super::connection::Connection;
use super::connections::Connections;
use super::contract::Event;
use super::contract::Rejection;
use super::contract::Violation;
use crate::envelope::EnvelopeHash;
use crate::hash::keccak256;
use crate::packet;
use crate::packet::Refusal;
use crate::packet::Status;
use crate::packet::StatusError;
use crate::packet::code;
use crate::peer::PeerId;
use crate::time::Timestamp;

impl Connections {
    /// Takes a peer's first packet.
    pub(super) fn introduce(&mut self, peer: PeerId, config: &Config, code: u8, payload: &[u8]) {
        if code != code::STATUS {
            return self.cut(peer, Violation::Hasty { code });
        }
        let status = match Status::decode(payload) {
            Ok(status) => status,
            Err(error) => return self.cut(peer, Violation::Status(error)),
        };
        if status.light && config.light && config.refuse_light_pairs {
            return self.cut(peer, Violation::LightPair);
        }
        if let Some(connection) = self.get_mut(peer) {
            connection.introduce(status);
            self.roster_changed = true;
            self.emit(Event::Ready(peer));
        }
    }

    /// Takes what a peer says that it wants from now on.
    pub(super) fn receive_announcement(&mut self, peer: PeerId, code: u8, payload: &[u8]) {
        let Some(connection) = self.get_mut(peer) else { return };
        if let Err(error) = announce(connection, code, payload) {
            self.cut(peer, Violation::Announcement(error));
        }
    }

    /// Believes an answer to a packet that went to this peer, once.
    pub(super) fn receive_answer(&mut self, peer: PeerId, code: u8, payload: &[u8]) {
        let ours = self.acknowledges;
        let connection = self.get_mut(peer).filter(|peer| ours && peer.acknowledges());
        let Some(connection) = connection else { return };
        match answered(connection, peer, code, payload) {
            Some(events) => events.into_iter().for_each(|event| self.emit(event)),
            None => self.penalise(peer, SMALL),
        }
    }

    /// Tells a peer that asked for it that its packet was judged, before and without regard to who
    /// can read what was in it.
    pub(super) fn acknowledge(
        &mut self,
        now: Timestamp,
        peer: PeerId,
        payload: &[u8],
        refused: &[(EnvelopeHash, Rejection)],
    ) {
        let asked = |peer: &Connection| peer.acknowledges() && peer.window.has_room();
        if !self.acknowledges || !self.get(peer).is_some_and(asked) {
            return;
        }
        let batch = keccak256(payload);
        if !refused.is_empty() {
            let refused: Vec<(EnvelopeHash, Refusal)> =
                refused.iter().map(|(hash, rejection)| (*hash, refusal(*rejection))).collect();
            let response = packet::encode_response(&batch, &refused);
            self.transmit(now, peer, code::MESSAGES_RESPONSE, response);
        }
        let acknowledgement = packet::encode_acknowledgement(&batch);
        self.transmit(now, peer, code::BATCH_ACKNOWLEDGED, acknowledgement);
    }
}

fn announce(connection: &mut Connection, code: u8, payload: &[u8]) -> Result<(), StatusError> {
    match code {
        code::MIN_RATING => connection.set_min_rating(packet::decode_min_rating(payload)?),
        _ => connection.set_bloom(packet::decode_bloom(payload)?),
    }
    Ok(())
}

/// What an answer says of our own envelopes; nothing, if it answers nothing.
fn answered(
    connection: &mut Connection,
    by: PeerId,
    code: u8,
    payload: &[u8],
) -> Option<Vec<Event>> {
    if code == code::BATCH_ACKNOWLEDGED {
        let own = connection.acknowledged(&packet::decode_acknowledgement(payload).ok()?)?;
        return Some(own.into_iter().map(|hash| Event::Acknowledged { hash, by }).collect());
    }
    let refused = match packet::decode_response(payload, ENVELOPES_PER_STEP).ok()? {
        Some(response) => connection.refused(&response.batch, response.refused),
        // It answers a packet all the same, and only one.
        None => connection.refused(&[0; 32], Vec::new()),
    };
    Some(refused?.into_iter().map(|(hash, why)| Event::Refused { hash, by, why }).collect())
}

const fn refusal(rejection: Rejection) -> Refusal {
    match rejection {
        Rejection::Future => Refusal::Future,
        Rejection::VeryOld | Rejection::Expired => Refusal::Old,
        Rejection::TooLarge { .. } => Refusal::TooLarge,
        Rejection::RatedTooLow { .. } => Refusal::RatedTooLow,
        Rejection::BloomMismatch => Refusal::Unwanted,
        Rejection::PoolFull => Refusal::NoRoom,
        Rejection::ZeroTtl | Rejection::TtlTooLong | Rejection::Duplicate | Rejection::Waiting => {
            Refusal::Other
        }
    }
}

/// What an answer to nothing counts: a slow peer may answer what we have forgotten.
const SMALL: u32 = 1;
