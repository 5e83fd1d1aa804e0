//! Those who besiege.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;
use whisper_core::packet::Status;
use whisper_core::pow::Rating;
use whisper_net::rlpx::Enode;
use whisper_net::rlpx::handshake;

use crate::ends::identity;
use crate::raw::Raw;
use crate::raw::dial;

/// 500 slow peers, and some that are worse.
const SLOW: u64 = 500;
/// Of them, those that become peers: fewer than there are places.
pub(crate) const DEAF: u64 = 25;
const DRIP: Duration = Duration::from_secs(1);

/// All of them, each coming back after it was cut.
pub(crate) struct Siege {
    besiegers: JoinSet<()>,
    attempts: Arc<AtomicU64>,
}

impl Siege {
    pub(crate) fn begin(relay: &Enode) -> Self {
        let attempts = Arc::new(AtomicU64::new(0));
        let mut besiegers = JoinSet::new();
        for number in 0..SLOW + 6 {
            let (relay, attempts) = (relay.clone(), Arc::clone(&attempts));
            besiegers.spawn(async move {
                for round in 0_u64.. {
                    attempts.fetch_add(1, Ordering::Relaxed);
                    let seed = 1_000_000 + number * 1_000 + round;
                    besiege(number, &relay, seed).await;
                    sleep(pause(number)).await;
                }
            });
        }
        Self { besiegers, attempts }
    }

    /// Ends it, and tells how often somebody came.
    pub(crate) async fn end(mut self) -> u64 {
        self.besiegers.shutdown().await;
        self.attempts.load(Ordering::Relaxed)
    }
}

/// Until it comes back. A relay in the open takes an address once in thirty seconds, here all share
/// one; two come at once, a hundred times a second together.
const fn pause(number: u64) -> Duration {
    match number {
        504.. => Duration::from_millis(20),
        _ => Duration::from_secs(5),
    }
}

async fn besiege(number: u64, relay: &Enode, seed: u64) {
    match number {
        0..DEAF => deaf(relay, seed).await,
        SLOW => until_closed(dial(relay).await, &[0xff; 2]).await,
        501 => until_closed(dial(relay).await, &[0, 0]).await,
        502 => until_closed(dial(relay).await, &[8; 3_000]).await,
        503 => oversized(relay, seed).await,
        504.. => drop(dial(relay).await),
        _ => match number % 3 {
            0 => until_closed(dial(relay).await, &[]).await,
            1 => drip_auth(relay, seed).await,
            _ => drip_hello(relay, seed).await,
        },
    }
}

/// Becomes a peer, reads nothing more, and sends a frame a byte at a time.
async fn deaf(relay: &Enode, seed: u64) {
    let Some(mut raw) = shake_hands(relay, seed).await else { return };
    let hello = raw.hello().encode();
    let mut wire = raw.frame(0, &hello);
    raw.compress();
    let status = Status {
        min_rating: Rating::ZERO,
        bloom: None,
        light: false,
        acknowledges: true,
        stems: false,
    };
    wire.extend(raw.frame(16, &status.encode()));
    if raw.socket.write_all(&wire).await.is_ok() {
        let frame = raw.frame(17, &[0xc0; 500]);
        drip(&mut raw.socket, &frame).await;
    }
}

async fn drip_auth(relay: &Enode, seed: u64) {
    let mut socket = dial(relay).await;
    let own = identity(seed);
    let waiting = handshake::initiate(&own, &relay.public_key(), &mut rng(seed));
    let auth = waiting.auth().to_vec();
    drip(&mut socket, &auth).await;
}

async fn drip_hello(relay: &Enode, seed: u64) {
    let Some(mut raw) = shake_hands(relay, seed).await else { return };
    let hello = raw.hello().encode();
    let wire = raw.frame(0, &hello);
    drip(&mut raw.socket, &wire).await;
}

/// Says Hello and then sends a frame whose header announces more than anybody takes.
async fn oversized(relay: &Enode, seed: u64) {
    let Some(mut raw) = shake_hands(relay, seed).await else { return };
    let hello = raw.hello().encode();
    let mut wire = raw.frame(0, &hello);
    wire.extend(raw.frame(17, &vec![0; 4 << 20]));
    let _ = raw.socket.write_all(&wire).await;
    until_closed(raw.socket, &[]).await;
}

/// The relay may refuse.
async fn shake_hands(relay: &Enode, seed: u64) -> Option<Raw> {
    Raw::try_to_shake_hands(relay, &identity(seed)).await.ok()
}

async fn drip(socket: &mut TcpStream, bytes: &[u8]) {
    for byte in bytes {
        if socket.write_all(&[*byte]).await.is_err() {
            return;
        }
        sleep(DRIP).await;
    }
}

async fn until_closed(mut socket: TcpStream, first: &[u8]) {
    if socket.write_all(first).await.is_ok() {
        let mut sink = [0; 1_024];
        while socket.read(&mut sink).await.is_ok_and(|read| read > 0) {}
    }
}

fn rng(seed: u64) -> chacha20::ChaCha20Rng {
    use rand_core::SeedableRng;
    chacha20::ChaCha20Rng::seed_from_u64(seed)
}
