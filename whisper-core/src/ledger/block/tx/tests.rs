use alloc::string::String;
use alloc::vec;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use proptest::prelude::*;

use super::*;
use crate::identity::Identity;
use crate::ledger::block::signature::SigCheck;
use crate::ledger::mining::draft::TxDraft;
use crate::ledger::rules::params::Params;
use crate::time::Timestamp;

fn author() -> Identity {
    Identity::generate(&mut ChaCha20Rng::from_seed([1; 32]))
}

fn draft(payload: &Payload<'_>) -> Result<TxDraft, TxError> {
    let expiry = Timestamp::from_secs(1_000);
    TxDraft::new(&Params::regtest(), &author().public_key(), expiry, payload)
}

fn signed(payload: &Payload<'_>) -> Tx {
    let draft = draft(payload).unwrap();
    let nonce = draft.find(0..u64::MAX).unwrap();
    draft.sign(nonce, &author()).unwrap()
}

fn post(text: &str) -> Payload<'_> {
    Payload::Post(BoardPost { topic: Topic::new([1, 2, 3, 4]), parent: None, text })
}

#[test]
fn what_is_signed_reads_back() {
    let register = Register {
        operation: Operation::Claim,
        seq: 0,
        next: NextKey::NONE,
        name: "alice".parse().unwrap(),
    };
    let answer =
        BoardPost { topic: Topic::default(), parent: Some(TxId::new([7; 32])), text: "ä" };
    let anchor = Anchor { count: 1, root: [9; 32] };
    let payloads = [
        post("hello"),
        Payload::Post(answer),
        Payload::Register(register),
        Payload::Anchor(anchor),
    ];
    for payload in payloads {
        let tx = signed(&payload);
        let again = Tx::decode(tx.as_bytes(), Params::regtest().chain_tag()).unwrap();
        assert_eq!(again.payload(), Ok(payload));
        assert_eq!((again.id(), again.expiry()), (tx.id(), 1_000));
        assert_eq!(again.author(), author().public_key().to_compressed());
        assert!(SigCheck::of(&again).verify().is_ok());
    }
}

#[test]
fn a_draft_refuses_what_no_block_could_hold() {
    let long = "x".repeat(BoardPost::TEXT_MAX + 1);
    assert_eq!(draft(&post("")).unwrap_err(), TxError::PostShort);
    let answer = BoardPost { topic: Topic::default(), parent: Some(TxId::new([7; 32])), text: "" };
    assert_eq!(draft(&Payload::Post(answer)).unwrap_err(), TxError::PostEmpty);
    assert_eq!(draft(&post(&long)).unwrap_err(), TxError::PostLong);
    let nothing = Payload::Anchor(Anchor { count: 0, root: [0; 32] });
    assert_eq!(draft(&nothing).unwrap_err(), TxError::AnchorCount);
    let late = Timestamp::from_secs(u64::from(u32::MAX) + 1);
    let key = author().public_key();
    let refused = TxDraft::new(&Params::regtest(), &key, late, &post("x"));
    assert_eq!(refused.unwrap_err(), TxError::Expiry);
}

#[test]
fn only_its_author_signs_a_draft_and_only_with_work() {
    let draft = draft(&post("hello")).unwrap();
    let nonce = draft.find(0..u64::MAX).unwrap();
    let other = Identity::generate(&mut ChaCha20Rng::from_seed([2; 32]));
    assert_eq!(draft.sign(nonce, &other), Err(TxError::Author));
    let idle = (0..).find(|nonce| draft.find(*nonce..nonce + 1).is_none()).unwrap();
    assert_eq!(draft.sign(idle, &author()), Err(TxError::Work));
}

#[test]
fn a_transaction_of_another_network_has_another_id() {
    let tx = signed(&post("hello"));
    let elsewhere = Tx::decode(tx.as_bytes(), Params::test().chain_tag()).unwrap();
    assert_ne!(elsewhere.id(), tx.id());
    assert_eq!(SigCheck::of(&elsewhere).verify().unwrap_err(), TxError::Signature);
}

#[test]
fn short_and_long_transactions_are_refused() {
    let tx = signed(&post("x"));
    let short = &tx.as_bytes()[..110];
    assert_eq!(Tx::decode(short, Params::regtest().chain_tag()), Err(TxError::Size));
    let long = vec![1; Tx::MAX + 1];
    assert_eq!(Tx::decode(&long, Params::regtest().chain_tag()), Err(TxError::Size));
    // An empty payload is refused as such, not as a size.
    let empty = [&tx.as_bytes()[..39], &tx.as_bytes()[tx.as_bytes().len() - 72..]].concat();
    assert_eq!(Tx::decode(&empty, Params::regtest().chain_tag()), Err(TxError::PostShort));
    let claim = [&[1, 2], &empty[2..]].concat();
    assert_eq!(Tx::decode(&claim, Params::regtest().chain_tag()), Err(TxError::RegisterSize));
}

proptest! {
    #[test]
    fn any_text_reads_back(text in "\\PC{1,200}", parent: Option<[u8; 32]>) {
        let text: String = text;
        let parent = parent.map(TxId::new);
        let payload = Payload::Post(BoardPost { topic: Topic::default(), parent, text: &text });
        let tx = signed(&payload);
        prop_assert_eq!(tx.payload(), Ok(payload));
    }

    #[test]
    fn bytes_that_decode_are_kept_as_they_are(
        kind in 0u8..5,
        bytes in proptest::collection::vec(any::<u8>(), 100..300),
    ) {
        let bytes = [&[1, kind][..], &bytes].concat();
        if let Ok(tx) = Tx::decode(&bytes, Params::regtest().chain_tag()) {
            prop_assert_eq!(tx.as_bytes(), bytes);
            prop_assert!(tx.payload().is_ok());
        }
    }
}
