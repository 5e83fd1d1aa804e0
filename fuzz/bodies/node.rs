//! A node in the middle of its life: a list of delays and acts. After every step the laws are held
//! against it, not only that it does not panic.

mod life;

use arbitrary::Arbitrary;
use arbitrary::Unstructured;

use life::Life;

pub(crate) fn run(data: &[u8]) {
    let Ok(story) = Story::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let first = story.live();
    if story.twice {
        // Law 1: the same inputs, the same life.
        let second = story.live();
        assert_eq!(first.outputs, second.outputs);
        assert_eq!(first.state(), second.state());
    }
}

#[derive(Arbitrary, Debug)]
struct Story {
    setting: Setting,
    twice: bool,
    acts: Vec<(Delay, Act)>,
}

impl Story {
    fn live(&self) -> Life {
        let mut life = Life::new(&self.setting);
        for (delay, act) in &self.acts {
            life.wait(delay);
            life.act(act);
            life.obeys();
        }
        life.keeps_its_secret();
        life
    }
}

#[derive(Arbitrary, Debug)]
pub(crate) struct Setting {
    pub(crate) acknowledges: bool,
    pub(crate) budgets: bool,
    pub(crate) light: bool,
    pub(crate) refuse_light_pairs: bool,
    /// Whether the pool is large, and whether there are stems: its last two bits.
    pub(crate) more: u8,
}

/// What passes before an act.
#[derive(Arbitrary, Debug)]
pub(crate) enum Delay {
    None,
    Millis(u8),
    Seconds(u8),
    Any(u32),
    /// The clock is set back.
    Back(u16),
}

/// What happens. Peers are numbers below four.
#[derive(Arbitrary, Debug)]
pub(crate) enum Act {
    Connect(u8, bool),
    /// Connects and says who it is.
    Arrive(u8, Greeting),
    Disconnect(u8),
    Packet(u8, u8, Vec<u8>),
    Messages(u8, Vec<Letter>),
    /// A packet of letters with one byte changed, and cut at that place if so wished.
    Torn(u8, Vec<Letter>, u16, u8, bool),
    /// Tiny letters in one packet: more than are judged in a step, or a few.
    Dust(u8, bool),
    /// The last packet of envelopes that anybody sent, once more.
    Again(u8),
    /// An answer to the last packet of envelopes that the node sent.
    Acknowledge(u8),
    Refuse(u8, Vec<u8>),
    Written(u8, u16),
    Timeout,
    Publish(Letter),
    Direct(u8, Letter),
    MinRating(u16),
    Bloom(Option<u8>),
    Light(bool),
    Trust(u8, bool),
    Busy(bool),
}

#[derive(Arbitrary, Debug)]
pub(crate) struct Greeting {
    pub(crate) inbound: bool,
    pub(crate) light: bool,
    /// Whether it acknowledges, and whether it takes stems: its last two bits.
    pub(crate) offers: u8,
    pub(crate) min_rating: u16,
    pub(crate) bloom: Option<u8>,
}

#[derive(Arbitrary, Debug)]
pub(crate) struct Letter {
    pub(crate) topic: u8,
    pub(crate) ttl: Ttl,
    pub(crate) ahead: i8,
    pub(crate) size: u16,
    pub(crate) nonce: u8,
}

#[derive(Arbitrary, Debug)]
pub(crate) enum Ttl {
    Short(u8),
    Long(u16),
    Any(u32),
}
