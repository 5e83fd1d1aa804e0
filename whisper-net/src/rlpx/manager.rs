//! The task behind a transport: takes connections in, opens others, waits for their ends.

use std::future::pending;
use std::io;
use std::io::ErrorKind;
use std::sync::Arc;

use rand_core::Rng;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::time::sleep_until;
use tokio::time::timeout;
use whisper_core::crypto::curve::PublicKey;

use super::connection;
use super::connection::Teller;
use super::dialler::Dialler;
use super::dialler::Outcome;
use super::enode::Endpoint;
use super::enode::Enode;
use super::enode::Host;
use super::listener::Listener;
use super::opening::Context;
use super::opening::Open;
use super::opening::OpeningError;
use crate::transport::PeerFacts;

/// What a transport asks of its task.
pub(super) enum Order {
    /// Keep a connection to this node.
    Dial(Enode),
    /// Do so no more.
    Forget(PublicKey),
    /// Let nobody in and dial nobody, or go on.
    Suspend(bool),
}

pub(super) struct Manager {
    shared: Shared,
    listener: Listener,
    dialler: Dialler,
    orders: mpsc::UnboundedReceiver<Order>,
    suspended: bool,
    /// Attempts and connections; those that we have dialled with whom they are.
    tasks: JoinSet<Option<(PublicKey, Outcome)>>,
}

/// What each task gets.
#[derive(Clone)]
struct Shared {
    context: Arc<Context>,
    teller: Teller,
    closing: watch::Receiver<bool>,
}

impl Manager {
    pub(super) fn new(
        context: Arc<Context>,
        listener: Listener,
        teller: Teller,
        orders: mpsc::UnboundedReceiver<Order>,
        closing: watch::Receiver<bool>,
    ) -> Self {
        let dialler = Dialler::new(context.config.timing.clone());
        let shared = Shared { context, teller, closing };
        Self { shared, listener, dialler, orders, suspended: false, tasks: JoinSet::new() }
    }

    /// Runs until the transport closes and all connections have said their last word.
    pub(super) async fn run(mut self) {
        let mut closing = self.shared.closing.clone();
        tokio::select! {
            _ = closing.wait_for(|closing| *closing) => {}
            () = self.work() => {}
        }
        // Nobody comes in any more.
        drop(self.listener);
        while self.tasks.join_next().await.is_some() {}
    }

    async fn work(&mut self) {
        loop {
            let due = self.dialler.next_due();
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
                    if let Ok(Some((key, outcome))) = done {
                        self.dialler.ended(Instant::now(), &key, outcome, self.shared.jitter());
                    }
                }
                order = self.orders.recv() => match order {
                    Some(Order::Dial(node)) => self.dialler.add(Instant::now(), node),
                    Some(Order::Forget(key)) => self.dialler.forget(&key),
                    Some(Order::Suspend(suspended)) => self.suspend(suspended),
                    None => return,
                }
            }
        }
    }

    fn suspend(&mut self, suspended: bool) {
        self.suspended = suspended;
        if !suspended {
            self.dialler.hurry(Instant::now());
        }
    }

    fn dial(&mut self, now: Instant) {
        while let Some(node) = self.dialler.next(now) {
            let key = node.public_key();
            if self.shared.context.roster.is_connected(&key) {
                self.dialler.postpone(now, &key, self.shared.jitter());
                continue;
            }
            let shared = self.shared.clone();
            self.tasks.spawn(async move {
                let opened = shared.reach(&node).await;
                Some((key, shared.live(opened, Some(node)).await))
            });
        }
    }
}

impl Shared {
    async fn reach(&self, node: &Enode) -> Result<Open, OpeningError> {
        let connect = connect(node.endpoint());
        let socket = timeout(self.context.config.timing.connect, connect).await;
        let socket = socket.map_err(|_| OpeningError::TimedOut)??;
        self.context.initiate(socket, node.public_key()).await
    }

    /// Runs a connection, if there is one, and tells what became of it.
    async fn live(self, opened: Result<Open, OpeningError>, dialled: Option<Enode>) -> Outcome {
        let open = match opened {
            Ok(open) => open,
            Err(error) => {
                tracing::debug!(%error, "no connection");
                return Outcome { reason: error.reason(), ..Outcome::default() };
            }
        };
        let start = Instant::now();
        let config = &self.context.config;
        let peer = config.numbers.next();
        let facts = PeerFacts {
            // Of one that has come to us, only the key is known: not where it listens.
            endpoint: dialled.unwrap_or_else(|| Enode::new(open.key)).to_string(),
            address: Some(open.address),
            public_key: Some(open.key),
            client: open.hello.client_name(),
            trusted: self.context.roster.is_trusted(&open.key),
            protocols: open.channels.protocols(),
            ..PeerFacts::new(open.direction)
        };
        let ending =
            connection::run(open, peer, facts, self.teller, &config.timing, self.closing).await;
        Outcome { lived: start.elapsed(), reason: ending.reason() }
    }

    fn jitter(&self) -> u8 {
        // Without randomness there is no jitter, and no handshake either.
        let drawn = self.context.config.entropy.rng().map(|mut rng| rng.next_u32());
        drawn.map_or(0, |bits| bits.to_be_bytes()[0])
    }
}

async fn connect(endpoint: Option<&Endpoint>) -> io::Result<TcpStream> {
    let Some(Endpoint { host, tcp, .. }) = endpoint else {
        return Err(ErrorKind::AddrNotAvailable.into());
    };
    match host {
        Host::Ip(ip) => TcpStream::connect((*ip, *tcp)).await,
        Host::Name(name) => TcpStream::connect((name.as_str(), *tcp)).await,
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}
