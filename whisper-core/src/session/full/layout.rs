//! Where the parts of an invitation stand: `X(E) ‖ c0 ‖ c_k ‖ c1 ‖ c2`.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::crypto::ml_kem::CIPHERTEXT;
use crate::session::card::Cert;
use crate::session::card::TAIL;

/// The parts of an invitation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a> {
    /// The x coordinate of the invitation's key.
    pub(super) key: &'a [u8; 32],
    /// Version, suite, and which keys of the recipient are meant.
    pub(super) address: &'a [u8],
    /// The KEM's ciphertext.
    pub(super) ciphertext: &'a [u8],
    /// The certificate of the sender.
    pub(super) cert: &'a [u8],
    /// All that concerns the session.
    pub(super) inner: &'a [u8],
}

impl<'a> Parts<'a> {
    pub(super) fn of(data: &'a [u8]) -> Option<Self> {
        let (key, rest) = data.split_first_chunk()?;
        let (address, rest) = rest.split_at_checked(Address::LENGTH + TAG)?;
        let (ciphertext, rest) = rest.split_at_checked(CIPHERTEXT + TAG)?;
        let (cert, inner) = rest.split_at_checked(Cert::LENGTH + TAG)?;
        Some(Self { key, address, ciphertext, cert, inner })
    }
}

/// Which keys of the recipient an invitation is for: `version ‖ suite ‖ P_id ‖ O_id`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Address {
    pub(super) prekey: u32,
    /// 0 for none.
    pub(super) one_time: u32,
}

impl Address {
    const LENGTH: usize = 10;

    pub(super) fn encode(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let (suite, rest) = bytes.split_at_mut(2);
        let (prekey, one_time) = rest.split_at_mut(4);
        suite.copy_from_slice(&SUITE);
        prekey.copy_from_slice(&self.prekey.to_be_bytes());
        one_time.copy_from_slice(&self.one_time.to_be_bytes());
        bytes
    }

    /// Reads an address; none if its version or suite is another.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&SUITE)?;
        let (prekey, rest) = rest.split_first_chunk()?;
        let prekey = u32::from_be_bytes(*prekey);
        Some(Self { prekey, one_time: u32::from_be_bytes(rest.try_into().ok()?) })
    }
}

/// What concerns the session: `R_A ‖ created_at ‖ flags ‖ n ‖ body (n) ‖ [card tail] ‖ zeros`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inner<'a> {
    pub(super) key: &'a [u8; 32],
    pub(super) created_at: u32,
    pub(super) body: &'a [u8],
    pub(super) tail: Option<&'a [u8; TAIL]>,
}

impl<'a> Inner<'a> {
    /// Fills an invitation of a class; none if it does not fit.
    pub(super) fn encode(&self, class: usize) -> Option<Zeroizing<Vec<u8>>> {
        let size = class.checked_sub(AROUND)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(size));
        bytes.extend_from_slice(self.key);
        bytes.extend_from_slice(&self.created_at.to_be_bytes());
        bytes.push(if self.tail.is_some() { HAS_TAIL } else { 0 });
        bytes.extend_from_slice(&u32::try_from(self.body.len()).ok()?.to_be_bytes());
        let rest = self.body.len().checked_add(self.tail.map_or(0, |tail| tail.len()))?;
        if bytes.len().checked_add(rest)? > size {
            return None;
        }
        bytes.extend_from_slice(self.body);
        bytes.extend_from_slice(self.tail.map_or(&[], |tail| tail));
        bytes.resize(size, 0);
        Some(bytes)
    }

    /// Reads it; none if it breaks a rule.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (key, rest) = bytes.split_first_chunk()?;
        let (created_at, rest) = rest.split_first_chunk()?;
        let (flags, rest) = rest.split_first()?;
        let (length, rest) = rest.split_first_chunk()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (body, rest) = rest.split_at_checked(length)?;
        let (tail, zeros) = match *flags {
            0 => (None, rest),
            HAS_TAIL => rest.split_first_chunk().map(|(tail, rest)| (Some(tail), rest))?,
            _ => return None,
        };
        let created_at = u32::from_be_bytes(*created_at);
        let empty = zeros.iter().all(|byte| *byte == 0);
        empty.then_some(Self { key, created_at, body, tail })
    }
}

/// Version 1, suite 2: the only ones.
const SUITE: [u8; 2] = [1, 2];
const HAS_TAIL: u8 = 1;
const TAG: usize = 16;
/// What of the raw length of a class is not the inner part: spec/session.md, 3.5.
const AROUND: usize = 1_304;
