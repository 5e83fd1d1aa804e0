//! The relays of a node: drawn once, and kept for a week.

use alloc::vec::Vec;
use core::time::Duration;

use super::super::contract::Direction;
use super::super::dice::Dice;
use super::super::dice::Throw;
use crate::peer::PeerId;
use crate::time::Timestamp;

/// The places for relays, and who holds them.
///
/// Each new relay is one more peer that may learn who wrote what passes through it first. So they are
/// kept while connections come and go.
#[derive(Debug)]
pub(in crate::node) struct Seats {
    seats: Vec<Seat>,
    period: Duration,
    /// When all are drawn anew.
    until: Timestamp,
    /// How often all were drawn.
    drawn: u64,
    /// From when on relays are drawn.
    opens: Option<Timestamp>,
    is_open: bool,
    /// Since when there is no peer that we dialled: since the start, at first.
    alone_since: Option<Timestamp>,
    has_begun: bool,
    /// Whether relays are taken from those that dialled us, since we dial nobody.
    listens: bool,
    /// Whether there ever was a peer that we dialled. Then those that dial us are never relays: they
    /// would need to keep the others away for ten minutes only.
    has_dialled: bool,
}

/// A place for a relay.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Seat {
    holder: Option<PeerId>,
    /// Until when one who is away keeps it.
    kept: Option<Timestamp>,
}

/// A ready peer, as a possible relay.
#[derive(Clone, Copy, Debug)]
pub(in crate::node) struct Member {
    pub(in crate::node) peer: PeerId,
    pub(in crate::node) direction: Direction,
    pub(in crate::node) stems: bool,
    pub(in crate::node) light: bool,
}

impl Seats {
    pub(super) fn new(count: usize, period: Duration) -> Self {
        Self {
            seats: alloc::vec![Seat::default(); count],
            period,
            until: Timestamp::default(),
            drawn: 0,
            opens: None,
            is_open: false,
            alone_since: None,
            has_begun: false,
            listens: false,
            has_dialled: false,
        }
    }

    /// Whether nobody has looked yet.
    pub(in crate::node) const fn are_new(&self) -> bool {
        !self.has_begun
    }

    /// Whether a peer may be a relay as far as its side is concerned: one that we dialled, since others
    /// could dial everybody to be everybody's relay.
    pub(super) fn may_hold(&self, direction: Direction, light: bool) -> bool {
        (direction == Direction::Inbound) == self.listens && !light
    }

    /// Whether there is a relay, though it may be away for a while.
    pub(super) fn are_taken(&self) -> bool {
        self.seats.iter().any(Seat::is_taken)
    }

    /// Whether this peer is the only relay.
    pub(super) fn are_all_of(&self, peer: Option<PeerId>) -> bool {
        let mut taken = self.seats.iter().filter(|seat| seat.is_taken());
        peer.is_some() && taken.all(|seat| seat.holder == peer)
    }

    /// Whether relays have been drawn as far as there are any: until then none is kept.
    pub(super) const fn are_drawn(&self) -> bool {
        self.is_open
    }

    /// The relays that are here, from a place on.
    pub(super) fn present_from(&self, first: usize) -> impl Iterator<Item = PeerId> {
        let count = self.seats.len();
        self.seats.iter().cycle().skip(first).take(count).filter_map(|seat| seat.holder)
    }

    pub(super) const fn count(&self) -> usize {
        self.seats.len()
    }

    /// Which draw the relays are of.
    pub(super) const fn draw(&self) -> u64 {
        self.drawn
    }

    /// Who holds which place, and when all are drawn anew.
    pub(in crate::node) fn holders(&self) -> (Vec<Option<PeerId>>, Timestamp) {
        (self.seats.iter().map(|seat| seat.holder).collect(), self.until)
    }

    pub(in crate::node) fn holds(&self, peer: PeerId) -> bool {
        self.seats.iter().any(|seat| seat.holder == Some(peer))
    }

    /// Takes relays that were kept: nobody, where one is away.
    pub(in crate::node) fn prefer(
        &mut self,
        now: Timestamp,
        kept: &[Option<PeerId>],
        until: Timestamp,
    ) {
        if until <= now {
            return;
        }
        let until = until.min(now.saturating_add(self.longest_period()));
        let is_first = self.until != until;
        self.until = until;
        // Nobody holds two places.
        for seat in self.seats.iter_mut().filter(|seat| kept.contains(&seat.holder)) {
            *seat = Seat { holder: None, kept: seat.kept };
        }
        for (seat, holder) in self.seats.iter_mut().zip(kept) {
            match holder {
                Some(_) => *seat = Seat { holder: *holder, kept: None },
                None if is_first => {
                    *seat = Seat::kept_until(now.saturating_add(ABSENCE));
                }
                None => {}
            }
        }
    }

    /// Draws all anew with the next look.
    pub(in crate::node) fn clear(&mut self) {
        self.seats.fill(Seat::default());
        self.drawn = self.drawn.saturating_add(1);
        self.until = Timestamp::default();
    }

    /// Looks at who is there, and draws what is missing. True if a relay was drawn.
    pub(in crate::node) fn look(
        &mut self,
        now: Timestamp,
        members: &[Member],
        dice: &Dice,
    ) -> bool {
        self.choose_side(now, members);
        if self.until <= now && self.are_taken() {
            self.clear();
        }
        let may = |seats: &Self, member: &&Member| seats.may_hold(member.direction, member.light);
        let eligible: Vec<Member> =
            members.iter().filter(|member| may(self, member)).copied().collect();
        let offered = eligible.iter().any(|member| member.stems);
        for seat in &mut self.seats {
            let Some(holder) = seat.holder else { continue };
            let is_here = members.iter().find(|member| member.peer == holder);
            let has_side =
                |member: &Member| (member.direction == Direction::Inbound) == self.listens;
            // One that came back by dialling us may come back as it was.
            match is_here.filter(|member| has_side(member)) {
                None => *seat = Seat::kept_until(now.saturating_add(ABSENCE)),
                Some(member) if member.light || offered && !member.stems => {
                    *seat = Seat::default();
                }
                Some(_) => {}
            }
        }
        for seat in &mut self.seats {
            seat.kept = seat.kept.filter(|until| *until > now);
        }
        if self.opens.is_none() && !eligible.is_empty() {
            self.opens = Some(now.saturating_add(SETTLING));
        }
        self.is_open |= self.opens.is_some_and(|opens| opens <= now);
        self.is_open && self.fill(now, &eligible, offered, dice)
    }

    /// Gives away what nobody holds: to those that offer the stem, and to one other if none does.
    fn fill(&mut self, now: Timestamp, eligible: &[Member], offered: bool, dice: &Dice) -> bool {
        let mut changed = false;
        for at in 0..self.seats.len() {
            let taken = self.are_taken();
            let is_free = self.seats.get(at).is_some_and(|seat| !seat.is_taken());
            if !is_free || !offered && taken {
                continue;
            }
            let free = eligible.iter().filter(|one| one.stems == offered && !self.holds(one.peer));
            let draw = self.drawn.to_be_bytes();
            let number = |one: &&Member| {
                dice.number(Throw::Relay, &[&draw, &one.peer.as_u64().to_be_bytes()])
            };
            let Some(holder) = free.min_by_key(number).map(|one| one.peer) else { break };
            if self.until <= now {
                let more = dice.part(Throw::Period, &[&draw], self.period.mul_f64(2.0 / 7.0));
                self.until = now.saturating_add(self.period).saturating_add(more);
            }
            if let Some(seat) = self.seats.get_mut(at) {
                *seat = Seat { holder: Some(holder), kept: None };
                changed = true;
            }
        }
        changed
    }

    fn choose_side(&mut self, now: Timestamp, members: &[Member]) {
        self.has_begun = true;
        let listened = self.listens;
        if members.iter().any(|member| member.direction == Direction::Outbound) {
            let since = self.alone_since.take().filter(|_| self.has_dialled);
            if since.is_some_and(|since| since.saturating_add(ABSENCE) <= now) {
                self.settle_again(now);
            }
            (self.listens, self.has_dialled) = (false, true);
        } else {
            let since = *self.alone_since.get_or_insert(now);
            self.listens |= since.saturating_add(ABSENCE) <= now && !self.has_dialled;
        }
        if listened != self.listens {
            self.clear();
            (self.opens, self.is_open) = (None, false);
        }
    }

    /// After an outage the relays are waited for as after a start: the first that is back is none.
    fn settle_again(&mut self, now: Timestamp) {
        (self.opens, self.is_open) = (None, false);
        if self.until > now {
            let kept = Some(now.saturating_add(SETTLING));
            let free = self.seats.iter_mut().filter(|seat| seat.holder.is_none());
            free.for_each(|seat| seat.kept = seat.kept.max(kept));
        }
    }

    /// When to look again, if nobody comes or goes.
    pub(in crate::node) fn deadline(&self, has_peers: bool) -> Option<Timestamp> {
        let kept = self.seats.iter().filter_map(|seat| seat.kept).min();
        let period = self.are_taken().then_some(self.until);
        let opens = self.opens.filter(|_| !self.is_open);
        let may_turn = has_peers && !self.listens && !self.has_dialled;
        let alone = self.alone_since.filter(|_| may_turn);
        let side = alone.map(|since| since.saturating_add(ABSENCE));
        [kept, period, opens, side].into_iter().flatten().min()
    }

    /// Moves all moments back, after the clock was set back by as much.
    pub(in crate::node) fn shift_back(&mut self, by: Duration) {
        for seat in &mut self.seats {
            seat.kept = seat.kept.map(|at| at.saturating_sub(by));
        }
        self.until = self.until.saturating_sub(by);
        self.opens = self.opens.map(|at| at.saturating_sub(by));
        self.alone_since = self.alone_since.map(|at| at.saturating_sub(by));
    }

    fn longest_period(&self) -> Duration {
        self.period.saturating_add(self.period.mul_f64(2.0 / 7.0))
    }
}

impl Seat {
    /// A place whose holder is away.
    const fn kept_until(until: Timestamp) -> Self {
        Self { holder: None, kept: Some(until) }
    }

    const fn is_taken(&self) -> bool {
        self.holder.is_some() || self.kept.is_some()
    }
}

/// How long one who is away keeps its place, and how long this node waits for somebody that it dials.
const ABSENCE: Duration = Duration::from_secs(600);
/// How long after the first peer relays are drawn: at once the quickest to connect would be chosen.
const SETTLING: Duration = Duration::from_secs(30);
