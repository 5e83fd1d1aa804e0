//! From a socket to a peer: handshake, Hello, and whether we want each other.

use std::io;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;

use rand_core::CryptoRng;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::timeout;
use whisper_core::crypto::curve::PublicKey;

use super::capability::Offer;
use super::channels::Channels;
use super::config::RlpxConfig;
use super::disconnect::Reason;
use super::enode::Enode;
use super::frame::Egress;
use super::frame::FrameError;
use super::frame::Ingress;
use super::handshake;
use super::handshake::Auth;
use super::handshake::HandshakeError;
use super::handshake::Message;
use super::hello;
use super::hello::Hello;
use super::hello::HelloError;
use super::reader::FrameReader;
use super::reader::Gate;
use super::reader::ReadError;
use super::writer::FrameWriter;
use super::writer::WriteError;
use crate::entropy::NoEntropy;
use crate::peering::Candidate;
use crate::peering::Peering;
use crate::peering::Refusal;
use crate::peering::Rules;
use crate::peering::Slot;
use crate::transport::DialFailure;
use crate::transport::Direction;
use crate::transport::Protocol;

/// What all connections of a node share.
pub(super) struct Context {
    pub(super) config: RlpxConfig,
    /// What is offered on connections.
    protocols: Mutex<Vec<Protocol>>,
    rules: Rules,
    peering: OnceLock<Peering>,
}

pub(super) type Reader = FrameReader<OwnedReadHalf>;
pub(super) type Writer = FrameWriter<OwnedWriteHalf>;

/// A connection that stands.
pub(super) struct Open {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    /// Shuts the reader for a while.
    pub(super) gate: watch::Sender<Instant>,
    pub(super) channels: Channels,
    pub(super) hello: Hello,
    pub(super) key: PublicKey,
    pub(super) direction: Direction,
    pub(super) address: SocketAddr,
    pub(super) slot: Slot,
}

impl Context {
    pub(super) fn new(config: RlpxConfig) -> Arc<Self> {
        let names = |keys: &Vec<PublicKey>| keys.iter().map(Enode::name_of).collect();
        let rules = Rules {
            own: Enode::name_of(&config.identity.public_key()),
            trusted: names(&config.trusted),
            allowed: config.allowed.as_ref().map(names),
            limits: config.limits.clone(),
        };
        let protocols = Mutex::new(config.protocols.clone());
        Arc::new(Self { config, protocols, rules, peering: OnceLock::new() })
    }

    /// Takes part in what the node's transports share, unless it has begun without.
    pub(super) fn share(&self, peering: &Peering) {
        let _ = self.peering.set(peering.clone());
    }

    /// What the node's transports share.
    pub(super) fn peering(&self) -> &Peering {
        self.peering.get_or_init(Peering::default)
    }

    /// Whether the operator has listed the node as trusted.
    pub(super) fn is_trusted(&self, key: &PublicKey) -> bool {
        self.config.trusted.contains(key)
    }

    /// Offers a protocol on connections from now on.
    pub(super) fn offer(&self, protocol: Protocol) {
        let mut protocols = self.lock_protocols();
        if !protocols.contains(&protocol) {
            protocols.push(protocol);
        }
    }

    fn lock_protocols(&self) -> MutexGuard<'_, Vec<Protocol>> {
        self.protocols.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a connection that we have dialled.
    pub(super) async fn initiate(
        &self,
        socket: TcpStream,
        remote: PublicKey,
    ) -> Result<Open, OpeningError> {
        self.in_time(async {
            let mut line = Line::new(socket, Direction::Outbound)?;
            let waiting = handshake::initiate(&self.config.identity, &remote, &mut self.rng()?);
            line.socket.write_all(waiting.auth()).await?;
            let ack = line.read(Message::Ack).await?;
            let channel = waiting.receive(&ack)?;
            self.exchange_hellos(line, remote, channel, Vec::new()).await
        })
        .await
    }

    /// Opens a connection that somebody else has dialled.
    pub(super) async fn answer(&self, socket: TcpStream) -> Result<Open, OpeningError> {
        self.in_time(async {
            let mut line = Line::new(socket, Direction::Inbound)?;
            let auth = line.read(Message::Auth).await?;
            let auth = Auth::open(&self.config.identity, &auth)?;
            let remote = auth.remote();
            let (ack, channel) = auth.answer(&mut self.rng()?);
            self.exchange_hellos(line, remote, channel, ack).await
        })
        .await
    }

    async fn in_time(
        &self,
        opening: impl Future<Output = Result<Open, OpeningError>>,
    ) -> Result<Open, OpeningError> {
        timeout(self.config.timing.handshake, opening).await.map_err(|_| OpeningError::TimedOut)?
    }

    fn rng(&self) -> Result<impl CryptoRng, NoEntropy> {
        self.config.entropy.rng()
    }

    /// Both sides speak at once. `first` goes out together with our Hello.
    async fn exchange_hellos(
        &self,
        line: Line,
        key: PublicKey,
        (egress, ingress): (Egress, Ingress),
        first: Vec<u8>,
    ) -> Result<Open, OpeningError> {
        let Line { socket, direction, address } = line;
        let name = Enode::name_of(&key);
        let candidate = Candidate { name, direction, address: address.ip() };
        let timing = &self.config.timing;
        let (gate, gated) = Gate::new();
        let (read, write) = socket.into_split();
        let mut reader = FrameReader::new(read, ingress, gated, timing);
        let mut writer = FrameWriter::new(write, egress, first, timing.stall);
        if let Err(refusal) = self.peering().peers.check(Instant::now(), &self.rules, &candidate) {
            return self.refuse(reader, writer, reason(refusal)).await;
        }
        // What is offered may change while the other end makes up its mind.
        let protocols = self.lock_protocols().clone();
        writer.push(hello::CODE, &self.hello(&protocols).encode())?;
        writer.flush().await?;
        reader.ingress().limit(MAX_HELLO_FRAME, MAX_HELLO_FRAME);
        let packet = reader.next().await?;
        let hello = match Hello::read_first(packet.code, &packet.payload) {
            Ok(hello) => hello,
            Err(HelloError::InvalidIdentity) => {
                return self.refuse(reader, writer, Reason::InvalidIdentity).await;
            }
            Err(error) => return Err(error.into()),
        };
        if hello::uses_snappy(hello::SNAPPY_VERSION, hello.version) {
            writer.egress().compress();
            reader.ingress().decompress();
        }
        let max = self.config.limits.max_packet;
        reader.ingress().limit(max.saturating_add(COMPRESSION_SLACK), max);
        match self.judge(&hello, &protocols, key, candidate) {
            Ok((channels, slot)) => {
                Ok(Open { reader, writer, gate, channels, hello, key, direction, address, slot })
            }
            Err(reason) => self.refuse(reader, writer, reason).await,
        }
    }

    /// Whether a Hello makes its sender a peer.
    fn judge(
        &self,
        hello: &Hello,
        protocols: &[Protocol],
        key: PublicKey,
        candidate: Candidate,
    ) -> Result<(Channels, Slot), Reason> {
        if hello.public_key != key.to_bytes() {
            return Err(Reason::UnexpectedIdentity);
        }
        let channels = Channels::negotiate(protocols, &hello.capabilities);
        if !channels.protocols().contains(&Protocol::WHISPER) {
            return Err(Reason::UselessPeer);
        }
        let peers = &self.peering().peers;
        Ok((channels, peers.admit(Instant::now(), &self.rules, candidate).map_err(reason)?))
    }

    /// Says why not. The other end gets a moment to read it, and no more.
    async fn refuse(
        &self,
        mut reader: Reader,
        mut writer: Writer,
        reason: Reason,
    ) -> Result<Open, OpeningError> {
        writer.say_goodbye(reason).await?;
        let _ = timeout(self.config.timing.goodbye, reader.drain()).await;
        Err(OpeningError::Refused(reason))
    }

    fn hello(&self, protocols: &[Protocol]) -> Hello {
        let offers = protocols.iter().map(|protocol| Offer::of(*protocol));
        Hello {
            version: hello::SNAPPY_VERSION,
            client: self.config.client.clone().into_bytes(),
            capabilities: offers.map(|offer| offer.capability).collect(),
            listen_port: 0,
            public_key: self.config.identity.public_key().to_bytes(),
        }
    }
}

/// The word that the wire has for it.
const fn reason(refusal: Refusal) -> Reason {
    match refusal {
        Refusal::NotAllowed => Reason::UselessPeer,
        Refusal::Full => Reason::TooManyPeers,
        Refusal::Connected => Reason::AlreadyConnected,
        Refusal::OwnKey => Reason::ConnectedToSelf,
    }
}

/// A socket before its first frame.
struct Line {
    socket: TcpStream,
    direction: Direction,
    address: SocketAddr,
}

impl Line {
    fn new(socket: TcpStream, direction: Direction) -> Result<Self, OpeningError> {
        socket.set_nodelay(true)?;
        let address = socket.peer_addr()?;
        Ok(Self { socket, direction, address })
    }

    /// Reads exactly one packet of the handshake: a Hello may stand behind it already.
    async fn read(&mut self, message: Message) -> Result<Vec<u8>, OpeningError> {
        let mut prefix = [0; 2];
        self.socket.read_exact(&mut prefix).await?;
        let mut packet = vec![0; message.remaining(prefix)?.saturating_add(prefix.len())];
        if let Some((first, rest)) = packet.split_first_chunk_mut() {
            *first = prefix;
            self.socket.read_exact(rest).await?;
        }
        Ok(packet)
    }
}

/// A Hello has at most 2,048 bytes; a Disconnect in its place less.
const MAX_HELLO_FRAME: usize = 16 * 1024;

/// What compression may add to data that it cannot shrink.
const COMPRESSION_SLACK: usize = 64 * 1024;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpeningError {
    #[error("we refuse the connection: {0:?}")]
    Refused(Reason),
    #[error("handshake and Hello took too long")]
    TimedOut,
    #[error("others came meanwhile, and it was the oldest of its network")]
    Crowded,
    #[error("the host's name leads to no address")]
    UnknownHost,
    #[error("the machine does not answer")]
    Silent,
    #[error("the node is dialled anew instead")]
    Superseded,
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error(transparent)]
    Hello(#[from] HelloError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
}

impl OpeningError {
    /// Why the node that was dialled is not reached; nothing if that does not say anything about it.
    pub(super) fn failure(&self) -> Option<DialFailure> {
        Some(match self {
            Self::Refused(reason) | Self::Hello(HelloError::Refused(reason)) => match reason {
                Reason::AlreadyConnected => DialFailure::Connected,
                other => other.failure().unwrap_or(DialFailure::HungUp),
            },
            Self::UnknownHost => DialFailure::UnknownHost,
            Self::Silent => DialFailure::Silent,
            Self::TimedOut
            | Self::Handshake(_)
            | Self::Hello(_)
            | Self::Frame(_)
            | Self::Read(ReadError::TimedOut | ReadError::Frame(_))
            | Self::Write(WriteError::Stalled) => DialFailure::Mute,
            Self::Read(ReadError::Closed) => DialFailure::HungUp,
            Self::Io(error)
            | Self::Read(ReadError::Io(error))
            | Self::Write(WriteError::Io(error)) => match error.kind() {
                ErrorKind::ConnectionRefused => DialFailure::Refused,
                ErrorKind::HostUnreachable | ErrorKind::TimedOut => DialFailure::Silent,
                ErrorKind::UnexpectedEof
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe => DialFailure::HungUp,
                _ => DialFailure::Network,
            },
            Self::Crowded | Self::Superseded | Self::NoEntropy(_) => return None,
        })
    }
}
