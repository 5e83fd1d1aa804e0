//! Following headers: asking for them, taking them in, and looking at branches that leave deep.

use alloc::vec::Vec;
use core::time::Duration;

use super::contract::Violation;
use super::links::Links;
use super::peer::PATIENCE;
use super::wire::HEADERS_MAX;
use super::wire::Message;
use crate::ledger::block::Fault;
use crate::ledger::block::header::Header;
use crate::ledger::block::header::HeaderError;
use crate::ledger::chain::Ledger;
use crate::ledger::hash::BlockId;
use crate::ledger::hash::Keccak256;
use crate::ledger::headers::BatchError;
use crate::ledger::headers::HeaderChain;
use crate::ledger::headers::HeaderUpdate;
use crate::ledger::headers::Scan;
use crate::ledger::light::client::LightClient;
use crate::peer::PeerId;
use crate::time::Timestamp;

/// What follows headers.
pub(super) trait Follow {
    fn headers(&self) -> &HeaderChain<Keccak256>;
    fn accept(&mut self, now: Timestamp, headers: &[Header]) -> Result<HeaderUpdate, BatchError>;
    fn permit(&mut self, scan: &Scan<Keccak256>) -> bool;
}

impl Follow for Ledger {
    fn headers(&self) -> &HeaderChain<Keccak256> {
        self.headers()
    }

    fn accept(&mut self, now: Timestamp, headers: &[Header]) -> Result<HeaderUpdate, BatchError> {
        self.accept_headers(now, headers)
    }

    fn permit(&mut self, scan: &Scan<Keccak256>) -> bool {
        self.permit(scan)
    }
}

impl Follow for LightClient {
    fn headers(&self) -> &HeaderChain<Keccak256> {
        self.headers()
    }

    fn accept(&mut self, now: Timestamp, headers: &[Header]) -> Result<HeaderUpdate, BatchError> {
        self.accept(now, headers)
    }

    fn permit(&mut self, scan: &Scan<Keccak256>) -> bool {
        self.permit(scan)
    }
}

/// How long a peer is left alone whose deep branch had less work than ours.
const REST: Duration = Duration::from_secs(600);

/// Asks a peer for headers that we do not have.
pub(super) fn ask(links: &mut Links, chain: &impl Follow, peer: PeerId) {
    // A scan that waits for nothing was given up.
    if let Some(own) = links.get_mut(peer).filter(|own| own.headers.asked.is_none()) {
        own.headers.scan = None;
    }
    request(links, peer, chain.headers().locator());
}

fn request(links: &mut Links, peer: PeerId, locator: Vec<BlockId>) {
    let now = links.now();
    let Some(own) = links.get_mut(peer).filter(|own| own.headers.rests <= now) else { return };
    if own.headers.asked.is_some() {
        own.headers.again = true;
        return;
    }
    // Answers come in order: behind the blocks that it is asked for.
    let behind = own.blocks.values().copied().fold(now, Ord::max);
    own.headers.asked = Some(behind.saturating_add(PATIENCE));
    links.send(peer, Message::GetHeaders { locator, stop: BlockId::NONE });
}

/// Takes headers that a peer was asked for, if only lately.
pub(super) fn take<C: Follow>(links: &mut Links, chain: &mut C, peer: PeerId, headers: &[Header]) {
    let Some(own) = links.get_mut(peer) else { return };
    if own.headers.asked.take().is_none() && !core::mem::take(&mut own.headers.late) {
        links.strike(peer, Violation::Unsolicited);
        return;
    }
    let again = core::mem::take(&mut own.headers.again);
    let scan = own.headers.scan.take();
    let is_full = headers.len() >= HEADERS_MAX;
    if let Some(scan) = scan {
        go_on(links, chain, peer, scan, headers);
        return;
    }
    let now = links.now();
    match chain.accept(now, headers) {
        Ok(update) => note(links, chain, peer, headers, &update),
        Err(BatchError { index, source }) => {
            let (good, rest) = headers.split_at_checked(index).unwrap_or((headers, &[]));
            // Those before the fault were judged good; alone they come in.
            if let Ok(update) = chain.accept(now, good) {
                note(links, chain, peer, good, &update);
            }
            fault(links, chain, peer, source, rest);
            return;
        }
    }
    if is_full || again {
        let newest = headers.last().map(Header::id::<Keccak256>);
        let locator = newest.filter(|_| is_full).map(|id| [id].into());
        request(links, peer, locator.unwrap_or_else(|| chain.headers().locator()));
    }
}

/// Asks again whose headers were too new, and are not any more, or did not come.
pub(super) fn retry(links: &mut Links, chain: &impl Follow) {
    for peer in links.take_retries() {
        ask(links, chain, peer);
    }
}

/// Notes how far a peer's chain goes, as its headers show. What it did wrong before is forgiven for
/// new ones only, which cost work: those that everybody has cost nothing.
fn note(
    links: &mut Links,
    chain: &impl Follow,
    peer: PeerId,
    headers: &[Header],
    update: &HeaderUpdate,
) {
    let shown = headers.last().and_then(|last| chain.headers().get(&last.id::<Keccak256>()));
    let Some(entry) = shown else { return };
    links.note_work(peer, entry.work, entry.height);
    if let Some(own) = links.get_mut(peer).filter(|_| update.added > 0) {
        own.strikes = 0;
    }
}

/// Deals with headers that did not come in; the first of `rest` is the one at fault.
fn fault<C: Follow>(
    links: &mut Links,
    chain: &mut C,
    peer: PeerId,
    error: HeaderError,
    rest: &[Header],
) {
    if error == HeaderError::Deep {
        let fork = rest.first().map(|first| first.parent);
        let scan = fork.and_then(|fork| Scan::new(chain.headers(), &fork));
        match scan {
            Some(scan) => go_on(links, chain, peer, scan, rest),
            None => links.strike(peer, Violation::Unconnected),
        }
        return;
    }
    blame(links, peer, error);
}

fn blame(links: &mut Links, peer: PeerId, error: HeaderError) {
    match (error, error.fault()) {
        // A clock may be wrong, ours too.
        (HeaderError::TooNew { until }, _) => {
            if let Some(own) = links.get_mut(peer) {
                own.headers.retry = Some(until);
            }
        }
        (_, Fault::Orphan) => links.strike(peer, Violation::Unconnected),
        // Only the block shows that it is invalid, and the peer may not have seen it.
        (HeaderError::Refused, _) => links.strike(peer, Violation::Header(error)),
        _ => links.cut(peer, Violation::Header(error)),
    }
}

/// Lets more of a deep branch go by. As soon as it has more work than our chain it may come again,
/// to stay; if it ends before, the peer is left alone for a while.
fn go_on<C: Follow>(
    links: &mut Links,
    chain: &mut C,
    peer: PeerId,
    mut scan: Scan<Keccak256>,
    headers: &[Header],
) {
    let now = links.now();
    if let Err(BatchError { source, .. }) = scan.accept(now, headers) {
        return blame(links, peer, source);
    }
    if chain.permit(&scan) {
        request(links, peer, [scan.fork()].into());
        return;
    }
    let Some(own) = links.get_mut(peer) else { return };
    if headers.len() >= HEADERS_MAX {
        let newest = scan.tip();
        own.headers.scan = Some(scan);
        request(links, peer, [newest].into());
    } else {
        own.headers.rests = now.saturating_add(REST);
    }
}
