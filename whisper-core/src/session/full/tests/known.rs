//! The known answers of Appendix C, byte for byte: two other programs gave them, in Rust and in Python.

use alloc::format;
use alloc::string::String;
use alloc::string::ToString;

use super::cast::Party;
use super::cast::alice;
use super::cast::bob;
use super::cast::label;
use super::cast::scalar;
use super::cast::seed;
use super::*;
use crate::hash::sha256;
use crate::session::full::packet::Frame;
use crate::session::full::ratchet::Turn;
use crate::session::full::session::State;
use crate::session::hours::epoch;

/// The lines of Appendix C.
fn known(name: &str) -> &'static str {
    let line = ANSWERS.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("no answer {name}"))
}

/// Length and hash, as Appendix C writes them.
fn digest(bytes: &[u8]) -> String {
    format!("{} sha256={}", bytes.len(), hex::encode(sha256(bytes)))
}

fn salt<const N: usize>() -> Vec<u8> {
    [0x5a; N].to_vec()
}

/// The nonces of a message, in the order in which they are tried.
fn nonces(message: char) -> impl Iterator<Item = Vec<u8>> {
    (1..200_u32).map(move |n| {
        let name = format!("WS1-KAT/nonce{message}").into_bytes();
        sha256(&[&name[..], &n.to_be_bytes()].concat())[..12].to_vec()
    })
}

fn invited(one_time: bool, tail: bool, text: &[u8]) -> Invited {
    let mut rng = Script::new([salt::<32>()]);
    let card = bob().card(one_time);
    alice().inviter(tail).invite(NOW, &card, one_time, &app(NOW, text), &mut rng).unwrap()
}

#[test]
fn the_keys_and_cards_of_appendix_c_are_those() {
    let [alice, bob] = [alice(), bob()];
    let dh = |party: &Party| hex::encode(party.dh.public_key().to_bytes());
    assert_eq!([dh(&alice), dh(&bob)], ["D_A", "D_B"].map(known));
    assert_eq!(hex::encode(alice.cert.to_bytes()), known("cert_A"));
    assert_eq!(hex::encode(bob.prekey.kem_hash()), known("H(K_B)"));
    assert_eq!(digest(&bob.card(false).to_bytes()), known("card_B_len"));
    assert_eq!(digest(&bob.card(true).to_bytes()), known("card_B_with_O_len"));
    let tail = alice.inviter(true).tail.unwrap();
    assert_eq!(hex::encode(tail), known("tail_A"));
}

#[test]
fn the_invitation_of_appendix_c_is_that_one() {
    let Invited { data, session, .. } = invited(false, true, b"hello");
    assert_eq!(hex::encode(&data[..32]), known("X(E)"));
    assert_eq!(hex::encode(&data[32..58]), known("c0"));
    assert_eq!(digest(&data), known("invite_len"));
    assert_eq!(session.id().to_string(), known("sid"));
    let State::Live(ratchet) = &session.state else { panic!("it is closing") };
    assert_eq!(hex::encode(ratchet.awaited.header.secret().expose()), known("NHK_B"));
    let Turn::Invited { own, .. } = &ratchet.turn else { panic!("something was sent") };
    assert_eq!(hex::encode(own.expose()), known("r_A"));
}

#[test]
fn the_invitation_with_a_one_time_key_of_appendix_c_is_that_one() {
    // Without a tail the same text goes into a larger class if it is asked for: here by its hash alone.
    let larger = Body { sent_at: NOW, content: Content::App(b"hello".to_vec()) };
    let card = bob().card(true);
    let party = alice();
    let inviter = party.inviter(false);
    let mut rng = Script::new([salt::<32>()]);
    let sealed = inviter.invite_as(4_096, NOW, &card, true, &larger, &mut rng).unwrap();
    assert_eq!(digest(&sealed.data), known("invite_O_4096_len"));
    assert_eq!(sealed.session.id().to_string(), known("sid_O"));
}

#[test]
fn the_five_messages_of_appendix_c_are_those() {
    let Invited { data, session: mut ours, .. } = invited(false, true, b"hello");
    let party = bob();
    let mut theirs = party.accept(NOW, &data).unwrap().session;
    let names = ["1 B>A", "2 A>B", "3 B>A mixes", "4 A>B", "5 B>A mixes"];
    let keys = ["rB", "rA2", "rB2", "rA3", "rB3"];
    let texts: [&[u8]; 5] = [b"ok", b"two", b"three", b"four", b"five"];
    for (n, (name, text)) in names.iter().zip(texts).enumerate() {
        let digit = char::from(b'1' + n as u8);
        let from_bob = n % 2 == 0;
        let (sender, receiver) =
            if from_bob { (&mut theirs, &mut ours) } else { (&mut ours, &mut theirs) };
        // What the sender draws: its key, Bob's next key of the KEM, the salt, nonces.
        let key = scalar(keys[n]).expose().to_vec();
        let offer = from_bob.then(|| seed(&format!("q{}", n / 2 + 1)));
        let draws = [key].into_iter().chain(offer).chain([salt::<16>()]).chain(nonces(digit));
        let sealed = sender.seal(NOW, &app(NOW, text), &mut Script::new(draws)).unwrap();
        assert_eq!(hex::encode(sealed.topic.as_bytes()), known(&format!("{name} topic")));
        assert_eq!(digest(&sealed.data), known(&format!("{name} data_len")), "{name}");
        // What Alice draws when a key comes.
        let coin = from_bob.then(|| label(&format!("m{}", n / 2 + 1)).to_vec());
        let place = Place { epoch: epoch(NOW), index: 0 };
        let chain = u32::try_from(n / 2).unwrap();
        let before = receiver.clone();
        let opened =
            receiver.open(NOW, chain, place, &sealed.data, &mut Script::new(coin)).unwrap();
        assert_eq!(opened.content, Some(Content::App(text.to_vec())));
        *receiver = opened.session;
        message_key_is_known(name, &before, chain, &sealed.data);
        if n == 2 || n == 4 {
            let State::Live(ratchet) = &receiver.state else { panic!("it is closing") };
            let root = hex::encode(ratchet.root.expose());
            assert_eq!(root, known(&format!("RK after {}", n + 1)));
        }
    }
}

/// Opens a packet step by step, with the state that has not seen it.
fn message_key_is_known(name: &str, session: &Session, chain: u32, data: &[u8]) {
    let State::Live(mut ratchet) = session.state.clone() else { panic!("it is closing") };
    let header = ratchet.awaited.header.clone();
    let place = Place { epoch: epoch(NOW), index: 0 };
    let frame = Frame { id: &session.id, key: &header, place };
    let peer = if name.contains("B>A") { Role::Responder } else { Role::Initiator };
    let packet = frame.open(data, peer).unwrap();
    let key = ratchet.take(NOW, &session.id, chain, (&packet.header, &packet.salt)).unwrap();
    assert_eq!(hex::encode(key.expose()), known(&format!("{name} mk")));
}

const ANSWERS: &str = include_str!("../../../../tests/vectors/session/appendix-c.txt");
