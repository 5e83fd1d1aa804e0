//! The application's hold on a running node.

#[cfg(feature = "ledger")]
mod driver;

use std::fmt;
use std::sync::Arc;
use std::sync::Once;
use std::time::Duration;

use rand_core::Rng;
use tokio::sync::watch;
use whisper_core::envelope;
use whisper_core::envelope::Draft;
use whisper_core::envelope::Envelope;
use whisper_core::inbox::Filter;
use whisper_core::mailbox::Limits;
use whisper_core::mailbox::Review;
use whisper_core::node;
use whisper_core::node::Node;
use whisper_core::node::SettingError;
use whisper_core::peer::PeerId;
use whisper_core::pow::Rating;
use whisper_core::topic::Bloom;

use crate::actor;
use crate::actor::Address;
use crate::actor::Closed;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::StartError;
use crate::driver::Driver;
use crate::driver::Effects;
use crate::driver::Peer;
use crate::driver::RelayBook;
use crate::driver::Stats;
use crate::entropy::Entropy;
use crate::events::Event;
use crate::handler::Handler;
use crate::peering::Peering;
use crate::posting;
use crate::posting::Delivery;
use crate::posting::Outbox;
use crate::posting::Post;
use crate::posting::PostError;
use crate::posting::PostQueue;
use crate::posting::Room;
use crate::posting::Submission;
use crate::stream;
use crate::stream::Stream;
use crate::subscription::Subscription;
use crate::transport::DialError;
use crate::transport::Joined;
use crate::transport::NodeName;
use crate::transport::Protocol;
use crate::transport::Transport;
use crate::worker;
use crate::worker::Queue;
use crate::worker::Reader;

/// Starts a node. It runs in tasks of the tokio runtime that this is called in, until the last
/// [`Handle`] is dropped. There may be any number of nodes in one process.
///
/// ```
/// use whisper_net::{Config, memory::MemoryNetwork};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let network = MemoryNetwork::new();
/// let node = whisper_net::start(Config::new(network.transport("alice")))?;
/// assert_eq!(node.local_address(), Some("memory:alice"));
/// node.shutdown().await;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`StartError`] if there is no randomness or no runtime, an address to dial is malformed, or the
/// rating that is demanded cannot be reached.
pub fn start(config: Config) -> Result<Handle, StartError> {
    let runtime = tokio::runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
    config.entropy.check()?;
    let stem = config.node.stem.or_else(|| config.privacy.stem());
    let settings = node::Config { stem, ..config.node };
    let node = Node::new(settings, *config.entropy.draw()?.expose());
    let mut transport = Joined::new(config.transports);
    transport.share(&Peering::default());
    if config.node.min_rating.as_f64() > MOST_RATING {
        return Err(StartError::MinRating);
    }
    warn_of_slow_build();
    for (index, address) in config.dial.iter().enumerate() {
        match transport.dial(address) {
            Ok(_) => {}
            Err(DialError::Full) => {
                let left_out = config.dial.len().saturating_sub(index);
                tracing::warn!(left_out, "more addresses to dial than the transport keeps");
                break;
            }
            Err(source) => return Err(StartError::Dial { index, source }),
        }
    }

    let local_address = transport.addresses().into_iter().next();
    let (address, commands) = actor::address();
    let (outbox, intake) = posting::channel();
    let pool_bytes = config.node.pool_bytes;
    let queue = Arc::new(Queue::new(Limits::unread(pool_bytes)));
    let waiting = Limits::waiting(pool_bytes);
    let reader = Reader::new(waiting, &config.clock, &config.entropy, outbox.clone());
    let (alive, ended) = watch::channel(());
    let worker = worker::start(&runtime, Arc::clone(&queue), reader, alive.clone());
    let posts = PostQueue::new(intake, config.mining_threads, stem.is_some());
    let relays = RelayBook::open(config.relays_file);
    let effects = Effects::new(Box::new(transport), posts, Arc::clone(&queue), relays);
    let driver = Driver::new(node, effects, config.clock.clone(), commands, config.drain);
    runtime.spawn(async move {
        driver.run().await;
        drop(alive);
    });
    Ok(Handle(Arc::new(Inner {
        driver: address,
        worker,
        queue,
        outbox,
        ended,
        clock: config.clock,
        entropy: config.entropy,
        backlog: config.backlog,
        local_address,
    })))
}

/// The application's hold on a running node. Clones hold the same node; when the last is dropped it
/// ends at once, and [`Handle::shutdown`] ends it after what was posted is sent.
///
/// Every method may be called from anywhere, and every future be dropped at any time.
#[derive(Clone)]
pub struct Handle(Arc<Inner>);

struct Inner {
    driver: Address<Driver>,
    worker: Address<Reader>,
    queue: Arc<Queue>,
    outbox: Outbox,
    ended: watch::Receiver<()>,
    clock: Clock,
    entropy: Entropy,
    backlog: usize,
    local_address: Option<String>,
}

impl Handle {
    /// Encrypts a message, works for its rating and sends it. Returns at once: the delivery says
    /// what becomes of it.
    ///
    /// Posts leave in the order in which they were handed in, except that one which needs little work
    /// overtakes those that need much. 16 MiB of them may wait, some 16,000 short ones; what is handed
    /// in beyond that fails with [`PostError::QueueFull`]. [`Handle::post_when_ready`] waits instead.
    pub fn post(&self, post: Post) -> Delivery {
        self.post_into(None, post)
    }

    /// As [`Handle::post`], once there is room for it among the posts that wait. Safe to cancel:
    /// nothing is posted then.
    pub async fn post_when_ready(&self, post: Post) -> Delivery {
        let room = self.0.outbox.room(post.payload.len()).await;
        self.post_into(room, post)
    }

    #[expect(clippy::needless_pass_by_value, reason = "a post is handed over")]
    fn post_into(&self, room: Option<Room>, post: Post) -> Delivery {
        let (draft, backdate, nonce) = match self.seal(&post) {
            Ok(sealed) => sealed,
            Err(why) => return self.0.outbox.fail(why),
        };
        let Post { target, patience, .. } = post;
        let submission = Submission { draft, backdate, target, patience, nonce, lane: None };
        self.0.outbox.send(submission, room)
    }

    /// Sends a message to one peer, past pool and network and without work. The peer takes it if it
    /// trusts this node, and does not pass it on. Target and patience do not matter.
    ///
    /// # Errors
    /// [`DirectError`] if the message cannot be made or the peer cannot take it.
    pub async fn send_direct(&self, peer: PeerId, post: Post) -> Result<(), DirectError> {
        let (draft, _, nonce) = self.seal(&post)?;
        let envelope = draft.seal(nonce);
        Ok(self.ask(move |driver| driver.send_direct(peer, &envelope)).await??)
    }

    /// The stream of messages that a filter finds: in what comes from now on, and, in the background,
    /// in what the pool holds already.
    ///
    /// # Errors
    /// [`Closed`] if the node has ended.
    pub async fn subscribe(&self, filter: Filter) -> Result<Subscription, Closed> {
        let (feed, stream) = stream::channel(self.0.backlog);
        // If this future is dropped the stream is gone, and the filter goes with it.
        let subscribed = self.ask_reader(move |reader| reader.subscribe(filter, feed));
        let (id, review) = subscribed.await?;
        self.review(review).await?;
        Ok(Subscription::new(id, stream, self.0.worker.downgrade()))
    }

    /// The stream of what happens around the node from now on. It begins with the peers that are there,
    /// and ends with the node.
    ///
    /// # Errors
    /// [`Closed`] if the node has ended.
    pub async fn events(&self) -> Result<Stream<Event>, Closed> {
        let (feed, stream) = stream::channel(self.0.backlog);
        self.ask(move |driver| driver.listen(feed)).await?;
        Ok(stream)
    }

    /// The stream of envelopes that come into the pool from now on, our own included: what a relay can
    /// see, for archives. It ends with the node.
    ///
    /// # Errors
    /// [`Closed`] if the node has ended.
    pub async fn envelopes(&self) -> Result<Stream<Arc<Envelope>>, Closed> {
        let (feed, stream) = stream::channel(self.0.backlog);
        self.ask(move |driver| driver.watch(feed)).await?;
        Ok(stream)
    }

    /// The connected peers.
    ///
    /// # Errors
    /// [`Closed`] if the node has ended.
    pub async fn peers(&self) -> Result<Vec<Peer>, Closed> {
        self.ask(|driver| driver.peers()).await
    }

    /// What the node holds and has done.
    ///
    /// # Errors
    /// [`Closed`] if the node has ended.
    pub async fn stats(&self) -> Result<Stats, Closed> {
        let stats = self.ask(|driver| driver.stats()).await?;
        Ok(Stats { unread_envelopes: self.0.queue.len(), ..stats })
    }

    /// Dials an address now, written as its transport writes them, and stays connected to it. It
    /// replaces another address of the same node. [`Event::Connected`](crate::Event::Connected) with
    /// this name tells that the connection stands, [`Event::Unreachable`](crate::Event::Unreachable)
    /// what is in the way.
    ///
    /// # Errors
    /// [`DialError`] if it cannot be dialled, [`DialError::Unsupported`] also if the node has ended.
    pub async fn dial(&self, address: &str) -> Result<NodeName, DialError> {
        let address = address.to_owned();
        let dial = self.ask(move |driver| driver.dial(&address)).await;
        dial.unwrap_or(Err(DialError::Unsupported))
    }

    /// Lets `handler` speak `protocol` over the node's connections: those that stand and whose
    /// transport has offered the protocol, and those that are made from now on. It takes the place of
    /// an earlier handler, whose peers are disconnected.
    ///
    /// # Errors
    /// [`RegisterError`] if the protocol is the relay's, or the node has ended.
    pub async fn register(
        &self,
        protocol: Protocol,
        handler: impl Handler,
    ) -> Result<(), RegisterError> {
        if protocol == Protocol::WHISPER {
            return Err(RegisterError::Reserved);
        }
        Ok(self.ask(move |driver| driver.register(protocol, Box::new(handler))).await?)
    }

    /// Says that the machine's network has changed, such as from Wi-Fi to mobile: what waits is dialled
    /// at once, and connections that do not show within seconds that they still work are ended.
    ///
    /// # Errors
    /// [`Closed`] if the node has ended.
    pub async fn network_changed(&self) -> Result<(), Closed> {
        self.ask(Driver::network_changed).await
    }

    /// Where others reach this node, the most useful address first; none if it does not listen.
    /// [`Event::Addresses`](crate::Event::Addresses) tells changes.
    ///
    /// # Errors
    /// [`Closed`] if the node has ended.
    pub async fn addresses(&self) -> Result<Vec<String>, Closed> {
        self.ask(|driver| driver.addresses()).await
    }

    /// Ends a connection and does not dial it again.
    ///
    /// # Errors
    /// [`Closed`] if the node has ended.
    pub async fn disconnect(&self, peer: PeerId) -> Result<(), Closed> {
        self.ask(move |driver| driver.disconnect(peer)).await
    }

    /// Sets the least rating that is taken, and informs the peers.
    ///
    /// # Errors
    /// [`Closed`] if the node has ended.
    pub async fn set_min_rating(&self, min: Rating) -> Result<(), Closed> {
        self.ask(move |driver| driver.set_min_rating(min)).await
    }

    /// Sets the topics that are wanted, `None` for all of them, and informs the peers.
    ///
    /// # Errors
    /// [`Closed`] if the node has ended.
    pub async fn set_bloom(&self, bloom: Option<Bloom>) -> Result<(), Closed> {
        self.ask(move |driver| driver.set_bloom(bloom)).await
    }

    /// Sets whether envelopes of others are not relayed. Peers that are connected are not informed.
    ///
    /// # Errors
    /// [`Closed`] if the node has ended.
    pub async fn set_light(&self, light: bool) -> Result<(), Closed> {
        self.ask(move |driver| driver.set_light(light)).await
    }

    /// Says whether the machine has more to do than it can: every peer is held to its budget then.
    ///
    /// # Errors
    /// [`Closed`] if the node has ended.
    pub async fn set_busy(&self, busy: bool) -> Result<(), Closed> {
        self.ask(move |driver| driver.set_busy(busy)).await
    }

    /// Ends all connections and makes none until this is called with `false`, then dials again at once: for a
    /// phone whose program goes to the background. Conversations and what waits to be sent stay. The
    /// memory transport goes on as before.
    ///
    /// # Errors
    /// [`Closed`] if the node has ended.
    pub async fn set_suspended(&self, suspended: bool) -> Result<(), Closed> {
        self.ask(move |driver| driver.set_suspended(suspended)).await
    }

    /// Draws the relays anew that pass on what this node begins. They are kept for a week, and should
    /// be: with each new one, whoever knows that several messages are of one sender learns more of who
    /// that is. For somebody who thinks that one of them is a spy.
    ///
    /// # Errors
    /// [`Closed`] if the node has ended.
    pub async fn redraw_relays(&self) -> Result<(), Closed> {
        self.ask(Driver::redraw_relays).await
    }

    /// Sets whether direct messages of a peer are taken and no budget binds it.
    ///
    /// # Errors
    /// [`DirectError`] if it is not connected.
    pub async fn set_trusted(&self, peer: PeerId, trusted: bool) -> Result<(), DirectError> {
        Ok(self.ask(move |driver| driver.set_trusted(peer, trusted)).await??)
    }

    /// The first of the addresses at which others reached this node when it started, if it listens.
    pub fn local_address(&self) -> Option<&str> {
        self.0.local_address.as_deref()
    }

    /// The source of randomness that the node was given.
    pub fn entropy(&self) -> &Entropy {
        &self.0.entropy
    }

    /// The clock that the node was given.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Ends the node once what was posted is sent and has come back from the network, or the time that
    /// the settings give for it is over.
    /// Posts that wait for a peer fail at once. Returns when all is over. Safe to cancel: the
    /// shutdown goes on.
    pub async fn shutdown(&self) {
        // If it has ended, there is nothing to ask.
        let _ = self.ask(Driver::shut_down).await;
        self.ended().await;
    }

    /// Waits until the node has ended, for whatever reason. Safe to cancel.
    pub async fn ended(&self) {
        let mut ended = self.0.ended.clone();
        while ended.changed().await.is_ok() {}
    }

    /// Encrypts, and checks what can be checked before the work. With a random nonce to begin at.
    fn seal(&self, post: &Post) -> Result<(Draft, Duration, u64), PostError> {
        let mut rng = self.0.entropy.rng()?;
        let (topic, data) = post.encrypt(&mut rng)?;
        let backdate = envelope::backdate(post.ttl, &mut rng);
        let issued = self.0.clock.now().saturating_sub(backdate);
        let draft = Draft::new(issued, post.ttl, topic, data)?;
        Ok((draft, backdate, rng.next_u64()))
    }

    /// Waits for room for a message in the post queue; nothing once the node has ended.
    pub(crate) async fn room(&self, bytes: usize) -> Option<Room> {
        self.0.outbox.room(bytes).await
    }

    /// Lets the worker do something between two steps, and waits for the answer.
    pub(crate) async fn ask_reader<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Reader) -> T + Send + 'static,
    ) -> Result<T, Closed> {
        self.0.worker.ask(question).await
    }

    /// Has new filters tried on what the pool holds already.
    pub(crate) async fn review(&self, review: Option<Review>) -> Result<(), Closed> {
        match review {
            Some(review) => self.ask(move |driver| driver.review(review)).await,
            None => Ok(()),
        }
    }

    pub(crate) fn backlog(&self) -> usize {
        self.0.backlog
    }

    /// Lets the loop do something between two steps, and waits for the answer.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Driver) -> T + Send + 'static,
    ) -> Result<T, Closed> {
        self.0.driver.ask(question).await
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("local_address", &self.0.local_address)
            .finish_non_exhaustive()
    }
}

/// Says once that this build is slow: the profile of the program decides, not ours.
fn warn_of_slow_build() {
    static ONCE: Once = Once::new();
    if cfg!(debug_assertions) {
        ONCE.call_once(|| {
            tracing::warn!("a debug build is slow: set opt-level = 3 for its dependencies");
        });
    }
}

/// The work for more takes years on every machine there is.
const MOST_RATING: f64 = 1e15;

/// Why a protocol cannot be registered.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The relay speaks it.
    #[error("the relay speaks this protocol: register one of another name")]
    Reserved,
    /// The node has ended.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Why something cannot be done with a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectError {
    /// The message cannot be made.
    #[error(transparent)]
    Post(#[from] PostError),
    /// The peer cannot take it.
    #[error(transparent)]
    Peer(#[from] SettingError),
    /// The node has ended.
    #[error(transparent)]
    Closed(#[from] Closed),
}
