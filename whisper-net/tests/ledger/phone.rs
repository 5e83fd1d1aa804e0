//! A node with a light ledger, as tests use it; and a peer that lies to it.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use whisper_core::ledger::HeaderAnchor;
use whisper_core::ledger::Message;
use whisper_core::ledger::Params;
use whisper_core::ledger::Status;
use whisper_net::Config;
use whisper_net::Handle;
use whisper_net::ledger::LightConfig;
use whisper_net::ledger::LightError;
use whisper_net::ledger::LightLedger;
use whisper_net::ledger::PROTOCOL;
use whisper_net::memory::MemoryNetwork;
use whisper_net::transport::Transport;
use whisper_net::transport::TransportEvent;

use crate::member::BOTH;
use crate::member::Member;
use crate::member::clock;
use crate::member::eventually;
use crate::member::rlpx;

pub(crate) struct Phone {
    pub(crate) node: Handle,
    pub(crate) ledger: LightLedger,
}

impl Phone {
    pub(crate) async fn rlpx(params: &Params) -> Self {
        Self::on(rlpx().await, params, None).await.unwrap()
    }

    pub(crate) async fn memory(network: &MemoryNetwork, params: &Params) -> Self {
        Self::from(network, params, None).await.unwrap()
    }

    /// A phone that begins at an anchor.
    pub(crate) async fn from(
        network: &MemoryNetwork,
        params: &Params,
        anchor: Option<HeaderAnchor>,
    ) -> Result<Self, LightError> {
        Self::on(network.transport_with("phone", &BOTH), params, anchor).await
    }

    async fn on(
        transport: impl Transport,
        params: &Params,
        anchor: Option<HeaderAnchor>,
    ) -> Result<Self, LightError> {
        let node = whisper_net::start(Config { clock: clock(), ..Config::new(transport) }).unwrap();
        let config = LightConfig { anchor, clock: clock(), ..LightConfig::new(params.clone()) };
        let ledger = LightLedger::serve(config, &node).await?;
        Ok(Self { node, ledger })
    }

    /// Dials a member and waits until the headers are as far as its blocks.
    pub(crate) async fn follow(&self, member: &Member) {
        self.node.dial(member.node.local_address().unwrap()).await.unwrap();
        let tip = member.ledger.overview().await.unwrap().tip;
        eventually(|| async { self.ledger.tip().await.unwrap() == tip }).await;
    }
}

/// A peer that greets like a ledger's, and answers every question with this. Counts the questions.
pub(crate) fn answer_all(
    network: &MemoryNetwork,
    name: &str,
    params: &Params,
    answer: Option<Message>,
) -> Arc<AtomicUsize> {
    let genesis = params.genesis_id();
    let status = Status { genesis, tip: genesis, height: 0, work: Default::default() };
    let mut transport = network.transport_with(name, &BOTH);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let mut events = Vec::new();
            poll_fn(|cx| transport.poll_events(cx, &mut events)).await;
            for event in events {
                let (peer, answer) = match event {
                    TransportEvent::Connected { peer, .. } => (peer, Some(Message::Status(status))),
                    TransportEvent::Received { peer, protocol: PROTOCOL, code: 17, .. } => {
                        count.fetch_add(1, Ordering::Relaxed);
                        (peer, answer.clone())
                    }
                    _ => continue,
                };
                if let Some(message) = answer {
                    let code = message.code();
                    transport.send(peer, PROTOCOL, code, message.encode());
                }
            }
        }
    });
    asked
}
