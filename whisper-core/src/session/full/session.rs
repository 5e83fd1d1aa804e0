//! One session, on one side: sealing and opening, on copies.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::iter;

use rand_core::CryptoRng;

use super::body::Body;
use super::body::Layout;
use super::chain::Chain;
use super::content::Content;
use super::error::OpenFailure;
use super::error::SealError;
use super::header::Flags;
use super::header::Header;
use super::keys::HeaderKey;
use super::keys::Key;
use super::keys::Salt;
use super::keys::chain_step;
use super::packet::Closed;
use super::packet::Frame;
use super::packet::body_size;
use super::ratchet::Ratchet;
use super::ratchet::Turn;
use super::size::MAX_DATA;
use crate::session::contract::MessageName;
use crate::session::contract::Role;
use crate::session::contract::SessionId;
use crate::session::error::SessionError;
use crate::session::hours::start_of;
use crate::session::places::HourFull;
use crate::session::watch::Lane;
use crate::session::watch::Place;
use crate::time::Timestamp;
use crate::topic::Topic;

/// One session, on one side. A clone shares the keys; they are wiped with the last of them.
#[derive(Clone, Eq, PartialEq)]
pub struct Session {
    pub(super) id: SessionId,
    pub(super) role: Role,
    pub(super) created_at: Timestamp,
    pub(super) state: State,
}

/// Whether the two still talk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum State {
    Live(Box<Ratchet>),
    /// The peer has said goodbye: what it said before may still come.
    Closing(Chain),
}

impl Session {
    pub(super) fn new(id: SessionId, role: Role, created_at: Timestamp, ratchet: Ratchet) -> Self {
        Self { id, role, created_at, state: State::Live(Box::new(ratchet)) }
    }

    /// Its name, which only the two know.
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// Which side this is.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// When it was made, by the initiator's clock.
    pub const fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// Whether anything can be sent: on the initiator's side only once something was opened.
    pub fn can_seal(&self) -> bool {
        match &self.state {
            State::Live(ratchet) => !matches!(ratchet.turn, Turn::Invited { .. }),
            State::Closing(_) => false,
        }
    }

    /// How many messages were sealed since the peer last brought a key.
    pub fn sealed_on_chain(&self) -> u32 {
        match &self.state {
            State::Live(ratchet) => match &ratchet.turn {
                Turn::Sending(sending) => sending.number,
                Turn::Invited { .. } | Turn::Due { .. } => 0,
            },
            State::Closing(_) => 0,
        }
    }

    /// What the KEM has added to it so far.
    pub fn rounds(&self) -> Rounds {
        match &self.state {
            State::Live(ratchet) => Rounds { mixed: ratchet.round.mixed(), last: ratchet.mixed_at },
            State::Closing(_) => Rounds { mixed: 0, last: None },
        }
    }

    /// What the peer's topics come from, by the number of the peer's chain.
    pub fn lanes(&self) -> impl Iterator<Item = (u32, &dyn Lane)> {
        let (awaited, superseded, last) = match &self.state {
            State::Live(ratchet) => {
                (Some(&ratchet.awaited), &ratchet.superseded[..], ratchet.receiving.as_ref())
            }
            State::Closing(chain) => (None, &[][..], Some(chain)),
        };
        let chains = superseded.iter().chain(last).map(|chain| (chain.number, chain as &dyn Lane));
        chains.chain(awaited.map(|chain| (chain.number, chain as &dyn Lane)))
    }
}

// What goes out and what comes in.
impl Session {
    /// Encrypts a message at the next place: the data of an envelope, and its topic.
    ///
    /// # Errors
    /// [`SealError`]; the session is as it was.
    pub fn seal(
        &mut self,
        now: Timestamp,
        body: &Body,
        rng: &mut impl CryptoRng,
    ) -> Result<Sealed, SealError> {
        let too_large = SealError::TooLarge { max: MAX_DATA };
        let size = body_size(body.content.class().ok_or(too_large)?);
        u32::try_from(body.sent_at.as_secs()).map_err(|_| SealError::Date)?;
        let State::Live(ratchet) = &self.state else { return Err(SealError::Unanswered) };
        let mut ratchet = ratchet.clone();
        ratchet.bring_key(now, &self.id, rng);
        let full = |HourFull { until }| SealError::HourFull { until };
        let slot = ratchet.places.advance(now).map_err(full)?;
        let block = ratchet.round.block().filter(|_| body.content.kind() != Content::CARD);
        let bytes = body.fill(block.as_ref(), size).ok_or(too_large)?;
        let sending = ratchet.sending()?;
        if sending.number >= SENDING_LIMIT {
            return Err(SealError::Exhausted);
        }
        let header = Header {
            key: sending.own.public_key().to_bytes(),
            previous: sending.previous,
            number: sending.number,
            flags: Flags { mixed: sending.mixed, block: block.as_ref().map(|block| block.kind) },
        };
        let mut salt = Salt::default();
        rng.fill_bytes(&mut salt);
        let (message, chain) = chain_step(&sending.chain);
        let place = Place { epoch: slot.epoch, index: slot.index };
        let frame = Frame { id: &self.id, key: &sending.header, place };
        let data = frame.seal(&salt, &header, &message, &bytes, rng).map_err(of_carrier)?;
        let sealed = Sealed {
            name: sending.header.name(sending.number, &salt),
            topic: sending.header.topic(place),
            data,
            hour_ends: start_of(slot.epoch.saturating_add(1)),
            set_back: slot.set_back,
        };
        sending.chain = chain;
        sending.number = sending.number.saturating_add(1);
        self.state = State::Live(ratchet);
        Ok(sealed)
    }

    /// Decrypts data that came under the topic of a place of a chain. The session stays as it is; the
    /// result holds what it is afterwards.
    ///
    /// # Errors
    /// [`OpenFailure`], if there is nothing that the session would take.
    pub fn open(
        &self,
        now: Timestamp,
        chain: u32,
        place: Place,
        data: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Opened, OpenFailure> {
        let key = self.header_key(chain).ok_or(OpenFailure::NotOurs)?;
        let frame = Frame { id: &self.id, key, place };
        let peer = match self.role {
            Role::Initiator => Role::Responder,
            Role::Responder => Role::Initiator,
        };
        let packet = frame.open(data, peer)?;
        let header = &packet.header;
        let mut state = self.state.clone();
        let turned = state.awaits(chain);
        let message = state.take(now, &self.id, chain, (header, &packet.salt))?;
        let body = packet.open(&message)?;
        state.note(chain, place);
        let layout = Layout::read(&body, header.flags.block);
        let mut content = layout.content;
        if let (Some(block), State::Live(ratchet)) = (layout.block, &mut state)
            && ratchet.round.read(block, rng).is_err()
        {
            content = None;
        }
        Ok(Opened {
            name: key.name(header.number, &packet.salt),
            chain,
            number: header.number,
            sent_at: layout.sent_at,
            content,
            turned,
            session: self.with(state),
        })
    }

    /// Forgets the keys of messages that are missing for too long. Call it when the clock is known to
    /// be right: it cannot be undone.
    pub fn forget(&mut self, now: Timestamp) {
        match &mut self.state {
            State::Live(ratchet) => ratchet.chains().for_each(|chain| chain.forget(now)),
            State::Closing(chain) => chain.forget(now),
        }
    }

    /// What remains when the peer has said goodbye in message `number` of a chain: it can open what
    /// was said before on the same chain, and nothing else. None if there is no such chain.
    pub fn closing(&self, chain: u32, number: u32) -> Option<Self> {
        let State::Live(ratchet) = &self.state else { return Some(self.clone()) };
        let chains = ratchet.superseded.iter().chain(&ratchet.receiving);
        let mut chain = chains.into_iter().find(|kept| kept.number == chain)?.clone();
        chain.close(number);
        Some(self.with(State::Closing(chain)))
    }

    const fn with(&self, state: State) -> Self {
        Self { id: self.id, role: self.role, created_at: self.created_at, state }
    }

    fn header_key(&self, number: u32) -> Option<&HeaderKey> {
        match &self.state {
            State::Closing(chain) => (chain.number == number).then_some(&chain.header),
            State::Live(ratchet) => {
                let begun = ratchet.superseded.iter().chain(&ratchet.receiving);
                let begun = begun.map(|chain| (chain.number, &chain.header));
                let awaited = (ratchet.awaited.number, &ratchet.awaited.header);
                let mut all = begun.chain(iter::once(awaited));
                all.find(|chain| chain.0 == number).map(|chain| chain.1)
            }
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, role, created_at, state: _ } = self;
        let mut session = f.debug_struct("Session");
        session.field("id", id).field("role", role).field("created_at", created_at);
        session.finish_non_exhaustive()
    }
}

impl State {
    /// Whether a chain begins with its next message.
    fn awaits(&self, chain: u32) -> bool {
        matches!(self, Self::Live(ratchet) if ratchet.awaited.number == chain)
    }

    fn take(
        &mut self,
        now: Timestamp,
        id: &SessionId,
        chain: u32,
        (header, salt): (&Header, &Salt),
    ) -> Result<Key, OpenFailure> {
        match self {
            Self::Live(ratchet) => ratchet.take(now, id, chain, (header, salt)),
            Self::Closing(chain) => chain.take(now, header, salt),
        }
    }

    fn note(&mut self, chain: u32, place: Place) {
        match self {
            Self::Live(ratchet) => ratchet.note(chain, place),
            Self::Closing(chain) => chain.note(place),
        }
    }
}

/// How many KEM rounds were mixed into a session. A peer that never offers a key would go unseen
/// otherwise.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Rounds {
    /// How many.
    pub mixed: u32,
    /// When the last one was.
    pub last: Option<Timestamp>,
}

/// A message on its way out.
#[derive(Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Sealed {
    /// The name by which the peer acknowledges it.
    pub name: MessageName,
    /// Where the peer finds it.
    pub topic: Topic,
    /// The data of an envelope.
    pub data: Vec<u8>,
    /// When the hour of the topic ends. The peer looks for it for three more hours.
    pub hour_ends: Timestamp,
    /// Whether the clock stands more than an hour before an earlier sending.
    pub set_back: bool,
}

/// A message that was opened.
#[derive(Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Opened {
    /// The session afterwards.
    pub session: Session,
    /// The name of the message.
    pub name: MessageName,
    /// The chain that it came on.
    pub chain: u32,
    /// Its number in the chain.
    pub number: u32,
    /// When it was sent, by the peer's clock.
    pub sent_at: Timestamp,
    /// What it says. Nothing, if it breaks a rule: then the peer is at fault, and the step counts.
    pub content: Option<Content>,
    /// Whether its chain began with it: it answers our newest key.
    pub turned: bool,
}

impl From<Closed> for OpenFailure {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::NotOurs => Self::NotOurs,
            Closed::Refused => Self::Refused,
        }
    }
}

/// Data of a class fits: the carrier refuses only a random source that repeats itself.
fn of_carrier(_: SessionError) -> SealError {
    SealError::Entropy
}

/// Messages of one chain without an answer; spec/session.md, 3.11: below what the peer looks past.
pub const SENDING_LIMIT: u32 = 24_000;
