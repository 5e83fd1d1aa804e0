//! Any story at all.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::Item;
use whisper_core::ledger::Message;
use whisper_core::ledger::Question;
use whisper_core::ledger::Status;
use whisper_core::ledger::sync::Input;
use whisper_core::ledger::sync::Output;
use whisper_core::peer::PeerId;

use crate::forge::Host;
use crate::forge::identity;
use crate::forge::post;
use crate::single::Single;
use crate::single::longer;

#[derive(Clone, Debug)]
enum Step {
    Connect(u8),
    Disconnect(u8),
    Raw(u8, u8, Vec<u8>),
    Real(u8, usize),
    Written(u8, usize),
    Wait(u32),
}

fn arbitrary_step() -> impl Strategy<Value = Step> {
    let peer = 0u8..3;
    prop_oneof![
        2 => peer.clone().prop_map(Step::Connect),
        1 => peer.clone().prop_map(Step::Disconnect),
        1 => (peer.clone(), 0u8..32, vec(any::<u8>(), 0..200))
            .prop_map(|(p, c, b)| Step::Raw(p, c, b)),
        8 => (peer.clone(), 0usize..60).prop_map(|(p, m)| Step::Real(p, m)),
        1 => (peer, 0usize..1_000_000).prop_map(|(p, b)| Step::Written(p, b)),
        1 => (0u32..30_000).prop_map(Step::Wait),
    ]
}

/// Messages that mean something on a chain of forty blocks, right and wrong.
fn messages() -> &'static [Message] {
    static MESSAGES: std::sync::OnceLock<Vec<Message>> = std::sync::OnceLock::new();
    MESSAGES.get_or_init(|| {
        let (host, headers, blocks) = longer();
        let status = Status {
            genesis: host.ledger.params().genesis_id(),
            tip: host.ledger.tip().id,
            height: 40,
            work: host.ledger.tip().work,
        };
        let tx = post(host.ledger.params(), &identity(1), host.time() + 7_000, "hello");
        let mut all = vec![Message::Status(status); 8];
        all.extend([
            Message::Headers(headers.clone()),
            Message::Headers(headers[..10].to_vec()),
            Message::Headers(headers[20..].to_vec()),
            Message::Headers(Vec::new()),
            Message::GetHeaders { locator: host.ledger.headers().locator(), stop: BlockId::NONE },
            Message::GetBlocks(host.disk.chain[..16].to_vec()),
            Message::Inv(vec![Item::Tx(tx.id()), Item::Block(host.ledger.tip().id)]),
            Message::GetTxs(vec![tx.id()]),
            Message::Tx(tx.as_bytes().to_vec()),
            Message::GetProof(Question::Tx(host.ledger.tip().id, tx.id())),
            Message::GetProof(Question::Name(headers[0].parent, "alice".parse().unwrap())),
            Message::NotFound(Item::Block(host.disk.chain[0])),
        ]);
        all.extend(blocks.iter().map(|block| Message::Block(block.bytes().to_vec())));
        all
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Laws 1, 2 and 4: the same steps give the same outputs, the next deadline always lies ahead,
    /// and no packet makes the node panic.
    #[test]
    fn any_story_is_quiet_ahead_and_repeatable(story in vec(arbitrary_step(), 0..120)) {
        let host = Host::regtest();
        let (mut first, mut second) = (Single::new(&host), Single::new(&host));
        for step in story {
            let outputs = play(&mut first, &step);
            prop_assert_eq!(outputs, play(&mut second, &step));
        }
        prop_assert_eq!(first.node.ledger().tip(), second.node.ledger().tip());
    }
}

fn play(single: &mut Single, step: &Step) -> Vec<Output> {
    let peer = |number: &u8| PeerId::new(u64::from(*number));
    match step {
        Step::Connect(number) => single.step(Input::Connected(peer(number))),
        Step::Disconnect(number) => single.step(Input::Disconnected(peer(number))),
        Step::Raw(number, code, payload) => {
            single.step(Input::Received { peer: peer(number), code: *code, payload })
        }
        Step::Real(number, message) => {
            let all = messages();
            single.say(peer(number), all[message % all.len()].clone())
        }
        Step::Written(number, bytes) => {
            single.step(Input::Written { peer: peer(number), bytes: *bytes })
        }
        Step::Wait(millis) => {
            single.now = single.now.saturating_add(Duration::from_millis(u64::from(*millis)));
            single.step(Input::Timeout)
        }
    }
}
