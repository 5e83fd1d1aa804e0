//! What both sides of an invitation hash and mix: spec/session.md, 3.5.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::keys::HeaderKey;
use super::keys::Key;
use super::keys::parts;
use crate::crypto::DecryptError;
use crate::crypto::Secret;
use crate::crypto::chacha20_poly1305::SingleUseKey;
use crate::crypto::kdf::hkdf_sha256;
use crate::crypto::x_only::XOnlyPublicKey;
use crate::hash::sha256;
use crate::identity::PublicKey;
use crate::session::contract::SessionId;

/// The hash of all that was said so far, and the chain of all that was agreed on.
#[derive(Debug)]
pub(super) struct Transcript {
    hash: [u8; 32],
    chain: Secret<32>,
}

impl Transcript {
    /// Begins with the recipient and the key of the invitation.
    pub(super) fn new(identity: &PublicKey, dh: &XOnlyPublicKey, key: &XOnlyPublicKey) -> Self {
        let hash = sha256(b"WS1_secp256k1_ChaChaPoly_SHA256");
        let mut transcript = Self { hash, chain: Secret::fill_with(|own| *own = hash) };
        transcript.absorb(&[&identity.to_compressed(), &dh.to_bytes()]);
        transcript.absorb(&[&key.to_bytes()]);
        transcript
    }

    /// Adds what both sides know.
    pub(super) fn absorb(&mut self, said: &[&[u8]]) {
        self.hash = sha256(&[&self.hash[..], &said.concat()].concat());
    }

    /// Mixes a shared secret in: the key that it gives.
    pub(super) fn mix(&mut self, shared: &Secret<32>) -> Secret<32> {
        let mixed = hkdf_sha256::<64>(self.chain.expose(), &[shared.expose()], &[]);
        let [chain, key] = parts(&mixed);
        self.chain = chain;
        key
    }

    /// Mixes a shared secret in: the two keys that it gives.
    pub(super) fn mix_for_two(&mut self, shared: &Secret<32>) -> [Secret<32>; 2] {
        let mixed = hkdf_sha256::<96>(self.chain.expose(), &[shared.expose()], &[]);
        let [chain, first, second] = parts(&mixed);
        self.chain = chain;
        [first, second]
    }

    /// Encrypts under a key that encrypts nothing else, bound to all that was said.
    pub(super) fn seal(&mut self, key: &Secret<32>, plaintext: &[u8]) -> Vec<u8> {
        let sealed = SingleUseKey::new(key.expose()).seal(&self.hash, plaintext);
        self.absorb(&[&sealed]);
        sealed
    }

    /// Decrypts what [`Transcript::seal`] made.
    pub(super) fn open(
        &mut self,
        key: &Secret<32>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
        let plaintext = SingleUseKey::new(key.expose()).open(&self.hash, sealed)?;
        self.absorb(&[sealed]);
        Ok(plaintext)
    }

    /// What the session begins with.
    pub(super) fn finish(&self) -> Outcome {
        let info: [&[u8]; 2] = [b"WS1/session", &self.hash];
        let keys = hkdf_sha256::<128>(self.chain.expose(), &[], &info);
        let [root, initiator, responder, id] = parts(&keys);
        Outcome {
            root: root.into(),
            initiator: HeaderKey::new(initiator),
            responder: HeaderKey::new(responder),
            id: SessionId::new(*id.expose()),
        }
    }
}

/// What a session begins with.
pub(super) struct Outcome {
    pub(super) root: Key,
    /// `HK_A`: names the text of the invitation, and encrypts nothing.
    pub(super) initiator: HeaderKey,
    /// `NHK_B`: the header key of the responder's first chain.
    pub(super) responder: HeaderKey,
    pub(super) id: SessionId,
}
