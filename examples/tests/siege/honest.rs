//! Honest peers: one that reads, and for each round a new one that sends as much as it may at once.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use tokio::task::JoinSet;
use whisper_core::envelope::Draft;
use whisper_core::envelope::Envelope;
use whisper_core::packet;
use whisper_core::packet::Status;
use whisper_core::pow::Rating;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;
use whisper_net::rlpx::Enode;

use crate::raw::Raw;

/// Below what the budgets allow at once.
const BURST: usize = 900;
/// Where the packets of `shh` begin.
const OFFSET: u64 = 16;
/// Of RLPx itself: who asks wants an answer.
const PING: u64 = 2;
const PONG: u64 = 3;

/// What a quarter of some rounds stay below: what else the machine does only slows them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quartiles {
    /// Until a new peer is connected.
    pub(crate) connect: Duration,
    /// Until what it sends has come to the reader.
    pub(crate) burst: Duration,
}

impl fmt::Display for Quartiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_second = BURST as f64 / self.burst.as_secs_f64();
        write!(f, "connected in {:.1?}, {per_second:.0} envelopes/s", self.connect)
    }
}

/// The peer that reads.
pub(crate) struct Reader(Raw);

impl Reader {
    pub(crate) async fn connect(relay: &Enode, seed: u64) -> Self {
        Self(greet(relay, seed).await)
    }

    /// Reads until all of this topic have come.
    async fn read(&mut self, topic: Topic) {
        let mut missing = BURST;
        while missing > 0 {
            let read = self.0.read().await.expect("the relay goes on");
            if read.code == PING {
                self.0.write(PONG, &[0xc0]).await;
            }
            if read.code != OFFSET + 1 {
                continue;
            }
            let mut envelopes = packet::check_messages(&read.payload).expect("envelopes");
            while let Ok(envelope) = Envelope::read(&mut envelopes) {
                missing -= usize::from(envelope.topic() == topic);
            }
        }
    }
}

/// Peers that read all and keep nothing, until they are dropped.
pub(crate) struct Crowd {
    _readers: JoinSet<()>,
}

impl Crowd {
    pub(crate) async fn gather(relay: &Enode, count: u64) -> Self {
        let mut readers = JoinSet::new();
        for number in 0..count {
            let mut raw = greet(relay, 10_000 + number).await;
            readers.spawn(async move { while raw.read().await.is_some() {} });
        }
        Self { _readers: readers }
    }
}

pub(crate) async fn rounds(relay: &Enode, reader: &mut Reader, rounds: Range<u64>) -> Quartiles {
    let (mut connects, mut bursts) = (Vec::new(), Vec::new());
    for round in rounds {
        let topic = Topic::new((round as u32).to_be_bytes());
        let packets = packets(topic);
        let begin = Instant::now();
        let mut sender = greet(relay, 1_000 + round).await;
        connects.push(begin.elapsed());
        let begin = Instant::now();
        for packet in packets {
            sender.write(OFFSET + 1, &packet).await;
        }
        reader.read(topic).await;
        bursts.push(begin.elapsed());
    }
    Quartiles { connect: quartile(connects), burst: quartile(bursts) }
}

async fn greet(relay: &Enode, seed: u64) -> Raw {
    let mut raw = Raw::connect(relay, seed).await;
    let status = Status {
        min_rating: Rating::ZERO,
        bloom: None,
        light: false,
        acknowledges: false,
        stems: false,
    };
    raw.write(OFFSET, &status.encode()).await;
    while raw.read().await.expect("its status").code != OFFSET {}
    raw
}

/// Ten envelopes in each packet, short-lived so that the pool does not grow.
fn packets(topic: Topic) -> Vec<Vec<u8>> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock");
    let now = Timestamp::from_secs(since.as_secs());
    let envelope = |number: usize| {
        let mut data = vec![7; 256];
        data[..8].copy_from_slice(&number.to_be_bytes());
        let draft = Draft::new(now, Duration::from_secs(10), topic, data).expect("a good draft");
        Arc::new(draft.seal(0))
    };
    let envelopes: Vec<_> = (0..BURST).map(envelope).collect();
    envelopes.chunks(10).map(packet::encode_messages).collect()
}

fn quartile(mut values: Vec<Duration>) -> Duration {
    values.sort_unstable();
    values[values.len() / 4]
}
