//! Loss, reorder and duplicates, across turns of the ratchet and rounds of the KEM.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::format;

use super::side::Packet;
use super::side::pair;
use super::side::talking;
use super::*;

/// A network between two who talk.
struct Weather {
    /// Of 100 envelopes, so many are lost; so many come twice.
    loss: u32,
    twice: u32,
    /// How long an envelope takes at most, in seconds.
    delay: u64,
    /// How long each waits between two messages, at most, in seconds.
    pause: u64,
    stored: bool,
}

/// What came of it.
#[derive(Debug, Default)]
struct Record {
    sent: usize,
    arrived: usize,
    opened: usize,
    rounds: u32,
}

struct World {
    sides: [Side; 2],
    /// By time of arrival: the recipient, and the packet.
    wire: BTreeMap<(u64, usize), (usize, Packet)>,
    /// What came and opened nothing yet.
    pool: [Vec<Packet>; 2],
    texts: BTreeMap<MessageName, Vec<u8>>,
    opened: BTreeSet<MessageName>,
    record: Record,
    rng: ChaCha20Rng,
}

impl World {
    fn run(seed: u64, messages: usize, weather: &Weather) -> Record {
        let mut world = Self {
            sides: pair(seed),
            wire: BTreeMap::new(),
            pool: [Vec::new(), Vec::new()],
            texts: BTreeMap::new(),
            opened: BTreeSet::new(),
            record: Record::default(),
            rng: rng(seed),
        };
        if weather.stored {
            world.sides.iter_mut().for_each(Side::stores);
        }
        let mut due = [0, 1];
        while world.record.sent < messages {
            let who = usize::from(due[1] < due[0]);
            let second = due[who];
            world.arrive(second);
            due[who] = second + 1 + world.below(weather.pause);
            if world.sides[who].session.can_seal() {
                world.say(second, who, weather);
            }
        }
        world.arrive(u64::MAX);
        world.record.rounds = world.sides[0].session.rounds().mixed;
        world.record
    }

    fn say(&mut self, second: u64, who: usize, weather: &Weather) {
        let number = self.record.sent;
        let text = format!("message {number}").into_bytes();
        let packet = self.sides[who].say(after(second), &text);
        assert!(self.texts.insert(packet.name, text).is_none(), "a name came twice");
        self.record.sent += 1;
        for copy in 0..=usize::from(self.below(100) < u64::from(weather.twice)) {
            if self.below(100) >= u64::from(weather.loss) {
                let at = second + self.below(weather.delay);
                self.wire.insert((at, 2 * number + copy), (1 - who, packet.clone()));
            }
        }
    }

    fn arrive(&mut self, second: u64) {
        while let Some(entry) = self.wire.first_entry().filter(|entry| entry.key().0 <= second) {
            let now = after(entry.key().0);
            let (to, packet) = entry.remove();
            if !self.opened.contains(&packet.name) {
                self.record.arrived +=
                    usize::from(!self.pool[to].iter().any(|held| held.name == packet.name));
            }
            self.take(now, to, packet);
        }
    }

    /// Opens a packet, and what of the pool opens then.
    fn take(&mut self, now: Timestamp, to: usize, packet: Packet) {
        if !self.open(now, to, &packet) {
            return self.pool[to].push(packet);
        }
        let mut moved = true;
        while moved {
            moved = false;
            for packet in core::mem::take(&mut self.pool[to]) {
                match self.open(now, to, &packet) {
                    true => moved = true,
                    false => self.pool[to].push(packet),
                }
            }
        }
    }

    /// Whether a packet is done with.
    fn open(&mut self, now: Timestamp, to: usize, packet: &Packet) -> bool {
        let known = self.opened.contains(&packet.name);
        let before = self.sides[to].session.clone();
        match self.sides[to].hear(now, packet) {
            Ok(text) => {
                assert!(!known, "a duplicate was accepted");
                assert_eq!(text, self.texts[&packet.name]);
                self.opened.insert(packet.name);
                self.record.opened += 1;
                true
            }
            Err(why) => {
                assert!(before == self.sides[to].session, "{why:?} moved the session");
                if known {
                    let again = OpenFailure::KeyGone { name: packet.name };
                    assert!([again, OpenFailure::NotOurs].contains(&why), "{why:?}");
                }
                known
            }
        }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.rng.next_u64() % end
    }
}

fn weathers(stored: bool) -> impl Iterator<Item = Weather> {
    let all = [(0, 0, 1), (10, 20, 60), (30, 50, 400), (60, 20, 400), (80, 50, 400)];
    all.map(|(loss, twice, delay)| Weather { loss, twice, delay, pause: 30, stored }).into_iter()
}

fn holds(seed: u64, messages: usize, weather: &Weather) {
    let record = World::run(seed, messages, weather);
    assert_eq!(record.opened, record.arrived, "seed {seed}, loss {}: {record:?}", weather.loss);
    assert!(
        record.rounds as usize > messages / 150,
        "seed {seed}, loss {}: {record:?}",
        weather.loss
    );
}

#[test]
fn e5_e22_what_arrives_within_400_seconds_opens_once_whatever_is_lost() {
    for weather in weathers(false) {
        for seed in 0..2 {
            holds(seed, 1_000, &weather);
        }
    }
}

#[test]
#[ignore = "takes minutes"]
fn e5_e22_what_arrives_opens_once_in_a_million_messages() {
    for weather in weathers(false) {
        for seed in 0..20 {
            holds(seed, 10_000, &weather);
        }
    }
}

#[test]
fn e5_a_session_that_is_restored_from_its_record_after_every_step_is_the_same() {
    for weather in weathers(true) {
        holds(7, 150, &weather);
    }
}

#[test]
fn e5_messages_that_come_newest_first_or_shuffled_all_open() {
    let [mut alice, mut bob] = talking(1);
    let mut packets: Vec<_> = (0..100_u8).map(|n| (n, alice.say(NOW, &[n]))).collect();
    packets.reverse();
    all_open(&mut bob, NOW, packets);
    let mut packets: Vec<_> = (0..=255_u8).map(|n| (n, alice.say(after(60), &[n]))).collect();
    for at in (1..packets.len()).rev() {
        packets.swap(at, (alice.rng.next_u64() % (at as u64 + 1)) as usize);
    }
    all_open(&mut bob, after(60), packets);
}

#[test]
fn e5_all_of_500_messages_open_after_33_or_158_were_lost() {
    for lost in [33, 158] {
        let [mut alice, mut bob] = talking(2);
        // Another hour: nothing of it was opened yet.
        let now = after(3_600);
        (0..lost).for_each(|_| _ = alice.say(now, b"lost"));
        for n in 0..500_u16 {
            let packet = alice.say(now, &n.to_be_bytes());
            assert_eq!(bob.hear(now, &packet).unwrap(), n.to_be_bytes(), "{lost}: {n}");
        }
    }
}

/// Looks again at what did not open, after each that does.
fn all_open(side: &mut Side, now: Timestamp, mut packets: Vec<(u8, Packet)>) {
    while !packets.is_empty() {
        let left = packets.len();
        packets.retain(|(n, packet)| match side.hear(now, packet) {
            Ok(text) => {
                assert_eq!(text, [*n]);
                false
            }
            Err(why) => {
                assert_eq!(why, OpenFailure::NotOurs);
                true
            }
        });
        assert!(packets.len() < left, "{left} are left");
    }
}

#[test]
fn e17_e32_a_clock_that_steps_repeats_no_place_and_stops_nobody() {
    let [mut alice, mut bob] = talking(3);
    let mut places = BTreeSet::new();
    let year = 365 * 86_400;
    for seconds in [0, 60, year, year + 5, 10, 20, 26 * 3_600, 30, 40, 3_600, 3_610, 50] {
        for _ in 0..5 {
            let packet = alice.say(after(seconds), b"tick");
            assert!(places.insert(packet.topic), "{seconds}");
            // Who has the right time hears what is said at it.
            if seconds < 100 {
                assert_eq!(bob.hear(after(seconds), &packet).unwrap(), b"tick");
            }
        }
    }
    let mut session = alice.session.clone();
    let sealed = session.seal(after(7 * 86_400), &app(NOW, b""), &mut alice.rng).unwrap();
    assert!(!sealed.set_back);
    let sealed = session.seal(after(60), &app(NOW, b""), &mut alice.rng).unwrap();
    assert!(sealed.set_back);
}

#[test]
fn an_idle_key_is_watched_for_under_541_topics() {
    let [alice, bob] = pair(4);
    // One key each: that of the peer's first chain.
    assert_eq!([alice.watched(), bob.watched()], [541, 541]);
    let [alice, bob] = talking(4);
    // The chain that began, and the next one.
    assert_eq!([alice.watched(), bob.watched()], [2 * 541, 2 * 541]);
}
