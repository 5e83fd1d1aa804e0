//! A packet: `salt (16) ‖ encrypted header (57) ‖ encrypted body`, inside the encryption of envelopes.
//!
//! The salt is a hedge: a state that was set back uses the same message keys again, but not the same
//! keys of the ciphers.

use alloc::vec::Vec;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::header;
use super::header::Header;
use super::keys::HeaderKey;
use super::keys::Salt;
use super::keys::body_key;
use super::size::is_full_length;
use crate::crypto::Secret;
use crate::session::carrier;
use crate::session::contract::Role;
use crate::session::contract::SessionId;
use crate::session::error::SessionError;
use crate::session::watch::Place;

/// Where a packet goes or came, and under which keys.
pub(super) struct Frame<'a> {
    pub(super) id: &'a SessionId,
    pub(super) key: &'a HeaderKey,
    pub(super) place: Place,
}

impl Frame<'_> {
    /// Encrypts a message whose body has the size of its class: the data of an envelope.
    pub(super) fn seal(
        &self,
        salt: &Salt,
        header: &Header,
        message: &Secret<32>,
        body: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, SessionError> {
        let header = header.encode();
        let bound = [self.id.as_bytes(), &header[..]].concat();
        let sealed = self.key.header(salt, self.place).seal(self.id.as_bytes(), &header);
        let body = body_key(message, salt).seal(&bound, body);
        let packet = [&salt[..], &sealed, &body].concat();
        let envelope = self.key.envelope(self.place.epoch).ok_or(SessionError::Entropy)?;
        carrier::seal(&packet, &envelope, rng)
    }

    /// Opens the envelope and the header of a packet.
    pub(super) fn open(&self, data: &[u8], peer: Role) -> Result<Packet, Closed> {
        if !is_full_length(data.len()) {
            return Err(Closed::NotOurs);
        }
        let envelope = self.key.envelope(self.place.epoch).ok_or(Closed::NotOurs)?;
        let message = carrier::open(data, &envelope).map_err(|_| Closed::NotOurs)?;
        let packet = carrier::payload(&message).ok_or(Closed::NotOurs)?;
        let (salt, rest) = packet.split_first_chunk().ok_or(Closed::NotOurs)?;
        let (header, body) = rest.split_at_checked(HEADER).ok_or(Closed::NotOurs)?;
        let key = self.key.header(salt, self.place);
        let header = key.open(self.id.as_bytes(), header).map_err(|_| Closed::NotOurs)?;
        Ok(Packet {
            salt: *salt,
            bound: [self.id.as_bytes(), &header[..]].concat(),
            header: Header::decode(&header, peer).ok_or(Closed::Refused)?,
            body: body.to_vec(),
        })
    }
}

/// A packet whose header is open.
pub(super) struct Packet {
    pub(super) salt: Salt,
    pub(super) header: Header,
    bound: Vec<u8>,
    body: Vec<u8>,
}

impl Packet {
    /// Opens the body.
    pub(super) fn open(&self, message: &Secret<32>) -> Result<Zeroizing<Vec<u8>>, Closed> {
        let key = body_key(message, &self.salt);
        key.open(&self.bound, &self.body).map_err(|_| Closed::NotOurs)
    }
}

/// A packet stays closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Closed {
    NotOurs,
    Refused,
}

/// What a packet of a class leaves for the body.
pub(super) const fn body_size(class: usize) -> usize {
    class.saturating_sub(LAYOUT + 16 + HEADER + 16)
}

/// An encrypted header.
const HEADER: usize = header::LENGTH + 16;
/// One byte of flags, two of length.
const LAYOUT: usize = 3;
