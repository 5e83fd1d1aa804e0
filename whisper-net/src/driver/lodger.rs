//! An engine beside the relay, which speaks a protocol of its own over the same connections.
#![allow(dead_code, reason = "without the ledger nobody moves in")]

use std::collections::BTreeMap;
use std::time::Duration;

use whisper_core::peer::PeerId;

use super::Driver;
use crate::transport::Goodbye;
use crate::transport::Protocol;

/// What an engine is told of its connections.
#[derive(Debug)]
pub(crate) enum News {
    Connected(PeerId),
    Disconnected(PeerId),
    Received { peer: PeerId, code: u8, payload: Vec<u8> },
    Written { peer: PeerId, bytes: usize },
}

/// What an engine wants done with a connection.
#[derive(Debug)]
pub(crate) enum Wish {
    Send { peer: PeerId, code: u8, payload: Vec<u8> },
    Throttle(PeerId, Duration),
    Disconnect(PeerId, Goodbye),
}

/// Takes news and never waits. It may ask that the peer be left unread for a while.
pub(crate) type Lodger = Box<dyn FnMut(News) -> Option<Duration> + Send>;

/// The place of such an engine: until it has come, what peers say first is kept.
#[derive(Default)]
pub(super) struct Lodging {
    lodger: Option<Lodger>,
    early: BTreeMap<PeerId, Vec<News>>,
}

impl Lodging {
    /// Passes on news of a peer; how long to leave it unread, if that is asked for.
    pub(super) fn tell(&mut self, peer: PeerId, news: News) -> Option<Duration> {
        if let Some(lodger) = &mut self.lodger {
            return lodger(news);
        }
        match news {
            News::Connected(_) => {
                self.early.insert(peer, vec![news]);
            }
            News::Disconnected(_) => {
                self.early.remove(&peer);
            }
            News::Received { .. } | News::Written { .. } => {
                let early = self.early.get_mut(&peer);
                if let Some(early) = early.filter(|early| early.len() < EARLY_MAX) {
                    early.push(news);
                }
            }
        }
        None
    }

    /// Lets an engine in, and tells it what it has missed. Whether another one was here before, which
    /// leaves.
    pub(super) fn take_in(&mut self, mut lodger: Lodger) -> bool {
        for news in std::mem::take(&mut self.early).into_values().flatten() {
            lodger(news);
        }
        self.lodger.replace(lodger).is_some()
    }
}

impl Driver {
    /// Lets a ledger share the connections of those peers that speak its protocol.
    pub(crate) fn take_in_ledger(&mut self, ledger: Lodger) {
        if !self.ledger.take_in(ledger) {
            return;
        }
        // They have greeted the one before, and greet once in a connection. Not for good: whoever
        // dialled dials again, and greets the new one.
        let peers: Vec<PeerId> = self.shell.facts.keys().copied().collect();
        for peer in peers {
            if self.shell.speaks(peer, Protocol::Ledger) {
                self.shell.transport.disconnect(peer, Goodbye::Quitting);
            }
        }
    }

    pub(crate) fn carry_out_for_ledger(&mut self, wishes: Vec<Wish>) {
        let now = self.clock.now();
        for wish in wishes {
            match wish {
                Wish::Send { peer, code, payload } => {
                    self.shell.send(peer, Protocol::Ledger, code, payload);
                }
                Wish::Throttle(peer, span) => self.shell.throttle(now, peer, span),
                Wish::Disconnect(peer, why) => self.shell.transport.disconnect(peer, why),
            }
        }
    }
}

/// A greeting, and a little more: an honest peer waits for ours before it says much.
const EARLY_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn what_peers_say_before_an_engine_comes_is_kept_for_it() {
        let mut lodging = Lodging::default();
        let [stays, leaves] = [1, 2].map(PeerId::new);
        for peer in [stays, leaves] {
            lodging.tell(peer, News::Connected(peer));
            for code in 0..20 {
                lodging.tell(peer, News::Received { peer, code, payload: Vec::new() });
            }
        }
        lodging.tell(leaves, News::Disconnected(leaves));
        let (sender, heard) = mpsc::channel();
        let was_taken = lodging.take_in(Box::new(move |news| {
            let _ = sender.send(news);
            Some(Duration::from_secs(1))
        }));
        assert!(!was_taken);
        let heard: Vec<News> = heard.try_iter().collect();
        assert_eq!(heard.len(), EARLY_MAX);
        assert!(matches!(heard[..2], [News::Connected(_), News::Received { code: 0, .. }]));
        assert_eq!(
            lodging.tell(stays, News::Written { peer: stays, bytes: 1 }),
            Some(Duration::from_secs(1))
        );
        assert!(lodging.take_in(Box::new(|_| None)), "the next takes the place of that one");
    }
}
