//! The first message: `"WSS1" ‖ version (1) ‖ flags (1) ‖ sid (16) ‖ created_at (4) ‖
//! lifetime (4) ‖ K_ab (32) ‖ K_ba (32) ‖ n (2) ‖ text (n)`.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::crypto::Secret;
use crate::session::contract::SessionId;
use crate::session::error::InvitationError;
use crate::session::error::SessionError;
use crate::time::Timestamp;

/// Whether a payload is an invitation, good or bad.
pub fn is_invitation(payload: &[u8]) -> bool {
    payload.starts_with(MAGIC)
}

/// An invitation, opened.
#[derive(Eq, PartialEq)]
pub(in crate::session) struct Invitation {
    pub(in crate::session) id: [u8; 16],
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
    /// Draws a fresh one.
    pub(in crate::session) fn draw(
        now: Timestamp,
        options: InviteOptions,
        text: Option<&str>,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, SessionError> {
        let created_at = u32::try_from(now.as_secs()).map_err(|_| SessionError::Date)?;
        let lifetime = u32::try_from(options.lifetime.as_secs());
        let lifetime = lifetime.ok().filter(|secs| (MIN_LIFETIME..=MAX_LIFETIME).contains(secs));
        let text = text.filter(|_| !options.bind).unwrap_or_default();
        if text.len() > MAX_TEXT {
            return Err(SessionError::TooLarge { max: MAX_TEXT });
        }
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        let [forth, back] = [(); 2].map(|()| Secret::generate(rng));
        // What repeats itself is not random; the peer would refuse it.
        if forth == back {
            return Err(SessionError::Entropy);
        }
        Ok(Self {
            id,
            bound: options.bind,
            fixed_topic: options.fixed_topic,
            created_at,
            lifetime: lifetime.ok_or(SessionError::Lifetime)?,
            forth,
            back,
            text: text.into(),
        })
    }

    /// The name of the session.
    pub(in crate::session) fn session(&self) -> SessionId {
        let mut name = [0; 32];
        let (id, _) = name.split_at_mut(16);
        id.copy_from_slice(&self.id);
        SessionId(name)
    }

    /// When it was made.
    pub(in crate::session) fn created_at(&self) -> Timestamp {
        Timestamp::from_secs(self.created_at.into())
    }

    /// When the session ends.
    pub(in crate::session) fn ends_at(&self) -> Timestamp {
        self.created_at().saturating_add(Duration::from_secs(self.lifetime.into()))
    }

    /// The payload of the message that carries it.
    pub(in crate::session) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let flags = u8::from(self.bound) | u8::from(self.fixed_topic) << 1;
        let length = u16::try_from(self.text.len()).unwrap_or(u16::MAX);
        // Room for everything at once: a vector that grows leaves copies behind.
        let mut payload = Zeroizing::new(Vec::with_capacity(FIXED.saturating_add(self.text.len())));
        payload.extend_from_slice(MAGIC);
        payload.extend_from_slice(&[VERSION, flags]);
        payload.extend_from_slice(&self.id);
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
            id: *id,
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

/// How a session of seed mode is to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InviteOptions {
    /// Whether the keys are bound to both identities, as they should be: the invitation then carries
    /// no text, and the text follows as the first message. Without it the set-up is the paper's to
    /// the letter: the text is in the invitation, signed, provable to others, and can be passed on.
    pub bind: bool,
    /// Whether all messages come under one topic, for peers that can do no better. It links them.
    pub fixed_topic: bool,
    /// When the session ends, from 60 seconds to 30 days from now.
    pub lifetime: Duration,
}

impl Default for InviteOptions {
    fn default() -> Self {
        Self { bind: true, fixed_topic: false, lifetime: Duration::from_secs(2_592_000) }
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
const MIN_LIFETIME: u32 = 60;
const MAX_LIFETIME: u32 = 2_592_000;
