//! A light node on a wire of its own: headers and proofs, no relay beside it.

use std::future::poll_fn;
use std::time::Duration;

use whisper_core::ledger::Entry;
use whisper_core::ledger::LightClient;
use whisper_core::ledger::Params;
use whisper_core::ledger::Proof;
use whisper_core::ledger::Proven;
use whisper_core::ledger::Question;
use whisper_core::ledger::sync::Event;
use whisper_core::ledger::sync::Input;
use whisper_core::ledger::sync::LightNode;
use whisper_core::ledger::sync::Output;
use whisper_net::Clock;
use whisper_net::memory::MemoryNetwork;
use whisper_net::memory::MemoryTransport;
use whisper_net::transport::Protocol;
use whisper_net::transport::Transport;
use whisper_net::transport::TransportEvent;

use crate::member::clock;

pub(crate) struct Phone {
    transport: MemoryTransport,
    node: LightNode,
    clock: Clock,
    answer: Option<(Proof, Proven)>,
    /// Blocks that came.
    pub(crate) blocks: usize,
}

impl Phone {
    pub(crate) fn new(network: &MemoryNetwork, params: &Params, peer: &str) -> Self {
        let protocols = [Protocol::Whisper, Protocol::Ledger];
        let mut transport = network.transport_with("phone", &protocols);
        transport.dial(&format!("memory:{peer}")).unwrap();
        let node = LightNode::new(LightClient::new(params.clone()).unwrap());
        Self { transport, node, clock: clock(), answer: None, blocks: 0 }
    }

    /// Follows the headers to this height.
    pub(crate) async fn follow(&mut self, height: u32) {
        while self.tip().height < height {
            self.step().await;
        }
    }

    /// Asks for a proof, and waits for a right one.
    pub(crate) async fn ask(&mut self, question: Question) -> (Proof, Proven) {
        let outputs = self.node.ask(self.clock.now(), question).collect();
        self.carry_out(outputs);
        loop {
            if let Some(answer) = self.answer.take() {
                return answer;
            }
            self.step().await;
        }
    }

    pub(crate) fn tip(&self) -> Entry {
        self.node.client().headers().tip()
    }

    async fn step(&mut self) {
        let mut events = Vec::new();
        let poll = poll_fn(|cx| self.transport.poll_events(cx, &mut events));
        tokio::time::timeout(Duration::from_secs(60), poll).await.expect("something comes");
        for event in events {
            let now = self.clock.now();
            let input = match &event {
                TransportEvent::Connected { peer, .. } => Input::Connected(*peer),
                TransportEvent::Disconnected { peer, .. } => Input::Disconnected(*peer),
                TransportEvent::Received { peer, protocol: Protocol::Ledger, code, payload } => {
                    self.blocks += usize::from(*code == 13);
                    Input::Received { peer: *peer, code: *code, payload }
                }
                TransportEvent::Written { peer, protocol: Protocol::Ledger, bytes } => {
                    Input::Written { peer: *peer, bytes: *bytes }
                }
                _ => continue,
            };
            let outputs = self.node.handle(now, input).collect();
            self.carry_out(outputs);
        }
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Transmit { peer, code, payload } => {
                    self.transport.send(peer, Protocol::Ledger, code, payload);
                }
                Output::Event(Event::Answered { proof, proven, .. }) => {
                    self.answer = Some((*proof, proven));
                }
                Output::Event(Event::Unanswered(question)) => panic!("{question:?}"),
                Output::Disconnect(_, why) => panic!("{why}"),
                _ => {}
            }
        }
    }
}
