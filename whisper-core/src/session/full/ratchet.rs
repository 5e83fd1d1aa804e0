//! The ratchet of one session, on one side: every answer brings fresh keys.
//!
//! A step has two halves. The receiving half comes with the first header under a new key of the peer;
//! the sending half with the first message after it, not before, so that what the message brought can
//! be mixed in. spec/session.md, 3.6.

use alloc::sync::Arc;
use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::chain::Awaited;
use super::chain::Chain;
use super::error::OpenFailure;
use super::error::SealError;
use super::header::Header;
use super::keys::HeaderKey;
use super::keys::Key;
use super::keys::RootStep;
use super::keys::Salt;
use super::round::Round;
use crate::crypto::x_only::XOnlyPublicKey;
use crate::crypto::x_only::XOnlySecretKey;
use crate::session::contract::SessionId;
use crate::session::places::Places;
use crate::session::watch::Place;
use crate::time::Timestamp;

/// The keys of a session. A step works on a clone, which shares them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Ratchet {
    pub(super) root: Key,
    pub(super) turn: Turn,
    /// Where messages of the sending chain went.
    pub(super) places: Places,
    /// The chain of the peer that may begin next.
    pub(super) awaited: Awaited,
    /// The last chain that began.
    pub(super) receiving: Option<Chain>,
    /// Those before it, oldest first.
    pub(super) superseded: Vec<Chain>,
    pub(super) round: Round,
    /// When the last KEM round was mixed in.
    pub(super) mixed_at: Option<Timestamp>,
}

/// Whose turn it is to bring a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Turn {
    /// The initiator's key is out with the invitation; nothing can be sent on the session yet.
    Invited { own: Arc<XOnlySecretKey>, next: HeaderKey },
    /// The peer has brought a key: the next message brings one of ours.
    Due { peer: XOnlyPublicKey, header: HeaderKey, previous: u32 },
    /// Our key is out, and we send on its chain.
    Sending(Sending),
}

/// The chain that we send on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Sending {
    pub(super) own: Arc<XOnlySecretKey>,
    pub(super) header: HeaderKey,
    /// The header key of the chain after this one.
    pub(super) next: HeaderKey,
    pub(super) chain: Key,
    /// How many messages were sealed.
    pub(super) number: u32,
    /// How many the chain before has.
    pub(super) previous: u32,
    /// Whether a KEM round was mixed in.
    pub(super) mixed: bool,
}

impl Ratchet {
    /// The initiator's side, with the key that the invitation carries.
    pub(super) fn initiator(
        id: &SessionId,
        root: &Key,
        own: XOnlySecretKey,
        prekey: &XOnlyPublicKey,
        awaited: HeaderKey,
    ) -> Self {
        let step = RootStep::new(root, &own.agree(prekey), None, id);
        let turn = Turn::Invited { own: Arc::new(own), next: step.next_header };
        Self::new(step.root, turn, awaited, Round::Wait(1))
    }

    /// The responder's side: its sending half is due at once.
    pub(super) fn responder(
        id: &SessionId,
        root: &Key,
        prekey: &XOnlySecretKey,
        peer: XOnlyPublicKey,
        header: HeaderKey,
    ) -> Self {
        let step = RootStep::new(root, &prekey.agree(&peer), None, id);
        let turn = Turn::Due { peer, header, previous: 0 };
        Self::new(step.root, turn, step.next_header, Round::Idle)
    }

    fn new(root: Key, turn: Turn, awaited: HeaderKey, round: Round) -> Self {
        Self {
            root,
            turn,
            places: Places::default(),
            awaited: Awaited { number: 0, header: awaited },
            receiving: None,
            superseded: Vec::new(),
            round,
            mixed_at: None,
        }
    }

    /// The sending half, if one is due.
    pub(super) fn bring_key(&mut self, now: Timestamp, id: &SessionId, rng: &mut impl CryptoRng) {
        let Turn::Due { peer, header, previous } = &self.turn else { return };
        let own = XOnlySecretKey::generate(rng);
        let mixed = self.round.begin_chain(rng);
        let step = RootStep::new(&self.root, &own.agree(peer), mixed.as_deref(), id);
        if mixed.is_some() {
            self.mixed_at = Some(now);
        }
        self.root = step.root;
        self.places = self.places.next_key();
        self.turn = Turn::Sending(Sending {
            own: Arc::new(own),
            header: header.clone(),
            next: step.next_header,
            chain: step.chain,
            number: 0,
            previous: *previous,
            mixed: mixed.is_some(),
        });
    }

    /// The chain that messages go on, once our key is out.
    pub(super) fn sending(&mut self) -> Result<&mut Sending, SealError> {
        match &mut self.turn {
            Turn::Sending(sending) => Ok(sending),
            Turn::Invited { .. } | Turn::Due { .. } => Err(SealError::Unanswered),
        }
    }

    /// The key of a message that came on a chain; the receiving half, if the chain begins with it.
    pub(super) fn take(
        &mut self,
        now: Timestamp,
        id: &SessionId,
        chain: u32,
        (header, salt): (&Header, &Salt),
    ) -> Result<Key, OpenFailure> {
        if self.awaited.number == chain {
            self.take_key(now, id, header)?;
        }
        let chain = self.chain(chain).ok_or(OpenFailure::NotOurs)?;
        let key = chain.take(now, header, salt)?;
        self.trim();
        Ok(key)
    }

    /// Notes where a message of a chain was found.
    pub(super) fn note(&mut self, chain: u32, place: Place) {
        if let Some(chain) = self.chain(chain) {
            chain.note(place);
        }
    }

    /// The receiving half: a new key of the peer begins its next chain.
    fn take_key(
        &mut self,
        now: Timestamp,
        id: &SessionId,
        header: &Header,
    ) -> Result<(), OpenFailure> {
        let (own, next, previous) = match &self.turn {
            Turn::Invited { own, next } => (own, next, 0),
            Turn::Sending(sending) => (&sending.own, &sending.next, sending.number),
            Turn::Due { .. } => return Err(OpenFailure::Refused),
        };
        if self.receiving.is_none() && header.previous != 0 {
            return Err(OpenFailure::Refused);
        }
        let peer = XOnlyPublicKey::from_bytes(&header.key).map_err(|_| OpenFailure::Refused)?;
        let mixed = match header.flags.mixed {
            true => Some(self.round.take_up().ok_or(OpenFailure::Refused)?),
            false => None,
        };
        let step = RootStep::new(&self.root, &own.agree(&peer), mixed.as_deref(), id);
        if mixed.is_some() {
            self.mixed_at = Some(now);
        }
        let began = self.awaited.begin(header, step.chain);
        if let Some(ended) = self.receiving.replace(began) {
            self.superseded.push(ended.supersede(now, header.previous)?);
        }
        if self.superseded.len() > MAX_SUPERSEDED {
            self.superseded.remove(0);
        }
        let number = self.awaited.number.saturating_add(1);
        self.awaited = Awaited { number, header: step.next_header };
        self.turn = Turn::Due { peer, header: next.clone(), previous };
        self.root = step.root;
        Ok(())
    }

    fn chain(&mut self, number: u32) -> Option<&mut Chain> {
        self.chains().find(|chain| chain.number == number)
    }

    /// The chains that began, oldest first.
    pub(super) fn chains(&mut self) -> impl Iterator<Item = &mut Chain> {
        self.superseded.iter_mut().chain(&mut self.receiving)
    }

    /// Lets the oldest keys go if there are too many.
    fn trim(&mut self) {
        let kept =
            self.chains().fold(0_usize, |sum, chain| sum.saturating_add(chain.skipped.len()));
        for _ in MAX_SKIPPED..kept {
            if let Some(chain) = self.chains().find(|chain| !chain.skipped.is_empty()) {
                chain.drop_oldest();
            }
        }
    }
}

/// Chains of the peer that are kept beside the last one; spec/session.md, 3.11.
const MAX_SUPERSEDED: usize = 5;
/// Keys that one session keeps for messages that have not come; spec/session.md, 3.11.
const MAX_SKIPPED: usize = 2_000;
