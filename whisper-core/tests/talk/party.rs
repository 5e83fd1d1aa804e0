//! One side: what an account holds for one peer, put together by hand.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::CryptoRng;
use chacha20::rand_core::SeedableRng;
use whisper_core::crypto::x_only::XOnlySecretKey;
use whisper_core::identity::Identity;
use whisper_core::identity::PublicKey;
use whisper_core::session::MessageName;
use whisper_core::session::Place as TopicPlace;
use whisper_core::session::SessionId;
use whisper_core::session::card::Card;
use whisper_core::session::card::CardSettings;
use whisper_core::session::card::Cert;
use whisper_core::session::card::Heard as HeardCard;
use whisper_core::session::card::KnownCards;
use whisper_core::session::dialogue::*;
use whisper_core::session::full;
use whisper_core::session::full::Body;
use whisper_core::session::full::Host;
use whisper_core::session::full::Inviter;
use whisper_core::session::full::OpenFailure;
use whisper_core::session::full::Resent;
use whisper_core::session::full::SealError;
use whisper_core::session::prekeys::Prekeys;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;

/// What an envelope would carry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mail {
    pub(crate) topic: Topic,
    pub(crate) data: Vec<u8>,
}

/// What is on the disk of one side.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) dialogue: Dialogue,
    pub(crate) sessions: BTreeMap<SessionId, full::Session>,
    pub(crate) prekeys: Prekeys,
    pub(crate) cards: Option<KnownCards>,
    seen: BTreeSet<[u8; 16]>,
    tombstones: Tombstones,
}

pub(crate) struct Party {
    pub(crate) identity: Identity,
    dh: XOnlySecretKey,
    cert: Cert,
    pub(crate) store: Store,
    pub(crate) rng: ChaCha20Rng,
    pub(crate) events: Vec<DialogueEvent>,
    /// Invitations that named a prekey that is gone.
    pub(crate) stale_cards: usize,
    pub(crate) refused: usize,
}

/// Seals with the sessions of a store.
struct Wire<'a> {
    sessions: &'a mut BTreeMap<SessionId, full::Session>,
    tombstones: &'a mut Tombstones,
    cards: Option<&'a KnownCards>,
    inviter: Inviter<'a>,
    card: Card,
    out: Vec<Mail>,
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
        let session = self.sessions.get_mut(&session).expect("a session that was not wiped");
        let body = to_body(now, content, &self.card);
        let sealed = session.seal(now, &body, rng).map_err(|error| match error {
            SealError::Exhausted => SealFailure::Exhausted,
            SealError::HourFull { until } => SealFailure::HourFull { until },
            SealError::Entropy => SealFailure::Entropy,
            other => panic!("{other}"),
        })?;
        self.out.push(Mail { topic: sealed.topic, data: sealed.data });
        Ok(sealed.name)
    }

    fn invite(
        &mut self,
        now: Timestamp,
        content: &Content,
        one_time: bool,
        rng: &mut impl CryptoRng,
    ) -> Result<Invited, InviteFailure> {
        let card = self.cards.and_then(KnownCards::whole).ok_or(InviteFailure::NoCard)?;
        let body = to_body(now, content, &self.card);
        let invited = self.inviter.invite(now, card, one_time, &body, rng);
        let invited = invited.map_err(|error| match error {
            full::InviteError::CardExpired => InviteFailure::CardExpired,
            full::InviteError::Entropy => InviteFailure::Entropy,
            other => panic!("{other}"),
        })?;
        self.out.push(Mail { topic: invited.topic, data: invited.data });
        let (session, name) = (invited.session.id(), invited.name);
        let created_at = invited.session.created_at();
        self.sessions.insert(session, invited.session);
        Ok(Invited { session, created_at, name })
    }

    fn retire(&mut self, session: SessionId, place: Place) {
        let closing = self.sessions.get(&session);
        let closing = closing.and_then(|session| session.closing(place.chain, place.number));
        match closing {
            Some(closing) => _ = self.sessions.insert(session, closing),
            None => _ = self.sessions.remove(&session),
        }
    }

    fn wipe(&mut self, session: SessionId) {
        self.sessions.remove(&session);
        self.tombstones.insert(self.now, &session);
    }
}

impl Party {
    pub(crate) fn new(seed: u64, now: Timestamp) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (identity, dh) = (Identity::generate(&mut rng), XOnlySecretKey::generate(&mut rng));
        let cert = Cert::sign(now, &identity, &dh.public_key());
        let store = Store::new(now, &mut rng);
        let events = Vec::new();
        Self { identity, dh, cert, store, rng, events, stale_cards: 0, refused: 0 }
    }

    /// The card as it is published.
    pub(crate) fn card(&self) -> Card {
        self.store.prekeys.card(&self.identity, &self.cert, settings())
    }

    /// A card for one reader.
    pub(crate) fn card_by_hand(&mut self) -> Card {
        let (identity, cert) = (&self.identity, &self.cert);
        self.store.prekeys.card_with_one_time_key(identity, cert, settings(), &mut self.rng)
    }

    /// Takes a step, and gives what goes out.
    pub(crate) fn step<T: IntoIterator<Item = DialogueEvent>>(
        &mut self,
        now: Timestamp,
        act: impl FnOnce(&mut Dialogue, &mut WireOf<'_>, &mut ChaCha20Rng) -> T,
    ) -> Vec<Mail> {
        let card = self.card();
        let Store { dialogue, sessions, prekeys, cards, tombstones, .. } = &mut self.store;
        let inviter = Inviter {
            dh: &self.dh,
            cert: &self.cert,
            kem: prekeys.newest().kem(),
            tail: card.to_short().to_tail(),
        };
        let (cards, out) = (cards.as_ref(), Vec::new());
        let mut wire = WireOf(Wire { sessions, tombstones, cards, inviter, card, out, now });
        self.events.extend(act(dialogue, &mut wire, &mut self.rng));
        wire.0.out
    }

    pub(crate) fn say(&mut self, now: Timestamp, text: &[u8]) -> Vec<Mail> {
        self.step(now, |dialogue, wire, rng| {
            dialogue.send(now, text, &mut wire.0, rng).expect("room").1
        })
    }

    pub(crate) fn accept(&mut self, now: Timestamp) -> Vec<Mail> {
        self.step(now, |dialogue, wire, rng| {
            dialogue.accept(now, &mut wire.0, rng).expect("an invitation")
        })
    }

    pub(crate) fn close(&mut self, now: Timestamp) -> Vec<Mail> {
        self.step(now, |dialogue, wire, rng| {
            dialogue.close(now, &mut wire.0, rng).expect("randomness")
        })
    }

    /// The user takes a card.
    pub(crate) fn hear_card(&mut self, now: Timestamp, card: Card) -> Vec<Mail> {
        let cards = &mut self.store.cards;
        let heard = match cards {
            Some(known) => known.hear_card(now, card),
            None => {
                let mut known = KnownCards::new(card.cert().clone());
                let heard = known.hear_card(now, card);
                *cards = Some(known);
                heard
            }
        };
        let Ok(heard) = heard else { return Vec::new() };
        if heard == HeardCard::KeyChanged {
            let told = self.store.dialogue.key_changed();
            self.events.extend(told);
        }
        self.step(now, |dialogue, wire, rng| {
            dialogue.card_came(now, &mut wire.0, rng).expect("randomness")
        })
    }

    pub(crate) fn tick(&mut self, now: Timestamp) -> Vec<Mail> {
        if self.store.prekeys.is_due(now) {
            self.store.prekeys.rotate(now, &mut self.rng);
            self.store.prekeys.expire(now);
            let card = self.store.prekeys.newest().id().get();
            self.store.dialogue.card_renewed(now, card, &mut self.rng);
        }
        self.step(now, |dialogue, wire, rng| {
            dialogue.tick(now, true, &mut wire.0, rng).expect("randomness")
        })
    }

    pub(crate) fn poll_timeout(&self) -> Timestamp {
        let Deadlines { prompt, patient } = self.store.dialogue.deadlines();
        let rotation = self.store.prekeys.newest().drawn().saturating_add(WEEK);
        [prompt, patient].into_iter().flatten().fold(rotation, Ord::min)
    }

    /// Takes what comes: a message of a session, else an invitation.
    pub(crate) fn take(&mut self, now: Timestamp, mail: &Mail) -> Vec<Mail> {
        let found = self.store.places(now, mail.topic);
        for (id, chain, place) in found {
            let session = &self.store.sessions[&id];
            match session.open(now, chain, place, &mail.data, &mut self.rng) {
                Ok(opened) => return self.opened(now, opened),
                Err(OpenFailure::KeyGone { name }) if self.store.dialogue.knows(&name) => (),
                Err(OpenFailure::KeyGone { .. } | OpenFailure::Forked) => {
                    let told = self.store.dialogue.forked(now);
                    self.events.extend(told);
                }
                Err(_) => (),
            }
        }
        self.knock(now, mail)
    }

    fn opened(&mut self, now: Timestamp, opened: full::Opened) -> Vec<Mail> {
        let session = opened.session.id();
        let place = Place { chain: opened.chain, number: opened.number };
        let (content, card) = opened.content.map_or((None, None), from_content);
        let heard = Heard { name: opened.name, place, sent_at: opened.sent_at, content };
        self.store.sessions.insert(session, opened.session);
        let opened = Opened { session, turned: opened.turned, heard };
        let mut out = self.step(now, |dialogue, wire, rng| {
            dialogue.opened(now, opened, &mut wire.0, rng).expect("randomness")
        });
        out.extend(card.into_iter().flat_map(|card| self.hear_card(now, card)));
        out
    }

    fn knock(&mut self, now: Timestamp, mail: &Mail) -> Vec<Mail> {
        let identity = self.identity.public_key();
        let host = Host { identity, dh: &self.dh };
        let Ok(knock) = host.look(&mail.data) else { return Vec::new() };
        let (prekey_id, one_time_id) = (knock.prekey_id(), knock.one_time_id());
        let name = knock.name();
        let Some(prekey) = self.store.prekeys.find(prekey_id) else {
            self.stale_cards += 1;
            return Vec::new();
        };
        let one_time = one_time_id.map(|id| self.store.prekeys.one_time_key(id));
        if one_time.is_some_and(|held| held.is_none()) || self.store.seen.contains(&name) {
            self.refused += 1;
            return Vec::new();
        }
        let caller = knock.identify(now, prekey, one_time.flatten());
        let Ok(accepted) = caller.and_then(|caller| caller.open(now)) else {
            self.refused += 1;
            return Vec::new();
        };
        let session = accepted.session.id();
        if self.store.tombstones.contains(&session) {
            return Vec::new();
        }
        self.store.seen.insert(name);
        one_time_id.into_iter().for_each(|id| self.store.prekeys.burn(id));
        let known = self.store.cards.get_or_insert_with(|| KnownCards::new(accepted.cert.clone()));
        let heard = known.hear_cert(now, &accepted.cert).expect("the cert of this peer");
        accepted.card.into_iter().for_each(|card| _ = known.hear_short(now, card));
        let created_at = accepted.session.created_at();
        let sent_at = accepted.body.as_ref().map_or(created_at, |body| body.sent_at);
        let content = accepted.body.and_then(|body| from_content(body.content).0);
        let heard = Arrived {
            session,
            created_at,
            card: prekey_id,
            changed: heard == HeardCard::KeyChanged,
            heard: Heard { name: accepted.name, place: Place::default(), sent_at, content },
        };
        self.store.sessions.insert(session, accepted.session);
        self.step(now, |dialogue, wire, rng| {
            dialogue.invited(now, heard, &mut wire.0, rng).expect("randomness")
        })
    }

    /// What was shown since the last call.
    pub(crate) fn shown(&mut self) -> Vec<Vec<u8>> {
        let shown = self.events.drain(..).filter_map(|event| match event {
            DialogueEvent::Message { data, .. } => Some(data),
            _ => None,
        });
        shown.collect()
    }

    /// The same person with an empty device.
    pub(crate) fn wipe(&mut self, now: Timestamp) {
        self.store = Store::new(now, &mut self.rng);
    }

    pub(crate) fn key(&self) -> PublicKey {
        self.identity.public_key()
    }
}

/// Hides which types encrypt.
pub(crate) struct WireOf<'a>(Wire<'a>);

impl Store {
    /// Where a message may belong that came under a topic: session, chain, place in it.
    fn places(&self, now: Timestamp, topic: Topic) -> Vec<(SessionId, u32, TopicPlace)> {
        let lanes = self.sessions.values().flat_map(|session| {
            session.lanes().map(move |(chain, lane)| (session.id(), chain, lane))
        });
        let places = lanes.flat_map(|(session, chain, lane)| {
            let places = hours(now)
                .flat_map(|epoch| (0..WATCHED).map(move |index| TopicPlace { epoch, index }));
            let places = places.filter(move |place| lane.topic(place.epoch, place.index) == topic);
            places.map(move |place| (session, chain, place))
        });
        places.collect()
    }

    /// What a thief of the store reads in a message, whatever came before it.
    pub(crate) fn read(
        &mut self,
        now: Timestamp,
        mail: &Mail,
        rng: &mut impl CryptoRng,
    ) -> Option<full::Content> {
        self.places(now, mail.topic).into_iter().find_map(|(id, chain, place)| {
            let opened = self.sessions.get(&id)?.open(now, chain, place, &mail.data, rng).ok()?;
            self.sessions.insert(id, opened.session);
            opened.content
        })
    }

    fn new(now: Timestamp, rng: &mut impl CryptoRng) -> Self {
        let prekeys = Prekeys::new(now, rng);
        let mut dialogue = Dialogue::new();
        dialogue.card_renewed(now, prekeys.newest().id().get(), rng);
        Self {
            dialogue,
            sessions: BTreeMap::new(),
            prekeys,
            cards: None,
            seen: BTreeSet::new(),
            tombstones: Tombstones::default(),
        }
    }
}

fn settings() -> CardSettings {
    CardSettings { random_topics: true, ..CardSettings::default() }
}

/// The hours that are looked at: more than a few messages are never outstanding here.
fn hours(now: Timestamp) -> impl Iterator<Item = u64> {
    let hour = now.as_secs() / 3_600;
    hour - 3..=hour + 1
}

fn to_body(now: Timestamp, content: &Content, card: &Card) -> Body {
    let (sent_at, content) = match content {
        Content::Part(Part::Whole(data)) => (now, full::Content::App(data.to_vec())),
        Content::Part(Part::Chunk(chunk)) => (now, full::Content::Chunk(to_chunk(chunk))),
        Content::Resend { name, sent_at, part } => {
            let resent = match part {
                Part::Whole(data) => Resent::App(data.to_vec()),
                Part::Chunk(chunk) => Resent::Chunk(to_chunk(chunk)),
            };
            (*sent_at, full::Content::Resend(*name, resent))
        }
        Content::Ack(names) => (now, full::Content::Ack(names.clone())),
        Content::Card => (now, full::Content::Card(Box::new(card.clone()))),
        Content::Close => (now, full::Content::Close),
        Content::Cover => (now, full::Content::Cover(Vec::new())),
    };
    Body { sent_at, content }
}

fn to_chunk(chunk: &Chunk) -> full::Chunk {
    let Chunk { id, index, total, data } = chunk;
    full::Chunk { id: *id, index: *index, total: *total, data: data.to_vec() }
}

fn from_chunk(chunk: full::Chunk) -> Chunk {
    let full::Chunk { id, index, total, data } = chunk;
    Chunk { id, index, total, data: data.into() }
}

/// What was said, and the card that it brought.
fn from_content(content: full::Content) -> (Option<Content>, Option<Card>) {
    let content = match content {
        full::Content::App(data) => Content::Part(Part::Whole(data.into())),
        full::Content::Chunk(chunk) => Content::Part(Part::Chunk(from_chunk(chunk))),
        full::Content::Resend(name, resent) => {
            let part = match resent {
                Resent::App(data) => Part::Whole(data.into()),
                Resent::Chunk(chunk) => Part::Chunk(from_chunk(chunk)),
            };
            Content::Resend { name, sent_at: Timestamp::default(), part }
        }
        full::Content::Ack(names) => Content::Ack(names),
        full::Content::Card(card) => return (Some(Content::Card), Some(*card)),
        full::Content::Close => Content::Close,
        full::Content::Cover(_) => Content::Cover,
    };
    (Some(content), None)
}

const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// More than either says in an hour here, and no more than its topics need.
const WATCHED: u32 = 32;
