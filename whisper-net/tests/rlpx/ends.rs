//! One end of a connection, driven by a test.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use tokio::time::timeout;
use whisper_core::identity::Identity;
use whisper_core::peer::PeerId;
use whisper_net::rlpx::Enode;
use whisper_net::rlpx::RlpxConfig;
use whisper_net::rlpx::RlpxTransport;
use whisper_net::rlpx::Timing;
use whisper_net::transport::DisconnectReason;
use whisper_net::transport::PeerFacts;
use whisper_net::transport::Transport;
use whisper_net::transport::TransportEvent;

/// How long anything may take that should come at once, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A transport and what it has told.
pub(crate) struct End {
    pub(crate) transport: RlpxTransport,
    told: VecDeque<TransportEvent>,
}

pub(crate) fn identity(seed: u64) -> Identity {
    Identity::generate(&mut ChaCha20Rng::seed_from_u64(seed))
}

/// A listening node, quick to dial again.
pub(crate) fn config(seed: u64) -> RlpxConfig {
    let timing = Timing { retry_local: Duration::from_millis(20), ..Timing::default() };
    let listen = Some(([127, 0, 0, 1], 0).into());
    RlpxConfig { listen, timing, ..RlpxConfig::new(Arc::new(identity(seed))) }
}

impl End {
    pub(crate) async fn new(seed: u64) -> Self {
        Self::with(config(seed)).await
    }

    pub(crate) async fn with(config: RlpxConfig) -> Self {
        Self::running(RlpxTransport::bind(config).await.expect("a free port")).await
    }

    /// A transport that has been polled, and so lets others in.
    async fn running(mut transport: RlpxTransport) -> Self {
        let mut events = Vec::new();
        poll_fn(|cx| {
            let _ = transport.poll_events(cx, &mut events);
            Poll::Ready(())
        })
        .await;
        Self { transport, told: events.into() }
    }

    /// A node that was there before, on its port, once nobody else happens to have that.
    pub(crate) async fn again(seed: u64, port: u16) -> Self {
        let listen = Some(([127, 0, 0, 1], port).into());
        let bound = timeout(PATIENCE, async {
            loop {
                match RlpxTransport::bind(RlpxConfig { listen, ..config(seed) }).await {
                    Ok(transport) => return transport,
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        });
        Self::running(bound.await.expect("the port is free")).await
    }

    pub(crate) fn url(&self) -> String {
        self.transport.addresses().swap_remove(0)
    }

    pub(crate) fn enode(&self) -> Enode {
        self.url().parse().expect("its own address")
    }

    pub(crate) async fn event(&mut self) -> TransportEvent {
        loop {
            if let Some(event) = self.told.pop_front() {
                return event;
            }
            let mut events = Vec::new();
            let poll = poll_fn(|cx| self.transport.poll_events(cx, &mut events));
            let count = timeout(PATIENCE, poll).await.expect("something happens");
            assert_eq!(count, events.len());
            assert_ne!(count, 0, "the transport lives");
            self.told.extend(events);
        }
    }

    /// The next event but for writing.
    pub(crate) async fn heard(&mut self) -> TransportEvent {
        loop {
            match self.event().await {
                TransportEvent::Written { .. } => {}
                other => return other,
            }
        }
    }

    /// The next event, which is a new connection.
    pub(crate) async fn connected(&mut self) -> (PeerId, PeerFacts) {
        match self.event().await {
            TransportEvent::Connected { peer, facts } => (peer, facts),
            other => panic!("{other:?}"),
        }
    }

    /// The next event but for writing, which is the end of a connection.
    pub(crate) async fn disconnected(&mut self, whose: PeerId) -> DisconnectReason {
        match self.heard().await {
            TransportEvent::Disconnected { peer, how } if peer == whose => how,
            other => panic!("{other:?}"),
        }
    }

    /// The next event but for writing, which is a packet.
    pub(crate) async fn received(&mut self) -> (PeerId, u8, Vec<u8>) {
        match self.heard().await {
            TransportEvent::Received { peer, code, payload, .. } => (peer, code, payload),
            other => panic!("{other:?}"),
        }
    }

    /// Waits until the socket has taken so much.
    pub(crate) async fn written(&mut self, whose: PeerId, expected: usize) {
        let mut sum = 0;
        while sum < expected {
            match self.event().await {
                TransportEvent::Written { peer, bytes, .. } if peer == whose => sum += bytes,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(sum, expected);
    }

    pub(crate) async fn close(&mut self) {
        let closed = poll_fn(|cx| self.transport.poll_close(cx));
        timeout(PATIENCE, closed).await.expect("it closes");
    }
}

/// Two ends and their numbers of the connection: the first has dialled.
pub(crate) async fn connect(one: &mut End, other: &mut End) -> (PeerId, PeerId) {
    one.transport.dial(&other.url()).expect("an address");
    (one.connected().await.0, other.connected().await.0)
}
