//! A node that runs: sockets, clock and threads are its own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use whisper_core::identity;
use whisper_core::node;
use whisper_core::peer::PeerId;
use whisper_core::pow::Rating;
use whisper_core::topic::Topic;
use whisper_net as net;
use whisper_net::Entropy;
use whisper_net::Event;
use whisper_net::rlpx::RlpxConfig;
use whisper_net::rlpx::RlpxTransport;
use whisper_net::transport::Protocol;
use whisper_net::transport::Transport;

use crate::cancel::CancelToken;
use crate::conversations::Conversations;
use crate::delivery::Delivery;
use crate::engine;
use crate::error::WhisperError;
use crate::faults;
use crate::inflight::Inflight;
use crate::keys::Identity;
use crate::ledger::LedgerNetwork;
use crate::light::LightLedger;
use crate::message::Filter;
use crate::message::Recipient;
use crate::runtime;
use crate::subscription::Subscription;
use crate::time::system_time;

/// A node that runs until `shutdown`, which sends first what was posted. It ends as well, at once, when
/// nobody holds it any more: neither itself, nor its conversations, its ledger or a call on them.
#[derive(uniffi::Object)]
pub struct Node {
    handle: net::Handle,
    ledger: bool,
    events: Arc<Inflight<net::Stream<Event>>>,
}

/// The settings of a node. As they are, it is a phone's: it dials and does not listen.
#[derive(Clone, Debug, uniffi::Record)]
pub struct NodeConfig {
    /// Addresses to stay connected to, as `enode` URLs.
    #[uniffi(default = [])]
    pub peers: Vec<String>,
    /// Where to listen: an IP address and a port, 0 for any that is free. Nowhere, if it is absent.
    #[uniffi(default = None)]
    pub listen: Option<String>,
    /// The file of the key that names this node on the wire. It is no identity of a person. Without
    /// one the key is new at each start.
    #[uniffi(default = None)]
    pub key_file: Option<String>,
    /// Whether envelopes of others are not relayed. That spares traffic, and tells peers which
    /// envelopes are this node's own.
    #[uniffi(default = false)]
    pub light: bool,
    /// The least rating that is taken; go-ethereum's, if it is absent.
    #[uniffi(default = None)]
    pub min_rating: Option<f64>,
    /// What the pool may hold, in MiB.
    #[uniffi(default = 16)]
    pub pool_mib: u32,
    /// Whether peers may bring the ledger: follow it on this node then.
    #[uniffi(default = false)]
    pub ledger: bool,
    /// How the author of an envelope is hidden from peers; by stems, if it is absent.
    #[uniffi(default = None)]
    pub privacy: Option<Privacy>,
    /// The file in which relays are kept over a restart, for this user alone: two node keys, or
    /// addresses. Without one each start draws others, and each new relay may learn who wrote what
    /// passes through it.
    #[uniffi(default = None)]
    pub relays_file: Option<String>,
}

/// How the author of an envelope is hidden from peers. It changes what leaves this node, not what it
/// takes. More kinds may come.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, uniffi::Enum)]
#[non_exhaustive]
pub enum Privacy {
    /// Not at all: envelopes leave for all peers at once. Few spies that take the time name the author
    /// of nearly every envelope.
    Fast,
    /// By stems: envelopes leave for one relay first, which passes them on, then for all peers at
    /// different moments. It takes a second more.
    Stem,
}

impl From<Privacy> for net::Privacy {
    fn from(privacy: Privacy) -> Self {
        match privacy {
            Privacy::Fast => Self::Fast,
            Privacy::Stem => Self::Stem,
        }
    }
}

/// What is known about a connected peer.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
pub struct Peer {
    /// The number of its connection.
    pub id: PeerId,
    /// Whether it came to us.
    pub inbound: bool,
    /// Whether it has said what it takes: envelopes go both ways.
    pub ready: bool,
    /// Whether it does not relay.
    pub light: bool,
    /// The least rating it takes.
    pub min_rating: f64,
    /// Its address.
    pub address: String,
    /// The name of its program, as it claims.
    pub client: String,
}

/// What happens around a node. More kinds may come.
#[derive(Clone, Debug, PartialEq, uniffi::Enum)]
#[non_exhaustive]
pub enum NodeEvent {
    /// A connection stands.
    Connected {
        /// Its number.
        peer: PeerId,
        /// The address of the other end.
        address: String,
    },
    /// A peer has said what it takes: envelopes go both ways.
    Ready {
        /// The peer.
        peer: PeerId,
    },
    /// This node cuts a peer for what it did.
    Dismissed {
        /// The peer.
        peer: PeerId,
        /// What it did.
        reason: String,
    },
    /// A connection is gone.
    Disconnected {
        /// Its number.
        peer: PeerId,
    },
    /// A node that is dialled cannot be reached. Each reason is told once until it changes.
    Unreachable {
        /// Its address.
        address: String,
        /// Why there is no connection.
        reason: String,
        /// When it is tried again.
        retry_at: SystemTime,
    },
    /// The addresses under which others reach this node have changed to these.
    Addresses {
        /// All of them, as `enode` URLs, the most useful first.
        addresses: Vec<String>,
    },
    /// This node's clock seems wrong, by the envelopes of most peers. Ask the user to set it.
    ClockSuspect {
        /// Whether it is ahead of the others, not behind them.
        ahead: bool,
        /// By how much, about.
        by: Duration,
    },
    /// The app read too slowly and has missed so many events.
    Gap {
        /// How many.
        missed: u64,
    },
}

/// An event with the number to acknowledge it by.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
pub struct NumberedNodeEvent {
    /// The number.
    pub number: u64,
    /// The event.
    pub event: NodeEvent,
}

/// A message to be sent. Its text form tells sizes only.
#[derive(Clone, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct Post {
    /// Who can read it.
    pub recipient: Recipient,
    /// What it says.
    pub payload: Vec<u8>,
    /// Where its readers find it; a random topic, if it is absent.
    #[uniffi(default = None)]
    pub topic: Option<Topic>,
    /// Who signs it. Readers can show the signature to others.
    #[uniffi(default = None)]
    pub signer: Option<Arc<Identity>>,
    /// How long it lives, 10 seconds to 2 days; 50 seconds, if it is absent. Longer costs more work.
    #[uniffi(default = None)]
    pub ttl: Option<Duration>,
    /// The rating to work for; what most peers take, if it is absent.
    #[uniffi(default = None)]
    pub target: Option<f64>,
    /// The most work that is tolerated, as expected time; 10 seconds, if it is absent.
    #[uniffi(default = None)]
    pub patience: Option<Duration>,
}

#[uniffi::export]
impl Node {
    /// Starts a node. It runs in threads of this library.
    #[uniffi::constructor]
    pub async fn start(config: NodeConfig) -> Result<Arc<Self>, WhisperError> {
        faults::enter("Node.start");
        runtime::run(None, async move {
            let transport = RlpxTransport::bind(config.rlpx()?).await?;
            let ledger = config.ledger;
            let handle = net::start(config.into_net(transport)?)?;
            let events = Arc::new(Inflight::new(handle.events().await?));
            Ok(Arc::new(Self { handle, ledger, events }))
        })
        .await
    }

    /// Where others reach this node, as an `enode` URL; nothing if it does not listen.
    pub fn address(&self) -> Option<String> {
        self.handle.local_address().map(str::to_owned)
    }

    /// Stays connected to an address, an `enode` URL. Given up, it may do so none the less.
    pub async fn dial(&self, address: String) -> Result<(), WhisperError> {
        faults::enter("Node.dial");
        let handle = self.handle.clone();
        runtime::run(None, async move {
            handle.dial(&address).await?;
            Ok(())
        })
        .await
    }

    /// The connected peers.
    pub async fn peers(&self) -> Result<Vec<Peer>, WhisperError> {
        faults::enter("Node.peers");
        let handle = self.handle.clone();
        let peers = runtime::run(None, async move { Ok(handle.peers().await?) }).await?;
        Ok(peers.into_iter().map(Into::into).collect())
    }

    /// Encrypts a message, works for its rating and sends it. Returns once it is encrypted: the
    /// delivery tells what becomes of it. At most 16 MiB of posts wait to be sent: what comes on top
    /// of them fails, and may be posted again later.
    pub fn post(&self, post: Post) -> Result<Arc<Delivery>, WhisperError> {
        faults::enter("Node.post");
        let post = post.into_net()?;
        let _runtime = runtime::enter()?;
        Ok(Delivery::of(self.handle.post(post)))
    }

    /// Posts a message once there is room for it among the posts that wait. Given up before that,
    /// nothing is posted.
    #[uniffi::method(default(cancel = None))]
    pub async fn post_when_ready(
        &self,
        post: Post,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Arc<Delivery>, WhisperError> {
        faults::enter("Node.post_when_ready");
        let (handle, post) = (self.handle.clone(), post.into_net()?);
        let posted = async move { Ok(handle.post_when_ready(post).await) };
        Ok(Delivery::of(runtime::run(cancel, posted).await?))
    }

    /// The messages that a filter finds from now on.
    pub async fn subscribe(&self, filter: Filter) -> Result<Arc<Subscription>, WhisperError> {
        faults::enter("Node.subscribe");
        let (handle, filter) = (self.handle.clone(), filter.into_core()?);
        let found = runtime::run(None, async move { Ok(handle.subscribe(filter).await?) }).await?;
        Ok(Subscription::of(found))
    }

    /// Lets an identity hold conversations on this node.
    pub async fn converse(
        &self,
        identity: Arc<Identity>,
    ) -> Result<Arc<Conversations>, WhisperError> {
        faults::enter("Node.converse");
        let (handle, identity) = (self.handle.clone(), Arc::clone(&identity.0));
        let talk = runtime::run(None, async move { Ok(handle.converse(identity).await?) }).await?;
        Ok(Conversations::of(talk))
    }

    /// Follows the headers of a ledger, from an anchor if there is one, and asks peers for proofs. The
    /// node must be set to `ledger`. It follows one: what was followed before ends.
    #[uniffi::method(default(anchor = None))]
    pub async fn follow_ledger(
        &self,
        network: LedgerNetwork,
        anchor: Option<Vec<u8>>,
    ) -> Result<Arc<LightLedger>, WhisperError> {
        faults::enter("Node.follow_ledger");
        if !self.ledger {
            let reason = "this node has no ledger; start it with `ledger` in its settings";
            return Err(WhisperError::Refused { reason: reason.to_owned() });
        }
        let handle = self.handle.clone();
        runtime::run(None, LightLedger::follow(handle, network, anchor)).await
    }

    /// The event that is not acknowledged yet, or the next one; nothing once the node has ended.
    #[uniffi::method(default(cancel = None))]
    pub async fn next_event(
        &self,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Option<NumberedNodeEvent>, WhisperError> {
        faults::enter("Node.next_event");
        let events = Arc::clone(&self.events);
        let next = async move { Ok(events.next_known(NodeEvent::from_net).await) };
        let next = runtime::run(cancel, next).await?;
        Ok(next.map(|(number, event)| NumberedNodeEvent { number, event }))
    }

    /// Lets go of the event of this number: it is dealt with and does not come again.
    pub fn acknowledge(&self, number: u64) -> Result<(), WhisperError> {
        faults::enter("Node.acknowledge");
        self.events.acknowledge(number);
        Ok(())
    }

    /// Ends all connections and makes none until `resume`: for an app that goes to the background.
    /// Conversations and what waits to be sent stay. Given up, it is done none the less.
    pub async fn suspend(&self) -> Result<(), WhisperError> {
        faults::enter("Node.suspend");
        let handle = self.handle.clone();
        runtime::run(None, async move { Ok(handle.set_suspended(true).await?) }).await
    }

    /// Connects again after `suspend`, at once. Given up, it is done none the less.
    pub async fn resume(&self) -> Result<(), WhisperError> {
        faults::enter("Node.resume");
        let handle = self.handle.clone();
        runtime::run(None, async move { Ok(handle.set_suspended(false).await?) }).await
    }

    /// Says that the network of this device has changed, such as from Wi-Fi to mobile: what waits is
    /// dialled at once, and connections that do not show within seconds that they still work are ended.
    /// Given up, it is done none the less.
    pub async fn network_changed(&self) -> Result<(), WhisperError> {
        faults::enter("Node.network_changed");
        let handle = self.handle.clone();
        runtime::run(None, async move { Ok(handle.network_changed().await?) }).await
    }

    /// Ends the node once what was posted is sent, after 5 seconds at the latest; what no peer takes
    /// fails at once. Given up, even before it has begun, the shutdown goes on.
    #[uniffi::method(default(cancel = None))]
    pub async fn shutdown(&self, cancel: Option<Arc<CancelToken>>) -> Result<(), WhisperError> {
        faults::enter("Node.shutdown");
        let handle = self.handle.clone();
        let ending = runtime::go_on(async move { handle.shutdown().await })?;
        runtime::run(cancel, async move { runtime::joined(ending.await) }).await
    }
}

impl NodeConfig {
    fn rlpx(&self) -> Result<RlpxConfig, WhisperError> {
        let entropy = Entropy::os();
        let key = match &self.key_file {
            Some(path) => net::keyfile::load_or_create(path.as_ref(), &entropy)?,
            None => identity::Identity::generate(&mut entropy.rng()?),
        };
        let listen = self.listen.as_ref().map(|text| {
            text.parse().map_err(|error| WhisperError::malformed("an IP address and a port", error))
        });
        let mut protocols = vec![Protocol::WHISPER];
        if self.ledger {
            protocols.push(net::ledger::PROTOCOL);
        }
        Ok(RlpxConfig { listen: listen.transpose()?, protocols, ..RlpxConfig::new(Arc::new(key)) })
    }

    fn into_net(self, transport: impl Transport) -> Result<net::Config, WhisperError> {
        let node = engine::relay(self.light, self.min_rating, self.pool_mib)?;
        let privacy = self.privacy.map_or_else(net::Privacy::default, Into::into);
        let (dial, relays_file) = (self.peers, self.relays_file.map(Into::into));
        Ok(net::Config { dial, node, privacy, relays_file, ..net::Config::new(transport) })
    }
}

impl Post {
    fn into_net(self) -> Result<net::Post, WhisperError> {
        let mut post = match self.recipient {
            Recipient::Holder { key } => net::Post::to(key, self.payload),
            Recipient::Sharers { key } => {
                let topic = self.topic.unwrap_or_default();
                net::Post::to_all(Arc::clone(&key.0), topic, self.payload)
            }
        };
        post.topic = self.topic;
        post.signer = self.signer.map(|signer| Arc::clone(&signer.0));
        post.ttl = self.ttl.unwrap_or(post.ttl);
        post.target = self.target.map(Rating::new).transpose()?;
        post.patience = self.patience.unwrap_or(post.patience);
        Ok(post)
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Post({} bytes)", self.payload.len())
    }
}

impl From<net::Peer> for Peer {
    fn from(peer: net::Peer) -> Self {
        let net::Peer { info, facts, .. } = peer;
        Self {
            id: info.peer,
            inbound: info.direction == node::Direction::Inbound,
            ready: info.ready,
            light: info.light,
            min_rating: info.min_rating.as_f64(),
            address: facts.endpoint,
            client: facts.client,
        }
    }
}

impl NodeEvent {
    fn from_net(event: Result<Event, net::Lagged>) -> Option<Self> {
        let event = match event {
            Ok(event) => event,
            Err(net::Lagged(missed)) => return Some(Self::Gap { missed }),
        };
        Some(match event {
            Event::Connected { peer, facts } => Self::Connected { peer, address: facts.endpoint },
            Event::Ready(peer) => Self::Ready { peer },
            Event::Dismissed { peer, why } => Self::Dismissed { peer, reason: why.to_string() },
            Event::Disconnected { peer, .. } => Self::Disconnected { peer },
            Event::Unreachable { address, why, retry_at, .. } => {
                let retry_at = system_time(retry_at);
                Self::Unreachable { address, reason: why.to_string(), retry_at }
            }
            Event::Addresses(addresses) => Self::Addresses { addresses },
            Event::ClockSuspect { ahead, by } => Self::ClockSuspect { ahead, by },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use whisper_net::memory::MemoryNetwork;

    use super::*;

    #[test]
    fn the_author_is_hidden_unless_an_app_says_otherwise_and_relays_are_kept_where_it_says() {
        let config = NodeConfig {
            peers: Vec::new(),
            listen: None,
            key_file: None,
            light: false,
            min_rating: None,
            pool_mib: 16,
            ledger: false,
            privacy: None,
            relays_file: Some("relays".to_owned()),
        };
        let fast = NodeConfig { privacy: Some(Privacy::Fast), ..config.clone() };
        let network = MemoryNetwork::new();
        let set = |config: NodeConfig| config.into_net(network.transport("a")).unwrap();
        let (config, fast) = (set(config), set(fast));
        assert_eq!(config.relays_file.as_deref(), Some(Path::new("relays")));
        assert_eq!((config.privacy, fast.privacy), (net::Privacy::Stem, net::Privacy::Fast));
    }
}
