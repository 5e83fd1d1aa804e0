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
//! | `contract` | what goes in and out |
//! | `engine`, `outbound`, `inbound`, `upkeep` | [`Sessions`]: its state, what it sends, what it takes in, what time does to it |
//! | `seed` | one session |
//! | `invitation`, `body`, `carrier` | the formats, from the inside out |
//! | `keys`, `chain`, `watch` | key derivation; counters and replay; the topics that are watched |
//!
//! The set-up is that of the paper (`SessionKind::Seed`): ECIES for the recipient, signed by the
//! sender, fresh AES-256 keys. By default the keys are bound to both identities, so that nobody
//! can pass an invitation on as if it were meant for somebody else. It gives no forward secrecy,
//! and observers can tell the invitation from a message.

mod carrier;
mod contract;
mod engine;
mod inbound;
mod outbound;
mod seed;
mod upkeep;
mod watch;

pub use carrier::is_class_length;
pub use contract::Ended;
pub use contract::InvitationError;
pub use contract::InviteOptions;
pub use contract::OpenError;
pub use contract::Outgoing;
pub use contract::Record;
pub use contract::RecordId;
pub use contract::Role;
pub use contract::SessionError;
pub use contract::SessionEvent;
pub use contract::SessionId;
pub use contract::SessionInfo;
pub use contract::SessionKind;
pub use contract::SessionOutput;
pub use contract::SessionState;
pub use contract::SessionTtl;
pub use engine::Sessions;
pub use seed::invitation::is_invitation;
pub use watch::late_epochs;

#[cfg(test)]
mod tests;
