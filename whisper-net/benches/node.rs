//! Two whole nodes over RLPx on loopback, without budgets: how many envelopes pass from one to the
//! other, and how long one is under way.
//!
//! `cargo bench -p whisper-net --bench node`. A wire without a node behind it fills the first node's
//! pool; then the first meets the second, and what is counted is what the second admits.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use chacha20::ChaCha20Rng;
use rand_core::Rng;
use rand_core::SeedableRng;
use whisper_core::envelope::Draft;
use whisper_core::envelope::Envelope;
use whisper_core::identity::Identity;
use whisper_core::packet;
use whisper_core::packet::Status;
use whisper_core::packet::code;
use whisper_core::peer::PeerId;
use whisper_core::pow::Rating;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;
use whisper_net::Clock;
use whisper_net::Config;
use whisper_net::Handle;
use whisper_net::rlpx::RlpxConfig;
use whisper_net::rlpx::RlpxTransport;
use whisper_net::transport::Protocol;
use whisper_net::transport::Transport;
use whisper_net::transport::TransportEvent;

/// What 256 bytes of payload become: padded to 512, a tag of 16, a nonce of 12.
const DATA: usize = 540;
const ENVELOPES: usize = 100_000;
const PER_PACKET: usize = 100;
const ROUNDS: usize = 3;
const SINGLES: usize = 2_000;
/// What a node keeps unwritten per peer.
const AHEAD: usize = 1 << 20;

#[tokio::main]
async fn main() {
    for _ in 0..ROUNDS {
        throughput().await;
    }
    latency().await;
}

async fn throughput() {
    let (first, second) = (start().await, start().await);
    let mut source = Source::meet(&address(&first)).await;
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let packets: Vec<Vec<u8>> =
        (0..ENVELOPES / PER_PACKET).map(|_| packet(&mut rng, PER_PACKET)).collect();

    let begin = Instant::now();
    let feed = async {
        for packet in packets {
            source.send(packet).await;
        }
        source.idle().await;
    };
    tokio::select! {
        () = admitted(&first) => {}
        () = feed => unreachable!("the feed idles for ever"),
    }
    report("a wire to a node", begin);

    let begin = Instant::now();
    first.dial(&address(&second)).await.expect("an address");
    admitted(&second).await;
    report("a node to a node, from the first packet of the handshake", begin);
}

/// Waits until a node has admitted all there is.
async fn admitted(node: &Handle) {
    let begin = Instant::now();
    while node.stats().await.expect("it runs").admitted_envelopes < ENVELOPES as u64 {
        assert!(begin.elapsed() < Duration::from_secs(60), "stuck: {:?}", node.stats().await);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn report(what: &str, begin: Instant) {
    let rate = ENVELOPES as f64 / begin.elapsed().as_secs_f64();
    println!("node/throughput/rlpx, 256 B, {what}: {rate:.0} envelopes/s");
}

async fn latency() {
    let (_first, second, mut source) = chain().await;
    let mut arrived = second.envelopes().await.expect("it runs");
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let mut times = Vec::with_capacity(SINGLES);
    for _ in 0..SINGLES {
        let packet = packet(&mut rng, 1);
        let start = Instant::now();
        source.send(packet).await;
        match arrived.next().await {
            Some(Ok(_)) => times.push(start.elapsed()),
            other => panic!("{other:?}"),
        }
    }
    times.sort_unstable();
    let at = |part: usize| times[SINGLES * part / 1_000];
    println!("node/latency, two hops: p50 {:?}, p99 {:?}", at(500), at(990));
}

/// A source, a first node that it has met, and a second that the first has met.
async fn chain() -> (Handle, Handle, Source) {
    let (first, second) = (start().await, start().await);
    first.dial(&address(&second)).await.expect("an address");
    let source = Source::meet(&address(&first)).await;
    while first.stats().await.expect("it runs").ready_peers < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (first, second, source)
}

fn address(node: &Handle) -> String {
    node.local_address().expect("it listens").to_owned()
}

async fn start() -> Handle {
    let mut config = Config::new(transport().await);
    config.node.budgets = None;
    config.node.min_rating = Rating::ZERO;
    config.node.pool_bytes = 1 << 30;
    whisper_net::start(config).expect("it starts")
}

async fn transport() -> RlpxTransport {
    let key = Identity::generate(&mut whisper_net::Entropy::os().rng().expect("randomness"));
    let listen = Some(([127, 0, 0, 1], 0).into());
    let config = RlpxConfig { listen, ..RlpxConfig::new(Arc::new(key)) };
    RlpxTransport::bind(config).await.expect("a free port")
}

fn packet(rng: &mut ChaCha20Rng, envelopes: usize) -> Vec<u8> {
    let now: Timestamp = Clock::system().now();
    let envelopes: Vec<Arc<Envelope>> = (0..envelopes)
        .map(|_| {
            let mut data = vec![0; DATA];
            rng.fill_bytes(&mut data);
            let draft = Draft::new(now, Duration::from_secs(600), Topic::random(rng), data);
            Arc::new(draft.expect("it is not 2106 yet").seal(rng.next_u64()))
        })
        .collect();
    packet::encode_messages(&envelopes)
}

/// A peer that only sends.
struct Source {
    transport: RlpxTransport,
    peer: PeerId,
    ahead: usize,
}

impl Source {
    async fn meet(address: &str) -> Self {
        let mut source = Self { transport: transport().await, peer: PeerId::new(0), ahead: 0 };
        source.transport.dial(address).expect("an address");
        let mut met = false;
        while !met {
            for event in source.events().await {
                if let TransportEvent::Connected { peer, .. } = event {
                    (source.peer, met) = (peer, true);
                }
            }
        }
        let (min_rating, bloom) = (Rating::ZERO, None);
        let status = Status { min_rating, bloom, light: false, acknowledges: false, stems: false };
        source.transport.send(source.peer, Protocol::WHISPER, code::STATUS, status.encode());
        source.ahead = status.encode().len();
        source
    }

    async fn send(&mut self, packet: Vec<u8>) {
        while self.ahead + packet.len() > AHEAD {
            self.turn().await;
        }
        self.ahead += packet.len();
        self.transport.send(self.peer, Protocol::WHISPER, code::MESSAGES, packet);
    }

    async fn idle(&mut self) {
        loop {
            self.turn().await;
        }
    }

    async fn turn(&mut self) {
        for event in self.events().await {
            match event {
                TransportEvent::Written { bytes, .. } => self.ahead -= bytes,
                TransportEvent::Disconnected { how, .. } => panic!("the node left: {how:?}"),
                _ => {}
            }
        }
    }

    async fn events(&mut self) -> Vec<TransportEvent> {
        let mut events = Vec::new();
        poll_fn(|cx| self.transport.poll_events(cx, &mut events)).await;
        events
    }
}
