//! A protocol of one's own costs one registration, whatever the wire.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::time::Duration;

use tokio::sync::mpsc;
use whisper_core::peer::PeerId;
use whisper_core::time::Timestamp;
use whisper_net::Config;
use whisper_net::Handle;
use whisper_net::RegisterError;
use whisper_net::handler::Handler;
use whisper_net::handler::PeerCommand;
use whisper_net::handler::PeerEvent;
use whisper_net::memory::MemoryNetwork;
use whisper_net::transport::Protocol;

use crate::common::connect;

const ECHO: Protocol = Protocol::new("techo", 1, 2);
const CALL: u8 = 0;
const ANSWER: u8 = 1;

/// Calls each peer once and answers calls.
struct Echo(mpsc::UnboundedSender<(PeerId, Vec<u8>)>);

impl Handler for Echo {
    fn handle(&mut self, _now: Timestamp, event: PeerEvent) -> Vec<PeerCommand> {
        match event {
            PeerEvent::Connected(peer) => {
                let payload = b"hello".to_vec();
                // The protocol has no code 2: nothing must come of it.
                let beyond = PeerCommand::Send { peer, code: 2, payload: payload.clone() };
                vec![beyond, PeerCommand::Send { peer, code: CALL, payload }]
            }
            PeerEvent::Received { peer, code: CALL, payload } => {
                vec![PeerCommand::Send { peer, code: ANSWER, payload }]
            }
            PeerEvent::Received { peer, payload, .. } => {
                let _ = self.0.send((peer, payload));
                Vec::new()
            }
            PeerEvent::Disconnected(_) | PeerEvent::Written { .. } => Vec::new(),
        }
    }
}

/// Both nodes call each other and are answered.
async fn echoes(one: &Handle, other: &Handle) {
    let mut answers = Vec::new();
    for node in [one, other] {
        let (sender, heard) = mpsc::unbounded_channel();
        node.register(ECHO, Echo(sender)).await.unwrap();
        answers.push(heard);
    }
    connect(one, other).await;
    for heard in &mut answers {
        let answer = tokio::time::timeout(Duration::from_secs(30), heard.recv()).await.unwrap();
        assert_eq!(answer.unwrap().1, b"hello");
    }
    let peers = one.peers().await.unwrap();
    assert_eq!(peers[0].facts.protocols, [Protocol::WHISPER, ECHO]);
}

#[tokio::test]
async fn a_protocol_of_ones_own_is_spoken_in_memory() {
    let network = MemoryNetwork::new();
    let node = |name| whisper_net::start(Config::new(network.transport(name))).unwrap();
    echoes(&node("one"), &node("other")).await;
}

#[cfg(feature = "rlpx")]
#[tokio::test]
async fn a_protocol_of_ones_own_is_spoken_over_rlpx() {
    use std::sync::Arc;

    use whisper_core::identity::Identity;
    use whisper_net::Entropy;
    use whisper_net::rlpx::RlpxConfig;
    use whisper_net::rlpx::RlpxTransport;

    let node = async || {
        let key = Arc::new(Identity::generate(&mut Entropy::os().rng().unwrap()));
        let listen = Some(([127, 0, 0, 1], 0).into());
        let config = RlpxConfig { listen, ..RlpxConfig::new(key) };
        let transport = RlpxTransport::bind(config).await.unwrap();
        whisper_net::start(Config::new(transport)).unwrap()
    };
    echoes(&node().await, &node().await).await;
}

#[tokio::test]
async fn the_relays_protocol_is_not_given_away() {
    let node = whisper_net::start(Config::new(MemoryNetwork::new().transport("one"))).unwrap();
    let (sender, _) = mpsc::unbounded_channel();
    let refused = node.register(Protocol::WHISPER, Echo(sender)).await;
    assert_eq!(refused, Err(RegisterError::Reserved));
}
