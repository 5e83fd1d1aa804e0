//! A member: a node in a process of its own, which does what it is told and reports what happens.

use std::io;
use std::io::BufRead;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use whisper_core::identity::PublicKey;
use whisper_core::identity::SymmetricKey;
use whisper_core::inbox::Filter;
use whisper_core::session::SessionTtl;
use whisper_core::topic::Topic;
use whisper_examples::Failure;
use whisper_net::Clock;
use whisper_net::Config;
use whisper_net::Conversations;
use whisper_net::Delivery;
use whisper_net::DeliveryState;
use whisper_net::Event;
use whisper_net::Handle;
use whisper_net::Lagged;
use whisper_net::Post;
use whisper_net::Privacy;
use whisper_net::Sent;
use whisper_net::SessionEvent;
use whisper_net::Stream;
use whisper_net::Subscription;
use whisper_net::rlpx::RlpxConfig;
use whisper_net::rlpx::RlpxTransport;

use crate::wire::Command;
use crate::wire::MessageId;
use crate::wire::Report;
use crate::wire::Stage;
use crate::wire::What;
use crate::wire::moment;

/// How a member is started.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    /// Where its keys are.
    pub(crate) folder: PathBuf,
    /// The port that it listens on, if it is a relay.
    pub(crate) port: Option<u16>,
    /// By how many milliseconds its clock is off.
    pub(crate) offset: i64,
    /// Whether its envelopes live for a minute, not for ten.
    pub(crate) brief: bool,
}

/// Runs until it is told to leave, or nobody is there to tell it anything.
pub(crate) async fn run(role: &Role) -> Result<(), Failure> {
    let mut commands = commands();
    let offset = Arc::new(AtomicI64::new(role.offset));
    let node_key = whisper_examples::key(Some(&role.folder.join("node.key")))?;
    let own = whisper_examples::key(Some(&role.folder.join("own.key")))?;
    let (node_name, own_name) = (node_key.public_key().to_string(), own.public_key().to_string());
    let listen = role.port.map(|port| ([127, 0, 0, 1], port).into());
    let rlpx = RlpxConfig { listen, ..RlpxConfig::new(node_key) };
    let mut config = Config::new(RlpxTransport::bind(rlpx).await?);
    // What is judged is where an envelope must have come to, hop by hop: a stem takes other ways.
    config.privacy = Privacy::Fast;
    config.clock = wrong_clock(Arc::clone(&offset));
    let node = whisper_net::start(config)?;
    tokio::spawn(watch(node.events().await?));
    let (talks, hears) = node.converse(own).await?;
    talks.set_ttl(if role.brief { SessionTtl::Minute } else { SessionTtl::TenMinutes }).await?;
    tokio::spawn(hear(hears));
    let password = Arc::new(SymmetricKey::from_password("all members of the swarm"));
    let topic = Topic::of_word("swarm");
    if role.port.is_none() {
        let filter = Filter { topics: vec![topic], ..Filter::new(Arc::clone(&password)) };
        tokio::spawn(find(node.subscribe(filter).await?));
    }
    report(What::Started { node: node_name, key: own_name });

    let member = Member { node, talks, offset, password, topic };
    while let Some(command) = commands.recv().await {
        if matches!(command, Command::Leave) {
            member.node.shutdown().await;
            break;
        }
        member.obey(command).await?;
    }
    Ok(())
}

struct Member {
    node: Handle,
    talks: Conversations,
    offset: Arc<AtomicI64>,
    password: Arc<SymmetricKey>,
    topic: Topic,
}

impl Member {
    async fn obey(&self, command: Command) -> Result<(), Failure> {
        match command {
            Command::Clock { offset } => self.offset.store(offset, Ordering::Relaxed),
            Command::Dial { address } => drop(self.node.dial(&address).await?),
            Command::NetworkChanged => self.node.network_changed().await?,
            Command::Contact { key } => self.talks.add_contact(key.parse()?).await?,
            Command::Invite { key, id } => {
                let peer: PublicKey = key.parse()?;
                said(id, self.talks.invite(peer, &text(id)).await);
            }
            Command::Say { key, id } => {
                let peer: PublicKey = key.parse()?;
                said(id, self.talks.send(peer, text(id)).await);
            }
            Command::Post { id, ttl } => {
                let post = Post::to_all(Arc::clone(&self.password), self.topic, text(id));
                let post = Post { ttl: Duration::from_secs(ttl), ..post };
                let delivery = self.node.post_when_ready(post).await;
                report(What::Said { id, session: None, envelopes: 1 });
                tokio::spawn(follow(id, 0, delivery));
            }
            Command::Leave => {}
        }
        Ok(())
    }
}

/// The machine's clock, off by so many milliseconds.
fn wrong_clock(offset: Arc<AtomicI64>) -> Clock {
    let machine = Clock::system();
    Clock::from_source(move || {
        let offset = offset.load(Ordering::Relaxed);
        let by = Duration::from_millis(offset.unsigned_abs());
        let now = machine.now();
        if offset < 0 { now.saturating_sub(by) } else { now.saturating_add(by) }
    })
}

/// The commands, read by a thread of its own: a task of the runtime would hold up the end.
fn commands() -> mpsc::UnboundedReceiver<Command> {
    let (sender, commands) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            let Ok(command) = serde_json::from_str(&line) else { return };
            if sender.send(command).is_err() {
                return;
            }
        }
    });
    commands
}

/// What a message says: its number, and something that gives messages different lengths.
fn text(id: MessageId) -> String {
    format!("{id} {}", "x".repeat(id as usize % 7 * 90))
}

fn number(text: &[u8]) -> Option<MessageId> {
    std::str::from_utf8(text).ok()?.split(' ').next()?.parse().ok()
}

fn said(id: MessageId, sent: Result<Sent, impl std::fmt::Display>) {
    let sent = match sent {
        Ok(sent) => sent,
        Err(why) => return report(What::NotSaid { id, why: why.to_string() }),
    };
    let session = sent.session().map(|session| session.to_string());
    let deliveries = sent.into_deliveries();
    report(What::Said { id, session, envelopes: deliveries.len() });
    for (envelope, delivery) in deliveries.into_iter().enumerate() {
        tokio::spawn(follow(id, envelope, delivery));
    }
}

async fn follow(id: MessageId, envelope: usize, mut delivery: Delivery) {
    let tell = |state| report(What::Stage { id, envelope, stage: stage(state) });
    tell(delivery.state());
    while let Some(state) = delivery.changed().await {
        tell(state);
    }
}

fn stage(state: DeliveryState) -> Stage {
    match state {
        DeliveryState::Waiting => Stage::Waiting,
        DeliveryState::Working { .. } => Stage::Working,
        DeliveryState::Published => Stage::Published,
        DeliveryState::Sent { .. } => Stage::Sent,
        DeliveryState::Acknowledged { .. } | DeliveryState::Spread => Stage::Acknowledged,
        DeliveryState::Refused { why, .. } => Stage::Refused(why.to_string()),
        DeliveryState::Failed(why) => Stage::Lost(why.to_string()),
        other => Stage::Lost(format!("{other:?}").to_lowercase()),
    }
}

async fn watch(mut events: Stream<Event>) {
    while let Some(event) = events.next().await {
        let what = match event {
            Ok(Event::Connected { peer, facts }) => {
                let node = facts.public_key.map(|key| key.to_string()).unwrap_or_default();
                What::Connected { peer: peer.as_u64(), node }
            }
            Ok(Event::Ready(peer)) => What::Ready { peer: peer.as_u64() },
            Ok(Event::Disconnected { peer, how }) => {
                What::Gone { peer: peer.as_u64(), how: format!("{how:?}").to_lowercase() }
            }
            Ok(Event::Dismissed { peer, why }) => {
                What::Cut { peer: peer.as_u64(), why: why.to_string() }
            }
            Ok(Event::Unreachable { address, why, .. }) => {
                What::Unreachable { address, why: why.to_string() }
            }
            Ok(Event::ClockSuspect { ahead, by }) => What::ClockSuspect { ahead, by: by.as_secs() },
            Ok(_) => continue,
            Err(Lagged(missed)) => What::Lagged { missed },
        };
        report(what);
    }
}

async fn hear(mut hears: Stream<SessionEvent>) {
    while let Some(event) = hears.next().await {
        let what = match event {
            Ok(SessionEvent::Message { session, order, missing, data, .. }) => {
                let Some(id) = number(&data) else { continue };
                What::Shown { id, session: session.to_string(), order: order.as_u64(), missing }
            }
            Ok(SessionEvent::Ended { session, why, .. }) => {
                What::Ended { session: session.to_string(), why: format!("{why:?}").to_lowercase() }
            }
            Ok(_) => continue,
            Err(Lagged(missed)) => What::Lagged { missed },
        };
        report(what);
    }
}

async fn find(mut found: Subscription) {
    while let Some(next) = found.next().await {
        match next {
            Ok(received) => {
                if let Some(id) = number(received.message.payload()) {
                    report(What::Found { id });
                }
            }
            Err(Lagged(missed)) => report(What::Lagged { missed }),
        }
    }
}

/// Writes a line. Once nobody reads, nothing that it reports matters.
fn report(what: What) {
    let report = Report { at: moment(), what };
    if let Ok(line) = serde_json::to_string(&report) {
        let _ = writeln!(io::stdout().lock(), "{line}");
    }
}
