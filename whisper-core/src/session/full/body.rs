//! How a message is laid out: `kind (1) ‖ sent_at (4) ‖ n (4) ‖ data (n) ‖ block ‖ zeros`.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::content::Content;
use super::round::Block;
use super::round::BlockKind;
use crate::time::Timestamp;

/// What one side says to the other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Body {
    /// When, by the sender's clock, in whole seconds; of a message that goes again, the first time.
    pub sent_at: Timestamp,
    /// What.
    pub content: Content,
}

impl Body {
    /// The layout without what follows the data; none if the time or the data has no place in it.
    pub(super) fn encode(&self) -> Option<Zeroizing<Vec<u8>>> {
        let sent_at = u32::try_from(self.sent_at.as_secs()).ok()?;
        let length = self.content.length();
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEADER.checked_add(length)?));
        bytes.push(self.content.kind());
        bytes.extend_from_slice(&sent_at.to_be_bytes());
        bytes.extend_from_slice(&u32::try_from(length).ok()?.to_be_bytes());
        self.content.put(&mut bytes);
        Some(bytes)
    }

    /// The layout filled to `size` bytes; none if it does not fit.
    pub(super) fn fill(&self, block: Option<&Block>, size: usize) -> Option<Zeroizing<Vec<u8>>> {
        let said = self.encode()?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(size));
        bytes.extend_from_slice(&said);
        if let Some(block) = block {
            bytes.extend_from_slice(&block.round.to_be_bytes());
            bytes.extend_from_slice(&block.bytes);
        }
        (bytes.len() <= size).then(|| {
            bytes.resize(size, 0);
            bytes
        })
    }

    /// Reads the layout of the text of an invitation, which fills its place.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, rest) = split(bytes)?;
        let content = Content::read(body.kind, body.data)?;
        rest.is_empty().then_some(Self { sent_at: body.sent_at, content })
    }
}

/// A body as it came.
pub(super) struct Layout<'a> {
    pub(super) sent_at: Timestamp,
    /// Nothing, if it breaks a rule.
    pub(super) content: Option<Content>,
    /// The round and the bytes of the block, if the body has the right form.
    pub(super) block: Option<(u32, &'a [u8])>,
}

impl<'a> Layout<'a> {
    /// Reads a body and the block that its header speaks of.
    pub(super) fn read(bytes: &'a [u8], kind: Option<BlockKind>) -> Self {
        let malformed = Self { sent_at: Timestamp::default(), content: None, block: None };
        let Some((body, rest)) = split(bytes) else { return malformed };
        let sent_at = body.sent_at;
        let Some((block, zeros)) = split_block(rest, kind) else {
            return Self { sent_at, ..malformed };
        };
        let carries = body.kind != Content::CARD || block.is_none();
        if zeros.iter().any(|byte| *byte != 0) || !carries {
            return Self { sent_at, ..malformed };
        }
        Self { sent_at, content: Content::read(body.kind, body.data), block }
    }
}

/// Kind, time and data.
struct Said<'a> {
    kind: u8,
    sent_at: Timestamp,
    data: &'a [u8],
}

/// Takes a body from the front.
fn split(bytes: &[u8]) -> Option<(Said<'_>, &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let (sent_at, rest) = rest.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (data, rest) = rest.split_at_checked(length)?;
    let sent_at = Timestamp::from_secs(u32::from_be_bytes(*sent_at).into());
    Some((Said { kind: *kind, sent_at, data }, rest))
}

/// The round and the bytes of a block, and what follows.
type WithBlock<'a> = (Option<(u32, &'a [u8])>, &'a [u8]);

fn split_block(rest: &[u8], kind: Option<BlockKind>) -> Option<WithBlock<'_>> {
    let Some(kind) = kind else { return Some((None, rest)) };
    let (round, rest) = rest.split_first_chunk()?;
    let (block, zeros) = rest.split_at_checked(kind.length())?;
    Some((Some((u32::from_be_bytes(*round), block)), zeros))
}

/// Kind, time, length.
pub(super) const HEADER: usize = 9;
