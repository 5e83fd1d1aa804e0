//! One node, and what peers say to it.

use std::time::Duration;

use whisper_core::ledger::Block;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::Header;
use whisper_core::ledger::Message;
use whisper_core::ledger::Status;
use whisper_core::ledger::Unchecked;
use whisper_core::ledger::sync::Input;
use whisper_core::ledger::sync::Output;
use whisper_core::ledger::sync::Violation;
use whisper_core::peer::PeerId;
use whisper_core::time::Timestamp;

use crate::forge::Forge;
use crate::forge::Host;
use crate::forge::at;
use crate::world::Node;
use crate::world::node;

pub(crate) const PEER: PeerId = PeerId::new(1);

pub(crate) const OTHER: PeerId = PeerId::new(2);

pub(crate) struct Single {
    pub(crate) node: Node,
    pub(crate) now: Timestamp,
    /// Whether its peers take what it sends.
    pub(crate) taken: bool,
}

impl Single {
    pub(crate) fn new(host: &Host) -> Self {
        Self { node: node(host).0, now: at(host.time() + 10_000), taken: true }
    }

    pub(crate) fn step(&mut self, input: Input<'_>) -> Vec<Output> {
        let mut outputs: Vec<Output> = self.node.handle(self.now, input).collect();
        let mut at = 0;
        while let Some(output) = outputs.get(at).filter(|_| self.taken) {
            if let Some((peer, bytes)) = transmitted(output) {
                outputs.extend(self.node.handle(self.now, Input::Written { peer, bytes }));
            }
            at += 1;
        }
        assert!(self.node.poll_timeout().is_none_or(|due| due > self.now));
        outputs
    }

    pub(crate) fn say(&mut self, peer: PeerId, message: Message) -> Vec<Output> {
        let code = message.code();
        self.step(Input::Received { peer, code, payload: &message.encode() })
    }

    /// A peer that says it has this much.
    pub(crate) fn greet(&mut self, peer: PeerId, work: u128, height: u32) -> Vec<Output> {
        self.step(Input::Connected(peer));
        let genesis = self.node.ledger().params().genesis_id();
        let tip = BlockId::new([9; 32]);
        self.say(peer, Message::Status(Status { genesis, tip, height, work: work.into() }))
    }

    pub(crate) fn wait(&mut self, secs: u64) -> Vec<Output> {
        self.now = self.now.saturating_add(Duration::from_secs(secs));
        self.step(Input::Timeout)
    }
}

/// The peer whose socket is given something to write, and how much.
pub(crate) fn transmitted(output: &Output) -> Option<(PeerId, usize)> {
    match output {
        Output::Transmit { peer, payload, .. } => Some((*peer, payload.len())),
        _ => None,
    }
}

pub(crate) fn sent(outputs: &[Output], to: PeerId) -> Vec<Message> {
    let own = outputs.iter().filter_map(|output| match output {
        Output::Transmit { peer, code, payload } if *peer == to => Some((*code, payload)),
        _ => None,
    });
    own.map(|(code, payload)| Message::decode(code, payload).unwrap()).collect()
}

pub(crate) fn cut(outputs: &[Output]) -> Option<Violation> {
    outputs.iter().find_map(|output| match output {
        Output::Disconnect(_, violation) => Some(*violation),
        _ => None,
    })
}

/// A block for the tip that the rules refuse, though its header is good.
pub(crate) fn invalid(host: &Host) -> Block<Unchecked> {
    let mut bad = Forge::new(&host.ledger, host.time() + 60, Vec::new());
    bad.seal.directory_root = [1; 32];
    bad.block(host.ledger.params())
}

/// A longer chain than the node has, to be given to it bit by bit.
pub(crate) fn longer() -> (Host, Vec<Header>, Vec<Block<Unchecked>>) {
    let mut host = Host::regtest();
    host.grow_empty(40, 60);
    let blocks: Vec<_> = host
        .disk
        .chain
        .iter()
        .map(|id| Block::decode(host.disk.blocks[id].clone()).unwrap())
        .collect();
    let headers = blocks.iter().map(|block| *block.header()).collect();
    (host, headers, blocks)
}

pub(crate) fn asked(messages: &[Message]) -> Vec<BlockId> {
    let lists = messages.iter().filter_map(|message| match message {
        Message::GetBlocks(ids) => Some(ids.clone()),
        _ => None,
    });
    lists.flatten().collect()
}

pub(crate) fn wanted(message: &Message) -> usize {
    match message {
        Message::GetTxs(ids) => ids.len(),
        _ => 0,
    }
}
