//! Two transports over loopback: how many packets pass, and how long one is under way.
//!
//! `cargo bench -p whisper-net --bench rlpx` prints envelopes per second, for packets of several
//! sizes, and the quantiles of a round trip while nothing else is sent.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use chacha20::ChaCha20Rng;
use rand_core::Rng;
use rand_core::SeedableRng;
use whisper_core::identity::Identity;
use whisper_core::peer::PeerId;
use whisper_net::rlpx::RlpxConfig;
use whisper_net::rlpx::RlpxTransport;
use whisper_net::transport::Protocol;
use whisper_net::transport::Transport;
use whisper_net::transport::TransportEvent;

/// An envelope of 256 bytes of payload as it stands in a packet: padded to 512, 28 of the cipher, 26
/// of the other fields.
const ENVELOPE: usize = 566;
const ENVELOPES: usize = 400_000;
const ROUND_TRIPS: usize = 20_000;
/// What a node keeps unwritten per peer.
const AHEAD: usize = 1 << 20;

struct End {
    transport: RlpxTransport,
    told: VecDeque<TransportEvent>,
}

impl End {
    async fn new(seed: u64) -> Self {
        let key = Identity::generate(&mut ChaCha20Rng::seed_from_u64(seed));
        let listen = Some(([127, 0, 0, 1], 0).into());
        let config = RlpxConfig { listen, ..RlpxConfig::new(Arc::new(key)) };
        let transport = RlpxTransport::bind(config).await.expect("a free port");
        Self { transport, told: VecDeque::new() }
    }

    async fn event(&mut self) -> TransportEvent {
        loop {
            if let Some(event) = self.told.pop_front() {
                return event;
            }
            let mut events = Vec::new();
            poll_fn(|cx| self.transport.poll_events(cx, &mut events)).await;
            self.told.extend(events);
        }
    }

    async fn connected(&mut self) -> PeerId {
        match self.event().await {
            TransportEvent::Connected { peer, .. } => peer,
            other => panic!("{other:?}"),
        }
    }

    async fn written(&mut self) -> usize {
        loop {
            if let TransportEvent::Written { bytes, .. } = self.event().await {
                return bytes;
            }
        }
    }

    async fn received(&mut self) -> usize {
        loop {
            if let TransportEvent::Received { payload, .. } = self.event().await {
                return payload.len();
            }
        }
    }
}

async fn connect() -> (End, PeerId, End, PeerId) {
    let (mut alice, mut bob) = (End::new(1).await, End::new(2).await);
    alice.transport.dial(&bob.transport.addresses()[0]).expect("an address");
    let (there, back) = (alice.connected().await, bob.connected().await);
    (alice, there, bob, back)
}

/// Ciphertext does not compress.
fn payload(envelopes: usize) -> Vec<u8> {
    let mut bytes = vec![0; envelopes * ENVELOPE];
    ChaCha20Rng::seed_from_u64(3).fill_bytes(&mut bytes);
    bytes
}

async fn throughput(per_packet: usize) {
    let (mut alice, there, mut bob, _) = connect().await;
    let payload = payload(per_packet);
    let packets = ENVELOPES / per_packet;
    let reader = tokio::spawn(async move {
        for _ in 0..packets {
            bob.received().await;
        }
    });
    let start = Instant::now();
    let mut ahead = 0;
    for _ in 0..packets {
        while ahead + payload.len() > AHEAD.max(payload.len()) {
            ahead -= alice.written().await;
        }
        alice.transport.send(there, Protocol::WHISPER, 1, payload.clone());
        ahead += payload.len();
    }
    reader.await.expect("it reads");
    let seconds = start.elapsed().as_secs_f64();
    let rate = ENVELOPES as f64 / seconds;
    let megabytes = rate * ENVELOPE as f64 / 1e6;
    println!("{per_packet:>5} per packet: {rate:>9.0} envelopes/s, {megabytes:>5.0} MB/s");
}

async fn latency() {
    let (mut alice, there, mut bob, back) = connect().await;
    let payload = payload(1);
    let echo = payload.clone();
    tokio::spawn(async move {
        loop {
            bob.received().await;
            bob.transport.send(back, Protocol::WHISPER, 1, echo.clone());
        }
    });
    let mut times = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let start = Instant::now();
        alice.transport.send(there, Protocol::WHISPER, 1, payload.clone());
        alice.received().await;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let at = |part: usize| -> Duration { times[ROUND_TRIPS * part / 1_000] };
    println!("round trip: p50 {:?}, p99 {:?}, p99.9 {:?}", at(500), at(990), at(999));
}

#[tokio::main]
async fn main() {
    for per_packet in [1, 10, 100, 1_000] {
        throughput(per_packet).await;
    }
    latency().await;
}
