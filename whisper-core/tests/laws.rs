//! The laws of the node: whatever is put in, in whatever order.

use std::sync::Arc;
use std::sync::LazyLock;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use whisper_core::envelope::Envelope;
use whisper_core::node::Budget;
use whisper_core::node::Budgets;
use whisper_core::node::Config;
use whisper_core::node::Direction;
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

const START: u64 = 1_600_000_000;
const NOW: Timestamp = Timestamp::from_secs(START);
const PEERS: u64 = 4;
const POOL: usize = 16 * 1024;
const STOCKED: usize = 70;

/// Good ones of all sizes and times, and in every third place a bad one.
static STOCK: LazyLock<Vec<Envelope>> = LazyLock::new(|| {
    let good = [10, 50, 300, 86_400, 172_800];
    let bad = [0, 1, 172_801, u64::from(u32::MAX)];
    let stock = (0..STOCKED).map(|number| {
        let (ttl, ahead) = match number % 3 {
            0 => (bad[number % bad.len()], number as u64 % 40),
            _ => (good[number % good.len()], number as u64 % 6),
        };
        let expiry = START + ahead + ttl.min(172_900);
        envelope(expiry, ttl, number as u8, 40 * number)
    });
    stock.collect()
});

fn envelope(expiry: u64, ttl: u64, number: u8, length: usize) -> Envelope {
    let mut writer = Writer::new();
    writer.list(|list| {
        list.uint(expiry).uint(ttl).bytes(&[number, number / 2, 3, number % 8]);
        list.bytes(&vec![number; length]).uint(number.into());
    });
    Envelope::decode(writer.as_bytes()).expect("an envelope")
}

/// Those that a node takes at the start.
fn good() -> impl Iterator<Item = Envelope> {
    (0..20).map(|number| envelope(START + 50, 50, number, 30 * usize::from(number)))
}

#[derive(Clone, Debug)]
enum Act {
    Connect(u64, bool),
    /// Whether it dialled us, relays, acknowledges and takes stems.
    Arrive(u64, [bool; 4]),
    Disconnect(u64),
    Packet(u64, u8, Vec<u8>),
    Messages(u64, Vec<usize>),
    Stem(u64, usize),
    RedrawRelays,
    Torn(u64, Vec<usize>, prop::sample::Index),
    Acknowledge(u64),
    Written(u64, usize),
    Timeout,
    Publish(usize),
    Direct(u64, usize),
    MinRating(f64),
    Bloom(Option<u8>),
    Light(bool),
    Trust(u64, bool),
    Busy(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let peer = || 0..PEERS;
    let one = || 0..STOCKED;
    let some = || vec(0..STOCKED, 0..12);
    let known = prop::sample::select(vec![0, 1, 2, 3, 11, 12, 20, 40, 123, 125, 126, 127]);
    let garbage = vec(any::<u8>(), 0..80);
    let bloom = prop_oneof![3 => Just(None), 1 => any::<u8>().prop_map(Some)];
    let place = any::<prop::sample::Index>();
    prop_oneof![
        1 => (peer(), any::<bool>()).prop_map(|(peer, inbound)| Act::Connect(peer, inbound)),
        8 => (peer(), any::<[bool; 4]>()).prop_map(|(peer, how)| Act::Arrive(peer, how)),
        1 => peer().prop_map(Act::Disconnect),
        1 => (peer(), known, garbage).prop_map(|(peer, code, payload)| Act::Packet(peer, code, payload)),
        12 => (peer(), some()).prop_map(|(peer, which)| Act::Messages(peer, which)),
        8 => (peer(), one()).prop_map(|(peer, which)| Act::Stem(peer, which)),
        1 => Just(Act::RedrawRelays),
        1 => (peer(), some(), place).prop_map(|(peer, which, at)| Act::Torn(peer, which, at)),
        4 => peer().prop_map(Act::Acknowledge),
        4 => (peer(), 0..10_000_usize).prop_map(|(peer, bytes)| Act::Written(peer, bytes)),
        2 => Just(Act::Timeout),
        8 => one().prop_map(Act::Publish),
        2 => (peer(), one()).prop_map(|(peer, which)| Act::Direct(peer, which)),
        1 => (0.0..1e-5_f64).prop_map(Act::MinRating),
        1 => bloom.prop_map(Act::Bloom),
        1 => any::<bool>().prop_map(Act::Light),
        1 => (peer(), any::<bool>()).prop_map(|(peer, trusted)| Act::Trust(peer, trusted)),
        1 => any::<bool>().prop_map(Act::Busy),
    ]
}

/// Acts, each with the milliseconds that pass before it; now and then the clock is set back.
fn story() -> impl Strategy<Value = Vec<(i64, Act)>> {
    let delay = prop_oneof![40 => 0..50_i64, 8 => 0..2_000_i64, 1 => -20_000..60_000_i64];
    vec((delay, act()), 1..120)
}

/// A node in the middle of its life, and all that it has asked for.
struct Life {
    node: Node,
    now: Timestamp,
    outputs: Vec<Output>,
    last_sent: Vec<u8>,
}

impl Life {
    fn new(config: Config) -> Self {
        let node = Node::new(config, [7; 32]);
        Self { node, now: NOW, outputs: Vec::new(), last_sent: Vec::new() }
    }

    fn of(config: Config, story: &[(i64, Act)]) -> Self {
        let mut life = Self::new(config);
        for (delay, act) in story {
            let now = life.now.as_millis().saturating_add_signed(*delay);
            life.now = Timestamp::from_millis(now);
            life.act(act);
            life.obeys();
        }
        life
    }

    fn act(&mut self, act: &Act) {
        let now = self.now;
        let peer = PeerId::new;
        match act {
            Act::Connect(to, inbound) => {
                let direction = if *inbound { Direction::Inbound } else { Direction::Outbound };
                self.input(Input::Connected {
                    peer: peer(*to),
                    direction,
                    network: Network::Alone(peer(*to)),
                });
            }
            Act::Disconnect(to) => self.input(Input::Disconnected(peer(*to))),
            Act::Arrive(from, how) => self.arrive(*from, *how),
            Act::Stem(from, which) => self.receive(*from, code::STEM, &messages(&[*which])),
            Act::Packet(from, code, payload) => self.receive(*from, *code, payload),
            Act::Messages(from, which) => self.receive(*from, code::MESSAGES, &messages(which)),
            Act::Torn(from, which, at) => {
                let whole = messages(which);
                self.receive(*from, code::MESSAGES, &whole[..at.index(whole.len())]);
            }
            Act::Acknowledge(from) => {
                let batch = whisper_core::hash::keccak256(&self.last_sent);
                let packet = packet::encode_acknowledgement(&batch);
                self.receive(*from, code::BATCH_ACKNOWLEDGED, &packet);
            }
            Act::Written(to, bytes) => {
                self.input(Input::Written { peer: peer(*to), bytes: *bytes });
            }
            Act::Timeout => self.input(Input::Timeout),
            Act::Publish(which) => {
                let done = self.node.publish(now, STOCK[*which].clone()).map(Vec::from_iter);
                self.keep(done.unwrap_or_default());
            }
            Act::Direct(to, which) => {
                let sent = self.node.send_direct(now, peer(*to), &STOCK[*which]);
                let sent = sent.map(Vec::from_iter).unwrap_or_default();
                self.keep(sent);
            }
            setting => self.set(setting),
        }
    }

    /// A peer connects and says who it is, unless it has.
    fn arrive(&mut self, from: u64, [inbound, light, acknowledges, stems]: [bool; 4]) {
        let peer = PeerId::new(from);
        self.input(Input::Connected {
            peer,
            direction: if inbound { Direction::Inbound } else { Direction::Outbound },
            network: Network::Alone(peer),
        });
        if !self.node.peers().any(|known| known.peer == peer && known.ready) {
            let status = Status { stems, ..status(light, acknowledges) };
            self.receive(from, code::STATUS, &status.encode());
        }
    }

    fn set(&mut self, setting: &Act) {
        let now = self.now;
        let outputs = match setting {
            Act::MinRating(min) => self.node.set_min_rating(now, rating(*min)).collect(),
            Act::Bloom(topic) => {
                let bloom =
                    topic.map(|topic| Bloom::of(Topic::new([topic, topic / 2, 3, topic % 8])));
                self.node.set_bloom(now, bloom).collect()
            }
            Act::Light(light) => self.node.set_light(now, *light).collect(),
            Act::RedrawRelays => self.node.redraw_relays(now).collect(),
            Act::Busy(busy) => self.node.set_busy(now, *busy).collect(),
            Act::Trust(peer, trusted) => {
                let done = self.node.set_trusted(now, PeerId::new(*peer), *trusted);
                done.map(Vec::from_iter).unwrap_or_default()
            }
            other => panic!("{other:?} is no setting"),
        };
        self.keep(outputs);
    }

    fn receive(&mut self, from: u64, code: u8, payload: &[u8]) {
        self.input(Input::Received { peer: PeerId::new(from), code, payload });
    }

    fn input(&mut self, input: Input<'_>) {
        let outputs: Vec<_> = self.node.handle(self.now, input).collect();
        self.keep(outputs);
    }

    fn keep(&mut self, outputs: Vec<Output>) {
        for output in &outputs {
            if let Output::Transmit { code: code::MESSAGES, payload, .. } = output {
                self.last_sent.clone_from(payload);
            }
        }
        self.outputs.extend(outputs);
    }

    /// What holds after every step.
    fn obeys(&self) {
        let due = self.node.poll_timeout();
        assert!(due.is_none_or(|due| due > self.now), "due at {due:?}, now {:?}", self.now);
        assert!(self.node.pool().bytes() <= POOL, "{} bytes", self.node.pool().bytes());
        assert!(self.node.peers().count() as u64 <= PEERS);
        for peer in self.node.peers() {
            assert!(peer.unwritten <= 2 * 1024 * 1024, "{peer:?}");
        }
    }

    /// All that can be seen of the node, and what its pool holds.
    fn state(&self) -> String {
        let pooled = self.node.pool().iter_best_first();
        let pooled: Vec<_> = pooled
            .map(|(slot, entry)| (slot, entry.envelope().hash(), format!("{entry:?}")))
            .collect();
        format!("{:?} {pooled:?}", self.node)
    }
}

fn config(acknowledges: bool) -> Config {
    Config {
        min_rating: rating(1e-9),
        pool_bytes: POOL,
        acknowledges,
        budgets: None,
        ..Config::default()
    }
}

fn status(light: bool, acknowledges: bool) -> Status {
    Status { min_rating: Rating::ZERO, bloom: None, light, acknowledges, stems: false }
}

fn stemming() -> Config {
    // Short enough for relays to be drawn anew in a story.
    let period = Duration::from_secs(60);
    Config { stem: Some(Stem { period, ..Stem::default() }), ..config(true) }
}

fn rating(value: f64) -> Rating {
    Rating::new(value).expect("a rating")
}

fn messages(which: &[usize]) -> Vec<u8> {
    let envelopes: Vec<_> = which.iter().map(|at| Arc::new(STOCK[*at].clone())).collect();
    packet::encode_messages(&envelopes)
}

fn budgeted() -> Config {
    let few = Budget { per_second: 5, burst: 10 };
    let bytes = Budget { per_second: 2_000, burst: 10_000 };
    Config { budgets: Some(Budgets { bytes, envelopes: few, control: few }), ..config(true) }
}

/// Whether a node that only waits is done in the end, and never asks to be called at once.
fn comes_to_rest(life: &mut Life) -> Result<bool, TestCaseError> {
    let mut last = life.now;
    for _ in 0..4_000 {
        let Some(due) = life.node.poll_timeout() else { return Ok(true) };
        prop_assert!(due > last);
        last = due;
        life.now = due;
        life.input(Input::Timeout);
    }
    Ok(false)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Also: *ahead*, *bounded* and *quiet*, which are looked at after each step.
    #[test]
    fn repeatable_the_same_story_ends_in_the_same_state(story in story()) {
        let (one, other) = (Life::of(budgeted(), &story), Life::of(budgeted(), &story));
        prop_assert_eq!(&one.outputs, &other.outputs);
        prop_assert_eq!(one.state(), other.state());
        let (one, other) = (Life::of(stemming(), &story), Life::of(stemming(), &story));
        prop_assert_eq!(&one.outputs, &other.outputs);
        prop_assert_eq!(one.state(), other.state());
    }

    #[test]
    fn ahead_a_driver_that_only_waits_comes_to_rest(story in story()) {
        for config in [config(true), stemming()] {
            let mut life = Life::of(config, &story);
            // Relays are drawn anew as long as there are any.
            (0..PEERS).for_each(|peer| life.act(&Act::Disconnect(peer)));
            prop_assert!(comes_to_rest(&mut life)?, "waits for {:?}", life.node.poll_timeout());
        }
    }

    #[test]
    fn commit_on_success_a_torn_packet_costs_the_peer_and_changes_nothing_else(
        story in story(), which in vec(0..STOCKED, 1..12), at: prop::sample::Index,
    ) {
        // The same life twice, since a node cannot be copied.
        let (mut life, mut twin) = (Life::of(config(false), &story), Life::of(config(false), &story));
        let whole = messages(&which);
        for life in [&mut life, &mut twin] {
            life.act(&Act::Disconnect(9));
            life.arrive(9, [true, false, false, false]);
        }
        let ready = life.node.peers().any(|peer| peer.peer == PeerId::new(9));
        life.receive(9, code::MESSAGES, &whole[..at.index(whole.len())]);
        twin.act(&Act::Disconnect(9));
        let cut = life.outputs.iter().any(|output| {
            matches!(output, Output::Disconnect(peer, _) if *peer == PeerId::new(9))
        });
        prop_assert!(cut || !ready);
        prop_assert_eq!(life.state(), twin.state());
    }

    #[test]
    fn commit_on_success_a_replayed_packet_changes_nothing(pick in vec(any::<bool>(), 20)) {
        let mut life = Life::new(config(false));
        life.arrive(1, [true, false, false, false]);
        let chosen = good().zip(pick).filter(|(_, chosen)| *chosen);
        let envelopes: Vec<_> = chosen.map(|(envelope, _)| Arc::new(envelope)).collect();
        let packet = packet::encode_messages(&envelopes);
        life.receive(1, code::MESSAGES, &packet);
        prop_assert_eq!(life.node.pool().len(), envelopes.len());
        let (state, outputs) = (life.state(), life.outputs.len());
        life.receive(1, code::MESSAGES, &packet);
        prop_assert_eq!(life.state(), state);
        prop_assert_eq!(life.outputs.len(), outputs);
    }

    #[test]
    fn commit_on_success_what_is_ignored_or_refused_changes_nothing(
        story in story(), payload in vec(any::<u8>(), 0..60), code in 4_u8..=127, which in 0..STOCKED,
    ) {
        let mut life = Life::of(config(false), &story);
        life.act(&Act::Disconnect(9));
        life.arrive(9, [true, false, false, false]);
        let state = life.state();
        life.receive(9, code, &payload);
        prop_assert_eq!(&life.state(), &state);
        if life.node.publish(life.now, STOCK[which].clone()).is_err() {
            prop_assert_eq!(&life.state(), &state);
        }
    }
}

#[test]
fn bounded_a_flood_of_every_kind_leaves_no_more_than_a_little_flood() {
    for config in [config(true), stemming()] {
        flood(config);
    }
}

fn flood(config: Config) {
    let mut life = Life::new(config);
    let mut most = [0, 0];
    for round in 0..2_000_u32 {
        let peer = u64::from(round) % PEERS;
        life.now = life.now.saturating_add(Duration::from_millis(20));
        life.arrive(peer, [peer.is_multiple_of(2), false, true, true]);
        let number = round as usize;
        life.act(&Act::Publish(number % STOCKED));
        let now = life.now.as_secs();
        let fresh = envelope(now + 50, 50, round as u8, number % 900);
        life.receive(peer, code::MESSAGES, &packet::encode_messages(&[Arc::new(fresh)]));
        let passed = envelope(now + 60, 60, round as u8, number % 300);
        life.receive(peer, code::STEM, &packet::encode_messages(&[Arc::new(passed)]));
        life.receive(peer, code::BATCH_ACKNOWLEDGED, &[&[0xa0], &[round as u8; 32][..]].concat());
        life.receive(peer, code::MESSAGES_RESPONSE, &round.to_be_bytes());
        life.receive(
            peer,
            code::BLOOM,
            &packet::encode_bloom(&Bloom::from_bytes([round as u8; 64])),
        );
        life.receive(peer, code::DIRECT, &[0xc0; 200]);
        life.set(&Act::MinRating(1e-7 * f64::from(round % 7)));
        life.act(&Act::Written(peer, usize::MAX));
        life.outputs.clear();
        life.obeys();
        let half = usize::from(round >= 1_000);
        most[half] = most[half].max(format!("{:?}", life.node).len());
    }
    assert!(most[1] <= most[0] + most[0] / 4, "{most:?}");
}
