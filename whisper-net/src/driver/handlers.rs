//! The handlers of protocols beside the relay's, and what peers say before a handler is there.

use std::collections::BTreeMap;

use whisper_core::peer::PeerId;
use whisper_core::time::Timestamp;

use super::Driver;
use crate::handler::Handler;
use crate::handler::PeerCommand;
use crate::handler::PeerEvent;
use crate::transport::Goodbye;
use crate::transport::Protocol;

/// One slot for each protocol that peers speak or a handler was registered for.
#[derive(Default)]
pub(super) struct Handlers(BTreeMap<Protocol, Slot>);

enum Slot {
    Taken(Box<dyn Handler>),
    Free(Early),
}

impl Handlers {
    /// Passes an event on, or keeps it until there is a handler.
    pub(super) fn handle(
        &mut self,
        now: Timestamp,
        protocol: Protocol,
        event: PeerEvent,
    ) -> Vec<PeerCommand> {
        match self.0.entry(protocol).or_insert_with(|| Slot::Free(Early::default())) {
            Slot::Taken(handler) => handler.handle(now, event),
            Slot::Free(early) => {
                early.keep(event);
                Vec::new()
            }
        }
    }

    /// Registers a handler and hands over what it has missed. The second value says whether it
    /// replaces another one.
    pub(super) fn register(
        &mut self,
        now: Timestamp,
        protocol: Protocol,
        mut handler: Box<dyn Handler>,
    ) -> (Vec<PeerCommand>, bool) {
        let before = self.0.remove(&protocol);
        let replaces = matches!(before, Some(Slot::Taken(_)));
        let commands = match before {
            Some(Slot::Free(early)) => {
                early.into_events().flat_map(|event| handler.handle(now, event)).collect()
            }
            Some(Slot::Taken(_)) | None => Vec::new(),
        };
        self.0.insert(protocol, Slot::Taken(handler));
        (commands, replaces)
    }

    /// When the first handler wants to be called.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        let due = self.0.values().filter_map(|slot| match slot {
            Slot::Taken(handler) => handler.poll_timeout(),
            Slot::Free(_) => None,
        });
        due.min()
    }

    /// Calls the handlers whose time has come.
    pub(super) fn timeout(&mut self, now: Timestamp) -> Vec<(Protocol, Vec<PeerCommand>)> {
        let slots = self.0.iter_mut();
        let called = slots.filter_map(|(protocol, slot)| match slot {
            Slot::Taken(handler) if handler.poll_timeout().is_some_and(|due| due <= now) => {
                Some((*protocol, handler.timeout(now)))
            }
            Slot::Taken(_) | Slot::Free(_) => None,
        });
        called.collect()
    }
}

/// What peers have said before there was a handler.
#[derive(Default)]
struct Early {
    peers: BTreeMap<PeerId, Kept>,
    bytes: usize,
}

#[derive(Default)]
struct Kept {
    events: Vec<PeerEvent>,
    bytes: usize,
}

impl Early {
    fn keep(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::Connected(peer) => {
                self.peers.insert(peer, Kept { events: vec![event], bytes: 0 });
            }
            PeerEvent::Disconnected(peer) => {
                let gone = self.peers.remove(&peer).unwrap_or_default();
                self.bytes = self.bytes.saturating_sub(gone.bytes);
            }
            PeerEvent::Received { peer, ref payload, .. } => {
                let bytes = payload.len();
                self.keep_packet(peer, bytes, event);
            }
            // Nothing was sent yet.
            PeerEvent::Written { .. } => {}
        }
    }

    fn keep_packet(&mut self, peer: PeerId, bytes: usize, event: PeerEvent) {
        let Some(kept) = self.peers.get_mut(&peer) else { return };
        let own = kept.bytes.saturating_add(bytes);
        let all = self.bytes.saturating_add(bytes);
        if kept.events.len() < EARLY_EVENTS && own <= EARLY_BYTES && all <= EARLY_BYTES_OF_ALL {
            kept.events.push(event);
            kept.bytes = own;
            self.bytes = all;
        }
    }

    fn into_events(self) -> impl Iterator<Item = PeerEvent> {
        self.peers.into_values().flat_map(|kept| kept.events)
    }
}

impl Driver {
    /// Lets `handler` speak `protocol` with those peers that do.
    pub(crate) fn register(&mut self, protocol: Protocol, handler: Box<dyn Handler>) {
        let now = self.clock.now();
        self.effects.transport.offer(protocol);
        let (commands, replaces) = self.handlers.register(now, protocol, handler);
        self.carry_out(protocol, commands);
        if !replaces {
            return;
        }
        // Peers greet once in a connection, and have greeted the handler before this one. Whoever
        // dialled dials again, and greets this one.
        let peers = self.effects.facts.keys().copied();
        let peers: Vec<PeerId> =
            peers.filter(|peer| self.effects.speaks(*peer, protocol)).collect();
        for peer in peers {
            self.effects.transport.disconnect(peer, Goodbye::Quitting);
        }
    }

    /// Carries out what a handler asks for.
    pub(crate) fn carry_out(&mut self, protocol: Protocol, commands: Vec<PeerCommand>) {
        for command in commands {
            match command {
                PeerCommand::Send { peer, code, payload } => {
                    self.effects.send(peer, protocol, code, payload);
                }
                PeerCommand::Throttle(peer, span) => self.effects.pause(peer, span),
                PeerCommand::Disconnect(peer, why) => self.effects.transport.disconnect(peer, why),
            }
        }
    }

    /// Passes an event on to the handler of `protocol`.
    pub(super) fn tell(&mut self, protocol: Protocol, event: PeerEvent) {
        let commands = self.handlers.handle(self.clock.now(), protocol, event);
        self.carry_out(protocol, commands);
    }

    /// The same for all protocols of a connection but the relay's.
    pub(super) fn tell_all(&mut self, peer: PeerId, event: &PeerEvent) {
        let protocols = self.effects.facts.get(&peer).map(|facts| facts.protocols.clone());
        let beside = protocols.into_iter().flatten().filter(|own| *own != Protocol::WHISPER);
        beside.for_each(|protocol| self.tell(protocol, event.clone()));
    }

    /// Calls the handlers whose time has come.
    pub(super) fn time_out_handlers(&mut self) {
        for (protocol, commands) in self.handlers.timeout(self.clock.now()) {
            self.carry_out(protocol, commands);
        }
    }
}

/// A greeting, and a little more: an honest peer waits for ours before it says much.
const EARLY_EVENTS: usize = 8;
/// A greeting is a few hundred bytes long.
const EARLY_BYTES: usize = 16 * 1024;
/// What all peers together may have kept.
const EARLY_BYTES_OF_ALL: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    const ECHO: Protocol = Protocol::new("techo", 1, 4);
    const NOW: Timestamp = Timestamp::from_secs(1_600_000_000);

    /// Notes what it is told.
    struct Notes(mpsc::Sender<PeerEvent>, Option<Timestamp>);

    impl Handler for Notes {
        fn handle(&mut self, _now: Timestamp, event: PeerEvent) -> Vec<PeerCommand> {
            let _ = self.0.send(event);
            Vec::new()
        }

        fn poll_timeout(&self) -> Option<Timestamp> {
            self.1
        }

        fn timeout(&mut self, _now: Timestamp) -> Vec<PeerCommand> {
            self.1 = None;
            vec![PeerCommand::Disconnect(PeerId::new(7), Goodbye::Useless)]
        }
    }

    fn packet(peer: PeerId, code: u8, bytes: usize) -> PeerEvent {
        PeerEvent::Received { peer, code, payload: vec![0; bytes] }
    }

    /// What a handler hears that is registered after `events`.
    fn heard(events: impl IntoIterator<Item = PeerEvent>) -> Vec<PeerEvent> {
        let mut handlers = Handlers::default();
        for event in events {
            handlers.handle(NOW, ECHO, event);
        }
        let (sender, heard) = mpsc::channel();
        let (_, replaces) = handlers.register(NOW, ECHO, Box::new(Notes(sender, None)));
        assert!(!replaces);
        heard.try_iter().collect()
    }

    #[test]
    fn what_peers_say_before_there_is_a_handler_is_kept_for_it() {
        let [stays, leaves] = [1, 2].map(PeerId::new);
        let events = [stays, leaves].into_iter().flat_map(|peer| {
            let packets = (0..20).map(move |code| packet(peer, code, 10));
            std::iter::once(PeerEvent::Connected(peer)).chain(packets)
        });
        let heard = heard(events.chain([PeerEvent::Disconnected(leaves)]));
        assert_eq!(heard.len(), EARLY_EVENTS);
        assert_eq!(heard[..2], [PeerEvent::Connected(stays), packet(stays, 0, 10)]);
    }

    #[test]
    fn what_is_kept_before_there_is_a_handler_is_bounded_in_bytes() {
        let events = (0..1_000).map(PeerId::new).flat_map(|peer| {
            let packets = (0..8).map(move |code| packet(peer, code, EARLY_BYTES / 4));
            std::iter::once(PeerEvent::Connected(peer)).chain(packets)
        });
        let of = |event: &PeerEvent| match event {
            PeerEvent::Received { payload, .. } => payload.len(),
            _ => 0,
        };
        let heard = heard(events);
        let first = heard.iter().filter(
            |event| matches!(event, PeerEvent::Received { peer, .. } if *peer == PeerId::new(0)),
        );
        assert_eq!(first.map(of).sum::<usize>(), EARLY_BYTES);
        assert_eq!(heard.iter().map(of).sum::<usize>(), EARLY_BYTES_OF_ALL);
        let connected = heard.iter().filter(|event| matches!(event, PeerEvent::Connected(_)));
        assert_eq!(connected.count(), 1_000, "nobody's arrival is lost");
    }

    #[test]
    fn a_second_handler_takes_the_place_of_the_first() {
        let mut handlers = Handlers::default();
        let [(first, to_first), (second, to_second)] = [mpsc::channel(), mpsc::channel()];
        assert!(!handlers.register(NOW, ECHO, Box::new(Notes(first, None))).1);
        assert!(handlers.register(NOW, ECHO, Box::new(Notes(second, None))).1);
        handlers.handle(NOW, ECHO, PeerEvent::Connected(PeerId::new(1)));
        assert_eq!((to_first.try_iter().count(), to_second.try_iter().count()), (0, 1));
    }

    #[test]
    fn a_handler_is_called_once_when_its_time_has_come() {
        let mut handlers = Handlers::default();
        let due = NOW.saturating_add(Duration::from_secs(5));
        handlers.register(NOW, ECHO, Box::new(Notes(mpsc::channel().0, Some(due))));
        assert_eq!(handlers.poll_timeout(), Some(due));
        assert_eq!(handlers.timeout(NOW), []);
        assert_eq!(handlers.timeout(due).len(), 1);
        assert_eq!((handlers.poll_timeout(), handlers.timeout(due)), (None, Vec::new()));
    }
}
