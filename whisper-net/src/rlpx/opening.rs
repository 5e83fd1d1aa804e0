//! From a socket to a peer: handshake, Hello, and whether we want each other.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
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
use super::roster::Roster;
use super::roster::Seat;
use super::roster::Visitor;
use super::writer::FrameWriter;
use super::writer::WriteError;
use crate::entropy::NoEntropy;
use crate::transport::Direction;
use crate::transport::Protocol;

/// What all connections of a node share.
pub(super) struct Context {
    pub(super) config: RlpxConfig,
    /// What is offered on connections.
    protocols: Mutex<Vec<Protocol>>,
    pub(super) roster: Roster,
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
    pub(super) seat: Seat,
}

impl Context {
    pub(super) fn new(config: RlpxConfig) -> Arc<Self> {
        let roster = Roster::new(&config);
        let protocols = Mutex::new(config.protocols.clone());
        Arc::new(Self { config, protocols, roster })
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
        let visitor = Visitor { direction, address: address.ip() };
        let timing = &self.config.timing;
        let (gate, gated) = Gate::new();
        let (read, write) = socket.into_split();
        let mut reader = FrameReader::new(read, ingress, gated, timing);
        let mut writer = FrameWriter::new(write, egress, first, timing.stall);
        if let Err(reason) = self.roster.check(&key, visitor) {
            return self.refuse(reader, writer, reason).await;
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
        match self.judge(&hello, &protocols, key, visitor) {
            Ok((channels, seat)) => {
                Ok(Open { reader, writer, gate, channels, hello, key, direction, address, seat })
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
        visitor: Visitor,
    ) -> Result<(Channels, Seat), Reason> {
        if hello.public_key != key.to_bytes() {
            return Err(Reason::UnexpectedIdentity);
        }
        let channels = Channels::negotiate(protocols, &hello.capabilities);
        if !channels.protocols().contains(&Protocol::WHISPER) {
            return Err(Reason::UselessPeer);
        }
        Ok((channels, self.roster.admit(key, visitor)?))
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
    #[error("others came meanwhile, and it has stood longest")]
    Crowded,
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
    /// What was said instead of Hello, by either side.
    pub(super) const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Refused(reason) | Self::Hello(HelloError::Refused(reason)) => Some(*reason),
            _ => None,
        }
    }
}
