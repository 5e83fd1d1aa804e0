//! What a story does to the sessions of one identity, and what must hold meanwhile.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::fmt;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::LazyLock;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use whisper_core::crypto::Secret;
use whisper_core::crypto::curve::SecretKey;
use whisper_core::crypto::kdf;
use whisper_core::envelope::Draft;
use whisper_core::hash::keccak256;
use whisper_core::hash::sha256;
use whisper_core::identity::Identity;
use whisper_core::identity::SymmetricKey;
use whisper_core::message::Kind;
use whisper_core::message::Message;
use whisper_core::pow::Rating;
use whisper_core::session::BatchId;
use whisper_core::session::InviteOptions;
use whisper_core::session::MessageName;
use whisper_core::session::OpenError;
use whisper_core::session::Outgoing;
use whisper_core::session::SessionEvent;
use whisper_core::session::SessionId;
use whisper_core::session::SessionOutput;
use whisper_core::session::Sessions;
use whisper_core::session::is_class_length;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;

use super::Act;
use super::Delay;
use super::Lifetime;
use super::Place;
use super::Terms;

/// Sessions, and what is known of them from outside.
pub(crate) struct Talk {
    sessions: Sessions,
    rng: ChaCha20Rng,
    now: Timestamp,
    slow_store: bool,
    thorough: bool,
    records: VecDeque<BatchId>,
    known: Vec<Known>,
    last: Vec<u8>,
    shown: BTreeSet<(SessionId, MessageName)>,
    /// Since the clock was set back, an invitation may count as new again.
    set_back: bool,
}

/// What Mallory knows of a session.
struct Known {
    id: [u8; 16],
    fixed_topic: bool,
    /// The direction from her, and the other one.
    hers: Way,
    theirs: Way,
}

/// One direction.
struct Way {
    key: SymmetricKey,
    topic_key: Secret<32>,
}

struct People {
    bob: Arc<Identity>,
    mallory: Identity,
    agreed: Secret<32>,
}

static PEOPLE: LazyLock<People> = LazyLock::new(|| {
    let secret = |byte| SecretKey::from_bytes(&[byte; 32]).expect("a valid key");
    let bob = Identity::from_secret(secret(BOB));
    let mallory = Identity::from_secret(secret(0x66));
    let agreed = mallory.agree(&bob.public_key());
    People { bob: Arc::new(bob), mallory, agreed }
});

impl Talk {
    pub(crate) fn new(slow_store: bool, thorough: bool) -> Self {
        let now = Timestamp::from_secs(1_750_000_000);
        Self {
            sessions: Sessions::new(Arc::clone(&PEOPLE.bob), now),
            rng: ChaCha20Rng::from_seed([4; 32]),
            now,
            slow_store,
            thorough,
            records: VecDeque::new(),
            known: Vec::new(),
            last: Vec::new(),
            shown: BTreeSet::new(),
            set_back: false,
        }
    }

    pub(crate) fn wait(&mut self, delay: Delay) {
        let secs = match delay {
            Delay::None => 0,
            Delay::Seconds(secs) => secs.into(),
            Delay::Hours(hours) => 3_600 * u64::from(hours),
            Delay::Back(secs) => {
                self.set_back |= secs > 0;
                self.now = self.now.saturating_sub(Duration::from_secs(secs.into()));
                return;
            }
        };
        self.now = self.now.saturating_add(Duration::from_secs(secs));
    }

    pub(crate) fn act(&mut self, act: &Act) {
        let (now, mallory) = (self.now, PEOPLE.mallory.public_key());
        let step = match act {
            Act::Invite(terms) => return self.invited(terms),
            Act::Spoil(terms, at, mask, cut) => {
                let mut payload = terms.payload(now);
                let at = usize::from(*at) % payload.len();
                payload[at] ^= mask;
                payload.truncate(if *cut { at } else { payload.len() });
                return self.receive(&payload);
            }
            Act::Resemble(rest) => return self.receive(&[b"WSS1", &rest[..]].concat()),
            Act::Replay => return self.receive(&self.last.clone()),
            Act::Say(place, kind, sequence, age, claimed, data) => {
                let body = body(now, *kind % 5, (*sequence).into(), *age, *claimed, data);
                return self.open(place, |known| &known.hers, &laid_out(&body));
            }
            Act::Utter(place, plaintext) => {
                return self.open(place, |known| &known.hers, &filled(plaintext.clone()));
            }
            Act::Reflect(place) => {
                let body = body(now, 0, 0, 0, None, b"mine");
                return self.open(place, |known| &known.theirs, &laid_out(&body));
            }
            Act::Accept => self.sessions.accept(now, &mallory, &mut self.rng).ok(),
            Act::Refuse => self.sessions.refuse(&mallory).ok(),
            Act::AddContact => self.sessions.add_contact(now, mallory, &mut self.rng).ok(),
            Act::RemoveContact => self.sessions.remove_contact(&mallory).ok(),
            Act::Ask(bind, fixed_topic, text) => {
                let options = InviteOptions {
                    bind: *bind,
                    fixed_topic: *fixed_topic,
                    ..InviteOptions::default()
                };
                let text = text.map(|length| "x".repeat(length.into()));
                let text = text.as_deref();
                self.sessions.invite(now, mallory, options, text, &mut self.rng).ok()
            }
            Act::Send(data) => self.sessions.send(now, &mallory, data, &mut self.rng).ok(),
            Act::Close => self.sessions.close(now, &mallory, &mut self.rng).ok(),
            Act::Tick => return self.tick(),
            Act::LookLate(hours) => {
                let hour = (now.as_secs() / 3_600).saturating_sub((*hours).into());
                let topics = self.sessions.look_late(now, hour);
                assert!(topics.len() <= 4_096 * 40, "{} topics", topics.len());
                None
            }
            Act::Store(good) => return self.store(*good),
            Act::Burn => {
                self.records.clear();
                Some(self.sessions.burn())
            }
        };
        self.carry_out(step.unwrap_or_default());
    }

    /// A good invitation, as far as its terms are: Mallory keeps its keys.
    fn invited(&mut self, terms: &Terms) {
        let payload = terms.payload(self.now);
        self.known.extend(Known::of(&payload, true));
        self.receive(&payload);
    }

    fn receive(&mut self, payload: &[u8]) {
        self.last = payload.to_vec();
        let message = signed(payload);
        let before = self.state();
        match self.sessions.receive(self.now, &message, Rating::ZERO) {
            Ok(step) => self.carry_out(step),
            Err(_) => assert_eq!(self.state(), before, "a refusal changes something"),
        }
    }

    /// Gives Bob an envelope that stands at a place and is encrypted with a key of the session.
    fn open(&mut self, place: &Place, way: fn(&Known) -> &Way, plaintext: &[u8]) {
        let Some(known) = self.known.iter().rev().nth(usize::from(place.session) % 16) else {
            return;
        };
        let hour = (self.now.as_secs() / 3_600).saturating_add_signed((place.hour / 8).into());
        let topic = known.topic(&known.hers, hour, (place.index % 5_000).into());
        let data = way(known).key.aead().seal(plaintext, &mut self.rng);
        let draft = Draft::new(self.now, Duration::from_secs(600), topic, data);
        let envelope = draft.expect("a good draft").seal(0);
        let before = self.state();
        match self.sessions.open(self.now, &envelope, &mut self.rng) {
            Ok(step) => self.carry_out(step),
            // Its topic is noted, to be looked back for.
            Err(OpenError::Busy) => assert!(!self.records.is_empty()),
            Err(_) => assert_eq!(self.state(), before, "a refusal changes something"),
        }
    }

    /// Law 2, once all that is due is done.
    fn tick(&mut self) {
        let step = self.sessions.tick(self.now, &mut self.rng);
        self.carry_out(step);
        if self.records.is_empty() {
            let due = self.sessions.poll_timeout();
            assert!(due.is_none_or(|due| due > self.now), "due at {due:?}, now {:?}", self.now);
        }
    }

    fn store(&mut self, good: bool) {
        let Some(record) = self.records.pop_front() else { return };
        if good {
            let outputs = self.sessions.stored(self.now, record);
            self.carry_out(outputs);
            assert!(self.sessions.stored(self.now, record).is_empty(), "stored twice");
        } else {
            let outputs = self.sessions.not_stored(record);
            self.carry_out(outputs);
        }
    }

    fn carry_out(&mut self, outputs: Vec<SessionOutput>) {
        for output in outputs {
            match output {
                SessionOutput::Persist(batch) => {
                    self.records.push_back(batch.id());
                    if !self.slow_store {
                        self.store(true);
                    }
                }
                SessionOutput::Transmit(outgoing) => self.transmitted(&outgoing),
                SessionOutput::Event(event) => self.tell(&event),
                SessionOutput::LookBack(topics) => assert!(!topics.is_empty()),
            }
        }
    }

    /// Mallory can read what is for her, and an observer sees nothing but the length.
    fn transmitted(&mut self, outgoing: &Outgoing) {
        if !is_class_length(outgoing.data.len()) {
            let invitation = Message::open_as(&outgoing.data, &PEOPLE.mallory).expect("for her");
            let known = Known::of(invitation.payload(), false).expect("good terms");
            assert_eq!(known.id, outgoing.session.as_bytes()[..16]);
            return self.known.push(known);
        }
        let mut with =
            self.known.iter().filter(|known| known.id == outgoing.session.as_bytes()[..16]);
        assert!(with.any(|known| known.theirs.key.aead().open(&outgoing.data).is_ok()));
    }

    fn tell(&mut self, event: &SessionEvent) {
        if let SessionEvent::Message { session, name, .. } = event {
            let new = self.shown.insert((*session, *name));
            assert!(new || self.set_back, "message {name:?} is shown twice");
        }
    }

    /// All that can be seen of the sessions.
    fn state(&self) -> Option<u64> {
        let mut sum = Sum(0xcbf2_9ce4_8422_2325);
        self.thorough.then(|| write!(sum, "{:?}", self.sessions).expect("nothing fails"))?;
        Some(sum.0)
    }

    /// Law 3.
    pub(crate) fn obeys(&self) {
        assert!(self.sessions.sessions().count() <= 32 + 8);
    }

    /// Law 6.
    pub(crate) fn keeps_its_secrets(&self) {
        let text = format!("{:?}", self.sessions);
        let hides = |key: &[u8]| !text.contains(format!("{key:?}").trim_matches(['[', ']']));
        assert!(hides(&[BOB; 16]));
        assert!(self.known.iter().all(|known| {
            hides(known.hers.topic_key.expose()) && hides(known.theirs.topic_key.expose())
        }));
    }
}

impl Terms {
    fn payload(&self, now: Timestamp) -> Vec<u8> {
        let lifetime = match self.lifetime {
            Lifetime::Minutes(minutes) => 60 * u32::from(minutes),
            Lifetime::Days(days) => 86_400 * u32::from(days),
            Lifetime::Any(secs) => secs,
        };
        let made = now.as_secs().saturating_add_signed(self.made.into()) as u32;
        let mut payload = b"WSS1\x01".to_vec();
        payload.push(self.flags % 5);
        payload.extend_from_slice(&[self.id; 16]);
        payload.extend_from_slice(&made.to_be_bytes());
        payload.extend_from_slice(&lifetime.to_be_bytes());
        payload.extend_from_slice(&[self.forth; 32]);
        payload.extend_from_slice(&[self.back; 32]);
        payload.extend_from_slice(&(self.text.len() as u16).to_be_bytes());
        payload.extend_from_slice(&self.text);
        payload
    }
}

impl Known {
    /// What the invitation says, if it has the length of one: `session.md`, "Seed".
    fn of(payload: &[u8], hers: bool) -> Option<Self> {
        let flags = *payload.get(5)?;
        let id = payload.get(6..22)?.try_into().ok()?;
        let [forth, back] = [payload.get(30..62)?, payload.get(62..94)?];
        let way = |key: &[u8], way: u8| Way::derive(&id, key, flags & 1 != 0, way);
        let (forth, back) = (way(forth, 0)?, way(back, 1)?);
        let (hers, theirs) = if hers { (forth, back) } else { (back, forth) };
        Some(Self { id, fixed_topic: flags & 2 != 0, hers, theirs })
    }

    fn topic(&self, way: &Way, hour: u64, index: u32) -> Topic {
        let hash = if self.fixed_topic {
            sha256(&[b"WSS1/fixed", &self.id[..]].concat())
        } else {
            let place: [&[u8]; 3] = [b"WSS1/topic", &hour.to_be_bytes(), &index.to_be_bytes()];
            kdf::hmac_sha256(way.topic_key.expose(), &place)
        };
        Topic::new([hash[0], hash[1], hash[2], hash[3]])
    }
}

impl Way {
    fn derive(id: &[u8; 16], key: &[u8], bound: bool, way: u8) -> Option<Self> {
        let material = [key, PEOPLE.agreed.expose()];
        let key = match bound {
            true => kdf::hkdf_sha256(id, &material, &[b"WSS1/key", &[way]]),
            false => Secret::from_slice(key)?,
        };
        Some(Self {
            topic_key: kdf::hkdf_sha256(id, &[key.expose()], &[b"WSS1/topickey"]),
            key: SymmetricKey::from_secret(&key).ok()?,
        })
    }
}

/// A message from Mallory, as it is when the cipher is off.
fn signed(payload: &[u8]) -> Message {
    let [low, high, ..] = payload.len().to_le_bytes();
    let mut plaintext = [&[4 | 2, low, high], payload].concat();
    let signature = PEOPLE.mallory.sign(&keccak256(&plaintext));
    plaintext.extend_from_slice(signature.as_bytes());
    Message::parse(plaintext, Kind::Asymmetric).expect("it is signed")
}

/// The header of a session message and what follows it.
fn body(
    now: Timestamp,
    kind: u8,
    sequence: u32,
    age: i32,
    claimed: Option<u32>,
    data: &[u8],
) -> Vec<u8> {
    let sent_at = now.as_secs().saturating_add_signed((-i64::from(age)) / 64) as u32;
    let length = claimed.unwrap_or(data.len() as u32);
    let mut body = vec![kind];
    body.extend_from_slice(&sent_at.to_be_bytes());
    body.extend_from_slice(&sequence.to_be_bytes());
    body.extend_from_slice(&length.to_be_bytes());
    body.extend_from_slice(data);
    body
}

/// The plaintext of a message that fills the smallest class which holds it.
fn laid_out(body: &[u8]) -> Vec<u8> {
    let class = (body.len() + 3).next_power_of_two().clamp(1_024, 65_536);
    let [low, high, ..] = (class - 3).to_le_bytes();
    filled([&[2, low, high], body].concat())
}

/// Zeros up to the length of a class.
fn filled(mut plaintext: Vec<u8>) -> Vec<u8> {
    plaintext.resize(plaintext.len().next_power_of_two().clamp(1_024, 65_536), 0);
    plaintext
}

/// A sum of all that is written, without keeping it, which is long.
struct Sum(u64);

impl Write for Sum {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}

const BOB: u8 = 0xb0;
