//! Why an address is not dialled, or leads to no connection.

/// Why a transport will not dial.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// This transport opens no connections.
    #[error("this transport opens no connections")]
    Unsupported,
    /// The text is not an address of this transport.
    #[error("not an address of this transport: {0}")]
    Malformed(#[source] AddressError),
    /// The address is the node's own.
    #[error("the address is this node's own: give that of another node")]
    OwnAddress,
    /// The transport already keeps as many addresses as it may.
    #[error("the list of addresses to dial is full: disconnect from one first")]
    Full,
}

/// Why a text is no node's address.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It does not begin as the addresses of this wire do.
    #[error("write the address of a node as enode://<128 hex digits>@<host>:<port>")]
    Scheme,
    /// What stands before the @ is no key.
    #[error("an enode URL begins with the node's public key: 128 hex digits without 0x, then @")]
    Key,
    /// What stands behind the @ is no host.
    #[error("the host of an enode URL is an IPv4 address, an IPv6 address in brackets, or a name")]
    Host,
    /// There is no port, or it is none.
    #[error("the host of an enode URL is followed by a colon and a port from 0 to 65535")]
    Port,
    /// The port is 0.
    #[error("port 0 cannot be dialled: ask for the node's address anew")]
    NoPort,
}

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
