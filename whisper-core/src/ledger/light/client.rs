//! The ledger on a phone: headers only, and proofs for the rest.

use alloc::vec::Vec;

use super::proof::NameProof;
use super::proof::ProofError;
use super::proof::SealProof;
use super::proof::TxProof;
use crate::ledger::block::header::Header;
use crate::ledger::block::header::HeaderError;
use crate::ledger::block::name::Name;
use crate::ledger::hash::BlockId;
use crate::ledger::hash::Keccak256;
use crate::ledger::headers::BatchError;
use crate::ledger::headers::HeaderAnchor;
use crate::ledger::headers::HeaderChain;
use crate::ledger::headers::HeaderUpdate;
use crate::ledger::headers::Scan;
use crate::ledger::pow::ChainWork;
use crate::ledger::read::Fields;
use crate::ledger::rules::params::Params;
use crate::time::Timestamp;

/// A chain of headers that proofs are held against. It trusts the chain with the most work not to
/// lie about the directory: pin keys that were seen, and do not trust a changed one before it is
/// buried deep.
#[derive(Clone, Debug)]
pub struct LightClient {
    params: Params,
    headers: HeaderChain<Keccak256>,
}

/// How well something is proven.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Proven {
    /// Height of the block that it is proven from.
    pub height: u32,
    /// How many blocks confirm it, that one included.
    pub confirmations: u32,
}

impl LightClient {
    /// About how many headers are kept: six days.
    pub const KEEP: usize = 4_320;

    /// A client that begins at the network's first block.
    ///
    /// # Errors
    /// [`HeaderError`] if that block breaks the network's own rules.
    pub fn new(params: Params) -> Result<Self, HeaderError> {
        let headers = HeaderChain::new(params.rules().clone(), *params.genesis_header())?;
        Ok(Self { params, headers })
    }

    /// A client that begins at an anchor, which came with the program or from a trusted source.
    ///
    /// # Errors
    /// [`HeaderError`] if the anchor's headers break the rules, do not follow each other, or are
    /// fewer than [`HeaderAnchor::HEADERS`] without reaching back to the first block.
    pub fn from_anchor(params: Params, anchor: &HeaderAnchor) -> Result<Self, HeaderError> {
        let held = anchor.headers.len();
        let to_genesis = usize::try_from(anchor.height).unwrap_or(usize::MAX).saturating_add(1);
        if held < HeaderAnchor::HEADERS.min(to_genesis) {
            return Err(HeaderError::BeforeAnchor);
        }
        let headers = HeaderChain::from_anchor(params.rules().clone(), anchor)?;
        Ok(Self { params, headers })
    }

    /// Takes in headers, and forgets the oldest.
    ///
    /// # Errors
    /// The first header that is not valid; then nothing has changed.
    pub fn accept(
        &mut self,
        now: Timestamp,
        headers: &[Header],
    ) -> Result<HeaderUpdate, BatchError> {
        let update = self.headers.accept(now, headers)?;
        self.headers.prune(Self::KEEP);
        Ok(update)
    }

    /// Lets a branch of headers come in that has shown more work: see [`HeaderChain::permit`].
    pub fn permit(&mut self, scan: &Scan<Keccak256>) -> bool {
        self.headers.permit(scan)
    }

    /// Checks that a transaction stands in the chain.
    ///
    /// # Errors
    /// The first part of the proof that does not fit.
    pub fn check_tx(&self, proof: &TxProof) -> Result<Proven, ProofError> {
        let (header, proven) = self.place(&proof.seal)?;
        proof.verify(&header)?;
        Ok(proven)
    }

    /// Checks what stands under a name.
    ///
    /// # Errors
    /// The first part of the proof that does not fit.
    pub fn check_name(&self, proof: &NameProof, name: &Name) -> Result<Proven, ProofError> {
        let (header, proven) = self.place(&proof.seal)?;
        proof.verify(&header, name)?;
        Ok(proven)
    }

    /// The rules of the network.
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// The headers.
    pub const fn headers(&self) -> &HeaderChain<Keccak256> {
        &self.headers
    }

    fn place(&self, seal: &SealProof) -> Result<(Header, Proven), ProofError> {
        let on_chain = |id: &BlockId| self.headers.get(id).filter(|_| self.headers.is_on_chain(id));
        let entry = on_chain(&seal.block).ok_or(ProofError::Block)?;
        if seal.seal.height != entry.height {
            return Err(ProofError::Block);
        }
        let above = self.headers.tip().height.saturating_sub(entry.height);
        let confirmations = above.saturating_add(1);
        Ok((entry.header, Proven { height: entry.height, confirmations }))
    }
}

impl HeaderAnchor {
    /// How many headers an anchor has: eleven for the median time, and one before them.
    pub const HEADERS: usize = 12;

    /// Writes the anchor: height, work, the number of headers in one byte, the headers.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(37 + Self::HEADERS * Header::LEN);
        bytes.extend(self.height.to_le_bytes());
        bytes.extend(self.work.to_bytes());
        bytes.push(u8::try_from(self.headers.len()).unwrap_or(u8::MAX));
        bytes.extend(self.headers.iter().flat_map(Header::encode));
        bytes
    }

    /// Reads an anchor; nothing if the bytes are not the one encoding of one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        let (height, work) = (fields.u32()?, ChainWork::from_bytes(&fields.array()?));
        let count = fields.u8()?;
        let headers = fields.arrays(count.into())?.iter().map(Header::decode).collect();
        fields.is_empty().then_some(Self { height, work, headers })
    }
}

impl HeaderChain<Keccak256> {
    /// The anchor at this height of the chain: publish it for light clients to begin at.
    pub fn anchor_at(&self, height: u32) -> Option<HeaderAnchor> {
        let newest = self.at(height)?;
        let span = u32::try_from(HeaderAnchor::HEADERS).ok()?.saturating_sub(1);
        let from = height.saturating_sub(span).max(self.base());
        let headers = (from..=height).filter_map(|height| self.at(height));
        let headers = headers.map(|entry| entry.header).collect();
        Some(HeaderAnchor { height, work: newest.work, headers })
    }
}
