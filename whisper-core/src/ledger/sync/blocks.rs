//! Fetching blocks: those of the best chains of headers, in order, from all peers that have them.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::iter;

use super::LedgerNode;
use super::contract::Event;
use super::contract::Output;
use super::contract::Violation;
use super::peer::PATIENCE;
use super::wire::BLOCKS_MAX;
use super::wire::Message;
use crate::ledger::block::Block;
use crate::ledger::block::BlockError;
use crate::ledger::block::Fault;
use crate::ledger::block::Unchecked;
use crate::ledger::block::header::HeaderError;
use crate::ledger::chain::Archive;
use crate::ledger::hash::BlockId;
use crate::ledger::headers::Entry;
use crate::peer::PeerId;

/// How many blocks ahead of the ledger may be asked for: what came too early waits in memory, so
/// this bounds it to 16 MiB.
const WINDOW: usize = 64;

impl<A: Archive> LedgerNode<A> {
    /// Takes a block that a peer was asked for.
    pub(super) fn take_block(&mut self, peer: PeerId, bytes: Vec<u8>) {
        let block = match Block::decode(bytes) {
            Ok(block) => block,
            Err(error) => return self.links.cut(peer, Violation::Body(error)),
        };
        let id = block.id();
        if !self.links.get_mut(peer).is_some_and(|own| own.take_block(&id)) {
            self.links.strike(peer, Violation::Unsolicited);
            return;
        }
        if !self.ledger.has_block(&block.header().parent) {
            self.make_room();
            self.arrived.insert(id, (peer, block));
            return;
        }
        self.add_block(peer, block);
        while let Some((peer, block)) = self.next_arrived() {
            self.add_block(peer, block);
        }
    }

    /// Forgets early blocks of branches that are not followed any more, when there are many.
    fn make_room(&mut self) {
        if self.arrived.len() >= WINDOW {
            let wanted: BTreeSet<BlockId> = self.wanted().iter().map(|entry| entry.id).collect();
            self.arrived.retain(|id, _| wanted.contains(id));
        }
    }

    /// A block that came too early, and whose parent is there now.
    fn next_arrived(&mut self) -> Option<(PeerId, Block<Unchecked>)> {
        let Self { arrived, ledger, .. } = self;
        let has_parent = |block: &Block<Unchecked>| ledger.has_block(&block.header().parent);
        let id = *arrived.iter().find(|(_, (_, block))| has_parent(block))?.0;
        arrived.remove(&id)
    }

    fn add_block(&mut self, peer: PeerId, block: Block<Unchecked>) {
        let (now, own_id) = (self.links.now(), block.id());
        let archive = self.unstored.over(&self.archive);
        match self.ledger.accept_block_with(now, block, &archive) {
            Ok(update) => {
                if let Some(own) = self.links.get_mut(peer) {
                    own.strikes = 0;
                }
                self.adopted(update);
            }
            Err(BlockError::Unavailable(id)) => {
                // Nothing is gained by fetching this one again before that one is there.
                self.links.avoid(peer, own_id);
                self.links.push(Output::Event(Event::Unavailable(id)));
            }
            Err(BlockError::Body(error)) => self.links.cut(peer, Violation::Body(error)),
            // The peer that gave this one cannot have known: the blocks of a branch are not tried
            // before it has more work. It is refused from now on, and that is all.
            Err(BlockError::Ancestor { .. }) => self.forget_lost(),
            Err(BlockError::Header(error @ HeaderError::Refused)) => {
                self.links.strike(peer, Violation::Header(error));
            }
            Err(error) if error.fault() == Fault::Invalid => {
                self.links.cut(peer, Violation::Block(error));
                self.forget_lost();
            }
            Err(_) => {}
        }
    }

    /// Forgets early blocks whose headers were dropped.
    fn forget_lost(&mut self) {
        let Self { arrived, ledger, .. } = self;
        arrived.retain(|id, _| ledger.headers().get(id).is_some());
    }

    /// Asks for the next blocks that no peer was asked for.
    pub(super) fn schedule(&mut self) {
        let mut plan: BTreeMap<PeerId, Vec<BlockId>> = BTreeMap::new();
        for entry in self.missing() {
            let Some(peer) = self.choose_peer(&entry, &plan) else { continue };
            plan.entry(peer).or_default().push(entry.id);
        }
        for (peer, ids) in plan {
            let mut until = self.links.now();
            let Some(own) = self.links.get_mut(peer) else { continue };
            until = own.blocks.values().copied().fold(until, Ord::max);
            for id in &ids {
                until = until.saturating_add(PATIENCE);
                own.blocks.insert(*id, until);
            }
            self.links.send(peer, Message::GetBlocks(ids));
        }
    }

    /// The blocks to ask for that no peer was asked for, parents before their children.
    fn missing(&self) -> Vec<Entry> {
        let is_awaited = |id: &BlockId| {
            self.arrived.contains_key(id)
                || self.links.iter().any(|(_, peer)| peer.blocks.contains_key(id))
        };
        let mut missing = self.wanted();
        missing.retain(|entry| !is_awaited(&entry.id));
        missing
    }

    /// The blocks that lead to more work than the ledger has, as many as there is room for: first
    /// those of the best chain of headers. Its end may be withheld by its miner, so those of
    /// branches beside it come next, or one header would hide every other block of its height.
    fn wanted(&self) -> Vec<Entry> {
        let (headers, work) = (self.ledger.headers(), self.ledger.tip().work);
        // Nothing beside the chain of headers has more work than it.
        if headers.tip().work <= work {
            return Vec::new();
        }
        let mut wanted = self.wanted_of_chain();
        let mut known: BTreeSet<BlockId> = wanted.iter().map(|entry| entry.id).collect();
        for end in headers.heavier(work) {
            let room = WINDOW.saturating_sub(wanted.len());
            if room == 0 {
                break;
            }
            let branch = self.wanted_of_branch(end, &known);
            known.extend(branch.iter().map(|entry| entry.id));
            wanted.extend(branch.into_iter().rev().take(room));
        }
        wanted
    }

    /// What is missing of a branch and is not among `known`, its end first.
    fn wanted_of_branch(&self, end: Entry, known: &BTreeSet<BlockId>) -> Vec<Entry> {
        let headers = self.ledger.headers();
        let back = iter::successors(Some(end), |entry| headers.get(&entry.header.parent));
        back.take_while(|entry| !known.contains(&entry.id) && !self.ledger.has_block(&entry.id))
            .collect()
    }

    /// What is missing of the best chain of headers, lowest first.
    fn wanted_of_chain(&self) -> Vec<Entry> {
        let headers = self.ledger.headers();
        let mut fork = self.ledger.tip();
        while !headers.is_on_chain(&fork.id) {
            let Some(parent) = headers.get(&fork.header.parent) else { return Vec::new() };
            fork = parent;
        }
        // A block is stored only after the one it builds on, so what is missing begins at one height.
        let (mut low, mut high) = (fork.height, headers.tip().height);
        while low < high {
            let middle = low.saturating_add(high.saturating_sub(low).div_ceil(2));
            let is_stored = |entry: Entry| self.ledger.has_block(&entry.id);
            if headers.at(middle).is_some_and(is_stored) {
                low = middle;
            } else {
                high = middle.saturating_sub(1);
            }
        }
        let missing = (low.saturating_add(1)..).map_while(|height| headers.at(height));
        missing.take(WINDOW).collect()
    }

    /// The peer to ask for a block: one whose chain goes so far, and that has least to do.
    fn choose_peer(&self, entry: &Entry, plan: &BTreeMap<PeerId, Vec<BlockId>>) -> Option<PeerId> {
        let load = |id: PeerId, own: usize| plan.get(&id).map_or(0, Vec::len).saturating_add(own);
        let able = self.links.iter().filter(|(id, peer)| {
            let has_it = peer.work.is_some_and(|work| work >= entry.work);
            has_it && !peer.lacks.contains(&entry.id) && load(*id, peer.blocks.len()) < BLOCKS_MAX
        });
        able.min_by_key(|(id, peer)| (peer.strikes, load(*id, peer.blocks.len()))).map(|(id, _)| id)
    }
}
