//! Base45 (RFC 9285): bytes in the 45 characters that QR codes carry at least cost.

use alloc::string::String;
use alloc::vec::Vec;

/// Three characters for two bytes, two for the last one where their number is odd.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(3).div_ceil(2));
    for pair in bytes.chunks(2) {
        let value = pair.iter().fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
        let digits = [value % 45, value / 45 % 45, value / 45 / 45];
        let count = pair.len().saturating_add(1);
        text.extend(digits.iter().take(count).filter_map(|digit| character(*digit)));
    }
    text
}

/// The bytes that [`encode`] writes as `text`, and no others: each text stands for at most one.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len().saturating_mul(2) / 3);
    for group in text.as_bytes().chunks(3) {
        let value = group.iter().rev().try_fold(0_u32, |value, character| {
            value.checked_mul(45)?.checked_add(digit(*character)?)
        })?;
        match group.len() {
            3 => bytes.extend_from_slice(&u16::try_from(value).ok()?.to_be_bytes()),
            2 => bytes.push(u8::try_from(value).ok()?),
            _ => return None,
        }
    }
    Some(bytes)
}

fn character(digit: u32) -> Option<char> {
    ALPHABET.get(usize::try_from(digit).ok()?).copied().map(char::from)
}

fn digit(character: u8) -> Option<u32> {
    let place = ALPHABET.iter().position(|own| *own == character)?;
    u32::try_from(place).ok()
}

/// RFC 9285, table 1.
const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_rfc_come_out() {
        let examples: [(&[u8], &str); 4] =
            [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"), (b"", "")];
        for (bytes, text) in examples {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text).as_deref(), Some(bytes));
        }
        assert_eq!(decode("QED8WEX0").as_deref(), Some(&b"ietf!"[..]));
    }

    #[test]
    fn what_stands_for_no_bytes_is_refused() {
        // A character too few, values beyond two bytes and beyond one, characters of none.
        for text in ["A", "BB8A", "GGW", ":::", "U5:", "FGX", ":6", "QQ", "bb8", "BB,", "B\u{e9}"] {
            assert_eq!(decode(text), None, "{text}");
        }
        assert_eq!(decode("FGW").as_deref(), Some(&[0xff, 0xff][..]));
        assert_eq!(decode("U5").as_deref(), Some(&[0xff][..]));
    }

    proptest! {
        #[test]
        fn each_string_of_bytes_has_one_text(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }

        #[test]
        fn each_text_that_is_read_is_written_so(text in "[0-9A-Z $%*+./:-]{0,24}") {
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
