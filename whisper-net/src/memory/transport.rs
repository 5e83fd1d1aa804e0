//! One node's end of a network in memory.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;
use tokio::time::Sleep;
use whisper_core::peer::PeerId;

use super::Host;
use super::MemoryNetwork;
use super::Newcomer;
use super::SCHEME;
use super::lock;
use super::pipe::Arrival;
use super::pipe::Bell;
use super::pipe::Pipe;
use crate::peering::Peering;
use crate::transport::AddressError;
use crate::transport::DialError;
use crate::transport::Direction;
use crate::transport::DisconnectReason;
use crate::transport::EVENTS_PER_POLL;
use crate::transport::Goodbye;
use crate::transport::NodeName;
use crate::transport::PeerFacts;
use crate::transport::PeerNumbers;
use crate::transport::Protocol;
use crate::transport::Transport;
use crate::transport::TransportEvent;

/// One node's end of a [`MemoryNetwork`].
pub struct MemoryTransport {
    network: MemoryNetwork,
    name: String,
    host: Arc<Host>,
    numbers: PeerNumbers,
    links: BTreeMap<PeerId, Link>,
    dials: Vec<Dial>,
    events: VecDeque<TransportEvent>,
    alarm: Option<Pin<Box<Sleep>>>,
    /// The link to be read first, so that a busy one cannot starve the others.
    turn: PeerId,
}

struct Link {
    incoming: Pipe,
    outgoing: Pipe,
    protocols: Vec<Protocol>,
    unread_until: Option<Instant>,
}

/// An address that is kept connected.
struct Dial {
    name: String,
    state: DialState,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum DialState {
    Connected(PeerId),
    Due(Instant),
}

impl MemoryTransport {
    pub(super) fn new(network: MemoryNetwork, name: &str, protocols: &[Protocol]) -> Self {
        Self {
            network,
            name: name.to_owned(),
            host: Arc::new(Host {
                protocols: Mutex::new(protocols.to_vec()),
                bell: Bell::default(),
                newcomers: Mutex::default(),
            }),
            numbers: PeerNumbers::default(),
            links: BTreeMap::new(),
            dials: Vec::new(),
            events: VecDeque::new(),
            alarm: None,
            turn: PeerId::new(0),
        }
    }

    pub(super) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    fn welcome(
        &mut self,
        endpoint: String,
        direction: Direction,
        protocols: Vec<Protocol>,
        (incoming, outgoing): (Pipe, Pipe),
    ) -> PeerId {
        let peer = self.numbers.next();
        let link = Link { incoming, outgoing, protocols: protocols.clone(), unread_until: None };
        self.links.insert(peer, link);
        let node = Some(NodeName::new(&endpoint));
        let facts = PeerFacts { node, endpoint, protocols, ..PeerFacts::new(WIRE, direction) };
        self.events.push_back(TransportEvent::Connected { peer, facts });
        peer
    }

    fn dial_what_is_due(&mut self, now: Instant) {
        let mut dials = mem::take(&mut self.dials);
        for dial in &mut dials {
            if matches!(dial.state, DialState::Due(due) if due <= now) {
                dial.state = match self.network.connect((&self.name, &self.host), &dial.name) {
                    Some((protocols, pipes)) => {
                        let endpoint = format!("{SCHEME}{}", dial.name);
                        let peer = self.welcome(endpoint, Direction::Outbound, protocols, pipes);
                        DialState::Connected(peer)
                    }
                    None => DialState::Due(now + self.network.0.faults.redial),
                };
            }
        }
        self.dials = dials;
    }

    fn part(&mut self, peer: PeerId, how: DisconnectReason) {
        if let Some(link) = self.links.remove(&peer) {
            // What was sent still arrives; what comes goes nowhere.
            link.outgoing.finish();
            link.incoming.abandon();
            let again = Instant::now() + self.network.0.faults.redial;
            for dial in &mut self.dials {
                if dial.state == DialState::Connected(peer) {
                    dial.state = DialState::Due(again);
                }
            }
            self.events.push_back(TransportEvent::Disconnected { peer, how });
        }
    }

    /// Reads one link until it is empty or `events` is full; tells when it is worth another look.
    fn read(
        &mut self,
        peer: PeerId,
        now: Instant,
        events: &mut Vec<TransportEvent>,
        room: usize,
    ) -> Option<Instant> {
        let link = self.links.get(&peer)?;
        let (written, broken) = link.outgoing.written();
        if broken {
            self.part(peer, DisconnectReason::Broken);
            return None;
        }
        for (protocol, bytes) in written.into_iter().filter(|(_, bytes)| *bytes > 0) {
            events.push(TransportEvent::Written { peer, protocol, bytes });
        }
        if let Some(until) = link.unread_until.filter(|until| *until > now) {
            return Some(until);
        }
        while events.len() < room {
            match link.incoming.receive(now) {
                Arrival::Packet((protocol, code, payload)) => {
                    events.push(TransportEvent::Received { peer, protocol, code, payload });
                }
                Arrival::NotBefore(due) => return due,
                Arrival::Finished => {
                    self.part(peer, DisconnectReason::Remote);
                    return None;
                }
                Arrival::Broken => {
                    self.part(peer, DisconnectReason::Broken);
                    return None;
                }
            }
        }
        Some(now)
    }

    /// The most protocols on one link: each may tell of writing within one poll.
    fn most_protocols(&self) -> usize {
        self.links.values().map(|link| link.protocols.len()).max().unwrap_or(0)
    }

    /// Reads all links, from the one whose turn it is; tells when it is worth another look.
    fn read_all(
        &mut self,
        now: Instant,
        events: &mut Vec<TransportEvent>,
        room: usize,
    ) -> Option<Instant> {
        let after = self.links.range(self.turn..).map(|(peer, _)| *peer);
        let before = self.links.range(..self.turn).map(|(peer, _)| *peer);
        let peers: Vec<_> = after.chain(before).collect();
        let mut alarm: Option<Instant> = None;
        for peer in peers {
            if events.len() >= room {
                self.turn = peer;
                return Some(now);
            }
            let due = self.read(peer, now, events, room);
            alarm = [alarm, due].into_iter().flatten().min();
        }
        alarm
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>, at: Option<Instant>) -> Poll<()> {
        let due = self.dials.iter().filter_map(|dial| match dial.state {
            DialState::Due(due) => Some(due),
            DialState::Connected(_) => None,
        });
        let Some(at) = due.chain(at).min() else { return Poll::Pending };
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        alarm.as_mut().reset(at);
        alarm.as_mut().poll(cx)
    }
}

impl Transport for MemoryTransport {
    fn share(&mut self, peering: &Peering) {
        self.numbers = peering.numbers.clone();
    }

    fn poll_events(
        &mut self,
        cx: &mut Context<'_>,
        events: &mut Vec<TransportEvent>,
    ) -> Poll<usize> {
        let (before, room) = (events.len(), events.len().saturating_add(EVENTS_PER_POLL));
        loop {
            self.host.bell.answer(cx.waker());
            let now = Instant::now();
            let newcomers: Vec<_> = lock(&self.host.newcomers).drain(..).collect();
            for Newcomer { endpoint, protocols, incoming, outgoing } in newcomers {
                self.welcome(endpoint, Direction::Inbound, protocols, (incoming, outgoing));
            }
            self.dial_what_is_due(now);
            // A connection comes before what it brings, and its end after that.
            events.extend(self.events.drain(..));
            // A link tells of writing and of packets: places are kept for the former.
            let alarm = self.read_all(now, events, room.saturating_sub(self.most_protocols()));
            if events.len() < room {
                events.extend(self.events.drain(..));
            }
            if events.len() > before {
                return Poll::Ready(events.len().saturating_sub(before));
            }
            if self.poll_alarm(cx, alarm).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn send(&mut self, peer: PeerId, protocol: Protocol, code: u8, payload: Vec<u8>) {
        let link = self.links.get(&peer);
        let is_spoken = |link: &&Link| link.protocols.contains(&protocol);
        if let Some(link) = link.filter(is_spoken).filter(|_| code < protocol.codes()) {
            link.outgoing.send((protocol, code, payload));
        }
    }

    fn throttle(&mut self, peer: PeerId, span: Duration) {
        if let Some(link) = self.links.get_mut(&peer) {
            link.unread_until = Some(Instant::now() + span);
        }
    }

    fn disconnect(&mut self, peer: PeerId, why: Goodbye) {
        if why == Goodbye::Requested {
            self.dials.retain(|dial| dial.state != DialState::Connected(peer));
        }
        self.part(peer, DisconnectReason::Local);
        self.host.bell.ring();
    }

    fn dial(&mut self, address: &str) -> Result<NodeName, DialError> {
        let address = address.trim();
        let foreign = DialError::Malformed(AddressError::Scheme);
        let name = address.strip_prefix(SCHEME).ok_or(foreign)?;
        if name == self.name {
            return Err(DialError::OwnAddress);
        }
        let now = DialState::Due(Instant::now());
        match self.dials.iter_mut().find(|dial| dial.name == name) {
            Some(Dial { state: state @ DialState::Due(_), .. }) => *state = now,
            Some(_) => {}
            None => self.dials.push(Dial { name: name.to_owned(), state: now }),
        }
        self.host.bell.ring();
        Ok(NodeName::new(address))
    }

    fn network_changed(&mut self) {
        for dial in &mut self.dials {
            if let DialState::Due(due) = &mut dial.state {
                *due = Instant::now();
            }
        }
        self.host.bell.ring();
    }

    fn offer(&mut self, protocol: Protocol) {
        let mut protocols = lock(&self.host.protocols);
        if !protocols.contains(&protocol) {
            protocols.push(protocol);
        }
    }

    fn addresses(&self) -> Vec<String> {
        vec![format!("{SCHEME}{}", self.name)]
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.host.bell.answer(cx.waker());
        if !self.links.values().all(|link| link.outgoing.is_flushed()) {
            return Poll::Pending;
        }
        self.links.values().for_each(|link| link.outgoing.finish());
        Poll::Ready(())
    }
}

impl Drop for MemoryTransport {
    fn drop(&mut self) {
        for link in self.links.values() {
            link.outgoing.finish();
            link.incoming.abandon();
        }
    }
}

impl fmt::Debug for MemoryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTransport").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What this wire calls itself.
const WIRE: &str = "memory";
