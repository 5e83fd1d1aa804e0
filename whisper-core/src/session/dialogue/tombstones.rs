//! The names of sessions that are over: none of them begins again.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use core::time::Duration;

use super::super::contract::SessionId;
use super::due::DAY;
use crate::hash::sha256;
use crate::time::Timestamp;

/// What is left of sessions that are over, of all peers of an account, for 30 days.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tombstones {
    ended: BTreeMap<Stone, Timestamp>,
    oldest: BTreeSet<(Timestamp, Stone)>,
}

/// A part of the hash of a name: it does not tell the topics of the session that had it.
type Stone = [u8; 16];

impl Tombstones {
    /// Notes that a session is over. If there are too many, the oldest goes.
    pub fn insert(&mut self, now: Timestamp, session: &SessionId) {
        let stone = stone(session);
        if let Some(before) = self.ended.insert(stone, now) {
            self.oldest.remove(&(before, stone));
        }
        self.oldest.insert((now, stone));
        if self.ended.len() > MOST
            && let Some((_, oldest)) = self.oldest.pop_first()
        {
            self.ended.remove(&oldest);
        }
    }

    /// Whether a session of this name is over.
    pub fn contains(&self, session: &SessionId) -> bool {
        self.ended.contains_key(&stone(session))
    }

    /// Forgets what is too old. Call it only while the clock can be trusted with that.
    pub fn expire(&mut self, now: Timestamp) {
        while let Some((at, stone)) = self.oldest.first().copied() {
            if now.saturating_since(at) < LIFE {
                break;
            }
            self.oldest.pop_first();
            self.ended.remove(&stone);
        }
    }

    /// When there is something to forget.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.oldest.first().map(|(at, _)| at.saturating_add(LIFE))
    }
}

fn stone(session: &SessionId) -> Stone {
    sha256(session.as_bytes()).first_chunk().copied().unwrap_or_default()
}

/// As many as invitations that are remembered. A repeated invitation is refused by its key too, for
/// as long as it opens at all; tombstones hold after that memory was lost.
const MOST: usize = 65_536;
const LIFE: Duration = Duration::from_secs(30 * DAY.as_secs());

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_750_000_000);

    fn session(number: u64) -> SessionId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        SessionId::new(bytes)
    }

    #[test]
    fn an_end_is_known_for_30_days() {
        let mut stones = Tombstones::default();
        stones.insert(NOW, &session(1));
        assert!(stones.contains(&session(1)) && !stones.contains(&session(2)));
        let last = NOW.saturating_add(LIFE).saturating_sub(Duration::from_millis(1));
        stones.expire(last);
        assert!(stones.contains(&session(1)));
        assert_eq!(stones.next_expiry(), Some(NOW.saturating_add(LIFE)));
        stones.expire(NOW.saturating_add(LIFE));
        assert_eq!(stones, Tombstones::default());
    }

    #[test]
    fn the_oldest_of_too_many_goes() {
        let mut stones = Tombstones::default();
        for number in 0..70_000 {
            stones.insert(NOW.saturating_add(Duration::from_millis(number)), &session(number));
        }
        assert_eq!((stones.ended.len(), stones.oldest.len()), (MOST, MOST));
        assert!(stones.contains(&session(69_999)));
        assert!(stones.contains(&session(70_000 - 65_536)));
        assert!(!stones.contains(&session(70_000 - 65_537)));
    }
}
