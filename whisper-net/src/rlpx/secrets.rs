//! The two keys that a handshake leaves behind.

use std::fmt;

use whisper_core::crypto::Secret;
use whisper_core::crypto::wiping_stack;
use whisper_core::hash::Keccak;

use super::frame::Egress;
use super::frame::Ingress;

/// What both ends of a connection share: the key of its streams and the key of its MACs.
///
/// Both directions run under the same key from the same counter, so that their keystreams are equal:
/// whoever knows one side's plaintext reads the other's. Confidentiality is the envelopes' business.
pub struct Secrets {
    pub(super) aes: Secret<32>,
    pub(super) mac: Secret<32>,
}

impl Secrets {
    /// Takes keys that were agreed on otherwise.
    pub const fn new(aes: Secret<32>, mac: Secret<32>) -> Self {
        Self { aes, mac }
    }

    /// Derives the keys from what the ephemeral keys agree on and the nonces (RLPx, "Handshake").
    pub fn derive(
        agreed: &Secret<32>,
        initiator_nonce: &[u8; 32],
        recipient_nonce: &[u8; 32],
    ) -> Self {
        wiping_stack::<STACK, _>(|| {
            // The recipient's nonce comes first.
            let nonces = hash(recipient_nonce, initiator_nonce);
            let shared = hash(agreed.expose(), nonces.expose());
            let aes = hash(agreed.expose(), shared.expose());
            let mac = hash(agreed.expose(), aes.expose());
            Self { aes, mac }
        })
    }

    /// The two halves of the initiator's channel. `auth` and `ack` are the packets as they were on the
    /// wire, size prefix included.
    pub fn initiator(
        &self,
        (initiator_nonce, auth): (&[u8; 32], &[u8]),
        (recipient_nonce, ack): (&[u8; 32], &[u8]),
    ) -> (Egress, Ingress) {
        // Whoever sends a packet absorbs it into its egress, seeded with the other's nonce.
        let egress = self.absorbed(recipient_nonce, auth);
        let ingress = self.absorbed(initiator_nonce, ack);
        (Egress::new(self, egress), Ingress::new(self, ingress))
    }

    /// The two halves of the recipient's channel, from the same packets.
    pub fn recipient(
        &self,
        (initiator_nonce, auth): (&[u8; 32], &[u8]),
        (recipient_nonce, ack): (&[u8; 32], &[u8]),
    ) -> (Egress, Ingress) {
        let egress = self.absorbed(initiator_nonce, ack);
        let ingress = self.absorbed(recipient_nonce, auth);
        (Egress::new(self, egress), Ingress::new(self, ingress))
    }

    /// The key of the streams.
    pub const fn aes(&self) -> &Secret<32> {
        &self.aes
    }

    /// The key of the MACs.
    pub const fn mac(&self) -> &Secret<32> {
        &self.mac
    }

    fn absorbed(&self, nonce: &[u8; 32], packet: &[u8]) -> Keccak {
        wiping_stack::<STACK, _>(|| {
            let seed = Secret::<32>::fill_with(|seed| *seed = xor(self.mac.expose(), nonce));
            let mut hash = Keccak::new();
            hash.update(seed.expose());
            hash.update(packet);
            hash
        })
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

/// Enough for hashes and for AES, which lays out its key schedule four times over where the processor
/// has AVX-512. Found by searching the stack afterwards.
pub(super) const STACK: usize = 16_384;

fn hash(first: &[u8; 32], second: &[u8; 32]) -> Secret<32> {
    let mut hash = Keccak::new();
    hash.update(first);
    hash.update(second);
    Secret::fill_with(|own| *own = hash.finish())
}

pub(super) fn xor<const N: usize>(first: &[u8; N], second: &[u8; N]) -> [u8; N] {
    let mut both = *first;
    both.iter_mut().zip(second).for_each(|(byte, other)| *byte ^= other);
    both
}
