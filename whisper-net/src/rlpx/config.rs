//! What a node on this wire is set to.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use whisper_core::crypto::curve::PublicKey;
use whisper_core::identity::Identity;

use super::enode::Host;
use crate::entropy::Entropy;
use crate::peering::Limits;
use crate::peering::Timing;
use crate::transport::Protocol;

/// The settings of an [`RlpxTransport`](super::RlpxTransport). Only the node's key has no default.
///
/// The node's key names the node on the wire. It is no identity of a person: messages have those.
pub struct RlpxConfig {
    /// The node's key.
    pub identity: Arc<Identity>,
    /// Where to listen; nowhere by default. Port 0 takes any that is free.
    pub listen: Option<SocketAddr>,
    /// The name or address under which others reach this node, if that is not what it listens on:
    /// needed behind a router, and where it listens on all addresses of a machine that has several.
    pub host: Option<Host>,
    /// The name of the program, as peers see it.
    pub client: String,
    /// Who is let in whatever the limits say, and bound by no budget.
    pub trusted: Vec<PublicKey>,
    /// Who may be a peer at all; everybody, unless there is a list.
    pub allowed: Option<Vec<PublicKey>>,
    /// What is spoken on connections: Whisper, unless there is more. Offer others only
    /// where a handler is registered or will be: peers find nothing there before.
    pub protocols: Vec<Protocol>,
    /// How much of everything there may be.
    pub limits: Limits,
    /// How long everything may take.
    pub timing: Timing,
    /// Where randomness comes from.
    pub entropy: Entropy,
}

impl RlpxConfig {
    /// The defaults for a node that holds this key: it dials and does not listen.
    pub fn new(identity: Arc<Identity>) -> Self {
        Self {
            identity,
            listen: None,
            host: None,
            client: CLIENT.to_owned(),
            trusted: Vec::new(),
            allowed: None,
            protocols: vec![Protocol::WHISPER],
            limits: Limits::default(),
            timing: Timing::default(),
            entropy: Entropy::default(),
        }
    }
}

impl fmt::Debug for RlpxConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RlpxConfig")
            .field("identity", &self.identity)
            .field("listen", &self.listen)
            .field("limits", &self.limits)
            .field("timing", &self.timing)
            .finish_non_exhaustive()
    }
}

/// Name and version. Everybody who connects reads it: system and architecture, which go-ethereum adds,
/// would tell nodes apart.
const CLIENT: &str =
    concat!("whisper/v", env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"),);
