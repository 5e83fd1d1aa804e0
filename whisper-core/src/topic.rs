//! Topics, and the bloom filters that stand for many of them.

use core::fmt;
use core::str::FromStr;

use rand_core::CryptoRng;

use crate::hash::keccak256;
use crate::hex::parse_hex;

/// Four public bytes by which readers find an envelope. Prints and parses as eight hex digits.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Topic([u8; 4]);

impl Topic {
    /// The topic of these bytes.
    pub const fn new(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// Draws a topic.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; 4];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The topic that a word stands for, as go-ethereum's clients make it: the first four bytes of its
    /// Keccak-256 hash. Everybody who guesses the word knows the topic.
    pub fn of_word(word: &str) -> Self {
        let [first, second, third, fourth, ..] = keccak256(word.as_bytes());
        Self([first, second, third, fourth])
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }

    /// The three bits of the bloom filter that stand for this topic (EIP-627, "Topics and blooms").
    fn bits(self) -> [usize; 3] {
        let [first, second, third, high] = self.0;
        [(first, 1), (second, 2), (third, 4)]
            .map(|(low, mask)| usize::from(low) | if high & mask == 0 { 0 } else { 256 })
    }
}

impl From<[u8; 4]> for Topic {
    fn from(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Topic {
    type Err = InvalidTopic;

    fn from_str(text: &str) -> Result<Self, InvalidTopic> {
        let mut bytes = [0; 4];
        let digits = text.strip_prefix("0x").unwrap_or(text);
        parse_hex(digits, &mut bytes).ok_or(InvalidTopic)?;
        Ok(Self(bytes))
    }
}

/// A text that is no topic.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a topic is eight hex digits")]
pub struct InvalidTopic;

/// 512 bits that stand for many topics: a peer gets envelopes whose topic may be among them.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Bloom([u8; 64]);

impl Bloom {
    /// Stands for no topic.
    pub const EMPTY: Self = Self([0; 64]);
    /// Stands for every topic.
    pub const FULL: Self = Self([0xff; 64]);

    /// The filter of one topic as EIP-627 has it, its three bits set. This form is advertised.
    pub fn of(topic: Topic) -> Self {
        topic.bits().into_iter().fold(Self::EMPTY, |mut bloom, bit| {
            if let Some(byte) = bloom.0.get_mut(bit / 8) {
                *byte |= 1 << (bit % 8);
            }
            bloom
        })
    }

    /// The filter of one topic as go-ethereum has it: a byte is assigned, not added to, so that of
    /// two bits in one byte the later stays. It is always part of [`Bloom::of`], and envelopes are
    /// matched in this form, so that peers of either kind are served.
    pub fn of_as_reference(topic: Topic) -> Self {
        topic.bits().into_iter().fold(Self::EMPTY, |mut bloom, bit| {
            if let Some(byte) = bloom.0.get_mut(bit / 8) {
                *byte = 1 << (bit % 8);
            }
            bloom
        })
    }

    /// The filter with these bits: bit `n` is bit `n % 8`, from the lowest, of byte `n / 8`.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The bits.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// Stands for the topics of both.
    #[must_use]
    pub fn union(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(byte, other)| *byte |= other);
        self
    }

    /// Whether every bit of `sample` is set.
    pub fn matches(&self, sample: &Self) -> bool {
        self.0.iter().zip(sample.0).all(|(byte, sample)| byte & sample == sample)
    }

    /// Whether an envelope of this topic passes.
    pub fn admits(&self, topic: Topic) -> bool {
        self.matches(&Self::of_as_reference(topic))
    }

    /// Whether it stands for every topic.
    pub fn is_full(&self) -> bool {
        *self == Self::FULL
    }
}

impl fmt::Debug for Bloom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits: u32 = self.0.iter().map(|byte| byte.count_ones()).sum();
        write!(f, "Bloom({bits} of 512 bits)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_read_as_it_is_printed() {
        let topic = Topic::new([0xfa, 0xe0, 0xf0, 0xac]);
        assert_eq!(alloc::format!("{topic}").parse(), Ok(topic));
        assert_eq!("0xfae0f0ac".parse(), Ok(topic));
        for text in ["", "fae0f0a", "fae0f0acaa", "0xfae0f0ag", "fäe0f0a"] {
            assert_eq!(text.parse::<Topic>(), Err(InvalidTopic), "{text}");
        }
    }

    #[test]
    fn a_word_stands_for_the_first_bytes_of_its_hash() {
        // As Ethereum's selectors are made: EIP-20, "transfer".
        let topic = Topic::of_word("transfer(address,uint256)");
        assert_eq!(topic, Topic::new([0xa9, 0x05, 0x9c, 0xbb]));
    }

    #[test]
    fn f11_the_reference_loses_a_bit_where_two_share_a_byte() {
        let topic = Topic::new([0, 1, 2, 0]);
        assert_eq!(Bloom::of(topic).as_bytes()[0], 7);
        assert_eq!(Bloom::of_as_reference(topic).as_bytes()[0], 4);
        assert!(Bloom::of(topic).admits(topic));
    }
}
