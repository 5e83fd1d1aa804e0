//! The rules of a network: those of its headers, those of its transactions, and its first block.

use alloc::sync::Arc;
use core::time::Duration;

use super::retarget::Retarget;
use crate::ledger::block;
use crate::ledger::block::Block;
use crate::ledger::block::BlockError;
use crate::ledger::block::BodyError;
use crate::ledger::block::header::Header;
use crate::ledger::block::header::HeaderError;
use crate::ledger::block::seal::Seal;
use crate::ledger::block::tx::Kind;
use crate::ledger::hash::BlockId;
use crate::ledger::hash::ChainTag;
use crate::ledger::hash::Keccak256;
use crate::ledger::hash::TxId;
use crate::ledger::pow::Bits;
use crate::ledger::pow::Target;
use crate::ledger::pow::uint::U256;
use crate::ledger::tree::merkle;
use crate::ledger::tree::smt::EMPTY;
use crate::time::Timestamp;

/// The rules that a header is held against, besides its ancestors.
#[derive(Clone, Debug)]
pub struct HeaderRules {
    /// The only version there is; `None` where any will do.
    pub version: Option<u32>,
    /// The easiest target.
    pub limit: Target,
    /// How bits follow from earlier headers.
    pub retarget: Retarget,
    /// How far ahead of our clock a header may be.
    pub ahead: Duration,
    /// A height, and the only block that may stand there.
    pub checkpoint: Option<(u32, BlockId)>,
}

impl HeaderRules {
    pub(in crate::ledger) fn check_version(&self, header: &Header) -> Result<(), HeaderError> {
        match self.version {
            Some(version) if version != header.version => Err(HeaderError::Version(header.version)),
            _ => Ok(()),
        }
    }

    pub(in crate::ledger) fn check_not_ahead(
        &self,
        now: Timestamp,
        header: &Header,
    ) -> Result<(), HeaderError> {
        // In whole seconds, as header times are.
        let latest = now.as_secs().saturating_add(self.ahead.as_secs());
        if u64::from(header.time) <= latest {
            return Ok(());
        }
        Err(HeaderError::TooNew { until: header.timestamp().saturating_sub(self.ahead) })
    }

    /// Checks a header that has no parent to be held against.
    pub(in crate::ledger) fn check_alone(
        &self,
        header: &Header,
        id: &BlockId,
    ) -> Result<(), HeaderError> {
        self.check_version(header)?;
        match header.bits.target() {
            Ok(target) if target <= self.limit && target.is_met_by(id) => Ok(()),
            _ => Err(HeaderError::Pow),
        }
    }
}

/// How many hashes a transaction must cost, per byte of its length.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Floors {
    /// For a Post.
    pub post: u32,
    /// For a Register.
    pub register: u32,
    /// For an Anchor.
    pub anchor: u32,
}

/// All that nodes of one network must agree on.
#[derive(Clone, Debug)]
pub struct Params {
    rules: HeaderRules,
    floors: Floors,
    genesis: Arc<[u8]>,
    header: Header,
    id: BlockId,
    chain_tag: ChainTag,
}

impl Params {
    /// The main network: blocks of 2^24 hashes at the least, one in two minutes.
    pub fn main() -> Self {
        let start =
            Start { tag: b"whisper main", time: START, bits: 0x1e00_ffff, nonce: MAIN_NONCE };
        // About 0.25 s of one core for a short post, 7 s for a claim.
        Self::public(&start, Floors { post: 4_096, register: 131_072, anchor: 4_096 })
    }

    /// The test network: as the main one, but the first blocks take 2^16 hashes, and transactions a
    /// hundredth of the work: a claim is signed in a tenth of a second.
    pub fn test() -> Self {
        let start =
            Start { tag: b"whisper test", time: START, bits: 0x1f00_ffff, nonce: TEST_NONCE };
        Self::public(&start, Floors { post: 32, register: 1_024, anchor: 32 })
    }

    /// A network for tests on one machine: every other hash is a block, for ever.
    pub fn regtest() -> Self {
        let bits = 0x207f_ffff;
        let start = Start { tag: b"regtest whisper", time: REGTEST_START, bits, nonce: 0 };
        let floors = Floors { post: 1, register: 1, anchor: 1 };
        Self::begin(&start, Retarget::Fixed, floors)
    }

    /// A network of one's own, from its rules and its first block.
    ///
    /// # Errors
    /// What is wrong with the first block: it has one Seal of height 0 and nothing else.
    pub fn new(rules: HeaderRules, floors: Floors, genesis: &[u8]) -> Result<Self, BlockError> {
        let block = Block::decode(genesis)?;
        let (header, id) = (*block.header(), block.id());
        rules.check_alone(&header, &id)?;
        if header.parent != BlockId::NONE {
            return Err(HeaderError::Orphan.into());
        }
        let params = Self {
            rules,
            floors,
            genesis: genesis.into(),
            header,
            id,
            chain_tag: ChainTag::of(&id),
        };
        let block = block.check_structure(&params.chain_tag)?;
        let seal = block.seal();
        if !block.txs().is_empty() {
            return Err(BodyError::Trailing.into());
        }
        match (seal.height, seal.tx_count, seal.directory_root) {
            (0, 1, EMPTY) => Ok(params),
            (0, 1, _) => Err(BlockError::SealDirectory),
            (0, ..) => Err(BlockError::SealCount),
            _ => Err(BlockError::SealHeight),
        }
    }

    fn public(start: &Start, floors: Floors) -> Self {
        Self::begin(start, Retarget::Asert { spacing: 120, half_life: 7_200 }, floors)
    }

    fn begin(start: &Start, retarget: Retarget, floors: Floors) -> Self {
        let bits = Bits::new(start.bits);
        let (seal, header) = start.block();
        let genesis = block::assemble(&header, &seal, &[]);
        let id = header.id::<Keccak256>();
        let rules = HeaderRules {
            version: Some(1),
            limit: bits.target().unwrap_or(Target::EASIEST),
            retarget,
            // Well under what a half-life of 7,200 s would let time be bent to advantage.
            ahead: Duration::from_secs(600),
            checkpoint: None,
        };
        let chain_tag = ChainTag::of(&id);
        Self { rules, floors, genesis, header, id, chain_tag }
    }

    /// The rules of headers.
    pub const fn rules(&self) -> &HeaderRules {
        &self.rules
    }

    /// The rules of headers, with one more: only this block may stand at this height.
    #[must_use]
    pub const fn with_checkpoint(mut self, height: u32, id: BlockId) -> Self {
        self.rules.checkpoint = Some((height, id));
        self
    }

    /// The first block, encoded.
    pub const fn genesis(&self) -> &Arc<[u8]> {
        &self.genesis
    }

    /// The header of the first block.
    pub const fn genesis_header(&self) -> &Header {
        &self.header
    }

    /// The name of the first block, and so of the network.
    pub const fn genesis_id(&self) -> BlockId {
        self.id
    }

    /// What every transaction's id begins with, so that none is valid on two networks.
    pub const fn chain_tag(&self) -> &ChainTag {
        &self.chain_tag
    }

    /// How many hashes a transaction of this kind and length must cost, on average.
    pub fn floor(&self, kind: Kind, len: usize) -> u64 {
        let per_byte = match kind {
            Kind::Post => self.floors.post,
            Kind::Register => self.floors.register,
            Kind::Anchor => self.floors.anchor,
        };
        u64::from(per_byte).saturating_mul(u64::try_from(len).unwrap_or(u64::MAX))
    }

    /// Whether an id shows the work that [`Params::floor`] asks for.
    pub(in crate::ledger) fn is_worked(&self, id: &TxId, kind: Kind, len: usize) -> bool {
        U256::from_le_bytes(id.as_bytes()).checked_mul(self.floor(kind, len)).is_some()
    }
}

/// How a network began.
struct Start {
    tag: &'static [u8],
    time: u32,
    bits: u32,
    nonce: u32,
}

impl Start {
    fn block(&self) -> (Seal, Header) {
        let extra = self.tag.to_vec();
        let seal = Seal { height: 0, tx_count: 1, directory_root: EMPTY, extra };
        let header = Header {
            version: 1,
            parent: BlockId::NONE,
            tx_root: merkle::leaf::<Keccak256>(&seal.encode()),
            time: self.time,
            bits: Bits::new(self.bits),
            nonce: self.nonce,
        };
        (seal, header)
    }
}

/// 2025-12-01 00:00 UTC.
const START: u32 = 1_764_547_200;
/// The time in the vectors of the regtest network.
const REGTEST_START: u32 = 1_795_133_060;
/// The first nonce from 0 that meets the limit.
const MAIN_NONCE: u32 = 32_096_765;
/// The first nonce from 0 that meets the limit.
const TEST_NONCE: u32 = 27_666;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_begins_with_a_mined_block() {
        for params in [Params::main(), Params::test(), Params::regtest()] {
            params.rules.check_alone(&params.header, &params.id).unwrap();
            let again = Params::new(params.rules.clone(), params.floors, &params.genesis).unwrap();
            assert_eq!(again.id, params.id);
            assert_eq!(params.rules.limit.to_bits(), params.header.bits);
        }
    }

    #[test]
    fn networks_differ_in_their_tag() {
        assert_ne!(Params::main().chain_tag, Params::test().chain_tag);
    }

    #[test]
    fn a_claim_on_the_test_network_takes_a_moment_and_on_the_main_one_seconds() {
        // The length of a claim of a name of eight letters.
        let [test, main] =
            [Params::test(), Params::main()].map(|params| params.floor(Kind::Register, 155));
        assert!(test < 200_000, "{test}");
        assert!(main > 20_000_000, "{main}");
        assert!(Params::test().floor(Kind::Post, 155) < 10_000);
    }

    /// Takes a minute in an unoptimised build: run it when a first block changes.
    #[test]
    #[ignore = "mines the first block of the main network"]
    fn the_nonces_are_the_first_that_fit() {
        let main = Start { tag: b"whisper main", time: START, bits: 0x1e00_ffff, nonce: 0 };
        let test = Start { tag: b"whisper test", time: START, bits: 0x1f00_ffff, nonce: 0 };
        for (start, expected) in [(main, MAIN_NONCE), (test, TEST_NONCE)] {
            let (_, mut header) = start.block();
            let target = header.bits.target().unwrap();
            while !target.is_met_by(&header.id::<Keccak256>()) {
                header.nonce += 1;
            }
            assert_eq!(header.nonce, expected);
        }
    }

    #[test]
    fn the_test_networks_nonce_is_the_first_that_fits() {
        let test = Start { tag: b"whisper test", time: START, bits: 0x1f00_ffff, nonce: 0 };
        let (_, mut header) = test.block();
        let target = header.bits.target().unwrap();
        while !target.is_met_by(&header.id::<Keccak256>()) {
            header.nonce += 1;
        }
        assert_eq!(header.nonce, TEST_NONCE);
    }
}
