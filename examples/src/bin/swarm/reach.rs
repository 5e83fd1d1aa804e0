//! Which messages had a reader within their time.
//!
//! A message that is in its writer's pool crosses to another member if a connection between them
//! stood, both ran, and neither was frozen nor the link silent, for [`HOP`] on end; if the other's
//! clock has found it neither too old nor from the future ever since the connection stood, for what is
//! refused on one is not offered on it again; and if until then its time was not over by the clock of
//! the member that brings it. What a process held ends with it. A message had a reader within its time
//! if such crossings lead to a life of the reader that goes on for [`HOP`], and, in a session, that
//! began before the session did.

use std::collections::BTreeMap;

use crate::history::History;
use crate::history::Message;
use crate::history::Span;
use crate::wire::Moment;
use crate::wire::Number;

/// Every way between lives, over the whole run.
pub(crate) struct Network<'a> {
    history: &'a History,
    /// By life: those that lead from it.
    ways: Vec<Vec<Way>>,
}

/// A time in which two lives could exchange something over one connection.
#[derive(Clone, Copy, Debug)]
struct Way {
    to: usize,
    /// When the connection began: what is refused on it is not offered on it again.
    since: Moment,
    span: Span,
}

/// By when a message must have come to a life, and from which.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: Moment,
    pub(crate) from: usize,
}

/// An envelope on its way.
#[derive(Clone, Copy, Debug)]
struct Envelope {
    published: Moment,
    /// When it was dated, by its writer's clock.
    dated: Span,
    ttl: Moment,
    clocks_matter: bool,
}

impl<'a> Network<'a> {
    pub(crate) fn new(history: &'a History) -> Self {
        let mut ways = vec![Vec::new(); history.lives.len()];
        for (one, life) in history.lives.iter().enumerate() {
            for connection in life.connections.values() {
                for (other, back) in history.lives.iter().enumerate() {
                    if back.member == connection.other {
                        let spans = back
                            .connections
                            .values()
                            .filter(|peer| peer.other == life.member)
                            .filter_map(|peer| connection.span()?.and(peer.span()?));
                        for all in spans {
                            let way = |span| Way { to: other, since: all.from, span };
                            ways[one].extend(usable(history, one, other, all).into_iter().map(way));
                        }
                    }
                }
            }
        }
        Self { history, ways }
    }

    /// The lives that a message must have reached.
    pub(crate) fn reached(
        &self,
        message: &Message,
        clocks_matter: bool,
    ) -> BTreeMap<usize, Arrival> {
        let (Some(published), Some(dated)) = (message.published(), message.dated()) else {
            return BTreeMap::new();
        };
        let dated = self.clock(message.from, dated, clocks_matter);
        let dated = Span {
            from: dated.from.saturating_sub(BACKDATED.min(message.ttl / 4)),
            until: dated.until,
        };
        let envelope = Envelope { published, dated, ttl: message.ttl, clocks_matter };
        let mut reached = BTreeMap::new();
        let first = Arrival { at: published, from: message.life };
        let mut candidates = BTreeMap::from([(message.life, first)]);
        // The earliest first, as Dijkstra does.
        while let Some(life) = candidates.iter().min_by_key(|(_, to)| to.at).map(|(life, _)| *life)
        {
            let Some(here) = candidates.remove(&life) else { break };
            reached.insert(life, here);
            for way in self.ways[life].iter().filter(|way| !reached.contains_key(&way.to)) {
                if let Some(at) = self.crosses(&envelope, (life, here.at), *way) {
                    let new = Arrival { at, from: life };
                    let known = candidates.entry(way.to).or_insert(new);
                    if new.at < known.at {
                        *known = new;
                    }
                }
            }
        }
        reached
    }

    /// When an envelope that is somewhere from `at` on has crossed to another life.
    fn crosses(&self, envelope: &Envelope, (one, at): (usize, Moment), way: Way) -> Option<Moment> {
        let arrival = at.max(way.span.from) + HOP;
        if arrival > way.span.until {
            return None;
        }
        let [giver, taker] = [one, way.to].map(|life| self.history.lives[life].member);
        let held = Span { from: envelope.published, until: arrival };
        // It may have come sooner than is known here.
        let offered = Span { from: envelope.published.max(way.since), until: arrival };
        let held = self.clock(giver, held, envelope.clocks_matter);
        let offered = self.clock(taker, offered, envelope.clocks_matter);
        (envelope.lives_by(&held) && envelope.is_taken_by(&offered)).then_some(arrival)
    }

    /// What a member's clock showed within a span, or should have shown.
    fn clock(&self, member: Number, span: Span, clocks_matter: bool) -> Span {
        if clocks_matter { self.history.clock(member, span) } else { span }
    }
}

impl Envelope {
    /// Whether its time was not over, whatever the clock showed.
    fn lives_by(&self, clock: &Span) -> bool {
        clock.until + MARGIN < self.dated.from + self.ttl
    }

    fn is_taken_by(&self, clock: &Span) -> bool {
        self.lives_by(clock) && self.dated.until + MARGIN < clock.from + AHEAD
    }
}

/// The parts of a span in which two lives could exchange something.
fn usable(history: &History, one: usize, other: usize, span: Span) -> Vec<Span> {
    let lives = [&history.lives[one], &history.lives[other]];
    let Some(span) = lives[0].span.and(lives[1].span).and_then(|both| both.and(span)) else {
        return Vec::new();
    };
    let pair = {
        let [one, other] = lives.map(|life| life.member);
        (one.min(other), one.max(other))
    };
    let silent = |(one, other, _): &&(Number, Number, Span)| (*one, *other) == pair;
    let silences = history.silences.iter().filter(silent).map(|(.., span)| span);
    let frozen = lives.iter().flat_map(|life| &life.frozen);
    span.without(silences.chain(frozen))
}

/// How long a message may take from one process to the next, on a machine that has a lot to do.
pub(crate) const HOP: Moment = 8_000;
/// Nodes tolerate envelopes that are so far ahead of their clock.
const AHEAD: Moment = 10_000;
/// Envelopes are dated back by less than this and less than a quarter of their life.
const BACKDATED: Moment = 60_000;
/// What is told a little later than it happened.
const MARGIN: Moment = 2_000;
