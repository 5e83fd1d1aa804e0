//! What is done to the swarm, and when: drawn from a seed.

use std::ops::Range;

use rand_core::CryptoRng;

use crate::wire::Moment;
use crate::wire::Number;

/// Something that is done to the swarm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Deed {
    /// Somebody says so many things to a contact in one breath. Which contact, the conductor finds.
    Say { from: Number, contact: usize, count: usize },
    /// Somebody posts something for all, which lives for so long.
    Post { from: Number, ttl: Moment },
    /// A process ends at once.
    Kill(Number),
    /// A process ends as programs should.
    Leave(Number),
    /// It begins again: a relay perhaps at another port.
    Start { number: Number, moves: bool },
    /// A process stands still.
    Freeze(Number),
    /// It goes on.
    Thaw(Number),
    /// Nothing passes between a member and the relay that it dials in this place.
    Silence { from: Number, place: usize },
    /// It passes again.
    Speak { from: Number, place: usize },
    /// A person's address changes.
    Roam(Number),
    /// A clock is off by so many milliseconds.
    Clock { number: Number, offset: i64 },
}

/// How many there are of what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) relays: usize,
    pub(crate) people: usize,
    /// How long the run lasts.
    pub(crate) span: Moment,
}

/// The deeds in their order, each with the time since the start.
pub(crate) fn plan(size: Size, rng: &mut impl CryptoRng) -> Vec<(Moment, Deed)> {
    let mut plan = Plan { size, rng, deeds: Vec::new(), busy: vec![0; size.relays + size.people] };
    plan.wrong_for_good();
    plan.talk();
    plan.trouble();
    let mut deeds = plan.deeds;
    deeds.sort_by_key(|(at, _)| *at);
    deeds
}

impl Size {
    pub(crate) const fn members(&self) -> usize {
        self.relays + self.people
    }

    /// From when on nothing is out of order any more.
    pub(crate) fn quiet_from(&self) -> Moment {
        self.span.saturating_sub(QUIET)
    }

    /// The relays that a member dials: people two of them, relays the next two of their ring.
    pub(crate) fn dialled_by(&self, number: Number) -> [Number; 2] {
        let first = number % self.relays;
        match number < self.relays {
            true => [(number + 1) % self.relays, (number + 2) % self.relays],
            false => [first, (first + 1 + number / self.relays % (self.relays - 1)) % self.relays],
        }
    }

    /// Whom a person knows: who knows somebody is known to them.
    pub(crate) fn contacts_of(&self, number: Number) -> Vec<Number> {
        let Some(place) = number.checked_sub(self.relays) else { return Vec::new() };
        let steps = [1, 5, self.people - 5, self.people - 1];
        steps.map(|step| self.relays + (place + step) % self.people).into()
    }

    pub(crate) fn people(&self) -> Range<usize> {
        self.relays..self.members()
    }
}

struct Plan<'a, R> {
    size: Size,
    rng: &'a mut R,
    deeds: Vec<(Moment, Deed)>,
    /// Until when each member has trouble enough.
    busy: Vec<Moment>,
}

impl<R: CryptoRng> Plan<'_, R> {
    /// The clocks of one person each are a minute ahead and behind until the end.
    fn wrong_for_good(&mut self) {
        let people = self.size.people();
        for (number, offset) in [(people.end - 1, MOST_WRONG), (people.end - 2, -MOST_WRONG)] {
            self.deeds.push((BEGIN / 2, Deed::Clock { number, offset }));
            self.deeds.push((self.size.quiet_from(), Deed::Clock { number, offset: 0 }));
            self.busy[number] = self.size.span;
        }
    }

    fn talk(&mut self) {
        // What is said later than this may have no time left to arrive.
        let last = self.size.span.saturating_sub(QUIET / 2);
        for from in self.size.people() {
            let mut at = BEGIN + self.below(PAUSE);
            while at < last {
                let deed = match self.below(10) {
                    0 => Deed::Post { from, ttl: 60_000 * (1 + self.below(5)) },
                    1 => Deed::Say { from, contact: self.index(), count: 5 + self.index() % 25 },
                    _ => Deed::Say { from, contact: self.index(), count: 1 },
                };
                self.deeds.push((at, deed));
                at += self.below(2 * PAUSE);
            }
        }
    }

    fn trouble(&mut self) {
        let mut at = BEGIN;
        while at < self.size.quiet_from() {
            let number = match self.below(3) {
                0 => self.index() % self.size.relays,
                _ => self.size.relays + self.index() % self.size.people,
            };
            self.trouble_for(at, number);
            at += self.below(2 * TROUBLE);
        }
    }

    /// One thing goes wrong with a member, and is right again later.
    fn trouble_for(&mut self, at: Moment, number: Number) {
        let is_relay = number < self.size.relays;
        // Most relays are there at any time.
        let away = (0..self.size.relays).filter(|relay| self.busy[*relay] > at).count();
        if self.busy[number] > at || (is_relay && away >= self.size.relays / 3) {
            return;
        }
        let span = match self.below(3) {
            0 => 30_000 + self.below(60_000),
            _ => 1_000 + self.below(20_000),
        };
        let until = (at + span).min(self.size.quiet_from());
        let place = self.index() % 2;
        let (first, last) = match self.below(12) {
            0 | 1 => (Deed::Kill(number), Deed::Start { number, moves: false }),
            2 => (Deed::Leave(number), Deed::Start { number, moves: false }),
            3 if is_relay => (Deed::Kill(number), Deed::Start { number, moves: true }),
            3..=5 if !is_relay => (Deed::Roam(number), Deed::Roam(number)),
            6 | 7 => (Deed::Freeze(number), Deed::Thaw(number)),
            8 | 9 => (Deed::Silence { from: number, place }, Deed::Speak { from: number, place }),
            _ => {
                let offset = self.below(2 * MOST_WRONG.unsigned_abs());
                let offset = i64::try_from(offset).unwrap_or(0) - MOST_WRONG;
                (Deed::Clock { number, offset }, Deed::Clock { number, offset: 0 })
            }
        };
        self.deeds.extend([(at, first), (until, last)]);
        self.busy[number] = until + 5_000;
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound
    }

    fn index(&mut self) -> usize {
        usize::from(u16::try_from(self.below(1 << 16)).unwrap_or(0))
    }
}

/// People meet before that.
const BEGIN: Moment = 10_000;
/// At the end all is in order for so long.
const QUIET: Moment = 40_000;
/// Between two things that a person says, on average.
const PAUSE: Moment = 9_000;
/// Between two things that go wrong, on average.
const TROUBLE: Moment = 3_000;
/// By how much a clock is off at most.
const MOST_WRONG: i64 = 60_000;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chacha20::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const SIZE: Size = Size { relays: 6, people: 18, span: 600_000 };

    fn deeds() -> Vec<(Moment, Deed)> {
        plan(SIZE, &mut ChaCha20Rng::seed_from_u64(7))
    }

    #[test]
    fn who_knows_somebody_is_known_to_them_and_dials_two_relays() {
        for number in 0..SIZE.members() {
            let [one, other] = SIZE.dialled_by(number);
            assert!(one != other && one != number && other != number);
            assert!(one < SIZE.relays && other < SIZE.relays);
            for contact in SIZE.contacts_of(number) {
                assert!(SIZE.contacts_of(contact).contains(&number));
            }
        }
    }

    #[test]
    fn a_seed_gives_one_plan() {
        assert_eq!(deeds(), deeds());
        assert_ne!(deeds(), plan(SIZE, &mut ChaCha20Rng::seed_from_u64(8)));
    }

    #[test]
    fn every_trouble_is_over_before_the_quiet_end() {
        let mut troubles: BTreeMap<Number, Deed> = BTreeMap::new();
        for (at, deed) in deeds() {
            match deed {
                Deed::Say { .. } | Deed::Post { .. } | Deed::Roam(_) => {}
                Deed::Start { number, .. }
                | Deed::Thaw(number)
                | Deed::Speak { from: number, .. }
                | Deed::Clock { number, offset: 0 } => {
                    assert!(troubles.remove(&number).is_some(), "{deed:?}");
                    assert!(at <= SIZE.quiet_from());
                }
                Deed::Kill(number)
                | Deed::Leave(number)
                | Deed::Freeze(number)
                | Deed::Silence { from: number, .. }
                | Deed::Clock { number, .. } => _ = troubles.insert(number, deed),
            }
        }
        assert_eq!(troubles, BTreeMap::new());
    }
}
