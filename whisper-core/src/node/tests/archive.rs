//! Requests to an archive, and its answers.

use super::*;

#[test]
fn requests_are_looked_at_only_where_an_archive_is_kept() {
    let request = letter(1).encode();
    let mut node = node_with(config(), &[ALICE]);
    assert_eq!(receive(&mut node, NOW, ALICE, code::REQUEST, &request), []);
    assert_eq!(receive(&mut node, NOW, ALICE, code::REQUEST, b"nonsense"), []);

    let mut node = node_with(Config { takes_requests: true, ..config() }, &[ALICE, BOB]);
    let envelope = Arc::new(letter(1));
    let outputs = receive(&mut node, NOW, ALICE, code::REQUEST, &request);
    assert_eq!(outputs, [Output::Event(Event::Requested { envelope, by: ALICE })]);
    assert_eq!(node.pool().len(), 0);
    let outputs = receive(&mut node, NOW, ALICE, code::REQUEST, b"nonsense");
    assert!(matches!(outputs[..], [Output::Disconnect(ALICE, Violation::Malformed(_))]));
}

#[test]
fn an_answer_goes_out_in_one_packet_which_a_peer_that_trusts_us_takes() {
    let answer: Vec<_> = (0..20).map(|number| Arc::new(letter(number))).collect();
    let mut archive = node_with(config(), &[BOB]);
    let outputs: Vec<_> = archive.send_direct_all(NOW, BOB, &answer).unwrap().collect();
    let packet = sent_to(&outputs, BOB, code::DIRECT).remove(0);

    let mut client = node_with(config(), &[ALICE]);
    assert!(client.set_trusted(NOW, ALICE, true).is_ok());
    let taken = receive(&mut client, NOW, ALICE, code::DIRECT, &packet);
    let expected = answer.into_iter().map(|envelope| Event::Direct { envelope, from: ALICE });
    assert_eq!(taken, expected.map(Output::Event).collect::<Vec<_>>());
}

#[test]
fn an_answer_that_fits_into_no_packet_is_refused() {
    let config = Config { max_message_size: 2_000, ..config() };
    let mut archive = node_with(config, &[BOB]);
    let answer: Vec<_> = (0..9).map(|number| Arc::new(large_letter(number))).collect();
    let refused = archive.send_direct_all(NOW, BOB, &answer).map(|_| ());
    assert_eq!(refused, Err(SettingError::TooLarge { max: 2_000 }));
    let unknown = archive.send_direct_all(NOW, ALICE, &answer[..1]).map(|_| ());
    assert_eq!(unknown, Err(SettingError::UnknownPeer));
}
