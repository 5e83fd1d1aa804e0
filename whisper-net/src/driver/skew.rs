//! Whether this node's clock is wrong, by what most peers bring.

use std::time::Duration;

use whisper_core::node::PeerInfo;
use whisper_core::node::Skew;
use whisper_core::time::Timestamp;

use crate::events::Event;

/// Says from time to time that the clock seems wrong. It never corrects it: a peer that could make it do so
/// could make this node drop what it likes.
#[derive(Default)]
pub(super) struct SkewMonitor {
    looked: Option<Timestamp>,
    reported: Option<Timestamp>,
}

impl SkewMonitor {
    /// What to tell, if it is time to look and there is something to tell.
    pub(super) fn look(
        &mut self,
        now: Timestamp,
        peers: impl Iterator<Item = PeerInfo>,
    ) -> Option<Event> {
        if !is_over(LOOK_EVERY, self.looked, now) {
            return None;
        }
        self.looked = Some(now);
        let seconds = offset(peers)?;
        let by = Duration::from_secs(seconds.unsigned_abs());
        if by <= TOLERATED || !is_over(TELL_EVERY, self.reported, now) {
            return None;
        }
        self.reported = Some(now);
        Some(Event::ClockSuspect { ahead: seconds < 0, by })
    }
}

/// What more than half of the peers say at the least, if most of them say something.
fn offset(peers: impl Iterator<Item = PeerInfo>) -> Option<i64> {
    let skews: Vec<Option<Skew>> = peers.filter(|peer| peer.ready).map(|peer| peer.skew).collect();
    let telling = skews.iter().flatten().filter(|skew| skew.seconds > 0 || skew.envelopes >= FEW);
    let seconds: Vec<i64> = telling.map(|skew| skew.seconds).collect();
    if seconds.len().saturating_mul(2) <= skews.len() {
        return None;
    }
    Some(agreed(seconds))
}

/// What more than half say at the least; 0 where they do not agree on a direction.
fn agreed(mut seconds: Vec<i64>) -> i64 {
    seconds.sort_unstable();
    // Of the two in the middle of an even number the lesser one: half of the peers never suffice.
    let middle = [seconds.len().saturating_sub(1) / 2, seconds.len() / 2];
    let middle = middle.map(|at| seconds.get(at).copied().unwrap_or_default());
    let agree = middle.iter().all(|own| *own > 0) || middle.iter().all(|own| *own < 0);
    let least = middle.into_iter().min_by_key(|own| own.unsigned_abs());
    least.filter(|_| agree).unwrap_or_default()
}

/// Whether so much time is over, also if the clock was set back meanwhile.
fn is_over(span: Duration, since: Option<Timestamp>, now: Timestamp) -> bool {
    since.is_none_or(|since| now < since || now.saturating_since(since) >= span)
}

const LOOK_EVERY: Duration = Duration::from_secs(10);
const TELL_EVERY: Duration = Duration::from_secs(600);
/// What nodes tolerate of envelopes from the future: beyond it ours are refused, or theirs.
const TOLERATED: Duration = Duration::from_secs(10);
/// A few old envelopes say nothing about the clock: nobody may have made younger ones. They are dated
/// up to 59 seconds back: all of so many seem more than ten seconds old in 0.3 % of minutes.
const FEW: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_peers_do_not_make_a_clock_suspect() {
        assert_eq!(agreed(vec![55, -2]), 0);
        assert_eq!(agreed(vec![-70, 1]), 0);
        assert_eq!(agreed(vec![58, 54]), 54);
        assert_eq!(agreed(vec![-50, -60]), -50);
        assert_eq!(agreed(vec![60, 3, 50]), 50);
        assert_eq!(agreed(vec![60, 61, 2, 3]), 3);
        assert_eq!(agreed(vec![60]), 60);
    }
}
