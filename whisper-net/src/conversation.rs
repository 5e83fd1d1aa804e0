//! Conversations between two identities: invite, accept, talk, close.

mod sent;

use std::fmt;
use std::sync::Arc;

use whisper_core::identity::Identity;
use whisper_core::identity::PublicKey;
use whisper_core::mailbox::Step;
use whisper_core::mailbox::StepError;
use whisper_core::session::InviteOptions;
use whisper_core::session::SessionError;
use whisper_core::session::SessionEvent;
use whisper_core::session::SessionInfo;
use whisper_core::session::SessionTtl;
use whisper_core::session::Sessions;

pub use self::sent::Sent;
use crate::actor::Closed;
use crate::entropy::NoEntropy;
use crate::handle::Handle;
use crate::posting::Room;
use crate::stream;
use crate::stream::Stream;

/// The conversations of one identity, and its contacts: those whose invitations are accepted without
/// a question. All of it lives in memory and ends with the node.
///
/// ```
/// # use std::sync::Arc;
/// # use whisper_core::identity::Identity;
/// # use whisper_net::{Config, Entropy, memory::MemoryNetwork};
/// use whisper_net::SessionEvent;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let network = MemoryNetwork::new();
/// # let ours = whisper_net::start(Config::new(network.transport("ours")))?;
/// # let theirs = whisper_net::start(Config::new(network.transport("theirs")))?;
/// # ours.dial("memory:theirs").await?;
/// # let [alice, bob] = [(); 2].map(|()| Identity::generate(&mut Entropy::os().rng().unwrap()));
/// # let [alice, bob] = [Arc::new(alice), Arc::new(bob)];
/// let (alice_talks, _) = ours.converse(alice).await?;
/// let (bob_talks, mut bob_hears) = theirs.converse(bob.clone()).await?;
///
/// alice_talks.invite(bob.public_key(), "hello").await?.await?;
///
/// // Bob does not know Alice: what she says is withheld until Bob accepts.
/// let Some(Ok(SessionEvent::Invited { peer, .. })) = bob_hears.next().await else { panic!() };
/// bob_talks.accept(peer).await?;
/// while let Some(event) = bob_hears.next().await {
///     if let Ok(SessionEvent::Message { data, .. }) = event {
///         assert_eq!(data, b"hello");
///         break;
///     }
/// }
/// bob_talks.send(peer, "good to hear from you").await?.await?;
/// # Ok(())
/// # }
/// ```
///
/// What is said to one peer leaves in the order in which it was said, but the network may reorder it on
/// the way: each message event carries its place.
///
/// Once all clones and the stream of events are dropped, the keys are wiped and no peer is informed.
#[derive(Clone)]
pub struct Conversations {
    node: Handle,
    identity: PublicKey,
    _alive: Arc<()>,
}

impl Handle {
    /// Lets an identity hold conversations on this node. Their envelopes live for ten minutes, unless
    /// [`Conversations::set_ttl`] says otherwise.
    ///
    /// The events end with the node. [`Lagged`](crate::Lagged) among them says that at most so many
    /// are missing: the reader was too slow, or more envelopes came than the node had time to open.
    ///
    /// # Errors
    /// [`ConversationError::Taken`] if it does already, and if the node has ended.
    pub async fn converse(
        &self,
        identity: Arc<Identity>,
    ) -> Result<(Conversations, Stream<SessionEvent>), ConversationError> {
        let (feed, events) = stream::channel(self.backlog());
        let alive = Arc::new(());
        let key = identity.public_key();
        let guard = Arc::downgrade(&alive);
        let opened = self.ask_reader(move |reader| reader.open_account(identity, feed, guard));
        let review = opened.await?.map_err(|_| ConversationError::Taken)?;
        self.review(review).await?;
        Ok((Conversations { node: self.clone(), identity: key, _alive: alive }, events))
    }
}

impl Conversations {
    /// Asks `peer` for a conversation and says `text`, which may be empty. `peer` becomes a contact.
    ///
    /// The text goes out at once, as a message of its own behind the invitation.
    ///
    /// # Errors
    /// [`ConversationError`]; then nothing has changed.
    pub async fn invite(&self, peer: PublicKey, text: &str) -> Result<Sent, ConversationError> {
        self.invite_with(peer, text, InviteOptions::default()).await
    }

    /// As [`Conversations::invite`], for a session that is to be unlike others.
    ///
    /// # Errors
    /// [`ConversationError`]; then nothing has changed.
    pub async fn invite_with(
        &self,
        peer: PublicKey,
        text: &str,
        options: InviteOptions,
    ) -> Result<Sent, ConversationError> {
        let text = text.to_owned();
        let room = self.node.room(text.len()).await;
        self.step(Step::Invite { peer, options, text }, room).await
    }

    /// Says something to `peer`: on the session that it is known to read, before that on our own
    /// invitation's. Waits while the queue of posts is full. What is said to one peer leaves in the
    /// order in which it was said.
    ///
    /// # Errors
    /// [`ConversationError`]; then nothing has changed.
    pub async fn send(
        &self,
        peer: PublicKey,
        data: impl Into<Vec<u8>>,
    ) -> Result<Sent, ConversationError> {
        let data = data.into();
        let room = self.node.room(data.len()).await;
        self.step(Step::Send { peer, data }, room).await
    }

    /// Accepts what `peer` has asked for: it becomes a contact, and what it said comes as events.
    ///
    /// # Errors
    /// [`ConversationError`]; then nothing has changed.
    pub async fn accept(&self, peer: PublicKey) -> Result<(), ConversationError> {
        self.step(Step::Accept(peer), None).await.map(drop)
    }

    /// Drops what `peer` has asked for, without an answer.
    ///
    /// # Errors
    /// [`ConversationError`]; then nothing has changed.
    pub async fn refuse(&self, peer: PublicKey) -> Result<(), ConversationError> {
        self.step(Step::Refuse(peer), None).await.map(drop)
    }

    /// Ends the conversation with `peer`, wipes its keys, and tries to inform the peer.
    ///
    /// # Errors
    /// [`ConversationError`]; then nothing has changed.
    pub async fn close(&self, peer: PublicKey) -> Result<Sent, ConversationError> {
        self.step(Step::Close(peer), None).await
    }

    /// Wipes all keys of all conversations at once. No peer is informed.
    ///
    /// # Errors
    /// [`ConversationError`] if the account or the node has ended; then there are no keys.
    pub async fn burn(&self) -> Result<(), ConversationError> {
        let own = self.identity;
        let is_burnt = self.node.ask_reader(move |reader| reader.burn(&own)).await?;
        if is_burnt { Ok(()) } else { Err(ConversationError::Ended) }
    }

    /// Makes `peer` a contact: its invitations are accepted without a question.
    ///
    /// # Errors
    /// [`ConversationError`]; then nothing has changed.
    pub async fn add_contact(&self, peer: PublicKey) -> Result<(), ConversationError> {
        self.step(Step::AddContact(peer), None).await.map(drop)
    }

    /// Makes `peer` a contact no more. Its conversation goes on.
    ///
    /// # Errors
    /// [`ConversationError`]; then nothing has changed.
    pub async fn remove_contact(&self, peer: PublicKey) -> Result<(), ConversationError> {
        self.step(Step::RemoveContact(peer), None).await.map(drop)
    }

    /// The contacts, in the order of their keys.
    ///
    /// # Errors
    /// [`ConversationError`] if the account or the node has ended.
    pub async fn contacts(&self) -> Result<Vec<PublicKey>, ConversationError> {
        self.ask(|sessions| sessions.contacts().collect()).await
    }

    /// The sessions that conversations run on.
    ///
    /// # Errors
    /// [`ConversationError`] if the account or the node has ended.
    pub async fn sessions(&self) -> Result<Vec<SessionInfo>, ConversationError> {
        self.ask(|sessions| sessions.sessions().collect()).await
    }

    /// Sets how long the envelopes of this identity live: one choice for all, so that it gives
    /// nothing away; ten minutes unless set. Change it seldom.
    ///
    /// # Errors
    /// [`ConversationError`] if the account or the node has ended.
    pub async fn set_ttl(&self, ttl: SessionTtl) -> Result<(), ConversationError> {
        self.step(Step::SetTtl(ttl), None).await.map(drop)
    }

    /// Whose conversations these are.
    pub const fn public_key(&self) -> PublicKey {
        self.identity
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Sessions) -> T + Send + 'static,
    ) -> Result<T, ConversationError> {
        let own = self.identity;
        let answer = self.node.ask_reader(move |reader| reader.sessions(&own).map(question));
        answer.await?.ok_or(ConversationError::Ended)
    }

    /// Once a step is asked for it is carried out whole, even if the caller stops waiting.
    async fn step(&self, step: Step, room: Option<Room>) -> Result<Sent, ConversationError> {
        let own = self.identity;
        let dispatches = self.node.ask_reader(move |reader| reader.step(&own, step, room));
        match dispatches.await?? {
            Ok(dispatches) => Ok(Sent::new(dispatches)),
            Err(StepError::Session(why)) => Err(why.into()),
            Err(_) => Err(ConversationError::Ended),
        }
    }
}

impl fmt::Debug for Conversations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversations").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// Why a conversation cannot do what it is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConversationError {
    /// There is no randomness. Nothing was done.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// The sessions say no.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The identity holds conversations on this node already.
    #[error("this identity holds conversations already; use those")]
    Taken,
    /// The node does not know this identity any more.
    #[error("the conversations of this identity are over; open them again")]
    Ended,
    /// The node has ended.
    #[error(transparent)]
    Closed(#[from] Closed),
}
