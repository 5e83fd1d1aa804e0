//! What a story does to a node, and what must hold meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use whisper_core::envelope::Envelope;
use whisper_core::envelope::EnvelopeHash;
use whisper_core::hash::keccak256;
use whisper_core::node::Budget;
use whisper_core::node::Budgets;
use whisper_core::node::Config;
use whisper_core::node::Direction;
use whisper_core::node::Event;
use whisper_core::node::Input;
use whisper_core::node::Node;
use whisper_core::node::Output;
use whisper_core::node::Stem;
use whisper_core::packet;
use whisper_core::packet::Status;
use whisper_core::packet::code;
use whisper_core::peer::Network;
use whisper_core::peer::PeerId;
use whisper_core::pow::Rating;
use whisper_core::rlp::Writer;
use whisper_core::time::Timestamp;
use whisper_core::topic::Bloom;
use whisper_core::topic::Topic;

use super::Act;
use super::Delay;
use super::Greeting;
use super::Letter;
use super::Setting;
use super::Ttl;

/// A node, and what is known of it from outside.
pub(crate) struct Life {
    node: Node,
    config: Config,
    now: Timestamp,
    pub(crate) outputs: Vec<Output>,
    connected: BTreeSet<PeerId>,
    own: BTreeSet<EnvelopeHash>,
    last_sent: Vec<u8>,
    last_received: Vec<u8>,
    /// A packet may be waiting to be judged further: what comes next is not alone in a step.
    dusty: bool,
}

impl Life {
    pub(crate) fn new(setting: &Setting) -> Self {
        let config = config(setting);
        Self {
            node: Node::new(config, SECRET),
            config,
            now: Timestamp::from_secs(START),
            outputs: Vec::new(),
            connected: BTreeSet::new(),
            own: BTreeSet::new(),
            last_sent: Vec::new(),
            last_received: vec![0xc0],
            dusty: false,
        }
    }

    pub(crate) fn wait(&mut self, delay: &Delay) {
        let span = match delay {
            Delay::None => Duration::ZERO,
            Delay::Millis(millis) => Duration::from_millis((*millis).into()),
            Delay::Seconds(secs) => Duration::from_secs((*secs).into()),
            Delay::Any(millis) => Duration::from_millis((*millis).into()),
            Delay::Back(millis) => {
                self.now = self.now.saturating_sub(Duration::from_millis((*millis).into()));
                return;
            }
        };
        self.now = self.now.saturating_add(span);
    }

    pub(crate) fn act(&mut self, act: &Act) {
        match act {
            Act::Connect(from, inbound) => self.connect(peer(*from), *inbound),
            Act::Arrive(from, greeting) => self.arrive(peer(*from), greeting),
            Act::Disconnect(from) => {
                self.connected.remove(&peer(*from));
                self.input(Input::Disconnected(peer(*from)));
            }
            Act::Packet(from, code, payload) => self.packet(peer(*from), *code % 128, payload),
            // Every second of those that come alone comes by a stem, if there are any.
            Act::Messages(from, letters)
                if self.config.stem.is_some()
                    && letters.len() == 1
                    && letters[0].nonce % 2 == 0 =>
            {
                self.receive(peer(*from), code::STEM, &self.pack(letters));
            }
            Act::Messages(from, letters) => self.messages(peer(*from), &self.pack(letters)),
            Act::Torn(from, letters, at, mask, cut) => {
                let mut packet = self.pack(letters);
                let at = usize::from(*at) % packet.len();
                packet[at] ^= mask;
                packet.truncate(if *cut { at } else { packet.len() });
                self.messages(peer(*from), &packet);
            }
            Act::Dust(from, much) => self.dust(peer(*from), if *much { 1_030 } else { 60 }),
            Act::Again(from) => self.again(peer(*from)),
            Act::Acknowledge(from) => {
                let packet = packet::encode_acknowledgement(&keccak256(&self.last_sent));
                self.receive(peer(*from), code::BATCH_ACKNOWLEDGED, &packet);
            }
            Act::Refuse(from, which) => self.refuse(peer(*from), which),
            Act::Written(to, bytes) => {
                self.input(Input::Written { peer: peer(*to), bytes: 64 * usize::from(*bytes) });
            }
            Act::Timeout => self.input(Input::Timeout),
            Act::Publish(letter) => self.publish(letter),
            Act::Direct(to, letter) => self.direct(peer(*to), letter),
            setting => self.set(setting),
        }
    }

    fn connect(&mut self, peer: PeerId, inbound: bool) {
        let direction = if inbound { Direction::Inbound } else { Direction::Outbound };
        self.connected.insert(peer);
        self.input(Input::Connected { peer, direction, network: Network::Alone(peer) });
    }

    fn arrive(&mut self, from: PeerId, greeting: &Greeting) {
        self.connect(from, greeting.inbound);
        let status = Status {
            min_rating: rating(greeting.min_rating),
            bloom: greeting.bloom.map(bloom),
            light: greeting.light,
            acknowledges: greeting.offers & 1 != 0,
            stems: greeting.offers & 2 != 0,
        };
        self.receive(from, code::STATUS, &status.encode());
    }

    /// Any packet. Law 5: a code that means nothing changes nothing.
    fn packet(&mut self, from: PeerId, code: u8, payload: &[u8]) {
        let unknown = !matches!(code, 0..=3 | 11 | 12 | 127)
            && (code != code::STEM || self.config.stem.is_none());
        let ready = self.node.peers().any(|known| known.peer == from && known.ready);
        if unknown && self.config.budgets.is_none() && (ready || !self.connected.contains(&from)) {
            self.settle();
            let before = self.state();
            self.receive(from, code, payload);
            assert_eq!(self.state(), before, "packet {code} changes something");
            return;
        }
        self.receive(from, code, payload);
    }

    /// Law 5: one malformed envelope spoils the packet, and the pool does not see any of it.
    fn messages(&mut self, from: PeerId, packet: &[u8]) {
        self.last_received = packet.to_vec();
        if self.dusty || packet::check_messages(packet).is_ok() {
            return self.receive(from, code::MESSAGES, packet);
        }
        self.settle();
        let before = self.pooled();
        self.receive(from, code::MESSAGES, packet);
        assert_eq!(self.pooled(), before);
        assert!(!self.connected.contains(&from), "a malformed packet was suffered");
    }

    fn dust(&mut self, from: PeerId, count: u16) {
        self.dusty |= count > 1_024;
        let letter = |nonce: u16| {
            let size = nonce % 3;
            let topic = nonce as u8;
            Letter { topic, ttl: Ttl::Short(10), ahead: 0, size, nonce: (nonce / 256) as u8 }
        };
        let letters: Vec<_> = (0..count).map(letter).collect();
        let packet = self.pack(&letters);
        self.messages(from, &packet);
    }

    /// Law 5: what is in the pool already changes nothing when it comes again.
    fn again(&mut self, from: PeerId) {
        let packet = self.last_received.clone();
        self.receive(from, code::MESSAGES, &packet);
        let ready = self.node.peers().any(|known| known.peer == from && known.ready);
        if !ready || self.dusty || self.config.budgets.is_some() || self.config.acknowledges {
            return;
        }
        self.settle();
        let (known, before) = (self.all_known(&packet), self.state());
        self.receive(from, code::MESSAGES, &packet);
        assert!(!known || self.state() == before, "a replayed packet changes something");
    }

    fn all_known(&self, packet: &[u8]) -> bool {
        let Ok(mut rest) = packet::check_messages(packet) else { return false };
        let mut known = true;
        while let Ok(envelope) = Envelope::read(&mut rest) {
            known &= self.node.pool().find(&envelope.hash()).is_some();
        }
        known
    }

    fn refuse(&mut self, from: PeerId, which: &[u8]) {
        let own: Vec<_> = self.own.iter().collect();
        let refused = which.iter().filter_map(|at| own.get(usize::from(*at) % own.len().max(1)));
        let refused: Vec<_> = refused.map(|hash| (**hash, packet::Refusal::Other)).collect();
        let packet = packet::encode_response(&keccak256(&self.last_sent), &refused);
        self.receive(from, code::MESSAGES_RESPONSE, &packet);
    }

    /// Law 5: what is refused changes nothing.
    fn publish(&mut self, letter: &Letter) {
        self.settle();
        let before = self.state();
        let envelope = self.seal(letter);
        let hash = envelope.hash();
        let outputs = match self.node.publish(self.now, envelope) {
            Ok(outputs) => outputs.collect(),
            Err(_) => return assert_eq!(self.state(), before),
        };
        self.own.insert(hash);
        self.carry_out(outputs);
    }

    fn direct(&mut self, to: PeerId, letter: &Letter) {
        self.settle();
        let before = self.state();
        let envelope = self.seal(letter);
        let outputs = match self.node.send_direct(self.now, to, &envelope) {
            Ok(outputs) => outputs.collect(),
            Err(_) => return assert_eq!(self.state(), before),
        };
        self.carry_out(outputs);
    }

    fn set(&mut self, setting: &Act) {
        let now = self.now;
        let outputs: Vec<_> = match setting {
            Act::MinRating(min) => self.node.set_min_rating(now, rating(*min)).collect(),
            Act::Bloom(topic) => self.node.set_bloom(now, topic.map(bloom)).collect(),
            Act::Light(light) => self.node.set_light(now, *light).collect(),
            Act::Busy(busy) => self.node.set_busy(now, *busy).collect(),
            Act::Trust(to, trusted) => match self.node.set_trusted(now, peer(*to), *trusted) {
                Ok(outputs) => outputs.collect(),
                Err(_) => return assert!(!self.connected.contains(&peer(*to))),
            },
            other => unreachable!("{other:?} is no setting"),
        };
        self.carry_out(outputs);
    }

    fn receive(&mut self, peer: PeerId, code: u8, payload: &[u8]) {
        self.input(Input::Received { peer, code, payload });
    }

    fn input(&mut self, input: Input<'_>) {
        let outputs: Vec<_> = self.node.handle(self.now, input).collect();
        self.carry_out(outputs);
    }

    /// Does all that is due now: expiry goes in slices.
    fn settle(&mut self) {
        (0..4).for_each(|_| self.input(Input::Timeout));
    }

    /// What a driver does, which relies on more than the types say.
    fn carry_out(&mut self, outputs: Vec<Output>) {
        for output in &outputs {
            match output {
                Output::Transmit { peer, code, payload } => {
                    assert!(self.connected.contains(peer), "packet {code} to nobody");
                    self.transmit(*code, payload);
                }
                Output::Throttle(peer, until) => {
                    assert!(self.connected.contains(peer) && *until > self.now);
                }
                Output::Disconnect(peer, _) => {
                    assert!(self.connected.remove(peer), "cut twice");
                }
                Output::Event(event) => self.tell(event),
            }
        }
        self.outputs.extend(outputs);
    }

    fn transmit(&mut self, code: u8, payload: &[u8]) {
        assert!(payload.len() <= 1024 * 1024, "{} bytes", payload.len());
        if code == code::STEM {
            assert!(packet::decode_stem(payload).is_ok_and(|envelope| envelope.is_some()));
        }
        if code == code::MESSAGES {
            assert!(packet::check_messages(payload).is_ok_and(|rest| !rest.is_empty()));
            self.last_sent = payload.to_vec();
        }
    }

    fn tell(&self, event: &Event) {
        match event {
            Event::Ready(peer) => assert!(self.connected.contains(peer)),
            Event::Direct { from, .. } => assert!(self.connected.contains(from)),
            Event::Admitted { .. } => {}
            Event::Sent { hash, .. }
            | Event::Acknowledged { hash, .. }
            | Event::Refused { hash, .. }
            | Event::Spread { hash, .. }
            | Event::Gone { hash, .. } => assert!(self.own.contains(hash), "not ours: {event:?}"),
            Event::Requested { by, .. } => assert!(self.connected.contains(by)),
            Event::Relays { peers, .. } => {
                assert!(peers.iter().flatten().all(|peer| self.connected.contains(peer)));
            }
        }
    }

    /// Laws 2 and 3, and that we know whom it knows.
    pub(crate) fn obeys(&self) {
        let due = self.node.poll_timeout();
        assert!(due.is_none_or(|due| due > self.now), "due at {due:?}, now {:?}", self.now);
        let pool = self.node.pool();
        assert!(pool.bytes() <= self.config.pool_bytes, "{} bytes", pool.bytes());
        assert!(self.node.peers().map(|peer| peer.peer).eq(self.connected.iter().copied()));
        for peer in self.node.peers() {
            assert!(peer.unwritten <= 2 * 1024 * 1024, "{peer:?}");
        }
    }

    /// Law 6.
    pub(crate) fn keeps_its_secret(&self) {
        let secret = format!("{SECRET:?}");
        let secret = secret.trim_matches(['[', ']']);
        assert!(!self.state().contains(secret));
    }

    /// All that can be seen of the node, and what its pool holds.
    pub(crate) fn state(&self) -> String {
        format!("{:?} {:?}", self.node, self.pooled())
    }

    fn pooled(&self) -> Vec<(EnvelopeHash, Rating, bool)> {
        let entries = self.node.pool().iter_best_first().map(|(_, entry)| entry);
        entries.map(|entry| (entry.envelope().hash(), entry.rating(), entry.is_sent())).collect()
    }

    fn pack(&self, letters: &[Letter]) -> Vec<u8> {
        let mut packet = Writer::new();
        packet.list(|list| letters.iter().for_each(|letter| _ = list.raw(&self.encode(letter))));
        packet.into_bytes()
    }

    fn seal(&self, letter: &Letter) -> Envelope {
        Envelope::decode(&self.encode(letter)).expect("an envelope")
    }

    /// An envelope, which a draft would not always let us make.
    fn encode(&self, letter: &Letter) -> Vec<u8> {
        let ttl = match letter.ttl {
            Ttl::Short(secs) => secs.into(),
            Ttl::Long(secs) => 3 * u32::from(secs),
            Ttl::Any(secs) => secs,
        };
        let now = self.now.as_secs();
        let expiry = now.saturating_add(ttl.into()).saturating_add_signed(letter.ahead.into());
        let size = usize::from(letter.size % 5_000);
        let mut writer = Writer::new();
        writer.list(|list| {
            list.uint(expiry.min(u32::MAX.into())).uint(ttl.into());
            list.bytes(&[letter.topic, letter.topic / 2, 3, letter.topic % 8]);
            list.bytes(&vec![letter.nonce; size]).uint(letter.nonce.into());
        });
        writer.into_bytes()
    }
}

fn config(setting: &Setting) -> Config {
    let few = Budget { per_second: 5, burst: 10 };
    let bytes = Budget { per_second: 2_000, burst: 10_000 };
    let budgets = Budgets { bytes, envelopes: few, control: few };
    Config {
        min_rating: rating(1),
        light: setting.light,
        refuse_light_pairs: setting.refuse_light_pairs,
        acknowledges: setting.acknowledges,
        pool_bytes: if setting.more & 1 != 0 { 256 * 1024 } else { 8 * 1024 },
        stem: (setting.more & 2 != 0).then(Stem::default),
        budgets: setting.budgets.then_some(budgets),
        ..Config::default()
    }
}

fn peer(number: u8) -> PeerId {
    PeerId::new((number % 4).into())
}

/// From 0 upwards, most of it where envelopes of little work lie.
fn rating(value: u16) -> Rating {
    Rating::new(1e-9 * f64::from(value).powi(2)).expect("a rating")
}

fn bloom(topic: u8) -> Bloom {
    Bloom::of(Topic::new([topic, topic / 2, 3, topic % 8]))
}

const START: u64 = 1_600_000_000;
const SECRET: [u8; 32] = *b"what keeps the pool's index safe";
