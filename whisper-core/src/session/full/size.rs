//! How long envelopes of this mode are: six classes, and one table that tells which.
//!
//! The class of a message follows from the length of its data alone. What carries it (an invitation
//! with a card, a message, a resend, with or without a block of the KEM) always has room for as much:
//! so a length tells nothing else.

use crate::crypto::aead::AesGcm;

/// Whether data of this length may be an invitation or a message of this mode.
pub const fn is_full_length(data: usize) -> bool {
    match data.checked_sub(AesGcm::OVERHEAD) {
        Some(raw) => raw >= SMALLEST && raw <= LARGEST && raw.is_power_of_two(),
        None => false,
    }
}

/// The class for so many bytes of data; none if they are more than one message carries.
pub(super) fn class_for(length: usize) -> Option<usize> {
    let class = length.checked_add(RESERVED)?.max(SMALLEST).checked_next_power_of_two()?;
    (length <= MAX_DATA && class <= LARGEST).then_some(class)
}

/// The smallest class: a hybrid invitation needs it.
pub(super) const SMALLEST: usize = 2_048;
const LARGEST: usize = 65_536;
/// What a class keeps free for whatever is not data: spec/session.md, 3.3.
const RESERVED: usize = 1_504;
/// The largest data of one message, so that its resend fits into an invitation: spec/session.md, 3.7.
pub const MAX_DATA: usize = 64_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e28_every_length_of_data_has_one_class_with_room_for_all_that_may_carry_it() {
        let rooms = [544, 2_592, 6_688, 14_880, 31_264, 64_032];
        for length in 0..=MAX_DATA {
            let class = class_for(length).unwrap();
            let index = rooms.iter().position(|room| length <= *room).unwrap();
            assert_eq!(class, SMALLEST << index, "{length}");
            // The layouts of 3.5 and 3.7, with the 9 bytes that a resend adds.
            let resend = length + 9;
            let (invitation, packet) = (class - 1_304 - 41 - 9, class - 92 - 9);
            assert!(resend <= invitation - 141 && resend <= packet - 1_188, "{length}");
        }
        assert_eq!(class_for(MAX_DATA + 1), None);
        assert_eq!(class_for(usize::MAX), None);
    }

    #[test]
    fn six_lengths_are_those_of_this_mode() {
        let lengths = (0..70_000).filter(|length| is_full_length(*length));
        assert!(lengths.eq([2_076, 4_124, 8_220, 16_412, 32_796, 65_564]));
    }
}
