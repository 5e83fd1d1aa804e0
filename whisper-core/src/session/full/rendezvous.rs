//! The topics of invitations to those who do not read every envelope.

use rand_core::CryptoRng;

use crate::crypto::kdf::hmac_sha256;
use crate::crypto::x_only::XOnlyPublicKey;
use crate::hash::sha256;
use crate::time::Timestamp;
use crate::topic::Topic;

/// The topics under which invitations for a prekey may come: those of today and of yesterday. Whoever
/// has the card knows them too.
pub fn rendezvous_topics(
    now: Timestamp,
    dh: &XOnlyPublicKey,
    prekey: &XOnlyPublicKey,
) -> impl Iterator<Item = Topic> {
    let key = key(dh, prekey);
    let today = day(now);
    let days = today.saturating_sub(1)..=today;
    days.flat_map(move |day| (0..SLOTS).map(move |slot| of_slot(&key, day, slot)))
}

/// One of the topics of today.
pub(super) fn topic(
    now: Timestamp,
    dh: &XOnlyPublicKey,
    prekey: &XOnlyPublicKey,
    rng: &mut impl CryptoRng,
) -> Topic {
    let mut slot = [0];
    rng.fill_bytes(&mut slot);
    let [slot] = slot;
    of_slot(&key(dh, prekey), day(now), slot % SLOTS)
}

fn key(dh: &XOnlyPublicKey, prekey: &XOnlyPublicKey) -> [u8; 32] {
    sha256(&[&b"WS1/rv"[..], &dh.to_bytes(), &prekey.to_bytes()].concat())
}

const fn day(now: Timestamp) -> u64 {
    now.as_secs() / 86_400
}

fn of_slot(key: &[u8; 32], day: u64, slot: u8) -> Topic {
    let hash = hmac_sha256(key, &[&day.to_be_bytes(), &[slot]]);
    Topic::new(hash.first_chunk().copied().unwrap_or_default())
}

/// Topics of a day; a power of two, so that a byte chooses evenly.
const SLOTS: u8 = 16;
