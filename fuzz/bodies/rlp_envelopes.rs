//! One envelope, a list of them, any RLP: what passes is canonical, and a second reader agrees.

mod naive;

use std::sync::Arc;

use whisper_core::envelope::Encoded;
use whisper_core::envelope::Envelope;
use whisper_core::packet;
use whisper_core::rlp::Reader;
use whisper_core::time::Timestamp;

pub(crate) fn run(data: &[u8]) {
    one(data);
    many(data);
    any(data);
}

fn one(data: &[u8]) {
    let expected = naive::item(data).filter(|(_, rest)| rest.is_empty()).map(|(item, _)| item);
    let expected = expected.and_then(fields);
    let Ok(envelope) = Envelope::decode(data) else {
        assert_eq!(expected, None, "refused");
        return;
    };
    let topic = envelope.topic();
    let read = Fields {
        expiry: envelope.expiry(),
        ttl: envelope.ttl(),
        topic: topic.as_bytes(),
        data: envelope.data(),
        nonce: envelope.nonce(),
    };
    assert_eq!(Some(read), expected);
    assert_eq!(envelope.encode(), data);
    assert_eq!(envelope.encoded_len(), data.len());
    assert_eq!(envelope.size(), envelope.data().len() + 20);
    assert!(envelope.short_len() < envelope.encoded_len());
    for now in [0, envelope.expiry(), u64::MAX / 1_000] {
        let rating = envelope.rating_at(Timestamp::from_secs(now));
        assert!(rating.as_f64().is_finite() && rating <= envelope.rating());
    }
}

fn many(data: &[u8]) {
    let expected = naive::item(data).and_then(|((list, payload), rest)| {
        let envelopes = naive::items(payload).filter(|_| list && rest.is_empty())?;
        envelopes.into_iter().map(fields).collect::<Option<Vec<_>>>()
    });
    let Ok(mut rest) = packet::check_messages(data) else {
        assert_eq!(expected, None, "refused");
        return;
    };
    let mut envelopes = Vec::new();
    while !rest.is_empty() {
        let mut again = rest;
        let envelope = Envelope::read(&mut rest).expect("the packet was checked");
        let encoded = Encoded::read(&mut again).expect("the packet was checked");
        assert_eq!(encoded.as_bytes(), envelope.encode());
        assert_eq!((encoded.expiry(), encoded.issued()), (envelope.expiry(), envelope.issued()));
        assert_eq!(encoded.to_envelope(envelope.hash()), envelope);
        assert_eq!(again.rest(), rest.rest());
        envelopes.push(Arc::new(envelope));
    }
    assert_eq!(Some(envelopes.len()), expected.map(|expected| expected.len()));
    assert_eq!(packet::encode_messages(&envelopes), data);
}

/// Walks along the items, into every list that comes, as deep as it goes.
fn any(data: &[u8]) {
    let mut reader = Reader::new(data);
    loop {
        let expected = naive::item(reader.rest());
        let (mut whole, mut list, mut bytes) = (reader, reader, reader);
        let raw = whole.raw();
        let inner = list.list();
        let string = bytes.bytes();
        let Some(((is_list, payload), rest)) = expected else {
            assert!(raw.is_err() && inner.is_err() && string.is_err());
            return;
        };
        assert!(raw.is_ok_and(|raw| raw.ends_with(payload)));
        assert_eq!(whole.rest(), rest);
        assert_eq!(inner.map(|inner| inner.rest()).ok(), is_list.then_some(payload));
        assert_eq!(string.ok(), (!is_list).then_some(payload));
        assert_eq!(reader.next_is_list(), is_list);
        reader = if is_list && !payload.is_empty() { Reader::new(payload) } else { whole };
    }
}

#[derive(Debug, Eq, PartialEq)]
struct Fields<'a> {
    expiry: u64,
    ttl: u64,
    topic: &'a [u8],
    data: &'a [u8],
    nonce: u64,
}

/// The envelope that an item is, if it is one.
fn fields((list, payload): naive::Item<'_>) -> Option<Fields<'_>> {
    let items = naive::items(payload).filter(|_| list)?;
    let [expiry, ttl, (false, topic), (false, data), nonce] = items[..] else { return None };
    Some(Fields {
        expiry: naive::uint(expiry, 4)?,
        ttl: naive::uint(ttl, 4)?,
        topic: Some(topic).filter(|topic| topic.len() == 4)?,
        data,
        nonce: naive::uint(nonce, 8)?,
    })
}
