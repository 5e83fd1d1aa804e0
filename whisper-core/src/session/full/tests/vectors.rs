//! Vectors V7, V8, V9, V11 and V14 of spec/session.md, 3.16: made here, and read by the second reading.
//!
//! `WHISPER_WRITE_VECTORS` writes them anew.

use alloc::format;
use alloc::string::String;
use std::env;
use std::fs;
use std::path::Path;

use serde_json::Value;
use serde_json::json;

use super::cast::alice;
use super::cast::bob;
use super::*;
use crate::crypto::Secret;
use crate::hash::sha256;
use crate::session::full::keys::HeaderKey;
use crate::session::full::ratchet::Turn;
use crate::session::full::session::State;
use crate::session::full::size::class_for;
use crate::session::hours::epoch;
use crate::session::places::Places;

/// Compares with what is committed.
fn holds(name: &str, made: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/session").join(name);
    if env::var_os("WHISPER_WRITE_VECTORS").is_some() {
        fs::write(&path, lines(made)).expect("the file can be written");
    }
    let text = fs::read_to_string(&path).expect("the file is there");
    let committed: Value = serde_json::from_str(&text).expect("the file is JSON");
    assert!(committed == *made, "{name} says something else");
}

/// JSON with a line for each item of a list.
fn lines(made: &Value) -> String {
    let fields = made.as_object().expect("an object").iter().map(|(name, value)| match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| format!("    {item}")).collect();
            format!("  \"{name}\": [\n{}\n  ]", items.join(",\n"))
        }
        value => format!("  \"{name}\": {value}"),
    });
    format!("{{\n{}\n}}\n", fields.collect::<Vec<_>>().join(",\n"))
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(sha256(bytes))
}

/// Draws that another program can repeat: draw `n` of `length` bytes is the beginning of
/// `H(label ‖ u32 n ‖ u32 0) ‖ H(label ‖ u32 n ‖ u32 1) ‖ …`.
struct Drawn {
    label: String,
    count: u32,
}

impl Drawn {
    fn new(label: &str) -> Self {
        Self { label: format!("WS1-VECTORS/{label}"), count: 0 }
    }
}

impl TryRng for Drawn {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for (block, chunk) in bytes.chunks_mut(32).enumerate() {
            let numbers = [self.count.to_be_bytes(), (block as u32).to_be_bytes()].concat();
            let hash = sha256(&[self.label.as_bytes(), &numbers].concat());
            chunk.copy_from_slice(&hash[..chunk.len()]);
        }
        self.count += 1;
        Ok(())
    }
}

impl TryCryptoRng for Drawn {}

#[test]
fn invitations_are_those_of_v7() {
    let [alice, bob] = [alice(), bob()];
    let mut cases = Vec::new();
    for (one_time, tail) in [(false, true), (false, false), (true, true), (true, false)] {
        for length in [0, 5, 544, 545, 64_000] {
            let label = format!("V7 {one_time} {tail} {length}");
            let text: Vec<_> = (0..length).map(|n| n as u8).collect();
            let body = app(NOW, &text);
            let card = bob.card(one_time);
            let inviter = alice.inviter(tail);
            let invited = inviter.invite(NOW, &card, one_time, &body, &mut Drawn::new(&label));
            let invited = invited.unwrap();
            let accepted = bob.accept(NOW, &invited.data).unwrap();
            assert!(accepted.body == Some(body) && accepted.session.id() == invited.session.id());
            cases.push(json!({
                "label": label, "one_time": one_time, "tail": tail, "length": length,
                "topic": hex::encode(invited.topic.as_bytes()),
                "key": hex::encode(&invited.data[..32]),
                "data": digest(&invited.data),
                "sid": hex::encode(invited.session.id().as_bytes()),
                "mid": hex::encode(invited.name.as_bytes()),
                "record_of_a": digest(invited.session.record().state().unwrap()),
                "record_of_b": digest(accepted.session.record().state().unwrap()),
            }));
        }
    }
    holds("v7-invitations.json", &json!({ "source": "spec/session.md, 3.5", "cases": cases }));
}

/// The script of V8.
struct Play {
    sessions: [Session; 2],
    drawn: [Drawn; 2],
    /// The header keys of each, in the order of its chains.
    chains: [Vec<HeaderKey>; 2],
    waiting: Vec<Waiting>,
    steps: Vec<Value>,
}

#[derive(Clone)]
struct Waiting {
    number: usize,
    to: usize,
    chain: u32,
    place: Place,
    data: Vec<u8>,
}

impl Play {
    fn new() -> Self {
        let [alice, bob] = [alice(), bob()];
        let mut drawn = ["V8 A", "V8 B"].map(Drawn::new);
        let body = app(NOW, b"hello");
        let invited =
            alice.inviter(true).invite(NOW, &bob.card(false), false, &body, &mut drawn[0]);
        let invited = invited.unwrap();
        let accepted = bob.accept(NOW, &invited.data).unwrap();
        let sessions = [invited.session, accepted.session];
        let chains = [Vec::new(), Vec::new()];
        Self { sessions, drawn, chains, waiting: Vec::new(), steps: Vec::new() }
    }

    fn seal(&mut self, number: usize, now: Timestamp, from: usize) {
        let (content, data) = content(number, from);
        let kind = content.kind();
        let body = Body { sent_at: now, content };
        let sealed = self.sessions[from].seal(now, &body, &mut self.drawn[from]).unwrap();
        let State::Live(ratchet) = &self.sessions[from].state else { panic!("it is closing") };
        let Turn::Sending(sending) = &ratchet.turn else { panic!("nothing was sent") };
        if self.chains[from].last() != Some(&sending.header) {
            self.chains[from].push(sending.header.clone());
        }
        let chain = self.chains[from].len() as u32 - 1;
        let hour = epoch(sealed.hour_ends) - 1;
        let mut places = (0..4_096).map(|index| Place { epoch: hour, index });
        let place = places.find(|place| sending.header.topic(*place) == sealed.topic).unwrap();
        let by = if from == 0 { "A" } else { "B" };
        self.steps.push(json!({
            "seal": number, "by": by, "at": now.as_secs(), "kind": kind,
            "data": data, "chain": chain, "place": [place.epoch, place.index],
            "topic": hex::encode(sealed.topic.as_bytes()),
            "mid": hex::encode(sealed.name.as_bytes()),
            "packet": digest(&sealed.data),
            "record": digest(self.sessions[from].record().state().unwrap()),
        }));
        self.waiting.push(Waiting { number, to: 1 - from, chain, place, data: sealed.data });
    }

    fn deliver(&mut self, now: Timestamp, index: usize, keep: bool) {
        let packet = self.waiting[index].clone();
        if !keep {
            self.waiting.remove(index);
        }
        let Waiting { number, to, chain, place, data } = packet;
        let opened = self.sessions[to].open(now, chain, place, &data, &mut self.drawn[to]);
        let result = match &opened {
            Ok(opened) if opened.turned => "turned",
            Ok(_) => "opened",
            Err(OpenFailure::KeyGone { .. }) => "gone",
            Err(OpenFailure::NotOurs) => "not ours",
            Err(why) => panic!("{why:?}"),
        };
        if let Ok(opened) = opened {
            self.sessions[to] = opened.session;
        }
        self.steps.push(json!({
            "open": number, "at": now.as_secs(), "result": result,
            "record": digest(self.sessions[to].record().state().unwrap()),
        }));
    }
}

/// What message `number` says, each kind in turn, and its data as hex: a card is named.
fn content(number: usize, from: usize) -> (Content, String) {
    let text: Vec<_> = (0..number % 50).map(|n| (n + number) as u8).collect();
    let chunk = || Chunk { id: [number as u8; 8], index: 1, total: 3, data: [7; 9].to_vec() };
    let name = MessageName::new([number as u8; 8]);
    let content = match number % 11 {
        3 => Content::Ack(Vec::from([name, name])),
        4 => Content::Cover(text),
        5 => Content::Chunk(chunk()),
        6 => Content::Resend(name, Resent::App(text)),
        7 => Content::Resend(name, Resent::Chunk(chunk())),
        8 => Content::Card([alice(), bob()][from].card(false).into()),
        9 if number > 280 => Content::Close,
        10 => Content::App((0..544 + number).map(|n| n as u8).collect()),
        _ => Content::App(text),
    };
    let mut data = Vec::new();
    content.put(&mut data);
    let data = if number % 11 == 8 { "card".into() } else { hex::encode(data) };
    (content, data)
}

#[test]
fn a_conversation_with_loss_and_reorder_is_that_of_v8() {
    let mut play = Play::new();
    let mut script = Drawn::new("V8 script");
    let mut sealed = 0;
    while sealed < 300 {
        let now = after(sealed as u64 * 97);
        let choice = script.next_u32() % 100;
        let from = usize::from(choice % 2 == 1 || !play.sessions[0].can_seal());
        if choice < 38 || play.waiting.is_empty() {
            play.seal(sealed, now, from);
            sealed += 1;
            continue;
        }
        // Mostly the newest; one in seven is lost, one in nine comes again.
        let behind = (script.next_u32() % 3).min(script.next_u32() % 12) as usize;
        let index = play.waiting.len() - 1 - behind.min(play.waiting.len() - 1);
        match choice {
            38..43 => _ = play.waiting.remove(index),
            _ => play.deliver(now, index, choice > 93),
        }
    }
    let rounds = play.sessions[0].rounds().mixed;
    assert!(rounds >= 40, "{rounds}");
    let made =
        json!({ "source": "spec/session.md, 3.6 to 3.8", "rounds": rounds, "steps": play.steps });
    holds("v8-conversation.json", &made);
}

#[test]
fn topics_and_keys_of_envelopes_are_those_of_v9() {
    let key =
        HeaderKey::new(Secret::fill_with(|own| own.copy_from_slice(&sha256(b"WS1-VECTORS/V9"))));
    let hours = (486_110..=486_112_u64).map(|epoch| {
        let envelope = crate::crypto::kdf::hmac_sha256(
            key.secret().expose(),
            &[b"WS1/env", &epoch.to_be_bytes()],
        );
        let topics = (0..40).map(|index| hex::encode(key.topic(Place { epoch, index }).as_bytes()));
        json!({ "epoch": epoch, "envelope_key": hex::encode(envelope), "topics": topics.collect::<Vec<_>>() })
    });
    let mut places = Places::default();
    let times = [0, 3_000, 3_300, 3_100, 90_000, 100, 200, 90_100, 3_700, 10];
    let steps = times.map(|seconds| {
        let slots = (0..34).map(|_| places.advance(after(seconds)).unwrap());
        let slots: Vec<_> = slots.map(|slot| (slot.epoch, slot.index, slot.set_back)).collect();
        json!({ "at": after(seconds).as_secs(), "first": slots[0], "last": slots[33] })
    });
    holds(
        "v9-topics.json",
        &json!({
            "source": "spec/session.md, 3.8",
            "header_key": hex::encode(key.secret().expose()),
            "hours": hours.collect::<Vec<_>>(),
            "places": steps,
        }),
    );
}

#[test]
fn records_are_those_of_v11() {
    let mut play = Play::new();
    let mut cases = Vec::new();
    let mut keep = |name: &str, session: &Session| {
        let record = session.record();
        let state = record.state().unwrap();
        assert!(Session::restore(state).unwrap() == *session);
        cases.push(json!({ "name": name, "state": hex::encode(state) }));
    };
    keep("invited", &play.sessions[0]);
    keep("accepted", &play.sessions[1]);
    play.seal(0, NOW, 1);
    keep("offers a key", &play.sessions[1]);
    play.deliver(NOW, 0, false);
    keep("answers it", &play.sessions[0]);
    play.seal(1, NOW, 0);
    play.seal(2, NOW, 0);
    play.deliver(NOW, 1, false);
    keep("has the secret, misses one", &play.sessions[1]);
    play.seal(11, NOW, 1);
    play.deliver(NOW, 1, false);
    keep("has mixed it in", &play.sessions[0]);
    keep("closing", &play.sessions[0].closing(1, 0).unwrap());
    holds("v11-records.json", &json!({ "source": "spec/session.md, 3.10", "cases": cases }));
}

#[test]
fn a_record_that_is_not_as_it_was_written_is_refused() {
    let play = Play::new();
    let record = play.sessions[1].record();
    let state = record.state().unwrap();
    for length in 0..state.len() {
        assert!(Session::restore(&state[..length]).is_err(), "{length}");
    }
    let mut longer = state.to_vec();
    longer.extend_from_slice(&[200, 0, 0, 0, 0]);
    assert!(Session::restore(&longer).is_err());
    let mut later = state.to_vec();
    later[0] += 1;
    assert!(Session::restore(&later).is_err());
    // Neither the other side's, nor of another kind.
    for (byte, value) in [(1, 2), (2 + 5 + 32 + 5, 0)] {
        let mut bent = state.to_vec();
        bent[byte] = value;
        assert!(Session::restore(&bent).is_err(), "{byte}");
    }
}

#[test]
fn the_class_of_every_length_is_that_of_v14() {
    let classes: Vec<_> = (0..=MAX_DATA).map(|length| class_for(length).unwrap()).collect();
    let table: Vec<_> = classes.iter().flat_map(|class| (*class as u32).to_be_bytes()).collect();
    let steps = (1..=MAX_DATA).filter(|n| classes[*n] != classes[n - 1]);
    let steps: Vec<_> = steps.map(|n| json!([n - 1, classes[n - 1], n, classes[n]])).collect();
    let source = "spec/session.md, 3.3";
    holds(
        "v14-classes.json",
        &json!({ "source": source, "steps": steps, "table": digest(&table) }),
    );
}
