//! Which message ids of a connection belong to which protocol.

use super::capability;
use super::capability::Capability;
use super::capability::Offer;
use super::capability::Shared;
use crate::transport::Protocol;

/// The protocols that both ends of a connection speak, each with its message ids.
#[derive(Clone, Debug)]
pub(super) struct Channels(Vec<(Protocol, Shared)>);

impl Channels {
    /// What `own` has in common with what the other end offers.
    pub(super) fn negotiate(own: &[Protocol], remote: &[Capability]) -> Self {
        let offers: Vec<Offer> = own.iter().map(|protocol| Offer::of(*protocol)).collect();
        let shared = capability::negotiate(&offers, remote).into_iter().filter_map(|shared| {
            let is_it =
                |protocol: &&Protocol| Offer::of(**protocol).capability == shared.capability;
            Some((*own.iter().find(is_it)?, shared))
        });
        Self(shared.collect())
    }

    pub(super) fn protocols(&self) -> Vec<Protocol> {
        self.0.iter().map(|(protocol, _)| *protocol).collect()
    }

    /// The protocol of a message id, and its own code.
    pub(super) fn code_of(&self, id: u64) -> Option<(Protocol, u8)> {
        self.0.iter().find_map(|(protocol, shared)| {
            Some((*protocol, u8::try_from(shared.code_of(id)?).ok()?))
        })
    }

    /// The message id of a protocol's code; nothing if the other end does not speak it.
    pub(super) fn id_of(&self, protocol: Protocol, code: u8) -> Option<u64> {
        let (_, shared) = self.0.iter().find(|(own, _)| *own == protocol)?;
        let code = Some(u64::from(code)).filter(|code| *code < shared.length)?;
        shared.offset.checked_add(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ECHO: Protocol = Protocol::new("techo", 1, 32);
    const BOTH: [Protocol; 2] = [ECHO, Protocol::WHISPER];

    #[test]
    fn a_later_name_comes_after_whisper_and_moves_nothing() {
        let offers = BOTH.map(|protocol| Offer::of(protocol).capability);
        let channels = Channels::negotiate(&BOTH, &offers);
        assert_eq!(channels.id_of(Protocol::WHISPER, 127), Some(143));
        assert_eq!(channels.id_of(ECHO, 0), Some(144));
        assert_eq!(channels.id_of(ECHO, 32), None);
        assert_eq!(channels.code_of(16), Some((Protocol::WHISPER, 0)));
        assert_eq!(channels.code_of(175), Some((ECHO, 31)));
        assert_eq!(channels.code_of(176), None);
    }

    #[test]
    fn a_peer_that_knows_only_whisper_is_told_nothing_of_the_rest() {
        let eth = Capability::new(*b"eth", 65);
        let channels = Channels::negotiate(&BOTH, &[eth, Offer::of(Protocol::WHISPER).capability]);
        assert_eq!(channels.protocols(), [Protocol::WHISPER]);
        assert_eq!(channels.id_of(ECHO, 0), None);
        assert_eq!(channels.code_of(144), None);
    }
}
