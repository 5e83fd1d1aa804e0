//! The chat in a terminal: lines go out, events come in.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use whisper_core::identity::PublicKey;
use whisper_core::node;
use whisper_core::session::Ended;
use whisper_examples::Failure;
use whisper_net::ConversationEvent;
use whisper_net::ConversationEvents;
use whisper_net::Conversations;
use whisper_net::Delivery;
use whisper_net::DeliveryState;
use whisper_net::Event;
use whisper_net::Events;
use whisper_net::Handle;
use whisper_net::Sent;

use super::Options;

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let node_key = whisper_examples::key(options.node_key.as_deref())?;
    let config = node::Config::default();
    let node = whisper_examples::start(config, node_key, options.listen, &options.peer).await?;
    if let Some(address) = node.local_address() {
        println!("* your address: {address}");
    }
    let identity = whisper_examples::key(options.key.as_deref())?;
    println!("* your key:     {}", identity.public_key());
    println!("* /quit or Ctrl-C ends the chat and wipes its keys");
    if options.listen.is_none() && options.peer.is_empty() {
        println!("* no peer is known and nobody can come: use --peer or --listen");
    }
    let events = node.events().await?;
    let (talks, hears) = node.converse(identity).await?;
    let mut chat = Chat {
        name: options.name,
        peer: None,
        asks: None,
        ready: 0,
        talks,
        deliveries: JoinSet::new(),
    };
    if let Some(peer) = options.to {
        chat.invite(peer).await?;
    }
    chat.run(events, hears).await?;
    chat.leave(&node).await;
    Ok(())
}

/// One conversation on a screen.
struct Chat {
    name: String,
    /// Whom we talk to.
    peer: Option<PublicKey>,
    /// Who has asked and has no answer yet.
    asks: Option<PublicKey>,
    ready: usize,
    talks: Conversations,
    deliveries: JoinSet<()>,
}

impl Chat {
    async fn invite(&mut self, peer: PublicKey) -> Result<(), Failure> {
        let sent = self.talks.invite(peer, "").await?;
        println!("* inviting {}", short(&peer));
        self.peer = Some(peer);
        self.follow("invitation", sent);
        Ok(())
    }

    /// Goes on until somebody leaves.
    async fn run(
        &mut self,
        mut events: Events,
        mut hears: ConversationEvents,
    ) -> Result<(), Failure> {
        let mut lines = typed();
        loop {
            let flow = tokio::select! {
                line = lines.recv() => self.say(line.transpose()?).await?,
                event = hears.next() => self.hear(event).await?,
                event = events.next() => self.notice(event.as_ref()),
                interrupt = tokio::signal::ctrl_c() => {
                    interrupt?;
                    ControlFlow::Break(())
                }
            };
            if flow.is_break() {
                return Ok(());
            }
        }
    }

    /// Does what a line asks for.
    async fn say(&mut self, line: Option<String>) -> Result<ControlFlow<()>, Failure> {
        let Some(line) = line else { return Ok(ControlFlow::Break(())) };
        match (line.trim(), self.asks, self.peer) {
            ("", ..) => {}
            ("/quit", ..) => return Ok(ControlFlow::Break(())),
            ("/accept", Some(peer), _) => match self.talks.accept(peer).await {
                Ok(_) => (self.asks, self.peer) = (None, Some(peer)),
                Err(error) => println!("* not accepted: {error}"),
            },
            ("/refuse", Some(peer), _) => {
                self.asks = None;
                match self.talks.refuse(peer).await {
                    Ok(_) => println!("* refused; nobody is told"),
                    Err(error) => println!("* not refused: {error}"),
                }
            }
            (command, ..) if command.starts_with('/') => {
                println!("* commands: /accept, /refuse, /quit");
            }
            (_, _, None) => println!("* nobody is here yet"),
            (text, _, Some(peer)) => match self.talks.send(peer, text).await {
                Ok(sent) => {
                    println!("{}: {text}", self.name);
                    self.follow("message", sent);
                }
                Err(error) => println!("* not sent: {error}"),
            },
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Shows what the conversation brings.
    async fn hear(&mut self, event: Option<ConversationEvent>) -> Result<ControlFlow<()>, Failure> {
        let Some(event) = event else { return Ok(ControlFlow::Break(())) };
        match event {
            ConversationEvent::Invited { peer, .. } => {
                println!("* {} wants to talk: /accept or /refuse", short(&peer));
                println!("* compare the whole key by another way: {peer}");
                self.asks = Some(peer);
            }
            ConversationEvent::Established { peer, .. } => {
                println!("* you talk with {}", short(&peer));
                self.peer = Some(peer);
            }
            ConversationEvent::Message { peer, data, .. } => {
                println!("{}: {}", short(&peer), printable(&data));
            }
            ConversationEvent::Acknowledged { sequences, .. } => {
                println!("* {} messages were read", sequences.len());
            }
            ConversationEvent::Replaced { .. } => {
                println!("* the other side has begun anew: if that surprises you, ask why");
            }
            ConversationEvent::Malformed { .. } => println!("* something came that makes no sense"),
            // Others come and go, and a session that a newer one has replaced is no loss.
            ConversationEvent::Ended { peer, why, .. }
                if Some(peer) == self.peer && why != Ended::Evicted =>
            {
                println!("* the conversation is over: {why:?}");
                return Ok(ControlFlow::Break(()));
            }
            ConversationEvent::Gap(missed) => println!("* up to {missed} messages were missed"),
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Shows who comes and goes on the network.
    fn notice(&mut self, event: Option<&Event>) -> ControlFlow<()> {
        match event {
            None => return ControlFlow::Break(()),
            Some(Event::Ready(_)) => {
                self.ready += 1;
                println!("* connected, {} peers", self.ready);
            }
            Some(Event::Disconnected { .. }) => {
                self.ready = self.ready.saturating_sub(1);
                if self.ready == 0 {
                    println!("* no peer is there: what you write waits for one");
                }
            }
            Some(Event::Dismissed { why, .. }) => println!("* a peer was cut: {why}"),
            Some(Event::ClockSuspect { ahead, by }) => {
                let direction = if *ahead { "ahead" } else { "behind" };
                println!("* your clock seems {direction} by {} s: set it", by.as_secs());
            }
            Some(_) => {}
        }
        ControlFlow::Continue(())
    }

    /// Tells what becomes of what was sent, beside the conversation.
    fn follow(&mut self, what: &'static str, sent: Sent) {
        for delivery in sent.into_deliveries() {
            self.deliveries.spawn(follow(what, delivery));
        }
    }

    /// Wipes the keys and says goodbye, as well as it goes.
    async fn leave(mut self, node: &Handle) {
        self.deliveries.abort_all();
        if let Some(peer) = self.peer {
            // The other side may have been first.
            if let Ok(goodbye) = self.talks.close(peer).await {
                let _ = tokio::time::timeout(GOODBYE, goodbye.into_future()).await;
            }
        }
        node.shutdown().await;
        println!("* the keys are wiped");
    }
}

async fn follow(what: &'static str, mut delivery: Delivery) {
    while let Some(state) = delivery.changed().await {
        match state {
            DeliveryState::Waiting => println!("  ({what}: waits for a peer)"),
            DeliveryState::Working { expected, likely, .. } if likely > NOTICEABLE => {
                println!("  ({what}: working, about {expected:.1?}, at most {likely:.1?})");
            }
            DeliveryState::Sent { peers: 1 } => println!("  ({what}: sent)"),
            DeliveryState::Acknowledged { by: 1 } => println!("  ({what}: taken by the network)"),
            DeliveryState::Refused { .. } => println!("  ({what}: refused by the network)"),
            DeliveryState::Expired => println!("  ({what}: expired before anybody had it)"),
            DeliveryState::Failed(why) => println!("  ({what}: {why})"),
            _ => {}
        }
    }
}

/// The lines that are typed. A thread of its own waits for them: the program can end while it does,
/// which a task of the runtime would hold up until the next line.
fn typed() -> mpsc::Receiver<io::Result<String>> {
    let (typed, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in io::stdin().lines() {
            if typed.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// The beginning of a key, to tell people apart on a screen.
fn short(key: &PublicKey) -> String {
    key.to_string().chars().skip(2).take(8).collect()
}

/// What a peer says, without what could play with the terminal.
fn printable(data: &[u8]) -> String {
    String::from_utf8_lossy(data).chars().filter(|char| !char.is_control()).collect()
}

/// Work that takes longer than this is worth a word.
const NOTICEABLE: Duration = Duration::from_secs(1);
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(3);
