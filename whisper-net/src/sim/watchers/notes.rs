//! What a spy has seen.

use std::time::Duration;

use whisper_core::envelope::Envelope;
use whisper_core::envelope::EnvelopeHash;
use whisper_core::node::Input;
use whisper_core::packet;
use whisper_core::packet::code;
use whisper_core::peer::PeerId;
use whisper_core::time::Timestamp;

use crate::sim::Actor;
use crate::sim::Site;
use crate::sim::World;

/// A copy of an envelope that came to a spy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sighting {
    /// When, by the clock of the spy.
    pub at: Timestamp,
    /// The spy.
    pub site: Site,
    /// Who sent it.
    pub peer: Site,
    /// The code of the packet that it came in.
    pub code: u8,
    /// Which envelope.
    pub hash: EnvelopeHash,
    /// How long ago it says that it was made.
    pub age: Duration,
}

/// Somebody who notes the copies of envelopes that it is sent.
pub trait Spy: Actor {
    /// What it has noted.
    fn notes_mut(&mut self) -> &mut Notes;
}

/// Takes what the spies of one kind among `sites` have noted, in the order of the sites and there of
/// time.
pub fn take_sightings<S: Spy>(world: &mut World, sites: &[Site]) -> Vec<Sighting> {
    let mut sightings = Vec::new();
    for site in sites {
        let Some(spy) = world.actor_mut::<S>(*site) else { continue };
        let notes = std::mem::take(&mut spy.notes_mut().0);
        sightings.extend(notes.into_iter().map(|note| note.seen(world, *site)));
    }
    sightings
}

/// Copies of envelopes that somebody was sent, by connection.
#[derive(Debug, Default)]
pub struct Notes(Vec<Note>);

#[derive(Debug)]
struct Note {
    at: Timestamp,
    from: PeerId,
    code: u8,
    hash: EnvelopeHash,
    age: Duration,
}

impl Notes {
    /// Notes the envelopes of a packet, if it carries any.
    pub fn take(&mut self, now: Timestamp, input: &Input<'_>) {
        // Without padding, a stem's packet is a list of envelopes too.
        let Input::Received { peer: from, code: code @ (code::MESSAGES | code::STEM), payload } =
            *input
        else {
            return;
        };
        let Ok(mut envelopes) = packet::check_messages(payload) else { return };
        while let Ok(envelope) = Envelope::read(&mut envelopes) {
            let issued = envelope.issued().map_or(now, Timestamp::from_secs);
            let (hash, age) = (envelope.hash(), now.saturating_since(issued));
            self.0.push(Note { at: now, from, code, hash, age });
        }
    }
}

impl Note {
    fn seen(self, world: &World, site: Site) -> Sighting {
        let Self { at, from, code, hash, age } = self;
        Sighting { at, site, peer: world.far_end(from), code, hash, age }
    }
}
