//! What happened: by members and their lives, as they and the conductor reported it.

use std::collections::BTreeMap;

use crate::wire::MessageId;
use crate::wire::Moment;
use crate::wire::Number;
use crate::wire::Report;
use crate::wire::Stage;
use crate::wire::What;

/// All that is judged.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) members: Vec<Member>,
    /// Which lives there were, in the order in which they began.
    pub(crate) lives: Vec<Life>,
    pub(crate) messages: BTreeMap<MessageId, Message>,
    /// When nothing passed between a pair, the smaller number first.
    pub(crate) silences: Vec<(Number, Number, Span)>,
    /// When each session began.
    pub(crate) sessions: BTreeMap<String, Moment>,
    /// When it all ended.
    pub(crate) end: Moment,
    nodes: BTreeMap<String, Number>,
}

/// A member over all its lives.
#[derive(Debug, Default)]
pub(crate) struct Member {
    /// From when on its clock was off by how many milliseconds.
    pub(crate) clock: Vec<(Moment, i64)>,
}

/// A process from its start to its end: what it knew ended with it.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) member: Number,
    pub(crate) span: Span,
    /// When it stood still.
    pub(crate) frozen: Vec<Span>,
    /// By their numbers.
    pub(crate) connections: BTreeMap<u64, Connection>,
    pub(crate) shown: Vec<Shown>,
    pub(crate) found: Vec<(Moment, MessageId)>,
    /// When it believed that its clock was wrong, and whether ahead.
    pub(crate) suspicions: Vec<(Moment, bool)>,
    /// Whom it could not reach.
    pub(crate) unreached: Vec<(Moment, Number)>,
    pub(crate) ended: Vec<(Moment, String)>,
    /// When its address changed.
    pub(crate) moves: Vec<Moment>,
    /// What must not happen at all.
    pub(crate) faults: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) other: Number,
    pub(crate) ready: Option<Moment>,
    pub(crate) gone: Option<Moment>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown {
    pub(crate) at: Moment,
    pub(crate) id: MessageId,
    pub(crate) session: String,
    pub(crate) order: u64,
    pub(crate) missing: u32,
}

/// What was said, and how far it came.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) from: Number,
    /// The life in which it was said.
    pub(crate) life: usize,
    /// Whom it is for; everybody, where there is none.
    pub(crate) to: Option<Number>,
    /// How long its envelopes live.
    pub(crate) ttl: Moment,
    /// When the writer was told to say it, and when it was handed in.
    pub(crate) asked: Moment,
    pub(crate) said: Option<Moment>,
    pub(crate) session: Option<String>,
    /// Why it was not taken.
    pub(crate) refused: Option<String>,
    pub(crate) envelopes: Vec<Envelope>,
}

/// How far one envelope of a message came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Envelope {
    pub(crate) working: Option<Moment>,
    pub(crate) published: Option<Moment>,
    /// What became of it last.
    pub(crate) stage: Option<Stage>,
}

/// From one moment to another.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Span {
    pub(crate) from: Moment,
    pub(crate) until: Moment,
}

impl Span {
    pub(crate) const fn open(from: Moment) -> Self {
        Self { from, until: Moment::MAX }
    }

    pub(crate) const fn length(&self) -> Moment {
        self.until.saturating_sub(self.from)
    }

    /// What both have in common.
    pub(crate) fn and(self, other: Self) -> Option<Self> {
        let both = Self { from: self.from.max(other.from), until: self.until.min(other.until) };
        (both.from < both.until).then_some(both)
    }

    /// What remains without the others.
    pub(crate) fn without<'a>(self, others: impl IntoIterator<Item = &'a Self>) -> Vec<Self> {
        let mut remaining = vec![self];
        for other in others {
            let before = |span: Self| span.and(Self { from: 0, until: other.from });
            let after = |span: Self| span.and(Self { from: other.until, until: Moment::MAX });
            remaining =
                remaining.into_iter().flat_map(|s| [before(s), after(s)]).flatten().collect();
        }
        remaining
    }
}

impl History {
    /// With so many members.
    pub(crate) fn new(members: usize) -> Self {
        Self { members: (0..members).map(|_| Member::default()).collect(), ..Self::default() }
    }

    /// A member begins another life, with its clock off by `offset`.
    pub(crate) fn begins(&mut self, at: Moment, member: Number, offset: i64) -> usize {
        self.sets_clock(at, member, offset);
        self.lives.push(Life {
            member,
            span: Span::open(at),
            frozen: Vec::new(),
            connections: BTreeMap::new(),
            shown: Vec::new(),
            found: Vec::new(),
            suspicions: Vec::new(),
            unreached: Vec::new(),
            ended: Vec::new(),
            moves: Vec::new(),
            faults: Vec::new(),
        });
        self.lives.len() - 1
    }

    pub(crate) fn sets_clock(&mut self, at: Moment, member: Number, offset: i64) {
        self.members[member].clock.push((at, offset));
    }

    /// A member's life is over.
    pub(crate) fn ends(&mut self, at: Moment, life: usize) {
        self.thaws(at, life);
        let life = &mut self.lives[life];
        life.span.until = life.span.until.min(at);
        for connection in life.connections.values_mut() {
            connection.gone.get_or_insert(at);
        }
    }

    pub(crate) fn freezes(&mut self, at: Moment, life: usize) {
        self.lives[life].frozen.push(Span::open(at));
    }

    pub(crate) fn thaws(&mut self, at: Moment, life: usize) {
        let last = self.lives[life].frozen.last_mut();
        if let Some(span) = last.filter(|span| span.until == Moment::MAX) {
            span.until = at;
        }
    }

    pub(crate) fn roams(&mut self, at: Moment, life: usize) {
        self.lives[life].moves.push(at);
    }

    pub(crate) fn falls_silent(&mut self, at: Moment, pair: (Number, Number)) {
        let (one, other) = (pair.0.min(pair.1), pair.0.max(pair.1));
        self.silences.push((one, other, Span::open(at)));
    }

    pub(crate) fn is_heard(&mut self, at: Moment, pair: (Number, Number)) {
        let pair = (pair.0.min(pair.1), pair.0.max(pair.1));
        for (one, other, span) in &mut self.silences {
            if (*one, *other) == pair && span.until == Moment::MAX {
                span.until = at;
            }
        }
    }

    /// Notes what a life reports.
    pub(crate) fn note(&mut self, number: usize, report: &Report) {
        let at = report.at;
        let nodes = &self.nodes;
        let life = &mut self.lives[number];
        match &report.what {
            What::Started { node, .. } => _ = self.nodes.insert(node.clone(), life.member),
            What::Connected { peer, node } => {
                if let Some(other) = nodes.get(node).copied() {
                    let connection = Connection { other, ready: None, gone: None };
                    life.connections.insert(*peer, connection);
                }
            }
            What::Ready { peer } => {
                let connection = life.connections.get_mut(peer);
                connection.into_iter().for_each(|connection| connection.ready = Some(at));
            }
            What::Gone { peer, .. } => {
                let connection = life.connections.get_mut(peer);
                connection.into_iter().for_each(|connection| connection.gone = Some(at));
            }
            What::Cut { why, .. } => life.faults.push(format!("cut an honest peer: {why}")),
            What::Lagged { missed } => life.faults.push(format!("missed {missed} events")),
            What::Unreachable { address, .. } => {
                let other = nodes.iter().find(|(node, _)| address.contains(&node[2..]));
                life.unreached.extend(other.map(|(_, other)| (at, *other)));
            }
            What::ClockSuspect { ahead, .. } => life.suspicions.push((at, *ahead)),
            What::Shown { id, session, order, missing } => life.shown.push(Shown {
                at,
                id: *id,
                session: session.clone(),
                order: *order,
                missing: *missing,
            }),
            What::Found { id } => life.found.push((at, *id)),
            What::Ended { session, .. } => life.ended.push((at, session.clone())),
            What::Said { .. } | What::NotSaid { .. } | What::Stage { .. } => {
                self.note_message(at, &report.what);
            }
        }
    }

    fn note_message(&mut self, at: Moment, what: &What) {
        let (What::Said { id, .. } | What::NotSaid { id, .. } | What::Stage { id, .. }) = what
        else {
            return;
        };
        let Some(message) = self.messages.get_mut(id) else { return };
        match what {
            What::Said { session, envelopes, .. } => {
                message.said = Some(at);
                message.session.clone_from(session);
                message.envelopes.resize(*envelopes, Envelope::default());
                if let Some(session) = session {
                    self.sessions.entry(session.clone()).or_insert(at);
                }
            }
            What::NotSaid { why, .. } => message.refused = Some(why.clone()),
            What::Stage { envelope, stage, .. } => {
                let Some(envelope) = message.envelopes.get_mut(*envelope) else { return };
                match stage {
                    Stage::Waiting => {}
                    Stage::Working => envelope.working = Some(at),
                    // Quick changes may be skipped: what is sent was published before.
                    _ => _ = envelope.published.get_or_insert(at),
                }
                envelope.stage = Some(stage.clone());
            }
            _ => {}
        }
    }

    /// What a member's clock showed within a span, at its lowest and its highest.
    pub(crate) fn clock(&self, member: Number, span: Span) -> Span {
        let steps = &self.members[member].clock;
        let ends = steps.iter().skip(1).map(|step| step.0).chain([Moment::MAX]);
        let shown = steps.iter().zip(ends).filter_map(|((from, offset), until)| {
            let step = Span { from: *from, until };
            let step = step.and(Span { from: span.from, until: span.until.max(span.from + 1) })?;
            let at = |moment: Moment| moment.saturating_add_signed(*offset);
            Some(Span { from: at(step.from), until: at(step.until) })
        });
        shown
            .reduce(|one, other| Span {
                from: one.from.min(other.from),
                until: one.until.max(other.until),
            })
            .unwrap_or(span)
    }
}

impl Life {
    /// When it ran, and was not frozen.
    pub(crate) fn ran(&self, end: Moment) -> Vec<Span> {
        let span = Span { from: self.span.from, until: self.span.until.min(end) };
        span.without(&self.frozen)
    }
}

impl Connection {
    pub(crate) fn span(&self) -> Option<Span> {
        Some(Span { from: self.ready?, until: self.gone.unwrap_or(Moment::MAX) })
    }
}

impl Message {
    pub(crate) const fn new(
        from: Number,
        life: usize,
        to: Option<Number>,
        ttl: Moment,
        asked: Moment,
    ) -> Self {
        Self {
            from,
            life,
            to,
            ttl,
            asked,
            said: None,
            session: None,
            refused: None,
            envelopes: Vec::new(),
        }
    }

    /// When all of its envelopes were in the writer's pool.
    pub(crate) fn published(&self) -> Option<Moment> {
        let moments: Option<Vec<Moment>> =
            self.envelopes.iter().map(|envelope| envelope.published).collect();
        moments.and_then(|moments| moments.into_iter().max())
    }

    /// When its envelopes were dated, at the earliest and the latest.
    pub(crate) fn dated(&self) -> Option<Span> {
        let until = self.published()?;
        let working = self.envelopes.iter().filter_map(|envelope| envelope.working).min();
        Some(Span { from: working.or(self.said)?.min(until), until })
    }
}
