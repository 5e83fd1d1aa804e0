//! A peer made of the pure wire and a plain socket, which can do what a transport never would.

use std::io;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use whisper_core::identity::Identity;
use whisper_net::rlpx::Enode;
use whisper_net::rlpx::Host;
use whisper_net::rlpx::capability::Capability;
use whisper_net::rlpx::disconnect::Reason;
use whisper_net::rlpx::frame::Egress;
use whisper_net::rlpx::frame::HEADER;
use whisper_net::rlpx::frame::Ingress;
use whisper_net::rlpx::frame::Packet;
use whisper_net::rlpx::handshake;
use whisper_net::rlpx::handshake::Message;
use whisper_net::rlpx::hello::Hello;

use crate::ends::PATIENCE;
use crate::ends::identity;

pub(crate) struct Raw {
    pub(crate) socket: TcpStream,
    pub(crate) egress: Egress,
    pub(crate) ingress: Ingress,
    key: [u8; 64],
}

pub(crate) async fn dial(node: &Enode) -> TcpStream {
    let endpoint = node.endpoint().expect("it listens");
    let Host::Ip(ip) = endpoint.host else { panic!("an address") };
    TcpStream::connect((ip, endpoint.tcp)).await.expect("it listens")
}

impl Raw {
    /// As far as the handshake leads.
    pub(crate) async fn shake_hands(node: &Enode, own: &Identity) -> Self {
        Self::try_to_shake_hands(node, own).await.expect("an answer")
    }

    /// The same, with a node that may hang up.
    pub(crate) async fn try_to_shake_hands(node: &Enode, own: &Identity) -> io::Result<Self> {
        let mut socket = dial(node).await;
        let mut rng = rng();
        let waiting = handshake::initiate(own, &node.public_key(), &mut rng);
        socket.write_all(waiting.auth()).await?;
        let mut ack = vec![0; 2];
        socket.read_exact(&mut ack).await?;
        let size = Message::Ack.remaining([ack[0], ack[1]]).expect("an answer");
        ack.resize(size + 2, 0);
        socket.read_exact(&mut ack[2..]).await?;
        let (egress, ingress) = waiting.receive(&ack).expect("an answer");
        Ok(Self { socket, egress, ingress, key: own.public_key().to_bytes() })
    }

    /// A peer that has said a good Hello and read the other's.
    pub(crate) async fn connect(node: &Enode, seed: u64) -> Self {
        let mut raw = Self::shake_hands(node, &identity(seed)).await;
        raw.say(&raw.hello()).await;
        assert_eq!(raw.read().await.expect("a Hello").code, 0);
        raw.compress();
        raw
    }

    pub(crate) fn hello(&self) -> Hello {
        Hello {
            version: 5,
            client: b"raw".to_vec(),
            capabilities: vec![Capability::new(*b"shh", 6)],
            listen_port: 0,
            public_key: self.key,
        }
    }

    pub(crate) fn compress(&mut self) {
        self.egress.compress();
        self.ingress.decompress();
    }

    pub(crate) async fn say(&mut self, hello: &Hello) {
        self.write(0, &hello.encode()).await;
    }

    pub(crate) fn frame(&mut self, code: u64, payload: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        self.egress.write(code, payload, &mut wire).expect("it fits");
        wire
    }

    pub(crate) async fn write(&mut self, code: u64, payload: &[u8]) {
        let wire = self.frame(code, payload);
        self.socket.write_all(&wire).await.expect("it listens");
    }

    /// The next packet; nothing if the other end has closed.
    pub(crate) async fn read(&mut self) -> Option<Packet> {
        let read = async {
            let mut header = [0; HEADER];
            self.socket.read_exact(&mut header).await.ok()?;
            let header = self.ingress.header(&header).expect("a genuine header");
            let mut body = vec![0; header.remaining()];
            self.socket.read_exact(&mut body).await.ok()?;
            Some(self.ingress.body(header, &mut body).expect("a genuine body"))
        };
        timeout(PATIENCE, read).await.expect("something comes")
    }

    /// The last word of the other end; packets before it are passed over.
    pub(crate) async fn farewell(&mut self) -> Option<Reason> {
        while let Some(packet) = self.read().await {
            if packet.code == 1 {
                return Some(Reason::decode(&packet.payload));
            }
        }
        None
    }
}

fn rng() -> chacha20::ChaCha20Rng {
    use rand_core::SeedableRng;
    chacha20::ChaCha20Rng::seed_from_u64(0xacce55)
}
