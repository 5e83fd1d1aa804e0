//! What was seen.

use whisper_core::node::Event;
use whisper_core::node::Violation;
use whisper_core::peer::PeerId;
use whisper_core::time::Timestamp;

use super::station::Site;

/// Something that was seen at a site.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The true time.
    pub at: Timestamp,
    /// Where.
    pub site: Site,
    /// What.
    pub what: What,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum What {
    /// A node told its application.
    Told(Event),
    /// A node cut a peer.
    Cut(PeerId, Violation),
    /// A node sent a packet; recorded only if [`World::record_packets`](super::World::record_packets)
    /// asks for it.
    Sent {
        /// To whom.
        peer: PeerId,
        /// The message code of `shh`, 0 to 127.
        code: u8,
        /// The packet behind the code.
        payload: Vec<u8>,
    },
}
