//! Attacks on parsers, by the rows of the attack catalogue.

#[path = "../../fuzz/bodies/naive.rs"]
mod naive;
mod support;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use allocation_counter::measure;
use whisper_core::crypto::DecryptError;
use whisper_core::crypto::aead::AesGcm;
use whisper_core::crypto::ecies;
use whisper_core::envelope::Draft;
use whisper_core::envelope::Envelope;
use whisper_core::identity::Identity;
use whisper_core::identity::SymmetricKey;
use whisper_core::message::Kind;
use whisper_core::message::Malformed;
use whisper_core::message::Message;
use whisper_core::node::Config;
use whisper_core::node::Direction;
use whisper_core::node::Event;
use whisper_core::node::Input;
use whisper_core::node::Node;
use whisper_core::node::Output;
use whisper_core::packet;
use whisper_core::packet::Status;
use whisper_core::packet::code;
use whisper_core::peer::Network;
use whisper_core::peer::PeerId;
use whisper_core::pow::Rating;
use whisper_core::rlp::DecodeError;
use whisper_core::rlp::Writer;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;

use support::rng;

/// A parser: its name, and whether it takes the bytes.
type Parser = (&'static str, fn(&[u8]) -> bool);

/// All that reads RLP which strangers wrote.
const PARSERS: [Parser; 8] = [
    ("envelope", |bytes| Envelope::decode(bytes).is_ok()),
    ("envelopes", |bytes| packet::check_messages(bytes).is_ok()),
    ("status", |bytes| Status::decode(bytes).is_ok()),
    ("rating", |bytes| packet::decode_min_rating(bytes).is_ok()),
    ("bloom", |bytes| packet::decode_bloom(bytes).is_ok()),
    ("direct", |bytes| packet::decode_direct(bytes).is_ok()),
    ("acknowledgement", |bytes| packet::decode_acknowledgement(bytes).is_ok()),
    ("response", |bytes| packet::decode_response(bytes, 1_024).is_ok()),
];

#[test]
fn a1_a_header_that_claims_gigabytes_gets_no_memory() {
    for bomb in bombs() {
        for inside in [false, true] {
            for filler in [0, 60_000] {
                let mut bytes = bomb.clone();
                bytes.resize(bomb.len() + filler, 0);
                if inside {
                    let mut writer = Writer::new();
                    writer.list(|list| _ = list.raw(&bytes));
                    bytes = writer.into_bytes();
                }
                for (name, read) in &PARSERS {
                    let mut taken = true;
                    let spent = measure(|| taken = read(&bytes)).bytes_total;
                    assert!(!taken, "{name} takes {bomb:02x?}");
                    assert!(spent <= bytes.len() as u64 + 4_096, "{name}: {spent} bytes");
                }
            }
        }
    }
}

/// Headers of nine bytes or less which claim 2^32 bytes and more, as far as their width allows.
fn bombs() -> impl Iterator<Item = Vec<u8>> {
    let firsts = (0xf8..=0xff).chain(0xb8..=0xbf);
    let claims = [1 << 32, (1 << 32) - 1, 1 << 48, 1 << 63, u64::MAX];
    firsts.flat_map(move |first: u8| {
        let width = usize::from((first & 7) + 1);
        claims.into_iter().map(move |claim: u64| {
            let shifted = claim.checked_shl(64 - 8 * width as u32).unwrap_or(0);
            let claim = if shifted >> 56 == 0 { u64::MAX } else { shifted };
            [&[first], &claim.to_be_bytes()[..width]].concat()
        })
    })
}

#[test]
fn a2_a_list_ten_thousand_deep_is_refused_on_a_small_stack() {
    let deep = [&[0xc1; 10_000][..], &[0xc0]].concat();
    on_a_small_stack(move || {
        for (name, read) in &PARSERS {
            assert!(!read(&deep), "{name}");
        }
        // Behind what must be there, a status may hold anything: nobody descends into it.
        let mut writer = Writer::new();
        writer.list(|list| _ = list.uint(6).uint(0).bytes(&[]).bool(false).bool(true).raw(&deep));
        assert!(Status::decode(writer.as_bytes()).is_ok());
        let mut node = node(Rating::ZERO, &[ALICE]);
        let _ = node.handle(NOW, received(ALICE, code::MESSAGES, &deep)).count();
        assert_eq!(node.peers().count(), 0);
    });
}

#[test]
fn a2_lists_that_hold_each_other_in_full_are_refused_on_a_small_stack() {
    let mut deep = vec![0xc0];
    for _ in 0..2_000 {
        let mut writer = Writer::new();
        writer.list(|list| _ = list.raw(&deep));
        deep = writer.into_bytes();
    }
    on_a_small_stack(move || {
        assert!(PARSERS.iter().all(|(_, read)| !read(&deep)));
    });
}

fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(64 * 1_024).spawn(run).expect("a thread");
    thread.join().expect("it ends well");
}

/// The five items of an envelope, each as it is encoded.
fn items() -> [Vec<u8>; 5] {
    let encoded = |fill: fn(&mut Writer)| {
        let mut writer = Writer::new();
        fill(&mut writer);
        writer.into_bytes()
    };
    [
        encoded(|item| _ = item.uint(1_600_000_050)),
        encoded(|item| _ = item.uint(50)),
        encoded(|item| _ = item.bytes(&[1, 2, 3, 4])),
        encoded(|item| _ = item.bytes(&[9; 60])),
        encoded(|item| _ = item.uint(1 << 40)),
    ]
}

/// An envelope of which the item `at` is replaced.
fn with(at: usize, item: &[u8]) -> Vec<u8> {
    let mut items = items();
    items[at] = item.to_vec();
    list_of(&items)
}

fn list_of(items: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.list(|list| items.iter().for_each(|item| _ = list.raw(item)));
    writer.into_bytes()
}

#[test]
fn a3_integers_and_strings_have_one_form() {
    assert!(Envelope::decode(&list_of(&items())).is_ok());
    // A leading zero, zero as a byte, a small byte with a prefix, a short string in the long form.
    let forms: [&[u8]; 6] =
        [&[0x00], &[0x82, 0, 1], &[0x81, 0], &[0x81, 5], &[0xb8, 1, 0x80], &[0xb9, 0, 1, 0x80]];
    for at in [0, 1, 4] {
        for form in forms {
            let read = Envelope::decode(&with(at, form));
            assert_eq!(read, Err(DecodeError::NonCanonical), "item {at}: {form:02x?}");
        }
    }
    let topic: [&[u8]; 2] = [&[0xb8, 4, 1, 2, 3, 4], &[0xb9, 0, 4, 1, 2, 3, 4]];
    let data = [&[0x81, 0x7f][..], &[0xb8, 1, 0x80], &[0xb9, 0, 60]];
    let data: Vec<_> = data.iter().map(|form| [form, &[9; 60][..]].concat()).collect();
    for form in topic {
        assert_eq!(Envelope::decode(&with(2, form)), Err(DecodeError::NonCanonical));
    }
    for form in &data {
        assert!(Envelope::decode(&with(3, form)).is_err(), "{form:02x?}");
    }
    let long_list = [&[0xf9, 0][..], &list_of(&items())[1..]].concat();
    assert_eq!(Envelope::decode(&long_list), Err(DecodeError::NonCanonical));
}

/// The reference itself is asked in `geth`, which needs Go.
#[test]
fn a3_every_envelope_with_one_byte_changed_is_judged_as_by_a_second_reader() {
    let bytes = list_of(&items());
    let mut taken = 0;
    for at in 0..bytes.len() {
        for value in 0..=255 {
            let mut changed = bytes.clone();
            changed[at] = value;
            let read = Envelope::decode(&changed).is_ok();
            assert_eq!(read, is_envelope(&changed), "{at}: {value:02x}");
            taken += usize::from(read);
        }
    }
    assert!(taken > bytes.len() && taken < 255 * bytes.len());
}

fn is_envelope(bytes: &[u8]) -> bool {
    let Some(((true, payload), [])) = naive::item(bytes) else { return false };
    match naive::items(payload).as_deref() {
        Some([expiry, ttl, (false, topic), (false, _), nonce]) => {
            naive::uint(*expiry, 4).and(naive::uint(*ttl, 4)).and(naive::uint(*nonce, 8)).is_some()
                && topic.len() == 4
        }
        _ => false,
    }
}

#[test]
fn a4_fields_that_are_too_wide_or_too_narrow_are_refused() {
    let wide = |width: usize| [&[0x80 + width as u8][..], &vec![1; width]].concat();
    for (at, most) in [(0, 4), (1, 4), (4, 8)] {
        assert!(Envelope::decode(&with(at, &wide(most))).is_ok());
        for width in most + 1..20 {
            let read = Envelope::decode(&with(at, &wide(width)));
            assert_eq!(read, Err(DecodeError::TooLarge), "item {at} of {width} bytes");
        }
    }
    for width in (2..20).filter(|width| *width != 4) {
        let read = Envelope::decode(&with(2, &wide(width)));
        assert_eq!(read, Err(DecodeError::WrongLength), "topic of {width} bytes");
    }
}

#[test]
fn a5_an_envelope_is_exactly_one_list_of_exactly_five_items() {
    let items = items();
    let whole = list_of(&items);
    for count in [0, 1, 2, 3, 4] {
        assert_eq!(Envelope::decode(&list_of(&items[..count])), Err(DecodeError::Missing));
    }
    let six = [&items[..], &[vec![0x80]]].concat();
    assert_eq!(Envelope::decode(&list_of(&six)), Err(DecodeError::Trailing));
    for behind in [&[0x80][..], &[0xc0], &[0x00], &whole] {
        let bytes = [&whole, behind].concat();
        assert_eq!(Envelope::decode(&bytes), Err(DecodeError::Trailing), "{behind:02x?}");
    }
    assert_eq!(Envelope::decode(&[0xc0]), Err(DecodeError::Missing));
    assert_eq!(Envelope::decode(&[0x80]), Err(DecodeError::UnexpectedString));
    // One that is refused spoils the packet it is in.
    for bad in [&list_of(&items[..4]), &list_of(&six), &vec![0xc0], &vec![0x80]] {
        let packet = list_of(&[whole.clone(), bad.clone(), whole.clone()]);
        assert!(packet::check_messages(&packet).is_err());
    }
}

const NOW: Timestamp = Timestamp::from_secs(1_600_000_000);
const ALICE: PeerId = PeerId::new(1);
const BOB: PeerId = PeerId::new(2);

fn node(min_rating: Rating, peers: &[PeerId]) -> Node {
    let mut node = Node::new(Config { min_rating, budgets: None, ..Config::default() }, [7; 32]);
    let status = Status {
        min_rating: Rating::ZERO,
        bloom: None,
        light: false,
        acknowledges: false,
        stems: false,
    }
    .encode();
    for peer in peers {
        let connected = Input::Connected {
            peer: *peer,
            direction: Direction::Inbound,
            network: Network::Alone(*peer),
        };
        let _ = node.handle(NOW, connected).count();
        let _ = node.handle(NOW, received(*peer, code::STATUS, &status)).count();
    }
    node
}

const fn received(peer: PeerId, code: u8, payload: &[u8]) -> Input<'_> {
    Input::Received { peer, code, payload }
}

fn letters(count: u32, data: &[u8]) -> Vec<Arc<Envelope>> {
    let letter = |number: u32| {
        let topic = Topic::new(number.to_be_bytes());
        let draft = Draft::new(NOW, Duration::from_secs(10), topic, data.to_vec());
        Arc::new(draft.expect("a good draft").seal(0))
    };
    (0..count).map(letter).collect()
}

fn admitted(outputs: &[Output], from: PeerId) -> usize {
    let is = |output: &&Output| matches!(output, Output::Event(Event::Admitted { from: by, .. }) if *by == Some(from));
    outputs.iter().filter(is).count()
}

#[test]
fn a6_twenty_thousand_envelopes_in_one_packet_hold_up_nobody() {
    let mut node = node(Rating::ZERO, &[ALICE, BOB]);
    let dust = packet::encode_messages(&letters(20_000, &[]));
    let outputs: Vec<_> = node.handle(NOW, received(ALICE, code::MESSAGES, &dust)).collect();
    let mut judged = admitted(&outputs, ALICE);
    assert_eq!(judged, 1_024);

    let honest = letters(100, b"honest");
    let (mut steps, mut now) = (0, NOW);
    while let Some(due) = node.poll_timeout().filter(|_| judged < 20_000) {
        now = due;
        let outputs: Vec<_> = node.handle(now, Input::Timeout).collect();
        assert!(admitted(&outputs, ALICE) <= 1_024);
        judged += admitted(&outputs, ALICE);
        // A peer that sends meanwhile is judged at once, and what it sends is relayed in that step.
        let letter = packet::encode_messages(&honest[steps..=steps]);
        let outputs: Vec<_> = node.handle(now, received(BOB, code::MESSAGES, &letter)).collect();
        assert_eq!(admitted(&outputs, BOB), 1);
        assert!(outputs.iter().all(|output| !matches!(output, Output::Throttle(BOB, _))));
        steps += 1;
    }
    assert_eq!(judged, 20_000);
    assert!(steps <= 20 && now.saturating_since(NOW) < Duration::from_millis(100), "{steps}");
    assert_eq!(node.pool().len(), 20_000 + steps);
}

/// go-ethereum's `ValidateAndParse`, line by line; where it crashes, nothing.
fn validate_and_parse(raw: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut end = raw.len();
    let flags = *raw.first()?;
    if flags & 4 != 0 {
        end = end.checked_sub(65).filter(|end| *end > 1)?;
    }
    let size = usize::from(flags & 3);
    let (mut begin, mut payload) = (1, &raw[..0]);
    if size != 0 {
        let field = raw.get(begin..begin + size)?;
        let length = field.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        if length + 1 > end {
            return None;
        }
        begin += size;
        payload = raw.get(begin..begin + length)?;
        begin += length;
    }
    Some((payload, raw.get(begin..end)?))
}

#[test]
fn a8_plaintexts_of_every_shape_are_judged_as_by_the_reference() {
    let mut taken = 0;
    for flags in (0..=7).chain([0xf8, 0xff]) {
        for length in 0..140_usize {
            for field in [0, 1, 2, length / 2, length.saturating_sub(66), length, 255, 0xff_ffff] {
                let raw = plaintext(flags, length, field);
                let message = Message::parse(raw.clone(), Kind::Symmetric);
                // Some key comes out of nearly every signature; where none does, both refuse.
                let unsigned = flags & 4 == 0;
                let expected = validate_and_parse(&raw);
                match (&message, expected) {
                    (Ok(message), Some((payload, padding))) => {
                        assert_eq!((message.payload(), message.padding()), (payload, padding));
                        taken += 1;
                    }
                    (Err(error), expected) => {
                        let no_key = matches!(error, Malformed::Signature(_));
                        assert!(expected.is_none() || !unsigned && no_key, "{error}: {raw:02x?}");
                    }
                    (Ok(_), None) => panic!("the reference refuses {raw:02x?}"),
                }
            }
        }
    }
    assert!(taken > 1_000, "{taken}");
    assert!(Message::parse(Vec::new(), Kind::Symmetric).is_err());
}

/// `length` bytes which begin with these flags and this length field, little-endian.
fn plaintext(flags: u8, length: usize, field: usize) -> Vec<u8> {
    let mut raw = vec![1; length];
    let start = [&[flags], &field.to_le_bytes()[..usize::from(flags & 3)]].concat();
    let fits = start.len().min(length);
    raw[..fits].copy_from_slice(&start[..fits]);
    // A recovery id that may be.
    if let Some(last) = raw.last_mut().filter(|_| length > 60) {
        *last = 1;
    }
    raw
}

#[test]
fn a9_symmetric_data_shorter_than_29_bytes_does_not_open() {
    let key = SymmetricKey::from_bytes(&[1; 32]).expect("not zero");
    for length in 0..29 {
        assert_eq!(Message::open(&vec![7; length], &key), Err(DecryptError), "{length}");
    }
    // Not even where the tag is right: an empty plaintext is no message.
    let empty = key.aead().seal(&[], &mut rng(1));
    assert_eq!(empty.len(), AesGcm::OVERHEAD);
    assert_eq!(key.aead().open(&empty), Ok(Vec::new()));
    assert_eq!(Message::open(&empty, &key), Err(DecryptError));
    let shortest = key.aead().seal(&[0], &mut rng(1));
    assert_eq!((shortest.len(), Message::open(&shortest, &key).is_ok()), (29, true));
}

#[test]
fn a11_ecies_that_does_not_begin_with_04_does_not_open() {
    let bob = Identity::generate(&mut rng(2));
    let data = ecies::encrypt(&bob.public_key(), &[0, 1, 2], &[], &mut rng(3));
    assert!(Message::open_as(&data, &bob).is_ok());
    for first in (0..=255).filter(|first| *first != 4) {
        let mut changed = data.clone();
        changed[0] = first;
        assert_eq!(Message::open_as(&changed, &bob), Err(DecryptError), "{first:02x}");
    }
    // The point in its compressed form, where an attentive reader would find it.
    let y_is_odd = data[64] & 1;
    let compressed = [&[2 + y_is_odd], &data[1..33], &data[65..]].concat();
    assert_eq!(Message::open_as(&compressed, &bob), Err(DecryptError));
}
