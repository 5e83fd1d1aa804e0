//! Which relay an edge leads to.

use alloc::collections::BTreeMap;

use super::super::dice::Dice;
use super::super::dice::Throw;
use super::Seats;
use crate::peer::PeerId;

/// The ways through this node: what comes by one edge, a peer or this node itself, goes to one relay,
/// as long as relays and edge last. By a throw for each envelope, spies beside this node would learn
/// more with each.
#[derive(Debug, Default)]
pub(in crate::node) struct Routes(BTreeMap<Option<PeerId>, Lateness>);

/// How an edge fares whose envelopes do not come back in time.
#[derive(Clone, Copy, Debug, Default)]
struct Lateness {
    in_a_row: u8,
    is_turned: bool,
}

impl Routes {
    /// The place of the relay to which an edge leads.
    pub(in crate::node) fn seat(&self, dice: &Dice, edge: Option<PeerId>, seats: &Seats) -> usize {
        let number = edge.map_or(0, PeerId::as_u64).to_be_bytes();
        let own = [u8::from(edge.is_none())];
        let thrown = dice.number(Throw::Route, &[&seats.draw().to_be_bytes(), &own, &number]);
        let is_turned = self.0.get(&edge).is_some_and(|lateness| lateness.is_turned);
        let count = seats.count().max(1) as u64;
        let seat = thrown.wrapping_add(is_turned.into()).checked_rem(count).unwrap_or_default();
        usize::try_from(seat).unwrap_or_default()
    }

    /// Notes that an envelope has not come back in time. After three in a row the edge leads to the
    /// other relay.
    pub(in crate::node) fn note_late(&mut self, edge: Option<PeerId>) {
        let lateness = self.0.entry(edge).or_default();
        lateness.in_a_row = lateness.in_a_row.saturating_add(1);
        if lateness.in_a_row >= PATIENCE {
            *lateness = Lateness { in_a_row: 0, is_turned: !lateness.is_turned };
        }
    }

    /// Notes that an envelope has come back.
    pub(in crate::node) fn note_back(&mut self, edge: Option<PeerId>) {
        if let Some(lateness) = self.0.get_mut(&edge) {
            lateness.in_a_row = 0;
        }
    }

    /// Forgets the edges to peers that are gone.
    pub(in crate::node) fn retain(&mut self, is_here: impl Fn(PeerId) -> bool) {
        self.0.retain(|edge, _| edge.is_none_or(&is_here));
    }
}

/// Chosen: one or two come late where others swallow what they get.
const PATIENCE: u8 = 3;
