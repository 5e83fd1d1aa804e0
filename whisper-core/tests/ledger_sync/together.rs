//! Nodes among nodes: they agree, heal, catch up and answer phones.

use std::time::Duration;

use whisper_core::ledger::ChainWork;
use whisper_core::ledger::Item;
use whisper_core::ledger::Keccak256;
use whisper_core::ledger::LightClient;
use whisper_core::ledger::Message;
use whisper_core::ledger::Name;
use whisper_core::ledger::NextKey;
use whisper_core::ledger::Operation;
use whisper_core::ledger::Params;
use whisper_core::ledger::Question;
use whisper_core::ledger::Status;
use whisper_core::ledger::sync::Event;
use whisper_core::ledger::sync::Input;
use whisper_core::ledger::sync::LightNode;
use whisper_core::ledger::sync::Output;
use whisper_core::peer::PeerId;

use crate::forge::Host;
use crate::forge::at;
use crate::forge::identity;
use crate::forge::post;
use crate::forge::register;
use crate::world::Kind;
use crate::world::LATENCY;
use crate::world::MINUTE;
use crate::world::World;
use crate::world::start;

#[test]
fn nodes_that_mine_against_each_other_agree_and_heal_after_a_partition() {
    let mut world = World::new(start());
    let host = Host::regtest();
    let nodes: Vec<usize> = (0..3).map(|_| world.add(&host)).collect();
    world.connect(0, 1);
    let bridge = world.connect(1, 2);
    world.submit(0, "before the split");
    for turn in 0..12 {
        world.mine(nodes[turn % 3]);
        world.run(MINUTE);
        assert!(world.agree(), "turn {turn}");
    }
    assert!(world.full(2).mempool().is_empty(), "what was posted stands in a block");
    world.disconnect(bridge);
    world.submit(2, "on the weaker side");
    for turn in 0..9 {
        world.mine(turn % 2);
        if turn % 2 == 0 {
            world.mine(2);
        }
        world.run(MINUTE);
    }
    assert!(!world.agree());
    let heavier = world.tip(0);
    world.connect(0, 2);
    world.run(MINUTE);
    assert!(world.agree() && world.tip(2) == heavier);
    let moved = world.events.iter().any(|(index, event)| {
        matches!(event, Event::Chain(update) if *index == 2 && update.disconnected.len() == 5)
    });
    assert!(moved, "the update says what was taken back");
    assert_eq!(world.full(2).mempool().len(), 1, "and what it held waits again");
    world.mine(2);
    world.run(MINUTE);
    assert!(world.agree() && world.full(0).mempool().is_empty());
    assert_eq!(world.cut, []);
}

/// A header costs its maker a block's work, and its body can be withheld for nothing: that must gain
/// no more than the block.
#[test]
fn a_block_whose_body_is_withheld_hides_no_other_of_its_height() {
    let host = Host::regtest();
    let mut world = World::new(start());
    let miners = [world.add(&host), world.add(&host)];
    world.connect(0, 1);
    let withheld = *host.next(60, &[]).header();
    let genesis = host.ledger.params().genesis_id();
    let (tip, work) = (withheld.id::<Keccak256>(), ChainWork::from(4));
    for (miner, ghost) in miners.into_iter().zip([1_000, 1_001].map(PeerId::new)) {
        world.step(miner, Input::Connected(ghost));
        world.hear(miner, ghost, Message::Status(Status { genesis, tip, height: 1, work }));
        world.hear(miner, ghost, Message::Headers(vec![withheld]));
        world.hear(miner, ghost, Message::NotFound(Item::Block(tip)));
        assert_eq!(world.full(miner).ledger().headers().tip().id, tip);
    }
    world.mine(0);
    world.run(MINUTE);
    assert!(world.tip(0) != genesis && world.agree(), "the other is told, and takes it");
    let late = world.add(&host);
    world.connect(late, 1);
    world.run(MINUTE);
    assert!(world.agree(), "and a newcomer is shown the chain that there are blocks of");
    world.mine(1);
    world.run(MINUTE);
    assert!(world.agree());
    assert_eq!(world.cut, []);
}

/// A node that changes to a heavier chain may be the only one there that knows what its own one held.
#[test]
fn what_leaves_the_chain_is_told_to_others_so_that_they_mine_it() {
    let host = Host::regtest();
    let mut world = World::new(start());
    for _ in 0..2 {
        world.add(&host);
    }
    world.submit(1, "on the weaker side");
    world.mine(1);
    for _ in 0..2 {
        world.mine(0);
        world.run(MINUTE);
    }
    world.connect(0, 1);
    world.run(MINUTE);
    assert!(world.agree());
    assert_eq!(world.full(0).mempool().len(), 1);
    world.mine(0);
    world.run(MINUTE);
    assert!(world.agree() && world.full(1).mempool().is_empty());
    assert_eq!(world.cut, []);
}

#[test]
fn a_new_node_fetches_two_thousand_blocks_from_all_who_have_them() {
    let mut host = Host::regtest();
    let params = Params::regtest();
    for number in 0..2_100u32 {
        let txs = (number % 50 == 0)
            .then(|| post(&params, &identity(1), host.time() + 900, &number.to_string()));
        host.grow(30, txs.as_slice());
    }
    let mut world = World::new(at(host.time() + 60));
    let nodes = [world.add(&host), world.add(&host), world.add(&Host::regtest())];
    world.connect(nodes[2], nodes[0]);
    world.connect(nodes[2], nodes[1]);
    world.run(Duration::from_secs(120));
    assert!(world.agree());
    assert_eq!(world.full(2).ledger().tip().height, 2_100);
    assert_eq!(world.full(2).ledger().directory().root(), host.ledger.directory().root());
    let Kind::Full(_, disk) = &world.nodes[2] else { panic!("a full node") };
    assert_eq!(disk.0.borrow().chain, host.disk.chain);
    assert_eq!(world.cut, []);
}

/// CH8: a branch that leaves more than 2,880 blocks back comes in when it has more work.
#[test]
fn ch8_a_node_changes_to_a_deep_branch_with_more_work() {
    let (mut weak, mut strong) = (Host::regtest(), Host::regtest());
    weak.grow_empty(2_950, 30);
    strong.grow_empty(3_000, 31);
    let mut world = World::new(at(strong.time() + 60));
    let nodes = [world.add(&weak), world.add(&strong), world.add(&weak)];
    world.connect(nodes[0], nodes[1]);
    world.connect(nodes[0], nodes[2]);
    world.run(Duration::from_secs(300));
    assert!(world.agree());
    assert_eq!(world.tip(0), strong.ledger.tip().id);
    assert_eq!(world.cut, []);
    let deep = world.events.iter().filter(|(_, event)| *event == Event::DeepReorg { depth: 2_950 });
    assert_eq!(deep.count(), 2);
}

#[test]
fn a_light_node_learns_a_key_without_a_block() {
    let mut host = Host::regtest();
    let params = Params::regtest();
    let claim = (Operation::Claim, 0, NextKey::NONE, "alice");
    let claim = register(&params, &identity(7), host.time() + 900, claim);
    host.grow(60, std::slice::from_ref(&claim));
    let block = host.ledger.tip().id;
    host.grow_empty(40, 60);
    let mut world = World::new(at(host.time() + 60));
    let full = world.add(&host);
    let client = LightClient::new(params).unwrap();
    world.nodes.push(Kind::Light(Box::new(LightNode::new(client))));
    world.connect(1, full);
    world.run(MINUTE);
    let tip = host.ledger.tip();
    assert!(world.events.contains(&(1, Event::Tip { id: tip.id, height: 41 })));
    let alice: Name = "alice".parse().unwrap();
    let questions = [
        Question::Name(tip.id, alice),
        Question::Name(tip.id, "nobody".parse().unwrap()),
        Question::Tx(block, claim.id()),
        Question::Tx(tip.id, claim.id()),
    ];
    let now = world.now;
    for question in questions {
        let Kind::Light(light) = &mut world.nodes[1] else { panic!("a light node") };
        let outputs: Vec<Output> = light.ask(now, question).collect();
        world.carry_out(1, outputs);
    }
    world.run(MINUTE);
    let mut answered = 0;
    for (_, event) in &world.events {
        match event {
            Event::Answered { question, proven, .. } => {
                assert_eq!(proven.confirmations, 42 - proven.height);
                assert!(questions[..3].contains(question));
                answered += 1;
            }
            Event::Unanswered(question) => assert_eq!(*question, questions[3]),
            _ => {}
        }
    }
    assert_eq!(answered, 3);
    assert_eq!(world.cut, []);
}

#[test]
fn a_peer_is_not_to_blame_for_a_proof_from_a_block_that_the_chain_has_left() {
    let (mut weak, mut strong) = (Host::regtest(), Host::regtest());
    weak.grow_empty(2, 60);
    strong.grow_empty(3, 61);
    let mut world = World::new(at(strong.time() + 60));
    let nodes = [world.add(&weak), world.add(&strong)];
    let client = LightClient::new(Params::regtest()).unwrap();
    world.nodes.push(Kind::Light(Box::new(LightNode::new(client))));
    world.connect(2, nodes[0]);
    world.run(MINUTE);
    let ask = |world: &mut World, question| {
        let now = world.now;
        let Kind::Light(light) = &mut world.nodes[2] else { panic!("a light node") };
        let outputs: Vec<Output> = light.ask(now, question).collect();
        world.carry_out(2, outputs);
    };
    let question = Question::Name(weak.ledger.tip().id, "alice".parse().unwrap());
    // The proof is under way while the other's headers come in.
    world.connect(2, nodes[1]);
    world.run(LATENCY * 2);
    ask(&mut world, question);
    world.run(MINUTE);
    let tip = strong.ledger.tip();
    let is_told = |event: &Event| world.events.iter().any(|(_, told)| told == event);
    assert!(is_told(&Event::Tip { id: tip.id, height: 3 }));
    assert!(is_told(&Event::Unanswered(question)));
    // Nor is one asked about a block that left before.
    let told = world.events.len();
    ask(&mut world, question);
    assert_eq!(world.events[told..], [(2, Event::Unanswered(question))]);
    assert_eq!(world.cut, []);
}
