//! A ledger or a light client among peers who may say anything, the right things among it. After
//! every step: nothing due is left undone, nobody is written to who is not there, what is stored is
//! the chain, and the chain is right; a packet that costs its sender the connection changes nothing
//! but that. In the end one honest peer is enough to catch up.

mod party;
mod voices;

use arbitrary::Arbitrary;
use arbitrary::Unstructured;

use crate::tree::Plan;
use party::Party;

/// The most that one story does: what takes longer finds nothing more.
const ACTS: usize = 64;
/// The most blocks that are made for a story.
const BLOCKS: usize = 12;

pub(crate) fn run(data: &[u8]) {
    let Ok(story) = Story::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let first = story.live();
    if story.twice {
        assert_eq!(first.outputs, story.live().outputs);
    }
}

#[derive(Arbitrary, Debug)]
struct Story {
    light: bool,
    /// How much of the vectors' chain it has from the start.
    height: u8,
    twice: bool,
    blocks: Vec<Plan>,
    acts: Vec<(Delay, Act)>,
}

impl Story {
    fn live(&self) -> Party {
        let blocks = self.blocks.iter().take(BLOCKS);
        let mut party = Party::new(self.light, usize::from(self.height % 8), blocks);
        for (delay, act) in self.acts.iter().take(ACTS) {
            party.wait(delay);
            party.act(act);
            party.obeys();
        }
        party.catches_up();
        party
    }
}

/// What passes before an act.
#[derive(Arbitrary, Debug)]
pub(crate) enum Delay {
    None,
    Millis(u16),
    Seconds(u8),
    Any(u32),
    /// The clock is set back.
    Back(u16),
}

/// What happens. Peers are numbers below four; blocks and transactions are counted from the newest,
/// and some are not there.
#[derive(Arbitrary, Debug)]
pub(crate) enum Act {
    Connect(u8),
    /// Connects, and says that it has this block.
    Arrive(u8, u8),
    Disconnect(u8),
    /// A status of its own making: block, work, and whether it is of this network.
    Status(u8, u8, u16, bool),
    Packet(u8, u8, Vec<u8>),
    /// A right packet with one byte changed, and cut at that place if so wished.
    Torn(u8, Said, u16, u8, bool),
    Say(u8, Said),
    /// Answers as it should what it was asked first, or so many questions.
    Answer(u8, u8),
    Written(u8, u16),
    Timeout,
    Mine,
    Submit(u8),
    /// A transaction or a name, from a block.
    Ask(u8, u8, bool),
}

/// What peers say.
#[derive(Arbitrary, Debug)]
pub(crate) enum Said {
    /// So many headers of the branch that ends here.
    Headers(u8, u8),
    Block(u8),
    Tx(u8),
    Inv(Vec<(bool, u8)>),
    NotFound(u8, u8),
    GetHeaders(Vec<u8>, u8),
    GetBlocks(Vec<u8>),
    GetTxs(Vec<u8>),
    GetProof(u8, u8, bool),
    /// What could be an answer to that.
    Proof(u8, u8, bool),
}
