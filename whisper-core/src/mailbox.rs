//! The engine of those who hold keys: tries them on envelopes, and keeps the sessions of accounts.
//!
//! [`Mailbox`] holds filters, accounts with their sessions, envelopes that may open later, and the
//! names of messages that were shown. It does no I/O: a host gives it what a
//! [`Node`](crate::node::Node) admits, what an application asks for and the time, and carries out
//! the [`Output`]s in order.
//!
//! | file | what |
//! |---|---|
//! | `contract` | what goes in and out |
//! | `engine`, `account` | [`Mailbox`]: its state, and the steps of one account |
//! | `offers` | what is offered to accounts again |
//! | `backlog` | bounded room for envelopes, shared out among those who brought them |
//! | `waiting` | envelopes that nothing opened yet, by topic |
//! | `crowd` | invitations of strangers that there was no time for |
//! | `repeats` | messages that each filter has had |
//! | `review` | tries new filters on what a pool holds already |
//!
//! # Nothing acknowledged is lost
//!
//! A session acknowledges what it has opened. A host whose reader is slow therefore calls
//! [`Mailbox::pause`] before its queue is full: from then on the envelopes of that account stay
//! closed, and unacknowledged, until [`Mailbox::resume`]. A host that stores sessions writes each
//! [`Output::Persist`] before it answers [`Mailbox::stored`], which gives the events.

mod account;
mod backlog;
mod contract;
mod crowd;
mod engine;
mod offers;
mod repeats;
mod review;
mod waiting;

pub use backlog::Backlog;
pub use backlog::Limits;
pub use contract::AccountError;
pub use contract::Arrival;
pub use contract::Config;
pub use contract::Output;
pub use contract::Step;
pub use contract::StepError;
pub use engine::Mailbox;
pub use review::Review;
pub use review::Reviewer;

#[cfg(test)]
mod tests;
