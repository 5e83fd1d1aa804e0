//! What keys are made of each other: the functions of the table in spec/session.md, 3.6.

use alloc::sync::Arc;

use crate::crypto::Secret;
use crate::crypto::chacha20_poly1305::SingleUseKey;
use crate::crypto::kdf::hkdf_sha256;
use crate::crypto::kdf::hmac_sha256;
use crate::crypto::kdf::hmac_sha256_secret;
use crate::identity::SymmetricKey;
use crate::session::contract::MessageName;
use crate::session::contract::SessionId;
use crate::session::watch::Place;
use crate::topic::Topic;

/// A key that copies of a session share: it is wiped with the last of them.
pub(super) type Key = Arc<Secret<32>>;

/// What one step of the root gives: `KDF_RK`.
pub(super) struct RootStep {
    pub(super) root: Key,
    pub(super) chain: Key,
    pub(super) next_header: HeaderKey,
}

impl RootStep {
    /// Steps the root with a shared secret, and with that of a KEM round if one is mixed in.
    pub(super) fn new(
        root: &Key,
        shared: &Secret<32>,
        mixed: Option<&Secret<64>>,
        id: &SessionId,
    ) -> Self {
        let mixed = mixed.map_or(&[][..], |mixed| mixed.expose());
        let info: [&[u8]; 2] = [b"WS1/ratchet", id.as_bytes()];
        let keys = hkdf_sha256::<96>(root.expose(), &[shared.expose(), mixed], &info);
        let [root, chain, header] = parts(&keys);
        Self { root: root.into(), chain: chain.into(), next_header: HeaderKey::new(header) }
    }
}

/// `N` keys of 32 bytes that were derived at once.
pub(super) fn parts<const N: usize, const LENGTH: usize>(keys: &Secret<LENGTH>) -> [Secret<32>; N] {
    const { assert!(N * 32 == LENGTH, "keys are 32 bytes long") };
    let (chunks, _) = keys.expose().as_chunks::<32>();
    core::array::from_fn(|index| {
        Secret::fill_with(|own| {
            if let Some(chunk) = chunks.get(index) {
                own.copy_from_slice(chunk);
            }
        })
    })
}

/// The key of the next message of a chain, and the chain behind it: `KDF_CK`.
pub(super) fn chain_step(chain: &Key) -> (Secret<32>, Key) {
    (message_key(chain), advance(chain))
}

/// The key of the next message of a chain.
pub(super) fn message_key(chain: &Key) -> Secret<32> {
    hmac_sha256_secret(chain.expose(), &[&[1]])
}

/// The chain behind its next message.
pub(super) fn advance(chain: &Key) -> Key {
    hmac_sha256_secret(chain.expose(), &[&[2]]).into()
}

/// What encrypts one body.
pub(super) fn body_key(message: &Secret<32>, salt: &Salt) -> SingleUseKey {
    SingleUseKey::derive(salt, &[message.expose()], &[b"WS1/body"])
}

/// What encrypts the headers of a chain, and names its topics and messages.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct HeaderKey(Key);

impl HeaderKey {
    pub(super) fn new(key: Secret<32>) -> Self {
        Self(key.into())
    }

    pub(super) fn secret(&self) -> &Secret<32> {
        &self.0
    }

    /// The topic of a place.
    pub(super) fn topic(&self, place: Place) -> Topic {
        let place: [&[u8]; 3] =
            [b"WS1/topic", &place.epoch.to_be_bytes(), &place.index.to_be_bytes()];
        let hash = hmac_sha256(self.0.expose(), &place);
        Topic::new(hash.first_chunk().copied().unwrap_or_default())
    }

    /// The key of the envelopes of an hour. None once in 2^256.
    pub(super) fn envelope(&self, epoch: u64) -> Option<SymmetricKey> {
        let key = hmac_sha256_secret(self.0.expose(), &[b"WS1/env", &epoch.to_be_bytes()]);
        SymmetricKey::from_secret(&key).ok()
    }

    /// What encrypts the header at a place.
    pub(super) fn header(&self, salt: &Salt, place: Place) -> SingleUseKey {
        let info: [&[u8]; 3] =
            [b"WS1/head", &place.epoch.to_be_bytes(), &place.index.to_be_bytes()];
        SingleUseKey::derive(salt, &[self.0.expose()], &info)
    }

    /// The name of the message with this number and salt.
    pub(super) fn name(&self, number: u32, salt: &Salt) -> MessageName {
        let parts: [&[u8]; 3] = [b"WS1/mid", &number.to_be_bytes(), salt];
        let hash = hmac_sha256(self.0.expose(), &parts);
        MessageName::new(hash.first_chunk().copied().unwrap_or_default())
    }
}

/// The random bytes in front of a packet.
pub(super) type Salt = [u8; 16];
