//! Addresses of nodes, as `enode://` URLs.

use std::fmt;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::str::FromStr;

use whisper_core::crypto::curve::PublicKey;
use whisper_core::hash::keccak256;

use crate::peering;
use crate::peering::Target;
use crate::transport::AddressError;
use crate::transport::NodeName;

/// Who a node is and, if known, where.
///
/// ```
/// use whisper_net::rlpx::Enode;
///
/// let key = "e0248d9444762497f57b1a15bb76bef2b93eec34ffdbc54bd1a95267fefeb495\
///            ea0b6f68b00d7e63b41f62705f18c0771f12b1b0dca11f9a0b03b73b6551cffe";
/// let node: Enode = format!("enode://{key}@127.0.0.1:30303?discport=0").parse()?;
/// assert_eq!(node.endpoint().map(|endpoint| endpoint.tcp), Some(30303));
/// # Ok::<(), whisper_net::transport::AddressError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Enode {
    public_key: PublicKey,
    endpoint: Option<Endpoint>,
}

impl Enode {
    /// The node that holds this key, wherever it is.
    pub const fn new(public_key: PublicKey) -> Self {
        Self { public_key, endpoint: None }
    }

    /// The same node, reached at `endpoint`.
    pub fn at(self, endpoint: Endpoint) -> Self {
        Self { endpoint: Some(endpoint), ..self }
    }

    /// The key that the node proves to hold when it is reached.
    pub const fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// Where the node is reached.
    pub const fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_ref()
    }

    /// What tells the node from others: its key.
    pub(super) fn name_of(key: &PublicKey) -> NodeName {
        NodeName::new(key.to_bytes())
    }

    /// What names the node in peer tables: the Keccak-256 hash of its key's coordinates.
    pub fn node_id(&self) -> [u8; 32] {
        keccak256(&self.public_key.to_bytes())
    }
}

impl FromStr for Enode {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        // Who copies an address often copies a blank or a line's end along.
        let text = text.trim();
        let rest = strip_scheme(text);
        let bare = rest.unwrap_or(text);
        if !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return parse_key(bare).map(Self::new);
        }
        let rest = rest.ok_or(AddressError::Scheme)?;
        // What follows the first slash, question mark or hash sign is no part of the address.
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let (key, address) = authority.rsplit_once('@').ok_or(AddressError::Key)?;
        let public_key = parse_key(key)?;
        let (host, port) = split_port(address)?;
        let tcp = parse_port(port)?;
        let udp = discovery_port(tail).map_or(Ok(tcp), parse_port)?;
        let endpoint = Endpoint { host: host.parse()?, tcp, udp };
        Ok(Self::new(public_key).at(endpoint))
    }
}

impl Target for Enode {
    fn name(&self) -> NodeName {
        Self::name_of(&self.public_key)
    }

    fn is_local(&self) -> bool {
        self.endpoint.as_ref().is_some_and(|endpoint| match &endpoint.host {
            Host::Ip(ip) => peering::is_local(*ip),
            Host::Name(name) => name == "localhost",
        })
    }
}

impl fmt::Display for Enode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", hex::encode(self.public_key.to_bytes()))?;
        let Some(Endpoint { host, tcp, udp }) = &self.endpoint else { return Ok(()) };
        write!(f, "@{host}:{tcp}")?;
        if udp == tcp { Ok(()) } else { write!(f, "?discport={udp}") }
    }
}

/// Where a node is reached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// The machine.
    pub host: Host,
    /// The TCP port; 0 if it cannot be dialled.
    pub tcp: u16,
    /// The UDP port of its discovery; 0 if it has none.
    pub udp: u16,
}

/// A machine, by address or by name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Host {
    /// An address. One that maps IPv4 into IPv6 is written as IPv4.
    Ip(IpAddr),
    /// A name, to be looked up when it is dialled.
    Name(String),
}

impl FromStr for Host {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            let address: Ipv6Addr = inner.parse().map_err(|_| AddressError::Host)?;
            return Ok(Self::Ip(address.to_canonical()));
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(IpAddr::V4(address)));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        // RFC 1035: a name has at most 253 characters.
        let is_name = (1..=253).contains(&text.len()) && text.bytes().all(plain);
        if is_name { Ok(Self::Name(text.to_owned())) } else { Err(AddressError::Host) }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(address)) => address.fmt(f),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address.to_canonical())
    }
}

fn strip_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(rest)
}

fn parse_key(digits: &str) -> Result<PublicKey, AddressError> {
    let mut bytes = [0; 64];
    hex::decode_to_slice(digits, &mut bytes).map_err(|_| AddressError::Key)?;
    PublicKey::from_bytes(&bytes).map_err(|_| AddressError::Key)
}

/// Cuts off the port. The colons of an IPv6 address stand in brackets.
fn split_port(address: &str) -> Result<(&str, &str), AddressError> {
    let (host, port) = address.rsplit_once(':').ok_or(AddressError::Port)?;
    if host.contains(':') && !host.ends_with(']') {
        Err(AddressError::Host)
    } else {
        Ok((host, port))
    }
}

fn parse_port(digits: &str) -> Result<u16, AddressError> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| plain).ok_or(AddressError::Port)
}

/// The first value of `discport`, unless it is empty.
fn discovery_port(tail: &str) -> Option<&str> {
    let tail = tail.split_once('#').map_or(tail, |(before, _)| before);
    let (_, query) = tail.split_once('?')?;
    let port = query.split('&').find_map(|pair| pair.strip_prefix("discport="))?;
    (!port.is_empty()).then_some(port)
}

const SCHEME: &str = "enode://";

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "e0248d9444762497f57b1a15bb76bef2b93eec34ffdbc54bd1a95267fefeb495\
                       ea0b6f68b00d7e63b41f62705f18c0771f12b1b0dca11f9a0b03b73b6551cffe";

    fn parse(address: &str) -> Result<Enode, AddressError> {
        format!("enode://{KEY}@{address}").parse()
    }

    #[test]
    fn a_name_is_kept_until_it_is_dialled() {
        let node = parse("node-1.example.org:30303?discport=0").unwrap();
        let host = Host::Name("node-1.example.org".to_owned());
        assert_eq!(node.endpoint(), Some(&Endpoint { host, tcp: 30303, udp: 0 }));
        assert_eq!(node.to_string(), format!("enode://{KEY}@node-1.example.org:30303?discport=0"));
    }

    #[test]
    fn blanks_and_line_ends_around_an_address_do_not_matter() {
        let node = parse("127.0.0.1:30303").unwrap();
        assert_eq!(format!(" \t{node}\r\n").parse(), Ok(node));
    }

    #[test]
    fn a_port_is_digits_only() {
        for port in ["", "+1", "-1", " 1", "1 x", "0x1", "99999"] {
            assert_eq!(parse(&format!("127.0.0.1:{port}")), Err(AddressError::Port), "{port}");
        }
    }

    #[test]
    fn an_address_without_its_brackets_is_refused() {
        for host in ["::1", "[::1", "::1]", "a b", "", "[fe80::1%eth0]", "exa\u{202e}mple"] {
            assert!(parse(&format!("{host}:1")).is_err(), "{host}");
        }
    }
}
