//! Limits the handshakes that are under way.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::IpAddr;

use tokio::sync::oneshot;

use super::address;

/// The connections that others have opened and whose handshake is not over.
///
/// There are only so many places, and a newcomer always gets one. The connection that gives way is
/// the oldest of the most crowded network: a flood puts out its own.
#[derive(Debug)]
pub struct HandshakeLimiter {
    places: usize,
    under_way: VecDeque<(IpAddr, oneshot::Sender<Infallible>)>,
}

/// A place for one handshake, free again when it is dropped.
#[derive(Debug)]
pub struct Place(oneshot::Receiver<Infallible>);

impl HandshakeLimiter {
    /// A limiter with so many places, at least one.
    pub fn new(places: usize) -> Self {
        Self { places: places.max(1), under_way: VecDeque::new() }
    }

    /// A place for a connection from this address.
    pub fn enter(&mut self, from: IpAddr) -> Place {
        self.under_way.retain(|(_, handshake)| !handshake.is_closed());
        let (handshake, place) = oneshot::channel();
        self.under_way.push_back((from, handshake));
        if self.under_way.len() > self.places {
            self.under_way.remove(self.gives_way());
        }
        Place(place)
    }

    /// The place to take away: region, network and subscriber are looked at one after the other.
    fn gives_way(&self) -> usize {
        let mut among: Vec<usize> = (0..self.under_way.len()).collect();
        for group in [address::region, address::network, address::subscriber] {
            let of = |index: &usize| self.under_way.get(*index).map(|(from, _)| group(*from));
            let mut counts: BTreeMap<Option<IpAddr>, usize> = BTreeMap::new();
            for index in &among {
                let count = counts.entry(of(index)).or_default();
                *count = count.saturating_add(1);
            }
            let most = counts.values().copied().max().unwrap_or(0);
            among.retain(|index| counts.get(&of(index)) == Some(&most));
        }
        among.first().copied().unwrap_or(0)
    }
}

impl Place {
    /// Waits until the place is taken away.
    pub async fn lost(&mut self) {
        // There is nothing that could be sent.
        let _ = (&mut self.0).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn is_lost(place: &mut Place) -> bool {
        timeout(Duration::ZERO, place.lost()).await.is_ok()
    }

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_of_one_network_gives_way_and_none_while_there_is_room() {
        let mut limiter = HandshakeLimiter::new(2);
        let from = at("203.0.113.7");
        let (mut first, second) = (limiter.enter(from), limiter.enter(from));
        assert!(!is_lost(&mut first).await);
        drop(second);
        let mut third = limiter.enter(from);
        assert!(!is_lost(&mut first).await);
        let mut fourth = limiter.enter(from);
        assert!(is_lost(&mut first).await);
        assert!(!is_lost(&mut third).await && !is_lost(&mut fourth).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_puts_out_its_own_handshakes_and_no_others() {
        let mut limiter = HandshakeLimiter::new(8);
        let honest = ["198.51.100.1", "203.0.113.9", "2001:db8:1::1"];
        let mut honest = honest.map(|from| limiter.enter(at(from)));
        // One provider's range: each connection from a /48 of its own.
        let flood = (0..1_000_u16).map(|n| IpAddr::from([0x2a00, 0x1234, n, 0, 0, 0, 0, 1]));
        let mut flood: Vec<Place> = flood.map(|from| limiter.enter(from)).collect();
        for place in &mut honest {
            assert!(!is_lost(place).await);
        }
        let (last, before) = flood.split_last_mut().unwrap();
        assert!(!is_lost(last).await && is_lost(&mut before[0]).await);
    }
}
