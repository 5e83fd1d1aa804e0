//! What goes into a mailbox and what comes out.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::envelope::Envelope;
use crate::identity::PublicKey;
use crate::inbox::Delivery;
use crate::peer::Network;
use crate::peer::PeerId;
use crate::pool::Entry;
use crate::pool::Origin;
use crate::pow::Rating;
use crate::session::Batch;
use crate::session::InviteOptions;
use crate::session::Outgoing;
use crate::session::RestoreError;
use crate::session::SessionError;
use crate::session::SessionEvent;
use crate::session::SessionTtl;

use super::backlog::Limits;
use super::review::Review;

/// How a mailbox is set up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Config {
    /// How many envelopes may wait for a session that opens them.
    pub waiting: Limits,
    /// Whether the host stores sessions: if so every step asks for it first, and takes effect with
    /// [`Mailbox::stored`](super::Mailbox::stored).
    pub persists: bool,
}

/// An envelope that keys may be tried on.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The envelope.
    pub envelope: Arc<Envelope>,
    /// Who brought it.
    pub origin: Origin,
    /// Its rating at admission.
    pub rating: Rating,
    /// Whether a trusted peer sent it past the pool.
    pub direct: bool,
    /// The filters that it is for: all, unless it is looked at again for new ones.
    pub review: Option<Review>,
}

impl Arrival {
    /// An envelope that a node has admitted to its pool.
    pub fn admitted(envelope: Arc<Envelope>, origin: Origin) -> Self {
        let rating = envelope.rating();
        Self { envelope, origin, rating, direct: false, review: None }
    }

    /// An envelope that a trusted peer sent past the pool.
    pub fn direct(envelope: Arc<Envelope>, from: PeerId) -> Self {
        let rating = envelope.rating();
        Self {
            envelope,
            origin: Origin::Network(Network::Alone(from)),
            rating,
            direct: true,
            review: None,
        }
    }

    /// An envelope of a pool, for new filters.
    pub(super) fn reviewed(entry: &Entry, review: Review) -> Self {
        Self {
            envelope: Arc::clone(entry.envelope()),
            origin: entry.origin(),
            rating: entry.rating(),
            direct: false,
            review: Some(review),
        }
    }
}

/// What an account is asked to do.
#[derive(Clone, Eq, PartialEq)]
pub enum Step {
    /// Invite a peer, who becomes a contact, and say something, which may be empty.
    Invite {
        /// Whom.
        peer: PublicKey,
        /// How the session is to be.
        options: InviteOptions,
        /// What to say.
        text: String,
    },
    /// Say something to a peer.
    Send {
        /// To whom.
        peer: PublicKey,
        /// What to say.
        data: Vec<u8>,
    },
    /// Accept the invitations of a peer, who becomes a contact.
    Accept(PublicKey),
    /// Drop the invitations of a peer. The peer is not told.
    Refuse(PublicKey),
    /// End all sessions with a peer and say so.
    Close(PublicKey),
    /// Accept the invitations of a peer without a question from now on.
    AddContact(PublicKey),
    /// Ask again before invitations of a peer are accepted. Its sessions go on.
    RemoveContact(PublicKey),
    /// Seal a message again that was not published in the hour of its topic:
    /// [`Outgoing::seal_again_at`].
    SealAgain(Outgoing),
    /// Set how long the envelopes of the account live.
    SetTtl(SessionTtl),
}

impl fmt::Debug for Step {
    /// Names the step, neither with whom nor what is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invite { .. } => "Invite",
            Self::Send { .. } => "Send",
            Self::Accept(_) => "Accept",
            Self::Refuse(_) => "Refuse",
            Self::Close(_) => "Close",
            Self::AddContact(_) => "AddContact",
            Self::RemoveContact(_) => "RemoveContact",
            Self::SealAgain(_) => "SealAgain",
            Self::SetTtl(_) => "SetTtl",
        })
    }
}

/// What a step asks for, in order.
#[derive(Debug)]
pub enum Output {
    /// Store this, then call [`Mailbox::stored`](super::Mailbox::stored), or
    /// [`Mailbox::not_stored`](super::Mailbox::not_stored). Only asked of hosts that persist.
    Persist {
        /// The account.
        account: PublicKey,
        /// What to store.
        batch: Batch,
    },
    /// Find a nonce for this and publish it.
    Publish {
        /// The account.
        account: PublicKey,
        /// The envelope before it is one.
        outgoing: Outgoing,
    },
    /// Give a message to the filters that want it.
    Deliver(Delivery),
    /// Tell the application what happened in a session.
    Event {
        /// The account.
        account: PublicKey,
        /// What happened.
        event: SessionEvent,
    },
}

/// Why an account cannot do what it is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// The mailbox has no such account.
    #[error("the mailbox has no account of this identity; open it first")]
    NoAccount,
    /// Its sessions refuse.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// Why an account cannot be opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// The identity has one.
    #[error("this identity has an account already; close that first")]
    Taken,
    /// What was stored of it cannot be read.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}
