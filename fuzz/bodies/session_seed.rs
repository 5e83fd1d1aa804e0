//! Sessions in seed mode, and a peer who knows every key that a peer may know: what lies behind
//! authentication is the input's. What is refused changes nothing, and nothing is shown twice.

mod talk;

use arbitrary::Arbitrary;
use arbitrary::Unstructured;

use talk::Talk;

pub(crate) fn run(data: &[u8]) {
    let Ok(story) = Story::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let mut talk = Talk::new(story.slow_store, story.thorough);
    for (delay, act) in &story.acts {
        talk.wait(*delay);
        talk.act(act);
        talk.obeys();
    }
    talk.keeps_its_secrets();
}

#[derive(Arbitrary, Debug)]
struct Story {
    /// Records wait until an act stores them.
    slow_store: bool,
    /// Looks at the whole state before and after what is refused, which takes long.
    thorough: bool,
    acts: Vec<(Delay, Act)>,
}

/// What passes before an act.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Delay {
    None,
    Seconds(u8),
    Hours(u8),
    /// The clock is set back.
    Back(u16),
}

/// What Mallory and the user do to one who has sessions.
#[derive(Arbitrary, Debug)]
pub(crate) enum Act {
    /// A signed invitation.
    Invite(Terms),
    /// One with a byte changed before it was signed, and cut there if so wished.
    Spoil(Terms, u8, u8, bool),
    /// A signed message that begins like an invitation.
    Resemble(Vec<u8>),
    /// The last invitation once more.
    Replay,
    /// A message with a good header: kind, number, age in seconds, claimed length, data.
    Say(Place, u8, u16, i32, Option<u32>, Vec<u8>),
    /// A message that is the input's from the first byte.
    Utter(Place, Vec<u8>),
    /// A message of one session encrypted with the key of the other direction.
    Reflect(Place),
    Accept,
    Refuse,
    AddContact,
    RemoveContact,
    /// The user invites: bound or not, under one topic or not, with or without a text.
    Ask(bool, bool, Option<u8>),
    Send(Vec<u8>),
    Close,
    Tick,
    /// So many hours ago.
    LookLate(u8),
    /// Stores the oldest record, or fails to.
    Store(bool),
    Burn,
}

/// What an invitation says.
#[derive(Arbitrary, Debug)]
pub(crate) struct Terms {
    pub(crate) flags: u8,
    pub(crate) id: u8,
    /// Seconds until it was made, most of them in the past.
    pub(crate) made: i16,
    pub(crate) lifetime: Lifetime,
    pub(crate) forth: u8,
    pub(crate) back: u8,
    pub(crate) text: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
pub(crate) enum Lifetime {
    Minutes(u8),
    Days(u8),
    Any(u32),
}

/// Where a message belongs: which session, how many hours from now, which of that hour.
#[derive(Arbitrary, Debug)]
pub(crate) struct Place {
    pub(crate) session: u8,
    pub(crate) hour: i8,
    pub(crate) index: u16,
}
