//! Two people who talk in the full mode, end to end: cards, invitations, ratchets and dialogues, with
//! all that is encrypted. Only the envelopes are missing: what would be in one is a topic and data.

mod couple;
mod party;
mod stories;
mod storms;
