//! The messages of `wledger/1`: raw little-endian layouts, each with one encoding.

use alloc::vec::Vec;

use crate::ledger::block::header::Header;
use crate::ledger::block::name::Name;
use crate::ledger::hash::BlockId;
use crate::ledger::hash::TxId;
use crate::ledger::headers::LOCATOR_MAX;
use crate::ledger::pow::ChainWork;
use crate::ledger::read::Fields;

/// The most headers in a message.
pub(in crate::ledger) const HEADERS_MAX: usize = 2_000;
/// The most blocks in a request.
pub(in crate::ledger) const BLOCKS_MAX: usize = 16;
/// The most items in an inventory.
pub(in crate::ledger) const ITEMS_MAX: usize = 1_000;
/// The most transactions in a request.
pub(in crate::ledger) const TXS_MAX: usize = 64;

/// A message of `wledger/1`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message {
    /// Code 0, first and once: which chain, and how far.
    Status(Status),
    /// Code 10: asks for the headers after the first of these ids that is on the chain.
    GetHeaders {
        /// Ids from the tip downwards.
        locator: Vec<BlockId>,
        /// The last header that is wanted; [`BlockId::NONE`] for as many as fit.
        stop: BlockId,
    },
    /// Code 11: headers that follow each other.
    Headers(Vec<Header>),
    /// Code 12: asks for blocks.
    GetBlocks(Vec<BlockId>),
    /// Code 13: a block, encoded.
    Block(Vec<u8>),
    /// Code 14: says what there is.
    Inv(Vec<Item>),
    /// Code 15: asks for transactions.
    GetTxs(Vec<TxId>),
    /// Code 16: a transaction, encoded.
    Tx(Vec<u8>),
    /// Code 17: asks for a proof.
    GetProof(Question),
    /// Code 18: a proof, encoded.
    Proof(Vec<u8>),
    /// Code 19: what was asked for is not here.
    NotFound(Item),
}

/// Which chain a peer has, and how far.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status {
    /// The network's first block.
    pub genesis: BlockId,
    /// The newest valid block.
    pub tip: BlockId,
    /// Its height.
    pub height: u32,
    /// The work up to it.
    pub work: ChainWork,
}

/// Something that a peer has or lacks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Item {
    /// A transaction.
    Tx(TxId),
    /// A block.
    Block(BlockId),
    /// A proof from this block: only in [`Message::NotFound`].
    Proof(BlockId),
}

impl Item {
    fn write(&self, bytes: &mut Vec<u8>) {
        let (kind, id) = match self {
            Self::Tx(id) => (1, id.as_bytes()),
            Self::Block(id) => (2, id.as_bytes()),
            Self::Proof(id) => (3, id.as_bytes()),
        };
        bytes.push(kind);
        bytes.extend(id);
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        match fields.u8()? {
            1 => Some(Self::Tx(TxId::new(fields.array()?))),
            2 => Some(Self::Block(BlockId::new(fields.array()?))),
            3 => Some(Self::Proof(BlockId::new(fields.array()?))),
            _ => None,
        }
    }
}

/// What a proof is asked for, and from which block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Question {
    /// That the transaction stands in the block.
    Tx(BlockId, TxId),
    /// What stands under the name after the block.
    Name(BlockId, Name),
}

impl Question {
    /// The block to prove from.
    pub const fn block(&self) -> BlockId {
        match self {
            Self::Tx(block, _) | Self::Name(block, _) => *block,
        }
    }
}

impl Message {
    /// Codes that the capability takes up on a connection.
    pub const CODES: u8 = 32;

    /// The code that the message goes under.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Status(_) => 0,
            Self::GetHeaders { .. } => 10,
            Self::Headers(_) => 11,
            Self::GetBlocks(_) => 12,
            Self::Block(_) => 13,
            Self::Inv(_) => 14,
            Self::GetTxs(_) => 15,
            Self::Tx(_) => 16,
            Self::GetProof(_) => 17,
            Self::Proof(_) => 18,
            Self::NotFound(_) => 19,
        }
    }

    /// Writes what follows the code. Lists are as long as their limits at the most.
    pub fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Status(status) => {
                bytes.extend(status.genesis.as_bytes());
                bytes.extend(status.tip.as_bytes());
                bytes.extend(status.height.to_le_bytes());
                bytes.extend(status.work.to_bytes());
            }
            Self::GetHeaders { locator, stop } => {
                write_count::<1>(locator.len(), &mut bytes);
                bytes.extend(locator.iter().flat_map(BlockId::as_bytes));
                bytes.extend(stop.as_bytes());
            }
            Self::Headers(headers) => {
                write_count::<2>(headers.len(), &mut bytes);
                bytes.extend(headers.iter().flat_map(Header::encode));
            }
            Self::GetBlocks(ids) => {
                write_count::<1>(ids.len(), &mut bytes);
                bytes.extend(ids.iter().flat_map(BlockId::as_bytes));
            }
            Self::Inv(items) => {
                write_count::<2>(items.len(), &mut bytes);
                items.iter().for_each(|item| item.write(&mut bytes));
            }
            Self::GetTxs(ids) => {
                write_count::<1>(ids.len(), &mut bytes);
                bytes.extend(ids.iter().flat_map(TxId::as_bytes));
            }
            Self::GetProof(question) => {
                bytes.extend(question.block().as_bytes());
                match question {
                    Question::Tx(_, id) => {
                        bytes.push(1);
                        bytes.extend(id.as_bytes());
                    }
                    Question::Name(_, name) => {
                        bytes.push(2);
                        write_count::<1>(name.as_bytes().len(), &mut bytes);
                        bytes.extend(name.as_bytes());
                    }
                }
            }
            Self::NotFound(item) => item.write(&mut bytes),
            Self::Block(encoded) | Self::Tx(encoded) | Self::Proof(encoded) => return encoded,
        }
        bytes
    }

    /// Reads a message. What blocks, transactions and proofs hold is not looked at.
    ///
    /// # Errors
    /// [`WireError`] if the code or the layout is not one of the protocol.
    pub fn decode(code: u8, payload: &[u8]) -> Result<Self, WireError> {
        match code {
            13 => return Ok(Self::Block(payload.to_vec())),
            16 => return Ok(Self::Tx(payload.to_vec())),
            18 => return Ok(Self::Proof(payload.to_vec())),
            0 | 10..=19 => {}
            _ => return Err(WireError::Code),
        }
        let mut fields = Fields::new(payload);
        let message = Self::read(code, &mut fields).ok_or(WireError::Layout)?;
        if fields.is_empty() { Ok(message) } else { Err(WireError::Layout) }
    }

    fn read(code: u8, fields: &mut Fields<'_>) -> Option<Self> {
        Some(match code {
            0 => Self::Status(Status {
                genesis: BlockId::new(fields.array()?),
                tip: BlockId::new(fields.array()?),
                height: fields.u32()?,
                work: ChainWork::from_bytes(&fields.array()?),
            }),
            10 => Self::GetHeaders {
                locator: read_ids(fields.u8()?.into(), LOCATOR_MAX, fields)?,
                stop: BlockId::new(fields.array()?),
            },
            11 => {
                let count = Some(usize::from(fields.u16()?)).filter(|n| *n <= HEADERS_MAX)?;
                Self::Headers(fields.arrays(count)?.iter().map(Header::decode).collect())
            }
            12 => Self::GetBlocks(read_ids(fields.u8()?.into(), BLOCKS_MAX, fields)?),
            14 => {
                let count = Some(usize::from(fields.u16()?)).filter(|n| *n <= ITEMS_MAX)?;
                let items = (0..count).map(|_| Item::read(fields));
                let items: Option<Vec<Item>> = items.collect();
                Self::Inv(items.filter(|items| !items.iter().any(|i| matches!(i, Item::Proof(_))))?)
            }
            15 => {
                let count = Some(usize::from(fields.u8()?)).filter(|n| *n <= TXS_MAX)?;
                Self::GetTxs(fields.arrays(count)?.iter().copied().map(TxId::new).collect())
            }
            17 => Self::GetProof(read_question(fields)?),
            19 => Self::NotFound(Item::read(fields)?),
            _ => return None,
        })
    }
}

/// Writes a count in `N` bytes.
fn write_count<const N: usize>(count: usize, bytes: &mut Vec<u8>) {
    bytes.extend(count.to_le_bytes().into_iter().take(N));
}

fn read_ids(count: usize, max: usize, fields: &mut Fields<'_>) -> Option<Vec<BlockId>> {
    let ids = fields.arrays(Some(count).filter(|count| *count <= max)?)?;
    Some(ids.iter().copied().map(BlockId::new).collect())
}

fn read_question(fields: &mut Fields<'_>) -> Option<Question> {
    let block = BlockId::new(fields.array()?);
    match fields.u8()? {
        1 => Some(Question::Tx(block, TxId::new(fields.array()?))),
        2 => {
            let len = fields.u8()?;
            let name = Name::from_bytes(fields.bytes(len.into())?).ok()?;
            Some(Question::Name(block, name))
        }
        _ => None,
    }
}

/// A message that is not one of the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// A code that means nothing.
    #[error("the code is not known")]
    Code,
    /// Bytes that are not laid out as the code asks.
    #[error("the message is not laid out as its code asks")]
    Layout,
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn id() -> impl Strategy<Value = BlockId> {
        any::<[u8; 32]>().prop_map(BlockId::new)
    }

    fn item() -> impl Strategy<Value = Item> {
        let tx = any::<[u8; 32]>().prop_map(|id| Item::Tx(TxId::new(id)));
        prop_oneof![tx, id().prop_map(Item::Block)]
    }

    fn message() -> impl Strategy<Value = Message> {
        let status = (id(), id(), any::<u32>(), any::<[u8; 32]>()).prop_map(
            |(genesis, tip, height, work)| {
                Message::Status(Status { genesis, tip, height, work: ChainWork::from_bytes(&work) })
            },
        );
        let get = (vec(id(), 0..=LOCATOR_MAX), id());
        let header =
            vec(any::<u8>(), 80).prop_map(|bytes| Header::decode(bytes[..].first_chunk().unwrap()));
        let name = "[a-z0-9]{3,32}".prop_map(|text| text.parse::<Name>().unwrap());
        prop_oneof![
            status,
            get.prop_map(|(locator, stop)| Message::GetHeaders { locator, stop }),
            vec(header, 0..20).prop_map(Message::Headers),
            vec(id(), 0..=BLOCKS_MAX).prop_map(Message::GetBlocks),
            vec(any::<u8>(), 0..99).prop_map(Message::Block),
            vec(item(), 0..99).prop_map(Message::Inv),
            vec(any::<[u8; 32]>().prop_map(TxId::new), 0..=TXS_MAX).prop_map(Message::GetTxs),
            vec(any::<u8>(), 0..99).prop_map(Message::Tx),
            (id(), name).prop_map(|(id, name)| Message::GetProof(Question::Name(id, name))),
            (id(), any::<[u8; 32]>())
                .prop_map(|(id, tx)| Message::GetProof(Question::Tx(id, TxId::new(tx)))),
            vec(any::<u8>(), 0..99).prop_map(Message::Proof),
            item().prop_map(Message::NotFound),
        ]
    }

    proptest! {
        #[test]
        fn messages_read_back(message in message()) {
            let code = message.code();
            prop_assert_eq!(Message::decode(code, &message.clone().encode()), Ok(message));
        }

        #[test]
        fn what_decodes_is_the_one_encoding(code in 0u8..25, payload in vec(0u8..4, 0..150)) {
            if let Ok(message) = Message::decode(code, &payload) {
                prop_assert_eq!(message.encode(), payload);
            }
        }

        #[test]
        fn bytes_left_over_are_refused(message in message()) {
            let code = message.code();
            let longer = [message.encode().as_slice(), &[0]].concat();
            prop_assert!(matches!(code, 13 | 16 | 18) || Message::decode(code, &longer).is_err());
        }
    }

    #[test]
    fn lists_beyond_their_limits_are_refused() {
        let too_many = vec![BlockId::NONE; BLOCKS_MAX + 1];
        let get = Message::GetBlocks(too_many).encode();
        assert_eq!(Message::decode(12, &get), Err(WireError::Layout));
        let items = vec![Item::Block(BlockId::NONE); ITEMS_MAX + 1];
        assert_eq!(Message::decode(14, &Message::Inv(items).encode()), Err(WireError::Layout));
        let proof = Message::Inv(vec![Item::Proof(BlockId::NONE)]).encode();
        assert_eq!(Message::decode(14, &proof), Err(WireError::Layout));
        assert_eq!(Message::decode(31, &[]), Err(WireError::Code));
    }
}
