//! What will happen, and when.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use whisper_core::peer::PeerId;
use whisper_core::time::Timestamp;

use super::station::Packet;
use super::station::Site;

/// What will happen, in order; of what happens at one moment, what was caused first. Deadlines of
/// sites come after all else of their moment.
#[derive(Default)]
pub(super) struct Agenda {
    happenings: BTreeMap<(Timestamp, u64), Happening>,
    causes: u64,
    deadlines: BTreeSet<(Timestamp, Site)>,
}

/// Something that will happen.
pub(super) enum Happening {
    /// A packet comes to this end of a connection.
    Arrives(Site, PeerId, Packet),
    /// The socket of this end has taken bytes.
    Written(Site, PeerId, usize),
    /// This end may be read again.
    Wakes(Site, PeerId),
    /// This end learns that the connection is gone.
    HangsUp(Site, PeerId),
    /// A connection that broke is opened again.
    Redial(usize),
    /// A site's deadline has come.
    Due(Site),
}

impl Agenda {
    pub(super) fn add(&mut self, time: Timestamp, happening: Happening) {
        self.happenings.insert((time, self.causes), happening);
        self.causes += 1;
    }

    /// Replaces the deadline of a site.
    pub(super) fn set_deadline(
        &mut self,
        site: Site,
        before: Option<Timestamp>,
        after: Option<Timestamp>,
    ) {
        if before != after {
            before.map(|time| self.deadlines.remove(&(time, site)));
            after.map(|time| self.deadlines.insert((time, site)));
        }
    }

    /// Takes what happens first, if it does so until `end`. A deadline stays until it is replaced.
    pub(super) fn next(&mut self, end: Timestamp) -> Option<(Timestamp, Happening)> {
        let happening = self.happenings.first_entry();
        let due = self.deadlines.first().copied().filter(|(time, _)| *time <= end);
        match (happening, due) {
            (Some(first), due)
                if first.key().0 <= end && due.is_none_or(|(due, _)| first.key().0 <= due) =>
            {
                let ((time, _), happening) = first.remove_entry();
                Some((time, happening))
            }
            (_, Some((time, site))) => Some((time, Happening::Due(site))),
            _ => None,
        }
    }
}
