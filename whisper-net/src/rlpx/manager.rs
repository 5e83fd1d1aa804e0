//! The task behind a transport: takes connections in, opens others, waits for their ends.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand_core::Rng;
use tokio::net::TcpStream;
use tokio::net::lookup_host;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::time::sleep_until;
use tokio::time::timeout;

use super::connection;
use super::connection::Reporter;
use super::connection::Signals;
use super::enode::Endpoint;
use super::enode::Enode;
use super::enode::Host;
use super::listener::Listener;
use super::opening::Context;
use super::opening::Open;
use super::opening::OpeningError;
use crate::peering::Dialler;
use crate::peering::Outcome;
use crate::peering::Target;
use crate::peering::Verdict;
use crate::transport::DialFailure;
use crate::transport::NodeName;
use crate::transport::PeerFacts;
use crate::transport::TransportEvent;

/// What a transport asks of its task.
pub(super) enum Command {
    /// Connect to this node now, and keep at it.
    Dial(Enode),
    /// Do so no more.
    Forget(NodeName),
    /// Let no node in and dial none, or go on.
    Suspend(bool),
    /// Dial at once whatever waits.
    Hurry,
}

pub(super) struct Manager {
    shared: Shared,
    listener: Listener,
    dialler: Dialler<Enode>,
    commands: mpsc::UnboundedReceiver<Command>,
    suspended: bool,
    /// Attempts and connections; those that we have dialled with the node.
    tasks: JoinSet<Option<(Enode, Outcome)>>,
    /// Attempts end when theirs is dropped.
    attempts: BTreeMap<NodeName, oneshot::Sender<Infallible>>,
}

/// What each task gets.
#[derive(Clone)]
struct Shared {
    context: Arc<Context>,
    reporter: Reporter,
    signals: Signals,
}

impl Manager {
    pub(super) fn new(
        context: Arc<Context>,
        listener: Listener,
        reporter: Reporter,
        commands: mpsc::UnboundedReceiver<Command>,
        signals: Signals,
    ) -> Self {
        let dialler = Dialler::new(context.config.timing.clone());
        let shared = Shared { context, reporter, signals };
        Self {
            shared,
            listener,
            dialler,
            commands,
            suspended: false,
            tasks: JoinSet::new(),
            attempts: BTreeMap::new(),
        }
    }

    /// Runs until the transport closes and all connections have said their last word.
    pub(super) async fn run(mut self) {
        let mut closing = self.shared.signals.closing.clone();
        tokio::select! {
            _ = closing.wait_for(|closing| *closing) => {}
            () = self.work() => {}
        }
        // Nobody comes in any more, and nobody is dialled.
        drop(self.listener);
        self.attempts.clear();
        while self.tasks.join_next().await.is_some() {}
    }

    async fn work(&mut self) {
        loop {
            // Another wire may gain the first peer, or lose the last.
            let due = self.dialler.next_due(self.is_alone());
            let due = due.map(|due| due.min(Instant::now() + LOOK_AGAIN));
            tokio::select! {
                (socket, mut place) = self.listener.accept(), if !self.suspended => {
                    let shared = self.shared.clone();
                    self.tasks.spawn(async move {
                        let opened = tokio::select! {
                            opened = shared.context.answer(socket) => opened,
                            () = place.lost() => Err(OpeningError::Crowded),
                        };
                        drop(place);
                        shared.live(opened, None).await;
                        None
                    });
                }
                () = at(due), if !self.suspended => self.dial(Instant::now()),
                Some(done) = self.tasks.join_next() => {
                    if let Ok(Some((node, outcome))) = done {
                        self.ended(Instant::now(), &node, outcome).await;
                    }
                }
                command = self.commands.recv() => match command {
                    Some(Command::Dial(node)) => self.add(Instant::now(), node),
                    Some(Command::Forget(name)) => {
                        self.dialler.forget(&name);
                        self.attempts.remove(&name);
                    }
                    Some(Command::Suspend(suspended)) => self.suspend(suspended),
                    Some(Command::Hurry) => self.hurry(Instant::now()),
                    None => return,
                }
            }
        }
    }

    fn is_alone(&self) -> bool {
        self.shared.context.peering().peers.is_empty()
    }

    fn add(&mut self, now: Instant, node: Enode) {
        let name = node.name();
        if self.dialler.add(now, node) {
            // A connection that stands has no such entry any more, and goes on.
            self.attempts.remove(&name);
        }
    }

    fn suspend(&mut self, suspended: bool) {
        self.suspended = suspended;
        match suspended {
            true => self.attempts.clear(),
            false => self.hurry(Instant::now()),
        }
    }

    /// Dials all anew. What is under way may go by a network that is gone.
    fn hurry(&mut self, now: Instant) {
        self.dialler.hurry(now);
        self.attempts.clear();
    }

    fn dial(&mut self, now: Instant) {
        while let Some(node) = self.dialler.next(now, self.is_alone()) {
            let name = node.name();
            if self.shared.context.peering().peers.contains(&name) {
                self.dialler.postpone(now, &name, self.shared.jitter());
                continue;
            }
            let shared = self.shared.clone();
            let (attempt, superseded) = oneshot::channel::<Infallible>();
            self.attempts.insert(name, attempt);
            self.tasks.spawn(async move {
                let opened = tokio::select! {
                    opened = shared.reach(&node) => opened,
                    _ = superseded => Err(OpeningError::Superseded),
                };
                let outcome = shared.live(opened, Some(&node)).await;
                Some((node, outcome))
            });
        }
    }

    /// Decides when a node is dialled again, and reports why it was not reached.
    async fn ended(&mut self, now: Instant, node: &Enode, outcome: Outcome) {
        let (name, jitter) = (node.name(), self.shared.jitter());
        self.attempts.remove(&name);
        let is_there = matches!(outcome.why, Some(DialFailure::Connected | DialFailure::KeyInUse));
        if is_there && self.shared.context.peering().peers.contains(&name) {
            // It is a peer by another connection, which it may have opened itself.
            self.dialler.postpone(now, &name, jitter);
            return;
        }
        let verdict = self.dialler.ended(now, &name, outcome, (self.is_alone(), jitter));
        if let Some(Verdict { change: Some(why), retry_in }) = verdict {
            let address = node.to_string();
            let event = TransportEvent::Unreachable { node: name, address, why, retry_in };
            self.shared.reporter.happened(event).await;
        }
    }
}

impl Shared {
    async fn reach(&self, node: &Enode) -> Result<Open, OpeningError> {
        let connect = connect(node.endpoint());
        let socket = timeout(self.context.config.timing.connect, connect).await;
        let socket = socket.map_err(|_| OpeningError::Silent)??;
        self.context.initiate(socket, node.public_key()).await
    }

    /// Runs a connection, if there is one, and returns what became of it.
    async fn live(self, opened: Result<Open, OpeningError>, dialled: Option<&Enode>) -> Outcome {
        let open = match opened {
            Ok(open) => open,
            Err(error) => {
                tracing::debug!(%error, "no connection");
                return Outcome { lived: Duration::ZERO, why: error.failure() };
            }
        };
        let start = Instant::now();
        let peer = self.context.peering().numbers.next();
        let facts = PeerFacts {
            node: Some(Enode::name_of(&open.key)),
            // Of one that has come to us, only the key is known: not where it listens.
            endpoint: dialled.cloned().unwrap_or_else(|| Enode::new(open.key)).to_string(),
            address: Some(open.address),
            public_key: Some(open.key),
            client: open.hello.client_name(),
            trusted: self.context.is_trusted(&open.key),
            protocols: open.channels.protocols(),
            ..PeerFacts::new(WIRE, open.direction)
        };
        let timing = &self.context.config.timing;
        let ending = connection::run(open, peer, facts, self.reporter, timing, self.signals).await;
        Outcome { lived: start.elapsed(), why: ending.failure() }
    }

    fn jitter(&self) -> u8 {
        // Without randomness there is no jitter, and no handshake either.
        let drawn = self.context.config.entropy.rng().map(|mut rng| rng.next_u32());
        drawn.map_or(0, |bits| bits.to_be_bytes()[0])
    }
}

async fn connect(endpoint: Option<&Endpoint>) -> Result<TcpStream, OpeningError> {
    let Some(Endpoint { host, tcp, .. }) = endpoint else {
        return Err(io::Error::from(ErrorKind::AddrNotAvailable).into());
    };
    let addresses: Vec<SocketAddr> = match host {
        Host::Ip(ip) => vec![(*ip, *tcp).into()],
        Host::Name(name) => {
            let found = lookup_host((name.as_str(), *tcp)).await;
            found.map(Iterator::collect).unwrap_or_default()
        }
    };
    if addresses.is_empty() {
        return Err(OpeningError::UnknownHost);
    }
    Ok(TcpStream::connect(&addresses[..]).await?)
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

/// What this wire calls itself.
const WIRE: &str = "rlpx";
/// How often it is asked whether there are other peers.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
