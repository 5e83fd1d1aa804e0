//! Sessions: one signed invitation, then only symmetric keys, topics that change with every
//! message, and sizes that tell nothing.
//!
//! [`Sessions`] holds the sessions of one identity. It does no I/O: a step works on a copy and
//! returns [`SessionOutput::Persist`]; once the host answers [`Sessions::stored`], the copy takes
//! the place of the state and what the step wants to send and tell comes out. So nothing is ever
//! sent, and nothing shown, that a crash could make undone.
//!
//! | file | what |
//! |---|---|
//! | `contract`, `event`, `error` | what goes in and out |
//! | `engine`, `outbound`, `inbound`, `upkeep` | [`Sessions`]: its state, what it sends, what it takes in, what time does to it |
//! | `steps`, `record` | what a step changes, and how that is stored |
//! | `live`, `book`, `account` | one session; all of them; what they share |
//! | `channel`, `seed` | what a session encrypts with: the one place that tells modes apart; the mode of the paper |
//! | [`full`] | the mode of forward secrecy: one invitation and one session of it, as values |
//! | `watch`, `hours`, `places`, `carrier` | the topics that are watched, and which are used when; what envelopes look like |
//! | `signs` | whether the peer has lost a session, and whether somebody else goes on with it |
//! | [`card`], [`prekeys`] | what sessions of the full mode begin with: cards, and the secret halves of their keys |
//! | [`safety`] | what two people compare |
//! | [`dialogue`] | what two people have to say to each other, over all sessions between them: for the full mode |
//! | `steadiness` | whether the clock can be trusted with what cannot be undone |
//!
//! The set-up is that of the paper (`SessionKind::Seed`): ECIES for the recipient, signed by the
//! sender, fresh AES-256 keys. By default the keys are bound to both identities: whoever passes an
//! invitation on to a third person cannot read or write anything under its keys. A bound invitation
//! carries no text; one that is not bound carries it, signed. Sessions give no forward secrecy, and
//! observers can tell the invitation from a message. A session that nothing happens on for a day is
//! wiped; one that waits to be accepted is kept for 21 days.

mod account;
mod book;
pub mod card;
mod carrier;
mod channel;
mod contract;
pub mod dialogue;
mod engine;
mod error;
mod event;
pub mod full;
mod hours;
mod inbound;
mod live;
mod outbound;
mod places;
pub mod prekeys;
mod record;
pub mod safety;
mod seed;
mod signs;
mod steadiness;
mod steps;
mod upkeep;
mod watch;

pub use carrier::is_class_length;
pub use contract::MessageName;
pub use contract::MessageOrder;
pub use contract::Outgoing;
pub use contract::Role;
pub use contract::SessionId;
pub use contract::SessionInfo;
pub use contract::SessionKind;
pub use contract::SessionOutput;
pub use contract::SessionState;
pub use contract::SessionTtl;
pub use engine::Sessions;
pub use error::InvitationError;
pub use error::OpenError;
pub use error::RestoreError;
pub use error::SessionError;
pub use event::Ended;
pub use event::SessionEvent;
pub use record::Batch;
pub use record::BatchId;
pub use record::Record;
pub use record::RecordKey;
pub use seed::InviteOptions;
pub use seed::is_invitation;
pub use watch::Lane;
pub use watch::Place;
pub use watch::late_epochs;

#[cfg(test)]
mod tests;
