//! Both packets of the handshake: as bytes, as bodies that the cipher is put around here, and built
//! from fields by a peer that follows the rules as far as the input lets it.

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use arbitrary::Unstructured;
use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use whisper_core::crypto::curve::PublicKey;
use whisper_core::crypto::curve::SecretKey;
use whisper_core::identity::Identity;
use whisper_core::rlp::Reader;
use whisper_core::rlp::Writer;
use whisper_net::rlpx::frame::Egress;
use whisper_net::rlpx::frame::Ingress;
use whisper_net::rlpx::handshake::Auth;
use whisper_net::rlpx::handshake::HandshakeError;
use whisper_net::rlpx::handshake::Message;
use whisper_net::rlpx::handshake::initiate;
use whisper_net::rlpx::handshake::seal;

pub(crate) fn run(data: &[u8]) {
    if let Ok(case) = Case::arbitrary_take_rest(Unstructured::new(data)) {
        case.run();
    }
}

#[derive(Arbitrary, Debug)]
enum Case {
    Prefix([u8; 2]),
    /// Bytes from the wire.
    Wire(Packet, Vec<u8>),
    /// What is behind the cipher, and how many zeros follow it.
    Body(Packet, Vec<u8>, u8),
    /// All fields are good; what later versions may add is the input's.
    Built(Packet, Future),
}

#[derive(Arbitrary, Clone, Copy, Debug, Eq, PartialEq)]
enum Packet {
    Auth,
    Ack,
}

/// What EIP-8 leaves open.
#[derive(Arbitrary, Debug)]
struct Future {
    version: u64,
    more: Vec<u8>,
    behind: Vec<u8>,
    /// A bit of the packet that is flipped on the way.
    flipped: Option<u16>,
}

struct Ends {
    alice: Identity,
    bob: Identity,
    ephemeral: Identity,
}

static ENDS: LazyLock<Ends> = LazyLock::new(|| {
    let identity =
        |byte| Identity::from_secret(SecretKey::from_bytes(&[byte; 32]).expect("a valid key"));
    Ends { alice: identity(1), bob: identity(2), ephemeral: identity(3) }
});

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([4; 32])
}

impl Case {
    fn run(&self) {
        match self {
            Self::Prefix(prefix) => sizes(*prefix),
            Self::Wire(packet, bytes) => drop(packet.open(bytes)),
            Self::Body(packet, body, zeros) => {
                let mut body = body.clone();
                body.resize(body.len() + 2 * usize::from(*zeros), 0);
                let wire = packet.seal(body.clone());
                let read = packet.open(&wire);
                assert!(read.is_err() || packet.is_sound(&body), "{read:?}");
            }
            Self::Built(packet, future) => future.run(*packet),
        }
    }
}

fn sizes(prefix: [u8; 2]) {
    let size = usize::from(u16::from_be_bytes(prefix));
    for (message, least) in [(Message::Auth, 307), (Message::Ack, 210)] {
        let allowed = (least..=2_048).contains(&size);
        let expected = if allowed { Ok(size) } else { Err(HandshakeError::Size(size)) };
        assert_eq!(message.remaining(prefix), expected);
    }
}

impl Packet {
    fn recipient(self) -> PublicKey {
        match self {
            Self::Auth => ENDS.bob.public_key(),
            Self::Ack => ENDS.alice.public_key(),
        }
    }

    fn seal(self, body: Vec<u8>) -> Vec<u8> {
        seal(&self.recipient(), body, &mut rng())
    }

    /// Has the one that it is for read it.
    fn open(self, wire: &[u8]) -> Result<(Egress, Ingress), HandshakeError> {
        match self {
            Self::Auth => Ok(Auth::open(&ENDS.bob, wire)?.answer(&mut rng()).1),
            Self::Ack => initiate(&ENDS.alice, &ENDS.bob.public_key(), &mut rng()).receive(wire),
        }
    }

    /// Whether a body begins with a list of fields of the right lengths, all of it RLP.
    fn is_sound(self, body: &[u8]) -> bool {
        let lengths: &[usize] = match self {
            Self::Auth => &[65, 64, 32],
            Self::Ack => &[64, 32],
        };
        let Ok(mut fields) = Reader::new(body).list() else { return false };
        lengths.iter().all(|length| fields.bytes().is_ok_and(|field| field.len() == *length))
            && fields.uint().is_ok()
            && is_rlp(fields.rest())
    }

    /// The fields that a peer must send, all of them good.
    fn write_fields(self, body: &mut Writer) {
        let Ends { alice, bob, ephemeral } = &*ENDS;
        match self {
            Self::Auth => {
                let agreed = alice.agree(&bob.public_key());
                let digest = agreed.expose().map(|byte| byte ^ NONCE);
                let signature = ephemeral.sign(&digest);
                body.bytes(signature.as_bytes());
                body.bytes(&alice.public_key().to_bytes()).bytes(&[NONCE; 32])
            }
            Self::Ack => body.bytes(&ephemeral.public_key().to_bytes()).bytes(&[NONCE; 32]),
        };
    }
}

impl Future {
    /// Whatever the future brings is taken, if it is RLP and the packet is of a size that may be.
    fn run(&self, packet: Packet) {
        let mut body = Writer::new();
        body.list(|body| {
            packet.write_fields(body);
            body.uint(self.version).raw(&self.more);
        });
        // Enough for the least size.
        body.raw(&self.behind).raw(&[0; 150]);
        let mut wire = packet.seal(body.into_bytes());
        let fits = wire.len() <= 2 + 2_048;
        if let Some(at) = self.flipped {
            let at = usize::from(at) % (8 * wire.len());
            wire[at / 8] ^= 1 << (at % 8);
        }
        let taken = packet.open(&wire).is_ok();
        assert_eq!(taken, self.flipped.is_none() && fits && is_rlp(&self.more));
    }
}

/// Whether bytes are whole items, one behind the other.
fn is_rlp(bytes: &[u8]) -> bool {
    let mut items = Reader::new(bytes);
    while items.raw().is_ok() {}
    items.is_empty()
}

const NONCE: u8 = 7;
