//! Certificates: an identity names the key it agrees with.

use core::time::Duration;

use super::error::CardError;
use super::signed::take;
use super::validity::Validity;
use crate::crypto::curve::verify;
use crate::crypto::x_only::XOnlyPublicKey;
use crate::hash::sha256;
use crate::identity::Identity;
use crate::identity::PublicKey;
use crate::time::Timestamp;

/// An identity I and its key D, signed by I: 138 bytes.
///
/// ```text
/// version (1) ‖ I (33) ‖ D (32) ‖ not_before (4) ‖ not_after (4) ‖ signature (64)
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cert {
    identity: PublicKey,
    long_term: XOnlyPublicKey,
    validity: Validity,
    signature: [u8; 64],
}

impl Cert {
    /// Bytes of a certificate.
    pub const LENGTH: usize = SIGNED + 64;
    /// How long a certificate lasts.
    pub const SPAN: Duration = Duration::from_secs(400 * 86_400);

    /// Signs a certificate that holds from `now` on, for [`Cert::SPAN`].
    pub fn sign(now: Timestamp, identity: &Identity, long_term: &XOnlyPublicKey) -> Self {
        Self::sign_for(Validity::starting(now, Self::SPAN), identity, long_term)
    }

    pub(in crate::session) fn sign_for(
        validity: Validity,
        identity: &Identity,
        long_term: &XOnlyPublicKey,
    ) -> Self {
        let (identity_key, signature) = (identity.public_key(), [0; 64]);
        let mut cert = Self { identity: identity_key, long_term: *long_term, validity, signature };
        cert.signature = *identity.sign(&cert.digest()).scalars();
        cert
    }

    /// Reads a certificate, and checks all of it but the dates.
    ///
    /// # Errors
    /// [`CardError`] says what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CardError> {
        let mut rest = bytes;
        let cert = Self::read(&mut rest)?;
        if rest.is_empty() { cert.verified() } else { Err(CardError::Length) }
    }

    /// The bytes.
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let (signed, signature) = bytes.split_at_mut(SIGNED);
        signed.copy_from_slice(&self.signed_bytes());
        signature.copy_from_slice(&self.signature);
        bytes
    }

    /// I: who signed it.
    pub const fn identity(&self) -> PublicKey {
        self.identity
    }

    /// D: what the identity agrees with.
    pub const fn long_term(&self) -> XOnlyPublicKey {
        self.long_term
    }

    /// From when until when invitations may carry it.
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// Reads the fields from the front of `rest`; the signature is not looked at.
    pub(super) fn read(rest: &mut &[u8]) -> Result<Self, CardError> {
        let [version] = take(rest)?;
        if version != VERSION {
            return Err(CardError::Version { found: version });
        }
        let identity = PublicKey::from_compressed(&take(rest)?).map_err(|_| CardError::Identity)?;
        let long_term =
            XOnlyPublicKey::from_bytes(&take(rest)?).map_err(|_| CardError::LongTermKey)?;
        let validity = Validity::from_bytes(take(rest)?, None)?;
        Ok(Self { identity, long_term, validity, signature: take(rest)? })
    }

    /// Itself, if its signature holds.
    pub(super) fn verified(self) -> Result<Self, CardError> {
        match verify(&self.identity, &self.digest(), &self.signature) {
            Ok(()) => Ok(self),
            Err(_) => Err(CardError::CertSignature),
        }
    }

    fn signed_bytes(&self) -> [u8; SIGNED] {
        let mut bytes = [0; SIGNED];
        let parts: [&[u8]; 4] = [
            &[VERSION],
            &self.identity.to_compressed(),
            &self.long_term.to_bytes(),
            &self.validity.to_bytes(),
        ];
        let parts = parts.into_iter().flatten();
        bytes.iter_mut().zip(parts).for_each(|(own, byte)| *own = *byte);
        bytes
    }

    fn digest(&self) -> [u8; 32] {
        sha256(&[&b"WS1/cert/v1"[..], &self.signed_bytes()].concat())
    }
}

const VERSION: u8 = 1;
/// Bytes that the signature covers.
const SIGNED: usize = 74;
