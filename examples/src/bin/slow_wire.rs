//! A transport of one's own: it takes another one's events and tells each of them later.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};
use whisper_core::peer::PeerId;
use whisper_examples::Failure;
use whisper_net::memory::MemoryNetwork;
use whisper_net::peering::{NodeName, Peering};
use whisper_net::transport::{DialError, Goodbye, Protocol, Transport, TransportEvent};
use whisper_net::{Config, Event};

struct Slow<T> {
    wire: T,
    held: VecDeque<(Instant, TransportEvent)>,
    alarm: Pin<Box<Sleep>>,
    ended: bool,
}

impl<T: Transport> Transport for Slow<T> {
    fn share(&mut self, peering: &Peering) {
        self.wire.share(peering);
    }

    fn poll_events(
        &mut self,
        cx: &mut Context<'_>,
        events: &mut Vec<TransportEvent>,
    ) -> Poll<usize> {
        // Intake is bounded: while enough is held, the wire is left unread.
        while !self.ended && self.held.len() < 1_024 {
            let mut fresh = Vec::new();
            match self.wire.poll_events(cx, &mut fresh) {
                // It wakes the task when there is more.
                Poll::Pending => break,
                Poll::Ready(count) => self.ended = count == 0,
            }
            let due = Instant::now() + Duration::from_secs(1);
            self.held.extend(fresh.into_iter().map(|event| (due, event)));
        }
        let Some((due, _)) = self.held.front() else {
            return if self.ended { Poll::Ready(0) } else { Poll::Pending };
        };
        self.alarm.as_mut().reset(*due);
        ready!(self.alarm.as_mut().poll(cx));
        events.extend(self.held.pop_front().map(|(_, event)| event));
        Poll::Ready(1)
    }

    fn send(&mut self, peer: PeerId, protocol: Protocol, code: u8, payload: Vec<u8>) {
        self.wire.send(peer, protocol, code, payload);
    }

    fn throttle(&mut self, peer: PeerId, span: Duration) {
        self.wire.throttle(peer, span);
    }

    fn disconnect(&mut self, peer: PeerId, why: Goodbye) {
        self.wire.disconnect(peer, why);
    }

    fn dial(&mut self, address: &str) -> Result<NodeName, DialError> {
        self.wire.dial(address)
    }

    fn network_changed(&mut self) {
        self.wire.network_changed();
    }

    fn offer(&mut self, protocol: Protocol) {
        self.wire.offer(protocol);
    }

    fn set_suspended(&mut self, suspended: bool) {
        self.wire.set_suspended(suspended);
    }

    fn addresses(&self) -> Vec<String> {
        self.wire.addresses()
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.wire.poll_close(cx)
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let network = MemoryNetwork::new();
    let slow = |wire| {
        let alarm = Box::pin(sleep(Duration::ZERO));
        Slow { wire, held: VecDeque::new(), alarm, ended: false }
    };
    let ours = whisper_net::start(Config::new(slow(network.transport("ours"))))?;
    let _theirs = whisper_net::start(Config::new(network.transport("theirs")))?;
    let (begin, mut events) = (Instant::now(), ours.events().await?);
    ours.dial("memory:theirs").await?;
    while !matches!(events.next().await, Some(Ok(Event::Ready(_))) | None) {}
    println!("ready after {:.1?}", begin.elapsed());
    Ok(())
}
