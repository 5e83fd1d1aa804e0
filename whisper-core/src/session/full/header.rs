//! The header of a packet: `R (32) ‖ PN (4) ‖ N (4) ‖ flags (1)`.

use super::round::BlockKind;
use crate::session::contract::Role;

/// Where a message stands in the ratchet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Header {
    /// The sender's ratchet key, by its x coordinate.
    pub(super) key: [u8; 32],
    /// How many messages the chain before this one has.
    pub(super) previous: u32,
    /// The number of the message in its chain, from 0.
    pub(super) number: u32,
    pub(super) flags: Flags,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        let (key, rest) = bytes.split_at_mut(32);
        let (previous, rest) = rest.split_at_mut(4);
        let (number, flags) = rest.split_at_mut(4);
        key.copy_from_slice(&self.key);
        previous.copy_from_slice(&self.previous.to_be_bytes());
        number.copy_from_slice(&self.number.to_be_bytes());
        flags.copy_from_slice(&[self.flags.encode()]);
        bytes
    }

    /// Reads a header of the peer, whose role is `peer`; none if it has a flag that the peer never
    /// sets.
    pub(super) fn decode(bytes: &[u8], peer: Role) -> Option<Self> {
        let (key, rest) = bytes.split_first_chunk()?;
        let (previous, rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let [flags] = rest else { return None };
        Some(Self {
            key: *key,
            previous: u32::from_be_bytes(*previous),
            number: u32::from_be_bytes(*number),
            flags: Flags::decode(*flags, peer)?,
        })
    }
}

/// What the flags say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Flags {
    /// The step that made this chain mixed the secret of a KEM round in.
    pub(super) mixed: bool,
    /// What the body carries beside its data.
    pub(super) block: Option<BlockKind>,
}

impl Flags {
    const fn encode(self) -> u8 {
        let block = match self.block {
            None => 0,
            Some(BlockKind::Key) => KEY,
            Some(BlockKind::Answer) => ANSWER,
        };
        if self.mixed { block | MIXED } else { block }
    }

    /// Only the responder mixes and offers keys; only the initiator answers them.
    fn decode(flags: u8, sender: Role) -> Option<Self> {
        let block = match (flags & !MIXED, sender) {
            (0, _) => None,
            (KEY, Role::Responder) => Some(BlockKind::Key),
            (ANSWER, Role::Initiator) => Some(BlockKind::Answer),
            _ => return None,
        };
        let mixed = flags & MIXED != 0;
        (!mixed || sender == Role::Responder).then_some(Self { mixed, block })
    }
}

/// Bytes of a header in clear.
pub(super) const LENGTH: usize = 41;
const MIXED: u8 = 1;
const KEY: u8 = 2;
const ANSWER: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e24_each_side_has_its_own_flags_and_all_others_are_refused() {
        for byte in 0..=u8::MAX {
            for (sender, allowed) in
                [(Role::Responder, [0, 1, 2, 3]), (Role::Initiator, [0, 4, 0, 4])]
            {
                let flags = Flags::decode(byte, sender);
                assert_eq!(flags.is_some(), allowed.contains(&byte), "{sender:?} {byte}");
                assert!(flags.is_none_or(|flags| flags.encode() == byte));
            }
        }
    }

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let flags = Flags { mixed: true, block: Some(BlockKind::Key) };
        let header = Header { key: [7; 32], previous: 1, number: 0x0102_0304, flags };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes, Role::Responder), Some(header));
        assert_eq!(Header::decode(&bytes, Role::Initiator), None);
        assert_eq!(Header::decode(&bytes[1..], Role::Responder), None);
    }
}
