//! What happens to a light ledger, as a stream.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use futures_core::Stream;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::Status;
use whisper_core::peer::PeerId;

use crate::gap::Next;
use crate::gap::Tap;

/// Something that happened to a light ledger.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LightEvent {
    /// The chain has a new tip.
    Tip {
        /// The newest block.
        id: BlockId,
        /// Its height.
        height: u32,
    },
    /// A peer has said which chain it has. If that has more work, its headers come next: questions
    /// wait for them.
    Ready {
        /// Which peer.
        peer: PeerId,
        /// What it said.
        status: Status,
    },
    /// The reader was too slow and has missed so many events.
    Gap(u64),
}

/// The stream of a light ledger's events. It ends with the ledger.
pub struct LightEvents(Tap<LightEvent>);

impl LightEvents {
    pub(super) const fn new(tap: Tap<LightEvent>) -> Self {
        Self(tap)
    }

    /// The next event; nothing once the ledger has ended. Safe to cancel.
    pub async fn next(&mut self) -> Option<LightEvent> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<LightEvent>> {
        self.0.poll_next(cx).map(|next| match next? {
            Next::Item(event) => Some(event),
            Next::Gap(missed) => Some(LightEvent::Gap(missed)),
        })
    }
}

impl Stream for LightEvents {
    type Item = LightEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<LightEvent>> {
        self.poll(cx)
    }
}

impl fmt::Debug for LightEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LightEvents").finish_non_exhaustive()
    }
}
