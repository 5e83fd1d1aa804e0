//! Full mode: one invitation and one session, as values.
//!
//! A deniable invitation in one message, hybrid of secp256k1 and ML-KEM-768; then a double ratchet with
//! encrypted headers, whose root also takes a fresh secret of the KEM each round. Every message has
//! keys and a topic of its own, every envelope one of six lengths. spec/session.md, 3.3 and 3.5 to 3.8.
//!
//! [`Inviter::invite`] and [`Host::look`] make a [`Session`] on either side; [`Session::seal`] and
//! [`Session::open`] are the rest. Whoever has many of them keeps the books: what came before, what is
//! acknowledged, which session is current.
//!
//! | file | what |
//! |---|---|
//! | `invite`, `accept` | the two sides of an invitation |
//! | `transcript`, `layout`, `rendezvous` | what both hash and mix, where its parts stand, its topics |
//! | `session` | sealing and opening, on copies |
//! | `ratchet`, `chain`, `round`, `keys` | its two halves, a chain of the peer, the rounds of the KEM, what keys are made of |
//! | `packet`, `header`, `body`, `content`, `size` | from the envelope inwards to what is said, and how long that makes it |
//! | `stored` | how a session is stored |

mod accept;
mod body;
mod chain;
mod content;
mod error;
mod header;
mod invite;
mod keys;
mod layout;
mod packet;
mod ratchet;
mod rendezvous;
mod round;
mod session;
mod size;
mod stored;
mod transcript;

pub use self::accept::Accepted;
pub use self::accept::Caller;
pub use self::accept::Host;
pub use self::accept::Knock;
pub use self::body::Body;
pub use self::content::Chunk;
pub use self::content::Content;
pub use self::content::MAX_ACKNOWLEDGED;
pub use self::content::Resent;
pub use self::error::InviteError;
pub use self::error::KnockError;
pub use self::error::OpenFailure;
pub use self::error::Refused;
pub use self::error::SealError;
pub use self::invite::Invited;
pub use self::invite::Inviter;
pub use self::rendezvous::rendezvous_topics;
pub use self::session::Opened;
pub use self::session::Rounds;
pub use self::session::SENDING_LIMIT;
pub use self::session::Sealed;
pub use self::session::Session;
pub use self::size::MAX_DATA;
pub use self::size::is_full_length;

#[cfg(test)]
mod tests;
