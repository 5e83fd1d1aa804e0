//! Prekeys as bytes, for the record of an account (`spec/session.md`, 3.10).

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::OLDER;
use super::ONE_TIME_KEYS;
use super::OneTime;
use super::Prekey;
use super::Prekeys;
use crate::crypto::Secret;
use crate::crypto::ml_kem::DecapsulationKey;
use crate::crypto::ml_kem::SEED;
use crate::crypto::x_only::XOnlySecretKey;
use crate::session::card::PrekeyId;
use crate::session::error::RestoreError;
use crate::time::Timestamp;

impl Prekeys {
    /// All of it, private halves included: encrypt it.
    ///
    /// ```text
    /// count (2) ‖ { id (4) ‖ drawn in ms (8) ‖ p (32) ‖ seed of K (64) }*   the newest last
    ///           ‖ { id (4) ‖ id of P (4) ‖ o (32) }*                        the newest last
    /// ```
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let live = self.older.iter().chain([&self.newest]);
        // The room is enough, so that no copy stays behind where it would have grown.
        let room = PREKEY
            .saturating_mul(OLDER.saturating_add(1))
            .saturating_add(ONE_TIME.saturating_mul(self.one_time.len()))
            .saturating_add(2);
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        let count = u16::try_from(self.older.len().saturating_add(1)).unwrap_or_default();
        bytes.extend_from_slice(&count.to_be_bytes());
        for prekey in live {
            bytes.extend_from_slice(&prekey.id.get().to_be_bytes());
            bytes.extend_from_slice(&prekey.drawn.as_millis().to_be_bytes());
            bytes.extend_from_slice(prekey.dh.expose());
            bytes.extend_from_slice(prekey.kem.expose());
        }
        for own in &self.one_time {
            bytes.extend_from_slice(&own.id.get().to_be_bytes());
            bytes.extend_from_slice(&own.prekey.get().to_be_bytes());
            bytes.extend_from_slice(own.secret.expose());
        }
        bytes
    }

    /// Reads what [`Prekeys::to_bytes`] gave.
    ///
    /// # Errors
    /// [`RestoreError::Corrupt`] if it is not that.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RestoreError> {
        Self::read(bytes).ok_or(RestoreError::Corrupt)
    }

    fn read(mut rest: &[u8]) -> Option<Self> {
        let count = usize::from(u16::from_be_bytes(take(&mut rest)?));
        if count == 0 || count > OLDER.saturating_add(1) {
            return None;
        }
        let mut live =
            (0..count).map(|_| prekey(&mut rest).map(Arc::new)).collect::<Option<Vec<_>>>()?;
        let newest = live.pop()?;
        let mut own = Self { newest, older: live, one_time: VecDeque::new() };
        while !rest.is_empty() {
            own.one_time.push_back(Arc::new(one_time(&mut rest)?));
        }
        own.is_sound().then_some(own)
    }

    /// No number stands twice, and each one-time key has its prekey.
    fn is_sound(&self) -> bool {
        let one_time = self.one_time.iter().map(|own| own.id);
        let mut ids: Vec<_> = self.live().map(Prekey::id).chain(one_time).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        ids.len() == count
            && self.one_time.len() <= ONE_TIME_KEYS
            && self.one_time.iter().all(|own| self.find(own.prekey.get()).is_some())
    }
}

fn prekey(rest: &mut &[u8]) -> Option<Prekey> {
    let id = PrekeyId::new(u32::from_be_bytes(take(rest)?))?;
    let drawn = Timestamp::from_millis(u64::from_be_bytes(take(rest)?));
    let dh = XOnlySecretKey::from_secret(secret(rest)?).ok()?;
    let kem = DecapsulationKey::from_secret(secret(rest)?);
    Some(Prekey::from_parts(id, drawn, dh, kem))
}

fn one_time(rest: &mut &[u8]) -> Option<OneTime> {
    let id = PrekeyId::new(u32::from_be_bytes(take(rest)?))?;
    let prekey = PrekeyId::new(u32::from_be_bytes(take(rest)?))?;
    Some(OneTime { id, prekey, secret: XOnlySecretKey::from_secret(secret(rest)?).ok()? })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*bytes)
}

fn secret<const N: usize>(rest: &mut &[u8]) -> Option<Secret<N>> {
    let (bytes, behind) = rest.split_at_checked(N)?;
    *rest = behind;
    Secret::from_slice(bytes)
}

/// Bytes of a prekey and of a one-time key.
const PREKEY: usize = 4 + 8 + 32 + SEED;
const ONE_TIME: usize = 4 + 4 + 32;
