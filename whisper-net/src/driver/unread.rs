//! Who is not to be read yet, and what was read of them all the same.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;
use whisper_core::peer::PeerId;

/// The peers that the relay leaves unread for a while, and their packets.
///
/// A transport reads ahead: of a peer that is throttled it may hand in all that was in its queue. The
/// relay takes these one at a time, as if they were still in the socket.
#[derive(Debug, Default)]
pub(super) struct Unread {
    until: BTreeMap<PeerId, Instant>,
    /// Until when the handlers of other protocols leave a peer alone.
    paused: BTreeMap<PeerId, Instant>,
    waiting: BTreeMap<PeerId, Waiting>,
}

/// The packets of one peer, in the order in which they came.
#[derive(Debug, Default)]
struct Waiting {
    packets: VecDeque<Packet>,
    bytes: usize,
}

/// The code and the payload of a packet.
pub(super) type Packet = (u8, Vec<u8>);

impl Unread {
    /// Notes until when a peer is not to be read.
    pub(super) fn throttle(&mut self, peer: PeerId, until: Instant) {
        self.until.insert(peer, until);
    }

    /// Notes until when the handler of another protocol leaves a peer alone, or longer if one did before.
    pub(super) fn pause(&mut self, peer: PeerId, until: Instant) {
        let paused = self.paused.entry(peer).or_insert(until);
        *paused = until.max(*paused);
    }

    /// Keeps a packet of a peer that is not to be read, behind those that wait. Gives back the one that
    /// is to be taken now: this one if it may be, or the first that waits where too much does.
    pub(super) fn hold(&mut self, now: Instant, peer: PeerId, packet: Packet) -> Option<Packet> {
        if !self.waiting.contains_key(&peer) && self.left(now, peer).is_zero() {
            return Some(packet);
        }
        let waiting = self.waiting.entry(peer).or_default();
        waiting.push(packet);
        (waiting.bytes > LONGEST).then(|| waiting.pop())?
    }

    /// The next packet that may be taken.
    pub(super) fn next(&mut self, now: Instant) -> Option<(PeerId, Packet)> {
        let mut peers = self.waiting.keys().copied();
        let peer = peers.find(|peer| self.left(now, *peer).is_zero())?;
        let waiting = self.waiting.get_mut(&peer)?;
        let packet = waiting.pop();
        if waiting.packets.is_empty() {
            self.waiting.remove(&peer);
        }
        packet.map(|packet| (peer, packet))
    }

    /// For how long the socket of a peer is to be left alone: while packets wait, until told otherwise.
    pub(super) fn span(&self, now: Instant, peer: PeerId) -> Duration {
        match self.waiting.contains_key(&peer) {
            true => UNTIL_TOLD,
            false => {
                let paused = self.paused.get(&peer);
                let paused = paused.map(|until| until.saturating_duration_since(now));
                self.left(now, peer).max(paused.unwrap_or_default())
            }
        }
    }

    /// When a packet may be taken.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.keys().filter_map(|peer| self.until.get(peer)).min().copied()
    }

    /// Forgets a peer that is gone.
    pub(super) fn forget(&mut self, peer: PeerId) {
        self.until.remove(&peer);
        self.paused.remove(&peer);
        self.waiting.remove(&peer);
    }

    fn left(&self, now: Instant, peer: PeerId) -> Duration {
        self.until.get(&peer).map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }
}

impl Waiting {
    fn push(&mut self, packet: Packet) {
        self.bytes = self.bytes.saturating_add(packet.1.len());
        self.packets.push_back(packet);
    }

    fn pop(&mut self) -> Option<Packet> {
        let packet = self.packets.pop_front()?;
        self.bytes = self.bytes.saturating_sub(packet.1.len());
        Some(packet)
    }
}

/// Bytes that wait of one peer: a packet of the greatest length and some more. What is above goes to the
/// relay at once, which charges for it and keeps it in bounds of its own.
const LONGEST: usize = 2 << 20;
/// A day: it fits into any clock.
const UNTIL_TOLD: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_taken_in_order_once_its_peer_may_be_read() {
        let (mut unread, now) = (Unread::default(), Instant::now());
        let (peer, other) = (PeerId::new(1), PeerId::new(2));
        let later = now + Duration::from_secs(1);
        let packet = |code| (code, Vec::new());
        assert_eq!(unread.hold(now, peer, packet(1)), Some(packet(1)));
        unread.throttle(peer, later);
        assert_eq!(unread.span(now, peer), Duration::from_secs(1));
        for code in [2, 3] {
            assert_eq!(unread.hold(now, peer, packet(code)), None);
        }
        assert_eq!(unread.hold(now, other, packet(9)), Some(packet(9)), "others are read");
        assert_eq!((unread.next(now), unread.due()), (None, Some(later)));
        assert!(unread.span(later, peer) > Duration::from_secs(3_600), "no more is read meanwhile");

        assert_eq!(unread.next(later), Some((peer, packet(2))));
        assert_eq!(unread.hold(later, peer, packet(4)), None, "behind those that wait");
        unread.throttle(peer, later + Duration::from_secs(1));
        assert_eq!(unread.next(later), None);
        let end = later + Duration::from_secs(1);
        assert_eq!(unread.next(end), Some((peer, packet(3))));
        assert_eq!(unread.next(end), Some((peer, packet(4))));
        assert_eq!((unread.next(end), unread.due()), (None, None));
        assert_eq!(unread.span(end, peer), Duration::ZERO);
    }

    #[test]
    fn a_short_wait_of_the_relay_ends_no_longer_one_of_a_handler() {
        let (mut unread, now) = (Unread::default(), Instant::now());
        let (peer, second) = (PeerId::new(1), Duration::from_secs(1));
        unread.pause(peer, now + 5 * second);
        unread.pause(peer, now + 2 * second);
        unread.throttle(peer, now + second);
        assert_eq!(unread.span(now, peer), 5 * second);
        assert_eq!(unread.hold(now + second, peer, (0, Vec::new())), Some((0, Vec::new())));
        unread.forget(peer);
        assert_eq!(unread.span(now, peer), Duration::ZERO);
    }

    #[test]
    fn no_more_waits_of_a_peer_than_the_bound_and_none_of_it_is_lost() {
        let (mut unread, now) = (Unread::default(), Instant::now());
        let peer = PeerId::new(1);
        unread.throttle(peer, now + Duration::from_secs(1));
        let packet = |code| (code, vec![0; LONGEST / 2]);
        assert_eq!(unread.hold(now, peer, packet(1)), None);
        assert_eq!(unread.hold(now, peer, packet(2)), None);
        for code in 3..9 {
            assert_eq!(unread.hold(now, peer, packet(code)), Some(packet(code - 2)), "in order");
        }
    }
}
