//! The state of a dialogue, and what other parts of an account tell it.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::super::contract::MessageName;
use super::super::contract::SessionId;
use super::acks::Acks;
use super::cards::Cards;
use super::chunks::Chunks;
use super::contract::Carrier;
use super::contract::DialogueError;
use super::due::DAY;
use super::due::HOUR;
use super::due::may_again;
use super::event::DialogueEvent;
use super::event::Obstacle;
use super::inviting::Inviting;
use super::names::Names;
use super::outbox::Outbox;
use super::roster::Listing;
use super::roster::Roster;
use super::roster::Stage;
use crate::time::Timestamp;

/// What an account and one peer have to say to each other.
///
/// Two of them are equal if they do the same from now on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Dialogue {
    pub(super) trust: Trust,
    pub(super) roster: Roster,
    pub(super) names: Names,
    pub(super) acks: Acks,
    pub(super) outbox: Outbox,
    pub(super) chunks: Chunks,
    pub(super) cards: Cards,
    pub(super) inviting: Inviting,
    /// The session on which all went again that was not acknowledged when it became current.
    pub(super) home: Option<SessionId>,
    /// What messages wait for.
    pub(super) obstacle: Option<Obstacle>,
    /// When the last fork of the peer was reported.
    pub(super) forked_at: Option<Timestamp>,
    /// The time of the last step.
    pub(super) looked_at: Timestamp,
}

/// What the user has said about the peer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Trust {
    /// The user wants to talk to it.
    pub(super) accepted: bool,
    /// The user has compared safety numbers.
    pub(super) verified: bool,
    /// Its certified key has changed since then.
    pub(super) changed: bool,
}

/// What a step works with.
pub(super) struct Step<'a, C, R> {
    pub(super) now: Timestamp,
    pub(super) carrier: &'a mut C,
    pub(super) rng: &'a mut R,
    pub(super) events: Vec<DialogueEvent>,
}

impl<'a, C: Carrier, R: CryptoRng> Step<'a, C, R> {
    pub(super) const fn new(now: Timestamp, carrier: &'a mut C, rng: &'a mut R) -> Self {
        Self { now, carrier, rng, events: Vec::new() }
    }

    pub(super) fn report(&mut self, event: DialogueEvent) {
        self.events.push(event);
    }
}

impl Dialogue {
    /// Nothing said yet, with a peer of whom nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// The session that messages go on.
    pub fn current(&self) -> Option<SessionId> {
        self.roster.current()
    }

    /// All sessions that live.
    pub fn sessions(&self, now: Timestamp) -> impl Iterator<Item = Listing> {
        self.roster.entries().map(move |entry| Listing {
            session: entry.session,
            role: entry.role,
            created_at: entry.created_at,
            stage: if entry.is_stale(now) { Stage::Stale } else { entry.stage },
        })
    }

    /// What messages or an invitation wait for, if they do.
    pub fn obstacle(&self) -> Option<Obstacle> {
        self.obstacle.or(self.inviting.obstacle)
    }

    /// Whether a message of this name came: if so, one under it whose key is gone is no sign of a
    /// [fork](Self::forked).
    pub fn knows(&self, name: &MessageName) -> bool {
        self.names.contains(name)
    }

    /// Whether the peer's invitations are accepted without a question.
    pub const fn is_accepted(&self) -> bool {
        self.trust.accepted
    }

    /// Notes that the user has compared safety numbers, or takes that back.
    pub const fn set_verified(&mut self, verified: bool) {
        self.trust.verified = verified;
        if !verified {
            self.trust.changed = false;
        }
    }

    /// Notes that the host has handed on the envelope of a message.
    pub fn published(&mut self, name: MessageName) {
        self.outbox.published(name);
    }

    /// Notes that the program was started anew: what the host had not reported as published goes
    /// again as what is lost does.
    pub fn reopened(&mut self, now: Timestamp) {
        self.outbox.lose_unpublished(now);
    }

    /// Notes that this account has a new card, which the peer gets within a day; or, at the start,
    /// which one it has.
    pub fn card_renewed(&mut self, now: Timestamp, card: u32, rng: &mut impl CryptoRng) {
        self.cards.renewed(card);
        self.cards.owe(now, DAY, rng);
    }

    /// Notes that a whole card of the peer is there, and sends what waited for one.
    ///
    /// # Errors
    /// [`DialogueError::Entropy`].
    pub fn card_came(
        &mut self,
        now: Timestamp,
        carrier: &mut impl Carrier,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<DialogueEvent>, DialogueError> {
        self.look(now);
        let mut step = Step::new(now, carrier, rng);
        self.settle(&mut step)?;
        self.invite_now(&mut step)?;
        Ok(step.events)
    }

    /// Notes that the peer has certified another key, later than the one before, in a card. An
    /// invitation says so itself.
    pub fn key_changed(&mut self) -> Vec<DialogueEvent> {
        self.trust.changed = self.trust.verified;
        alloc::vec![DialogueEvent::IdentityKeyChanged]
    }

    /// Notes that something came that only a second copy of the peer could send, or whose key is
    /// gone. It is reported once a day.
    pub fn forked(&mut self, now: Timestamp) -> Option<DialogueEvent> {
        may_again(now, self.forked_at, DAY).then(|| {
            self.forked_at = Some(now);
            DialogueEvent::PeerForked
        })
    }

    /// Notes that the state of all sessions was found to be an old one. They only receive from now
    /// on, and the peer is invited within a day.
    pub fn suspect(&mut self, now: Timestamp, rng: &mut impl CryptoRng) {
        for entry in self.roster.entries_mut() {
            if entry.is_usable() || entry.stage == Stage::Inviting {
                entry.stage = Stage::Suspect;
            }
        }
        self.greet_within(now, DAY, rng);
    }

    /// Looks at the clock. If it was set back, nothing that was noted lies in the future: what was
    /// ahead counts from now.
    pub(super) fn look(&mut self, now: Timestamp) {
        if now < self.looked_at {
            self.roster.set_back(now);
            self.outbox.set_back(now);
            self.names.set_back(now);
            self.inviting.set_back(now);
        }
        self.looked_at = now;
    }

    /// Whether messages wait for the user's word about a new key.
    pub(super) const fn is_held(&self) -> bool {
        self.trust.verified && self.trust.changed
    }

    /// Owes our card for the first time, now that the peer has only what our invitation said of it.
    pub(super) fn owe_card<C: Carrier, R: CryptoRng>(&mut self, step: &mut Step<'_, C, R>) {
        self.cards.owe(step.now, HOUR, step.rng);
    }
}
