//! What an account and one peer have to say to each other, over all the sessions between them.
//!
//! A session can end at any time without a word: a phone is wiped, a backup is restored, both invite
//! at once. What people say to each other must not end with it. [`Dialogue`] is the state machine
//! above the sessions of one peer (`spec/session.md` of the full mode, 3.7, 3.9 and 3.11): it knows
//! which session messages go on, what the peer has not acknowledged and when it goes again, what is
//! owed to the peer, and when a session is over.
//!
//! It holds no key. Whatever encrypts implements [`Carrier`]: it seals a [`Content`] on a session, or
//! in a new invitation, and gives back the name of the message. What was opened comes in as
//! [`Dialogue::opened`] and [`Dialogue::invited`]. A step changes the dialogue and returns
//! [`DialogueEvent`]s; if it fails, the caller goes on with the copy it made before.
//!
//! | file | what |
//! |---|---|
//! | `contract`, `event` | what goes in and out |
//! | `engine`, `sending`, `inviting`, `hearing`, `ending`, `upkeep` | [`Dialogue`]: its state, what it sends, how it invites, what it takes in, how it ends, what time does to it |
//! | `roster` | the sessions of the peer: which is current, which give way, which are over |
//! | `outbox` | what is not acknowledged, and what waits for a session |
//! | `names`, `acks` | messages that came, and those to be acknowledged |
//! | `chunks` | long messages, until they are whole |
//! | `cards` | whether the peer has our newest card |
//! | `tombstones` | names of sessions that are over, of all peers |
//! | `stored` | how it is stored |
//! | `due` | moments drawn at random, and spans that have passed |

mod acks;
mod cards;
mod chunks;
mod contract;
mod due;
mod ending;
mod engine;
mod event;
mod hearing;
mod inviting;
mod names;
mod outbox;
mod roster;
mod sending;
mod stored;
mod tombstones;
mod upkeep;

pub use contract::Arrived;
pub use contract::Carrier;
pub use contract::Chunk;
pub use contract::Content;
pub use contract::Deadlines;
pub use contract::DialogueError;
pub use contract::Heard;
pub use contract::InviteFailure;
pub use contract::Invited;
pub use contract::Opened;
pub use contract::Part;
pub use contract::Place;
pub use contract::SealFailure;
pub use contract::TextId;
pub use engine::Dialogue;
pub use event::DialogueEvent;
pub use event::Lost;
pub use event::Obstacle;
pub use roster::Listing;
pub use roster::Stage;
pub use tombstones::Tombstones;
