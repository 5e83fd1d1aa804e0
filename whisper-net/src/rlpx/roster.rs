//! Who is connected, and whether somebody else may be.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use whisper_core::crypto::curve::PublicKey;

use super::address;
use super::config::Limits;
use super::config::RlpxConfig;
use super::disconnect::Reason;
use crate::transport::Direction;

/// The peers of a node, shared by the tasks of their connections.
#[derive(Clone)]
pub(super) struct Roster(Arc<Shared>);

struct Shared {
    own: PublicKey,
    limits: Limits,
    trusted: BTreeSet<PublicKey>,
    allowed: Option<BTreeSet<PublicKey>>,
    peers: Mutex<BTreeMap<PublicKey, Visitor>>,
}

/// How somebody comes.
#[derive(Clone, Copy)]
pub(super) struct Visitor {
    pub(super) direction: Direction,
    pub(super) address: IpAddr,
}

impl Roster {
    pub(super) fn new(config: &RlpxConfig) -> Self {
        Self(Arc::new(Shared {
            own: config.identity.public_key(),
            limits: config.limits.clone(),
            trusted: config.trusted.iter().copied().collect(),
            allowed: config.allowed.as_ref().map(|keys| keys.iter().copied().collect()),
            peers: Mutex::default(),
        }))
    }

    /// Whether somebody could be a peer now.
    pub(super) fn check(&self, key: &PublicKey, visitor: Visitor) -> Result<(), Reason> {
        self.0.check(&self.0.lock(), key, visitor)
    }

    /// Makes somebody a peer, for as long as the seat is kept.
    pub(super) fn admit(&self, key: PublicKey, visitor: Visitor) -> Result<Seat, Reason> {
        let mut peers = self.0.lock();
        self.0.check(&peers, &key, visitor)?;
        peers.insert(key, visitor);
        Ok(Seat { roster: self.clone(), key })
    }

    pub(super) fn is_connected(&self, key: &PublicKey) -> bool {
        self.0.lock().contains_key(key)
    }

    pub(super) fn is_trusted(&self, key: &PublicKey) -> bool {
        self.0.trusted.contains(key)
    }
}

impl Shared {
    /// In the order of go-ethereum: limits first, then who it is.
    fn check(
        &self,
        peers: &BTreeMap<PublicKey, Visitor>,
        key: &PublicKey,
        visitor: Visitor,
    ) -> Result<(), Reason> {
        if self.allowed.as_ref().is_some_and(|allowed| !allowed.contains(key)) {
            return Err(Reason::UselessPeer);
        }
        if !self.trusted.contains(key) && self.is_full(peers, visitor) {
            return Err(Reason::TooManyPeers);
        }
        if peers.contains_key(key) {
            return Err(Reason::AlreadyConnected);
        }
        if *key == self.own {
            return Err(Reason::ConnectedToSelf);
        }
        Ok(())
    }

    fn is_full(&self, peers: &BTreeMap<PublicKey, Visitor>, visitor: Visitor) -> bool {
        let untrusted = peers.iter().filter(|(key, _)| !self.trusted.contains(*key));
        let inbound = untrusted.clone().filter(|(_, peer)| peer.direction == Direction::Inbound);
        let network = address::network(visitor.address);
        let neighbours = inbound.clone().filter(|(_, p)| address::network(p.address) == network);
        let exempt = self.limits.exempt_local && address::is_local(visitor.address);
        untrusted.count() >= self.limits.max_peers
            || visitor.direction == Direction::Inbound
                && (inbound.count() >= self.limits.max_inbound
                    || !exempt && neighbours.count() >= self.limits.max_per_network)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PublicKey, Visitor>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among the peers, given back when dropped.
pub(super) struct Seat {
    roster: Roster,
    key: PublicKey,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.roster.0.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use chacha20::ChaCha20Rng;
    use rand_core::SeedableRng;
    use whisper_core::identity::Identity;

    use super::*;

    fn key(seed: u64) -> PublicKey {
        Identity::generate(&mut ChaCha20Rng::seed_from_u64(seed)).public_key()
    }

    fn config() -> RlpxConfig {
        let own = Identity::generate(&mut ChaCha20Rng::seed_from_u64(0));
        RlpxConfig::new(Arc::new(own))
    }

    fn from(direction: Direction, address: &str) -> Visitor {
        Visitor { direction, address: address.parse().unwrap() }
    }

    fn inbound() -> Visitor {
        from(Direction::Inbound, "127.0.0.1")
    }

    #[test]
    fn a_second_connection_and_oneself_are_refused() {
        let roster = Roster::new(&config());
        let seat = roster.admit(key(1), inbound()).unwrap();
        assert_eq!(roster.check(&key(1), inbound()), Err(Reason::AlreadyConnected));
        assert_eq!(roster.check(&key(0), inbound()), Err(Reason::ConnectedToSelf));
        drop(seat);
        assert!(roster.admit(key(1), inbound()).is_ok());
    }

    #[test]
    fn d10_inbound_peers_never_take_all_places() {
        let roster = Roster::new(&config());
        let seats: Vec<_> = (1..44).map(|n| roster.admit(key(n), inbound()).unwrap()).collect();
        assert_eq!(roster.check(&key(99), inbound()), Err(Reason::TooManyPeers));
        let outbound = from(Direction::Outbound, "127.0.0.1");
        let rest: Vec<_> = (44..65).map(|n| roster.admit(key(n), outbound).unwrap()).collect();
        assert_eq!(roster.check(&key(99), outbound), Err(Reason::TooManyPeers));
        assert_eq!(seats.len() + rest.len(), 64);
    }

    #[test]
    fn d9_a_network_gets_eight_places() {
        let roster = Roster::new(&config());
        let visitor = |n: u64| from(Direction::Inbound, &format!("203.0.113.{n}"));
        let _seats: Vec<_> = (1..9).map(|n| roster.admit(key(n), visitor(n)).unwrap()).collect();
        assert_eq!(roster.check(&key(9), visitor(9)), Err(Reason::TooManyPeers));
        assert!(roster.check(&key(9), from(Direction::Inbound, "203.0.112.9")).is_ok());
    }

    #[test]
    fn trusted_peers_are_let_in_and_take_nobodys_place() {
        let limits = Limits { max_peers: 1, ..Limits::default() };
        let roster = Roster::new(&RlpxConfig { trusted: vec![key(2)], limits, ..config() });
        let _trusted = roster.admit(key(2), inbound()).unwrap();
        let _other = roster.admit(key(1), inbound()).unwrap();
        assert_eq!(roster.check(&key(3), inbound()), Err(Reason::TooManyPeers));
        assert_eq!(roster.check(&key(2), inbound()), Err(Reason::AlreadyConnected));
    }

    #[test]
    fn a_list_of_allowed_peers_leaves_out_the_others() {
        let roster = Roster::new(&RlpxConfig { allowed: Some(vec![key(1)]), ..config() });
        assert!(roster.check(&key(1), inbound()).is_ok());
        assert_eq!(roster.check(&key(2), inbound()), Err(Reason::UselessPeer));
    }
}
