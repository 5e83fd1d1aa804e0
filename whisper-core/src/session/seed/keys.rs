//! The keys of a session, and the topics that follow from them.

use super::invitation::Invitation;
use crate::crypto::Secret;
use crate::crypto::kdf::hkdf_sha256;
use crate::crypto::kdf::hmac_sha256;
use crate::hash::sha256;
use crate::identity::Identity;
use crate::identity::InvalidKey;
use crate::identity::PublicKey;
use crate::identity::SymmetricKey;
use crate::topic::Topic;

use crate::session::contract::Role;

/// The keys of both directions, from our side.
#[derive(Debug)]
pub(in crate::session) struct Keys {
    pub(in crate::session) sending: Direction,
    pub(in crate::session) receiving: Direction,
}

impl Keys {
    /// Derives the keys of an invitation between `own` and `peer`.
    pub(in crate::session) fn derive(
        invitation: &Invitation,
        own: &Identity,
        peer: &PublicKey,
        role: Role,
    ) -> Result<Self, InvalidKey> {
        // Bound keys are those that only the two named here can derive: who passes an invitation
        // on cannot. Its signature proves nothing about them.
        let shared = invitation.bound.then(|| own.agree(peer));
        let derive = |key, way| Direction::derive(invitation, key, shared.as_ref(), way);
        let forth = derive(&invitation.forth, FORTH)?;
        let back = derive(&invitation.back, BACK)?;
        Ok(match role {
            Role::Initiator => Self { sending: forth, receiving: back },
            Role::Responder => Self { sending: back, receiving: forth },
        })
    }
}

impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        self.sending == other.sending && self.receiving == other.receiving
    }
}

/// The keys of one direction.
#[derive(Debug)]
pub(in crate::session) struct Direction {
    pub(in crate::session) key: SymmetricKey,
    /// What the key and the topics are made of.
    pub(super) secret: Secret<32>,
    topics: Topics,
}

#[derive(Debug)]
enum Topics {
    Fixed(Topic),
    Changing(Secret<32>),
}

impl Direction {
    fn derive(
        invitation: &Invitation,
        key: &Secret<32>,
        shared: Option<&Secret<32>>,
        way: u8,
    ) -> Result<Self, InvalidKey> {
        let id = &invitation.id;
        let secret = match shared {
            Some(shared) => {
                let material: [&[u8]; 2] = [key.expose(), shared.expose()];
                hkdf_sha256(id, &material, &[b"WSS1/key", &[way]])
            }
            None => Secret::fill_with(|own| *own = *key.expose()),
        };
        Self::new(id, secret, invitation.fixed_topic)
    }

    /// The direction whose secret was stored.
    pub(super) fn restore(id: &[u8; 16], secret: &[u8], fixed_topic: bool) -> Option<Self> {
        Self::new(id, Secret::from_slice(secret)?, fixed_topic).ok()
    }

    fn new(id: &[u8; 16], secret: Secret<32>, fixed_topic: bool) -> Result<Self, InvalidKey> {
        let topics = match fixed_topic {
            true => Topics::Fixed(topic(&sha256(&[b"WSS1/fixed", &id[..]].concat()))),
            false => Topics::Changing(hkdf_sha256(id, &[secret.expose()], &[b"WSS1/topickey"])),
        };
        Ok(Self { key: SymmetricKey::from_secret(&secret)?, secret, topics })
    }

    /// The topic of the message `index` of hour `epoch`.
    pub(in crate::session) fn topic(&self, epoch: u64, index: u32) -> Topic {
        match &self.topics {
            Topics::Fixed(topic) => *topic,
            Topics::Changing(key) => {
                let place: [&[u8]; 3] = [b"WSS1/topic", &epoch.to_be_bytes(), &index.to_be_bytes()];
                topic(&hmac_sha256(key.expose(), &place))
            }
        }
    }

    /// Whether all messages of this direction come under one topic.
    pub(in crate::session) const fn is_fixed(&self) -> bool {
        matches!(self.topics, Topics::Fixed(_))
    }
}

impl PartialEq for Direction {
    fn eq(&self, other: &Self) -> bool {
        self.key.id() == other.key.id() && self.is_fixed() == other.is_fixed()
    }
}

fn topic(hash: &[u8; 32]) -> Topic {
    Topic::new(hash.first_chunk().copied().unwrap_or_default())
}

const FORTH: u8 = 0;
const BACK: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::curve::SecretKey;

    fn identity(label: &str) -> Identity {
        let secret = sha256(["WS1-KAT/", label].concat().as_bytes());
        Identity::from_secret(SecretKey::from_bytes(&secret).unwrap())
    }

    fn invitation(bound: bool, fixed_topic: bool) -> Invitation {
        Invitation {
            id: core::array::from_fn(|n| n as u8),
            bound,
            fixed_topic,
            created_at: 1_750_000_000,
            lifetime: 3_600,
            forth: Secret::fill_with(|key| *key = [0x11; 32]),
            back: Secret::fill_with(|key| *key = [0x22; 32]),
            text: "".into(),
        }
    }

    fn key(digits: &str) -> [u8; 32] {
        let bytes = hex::decode(digits).unwrap();
        *SymmetricKey::from_bytes(&bytes.try_into().unwrap()).unwrap().id()
    }

    fn changing(direction: &Direction) -> &Secret<32> {
        let Topics::Changing(key) = &direction.topics else { panic!("one topic only") };
        key
    }

    /// Appendix B.
    #[test]
    fn bound_keys_and_topics_are_the_known_ones() {
        let [alice, bob] = ["iA", "iB"].map(identity);
        assert_eq!(
            hex::encode(alice.agree(&bob.public_key()).expose()),
            "73e6210c9f97720335260aff85cb6e376cba6f34f7fb036197f9616540058930"
        );
        let invitation = invitation(true, false);
        let ours = Keys::derive(&invitation, &alice, &bob.public_key(), Role::Initiator).unwrap();
        let forth = "b819c278da246b27f87708be4354fdc6ce297b7b45160acb019300c78bbb6e67";
        let back = "4c8bebbd4abc0a190b6501dcb9f900dc414238497f2bb63b246450282091cac4";
        assert_eq!(*ours.sending.key.id(), key(forth));
        assert_eq!(*ours.receiving.key.id(), key(back));
        assert_eq!(
            hex::encode(changing(&ours.sending).expose()),
            "a44434996a6b97c0ddb40b8908b8d1c84f94ac6f6e448d09b9cec5e3f55c9121"
        );
        assert_eq!(
            hex::encode(changing(&ours.receiving).expose()),
            "ab41f18386922aeb64f149af4b5c213811ef3b383ca50f68c9b816e1caa607ba"
        );
        let topics = [(0, "30dd44fb"), (1, "b10e0abe")];
        for (index, topic) in topics {
            assert_eq!(ours.sending.topic(486_111, index), topic.parse().unwrap());
        }
        let topics = [(0, "1816c131"), (1, "3025960d")];
        for (index, topic) in topics {
            assert_eq!(ours.receiving.topic(486_111, index), topic.parse().unwrap());
        }
        let theirs = Keys::derive(&invitation, &bob, &alice.public_key(), Role::Responder).unwrap();
        assert!(theirs.sending == ours.receiving && theirs.receiving == ours.sending);
    }

    /// Appendix B, last line; strict keys are the given ones.
    #[test]
    fn strict_keys_and_the_fixed_topic_are_the_known_ones() {
        let [alice, bob] = ["iA", "iB"].map(identity);
        let invitation = invitation(false, true);
        let ours = Keys::derive(&invitation, &alice, &bob.public_key(), Role::Initiator).unwrap();
        assert_eq!(*ours.sending.key.id(), key(&"11".repeat(32)));
        assert_eq!(*ours.receiving.key.id(), key(&"22".repeat(32)));
        for direction in [&ours.sending, &ours.receiving] {
            assert_eq!(direction.topic(486_111, 7), "85424f1d".parse().unwrap());
        }
    }
}
