//! Making blocks: a candidate for the next one, and the search for its nonce.

use alloc::vec::Vec;
use core::ops::Range;

use crate::hash::NonceSearch;
use crate::ledger::block::Block;
use crate::ledger::block::Unchecked;
use crate::ledger::block::assemble;
use crate::ledger::block::header::Header;
use crate::ledger::block::seal::Seal;
use crate::ledger::block::tx::Tx;
use crate::ledger::chain::Ledger;
use crate::ledger::hash::BlockId;
use crate::ledger::hash::Keccak256;
use crate::ledger::pow::ChainWork;
use crate::ledger::pow::Target;
use crate::ledger::tree::merkle;
use crate::ledger::tree::merkle::Path;
use crate::time::Timestamp;

/// A candidate for the next block, which lacks only its nonce.
#[derive(Clone, Debug)]
pub struct Template {
    header: Header,
    target: Target,
    seal: Seal,
    txs: Vec<Tx>,
    /// The Seal's path to the root: another Seal costs a few hashes, not a tree.
    path: Path,
}

impl Template {
    /// A candidate on top of the ledger's chain. Transactions that cannot stand in it are left out;
    /// their signatures are taken to be good, as those of a [`Mempool`](crate::ledger::Mempool) are.
    /// `tag` marks the miner, and must differ between miners that search at the same time; of more
    /// than 24 bytes the first count.
    ///
    /// # Errors
    /// [`TemplateError`] if no block could be valid now.
    pub fn new(
        now: Timestamp,
        ledger: &Ledger,
        txs: impl IntoIterator<Item = Tx>,
        tag: &[u8],
    ) -> Result<Self, TemplateError> {
        let tip = ledger.tip();
        let headers = ledger.headers();
        let height = tip.height.checked_add(1).ok_or(TemplateError::End)?;
        let after = headers.median_time(&tip.id).ok_or(TemplateError::End)?;
        let after = after.checked_add(1).ok_or(TemplateError::End)?;
        let time = u32::try_from(now.as_secs()).map_err(|_| TemplateError::End)?.max(after);
        let bits = headers.next_bits(&tip.id).ok_or(TemplateError::End)?;
        let target = bits.target().map_err(|_| TemplateError::End)?;
        let header = Header { version: 1, parent: tip.id, tx_root: [0; 32], time, bits, nonce: 0 };
        if ledger.params().rules().check_not_ahead(now, &header).is_err() {
            return Err(TemplateError::ClockBehind);
        }
        let (txs, directory_root) = ledger.choose(height, time, txs);
        let tx_count =
            u32::try_from(txs.len().saturating_add(1)).map_err(|_| TemplateError::End)?;
        let extra = tag.iter().copied().take(TAG_MAX).collect();
        let seal = Seal { height, tx_count, directory_root, extra };
        let leaves: Vec<[u8; 32]> = core::iter::once(merkle::leaf::<Keccak256>(&seal.encode()))
            .chain(txs.iter().map(|tx| merkle::leaf::<Keccak256>(&tx.entry())))
            .collect();
        let path = Path::new::<Keccak256>(&leaves, 0).ok_or(TemplateError::End)?;
        let tx_root = merkle::root::<Keccak256>(&leaves);
        Ok(Self { header: Header { tx_root, ..header }, target, seal, txs, path })
    }

    /// The block that it builds on: when that is no longer the tip, the search is in vain.
    pub const fn parent(&self) -> BlockId {
        self.header.parent
    }

    /// The transactions after the Seal.
    pub fn txs(&self) -> &[Tx] {
        &self.txs
    }

    /// How many hashes the search takes on average.
    pub fn work(&self) -> ChainWork {
        self.target.work()
    }
}

/// What a tag may take of the Seal, so that a counter of eight bytes fits behind it.
const TAG_MAX: usize = Seal::EXTRA_MAX - 8;

/// A search for the nonce of a template, in steps of whatever length: no clock, no thread.
#[derive(Clone, Debug)]
pub struct BlockMiner {
    template: Template,
    tag: Vec<u8>,
    /// The nonces that were not tried with this Seal.
    nonces: Range<u64>,
    /// How often the nonces ran out.
    rounds: u64,
    hashes: u64,
}

impl BlockMiner {
    /// A search that has tried nothing.
    pub fn new(template: Template) -> Self {
        let tag = template.seal.extra.clone();
        Self { template, tag, nonces: NONCES, rounds: 0, hashes: 0 }
    }

    /// Tries that many nonces at the most, and none beyond those of one Seal: when they have run out,
    /// the Seal counts on.
    pub fn search(&mut self, max_hashes: u64) -> Option<Block<Unchecked>> {
        if self.nonces.is_empty() {
            self.next_round();
        }
        let Self { template: Template { header, target, seal, txs, .. }, nonces, .. } = self;
        let [prefix @ .., _, _, _, _] = &header.encode();
        let tried = nonces.start..nonces.end.min(nonces.start.saturating_add(max_hashes));
        let is_met = |id: &[u8; 32]| target.is_met_by(&BlockId::new(*id));
        let found = NonceSearch::new(prefix).find(tried.clone(), encode, is_met);
        nonces.start = found.map_or(tried.end, |nonce| nonce.saturating_add(1));
        self.hashes = self.hashes.saturating_add(nonces.start.saturating_sub(tried.start));
        header.nonce = u32::from_le_bytes(encode(found?));
        Block::decode(assemble(header, seal, txs)).ok()
    }

    /// How many nonces were tried.
    pub const fn hashes(&self) -> u64 {
        self.hashes
    }

    /// The candidate.
    pub const fn template(&self) -> &Template {
        &self.template
    }

    fn next_round(&mut self) {
        self.rounds = self.rounds.wrapping_add(1);
        let Self { template, tag, rounds, .. } = self;
        template.seal.extra = [tag.as_slice(), &rounds.to_le_bytes()].concat();
        let leaf = merkle::leaf::<Keccak256>(&template.seal.encode());
        if let Some(root) = template.path.root::<Keccak256>(leaf) {
            template.header.tx_root = root;
        }
        self.nonces = NONCES;
    }

    /// Goes on as if all nonces but the last few had been tried: for tests of what comes after.
    #[cfg(test)]
    pub(in crate::ledger) fn skip_to(&mut self, nonce: u32) {
        self.nonces = nonce.into()..NONCES.end;
    }
}

/// All nonces that a header has room for.
const NONCES: Range<u64> = 0..1 << 32;

/// A nonce as it ends a header.
const fn encode(nonce: u64) -> [u8; 4] {
    let [low @ .., _, _, _, _] = nonce.to_le_bytes();
    low
}

/// Why there can be no candidate.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// Our clock is so far behind the chain's times that any block would be too new.
    #[error("the clock is behind the chain")]
    ClockBehind,
    /// Heights or times are used up.
    #[error("the chain is at its end")]
    End,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::rules::params::Params;

    #[test]
    fn when_nonces_run_out_the_seal_counts_on() {
        let params = Params::regtest();
        let now = params.genesis_header().timestamp();
        let mut ledger = Ledger::new(params).unwrap();
        let template = Template::new(now, &ledger, [], b"me").unwrap();
        let mut miner = BlockMiner::new(template);
        // The last nonces may fit by themselves; then there was no next round to see.
        miner.skip_to(u32::MAX);
        let block = core::iter::from_fn(|| miner.search(1)).next();
        let block = block.or_else(|| miner.search(1_000)).unwrap();
        let checked = block.clone().check_structure(ledger.params().chain_tag()).unwrap();
        assert!(checked.seal().extra.starts_with(b"me"));
        assert!(ledger.accept_block(now, block).unwrap().is_change());
        miner.skip_to(0);
        miner.next_round();
        assert_eq!(miner.template.seal.extra.len(), 2 + 8);
        let block = miner.search(1_000).unwrap().check_structure(ledger.params().chain_tag());
        assert_eq!(
            block.unwrap().seal().extra,
            [b"me".as_slice(), &miner.rounds.to_le_bytes()].concat()
        );
    }

    #[test]
    fn a_search_stops_after_its_share() {
        let params = Params::main();
        let now = params.genesis_header().timestamp();
        let ledger = Ledger::new(params).unwrap();
        let mut miner = BlockMiner::new(Template::new(now, &ledger, [], &[7; 99]).unwrap());
        assert_eq!(miner.template().seal.extra, [7; TAG_MAX]);
        assert!(miner.search(50).is_none());
        assert_eq!(miner.hashes(), 50);
        assert_eq!(miner.template().work(), ChainWork::from(0x100_0100));
    }

    #[test]
    fn a_clock_that_is_far_behind_is_noticed() {
        let params = Params::regtest();
        let ledger = Ledger::new(params).unwrap();
        let past = Template::new(Timestamp::from_secs(1), &ledger, [], b"");
        assert_eq!(past.unwrap_err(), TemplateError::ClockBehind);
        let end = Template::new(Timestamp::from_secs(u64::MAX), &ledger, [], b"");
        assert_eq!(end.unwrap_err(), TemplateError::End);
    }
}
