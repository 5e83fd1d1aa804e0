//! Conversations between two identities: invite, accept, talk, close.

use std::future::Future;
use std::sync::Arc;

use whisper_core::identity::PublicKey;
use whisper_core::session::MessageName;
use whisper_net as net;
use whisper_net::SessionEvent;
use whisper_net::Stream;

use crate::cancel::CancelToken;
use crate::error::WhisperError;
use crate::events::ConversationEvent;
use crate::faults;
use crate::ids::SessionId;
use crate::inflight::Inflight;
use crate::runtime;

/// The conversations of one identity, and its contacts: those whose invitations are accepted without
/// a question. All of it lives in memory; let go of, its keys are wiped, without a word to anybody.
///
/// What is asked for is carried out, also if the caller gives up waiting: a message that is sent again
/// then is there twice.
#[derive(uniffi::Object)]
pub struct Conversations {
    talk: net::Conversations,
    events: Arc<Inflight<Stream<SessionEvent>>>,
}

/// An event with the number to acknowledge it by.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
pub struct NumberedConversationEvent {
    /// The number.
    pub number: u64,
    /// The event.
    pub event: ConversationEvent,
}

#[uniffi::export]
impl Conversations {
    /// Asks somebody for a conversation and says something, which may be empty. Whoever is asked
    /// becomes a contact. The text goes out at once, as a message behind the invitation.
    pub async fn invite(
        &self,
        peer: PublicKey,
        text: String,
    ) -> Result<Arc<SentMessage>, WhisperError> {
        faults::enter("Conversations.invite");
        let talk = self.talk.clone();
        self.send_by(async move { talk.invite(peer, &text).await }).await
    }

    /// Says something to somebody there is a conversation with.
    pub async fn send(
        &self,
        peer: PublicKey,
        payload: Vec<u8>,
    ) -> Result<Arc<SentMessage>, WhisperError> {
        faults::enter("Conversations.send");
        let talk = self.talk.clone();
        self.send_by(async move { talk.send(peer, payload).await }).await
    }

    /// Accepts what somebody has asked for, who becomes a contact. What was withheld comes as events.
    pub async fn accept(&self, peer: PublicKey) -> Result<(), WhisperError> {
        faults::enter("Conversations.accept");
        let talk = self.talk.clone();
        runtime::run(None, async move { Ok(talk.accept(peer).await?) }).await
    }

    /// Drops what somebody has asked for. Nobody is told.
    pub async fn decline(&self, peer: PublicKey) -> Result<(), WhisperError> {
        faults::enter("Conversations.decline");
        let talk = self.talk.clone();
        runtime::run(None, async move { Ok(talk.refuse(peer).await?) }).await
    }

    /// Ends the conversation with somebody, wipes its keys, and says so as well as it goes.
    pub async fn hang_up(&self, peer: PublicKey) -> Result<Arc<SentMessage>, WhisperError> {
        faults::enter("Conversations.hang_up");
        let talk = self.talk.clone();
        self.send_by(async move { talk.close(peer).await }).await
    }

    /// Wipes all keys of all conversations at once, without a word to anybody.
    pub async fn burn(&self) -> Result<(), WhisperError> {
        faults::enter("Conversations.burn");
        let talk = self.talk.clone();
        runtime::run(None, async move { Ok(talk.burn().await?) }).await
    }

    /// Makes somebody a contact: invitations are accepted without a question.
    pub async fn add_contact(&self, peer: PublicKey) -> Result<(), WhisperError> {
        faults::enter("Conversations.add_contact");
        let talk = self.talk.clone();
        runtime::run(None, async move { Ok(talk.add_contact(peer).await?) }).await
    }

    /// Makes somebody a contact no more. A conversation goes on.
    pub async fn remove_contact(&self, peer: PublicKey) -> Result<(), WhisperError> {
        faults::enter("Conversations.remove_contact");
        let talk = self.talk.clone();
        runtime::run(None, async move { Ok(talk.remove_contact(peer).await?) }).await
    }

    /// The contacts, in the order of their keys.
    pub async fn contacts(&self) -> Result<Vec<PublicKey>, WhisperError> {
        faults::enter("Conversations.contacts");
        let talk = self.talk.clone();
        runtime::run(None, async move { Ok(talk.contacts().await?) }).await
    }

    /// Whose conversations these are.
    pub fn public_key(&self) -> PublicKey {
        self.talk.public_key()
    }

    /// The event that is not acknowledged yet, or the next one; nothing once the node has ended.
    #[uniffi::method(default(cancel = None))]
    pub async fn next_event(
        &self,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Option<NumberedConversationEvent>, WhisperError> {
        faults::enter("Conversations.next_event");
        let events = Arc::clone(&self.events);
        let next = async move { Ok(events.next().await) };
        let next = runtime::run(cancel, next).await?;
        Ok(next.map(|(number, event)| NumberedConversationEvent { number, event: event.into() }))
    }

    /// Lets go of the event of this number: it is dealt with and does not come again.
    pub fn acknowledge(&self, number: u64) -> Result<(), WhisperError> {
        faults::enter("Conversations.acknowledge");
        self.events.acknowledge(number);
        Ok(())
    }
}

impl Conversations {
    pub(crate) fn of((talk, events): (net::Conversations, Stream<SessionEvent>)) -> Arc<Self> {
        Arc::new(Self { talk, events: Arc::new(Inflight::new(events)) })
    }

    async fn send_by(
        &self,
        step: impl Future<Output = Result<net::Sent, net::ConversationError>> + Send + 'static,
    ) -> Result<Arc<SentMessage>, WhisperError> {
        let sent = runtime::run(None, async move { Ok(step.await?) }).await?;
        Ok(Arc::new(SentMessage {
            session: sent.session().map(Into::into),
            message: sent.message(),
            deliveries: sent.into_deliveries(),
        }))
    }
}

/// Something that a conversation has sent. Let go of, it goes on.
#[derive(uniffi::Object)]
pub struct SentMessage {
    session: Option<SessionId>,
    message: Option<MessageName>,
    deliveries: Vec<net::Delivery>,
}

#[uniffi::export]
impl SentMessage {
    /// The session that it goes on.
    pub fn session(&self) -> Option<SessionId> {
        self.session.clone()
    }

    /// The name of the message: the peer's acknowledgement names it.
    pub fn message(&self) -> Option<MessageName> {
        self.message
    }

    /// Waits until peers have all of it, or one envelope is lost. Given up, it goes on.
    #[uniffi::method(default(cancel = None))]
    pub async fn sent(&self, cancel: Option<Arc<CancelToken>>) -> Result<(), WhisperError> {
        faults::enter("SentMessage.sent");
        let deliveries = self.deliveries.clone();
        runtime::run(cancel, async move {
            for delivery in deliveries {
                delivery.await?;
            }
            Ok(())
        })
        .await
    }
}
