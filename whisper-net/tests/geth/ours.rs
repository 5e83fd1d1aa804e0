//! A node of ours on the wire that go-ethereum speaks, and what it shares with the other side.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time;
use whisper_core::crypto::curve::SecretKey;
use whisper_core::identity::Identity;
use whisper_core::identity::PublicKey;
use whisper_core::identity::SymmetricKey;
use whisper_core::inbox::Filter;
use whisper_core::inbox::Received;
use whisper_core::ledger::Params;
use whisper_core::peer::PeerId;
use whisper_core::pow::Rating;
use whisper_core::topic::Topic;
use whisper_net::Config;
use whisper_net::Entropy;
use whisper_net::Event;
use whisper_net::Handle;
use whisper_net::Peer;
use whisper_net::Post;
use whisper_net::Privacy;
use whisper_net::Stream;
use whisper_net::Subscription;
use whisper_net::ledger;
use whisper_net::ledger::Ledger;
use whisper_net::ledger::LedgerConfig;
use whisper_net::rlpx::RlpxConfig;
use whisper_net::rlpx::RlpxTransport;
use whisper_net::transport::Protocol;

use crate::peer::Geth;
use crate::peer::Options;
use crate::peer::PATIENCE;

/// The key that both sides share in these tests.
pub(crate) const GROUP: [u8; 32] = [0x47; 32];
/// Where they look for its messages.
pub(crate) const TOPIC: Topic = Topic::new([0x01, 0x02, 0x03, 0x04]);

/// A node of ours.
pub(crate) struct Ours {
    pub(crate) node: Handle,
    events: Stream<Event>,
    /// Offered to a peer that has never heard of it.
    _ledger: Ledger,
}

impl Ours {
    /// Starts a node that listens, dials those named, and sends at once what it has.
    pub(crate) async fn start(dial: &[&str]) -> Self {
        Self::start_with(Privacy::Fast, dial).await
    }

    /// Starts a node that listens, and dials those named.
    pub(crate) async fn start_with(privacy: Privacy, dial: &[&str]) -> Self {
        let mut config = Config { privacy, ..Config::new(transport().await) };
        config.node.min_rating = Rating::new(0.001).expect("a rating");
        let chain = ledger::open(LedgerConfig::new(Params::regtest())).await.expect("in memory");
        let node = whisper_net::start(config).expect("nothing is missing");
        let ledger = chain.serve(&node).await.expect("it just started");
        let events = node.events().await.expect("it just started");
        for address in dial {
            node.dial(address).await.expect("an enode URL");
        }
        Self { node, events, _ledger: ledger }
    }

    pub(crate) fn enode(&self) -> &str {
        self.node.local_address().expect("it listens")
    }

    /// Waits for the first event of a kind.
    pub(crate) async fn event<T>(&mut self, wanted: impl Fn(&Event) -> Option<T>) -> T {
        let next = async {
            loop {
                let event =
                    self.events.next().await.expect("the node lives").expect("none is missing");
                if let Some(found) = wanted(&event) {
                    return found;
                }
            }
        };
        time::timeout(PATIENCE, next).await.expect("the event comes")
    }

    /// Waits until a peer has said what it takes.
    pub(crate) async fn ready(&mut self) -> PeerId {
        self.event(|event| match event {
            Event::Ready(peer) => Some(*peer),
            _ => None,
        })
        .await
    }

    /// Waits until a connection has ended.
    pub(crate) async fn gone(&mut self) {
        self.event(|event| matches!(event, Event::Disconnected { .. }).then_some(())).await;
    }

    /// The one peer.
    pub(crate) async fn peer(&self) -> Peer {
        let mut peers = self.node.peers().await.expect("the node lives");
        assert_eq!(peers.len(), 1, "one peer: {peers:?}");
        peers.remove(0)
    }

    /// Waits until the one peer is as wanted.
    pub(crate) async fn peer_until(&self, wanted: impl Fn(&Peer) -> bool) {
        let until = async {
            while !wanted(&self.peer().await) {
                time::sleep(Duration::from_millis(10)).await;
            }
        };
        time::timeout(PATIENCE, until).await.expect("the peer changes");
    }

    /// The messages of the group.
    pub(crate) async fn listen(&self) -> Subscription {
        let filter = Filter { direct: true, topics: vec![TOPIC], ..Filter::new(group()) };
        self.node.subscribe(filter).await.expect("the node lives")
    }
}

/// The wire, under a new node key.
async fn transport() -> RlpxTransport {
    let mut rng = Entropy::os().rng().expect("the system has randomness");
    let key = Arc::new(Identity::generate(&mut rng));
    let listen = Some(([127, 0, 0, 1], 0).into());
    let protocols = vec![Protocol::WHISPER, ledger::PROTOCOL];
    let config = RlpxConfig { listen, protocols, ..RlpxConfig::new(key) };
    RlpxTransport::bind(config).await.expect("any port will do")
}

/// Both, connected and ready; the group's messages stream in under the name "group" there.
pub(crate) struct Pair {
    pub(crate) ours: Ours,
    pub(crate) geth: Geth,
    /// The number of the connection.
    pub(crate) peer: PeerId,
    /// What our node hears of the group.
    pub(crate) heard: Subscription,
    /// The name of the group's key in the reference.
    pub(crate) key: String,
}

impl Pair {
    /// Our node dials.
    pub(crate) async fn connected() -> Self {
        let geth = Geth::start(Options::default()).await;
        let ours = Ours::start(&[geth.enode()]).await;
        Self::of(ours, geth).await
    }

    /// Waits until the two that have been told to connect are.
    pub(crate) async fn of(mut ours: Ours, mut geth: Geth) -> Self {
        let key = join(&mut geth).await;
        let peer = ours.ready().await;
        geth.connected().await;
        let heard = ours.listen().await;
        Self { ours, geth, peer, heard, key }
    }

    /// Sends a message each way and sees it come, which proves as well that all that was sent before
    /// has been read.
    pub(crate) async fn exchange(&mut self, what: &str) {
        let (there, back) = (format!("{what}, there"), format!("{what}, and back"));
        self.ours.node.post(to_group(&there)).await.expect("the peer takes it");
        self.geth.message("group", there.as_bytes()).await;
        assert_eq!(next(&mut self.heard).await.message.payload(), there.as_bytes(), "our own");
        self.say(&back, 0.001).await;
        assert_eq!(next(&mut self.heard).await.message.payload(), back.as_bytes());
    }

    /// Has the reference post to the group.
    pub(crate) async fn say(&mut self, text: &str, rating: f64) {
        let post = json!({
            "symmetric_key": self.key,
            "topic": format!("0x{TOPIC}"),
            "payload": format!("0x{}", hex::encode(text)),
            "pow_target": rating,
        });
        self.geth.must("post", post).await;
    }
}

/// Gives the reference the group's key and a filter for its messages; tells the key's name there.
pub(crate) async fn join(geth: &mut Geth) -> String {
    let key = geth.symmetric_key(&GROUP).await;
    geth.subscribe("group", json!({ "symmetric_key": key, "direct": true })).await;
    key
}

/// A post to the group.
pub(crate) fn to_group(text: &str) -> Post {
    Post::to_all(group(), TOPIC, text)
}

pub(crate) fn group() -> Arc<SymmetricKey> {
    Arc::new(SymmetricKey::from_bytes(&GROUP).expect("a key"))
}

pub(crate) fn identity(secret: &[u8; 32]) -> Arc<Identity> {
    Arc::new(Identity::from_secret(SecretKey::from_bytes(secret).expect("a key")))
}

/// The next message; there must be no gap before it.
pub(crate) async fn next(heard: &mut Subscription) -> Arc<Received> {
    let next = time::timeout(PATIENCE, heard.next()).await.expect("a message comes");
    next.expect("the node lives").expect("none is missing")
}

/// How the Go program writes a public key.
pub(crate) fn uncompressed(key: PublicKey) -> String {
    hex::encode(key.to_uncompressed())
}
