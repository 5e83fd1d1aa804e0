//! What was right and what was not.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::history::Connection;
use crate::history::History;
use crate::history::Life;
use crate::history::Message;
use crate::history::Shown;
use crate::history::Span;
use crate::plan::Size;
use crate::reach::Arrival;
use crate::reach::HOP;
use crate::reach::Network;
use crate::wire::MessageId;
use crate::wire::Moment;
use crate::wire::Number;
use crate::wire::Stage;

/// What came of a run.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Messages that were handed in, and pairs of message and reader in all.
    pub(crate) said: usize,
    pub(crate) pairs: usize,
    /// Such pairs where the message had a reader within its time.
    pub(crate) due: usize,
    /// Others, by whether they were shown none the less.
    pub(crate) shown_anyway: usize,
    /// Of those that were not: why.
    pub(crate) excused: BTreeMap<String, usize>,
    /// Messages that were not taken, or never left, by the reason that their writers were told.
    pub(crate) refused: BTreeMap<String, usize>,
    /// From publishing to showing, where nothing was in the way.
    pub(crate) delays: Vec<Moment>,
    /// From a change of address to the next connection.
    pub(crate) returns: Vec<Moment>,
    /// What was told as late, after later ones.
    pub(crate) overtaken: usize,
    pub(crate) lost: Vec<String>,
    pub(crate) twice: Vec<String>,
    pub(crate) disordered: Vec<String>,
    pub(crate) unexplained: Vec<String>,
    pub(crate) faults: Vec<String>,
}

/// Judges a run.
pub(crate) fn judge(history: &History, size: Size) -> Verdict {
    let judge = Judge { history, size, network: Network::new(history) };
    let mut verdict = Verdict::default();
    for (id, message) in &history.messages {
        judge.message(*id, message, &mut verdict);
    }
    for (number, life) in history.lives.iter().enumerate() {
        let name = format!("member {}, life {number}", life.member);
        judge.repeats(&name, life, &mut verdict);
        judge.order(&name, life, &mut verdict);
        judge.words(&name, life, &mut verdict);
        verdict.faults.extend(life.faults.iter().map(|fault| format!("{name}: {fault}")));
        verdict.returns.extend(life.moves.iter().filter_map(|at| life.back_after(*at)));
    }
    verdict.delays.sort_unstable();
    verdict.returns.sort_unstable();
    verdict
}

struct Judge<'a> {
    history: &'a History,
    size: Size,
    network: Network<'a>,
}

impl Judge<'_> {
    fn message(&self, id: MessageId, message: &Message, verdict: &mut Verdict) {
        if let Some(why) = message.told(self.history) {
            *verdict.refused.entry(why).or_default() += 1;
        } else if self.is_stuck(message) {
            verdict.unexplained.push(format!("message {id}: its writer never heard of it again"));
        }
        if message.said.is_none() {
            return;
        }
        verdict.said += 1;
        let reached = self.network.reached(message, true);
        for reader in self.readers(message) {
            verdict.pairs += 1;
            let due = reached.iter().find(|(life, to)| self.is_due(message, reader, **life, to.at));
            let shown = self.shown(id, reader, due.map(|(life, _)| *life));
            match (due, shown) {
                (Some((_, to)), Some(shown)) => {
                    verdict.due += 1;
                    let published = message.published().unwrap_or(to.at);
                    if to.at <= published + DIRECT {
                        verdict.delays.push(shown.saturating_sub(published));
                    }
                }
                (Some((life, _)), None) => {
                    verdict.due += 1;
                    verdict.lost.push(self.lost(id, message, *life, &reached));
                }
                (None, Some(_)) => verdict.shown_anyway += 1,
                (None, None) => {
                    let why = self.excuse(message, reader);
                    *verdict.excused.entry(why.to_owned()).or_default() += 1;
                }
            }
        }
    }

    fn readers(&self, message: &Message) -> Vec<Number> {
        match message.to {
            Some(reader) => vec![reader],
            None => self.size.people().filter(|number| *number != message.from).collect(),
        }
    }

    /// Whether a message that has reached a life must be shown in it.
    fn is_due(&self, message: &Message, reader: Number, number: usize, at: Moment) -> bool {
        let life = &self.history.lives[number];
        let settled = at + HOP;
        let goes_on = life.span.until.min(self.history.end) > settled
            && life.frozen.iter().all(|span| span.and(Span { from: at, until: settled }).is_none());
        life.member == reader && goes_on && self.knows(message, life, at)
    }

    /// Whether a life holds the session of a message.
    fn knows(&self, message: &Message, life: &Life, at: Moment) -> bool {
        let Some(session) = &message.session else { return message.to.is_none() };
        let began = self.history.sessions.get(session).is_some_and(|from| life.span.from < *from);
        began && !life.ended.iter().any(|(ended, own)| own == session && *ended < at)
    }

    /// When a message was shown to a reader: in this life, or in any.
    fn shown(&self, id: MessageId, reader: Number, life: Option<usize>) -> Option<Moment> {
        let lives = self.history.lives.iter().enumerate();
        let lives = lives.filter(|(number, own)| {
            own.member == reader && life.is_none_or(|life| life == *number)
        });
        lives.filter_map(|(_, life)| life.first_shown(id)).min()
    }

    /// What is known of a lost message: the way that it must have come, against its direction.
    fn lost(
        &self,
        id: MessageId,
        message: &Message,
        last: usize,
        reached: &BTreeMap<usize, Arrival>,
    ) -> String {
        let published = message.published().unwrap_or_default();
        let to = message.to.map_or("all".to_owned(), |to| to.to_string());
        let mut text = format!("message {id} for {to}, published at {published}: ");
        let mut life = last;
        while let Some(arrival) = reached.get(&life) {
            let member = self.history.lives[life].member;
            let after = arrival.at - published;
            text += &format!("member {member}, life {life} after {after} ms; ");
            if life == message.life {
                break;
            }
            life = arrival.from;
        }
        let stage = message.envelopes.last().and_then(|envelope| envelope.stage.as_ref());
        text + &format!("last heard: {stage:?}")
    }

    /// Why a message had no reader within its time.
    fn excuse(&self, message: &Message, reader: Number) -> &'static str {
        if message.published().is_none() {
            return "it never left its writer";
        }
        let reached = self.network.reached(message, false);
        let lives = || {
            let own = |life: &&usize| self.history.lives[**life].member == reader;
            reached.keys().filter(own).map(|life| &self.history.lives[*life])
        };
        if lives().next().is_none() {
            return "no way led to its reader in time";
        }
        if message.to.is_some() && !lives().any(|life| self.knows(message, life, Moment::MAX)) {
            return "its reader had begun anew";
        }
        if reached.iter().any(|(life, to)| self.is_due(message, reader, *life, to.at)) {
            return "a clock was wrong";
        }
        "its reader left"
    }

    /// Whether a writer that could send waits for a message without a word, and nothing of what it
    /// said moves.
    fn is_stuck(&self, message: &Message) -> bool {
        let life = &self.history.lives[message.life];
        let end = self.history.end;
        let could_send = |peer: &Connection| {
            peer.span().is_some_and(|span| span.from + STUCK < end && span.until > end)
        };
        let moves = self.history.messages.values().any(|other| {
            other.life == message.life && other.published().is_some_and(|at| at + STUCK > end)
        });
        message.asked + STUCK < end
            && message.published().is_none()
            && life.span.until > end
            && life.connections.values().any(could_send)
            && !moves
    }

    fn repeats(&self, name: &str, life: &Life, verdict: &mut Verdict) {
        let mut seen = BTreeSet::new();
        let shown = life.shown.iter().map(|shown| shown.id);
        for id in shown.chain(life.found.iter().map(|(_, id)| *id)) {
            if !seen.insert(id) {
                verdict.twice.push(format!("{name} was shown message {id} twice"));
            }
        }
    }

    /// Messages of a session have their places in the order in which they were said. Where one comes
    /// after a later one, the later one has told that some are missing.
    fn order(&self, name: &str, life: &Life, verdict: &mut Verdict) {
        let mut sessions: BTreeMap<(Number, &str), Vec<&Shown>> = BTreeMap::new();
        for shown in &life.shown {
            if let Some(message) = self.history.messages.get(&shown.id) {
                sessions.entry((message.from, &shown.session)).or_default().push(shown);
            }
        }
        for ((from, session), shown) in sessions {
            let mut places = shown.clone();
            places.sort_by_key(|shown| shown.order);
            if !places.is_sorted_by(|one, next| one.id < next.id && one.order < next.order) {
                verdict.disordered.push(format!("{name}: what {from} said has wrong places"));
            }
            for (index, late) in shown.iter().enumerate() {
                let earlier = &shown[..index];
                let Some(next) = earlier.iter().find(|shown| shown.id > late.id) else { continue };
                verdict.overtaken += 1;
                let owed = self.owed(from, session, next, earlier);
                if (next.missing as usize) < owed {
                    verdict.disordered.push(format!(
                        "{name}: message {} came after {}, which told of {} missing, not of {owed}",
                        late.id, next.id, next.missing
                    ));
                }
            }
        }
    }

    /// How many messages of a session were said before one, and not shown before it.
    fn owed(&self, from: Number, session: &str, one: &Shown, earlier: &[&Shown]) -> usize {
        let before = self.history.messages.range(..one.id).filter(|(_, message)| {
            message.from == from && message.session.as_deref() == Some(session)
        });
        let is_shown = |id| earlier.iter().any(|shown| shown.at <= one.at && shown.id == id);
        before.filter(|(id, _)| !is_shown(**id)).count()
    }

    /// What a life must have told: why it does not reach a relay, and that its clock is wrong.
    fn words(&self, name: &str, life: &Life, verdict: &mut Verdict) {
        for relay in self.size.dialled_by(life.member) {
            let there = life.connections.values().filter(|peer| peer.other == relay);
            let there: Vec<Span> = there.filter_map(Connection::span).collect();
            let ran = life.ran(self.history.end);
            for gap in ran.into_iter().flat_map(|span| span.without(&there)) {
                let told = |(at, other): &(Moment, Number)| {
                    *other == relay && (gap.from..=gap.until).contains(at)
                };
                // After a connection that has told how it ended, the next attempt may be a minute off.
                let first = gap.from == life.span.from;
                let tells = if first { TELLS_REASON } else { 4 * TELLS_REASON };
                if gap.length() > tells && !life.unreached.iter().any(told) {
                    let seconds = gap.length() / 1_000;
                    verdict.unexplained.push(format!(
                        "{name} did not reach {relay} for {seconds} s and told no reason"
                    ));
                }
            }
        }
        for (span, ahead) in self.wrong_clocks(life) {
            let told = |(at, told): &(Moment, bool)| *told == ahead && *at >= span.from;
            if !life.suspicions.iter().any(told) {
                let (seconds, way) =
                    (span.length() / 1_000, if ahead { "ahead" } else { "behind" });
                verdict.unexplained.push(format!(
                    "{name} was {way} for {seconds} s from {} on and was not told",
                    span.from
                ));
            }
        }
    }

    /// When the clock of a life was wrong for so long that it must be told.
    fn wrong_clocks(&self, life: &Life) -> Vec<(Span, bool)> {
        let clock = &self.history.members[life.member].clock;
        let ends = clock.iter().skip(1).map(|step| step.0).chain([self.history.end]);
        let steps = clock.iter().zip(ends).filter(|((_, offset), _)| offset.abs() >= WRONG);
        let spans = steps.flat_map(|((from, offset), until)| {
            let step = Span { from: *from, until };
            let ran = life.ran(self.history.end);
            ran.into_iter().filter_map(move |ran| Some((ran.and(step)?, *offset > 0)))
        });
        let is_connected = |span: &Span| {
            let peers = life.connections.values().filter_map(Connection::span);
            peers.filter(|peer| peer.from <= span.from + HOP && peer.until >= span.until).count()
                > 0
        };
        spans.filter(|(span, _)| span.length() > TELLS_CLOCK && is_connected(span)).collect()
    }
}

impl Life {
    fn first_shown(&self, id: MessageId) -> Option<Moment> {
        let shown = self.shown.iter().filter(|shown| shown.id == id).map(|shown| shown.at);
        let found = self.found.iter().filter(|found| found.1 == id).map(|found| found.0);
        shown.chain(found).min()
    }

    /// How long after a change of address it was connected again.
    fn back_after(&self, at: Moment) -> Option<Moment> {
        let ready = self.connections.values().filter_map(|peer| peer.ready);
        ready.filter(|ready| *ready > at).min().map(|ready| ready - at)
    }
}

impl Message {
    /// What its writer was told, if it was not taken or will not reach anybody.
    fn told(&self, history: &History) -> Option<String> {
        if let Some(why) = &self.refused {
            return Some(why.clone());
        }
        let stages = self.envelopes.iter().filter_map(|envelope| envelope.stage.as_ref());
        let mut bad = stages.filter_map(|stage| match stage {
            Stage::Lost(why) => Some(why.clone()),
            Stage::Refused(why) => Some(format!("refused: {why}")),
            _ => None,
        });
        let left = history.lives[self.life].span.until < history.end;
        let silent = self.said.is_none() || self.published().is_none();
        bad.next_back().or_else(|| (left && silent).then(|| "its writer ended".to_owned()))
    }
}

/// The time of a way that nothing was in.
const DIRECT: Moment = 4 * HOP;
/// So long after it was asked for, a message of a connected writer has left.
const STUCK: Moment = 30_000;
/// So long after a connection is gone, its end has a reason.
const TELLS_REASON: Moment = 30_000;
/// A clock that is off by more,
const WRONG: i64 = 20_000;
/// for longer, is told.
const TELLS_CLOCK: Moment = 100_000;
