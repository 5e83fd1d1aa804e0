//! An engine against strangers, as Kotlin, Swift and Python see it.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use whisper_bindings::Engine;
use whisper_bindings::EngineConfig;
use whisper_bindings::Filter;
use whisper_bindings::Output;
use whisper_bindings::Reader;
use whisper_bindings::SymmetricKey;
use whisper_core::envelope::Draft;
use whisper_core::envelope::Envelope;
use whisper_core::identity;
use whisper_core::message::Padding;
use whisper_core::message::Recipient;
use whisper_core::message::encrypt;
use whisper_core::packet;
use whisper_core::packet::Status;
use whisper_core::packet::code;
use whisper_core::peer::PeerId;
use whisper_core::pow::Rating;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;
use whisper_net::Entropy;

const PEER: PeerId = PeerId::new(1);
const KEY: [u8; 32] = [7; 32];

/// An engine with one peer that is ready.
struct App {
    engine: Arc<Engine>,
    now: SystemTime,
}

impl App {
    fn new() -> Self {
        let config = EngineConfig { light: false, min_rating: Some(0.0), pool_mib: 16 };
        let engine = Engine::new(config, None).unwrap();
        let app = Self { engine, now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000) };
        app.engine.connected(app.now, PEER, true).unwrap();
        let status = Status {
            min_rating: Rating::ZERO,
            bloom: None,
            light: false,
            acknowledges: false,
            stems: false,
        };
        app.receive(code::STATUS, &status.encode());
        app
    }

    fn filter(&self, topic: Option<Topic>) {
        let key = SymmetricKey::from_secret(&KEY).unwrap();
        let topics = topic.into_iter().collect();
        let reader = Reader::Sharer { key };
        let filter = Filter { reader, topics, min_rating: None, signer: None };
        self.engine.add_filter(filter).unwrap();
    }

    /// How many messages a packet shows, with all that is due at once.
    fn receive(&self, code: u8, payload: &[u8]) -> usize {
        let mut found = shown(&self.engine.receive(self.now, PEER, code, payload).unwrap());
        while self.engine.wake_at().unwrap().is_some_and(|due| due <= self.now) {
            found += shown(&self.engine.tick(self.now).unwrap());
        }
        found
    }
}

fn shown(outputs: &[Output]) -> usize {
    outputs.iter().filter(|output| matches!(output, Output::Found { .. })).count()
}

fn data() -> Vec<u8> {
    let key = identity::SymmetricKey::from_bytes(&KEY).unwrap();
    let mut rng = Entropy::os().rng().unwrap();
    encrypt(b"once", Padding::Aligned, None, Recipient::Symmetric(&key), &mut rng).unwrap()
}

fn envelope(data: &[u8], nonce: u64) -> Arc<Envelope> {
    let now = Timestamp::from_secs(1_600_000_000);
    let draft = Draft::new(now, Duration::from_secs(600), Topic::default(), data.to_vec());
    Arc::new(draft.unwrap().seal(nonce))
}

#[test]
fn one_message_wrapped_ten_times_is_shown_once() {
    let app = App::new();
    app.filter(None);
    let data = data();
    let envelopes: Vec<_> = (0..10).map(|nonce| envelope(&data, nonce)).collect();
    assert_eq!(app.receive(code::MESSAGES, &packet::encode_messages(&envelopes)), 1);
}

#[test]
fn a_filter_finds_what_came_before_it() {
    let app = App::new();
    let envelopes = [envelope(&data(), 0), envelope(&[1; 80], 0)];
    assert_eq!(app.receive(code::MESSAGES, &packet::encode_messages(&envelopes)), 0);
    app.filter(Some(Topic::default()));
    assert_eq!(app.receive(code::MESSAGES, &packet::encode_messages(&[])), 1);
}

#[test]
fn one_call_opens_no_more_than_a_slice() {
    let app = App::new();
    app.filter(None);
    let data: Vec<_> = (0..300).map(|_| data()).collect();
    let envelopes: Vec<_> = data.iter().map(|data| envelope(data, 0)).collect();
    let packet = packet::encode_messages(&envelopes);
    let first = app.engine.receive(app.now, PEER, code::MESSAGES, &packet).unwrap();
    assert!(shown(&first) <= 128, "{}", shown(&first));
    assert_eq!(app.engine.wake_at().unwrap(), Some(app.now));
    assert_eq!(shown(&first) + app.receive(code::MESSAGES, &packet::encode_messages(&[])), 300);
}
