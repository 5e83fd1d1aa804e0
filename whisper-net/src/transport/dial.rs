//! Why an address is not dialled.

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
