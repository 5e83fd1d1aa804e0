//! Several transports as one.

use std::collections::BTreeMap;
use std::fmt;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use whisper_core::peer::PeerId;

use super::AddressError;
use super::DialError;
use super::Goodbye;
use super::NodeName;
use super::Protocol;
use super::Transport;
use super::TransportEvent;
use crate::peering::Peering;

/// Several transports of one node. A node on two wires joins their networks by doing nothing: the
/// same envelopes go over both.
///
/// An address is dialled by the first transport that knows its kind.
pub struct Joined {
    members: Vec<Member>,
    /// Which member a connection belongs to.
    owners: BTreeMap<PeerId, usize>,
    /// The member to be asked first, so that a busy one cannot starve the others.
    turn: usize,
}

struct Member {
    transport: Box<dyn Transport>,
    ended: bool,
}

impl Joined {
    /// These transports as one.
    pub fn new(members: impl IntoIterator<Item = Box<dyn Transport>>) -> Self {
        let members = members.into_iter().map(|transport| Member { transport, ended: false });
        Self { members: members.collect(), owners: BTreeMap::new(), turn: 0 }
    }

    fn of(&mut self, peer: PeerId) -> Option<&mut Box<dyn Transport>> {
        let owner = *self.owners.get(&peer)?;
        self.members.get_mut(owner).map(|member| &mut member.transport)
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Box<dyn Transport>> {
        self.members.iter_mut().map(|member| &mut member.transport)
    }

    /// Learns from an event of a member, and makes it one of all.
    fn learn(&mut self, member: usize, event: &mut TransportEvent) {
        match event {
            TransportEvent::Connected { peer, .. } => {
                self.owners.insert(*peer, member);
            }
            TransportEvent::Disconnected { peer, .. } => {
                self.owners.remove(peer);
            }
            TransportEvent::Addresses(addresses) => *addresses = self.addresses(),
            TransportEvent::Received { .. }
            | TransportEvent::Written { .. }
            | TransportEvent::Unreachable { .. } => {}
        }
    }
}

impl Transport for Joined {
    fn share(&mut self, peering: &Peering) {
        self.all().for_each(|transport| transport.share(peering));
    }

    fn poll_events(
        &mut self,
        cx: &mut Context<'_>,
        events: &mut Vec<TransportEvent>,
    ) -> Poll<usize> {
        let (before, count) = (events.len(), self.members.len());
        for step in 0..count {
            let turn = (self.turn + step) % count;
            let Some(member) = self.members.get_mut(turn).filter(|member| !member.ended) else {
                continue;
            };
            match member.transport.poll_events(cx, events) {
                Poll::Pending => {}
                Poll::Ready(0) => member.ended = true,
                Poll::Ready(added) => {
                    self.turn = (turn + 1) % count;
                    let new = events.get_mut(before..).unwrap_or_default();
                    new.iter_mut().for_each(|event| self.learn(turn, event));
                    return Poll::Ready(added);
                }
            }
        }
        if self.members.iter().all(|member| member.ended) { Poll::Ready(0) } else { Poll::Pending }
    }

    fn send(&mut self, peer: PeerId, protocol: Protocol, code: u8, payload: Vec<u8>) {
        if let Some(transport) = self.of(peer) {
            transport.send(peer, protocol, code, payload);
        }
    }

    fn throttle(&mut self, peer: PeerId, span: Duration) {
        if let Some(transport) = self.of(peer) {
            transport.throttle(peer, span);
        }
    }

    fn disconnect(&mut self, peer: PeerId, why: Goodbye) {
        if let Some(transport) = self.of(peer) {
            transport.disconnect(peer, why);
        }
    }

    fn dial(&mut self, address: &str) -> Result<NodeName, DialError> {
        let mut refusal = DialError::Unsupported;
        for transport in self.all() {
            match transport.dial(address) {
                Err(DialError::Unsupported) => {}
                Err(foreign @ DialError::Malformed(AddressError::Scheme)) => refusal = foreign,
                answer => return answer,
            }
        }
        Err(refusal)
    }

    fn network_changed(&mut self) {
        self.all().for_each(|transport| transport.network_changed());
    }

    fn offer(&mut self, protocol: Protocol) {
        self.all().for_each(|transport| transport.offer(protocol));
    }

    fn set_suspended(&mut self, suspended: bool) {
        self.all().for_each(|transport| transport.set_suspended(suspended));
    }

    fn addresses(&self) -> Vec<String> {
        self.members.iter().flat_map(|member| member.transport.addresses()).collect()
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // All are asked, not only those before the first that is not ready.
        let open =
            self.all().filter_map(|transport| transport.poll_close(cx).is_pending().then_some(()));
        if open.count() == 0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl fmt::Debug for Joined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joined").field("members", &self.members.len()).finish_non_exhaustive()
    }
}
