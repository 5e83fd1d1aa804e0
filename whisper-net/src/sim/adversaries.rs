//! Some who break the rules, for networks that shall withstand them.

mod babbler;
mod deaf;
mod fickle;
mod flooder;
mod liar;
mod parrot;
mod rewrapper;

use std::collections::BTreeSet;

use whisper_core::node::Input;
use whisper_core::node::Output;
use whisper_core::packet::Status;
use whisper_core::packet::code;
use whisper_core::peer::PeerId;
use whisper_core::pow::Rating;

pub use self::babbler::Babbler;
pub use self::deaf::Deaf;
pub use self::fickle::Fickle;
pub use self::flooder::Flood;
pub use self::flooder::Flooder;
pub use self::liar::Liar;
pub use self::parrot::Parrot;
pub use self::rewrapper::Rewrapper;

/// Who is connected. Each is told that all is wanted, as an honest relay would, so that nobody
/// becomes suspicious.
#[derive(Debug, Default)]
struct Victims(BTreeSet<PeerId>);

impl Victims {
    /// Notes who comes and goes, and what is to be said to who comes.
    fn follow(&mut self, input: &Input<'_>) -> Vec<Output> {
        match *input {
            Input::Connected { peer, .. } => {
                self.0.insert(peer);
                let payload = GREETING.encode();
                vec![Output::Transmit { peer, code: code::STATUS, payload }]
            }
            Input::Disconnected(peer) => {
                self.0.remove(&peer);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// The same packet for each.
    fn all(&self, code: u8, payload: &[u8]) -> impl Iterator<Item = Output> {
        let to =
            move |peer: &PeerId| Output::Transmit { peer: *peer, code, payload: payload.to_vec() };
        self.0.iter().map(to)
    }
}

const GREETING: Status = Status {
    min_rating: Rating::ZERO,
    bloom: None,
    light: false,
    acknowledges: false,
    stems: false,
};
