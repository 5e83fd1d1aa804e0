//! A tree of blocks, right and wrong, given to a ledger in any order, with headers ahead of them,
//! restarts between, and a model that knows all of the tree: both must agree on each verdict, on the
//! chain, and on all that follows from it.

mod model;

use std::collections::BTreeSet;
use std::time::Duration;

use arbitrary::Arbitrary;
use arbitrary::Unstructured;
use whisper_core::ledger::Backup;
use whisper_core::ledger::Block;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::ChainUpdate;
use whisper_core::ledger::Header;
use whisper_core::ledger::Ledger;
use whisper_core::ledger::Params;
use whisper_core::ledger::Tx;
use whisper_core::time::Timestamp;

use crate::forge::Host;
use crate::tree::Plan;
use crate::tree::Tree;
use model::Model;

/// The most that one story does: what takes longer finds nothing more.
const ACTS: usize = 48;

pub(crate) fn run(data: &[u8]) {
    let Ok(acts) = Vec::<Act>::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let mut import = Import::new();
    for act in acts.iter().take(ACTS) {
        import.act(act);
        import.agrees();
    }
}

/// What happens. Blocks and transactions are numbers in the order in which they were made.
#[derive(Arbitrary, Debug)]
enum Act {
    /// Makes a block, and gives it at once or not.
    Build(Plan, bool),
    Give(u8),
    /// Gives so many headers of a branch, which ends here, ahead of their blocks.
    Headers(u8, u8),
    Wait(u16),
    /// Comes up again from what was stored, and checks so many blocks once more.
    Restart(u8),
}

struct Import {
    host: Host,
    model: Model,
    tree: Tree,
    now: Timestamp,
}

impl Import {
    fn new() -> Self {
        let host = Host::regtest();
        let tree = Tree::new(host.ledger.params().genesis());
        let model = Model::new(tree.get(0));
        let begun = host.ledger.params().genesis_header().timestamp();
        let now = begun.saturating_add(Duration::from_secs(50_000));
        Self { host, model, tree, now }
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Build(plan, at_once) => {
                let made = self.tree.grow(plan);
                if *at_once {
                    self.give(made);
                }
            }
            Act::Give(which) => self.give(usize::from(*which) % self.tree.len()),
            Act::Headers(which, count) => {
                self.headers(usize::from(*which) % self.tree.len(), usize::from(*count % 16) + 1);
            }
            Act::Wait(seconds) => {
                self.now = Timestamp::from_secs(self.now.as_secs() + u64::from(*seconds));
            }
            Act::Restart(recheck) => self.restart((*recheck).into()),
        }
    }

    /// Gives a block: verdict and consequences are the model's.
    fn give(&mut self, which: usize) {
        let made = self.tree.get(which);
        let block = match Block::decode(made.bytes.as_slice()) {
            Ok(block) => block,
            Err(error) => return assert_eq!(made.parts, Err(error.rule())),
        };
        let before = (self.host.disk.clone(), self.host.state(), self.chain());
        let expected = self.model.give(&self.tree, which, self.now.as_secs());
        let taken = self.host.accept(self.now, block.clone());
        match (&taken, expected) {
            (Ok(update), Ok(is_change)) => {
                assert_eq!(update.is_change(), is_change);
                self.follows(&before.2, update);
            }
            (Err(error), Err(rule)) => {
                assert_eq!(error.rule(), rule);
                let after = (self.host.disk.clone(), self.host.state(), self.chain());
                assert!(before == after, "{rule} changes something");
            }
            (taken, expected) => panic!("{taken:?}, but {expected:?}"),
        }
        // Nobody is asked for signatures in vain.
        assert!(taken.is_err() || self.host.ledger.sig_checks(self.now, &block).is_empty());
    }

    fn headers(&mut self, which: usize, count: usize) {
        let mut branch = self.tree.branch(which);
        branch.retain(|at| self.tree.get(*at).header().is_some());
        let last = &branch[branch.len().saturating_sub(count)..];
        let headers: Vec<Header> =
            last.iter().filter_map(|at| self.tree.get(*at).header()).collect();
        let before = self.host.state();
        let expected = self.model.give_headers(&self.tree, last, self.now.as_secs());
        let taken = self.host.ledger.accept_headers(self.now, &headers);
        let taken = taken.map(|update| update.added);
        assert_eq!(taken.map_err(|error| (error.index, error.source.rule())), expected);
        assert_eq!(self.host.state(), before, "headers alone change the chain");
    }

    fn restart(&mut self, recheck: u32) {
        let all = self.model.headers_by_height();
        let backup = Backup {
            headers: all.iter().filter_map(|at| self.tree.get(*at).header()).collect(),
            tip: self.host.ledger.tip().id,
            records: self.host.disk.records.values().copied().collect(),
            recheck,
        };
        let params = Params::regtest();
        let ledger = Ledger::restore(self.now, params, backup, &self.host.disk);
        self.host.ledger = ledger.expect("all was stored");
        self.model.forget(&self.tree);
    }

    /// The ids of the ledger's chain, lowest first.
    fn chain(&self) -> Vec<BlockId> {
        (0..).map_while(|height| self.host.ledger.at(height)).map(|entry| entry.id).collect()
    }

    /// An update says how one chain became the other.
    fn follows(&self, old: &[BlockId], update: &ChainUpdate) {
        let new = self.chain();
        let shared = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
        assert_eq!(update.fork, old[shared - 1]);
        assert!(update.disconnected.iter().eq(old[shared..].iter().rev()));
        assert_eq!(update.connected, new[shared..]);
        let view = self.model.view(&self.tree);
        let left = old[shared..].iter().flat_map(|id| self.tree.by_id(id.as_bytes()).txs());
        let is_alive = |tx: &&[u8]| {
            let expiry = crate::rules::u32_at(tx, 2);
            let id = crate::rules::txid(&view.tag, tx);
            u64::from(expiry) > self.now.as_secs() && !view.seen.contains_key(&id)
        };
        assert!(update.returned.iter().map(Tx::as_bytes).eq(left.filter(is_alive)));
    }

    /// All that follows from the chain is what follows from it in the model.
    fn agrees(&self) {
        let Host { ledger, disk } = &self.host;
        let view = self.model.view(&self.tree);
        assert_eq!((*ledger.tip().id.as_bytes(), ledger.tip().height), (view.id, view.height()));
        assert_eq!(ledger.tip().work, u128::from(2 * (view.height() + 1)).into());
        assert_eq!(ledger.directory().root(), view.directory_root());
        let alive = view.seen.iter().filter(|(_, expiry)| **expiry > view.median());
        let unexpired: BTreeSet<_> = ledger.unexpired().map(|id| *id.as_bytes()).collect();
        assert!(alive.map(|(id, _)| *id).eq(unexpired));
        assert_eq!(disk.chain, self.chain()[1..]);
        let mut records: Vec<_> = ledger.directory().records().collect();
        records.sort_by_key(|record| record.name);
        assert!(disk.records.values().eq(records));
        let headers = ledger.headers();
        assert_eq!(headers.tip().height, self.model.best_header(&self.tree));
        assert_eq!(headers.side_len(), self.model.headers() - 1 - headers.tip().height as usize);
    }
}
