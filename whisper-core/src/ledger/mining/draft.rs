//! A transaction before its nonce and its signature.

use alloc::vec::Vec;
use core::ops::Range;

use crate::hash::NonceSearch;
use crate::identity::Identity;
use crate::identity::PublicKey;
use crate::ledger::block::tx::Kind;
use crate::ledger::block::tx::Payload;
use crate::ledger::block::tx::Tx;
use crate::ledger::block::tx::TxError;
use crate::ledger::hash::ChainTag;
use crate::ledger::hash::TxId;
use crate::ledger::pow::uint::U256;
use crate::ledger::rules::params::Params;
use crate::time::Timestamp;

/// A transaction before its nonce: [`TxDraft::find`] searches one, [`TxDraft::sign`] closes it.
#[derive(Clone, Debug)]
pub struct TxDraft {
    tag: ChainTag,
    /// The body without its nonce.
    body: Vec<u8>,
    /// What hashes the chain's tag, `body` and a nonce.
    search: NonceSearch,
    /// How many hashes the nonce must cost on average.
    floor: u64,
}

impl TxDraft {
    /// A transaction for this network by `author` that must stand in a block before `expiry`: at
    /// most two hours after that block's time. The last second of `expiry` that has begun counts.
    ///
    /// # Errors
    /// What is wrong with the payload: no text or too much, an Anchor of nothing.
    pub fn new(
        params: &Params,
        author: &PublicKey,
        expiry: Timestamp,
        payload: &Payload<'_>,
    ) -> Result<Self, TxError> {
        let kind = match payload {
            Payload::Post(_) => Kind::Post,
            Payload::Register(_) => Kind::Register,
            Payload::Anchor(_) => Kind::Anchor,
        };
        let expiry = u32::try_from(expiry.as_secs()).map_err(|_| TxError::Expiry)?;
        let mut body = Vec::with_capacity(128);
        body.extend([1, kind.as_byte()]);
        body.extend(expiry.to_le_bytes());
        body.extend(author.to_compressed());
        write_payload(payload, &mut body);
        // What reads a payload judges it, so that there is one place for its rules.
        let whole = [body.as_slice(), &[0; Tx::NONCE + Tx::SIGNATURE]].concat();
        let tag = *params.chain_tag();
        Tx::decode(&whole, &tag)?;
        let search = NonceSearch::new(&[tag.as_bytes(), body.as_slice()].concat());
        Ok(Self { tag, body, search, floor: params.floor(kind, whole.len()) })
    }

    /// The first of these nonces that shows enough work. The caller decides how many to try.
    pub fn find(&self, nonces: Range<u64>) -> Option<u64> {
        self.search.find(nonces, u64::to_le_bytes, |id| self.is_enough(id))
    }

    /// How many nonces it takes on average.
    pub const fn expected_hashes(&self) -> u64 {
        self.floor
    }

    /// Closes the draft.
    ///
    /// # Errors
    /// [`TxError::Author`] if the draft names another author, [`TxError::Work`] if the nonce does not
    /// show enough work.
    pub fn sign(&self, nonce: u64, author: &Identity) -> Result<Tx, TxError> {
        if self.body.get(6..Tx::PAYLOAD) != Some(&author.public_key().to_compressed()) {
            return Err(TxError::Author);
        }
        let id = self.search.hash(nonce.to_le_bytes());
        if !self.is_enough(&id) {
            return Err(TxError::Work);
        }
        let signature = author.sign(&id);
        let mut bytes = self.body.clone();
        bytes.extend(nonce.to_le_bytes());
        bytes.extend(signature.as_bytes().iter().take(Tx::SIGNATURE));
        Tx::frame(&bytes, &self.tag).ok_or(TxError::Size)
    }

    fn is_enough(&self, id: &[u8; 32]) -> bool {
        U256::from_le_bytes(id).checked_mul(self.floor).is_some()
    }
}

fn write_payload(payload: &Payload<'_>, body: &mut Vec<u8>) {
    match payload {
        Payload::Post(post) => {
            body.extend(post.topic.as_bytes());
            body.push(u8::from(post.parent.is_some()));
            body.extend(post.parent.iter().flat_map(TxId::as_bytes));
            body.extend(post.text.as_bytes());
        }
        Payload::Register(register) => {
            body.push(register.operation.as_byte());
            body.extend(register.seq.to_le_bytes());
            body.extend(register.next.as_bytes());
            body.extend(register.name.as_bytes());
        }
        Payload::Anchor(anchor) => {
            body.extend(anchor.count.to_le_bytes());
            body.extend(anchor.root);
        }
    }
}
