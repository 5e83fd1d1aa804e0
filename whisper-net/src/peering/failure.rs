//! Why a node is not reached.

/// Why there is no connection to a node that is dialled.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DialFailure {
    /// The host's name leads to no address.
    #[error(
        "no machine of this name is found: check its spelling, or the connection to the network"
    )]
    UnknownHost,
    /// The machine is there and takes no connection at this port.
    #[error("nothing listens at this port: start the node there, or correct the port")]
    Refused,
    /// The machine does not answer.
    #[error("the machine does not answer: it is off, or something between blocks the way")]
    Silent,
    /// The connection was made, and no handshake came.
    #[error("what listens there does not answer the handshake: it is busy, or no node")]
    Mute,
    /// The other end hung up during the handshake.
    #[error(
        "the node hangs up during the handshake: it has another key than the address says, or lets \
         this node in only after a while"
    )]
    HungUp,
    /// The other end holds another key, or speaks something else.
    #[error("the node there has another key than the address says: ask for its address anew")]
    WrongKey,
    /// One end has no place for another peer.
    #[error("there is no place for another peer, at this end or the other")]
    Full,
    /// One end has no use for the other.
    #[error("the nodes share no protocol, are both light, or one lets in only nodes of a list")]
    Useless,
    /// One end found fault with what the other sent.
    #[error("one node has cut the other over what it sent: their programs may not match")]
    Dismissed,
    /// The other end holds a connection of this node already.
    #[error(
        "the node says that this one is connected already: it has not noticed the end of a former \
         connection yet, or another program uses this node's key"
    )]
    Connected,
    /// Another program uses this node's key.
    #[error("this node's key is in use elsewhere: give each node a key file of its own")]
    KeyInUse,
    /// The other end holds this node's own key.
    #[error("the node there has this node's own key: give each node a key file of its own")]
    OwnKey,
    /// The machine's network fails.
    #[error("the network of this machine fails")]
    Network,
}
