//! Certificates and cards, field by field, with whatever fault is wanted.

use whisper_core::crypto::Secret;
use whisper_core::crypto::curve::SecretKey;
use whisper_core::crypto::ml_kem::DecapsulationKey;
use whisper_core::crypto::x_only::XOnlySecretKey;
use whisper_core::hash::sha256;
use whisper_core::identity::Identity;

/// Changes a signature after it was made.
pub(crate) type Spoil = fn(&mut [u8; 64]);

/// The fields of a card, in the order of `spec/session.md`, 3.2.
pub(crate) struct Raw {
    /// Who signs, whatever I says.
    pub(crate) signer: Identity,
    pub(crate) version: u8,
    pub(crate) identity: [u8; 33],
    pub(crate) long_term: [u8; 32],
    pub(crate) cert_dates: [u32; 2],
    pub(crate) prekey: [u8; 32],
    pub(crate) prekey_id: u32,
    pub(crate) dates: [u32; 2],
    pub(crate) flags: u8,
    pub(crate) kem: Vec<u8>,
    /// O with its number, and extensions with their length.
    pub(crate) behind: Vec<u8>,
    pub(crate) spoil: [Spoil; 2],
}

impl Raw {
    /// B's card of Appendix C.
    pub(crate) fn plain() -> Self {
        let signer = identity("iB");
        Self {
            identity: signer.public_key().to_compressed(),
            signer,
            version: 1,
            long_term: x("dB"),
            cert_dates: [1_700_000_000, 1_800_000_000],
            prekey: x("pB"),
            prekey_id: 0x0102_0304,
            dates: [1_749_913_600, 1_751_123_200],
            flags: 2,
            kem: kem("kB"),
            behind: Vec::new(),
            spoil: [|_| (), |_| ()],
        }
    }

    /// The same with O.
    pub(crate) fn one_time() -> Self {
        Self { flags: 3, behind: one_time(x("oB"), 0x090a_0b0c), ..Self::plain() }
    }

    /// The same with extensions: groups, and a type that nobody knows.
    pub(crate) fn extended() -> Self {
        let behind = extensions(&[(1, &[1]), (200, b"later")]);
        Self { flags: 10, behind, ..Self::plain() }
    }

    pub(crate) fn cert_bytes(&self) -> Vec<u8> {
        let dates = self.cert_dates.map(u32::to_be_bytes).concat();
        let signed = [&[self.version][..], &self.identity, &self.long_term, &dates].concat();
        let signature = self.sign(b"WS1/cert/v1", &signed, self.spoil[0]);
        [signed, signature.to_vec()].concat()
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.with(&self.kem.clone())
    }

    pub(crate) fn to_short_bytes(&self) -> Vec<u8> {
        self.with(&sha256(&self.kem))
    }

    fn with(&self, kem: &[u8]) -> Vec<u8> {
        let dates = self.dates.map(u32::to_be_bytes).concat();
        let id = self.prekey_id.to_be_bytes();
        let head = [&self.cert_bytes(), &self.prekey[..], &id, &dates, &[self.flags]].concat();
        let signed = [&head, &sha256(&self.kem)[..], &self.behind].concat();
        let signature = self.sign(b"WS1/card/v1", &signed, self.spoil[1]);
        [&head, kem, &self.behind, &signature].concat()
    }

    fn sign(&self, label: &[u8], signed: &[u8], spoil: Spoil) -> [u8; 64] {
        let digest = sha256(&[label, signed].concat());
        let mut signature = *self.signer.sign(&digest).scalars();
        spoil(&mut signature);
        signature
    }
}

pub(crate) fn one_time(key: [u8; 32], id: u32) -> Vec<u8> {
    [&key[..], &id.to_be_bytes()].concat()
}

pub(crate) fn extensions(entries: &[(u8, &[u8])]) -> Vec<u8> {
    let entry = |(kind, value): &(u8, &[u8])| {
        let length = u16::try_from(value.len()).expect("short").to_be_bytes();
        [&[*kind][..], &length, value].concat()
    };
    let entries: Vec<u8> = entries.iter().flat_map(entry).collect();
    let length = u16::try_from(entries.len()).expect("short").to_be_bytes();
    [&length[..], &entries].concat()
}

pub(crate) fn identity(label: &str) -> Identity {
    Identity::from_secret(SecretKey::from_bytes(&known(label)).expect("a key"))
}

pub(crate) fn x(label: &str) -> [u8; 32] {
    XOnlySecretKey::from_bytes(&known(label)).expect("a key").public_key().to_bytes()
}

pub(crate) fn kem(label: &str) -> Vec<u8> {
    let seed = ["0", "1"].map(|half| known(&[label, half].concat())).concat();
    let seed = Secret::from_slice(&seed).expect("64 bytes");
    DecapsulationKey::from_secret(seed).encapsulation_key().as_bytes().to_vec()
}

fn known(label: &str) -> [u8; 32] {
    sha256(&[b"WS1-KAT/", label.as_bytes()].concat())
}
