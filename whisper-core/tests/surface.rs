//! What users and logs see of the types: which cross threads, and that those with secrets print
//! none.

mod support;

use core::fmt::Debug;
use core::time::Duration;
use std::sync::Arc;

use whisper_core::crypto::DecryptError;
use whisper_core::crypto::Secret;
use whisper_core::crypto::aead::AesGcm;
use whisper_core::crypto::chacha20_poly1305::SingleUseKey;
use whisper_core::crypto::curve::InvalidKey;
use whisper_core::crypto::curve::InvalidSignature;
use whisper_core::crypto::curve::PublicKey;
use whisper_core::crypto::curve::SecretKey;
use whisper_core::crypto::curve::Signature;
use whisper_core::crypto::ml_kem;
use whisper_core::crypto::ml_kem::DecapsulationKey;
use whisper_core::crypto::ml_kem::EncapsulationKey;
use whisper_core::crypto::x_only::XOnlyPublicKey;
use whisper_core::crypto::x_only::XOnlySecretKey;
use whisper_core::crypto::xchacha20_poly1305::XChaCha;
use whisper_core::envelope::Draft;
use whisper_core::envelope::Envelope;
use whisper_core::envelope::EnvelopeError;
use whisper_core::envelope::EnvelopeHash;
use whisper_core::hash::Keccak;
use whisper_core::identity::Identity;
use whisper_core::identity::SymmetricKey;
use whisper_core::inbox::Counts;
use whisper_core::inbox::Delivery;
use whisper_core::inbox::Filter;
use whisper_core::inbox::FilterId;
use whisper_core::inbox::Inbox;
use whisper_core::inbox::Key;
use whisper_core::inbox::KeyName;
use whisper_core::inbox::Received;
use whisper_core::mailbox;
use whisper_core::mailbox::AccountError;
use whisper_core::mailbox::Arrival;
use whisper_core::mailbox::Backlog;
use whisper_core::mailbox::Mailbox;
use whisper_core::mailbox::Review;
use whisper_core::mailbox::Reviewer;
use whisper_core::mailbox::Step;
use whisper_core::mailbox::StepError;
use whisper_core::message::Kind;
use whisper_core::message::Malformed;
use whisper_core::message::Message;
use whisper_core::message::MessageError;
use whisper_core::message::Padding;
use whisper_core::message::Recipient;
use whisper_core::message::encrypt;
use whisper_core::node::Budget;
use whisper_core::node::Budgets;
use whisper_core::node::Config;
use whisper_core::node::Departure;
use whisper_core::node::Direction;
use whisper_core::node::Event;
use whisper_core::node::Input;
use whisper_core::node::Node;
use whisper_core::node::Output;
use whisper_core::node::Outputs;
use whisper_core::node::PeerInfo;
use whisper_core::node::Rejection;
use whisper_core::node::SettingError;
use whisper_core::node::Violation;
use whisper_core::packet::Response;
use whisper_core::packet::Status;
use whisper_core::packet::StatusError;
use whisper_core::peer::PeerId;
use whisper_core::pool::Entry;
use whisper_core::pool::Gone;
use whisper_core::pool::Inserted;
use whisper_core::pool::Limits;
use whisper_core::pool::Origin;
use whisper_core::pool::Pool;
use whisper_core::pool::PoolError;
use whisper_core::pool::Slot;
use whisper_core::pow::InvalidRating;
use whisper_core::pow::Rating;
use whisper_core::pow::Search;
use whisper_core::pow::Work;
use whisper_core::rlp::DecodeError;
use whisper_core::rlp::Reader;
use whisper_core::rlp::Writer;
use whisper_core::session::Batch;
use whisper_core::session::BatchId;
use whisper_core::session::Ended;
use whisper_core::session::InvitationError;
use whisper_core::session::InviteOptions;
use whisper_core::session::MessageName;
use whisper_core::session::MessageOrder;
use whisper_core::session::OpenError;
use whisper_core::session::Outgoing;
use whisper_core::session::Record;
use whisper_core::session::RecordKey;
use whisper_core::session::RestoreError;
use whisper_core::session::Role;
use whisper_core::session::SessionError;
use whisper_core::session::SessionEvent;
use whisper_core::session::SessionId;
use whisper_core::session::SessionInfo;
use whisper_core::session::SessionKind;
use whisper_core::session::SessionOutput;
use whisper_core::session::SessionState;
use whisper_core::session::SessionTtl;
use whisper_core::session::Sessions;
use whisper_core::session::card::CardSettings;
use whisper_core::session::card::Cert;
use whisper_core::session::full;
use whisper_core::session::prekeys::Prekeys;
use whisper_core::time::Timestamp;
use whisper_core::topic::Bloom;
use whisper_core::topic::InvalidTopic;
use whisper_core::topic::Topic;

/// Does not compile for what is bound to one thread.
fn crosses<T: Send + Sync>() {}

macro_rules! cross {
    ($name:ident: $($type:ty),* $(,)?) => {
        #[test]
        fn $name() {
            $(crosses::<$type>();)*
        }
    };
}

cross!(
    the_ground_crosses_threads:
    DecodeError, DecryptError, Keccak, PeerId, Reader<'_>, Timestamp, Writer
);
cross!(
    keys_cross_threads:
    AesGcm, DecapsulationKey, EncapsulationKey, Identity, InvalidKey, InvalidSignature, PublicKey,
    Secret<32>, SecretKey, Signature, SingleUseKey, SymmetricKey, XChaCha, XOnlyPublicKey,
    XOnlySecretKey, ml_kem::InvalidKey
);
cross!(
    envelopes_cross_threads:
    Bloom, Draft, Envelope, EnvelopeError, EnvelopeHash, InvalidRating, InvalidTopic, Rating,
    Search, Topic, Work
);
cross!(
    messages_cross_threads:
    Counts, Delivery, Filter, FilterId, Inbox, Key, KeyName, Kind, Malformed, Message,
    MessageError, Padding<'_>, Received, Recipient<'_>
);
cross!(
    sessions_cross_threads:
    Batch, BatchId, Ended, InvitationError, InviteOptions, MessageName, MessageOrder, OpenError,
    Outgoing, Record, RecordKey, RestoreError, Role, SessionError, SessionEvent, SessionId,
    SessionInfo, SessionKind, SessionOutput, SessionState, SessionTtl, Sessions
);
cross!(
    full_sessions_cross_threads:
    full::Accepted, full::Body, full::Caller<'_>, full::Chunk, full::Content, full::Host<'_>,
    full::InviteError, full::Invited, full::Inviter<'_>, full::Knock<'_>, full::KnockError,
    full::OpenFailure, full::Opened, full::Refused, full::Resent, full::Rounds, full::SealError,
    full::Sealed, full::Session
);
cross!(
    mailboxes_cross_threads:
    AccountError, Arrival, Backlog, Mailbox, Review, Reviewer, Step, StepError, mailbox::Config,
    mailbox::Limits, mailbox::Output
);
cross!(
    the_pool_crosses_threads:
    Entry, Gone, Inserted, Limits, Origin, Pool, PoolError, Slot
);
cross!(
    the_node_crosses_threads:
    Budget, Budgets, Config, Departure, Direction, Event, Input<'_>, Node, Output, Outputs<'_>,
    PeerInfo, Rejection, Response, SettingError, Status, StatusError, Violation
);

/// 0x41 is `A` and 65: whatever way it is printed, it is found.
const KEY: [u8; 32] = [0x41; 32];

#[test]
fn c14_what_holds_a_key_prints_none_of_it() {
    let secret = || Secret::<32>::from_slice(&KEY).expect("32 bytes");
    let secret_key = || SecretKey::from_bytes(&KEY).expect("a valid key");
    assert_prints(&secret(), "Secret(..)");
    assert_prints(&secret_key(), "SecretKey(Secret(..))");
    assert_prints(&AesGcm::new(&secret()), "AesGcm(..)");
    assert_prints(&SingleUseKey::new(&KEY), "SingleUseKey(..)");
    assert_prints(&XChaCha::new(secret()), "XChaCha(..)");
    let agreeing = XOnlySecretKey::from_secret(secret()).expect("a valid key");
    assert_prints(&agreeing, "XOnlySecretKey(SecretKey(Secret(..)))");
    let seed = Secret::fill_with(|own| own.fill(0x41));
    assert_prints(&DecapsulationKey::from_secret(seed), "DecapsulationKey(Secret(..))");
    let symmetric = SymmetricKey::from_bytes(&KEY).expect("not zero");
    assert_prints(&symmetric, "SymmetricKey(..)");
    assert_prints(&Recipient::Symmetric(&symmetric), "Symmetric(SymmetricKey(..))");
    let key = Key::from(Arc::new(symmetric));
    assert_silent(&key);
    let identity = Identity::from_secret(secret_key());
    let public = identity.public_key().to_string();
    assert_prints(&identity, &format!("Identity {{ public: PublicKey({public}), .. }}"));
    assert_prints(&identity.sign(&[1; 32]), "Signature(..)");
}

#[test]
fn c14_sessions_print_nothing_of_their_keys_and_of_what_is_said() {
    let mut rng = support::rng(1);
    let now = Timestamp::from_secs(1_750_000_000);
    let peer = Identity::generate(&mut rng).public_key();
    let own = Identity::from_secret(SecretKey::from_bytes(&KEY).expect("a valid key"));
    let mut sessions = Sessions::new(Arc::new(own), now);
    let text = core::str::from_utf8(&KEY).ok();
    let step = sessions.invite(now, peer, InviteOptions::default(), text, &mut rng);
    let step = step.expect("a good invitation");
    step.iter().for_each(|output| assert_silent(output));
    for output in sessions.stored_at_once(now, step) {
        assert_silent(&output);
    }
    assert_silent(&sessions);
}

#[test]
fn c14_full_sessions_print_nothing_of_their_keys_and_of_what_is_said() {
    let mut rng = support::rng(1);
    let now = Timestamp::from_secs(1_750_000_000);
    let dh = XOnlySecretKey::from_bytes(&KEY).expect("a valid key");
    let [alice, bob] = [(); 2].map(|()| Identity::generate(&mut rng));
    let prekeys = Prekeys::new(now, &mut rng);
    let cert = Cert::sign(now, &bob, &dh.public_key());
    let card = prekeys.card(&bob, &cert, CardSettings::default());
    let own = XOnlySecretKey::generate(&mut rng);
    let inviter = full::Inviter {
        dh: &own,
        cert: &Cert::sign(now, &alice, &own.public_key()),
        kem: prekeys.newest().kem(),
        tail: None,
    };
    let body = full::Body { sent_at: now, content: full::Content::App(KEY.to_vec()) };
    assert_silent(&body.content);
    let invited = inviter.invite(now, &card, false, &body, &mut rng).expect("a good card");
    assert_silent(&invited.session);
    let host = full::Host { identity: bob.public_key(), dh: &dh };
    let accepted = host.look(&invited.data).expect("it is for Bob");
    let accepted = accepted.identify(now, prekeys.newest(), None).expect("it is Alice's");
    let accepted = accepted.open(now).expect("it is right");
    let text = format!("{:?}", accepted.session);
    let id = accepted.session.id();
    let created_at = Timestamp::from_secs(1_750_000_000);
    assert_eq!(
        text,
        format!("Session {{ id: {id:?}, role: Responder, created_at: {created_at:?}, .. }}")
    );
    assert_eq!(
        format!("{:?}", accepted.body.expect("a text").content),
        "Content(kind 0, 32 bytes)"
    );
}

#[test]
fn c14_a_mailbox_prints_nothing_of_its_keys_and_of_what_is_said() {
    let mut rng = support::rng(1);
    let now = Timestamp::from_secs(1_750_000_000);
    let peer = Identity::generate(&mut rng).public_key();
    let own = Identity::from_secret(SecretKey::from_bytes(&KEY).expect("a valid key"));
    let account = own.public_key();
    let waiting = mailbox::Limits::waiting(1 << 20);
    let mut mailbox = Mailbox::new(mailbox::Config { waiting, persists: true });
    mailbox.open_account(now, Arc::new(own)).expect("the first account");
    let text = String::from_utf8(KEY.into()).expect("letters");
    let invite = Step::Invite { peer, options: InviteOptions::default(), text };
    assert_prints(&invite, "Invite");
    let outputs = mailbox.step(now, &account, invite, &mut rng).expect("a good invitation");
    outputs.iter().for_each(assert_silent);
    assert_prints(&mailbox, "Mailbox { accounts: 1, filters: 1, .. }");
}

#[test]
fn c14_a_hash_that_runs_prints_nothing_of_what_it_has_absorbed() {
    let mut hash = Keccak::new();
    hash.update(&KEY);
    assert_prints(&hash, "Keccak(..)");
    assert_prints(&Search::new(&KEY), "Search(NonceSearch(..))");
}

#[test]
fn c14_a_node_prints_nothing_of_what_seeds_it() {
    assert_silent(&Node::new(Config::default(), KEY));
}

#[test]
fn c14_an_inbox_prints_nothing_of_its_keys_and_messages() {
    let key = Arc::new(SymmetricKey::from_bytes(&KEY).expect("not zero"));
    let identity = Arc::new(Identity::from_secret(SecretKey::from_bytes(&KEY).expect("valid")));
    let mut inbox = Inbox::new();
    for filter in [Filter::new(Arc::clone(&key)), Filter::new(Arc::clone(&identity))] {
        assert_silent(&filter);
        inbox.add(filter);
    }
    let mut rng = support::rng(1);
    let recipient = Recipient::Symmetric(&key);
    let data = encrypt(&KEY, Padding::Given(&KEY), Some(&identity), recipient, &mut rng);
    let now = Timestamp::from_secs(1_600_000_000);
    let draft = Draft::new(now, Duration::from_secs(50), Topic::default(), data.expect("short"));
    let envelope = draft.expect("a good draft").seal(0);
    let delivery = inbox.open(&envelope, false, envelope.rating()).expect("it is for us");
    assert_silent(&delivery);
    assert_silent(&delivery.received.message);
    assert_silent(&inbox);
}

#[test]
fn an_envelope_prints_how_much_it_carries_and_not_what() {
    let now = Timestamp::from_secs(1_600_000_000);
    let topic = Topic::new([1, 2, 3, 4]);
    let draft = Draft::new(now, Duration::from_secs(50), topic, KEY.into()).expect("a good draft");
    assert_prints(
        &draft,
        "Draft { expiry: 1600000050, ttl: 50, topic: Topic([1, 2, 3, 4]), data: 32 bytes }",
    );
    assert_prints(
        &draft.seal(0),
        "Envelope { expiry: 1600000050, ttl: 50, topic: Topic([1, 2, 3, 4]), data: 32 bytes, \
         rating: Rating(0.00044444444444444447), .. }",
    );
}

#[track_caller]
fn assert_prints(value: &impl Debug, text: &str) {
    assert_eq!(format!("{value:?}"), text);
    assert_silent(value);
}

#[track_caller]
fn assert_silent(value: &impl Debug) {
    let folded: String = format!("{value:#?}").split_whitespace().collect();
    let text = format!("{value:?} {folded}");
    // As hex, as a list, as text, as integers of two, four and eight bytes.
    let leaks = ["4141", "65, 65", "65,65", "AAAA", "16705", "1094795585", "4702111234474983745"];
    for leak in leaks {
        assert!(!text.contains(leak), "{text}");
    }
}
