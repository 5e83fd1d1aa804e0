//! The hash functions: Keccak-256 with its original padding and SHA-256 on the wire, SHA-512 for what
//! people compare.

mod keccak;
mod search;
mod state;

use alloc::vec::Vec;

use sha2::Digest;
use sha2::Sha256;
use sha2::Sha512;

pub use self::keccak::Keccak;
pub use self::search::NonceSearch;

/// The Keccak-256 hash of `bytes` (padding 0x01, as Ethereum uses it: not NIST's SHA3-256).
pub fn keccak256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = Keccak::new();
    hash.update(bytes);
    hash.finish()
}

/// The Keccak-256 hash of each input, in order: what can be hashed at once is handed over at once.
pub fn keccak256_all<'a>(inputs: impl IntoIterator<Item = &'a [u8]>) -> Vec<[u8; 32]> {
    inputs.into_iter().map(keccak256).collect()
}

/// The SHA-256 hash of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The SHA-512 hash of `bytes`.
pub fn sha512(bytes: &[u8]) -> [u8; 64] {
    Sha512::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;
    use sha3::Keccak256;

    use super::*;

    #[test]
    fn keccak_of_nothing_is_the_published_value() {
        let expected = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
        assert_eq!(hex::encode(keccak256(b"")), expected);
    }

    #[test]
    fn a_clone_keeps_the_prefix() {
        let mut prefix = Keccak::new();
        prefix.update(b"one ");
        let mut other = prefix.clone();
        prefix.update(b"two");
        other.update(b"three");
        assert_eq!(prefix.finish(), keccak256(b"one two"));
        assert_eq!(other.finish(), keccak256(b"one three"));
    }

    #[test]
    fn every_length_around_a_block_hashes_as_the_reference_does() {
        for length in 0..600 {
            let bytes = vec![0xa5; length];
            let expected: [u8; 32] = Keccak256::digest(&bytes).into();
            assert_eq!(keccak256(&bytes), expected, "{length}");
            assert_eq!(keccak256_all([&bytes[..], b""]), [expected, keccak256(b"")]);
            let search = NonceSearch::new(&bytes);
            let whole = [&bytes[..], &7_u64.to_be_bytes()].concat();
            assert_eq!(search.hash(7_u64.to_be_bytes()), keccak256(&whole), "{length}");
        }
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_input_is_cut(
            bytes in proptest::collection::vec(any::<u8>(), 0..500),
            cuts in proptest::collection::vec(0_usize..200, 0..8),
        ) {
            let mut hash = Keccak::new();
            let mut rest = &bytes[..];
            for cut in cuts {
                let (part, after) = rest.split_at(cut.min(rest.len()));
                hash.update(part);
                rest = after;
            }
            hash.update(rest);
            let expected: [u8; 32] = Keccak256::digest(&bytes).into();
            prop_assert_eq!(hash.finish(), expected);
        }
    }
}
