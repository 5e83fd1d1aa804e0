//! The first packet of each side: who it is and what it speaks.

use std::fmt::Write;

use whisper_core::rlp::DecodeError;
use whisper_core::rlp::Reader;
use whisper_core::rlp::Writer;

use super::capability::Capability;
use super::disconnect;
use super::disconnect::Reason;

/// What a node says about itself. It is sent once, right after the handshake and never compressed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hello {
    /// The version of the base protocol. Nobody refuses one; from 5 on, packets are compressed.
    pub version: u64,
    /// The name of the program, in bytes that may be anything: see [`Hello::client_name`].
    pub client: Vec<u8>,
    /// What it speaks.
    pub capabilities: Vec<Capability>,
    /// Where it listens, if that were still in use.
    pub listen_port: u64,
    /// The key that it has used in the handshake, as coordinates: not proved to be a point.
    pub public_key: [u8; 64],
}

impl Hello {
    /// The payload. Capabilities are written in order, as go-ethereum does.
    pub fn encode(&self) -> Vec<u8> {
        let mut capabilities: Vec<_> = self.capabilities.iter().collect();
        capabilities.sort();
        let mut payload = Writer::new();
        payload.list(|hello| {
            hello.uint(self.version).bytes(&self.client);
            hello.list(|list| {
                for Capability { name, version } in capabilities {
                    list.list(|pair| {
                        pair.bytes(name).uint(*version);
                    });
                }
            });
            hello.uint(self.listen_port).bytes(&self.public_key);
        });
        payload.into_bytes()
    }

    /// Reads a payload. Elements and bytes that follow are ignored, as EIP-8 wants it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(payload: &[u8]) -> Result<Self, HelloError> {
        if payload.len() > MAX_PAYLOAD {
            return Err(HelloError::TooLarge { max: MAX_PAYLOAD });
        }
        let mut fields = Reader::new(payload).list()?;
        let version = fields.uint()?;
        let client = fields.bytes()?.to_vec();
        let capabilities = read_capabilities(fields.list()?)?;
        let listen_port = fields.uint()?;
        let key = fields.bytes()?;
        while !fields.is_empty() {
            fields.raw()?;
        }
        let public_key = key.try_into().map_err(|_| HelloError::InvalidIdentity)?;
        if public_key == [0; 64] {
            return Err(HelloError::InvalidIdentity);
        }
        Ok(Self { version, client, capabilities, listen_port, public_key })
    }

    /// Reads the first packet of a peer, which may also be a Disconnect.
    ///
    /// # Errors
    /// [`HelloError::Refused`] with the peer's reason, [`HelloError::OutOfTurn`], or what is wrong with
    /// the Hello.
    pub fn read_first(code: u64, payload: &[u8]) -> Result<Self, HelloError> {
        match code {
            CODE => Self::decode(payload),
            disconnect::CODE => Err(HelloError::Refused(Reason::decode(payload))),
            _ => Err(HelloError::OutOfTurn),
        }
    }

    /// The name of the program, fit for a log: at most 128 bytes of it, with everything escaped that is
    /// not plain ASCII, so that no name ends a line, colours a terminal or turns its direction around.
    pub fn client_name(&self) -> String {
        let mut name = String::new();
        for byte in self.client.iter().take(MAX_CLIENT) {
            match byte {
                b'\\' => name.push_str("\\\\"),
                b' '..=b'~' => name.push(char::from(*byte)),
                // Writing to a string cannot fail.
                _ => _ = write!(name, "\\x{byte:02x}"),
            }
        }
        name
    }
}

fn read_capabilities(mut list: Reader<'_>) -> Result<Vec<Capability>, HelloError> {
    let mut capabilities = Vec::new();
    while !list.is_empty() {
        if capabilities.len() >= MAX_CAPABILITIES {
            return Err(HelloError::TooManyCapabilities { max: MAX_CAPABILITIES });
        }
        let mut pair = list.list()?;
        capabilities.push(Capability::new(pair.bytes()?, pair.uint()?));
        // Here, unlike elsewhere, nothing may follow.
        pair.finish()?;
    }
    Ok(capabilities)
}

/// Whether packets are compressed after the Hellos (EIP-706): both sides have to know how.
pub const fn uses_snappy(own_version: u64, remote_version: u64) -> bool {
    own_version >= SNAPPY_VERSION && remote_version >= SNAPPY_VERSION
}

/// The message id of a Hello.
pub const CODE: u64 = 0;

/// The first version of the base protocol with compression; what this node announces.
pub const SNAPPY_VERSION: u64 = 5;

/// go-ethereum: `baseProtocolMaxMsgSize`.
const MAX_PAYLOAD: usize = 2_048;

/// A full go-ethereum node has six.
const MAX_CAPABILITIES: usize = 64;

/// Enough for `Geth/v1.9.20-stable-<commit>/linux-amd64/go1.x` twice.
const MAX_CLIENT: usize = 128;

/// Why there is no Hello.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HelloError {
    /// The peer disconnects instead.
    #[error("the peer refuses the connection: {0:?}")]
    Refused(Reason),
    /// The first packet is something else.
    #[error("the first packet is neither Hello nor Disconnect")]
    OutOfTurn,
    /// The payload is too long.
    #[error("a Hello is longer than {max} bytes")]
    TooLarge {
        /// The most that is allowed, in bytes.
        max: usize,
    },
    /// There are too many capabilities.
    #[error("a Hello lists more than {max} capabilities")]
    TooManyCapabilities {
        /// The most that are allowed.
        max: usize,
    },
    /// The key has another length than 64 bytes, or is zero.
    #[error("a Hello names no key")]
    InvalidIdentity,
    /// The payload is not the list that belongs there.
    #[error("a Hello is malformed: {0}")]
    Malformed(#[from] DecodeError),
}

#[cfg(test)]
mod tests;
