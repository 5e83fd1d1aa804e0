//! A node without sockets, clock or threads: the app owns them.

mod config;
mod output;
mod state;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::SystemTime;

use rand_core::Rng;
use whisper_core::identity::PublicKey;
use whisper_core::mailbox::Step;
use whisper_core::node::Direction;
use whisper_core::node::Input;
use whisper_core::peer::Network;
use whisper_core::peer::PeerId;
use whisper_core::session::InviteOptions;
use whisper_net::Entropy;

pub use self::config::EngineConfig;
pub(crate) use self::config::relay;
pub use self::output::Output;
use self::state::State;
use crate::envelope::Envelope;
use crate::error::WhisperError;
use crate::faults;
use crate::keys::Identity;
use crate::message::Filter;
use crate::time::system_time;
use crate::time::timestamp;

/// A node for apps that own their network: a relay, filters, and the conversations of one identity if
/// there is one.
///
/// Each call takes the time and returns all that is to be done, in order: packets to send, events to
/// show, envelopes to work for. The app numbers its connections, and never uses a number twice.
#[derive(Debug, uniffi::Object)]
pub struct Engine(Mutex<State>);

#[uniffi::export]
impl Engine {
    /// An engine without peers. With an identity it holds conversations.
    #[uniffi::constructor(default(identity = None))]
    pub fn new(
        config: EngineConfig,
        identity: Option<Arc<Identity>>,
    ) -> Result<Arc<Self>, WhisperError> {
        faults::enter("Engine.new");
        let mut secret = [0; 32];
        Entropy::os().rng()?.fill_bytes(&mut secret);
        let identity = identity.map(|identity| Arc::clone(&identity.0));
        Ok(Arc::new(Self(Mutex::new(State::new(config.into_core()?, secret, identity)))))
    }

    /// A connection stands.
    pub fn connected(
        &self,
        now: SystemTime,
        peer: PeerId,
        inbound: bool,
    ) -> Result<Vec<Output>, WhisperError> {
        let direction = if inbound { Direction::Inbound } else { Direction::Outbound };
        let mut state = self.lock()?;
        faults::enter("Engine.connected");
        state.step(
            timestamp(now),
            Input::Connected { peer, direction, network: Network::Alone(peer) },
        )
    }

    /// A connection is gone.
    pub fn disconnected(&self, now: SystemTime, peer: PeerId) -> Result<Vec<Output>, WhisperError> {
        let mut state = self.lock()?;
        faults::enter("Engine.disconnected");
        state.step(timestamp(now), Input::Disconnected(peer))
    }

    /// A packet came: its code, 0 to 127, and what stands behind the code.
    pub fn receive(
        &self,
        now: SystemTime,
        peer: PeerId,
        code: u8,
        payload: &[u8],
    ) -> Result<Vec<Output>, WhisperError> {
        let mut state = self.lock()?;
        faults::enter("Engine.receive");
        state.step(timestamp(now), Input::Received { peer, code, payload })
    }

    /// A socket has taken so many bytes of payloads that were to be sent. Without being told, the
    /// engine hands out no more than about 1 MiB for a peer, and lets go of it after 20 seconds.
    pub fn written(
        &self,
        now: SystemTime,
        peer: PeerId,
        bytes: u64,
    ) -> Result<Vec<Output>, WhisperError> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let mut state = self.lock()?;
        faults::enter("Engine.written");
        state.step(timestamp(now), Input::Written { peer, bytes })
    }

    /// The moment of `wakeAt` has come.
    pub fn tick(&self, now: SystemTime) -> Result<Vec<Output>, WhisperError> {
        let mut state = self.lock()?;
        faults::enter("Engine.tick");
        state.tick(timestamp(now))
    }

    /// When to call `tick`, if nothing else comes first. Ask after each call.
    pub fn wake_at(&self) -> Result<Option<SystemTime>, WhisperError> {
        faults::enter("Engine.wake_at");
        Ok(self.lock()?.poll_timeout().map(system_time))
    }

    /// The rating to work for, so that envelopes are taken here and live long.
    pub fn advised_rating(&self) -> Result<f64, WhisperError> {
        faults::enter("Engine.advised_rating");
        Ok(self.lock()?.advised_rating())
    }

    /// Takes an envelope of our own and sends it.
    pub fn publish(
        &self,
        now: SystemTime,
        envelope: &Envelope,
    ) -> Result<Vec<Output>, WhisperError> {
        let mut state = self.lock()?;
        faults::enter("Engine.publish");
        state.publish(timestamp(now), &envelope.0)
    }

    /// Adds a filter, and tells its number: what it finds comes with that number. What is in the pool
    /// already is tried with the next calls: ask `wake_at`.
    pub fn add_filter(&self, filter: Filter) -> Result<u64, WhisperError> {
        let filter = filter.into_core()?;
        let mut state = self.lock()?;
        faults::enter("Engine.add_filter");
        Ok(state.add_filter(filter))
    }

    /// Takes out a filter; false if there is none of this number.
    pub fn remove_filter(&self, filter: u64) -> Result<bool, WhisperError> {
        let mut state = self.lock()?;
        faults::enter("Engine.remove_filter");
        Ok(state.remove_filter(filter))
    }

    /// Asks somebody for a conversation and says something, which may be empty.
    pub fn invite(
        &self,
        now: SystemTime,
        peer: PublicKey,
        text: String,
    ) -> Result<Vec<Output>, WhisperError> {
        let options = InviteOptions::default();
        let mut state = self.lock()?;
        faults::enter("Engine.invite");
        state.talk(timestamp(now), Step::Invite { peer, options, text })
    }

    /// Says something to somebody there is a conversation with.
    pub fn send(
        &self,
        now: SystemTime,
        peer: PublicKey,
        payload: &[u8],
    ) -> Result<Vec<Output>, WhisperError> {
        let mut state = self.lock()?;
        faults::enter("Engine.send");
        state.talk(timestamp(now), Step::Send { peer, data: payload.to_vec() })
    }

    /// Accepts what somebody has asked for, who becomes a contact.
    pub fn accept(&self, now: SystemTime, peer: PublicKey) -> Result<Vec<Output>, WhisperError> {
        let mut state = self.lock()?;
        faults::enter("Engine.accept");
        state.talk(timestamp(now), Step::Accept(peer))
    }

    /// Drops what a peer has asked for. The peer is not told.
    pub fn decline(&self, now: SystemTime, peer: PublicKey) -> Result<Vec<Output>, WhisperError> {
        let mut state = self.lock()?;
        faults::enter("Engine.decline");
        state.talk(timestamp(now), Step::Refuse(peer))
    }

    /// Ends the conversation with somebody and wipes its keys.
    pub fn hang_up(&self, now: SystemTime, peer: PublicKey) -> Result<Vec<Output>, WhisperError> {
        let mut state = self.lock()?;
        faults::enter("Engine.hang_up");
        state.talk(timestamp(now), Step::Close(peer))
    }

    /// Makes somebody a contact: invitations are accepted without a question.
    pub fn add_contact(
        &self,
        now: SystemTime,
        peer: PublicKey,
    ) -> Result<Vec<Output>, WhisperError> {
        let mut state = self.lock()?;
        faults::enter("Engine.add_contact");
        state.talk(timestamp(now), Step::AddContact(peer))
    }

    /// Wipes all keys of all conversations at once.
    pub fn burn(&self) -> Result<(), WhisperError> {
        let mut state = self.lock()?;
        faults::enter("Engine.burn");
        state.burn();
        Ok(())
    }
}

impl Engine {
    /// A defect that interrupted a call may have left half a step behind.
    fn lock(&self) -> Result<MutexGuard<'_, State>, WhisperError> {
        self.0.lock().map_err(|_| WhisperError::Poisoned)
    }
}
