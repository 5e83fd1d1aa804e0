//! The ledger on a running node: headers, and proofs that peers are asked for.

use std::fmt;
use std::sync::Arc;

use whisper_core::ledger::BlockId;
use whisper_core::ledger::TxId;
use whisper_net as net;
use whisper_net::ledger;
use whisper_net::ledger::LightConfig;
use whisper_net::ledger::LightEvent;

use crate::cancel::CancelToken;
use crate::directory::NameAnswer;
use crate::error::WhisperError;
use crate::faults;
use crate::inflight::Inflight;
use crate::ledger::Header;
use crate::ledger::LedgerNetwork;
use crate::ledger::ProvenTransaction;
use crate::ledger::anchor_of;
use crate::runtime;

/// A ledger that is followed by its headers. It trusts the chain with the most work not to lie about
/// the directory: pin keys that were seen. It ends with its node, when nobody holds it any more, and when
/// the node is told to follow another one.
#[derive(uniffi::Object)]
pub struct LightLedger {
    ledger: ledger::LightLedger,
    events: Arc<Inflight<net::Stream<LightEvent>>>,
}

/// What happens to a ledger that is followed. More kinds may come.
#[derive(Clone, Debug, PartialEq, uniffi::Enum)]
#[non_exhaustive]
pub enum LedgerEvent {
    /// The chain has a new tip.
    Tip {
        /// The newest block.
        id: BlockId,
        /// Its height.
        height: u32,
    },
    /// A peer has said which chain it has. If that has more work, its headers come next: questions
    /// wait for them.
    PeerReady {
        /// The height of its chain, as it says.
        height: u32,
    },
    /// The app read too slowly and has missed so many events.
    Gap {
        /// How many.
        missed: u64,
    },
}

/// An event with the number to acknowledge it by.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
pub struct NumberedLedgerEvent {
    /// The number.
    pub number: u64,
    /// The event.
    pub event: LedgerEvent,
}

#[uniffi::export]
impl LightLedger {
    /// The newest header.
    pub async fn tip(&self) -> Result<Header, WhisperError> {
        faults::enter("LightLedger.tip");
        let ledger = self.ledger.clone();
        runtime::run(None, async move { Ok(ledger.tip().await.map_err(ended)?.into()) }).await
    }

    /// The header at this height; nothing if there is none, or it was forgotten.
    pub async fn at(&self, height: u32) -> Result<Option<Header>, WhisperError> {
        faults::enter("LightLedger.at");
        let ledger = self.ledger.clone();
        let header = async move { Ok(ledger.at(height).await.map_err(ended)?.map(Into::into)) };
        runtime::run(None, header).await
    }

    /// Asks peers what stands under a name, and checks what they prove.
    #[uniffi::method(default(cancel = None))]
    pub async fn look_up(
        &self,
        name: String,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<NameAnswer, WhisperError> {
        faults::enter("LightLedger.look_up");
        let (ledger, name) = (self.ledger.clone(), name.parse()?);
        runtime::run(cancel, async move {
            let found = ledger.look_up(name).await?;
            NameAnswer::new(found.record.as_ref(), found.proven)
        })
        .await
    }

    /// Asks peers to prove that a transaction stands in a block, and checks what they prove.
    #[uniffi::method(default(cancel = None))]
    pub async fn prove(
        &self,
        block: BlockId,
        transaction: TxId,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<ProvenTransaction, WhisperError> {
        faults::enter("LightLedger.prove");
        let ledger = self.ledger.clone();
        runtime::run(cancel, async move {
            let (proof, proven) = ledger.prove(block, transaction).await?;
            ProvenTransaction::new(&proof, proven)
        })
        .await
    }

    /// An anchor to store, and to begin at the next time; nothing while the chain is short.
    pub async fn anchor(&self) -> Result<Option<Vec<u8>>, WhisperError> {
        faults::enter("LightLedger.anchor");
        let ledger = self.ledger.clone();
        let anchor = async move { Ok(ledger.anchor().await.map_err(ended)?.map(|a| a.encode())) };
        runtime::run(None, anchor).await
    }

    /// The event that is not acknowledged yet, or the next one; nothing once the ledger has ended.
    #[uniffi::method(default(cancel = None))]
    pub async fn next_event(
        &self,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Option<NumberedLedgerEvent>, WhisperError> {
        faults::enter("LightLedger.next_event");
        let events = Arc::clone(&self.events);
        let next = async move { Ok(events.next_known(LedgerEvent::from_net).await) };
        let next = runtime::run(cancel, next).await?;
        Ok(next.map(|(number, event)| NumberedLedgerEvent { number, event }))
    }

    /// Lets go of the event of this number: it is dealt with and does not come again.
    pub fn acknowledge(&self, number: u64) -> Result<(), WhisperError> {
        faults::enter("LightLedger.acknowledge");
        self.events.acknowledge(number);
        Ok(())
    }
}

/// Not the node: it may go on.
fn ended(_: net::Closed) -> WhisperError {
    WhisperError::ended("the ledger")
}

impl LightLedger {
    pub(crate) async fn follow(
        node: net::Handle,
        network: LedgerNetwork,
        anchor: Option<Vec<u8>>,
    ) -> Result<Arc<Self>, WhisperError> {
        let anchor = anchor_of(anchor)?;
        let config = LightConfig { anchor, ..LightConfig::new(network.params()) };
        let ledger = ledger::LightLedger::serve(config, &node).await?;
        let events = Arc::new(Inflight::new(ledger.events().await?));
        Ok(Arc::new(Self { ledger, events }))
    }
}

impl fmt::Debug for LightLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ledger.fmt(f)
    }
}

impl LedgerEvent {
    fn from_net(event: Result<LightEvent, net::Lagged>) -> Option<Self> {
        Some(match event {
            Ok(LightEvent::Tip { id, height }) => Self::Tip { id, height },
            Ok(LightEvent::Ready { status, .. }) => Self::PeerReady { height: status.height },
            Err(net::Lagged(missed)) => Self::Gap { missed },
            Ok(_) => return None,
        })
    }
}
