//! The chat in a terminal: lines go out, events come in.

use std::io;
use std::io::IsTerminal;
use std::pin::pin;
use std::time::Duration;

use tokio::task::JoinSet;
use whisper_core::identity::PublicKey;
use whisper_core::node;
use whisper_core::session::Ended;
use whisper_examples::Failure;
use whisper_examples::ending;
use whisper_examples::say;
use whisper_examples::screen::printable;
use whisper_net::Conversations;
use whisper_net::Delivery;
use whisper_net::DeliveryState;
use whisper_net::Event;
use whisper_net::Handle;
use whisper_net::Lagged;
use whisper_net::Sent;
use whisper_net::SessionEvent;
use whisper_net::Stream;
use whisper_net::rlpx::RlpxConfig;

use super::Options;
use super::typed;
use super::typed::Line;

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let end = ending::asked_for()?;
    let node_key = whisper_examples::key(options.node_key.as_deref())?;
    let rlpx =
        RlpxConfig { listen: options.listen, host: options.host, ..RlpxConfig::new(node_key) };
    let node =
        whisper_examples::start(node::Config::default(), rlpx, &options.peer, &options.hiding)
            .await?;
    for address in node.addresses().await? {
        say!("* your address: {address}");
    }
    let identity = whisper_examples::key(options.key.as_deref())?;
    say!("* your key:     {}", identity.public_key());
    say!("* /quit or Ctrl-C ends the chat and wipes its keys");
    if options.listen.is_none() && options.peer.is_empty() {
        say!("* no peer is known and nobody can come: use --peer or --listen");
    }
    let events = node.events().await?;
    let (talks, hears) = node.converse(identity).await?;
    let mut chat = Chat::new(options.name, talks);
    if let Some(peer) = options.to {
        chat.invite(peer).await?;
    }
    let way = chat.run(events, hears, end).await?;
    let unsent = chat.leave(&way, &node).await?;
    say!("* the keys are wiped");
    match unsent {
        0 => Ok(()),
        1 => Err("one message was not sent".into()),
        more => Err(format!("{more} messages were not sent").into()),
    }
}

/// Why a chat ends.
enum Way {
    /// The person or the system wants it to.
    Asked,
    /// Another program has said all that it has to say. What it said stays readable.
    InputEnded,
    /// The other side has left, or the node has ended.
    Over,
}

/// One conversation on a screen.
struct Chat {
    name: String,
    /// The other side.
    peer: Option<PublicKey>,
    /// Strangers who wait for an answer, the longest first.
    asks: Vec<PublicKey>,
    ready: usize,
    /// How many messages of the other side have been overtaken.
    missing: u32,
    talks: Conversations,
    /// Tells what becomes of what was sent.
    reports: JoinSet<()>,
    /// What no peer has yet: true once one has.
    underway: JoinSet<bool>,
    /// Messages that no peer will ever have.
    unsent: usize,
}

impl Chat {
    fn new(name: String, talks: Conversations) -> Self {
        Self {
            name,
            peer: None,
            asks: Vec::new(),
            ready: 0,
            missing: 0,
            talks,
            reports: JoinSet::new(),
            underway: JoinSet::new(),
            unsent: 0,
        }
    }

    async fn invite(&mut self, peer: PublicKey) -> Result<(), Failure> {
        let sent = self.talks.invite(peer, "").await?;
        say!("* inviting {}", short(&peer));
        self.peer = Some(peer);
        self.follow("invitation", sent);
        Ok(())
    }

    /// Goes on until there is a way out.
    async fn run(
        &mut self,
        mut events: Stream<Event>,
        mut hears: Stream<SessionEvent>,
        end: impl Future<Output = ()>,
    ) -> Result<Way, Failure> {
        let mut lines = typed::lines();
        let mut end = pin!(end);
        loop {
            let way = tokio::select! {
                line = lines.recv() => match line.transpose()? {
                    // It may have to wait until there is room for what it says.
                    Some(line) => tokio::select! {
                        way = self.read(line) => way,
                        () = &mut end => self.unsaid("the chat ends").or(Some(Way::Asked)),
                    },
                    None if io::stdin().is_terminal() => Some(Way::Asked),
                    None => Some(Way::InputEnded),
                },
                event = hears.next() => event.map_or(Some(Way::Over), |event| self.hear(event)),
                event = events.next() => match event {
                    Some(event) => event.ok().and_then(|event| self.notice(&event)),
                    None => Some(Way::Over),
                },
                () = &mut end => Some(Way::Asked),
            };
            if let Some(way) = way {
                return Ok(way);
            }
        }
    }

    /// Does what a line asks for.
    async fn read(&mut self, line: Line) -> Option<Way> {
        let text = match &line {
            Line::Text(text) => text.trim(),
            Line::NotUtf8 => return self.unsaid("a line that is not UTF-8 text"),
            Line::TooLong => return self.unsaid("a line that is too long"),
        };
        let (command, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        match (command, self.peer) {
            ("", _) => {}
            ("/quit", _) => return Some(Way::Asked),
            ("/accept", _) => self.accept(rest.trim()).await,
            ("/refuse", _) => self.refuse(rest.trim()).await,
            (command, _) if command.starts_with('/') => {
                say!("* commands: /accept KEY, /refuse KEY, /quit");
            }
            (_, None) => return self.unsaid("nobody is here yet"),
            (_, Some(peer)) => match self.talks.send(peer, text).await {
                Ok(sent) => {
                    say!("{}: {text}", self.name);
                    self.follow("message", sent);
                }
                Err(error) => return self.unsaid(&error.to_string()),
            },
        }
        None
    }

    fn unsaid(&mut self, why: &str) -> Option<Way> {
        say!("* not sent: {why}");
        self.unsent += 1;
        None
    }

    async fn accept(&mut self, begin: &str) {
        let Some(peer) = self.asker(begin) else { return };
        match self.talks.accept(peer).await {
            Ok(_) => {
                self.answered(peer);
                self.peer = Some(peer);
            }
            Err(error) => say!("* not accepted: {error}"),
        }
    }

    async fn refuse(&mut self, begin: &str) {
        let Some(peer) = self.asker(begin) else { return };
        self.answered(peer);
        match self.talks.refuse(peer).await {
            Ok(_) => say!("* refused; nobody is told"),
            Err(error) => say!("* not refused: {error}"),
        }
    }

    /// The one stranger whose key begins so. Which one is meant must be said, since another may have
    /// asked while the command was typed.
    fn asker(&self, begin: &str) -> Option<PublicKey> {
        let named = |key: &&PublicKey| {
            let digits = key.to_string();
            digits.starts_with(begin)
                || digits.strip_prefix("04").unwrap_or(&digits).starts_with(begin)
        };
        let mut fitting = self.asks.iter().filter(named);
        match (begin, fitting.next(), fitting.next()) {
            (_, None, _) => say!("* nobody with that key asks"),
            ("", Some(first), _) => say!("* say whom: /accept {} or so", short(first)),
            (_, Some(only), None) => return Some(*only),
            (_, Some(_), Some(_)) => say!("* several keys begin so: give more of it"),
        }
        None
    }

    fn answered(&mut self, peer: PublicKey) {
        self.asks.retain(|asks| *asks != peer);
    }

    /// Shows what the conversation brings.
    fn hear(&mut self, event: Result<SessionEvent, Lagged>) -> Option<Way> {
        let event = match event {
            Ok(event) => event,
            Err(Lagged(missed)) => {
                say!("* up to {missed} messages were missed");
                return None;
            }
        };
        match event {
            SessionEvent::Invited { peer, .. } => {
                let begin = short(&peer);
                say!("* {begin} wants to talk: /accept {begin} or /refuse {begin}");
                say!("* compare the whole key by another way: {peer}");
                self.answered(peer);
                self.asks.push(peer);
            }
            SessionEvent::Established { peer, .. } => {
                say!("* you talk with {}", short(&peer));
                self.answered(peer);
                self.peer = Some(peer);
            }
            SessionEvent::Message { peer, data, missing, .. } => {
                if missing > self.missing {
                    say!("* missing so far: {}", counted(missing as usize, "earlier message"));
                }
                self.missing = missing;
                say!("{}: {}", short(&peer), printable(&data));
            }
            SessionEvent::Acknowledged { names, .. } => {
                say!("* read: {}", counted(names.len(), "message"));
            }
            SessionEvent::Replaced { .. } => {
                say!("* the other side has begun anew: if that surprises you, ask why");
            }
            SessionEvent::Malformed { .. } => say!("* something came that makes no sense"),
            SessionEvent::ClockSetBack { .. } => {
                say!("* the clock was set back: send again what was not read");
            }
            SessionEvent::Stale { peer, .. } => {
                say!("* {} has read nothing for a day: it is invited again", short(&peer));
            }
            SessionEvent::PeerForked { peer, .. } => {
                say!("* {} writes from two places: some of it is lost", short(&peer));
            }
            SessionEvent::Suspect { .. } => {
                say!("* your key is in use elsewhere: invite again, or what you write is lost");
            }
            // Others come and go, and a session that a newer one has replaced is no loss.
            SessionEvent::Ended { peer, why, .. } => {
                self.answered(peer);
                if Some(peer) == self.peer && why != Ended::Evicted {
                    say!("* the conversation is over: {}", in_words(why));
                    return Some(Way::Over);
                }
            }
        }
        None
    }

    /// Shows who comes and goes on the network.
    fn notice(&mut self, event: &Event) -> Option<Way> {
        match event {
            Event::Ready(_) => {
                self.ready += 1;
                say!("* connected to {}", counted(self.ready, "peer"));
            }
            Event::Disconnected { .. } => {
                self.ready = self.ready.saturating_sub(1);
                if self.ready == 0 {
                    say!("* no peer is there: what you write waits for one");
                }
            }
            Event::Dismissed { why, .. } => say!("* a peer was cut: {why}"),
            Event::Unreachable { address, why, .. } => {
                say!("* no connection to {address}: {why}");
            }
            Event::Addresses(addresses) => say!("* your address: {}", addresses.join(" ")),
            Event::ClockSuspect { ahead, by } => {
                let direction = if *ahead { "ahead" } else { "behind" };
                say!("* your clock seems {direction} by {} s: set it", by.as_secs());
            }
            _ => {}
        }
        None
    }

    /// Tells what becomes of what was sent, beside the conversation.
    fn follow(&mut self, what: &'static str, sent: Sent) {
        let deliveries = sent.into_deliveries();
        // An invitation is two envelopes, and one line on the screen.
        if let Some(last) = deliveries.last() {
            self.reports.spawn(report(what, last.clone()));
        }
        for delivery in deliveries {
            self.underway.spawn(async move { delivery.sent().await.is_ok() });
        }
        while let Some(done) = self.underway.try_join_next() {
            self.unsent += usize::from(!done.unwrap_or(false));
        }
        while self.reports.try_join_next().is_some() {}
    }

    /// The one way out: waits for what is on its way, says goodbye and shuts the node down. Gives the
    /// number of messages that no peer has taken.
    async fn leave(mut self, way: &Way, node: &Handle) -> Result<usize, Failure> {
        let patience = if matches!(way, Way::InputEnded) { PATIENCE } else { GOODBYE };
        let mut sooner = pin!(ending::asked_for()?);
        let mut late = pin!(tokio::time::sleep(patience));
        let mut waiting = self.underway.len();
        while waiting > 0 {
            tokio::select! {
                done = self.underway.join_next() => {
                    let is_sent = done.is_some_and(|done| done.unwrap_or(false));
                    self.unsent += usize::from(!is_sent);
                    waiting -= 1;
                }
                () = &mut sooner => break,
                () = &mut late => break,
            }
        }
        self.reports.abort_all();
        // A goodbye ends the session at once, whatever is still on its way to the other side.
        if let (Some(peer), false) = (self.peer, matches!(way, Way::InputEnded)) {
            let goodbye = async {
                // The other side may have been first.
                if let Ok(goodbye) = self.talks.close(peer).await {
                    let _ = goodbye.into_future().await;
                }
            };
            let _ = tokio::time::timeout(GOODBYE, goodbye).await;
        }
        node.shutdown().await;
        Ok(self.unsent + waiting)
    }
}

async fn report(what: &'static str, mut delivery: Delivery) {
    while let Some(state) = delivery.changed().await {
        match state {
            DeliveryState::Waiting => say!("  ({what}: waits for a peer)"),
            DeliveryState::Working { expected, likely, .. } if likely > NOTICEABLE => {
                say!("  ({what}: working, about {expected:.1?}, at most {likely:.1?})");
            }
            DeliveryState::Sent { peers: 1 } => say!("  ({what}: sent)"),
            DeliveryState::Acknowledged { by: 1 } => say!("  ({what}: taken by the network)"),
            DeliveryState::Spread => say!("  ({what}: come back from the network)"),
            DeliveryState::Refused { by: 1, why } => say!("  ({what}: refused: {why})"),
            DeliveryState::Expired => say!("  ({what}: expired before anybody had it)"),
            DeliveryState::Failed(why) => say!("  ({what}: {why})"),
            _ => {}
        }
    }
}

/// Why a conversation is over.
const fn in_words(why: Ended) -> &'static str {
    match why {
        Ended::Closed => "you have left",
        Ended::ClosedByPeer => "the other side has left",
        Ended::Expired => "its time is over; begin another",
        Ended::Idle => "nothing was said for a day",
        Ended::Evicted => "others took its place",
    }
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        more => format!("{more} {what}s"),
    }
}

/// The beginning of a key, to tell people apart on a screen.
fn short(key: &PublicKey) -> String {
    key.to_string().chars().skip(2).take(8).collect()
}

/// Work that takes longer than this is worth a word.
const NOTICEABLE: Duration = Duration::from_secs(1);
/// How long somebody who wants to leave waits for the rest to be sent, and for a goodbye.
const GOODBYE: Duration = Duration::from_secs(3);
/// How long what another program said may take to reach a peer.
const PATIENCE: Duration = Duration::from_secs(60);
