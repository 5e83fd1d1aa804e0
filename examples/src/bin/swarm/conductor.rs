//! Starts the members, carries out the plan, and writes down what happens.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand_core::CryptoRng;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use whisper_examples::Failure;

use crate::history::History;
use crate::history::Message;
use crate::link::Link;
use crate::member::Role;
use crate::plan::Deed;
use crate::plan::Size;
use crate::process::Process;
use crate::process::Said;
use crate::process::Voice;
use crate::wire::Command;
use crate::wire::MessageId;
use crate::wire::Moment;
use crate::wire::Number;
use crate::wire::Report;
use crate::wire::What;
use crate::wire::moment;

/// The swarm and what is known of it.
pub(crate) struct Conductor {
    size: Size,
    folder: PathBuf,
    members: Vec<Member>,
    /// Who dials whom, in the order of the places.
    links: BTreeMap<Number, Vec<(Number, Link)>>,
    pub(crate) history: History,
    said: mpsc::UnboundedReceiver<Said>,
    says: mpsc::UnboundedSender<Said>,
    /// Members of each life that was told to end.
    ending: BTreeSet<usize>,
    next_id: MessageId,
    trace: Option<std::fs::File>,
}

struct Member {
    /// None while it is away.
    process: Option<Process>,
    /// The end of the life before, if it was told to leave.
    leaving: Option<JoinHandle<()>>,
    life: usize,
    is_started: bool,
    /// The keys of its node and its own.
    node: String,
    key: String,
    /// Where it listens, if it is a relay.
    port: Arc<AtomicU16>,
    /// By how much its clock is off when nothing is wrong with it, and now.
    usual: i64,
    offset: i64,
    brief: bool,
    /// How often its address has changed.
    moves: u8,
    contacts: Vec<Number>,
    /// Whom it may talk to: there is a session that it knows of.
    met: BTreeSet<Number>,
}

impl Conductor {
    /// Starts the members, and waits until all of them are connected.
    pub(crate) async fn start(
        size: Size,
        folder: &Path,
        trace: Option<&Path>,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, Failure> {
        let (says, said) = mpsc::unbounded_channel();
        let history = History::new(size.members());
        let mut members = Vec::new();
        for number in 0..size.members() {
            std::fs::create_dir_all(folder.join(number.to_string()))?;
            let usual = i64::try_from(rng.next_u64() % 6_000)? - 3_000;
            members.push(Member::new(size, number, usual)?);
        }
        let trace = trace.map(std::fs::File::create).transpose()?;
        let mut own = Self {
            size,
            folder: folder.to_owned(),
            members,
            links: BTreeMap::new(),
            history,
            said,
            says,
            ending: BTreeSet::new(),
            next_id: 0,
            trace,
        };
        for number in 0..size.members() {
            own.begin(number)?;
        }
        own.wait_for("every process to start", |own| {
            own.members.iter().all(|member| member.is_started)
        })
        .await?;
        own.connect().await?;
        own.wait_for("everybody to be connected", |own| {
            own.history.lives.iter().all(|life| {
                life.connections.values().filter(|peer| peer.ready.is_some()).count() >= 2
            })
        })
        .await?;
        for number in size.relays..size.members() {
            own.meet(number, |contact| contact > number);
        }
        Ok(own)
    }

    /// Carries out what is planned, and gives what happened.
    pub(crate) async fn carry_out(mut self, plan: &[(Moment, Deed)]) -> Result<History, Failure> {
        let start = moment();
        for (at, deed) in plan {
            self.listen_until(start + at).await?;
            self.trace(&(moment(), format!("{deed:?}")))?;
            self.carry_out_one(*deed).await?;
        }
        self.listen_until(start + self.size.span).await?;
        self.history.end = moment();
        self.end().await;
        Ok(self.history)
    }

    async fn carry_out_one(&mut self, deed: Deed) -> Result<(), Failure> {
        let now = moment();
        match deed {
            Deed::Say { from, contact, count } => self.talk(from, contact, count),
            Deed::Post { from, ttl } => {
                let id = self.message(from, None, ttl);
                self.tell(from, Command::Post { id, ttl: ttl / 1_000 });
            }
            Deed::Kill(number) => {
                if let Some(process) = self.take_process(number) {
                    process.kill().await?;
                    self.history.ends(moment(), self.members[number].life);
                }
            }
            Deed::Leave(number) => {
                if let Some(process) = self.take_process(number) {
                    process.tell(Command::Leave);
                    let (life, says) = (self.members[number].life, self.says.clone());
                    let leaving = tokio::spawn(watch_end(process, life, says));
                    self.members[number].leaving = Some(leaving);
                }
            }
            Deed::Start { number, moves } => {
                if let Some(leaving) = self.members[number].leaving.take() {
                    // Its port is free then.
                    leaving.await?;
                }
                if moves {
                    self.members[number].port.store(free_port()?, Ordering::Relaxed);
                }
                self.begin(number)?;
            }
            Deed::Freeze(number) => {
                self.history.freezes(now, self.members[number].life);
                self.signal(number, "-STOP").await?;
            }
            Deed::Thaw(number) => {
                self.signal(number, "-CONT").await?;
                self.history.thaws(moment(), self.members[number].life);
            }
            Deed::Silence { from, place } => self.set_silent(from, place, true),
            Deed::Speak { from, place } => self.set_silent(from, place, false),
            Deed::Roam(number) => self.roam(number),
            Deed::Clock { number, offset } => {
                let member = &mut self.members[number];
                member.offset = if offset == 0 { member.usual } else { offset };
                let offset = member.offset;
                self.history.sets_clock(now, number, offset);
                self.tell(number, Command::Clock { offset });
            }
        }
        Ok(())
    }

    /// Starts a process for a member.
    fn begin(&mut self, number: Number) -> Result<(), Failure> {
        let member = &mut self.members[number];
        let port = member.port.load(Ordering::Relaxed);
        let role = Role {
            folder: self.folder.join(number.to_string()),
            port: (number < self.size.relays).then_some(port),
            offset: member.offset,
            brief: member.brief,
        };
        member.life = self.history.begins(moment(), number, member.offset);
        member.is_started = false;
        member.met.clear();
        member.process = Some(Process::start(&role, member.life, self.says.clone())?);
        Ok(())
    }

    /// Opens the links, and lets everybody dial.
    async fn connect(&mut self) -> Result<(), Failure> {
        for number in 0..self.size.members() {
            let mut links = Vec::new();
            for relay in self.size.dialled_by(number) {
                let source = address(number, self.members[number].moves);
                let link = Link::open(source, Arc::clone(&self.members[relay].port)).await?;
                links.push((relay, link));
            }
            self.links.insert(number, links);
            self.dial(number);
        }
        Ok(())
    }

    fn dial(&self, number: Number) {
        for (relay, link) in self.links.get(&number).into_iter().flatten() {
            let key = self.members[*relay].node.get(2..).unwrap_or_default();
            let address = format!("enode://{key}@127.0.0.1:{}", link.port);
            self.tell(number, Command::Dial { address });
        }
    }

    /// Somebody makes contacts and invites some of them.
    fn meet(&mut self, number: Number, invites: impl Fn(Number) -> bool) {
        for contact in self.members[number].contacts.clone() {
            let key = self.members[contact].key.clone();
            self.tell(number, Command::Contact { key: key.clone() });
            if invites(contact) {
                let id = self.message(number, Some(contact), self.members[number].ttl());
                self.tell(number, Command::Invite { key, id });
                self.members[number].met.insert(contact);
            }
        }
    }

    fn talk(&mut self, from: Number, contact: usize, count: usize) {
        let member = &self.members[from];
        let contact = member.contacts[contact % member.contacts.len()];
        if !member.met.contains(&contact) {
            return;
        }
        let (key, ttl) = (self.members[contact].key.clone(), member.ttl());
        for _ in 0..count {
            let id = self.message(from, Some(contact), ttl);
            self.tell(from, Command::Say { key: key.clone(), id });
        }
    }

    fn message(&mut self, from: Number, to: Option<Number>, ttl: Moment) -> MessageId {
        let id = self.next_id;
        self.next_id += 1;
        if self.members[from].process.is_some() {
            let life = self.members[from].life;
            self.history.messages.insert(id, Message::new(from, life, to, ttl, moment()));
        }
        id
    }

    fn set_silent(&mut self, from: Number, place: usize, is_silent: bool) {
        let links = self.links.get(&from).map(Vec::as_slice).unwrap_or_default();
        let Some((to, link)) = links.get(place % links.len().max(1)) else { return };
        link.set_silent(is_silent);
        match is_silent {
            true => self.history.falls_silent(moment(), (from, *to)),
            false => self.history.is_heard(moment(), (from, *to)),
        }
    }

    fn roam(&mut self, number: Number) {
        let member = &mut self.members[number];
        member.moves = member.moves.wrapping_add(1);
        let source = address(number, member.moves);
        for (_, link) in self.links.get(&number).into_iter().flatten() {
            link.roam(source);
        }
        self.history.roams(moment(), self.members[number].life);
        self.tell(number, Command::NetworkChanged);
    }

    fn tell(&self, number: Number, command: Command) {
        if let Some(process) = &self.members[number].process {
            process.tell(command);
        }
    }

    async fn signal(&self, number: Number, name: &str) -> Result<(), Failure> {
        match &self.members[number].process {
            Some(process) => process.signal(name).await,
            None => Ok(()),
        }
    }

    fn take_process(&mut self, number: Number) -> Option<Process> {
        self.ending.insert(self.members[number].life);
        self.members[number].process.take()
    }

    /// Writes down what is reported until a moment.
    async fn listen_until(&mut self, until: Moment) -> Result<(), Failure> {
        loop {
            let left = Duration::from_millis(until.saturating_sub(moment()));
            match tokio::time::timeout(left, self.said.recv()).await {
                Ok(Some(said)) => self.hear(said)?,
                Ok(None) | Err(_) => return Ok(()),
            }
        }
    }

    async fn wait_for(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> Result<(), Failure> {
        let until = moment() + PATIENCE;
        while !done(self) {
            if moment() > until {
                return Err(format!("no time is left to wait for {what}").into());
            }
            self.listen_until(moment() + 100).await?;
        }
        Ok(())
    }

    fn hear(&mut self, (life, voice): Said) -> Result<(), Failure> {
        let number = self.history.lives[life].member;
        let report = match voice {
            Voice::Report(report) => report,
            Voice::Lingers => {
                self.history.lives[life].faults.push("did not end in peace".to_owned());
                return Ok(());
            }
            Voice::Over => {
                if !self.ending.contains(&life) {
                    self.history.lives[life].faults.push("ended by itself".to_owned());
                }
                self.history.ends(moment(), life);
                return Ok(());
            }
        };
        self.trace(&(number, life, &report))?;
        self.history.note(life, &report);
        if self.members[number].life == life {
            self.react(number, &report);
        }
        Ok(())
    }

    fn trace(&mut self, line: &impl Serialize) -> Result<(), Failure> {
        if let Some(trace) = &mut self.trace {
            writeln!(trace, "{}", serde_json::to_string(line)?)?;
        }
        Ok(())
    }

    fn react(&mut self, number: Number, report: &Report) {
        match &report.what {
            What::Started { node, key } => {
                let is_first = self.members[number].node.is_empty();
                let member = &mut self.members[number];
                member.node.clone_from(node);
                member.key.clone_from(key);
                member.is_started = true;
                if !is_first {
                    self.dial(number);
                    self.meet(number, |_| true);
                }
            }
            What::Shown { id, .. } => {
                if let Some(message) = self.history.messages.get(id) {
                    self.members[number].met.insert(message.from);
                }
            }
            _ => {}
        }
    }

    /// Lets everybody leave, and waits for that.
    async fn end(&mut self) {
        let processes = self.members.iter_mut().filter_map(|member| member.process.take());
        let mut processes: Vec<Process> = processes.collect();
        processes.iter().for_each(|process| process.tell(Command::Leave));
        let all = async {
            for process in &mut processes {
                let _ = process.ended().await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(PATIENCE), all).await;
    }
}

impl Member {
    fn new(size: Size, number: Number, usual: i64) -> Result<Self, Failure> {
        let is_relay = number < size.relays;
        Ok(Self {
            process: None,
            leaving: None,
            life: 0,
            is_started: false,
            node: String::new(),
            key: String::new(),
            port: Arc::new(AtomicU16::new(if is_relay { free_port()? } else { 0 })),
            usual,
            offset: usual,
            brief: !number.is_multiple_of(3),
            moves: 0,
            contacts: size.contacts_of(number),
            met: BTreeSet::new(),
        })
    }

    const fn ttl(&self) -> Moment {
        if self.brief { 60_000 } else { 600_000 }
    }
}

/// Waits for a process that was told to leave; one that does not is killed.
async fn watch_end(mut process: Process, life: usize, says: mpsc::UnboundedSender<Said>) {
    let ended = tokio::time::timeout(Duration::from_millis(PATIENCE), process.ended()).await;
    if !matches!(ended, Ok(Ok(true))) {
        // The conductor hears it as long as it listens.
        let _ = says.send((life, Voice::Lingers));
    }
}

/// The address of a member after so many moves: each in a network of its own.
fn address(number: Number, moves: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 10, u8::try_from(number).unwrap_or(u8::MAX), moves.max(1))
}

/// A port that nobody uses now.
fn free_port() -> Result<u16, Failure> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

/// Processes take no longer than this to start, to connect, and to leave.
const PATIENCE: Moment = 60_000;
