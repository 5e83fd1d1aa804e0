//! Who is connected, whether another node may be, and whose place it takes.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use whisper_core::node::Direction;

use super::address;
use super::limits::Limits;
use super::name::NodeName;

/// The connected nodes, shared by all connections of all transports of one node.
#[derive(Clone, Default)]
pub struct PeerTable(Arc<Mutex<Peers>>);

#[derive(Default)]
struct Peers {
    by_name: BTreeMap<NodeName, Peer>,
    /// The number of the next slot: a node that connects anew gets another one.
    next: u64,
}

struct Peer {
    slot: u64,
    candidate: Candidate,
    since: Instant,
    /// Dropped when another connection takes the place.
    _stays: oneshot::Sender<Infallible>,
}

/// A node that could become a peer, and how it comes.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The key that it has proved to hold, or will.
    pub name: NodeName,
    /// Which end has opened the connection.
    pub direction: Direction,
    /// The address it comes from.
    pub address: IpAddr,
}

/// What one transport asks of its peers.
#[derive(Clone, Debug)]
pub struct Rules {
    /// This node.
    pub own: NodeName,
    /// The nodes that are let in whatever the limits say.
    pub trusted: BTreeSet<NodeName>,
    /// The nodes that may be peers at all; every node, unless there is a list.
    pub allowed: Option<BTreeSet<NodeName>>,
    /// How many peers there may be.
    pub limits: Limits,
}

impl PeerTable {
    /// Whether a node could be a peer now, once it has proved who it is.
    ///
    /// # Errors
    /// [`Refusal`] says why not.
    pub fn check(&self, now: Instant, rules: &Rules, candidate: &Candidate) -> Result<(), Refusal> {
        self.lock().check(now, rules, candidate)
    }

    /// Makes a node a peer that has proved who it is, for as long as the slot is kept. It may take the
    /// place of an earlier connection of the same node, whose slot is lost then.
    ///
    /// # Errors
    /// [`Refusal`] says why it is none.
    pub fn admit(
        &self,
        now: Instant,
        rules: &Rules,
        candidate: Candidate,
    ) -> Result<Slot, Refusal> {
        let mut peers = self.lock();
        peers.check(now, rules, &candidate)?;
        let slot = peers.next;
        peers.next = slot.wrapping_add(1);
        let (stays, lost) = oneshot::channel();
        let name = candidate.name.clone();
        peers.by_name.insert(name.clone(), Peer { slot, candidate, since: now, _stays: stays });
        Ok(Slot { table: self.clone(), name, number: slot, lost })
    }

    /// Whether a node is connected.
    pub fn contains(&self, name: &NodeName) -> bool {
        self.lock().by_name.contains_key(name)
    }

    /// Whether no node is connected.
    pub fn is_empty(&self) -> bool {
        self.lock().by_name.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Peers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for PeerTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerTable").finish_non_exhaustive()
    }
}

impl Peers {
    /// In the order of go-ethereum: limits first, then who it is.
    fn check(&self, now: Instant, rules: &Rules, candidate: &Candidate) -> Result<(), Refusal> {
        let name = &candidate.name;
        if rules.allowed.as_ref().is_some_and(|allowed| !allowed.contains(name)) {
            return Err(Refusal::NotAllowed);
        }
        if !rules.trusted.contains(name) && self.is_full(rules, candidate) {
            return Err(Refusal::Full);
        }
        if self.by_name.get(name).is_some_and(|peer| !peer.gives_way(now, &rules.own, candidate)) {
            return Err(Refusal::Connected);
        }
        if *name == rules.own {
            return Err(Refusal::OwnKey);
        }
        Ok(())
    }

    fn is_full(&self, rules: &Rules, candidate: &Candidate) -> bool {
        let Limits { max_peers, max_inbound, .. } = rules.limits;
        let Limits { max_per_network, max_per_region, exempt_local, .. } = rules.limits;
        // A node takes its own former place.
        let others = self.by_name.iter().filter(|(name, _)| **name != candidate.name);
        let untrusted = others.filter(|(name, _)| !rules.trusted.contains(*name));
        let peers = untrusted.map(|(_, peer)| &peer.candidate);
        let inbound = peers.clone().filter(|peer| peer.direction == Direction::Inbound);
        let from = |group: fn(IpAddr) -> IpAddr| {
            let own = group(candidate.address);
            inbound.clone().filter(move |peer| group(peer.address) == own).count()
        };
        let exempt = exempt_local && address::is_local(candidate.address);
        peers.count() >= max_peers
            || candidate.direction == Direction::Inbound
                && (inbound.clone().count() >= max_inbound
                    || !exempt && from(address::network) >= max_per_network
                    || !exempt && from(address::region) >= max_per_region)
    }
}

impl Peer {
    /// Whether a new connection of the same node takes this one's place: a node that dials anew knows
    /// that its former connection is gone, long before this end does.
    fn gives_way(&self, now: Instant, own: &NodeName, candidate: &Candidate) -> bool {
        match (self.candidate.direction, candidate.direction) {
            (Direction::Inbound, Direction::Inbound) => true,
            (Direction::Outbound, Direction::Outbound) => false,
            (_, Direction::Inbound) if now.duration_since(self.since) >= AT_ONCE => true,
            // Both ends have dialled at once, and have to agree: what the greater name has dialled stays.
            (_, Direction::Inbound) => candidate.name > *own,
            (_, Direction::Outbound) => *own > candidate.name,
        }
    }
}

/// A place among the peers, given back when dropped.
#[derive(Debug)]
pub struct Slot {
    table: PeerTable,
    name: NodeName,
    number: u64,
    lost: oneshot::Receiver<Infallible>,
}

impl Slot {
    /// Waits until another connection of the same node has taken the place.
    pub async fn lost(&mut self) {
        // There is nothing that could be sent.
        let _ = (&mut self.lost).await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut peers = self.table.lock();
        if peers.by_name.get(&self.name).is_some_and(|peer| peer.slot == self.number) {
            peers.by_name.remove(&self.name);
        }
    }
}

/// Why a node is no peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The node is not among those that may be peers.
    #[error("the node is not on the list of allowed peers")]
    NotAllowed,
    /// There is no place.
    #[error("there is no place for another peer")]
    Full,
    /// The node is connected already.
    #[error("the node is connected already")]
    Connected,
    /// The other end holds this node's key.
    #[error("the other end holds this node's own key")]
    OwnKey,
}

/// Connections that were opened within so short a time may have been dialled by both ends at once: as
/// long as an attempt may take.
const AT_ONCE: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: u64) -> NodeName {
        NodeName::new(number.to_be_bytes())
    }

    fn rules() -> Rules {
        let limits = Limits::default();
        Rules { own: name(1_000), trusted: BTreeSet::new(), allowed: None, limits }
    }

    fn from(direction: Direction, number: u64, address: &str) -> Candidate {
        Candidate { name: name(number), direction, address: address.parse().unwrap() }
    }

    fn inbound(number: u64) -> Candidate {
        from(Direction::Inbound, number, "127.0.0.1")
    }

    fn outbound(number: u64) -> Candidate {
        from(Direction::Outbound, number, "127.0.0.1")
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_comes_anew_takes_its_former_place() {
        let (table, now) = (PeerTable::default(), Instant::now());
        let mut former = table.admit(now, &rules(), inbound(1)).unwrap();
        assert!(tokio::time::timeout(Duration::from_secs(1), former.lost()).await.is_err());
        let newer = table.admit(now, &rules(), inbound(1)).unwrap();
        former.lost().await;
        drop(former);
        assert!(table.contains(&name(1)), "the former slot does not take the newer one along");
        drop(newer);
        assert!(table.is_empty());
    }

    #[test]
    fn its_former_place_is_there_for_it_when_all_are_taken() {
        let (table, now) = (PeerTable::default(), Instant::now());
        let limits = Limits { max_peers: 1, ..Limits::default() };
        let rules = Rules { limits, ..rules() };
        let _former = table.admit(now, &rules, inbound(1)).unwrap();
        assert_eq!(table.check(now, &rules, &inbound(2)), Err(Refusal::Full));
        assert_eq!(table.check(now, &rules, &inbound(1)), Ok(()));
    }

    #[test]
    fn nodes_that_dial_each_other_at_once_keep_the_same_connection() {
        let now = Instant::now();
        // At the end of each of them, the connection that it has dialled and the other's come in
        // either order.
        for (own, other) in [(1, 2), (2, 1)] {
            let rules = Rules { own: name(own), ..rules() };
            let own_stays = own > other;
            let table = PeerTable::default();
            let _slot = table.admit(now, &rules, outbound(other)).unwrap();
            assert_eq!(table.check(now, &rules, &inbound(other)).is_err(), own_stays);
            let table = PeerTable::default();
            let _slot = table.admit(now, &rules, inbound(other)).unwrap();
            assert_eq!(table.check(now, &rules, &outbound(other)).is_ok(), own_stays);
        }
    }

    #[test]
    fn a_connection_that_has_stood_for_long_gives_way_to_one_that_its_node_dials() {
        let (table, now) = (PeerTable::default(), Instant::now());
        let _slot = table.admit(now, &rules(), outbound(1)).unwrap();
        assert_eq!(table.check(now, &rules(), &inbound(1)), Err(Refusal::Connected));
        assert_eq!(table.check(now + AT_ONCE, &rules(), &inbound(1)), Ok(()));
    }

    #[test]
    fn this_node_is_no_peer_of_its_own() {
        let (table, now) = (PeerTable::default(), Instant::now());
        assert_eq!(table.check(now, &rules(), &inbound(1_000)), Err(Refusal::OwnKey));
    }

    #[test]
    fn d10_inbound_peers_never_take_all_places() {
        let (table, rules, now) = (PeerTable::default(), rules(), Instant::now());
        let admit = |candidate| table.admit(now, &rules, candidate).unwrap();
        let slots: Vec<Slot> = (1..44).map(|n| admit(inbound(n))).collect();
        assert_eq!(table.check(now, &rules, &inbound(99)), Err(Refusal::Full));
        let rest: Vec<Slot> = (44..65).map(|n| admit(outbound(n))).collect();
        assert_eq!(table.check(now, &rules, &outbound(99)), Err(Refusal::Full));
        assert_eq!(slots.len() + rest.len(), 64);
    }

    #[test]
    fn d9_a_network_gets_eight_places() {
        let (table, rules, now) = (PeerTable::default(), rules(), Instant::now());
        let at = |n: u64| from(Direction::Inbound, n, &format!("203.0.113.{n}"));
        let _slots: Vec<Slot> = (1..9).map(|n| table.admit(now, &rules, at(n)).unwrap()).collect();
        assert_eq!(table.check(now, &rules, &at(9)), Err(Refusal::Full));
        let elsewhere = from(Direction::Inbound, 9, "203.0.112.9");
        assert_eq!(table.check(now, &rules, &elsewhere), Ok(()));
    }

    #[test]
    fn d9_a_provider_gets_sixteen_places_however_many_networks_it_has() {
        let (table, rules, now) = (PeerTable::default(), rules(), Instant::now());
        for range in ["2001:db8", "203.0"] {
            let at = |n: u64| {
                let address = match range {
                    "203.0" => format!("203.0.{n}.7"),
                    _ => format!("2001:db8:{n}::7"),
                };
                from(Direction::Inbound, n, &address)
            };
            let slots = (1..60).filter_map(|n| table.admit(now, &rules, at(n)).ok());
            let slots: Vec<Slot> = slots.collect();
            assert_eq!(slots.len(), 16);
            let elsewhere = from(Direction::Inbound, 99, "198.51.100.1");
            assert_eq!(table.check(now, &rules, &elsewhere), Ok(()));
        }
    }

    #[test]
    fn trusted_peers_are_let_in_and_take_no_place_of_others() {
        let (table, now) = (PeerTable::default(), Instant::now());
        let limits = Limits { max_peers: 1, ..Limits::default() };
        let rules = Rules { trusted: [name(2)].into(), limits, ..rules() };
        let _trusted = table.admit(now, &rules, inbound(2)).unwrap();
        let _other = table.admit(now, &rules, inbound(1)).unwrap();
        assert_eq!(table.check(now, &rules, &inbound(3)), Err(Refusal::Full));
    }

    #[test]
    fn a_list_of_allowed_peers_leaves_out_the_others() {
        let (table, now) = (PeerTable::default(), Instant::now());
        let rules = Rules { allowed: Some([name(1)].into()), ..rules() };
        assert_eq!(table.check(now, &rules, &inbound(1)), Ok(()));
        assert_eq!(table.check(now, &rules, &inbound(2)), Err(Refusal::NotAllowed));
    }
}
