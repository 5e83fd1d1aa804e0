//! Two parties, their hosts and users, and a network that loses, delays and repeats.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::CryptoRng;
use chacha20::rand_core::Rng;
use chacha20::rand_core::SeedableRng;
use whisper_core::identity::PublicKey;
use whisper_core::session::MessageName;
use whisper_core::session::RecordKey;
use whisper_core::session::SessionId;
use whisper_core::session::dialogue::*;
use whisper_core::time::Timestamp;

use crate::ratchet::Failure;
use crate::ratchet::Letter;
use crate::ratchet::Packet;
use crate::ratchet::Ratchet;

pub(crate) const START: Timestamp = Timestamp::from_secs(1_750_000_000);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// A key for the names of records: that of the private key 1.
pub(crate) const PEER: [u8; 33] = [
    2, 0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0, 0x62, 0x95, 0xce, 0x87, 0x0b,
    0x07, 0x02, 0x9b, 0xfc, 0xdb, 0x2d, 0xce, 0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16, 0xf8, 0x17,
    0x98,
];

/// What a party keeps on its disk.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) dialogue: Dialogue,
    pub(crate) ratchets: BTreeMap<SessionId, Ratchet>,
    /// Our prekeys: number and when it was made, the newest last.
    pub(crate) prekeys: Vec<(u32, Timestamp)>,
    pub(crate) one_time: Option<u32>,
    /// The peer's card: prekey, one-time key, when it was made.
    pub(crate) card: Option<(u32, Option<u32>, Timestamp)>,
    seen: BTreeSet<SessionId>,
    tombstones: Tombstones,
}

pub(crate) struct Party {
    pub(crate) store: Store,
    pub(crate) rng: ChaCha20Rng,
    /// When the user answers an invitation, scans a card, when the host publishes the card.
    tasks: Vec<(Timestamp, Task)>,
    pub(crate) events: Vec<DialogueEvent>,
    pub(crate) forks: usize,
    published_at: Option<Timestamp>,
    /// Whether each step is stored and restored.
    pub(crate) checks_storage: bool,
    records: BTreeMap<RecordKey, Vec<u8>>,
    peer: PublicKey,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Task {
    Accept,
    Publish,
    Scan,
}

#[derive(Clone, Debug)]
pub(crate) enum Mail {
    Packet(Packet),
    Letter(Letter),
    Card((u32, Option<u32>, Timestamp)),
}

pub(crate) struct Wire<'a> {
    ratchets: &'a mut BTreeMap<SessionId, Ratchet>,
    tombstones: &'a mut Tombstones,
    card: Option<(u32, Option<u32>, Timestamp)>,
    own: Option<(u32, Timestamp)>,
    out: &'a mut Vec<Mail>,
    now: Timestamp,
}

impl Carrier for Wire<'_> {
    fn seal(
        &mut self,
        now: Timestamp,
        session: SessionId,
        content: &Content,
        rng: &mut impl CryptoRng,
    ) -> Result<MessageName, SealFailure> {
        let ratchet = self.ratchets.get_mut(&session).expect("a session that was not wiped");
        let (packet, name) = ratchet.seal(now, content, self.own, rng)?;
        self.out.push(Mail::Packet(packet));
        Ok(name)
    }

    fn invite(
        &mut self,
        now: Timestamp,
        content: &Content,
        one_time: bool,
        rng: &mut impl CryptoRng,
    ) -> Result<Invited, InviteFailure> {
        let (card, once, made) = self.card.ok_or(InviteFailure::NoCard)?;
        if now.saturating_since(made) > 14 * DAY {
            return Err(InviteFailure::CardExpired);
        }
        let once = once.filter(|_| one_time);
        let (letter, ratchet) = Letter::draw(now, card, once, content, rng);
        let Letter { session, created_at, name, .. } = letter;
        self.out.push(Mail::Letter(letter));
        self.ratchets.insert(session, ratchet);
        Ok(Invited { session, created_at, name })
    }

    fn retire(&mut self, _: SessionId, _: Place) {}

    fn wipe(&mut self, session: SessionId) {
        self.ratchets.remove(&session);
        self.tombstones.insert(self.now, &session);
    }
}

impl Party {
    pub(crate) fn new(seed: u64, now: Timestamp) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut store = Store {
            dialogue: Dialogue::new(),
            ratchets: BTreeMap::new(),
            prekeys: Vec::new(),
            one_time: None,
            card: None,
            seen: BTreeSet::new(),
            tombstones: Tombstones::default(),
        };
        store.rotate(now, &mut rng);
        store.one_time = Some(rng.next_u32());
        let tasks = Vec::new();
        let peer = PublicKey::from_compressed(&PEER).expect("a point");
        Self {
            store,
            rng,
            tasks,
            events: Vec::new(),
            forks: 0,
            published_at: None,
            checks_storage: false,
            records: BTreeMap::new(),
            peer,
        }
    }

    /// Our card as others get it by hand.
    pub(crate) fn card(&self) -> (u32, Option<u32>, Timestamp) {
        let (card, made) = *self.store.prekeys.last().expect("a prekey");
        (card, self.store.one_time, made)
    }

    /// Takes a step, commits it, and gives what goes out. A user accepts and scans within hours.
    pub(crate) fn step(
        &mut self,
        now: Timestamp,
        act: impl FnOnce(&mut Dialogue, &mut Wire<'_>, &mut ChaCha20Rng) -> Vec<DialogueEvent>,
    ) -> Vec<Mail> {
        let mut out = Vec::new();
        let Store { dialogue, ratchets, card, tombstones, prekeys, .. } = &mut self.store;
        let (card, own) = (*card, prekeys.last().copied());
        let mut wire = Wire { ratchets, tombstones, card, own, out: &mut out, now };
        let before = self.checks_storage.then(|| dialogue.clone());
        let events = act(dialogue, &mut wire, &mut self.rng);
        if let Some(before) = before {
            self.store_step(&before);
        }
        for event in events {
            match event {
                DialogueEvent::Invited(_) => self.plan(now, Task::Accept, 2 * HOUR),
                DialogueEvent::Waiting(Obstacle::Card { .. }) => self.plan(now, Task::Scan, DAY),
                _ => (),
            }
            self.events.push(event);
        }
        out
    }

    /// Writes what the step has changed, and reads all that is stored.
    fn store_step(&mut self, before: &Dialogue) {
        let dialogue = &self.store.dialogue;
        let before = (!self.records.is_empty()).then_some(before);
        for record in dialogue.records(&self.peer, before) {
            match record.state() {
                Some(state) => _ = self.records.insert(record.key(), state.to_vec()),
                None => assert!(self.records.remove(&record.key()).is_some(), "what is stored"),
            }
        }
        let restored = Dialogue::restore(self.records.values()).expect("what was stored");
        assert_eq!(&restored, dialogue);
    }

    pub(crate) fn say(&mut self, now: Timestamp, text: u32) -> Vec<Mail> {
        self.step(now, |dialogue, wire, rng| {
            dialogue.send(now, &text.to_be_bytes(), wire, rng).expect("room").1
        })
    }

    fn plan(&mut self, now: Timestamp, task: Task, within: Duration) {
        if !self.tasks.iter().any(|(_, planned)| *planned == task) {
            let delay = self.rng.next_u64()
                % u64::try_from(within.as_millis()).expect("a number that fits");
            self.tasks.push((now.saturating_add(Duration::from_millis(delay)), task));
        }
    }

    /// Takes what comes.
    pub(crate) fn take(&mut self, now: Timestamp, mail: &Mail) -> Vec<Mail> {
        match mail {
            Mail::Packet(packet) => self.take_packet(now, packet),
            Mail::Letter(letter) => self.take_letter(now, letter),
            Mail::Card(card) => self.take_card(now, *card),
        }
    }

    fn take_packet(&mut self, now: Timestamp, packet: &Packet) -> Vec<Mail> {
        for ratchet in self.store.ratchets.values() {
            let (next, opened) = match ratchet.open(packet) {
                Ok(opened) => opened,
                Err(Failure::NotOurs) => continue,
                Err(Failure::KeyGone(name)) if self.store.dialogue.knows(&name) => continue,
                Err(Failure::KeyGone(_) | Failure::Forked) => {
                    self.forks += usize::from(self.store.dialogue.forked(now).is_some());
                    continue;
                }
            };
            self.store.ratchets.insert(next.id, next);
            let card = packet.card();
            let mut out = self.step(now, |dialogue, wire, rng| {
                dialogue.opened(now, opened, wire, rng).expect("randomness")
            });
            out.extend(card.into_iter().flat_map(|card| self.take_card(now, card)));
            return out;
        }
        Vec::new()
    }

    fn take_letter(&mut self, now: Timestamp, letter: &Letter) -> Vec<Mail> {
        let live = self.store.prekeys.iter().any(|(card, _)| *card == letter.card);
        if !live {
            // StaleCard: the host publishes the card again, once an hour at most.
            if self.published_at.is_none_or(|at| now.saturating_since(at) >= HOUR) {
                self.published_at = Some(now);
                self.plan(now, Task::Publish, HOUR);
            }
            return Vec::new();
        }
        let Letter { session, created_at, card, .. } = *letter;
        let early = now.saturating_add(Duration::from_secs(600)) < created_at;
        let late = now.saturating_since(created_at) > 21 * DAY;
        let one_time = letter.one_time.is_none_or(|number| self.store.one_time == Some(number));
        let over = self.store.tombstones.contains(&session);
        if early || late || !one_time || over || !self.store.seen.insert(session) {
            return Vec::new();
        }
        if letter.one_time.is_some() {
            self.store.one_time = None;
        }
        self.store.ratchets.insert(session, letter.accept());
        let heard = Heard {
            name: letter.name,
            place: Place::default(),
            sent_at: created_at,
            content: Some(letter.content.clone()),
        };
        let arrived = Arrived { session, created_at, card, changed: false, heard };
        self.step(now, |dialogue, wire, rng| {
            dialogue.invited(now, arrived, wire, rng).expect("randomness")
        })
    }

    fn take_card(&mut self, now: Timestamp, card: (u32, Option<u32>, Timestamp)) -> Vec<Mail> {
        if self.store.card.is_some_and(|known| known.2 >= card.2) {
            return Vec::new();
        }
        self.store.card = Some(card);
        self.step(now, |dialogue, wire, rng| {
            dialogue.card_came(now, wire, rng).expect("randomness")
        })
    }

    /// Does what is due of the dialogue, the user and the host. `scanned` is the peer's card.
    pub(crate) fn tick(
        &mut self,
        now: Timestamp,
        scanned: (u32, Option<u32>, Timestamp),
    ) -> Vec<Mail> {
        let mut out = Vec::new();
        let due: Vec<_> = self.tasks.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, task) in due {
            out.extend(match task {
                // Somebody else may have answered it: what waited can have been evicted.
                Task::Accept => self.step(now, |dialogue, wire, rng| {
                    dialogue.accept(now, wire, rng).unwrap_or_default()
                }),
                Task::Publish => vec![Mail::Card(self.public_card())],
                Task::Scan => self.take_card(now, scanned),
            });
        }
        if self.store.rotate(now, &mut self.rng) {
            let (card, _) = *self.store.prekeys.last().expect("a prekey");
            self.store.dialogue.card_renewed(now, card, &mut self.rng);
        }
        out.extend(self.step(now, |dialogue, wire, rng| {
            dialogue.tick(now, true, wire, rng).expect("randomness")
        }));
        out
    }

    fn public_card(&self) -> (u32, Option<u32>, Timestamp) {
        let (card, made) = *self.store.prekeys.last().expect("a prekey");
        (card, None, made)
    }

    pub(crate) fn poll_timeout(&self) -> Timestamp {
        let Deadlines { prompt, patient } = self.store.dialogue.deadlines();
        let rotation = self.store.prekeys.last().map(|(_, made)| made.saturating_add(7 * DAY));
        let tasks = self.tasks.iter().map(|(at, _)| *at);
        tasks.chain([prompt, patient, rotation].into_iter().flatten()).min().expect("a rotation")
    }

    /// The same person with an empty device; with the contact and its card, if there was a backup.
    pub(crate) fn wipe(&mut self, now: Timestamp, backup: bool) {
        let Self { store: Store { card, .. }, .. } = self;
        let card = card.take().filter(|_| backup);
        let seed = self.rng.next_u64();
        let mut new = Self::new(seed, now);
        new.events = std::mem::take(&mut self.events);
        new.checks_storage = self.checks_storage;
        new.forks = self.forks;
        new.store.card = card.map(|(number, _, made)| (number, None, made));
        if backup {
            new.store.dialogue.greet(now, DAY, &mut new.rng);
            new.plan(now, Task::Publish, HOUR);
        }
        *self = new;
    }

    /// The same person with the state of before. Whether the store shows that is left to chance.
    pub(crate) fn roll_back(&mut self, now: Timestamp, store: Store, seen: bool) {
        self.store = store;
        self.records.clear();
        if seen {
            self.store.dialogue.suspect(now, &mut self.rng);
        }
        self.store.dialogue.reopened(now);
    }
}

impl Store {
    /// Draws a prekey if the newest is a week old, and drops what is three weeks old.
    fn rotate(&mut self, now: Timestamp, rng: &mut impl CryptoRng) -> bool {
        let fresh = |(_, made): &(u32, Timestamp)| now.saturating_since(*made) < 7 * DAY;
        if self.prekeys.last().is_some_and(fresh) {
            return false;
        }
        self.prekeys.push((rng.next_u32() | 1, now));
        self.prekeys.retain(|(_, made)| now.saturating_since(*made) < 21 * DAY);
        let (card, _) = *self.prekeys.last().expect("a prekey");
        self.dialogue.card_renewed(now, card, rng);
        true
    }
}
