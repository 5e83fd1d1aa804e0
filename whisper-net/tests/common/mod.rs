//! Nodes in memory, in paused time.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand_core::Rng;
use whisper_core::identity::Identity;
use whisper_core::identity::SymmetricKey;
use whisper_core::inbox::Received;
use whisper_core::pow::Rating;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;
use whisper_net::Clock;
use whisper_net::Config;
use whisper_net::Entropy;
use whisper_net::Event;
use whisper_net::Handle;
use whisper_net::NoEntropy;
use whisper_net::Privacy;
use whisper_net::Stream;
use whisper_net::Subscription;
use whisper_net::memory::MemoryNetwork;

pub(crate) const ORIGIN: Timestamp = Timestamp::from_secs(1_600_000_000);
pub(crate) const TOPIC: Topic = Topic::new(*b"news");

/// A node that takes nearly everything, in tokio's time, and sends it at once.
pub(crate) fn config(network: &MemoryNetwork, name: &str) -> Config {
    let mut config = Config::new(network.transport(name));
    config.node.min_rating = rating(0.000_1);
    config.clock = Clock::paused_from(ORIGIN);
    config.privacy = Privacy::Fast;
    config
}

pub(crate) fn start(network: &MemoryNetwork, name: &str) -> Handle {
    whisper_net::start(config(network, name)).unwrap()
}

/// Two nodes that are ready for each other.
pub(crate) async fn pair(network: &MemoryNetwork) -> (Handle, Handle) {
    let (alice, bob) = (start(network, "alice"), start(network, "bob"));
    connect(&alice, &bob).await;
    (alice, bob)
}

/// Connects two nodes and waits until both are ready.
pub(crate) async fn connect(one: &Handle, other: &Handle) {
    let (mut here, mut there) = (one.events().await.unwrap(), other.events().await.unwrap());
    one.dial(other.local_address().unwrap()).await.unwrap();
    ready(&mut here).await;
    ready(&mut there).await;
}

/// Waits until a peer is ready.
pub(crate) async fn ready(events: &mut Stream<Event>) -> whisper_core::peer::PeerId {
    loop {
        if let Ok(Event::Ready(peer)) = events.next().await.unwrap() {
            return peer;
        }
    }
}

pub(crate) fn rating(value: f64) -> Rating {
    Rating::new(value).unwrap()
}

pub(crate) fn identity() -> Arc<Identity> {
    Arc::new(Identity::generate(&mut Entropy::os().rng().unwrap()))
}

pub(crate) fn key() -> Arc<SymmetricKey> {
    Arc::new(SymmetricKey::generate(&mut Entropy::os().rng().unwrap()))
}

/// The next message of a subscription.
pub(crate) async fn message(subscription: &mut Subscription) -> Arc<Received> {
    within(subscription.next()).await.expect("the node runs").expect("none is missing")
}

/// Waits for ten minutes of paused time, which nothing takes that still comes.
pub(crate) async fn within<T>(future: impl IntoFuture<Output = T>) -> T {
    let longest = Duration::from_secs(600);
    tokio::time::timeout(longest, future).await.expect("it comes within ten minutes")
}

/// Whether nothing comes for a minute of paused time.
pub(crate) async fn is_quiet(subscription: &mut Subscription) -> bool {
    tokio::time::timeout(Duration::from_secs(60), subscription.next()).await.is_err()
}

/// A source of randomness whose reading number `failing` fails, counted from 0.
pub(crate) fn failing_at(failing: u64) -> Entropy {
    let count = AtomicU64::new(0);
    let os = Entropy::os();
    Entropy::from_source(move |bytes| {
        if count.fetch_add(1, Ordering::Relaxed) == failing {
            return Err(NoEntropy);
        }
        os.rng()?.fill_bytes(bytes);
        Ok(())
    })
}
