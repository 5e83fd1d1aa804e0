//! The first message: `"WSS1" ‖ version (1) ‖ flags (1) ‖ sid (16) ‖ created_at (4) ‖
//! lifetime (4) ‖ K_ab (32) ‖ K_ba (32) ‖ n (2) ‖ text (n)`.

use alloc::string::String;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::crypto::Secret;

use crate::session::contract::InvitationError;
use crate::session::contract::SessionId;

/// Whether a payload is an invitation, good or bad.
pub fn is_invitation(payload: &[u8]) -> bool {
    payload.starts_with(MAGIC)
}

/// An invitation, opened.
#[derive(Eq, PartialEq)]
pub(in crate::session) struct Invitation {
    pub(in crate::session) id: SessionId,
    pub(in crate::session) bound: bool,
    pub(in crate::session) fixed_topic: bool,
    pub(in crate::session) created_at: u32,
    pub(in crate::session) lifetime: u32,
    /// The key of the initiator's messages.
    pub(in crate::session) forth: Secret<32>,
    /// The key of the responder's.
    pub(in crate::session) back: Secret<32>,
    pub(in crate::session) text: String,
}

impl Invitation {
    /// The payload of the message that carries it.
    pub(in crate::session) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let flags = u8::from(self.bound) | u8::from(self.fixed_topic) << 1;
        let length = u16::try_from(self.text.len()).unwrap_or(u16::MAX);
        // Room for everything at once: a vector that grows leaves copies behind.
        let mut payload = Zeroizing::new(Vec::with_capacity(FIXED.saturating_add(self.text.len())));
        payload.extend_from_slice(MAGIC);
        payload.extend_from_slice(&[VERSION, flags]);
        payload.extend_from_slice(&self.id.0);
        payload.extend_from_slice(&self.created_at.to_be_bytes());
        payload.extend_from_slice(&self.lifetime.to_be_bytes());
        payload.extend_from_slice(self.forth.expose());
        payload.extend_from_slice(self.back.expose());
        payload.extend_from_slice(&length.to_be_bytes());
        payload.extend_from_slice(self.text.as_bytes());
        payload
    }

    /// Reads a payload.
    pub(in crate::session) fn decode(payload: &[u8]) -> Result<Self, InvitationError> {
        let rest = payload.strip_prefix(MAGIC).ok_or(InvitationError::NotAnInvitation)?;
        let invitation = Self::read(rest).ok_or(InvitationError::Malformed)?;
        invitation.check().then_some(invitation).ok_or(InvitationError::Malformed)
    }

    fn read(rest: &[u8]) -> Option<Self> {
        let (&[version, flags], rest) = rest.split_first_chunk()?;
        let (id, rest) = rest.split_first_chunk()?;
        let (created_at, rest) = rest.split_first_chunk()?;
        let (lifetime, rest) = rest.split_first_chunk()?;
        let (forth, rest) = rest.split_at_checked(32)?;
        let (back, rest) = rest.split_at_checked(32)?;
        let (length, text) = rest.split_first_chunk()?;
        if version != VERSION || flags & !(BOUND | FIXED_TOPIC) != 0 {
            return None;
        }
        if text.len() != usize::from(u16::from_be_bytes(*length)) {
            return None;
        }
        Some(Self {
            id: SessionId(*id),
            bound: flags & BOUND != 0,
            fixed_topic: flags & FIXED_TOPIC != 0,
            created_at: u32::from_be_bytes(*created_at),
            lifetime: u32::from_be_bytes(*lifetime),
            forth: Secret::from_slice(forth)?,
            back: Secret::from_slice(back)?,
            text: core::str::from_utf8(text).ok()?.into(),
        })
    }

    fn check(&self) -> bool {
        let nothing = Secret::fill_with(|_| ());
        (MIN_LIFETIME..=MAX_LIFETIME).contains(&self.lifetime)
            && self.text.len() <= if self.bound { 0 } else { MAX_TEXT }
            && self.forth != self.back
            && self.forth != nothing
            && self.back != nothing
    }
}

const MAGIC: &[u8] = b"WSS1";
const VERSION: u8 = 1;
const BOUND: u8 = 1;
const FIXED_TOPIC: u8 = 2;
/// The length without the text.
const FIXED: usize = 96;
/// The longest text of an invitation that carries one, in bytes.
pub(in crate::session) const MAX_TEXT: usize = 16_000;
/// The shortest and the longest life of a session, in seconds.
pub(in crate::session) const MIN_LIFETIME: u32 = 60;
pub(in crate::session) const MAX_LIFETIME: u32 = 2_592_000;
