//! A session of full mode on both sides, a network that loses, repeats, reorders and bends, and a thief
//! who copies the state of one side. Nothing is shown twice or otherwise than it was said; what is
//! refused changes nothing; a state is what its record says; and the thief opens nothing more once the
//! victim has brought a key and been answered.

mod couple;

use arbitrary::Arbitrary;
use arbitrary::Unstructured;

use couple::Couple;

pub(crate) fn run(data: &[u8]) {
    let Ok(story) = Story::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let mut couple = Couple::new(story.seed, story.one_time, story.tail);
    for act in story.acts.iter().take(200) {
        couple.act(act);
    }
}

#[derive(Arbitrary, Debug)]
struct Story {
    seed: u8,
    one_time: bool,
    tail: bool,
    acts: Vec<Act>,
}

/// What happens next.
#[derive(Arbitrary, Debug)]
pub(crate) enum Act {
    /// One side says something of a kind.
    Say(bool, Saying),
    /// A packet arrives, and may arrive again.
    Deliver(u8),
    Lose(u8),
    /// A packet arrives with a bit flipped.
    Bend(u8, u16),
    /// Something arrives under the topic of a packet.
    Utter(u8, Vec<u8>),
    /// Seconds pass.
    Wait(u16),
    /// The clock of both is set back.
    Back(u16),
    /// The thief copies the state of a side.
    Steal(bool),
}

#[derive(Arbitrary, Debug)]
pub(crate) enum Saying {
    App(Vec<u8>),
    Large(u16),
    Ack(u8),
    Close,
    Cover(Vec<u8>),
    Chunk(u16, u16, Vec<u8>),
    Resend(Vec<u8>),
    Card,
}
