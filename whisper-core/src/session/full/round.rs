//! Rounds of the KEM: the responder offers a key, the initiator answers with a ciphertext, and the
//! next chain of the responder mixes the secret in.
//!
//! A key or a ciphertext rides in the padding of every message until it has done its work. Nothing is
//! ever derived from what the other side may not have, so loss and reorder cost time only.

use alloc::sync::Arc;
use alloc::vec::Vec;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::crypto::Secret;
use crate::crypto::ml_kem::CIPHERTEXT;
use crate::crypto::ml_kem::DecapsulationKey;
use crate::crypto::ml_kem::ENCAPSULATION_KEY;
use crate::crypto::ml_kem::EncapsulationKey;
use crate::hash::sha256;
use crate::session::contract::Role;
use crate::session::error::RestoreError;
use crate::session::record::Value;
use crate::session::record::Writer;

/// How far the current round is, on this side.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Round {
    /// The responder, before it has sent anything.
    Idle,
    /// The responder offers a key.
    Offer(u32, Arc<Offer>),
    /// The responder has the secret; its next chain mixes it in.
    Got(u32, Arc<Secret<64>>),
    /// The initiator waits for a key.
    Wait(u32),
    /// The initiator answers; the responder's next chain may mix the secret in.
    Answer(u32, Arc<Answer>),
}

/// A key that is offered.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Offer {
    key: DecapsulationKey,
    public: EncapsulationKey,
}

impl Offer {
    fn new(key: DecapsulationKey) -> Arc<Self> {
        let public = key.encapsulation_key();
        Arc::new(Self { key, public })
    }
}

/// What answers a key.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Answer {
    ciphertext: Secret<CIPHERTEXT>,
    secret: Arc<Secret<64>>,
}

impl Round {
    /// How many rounds were mixed in.
    pub(super) const fn mixed(&self) -> u32 {
        match self {
            Self::Idle => 0,
            Self::Offer(round, _) | Self::Got(round, _) => round.saturating_sub(1),
            Self::Wait(round) | Self::Answer(round, _) => round.saturating_sub(1),
        }
    }

    /// Whose state it is.
    pub(super) const fn role(&self) -> Role {
        match self {
            Self::Idle | Self::Offer(..) | Self::Got(..) => Role::Responder,
            Self::Wait(_) | Self::Answer(..) => Role::Initiator,
        }
    }

    /// What rides beside a message.
    pub(super) fn block(&self) -> Option<Block> {
        match self {
            Self::Idle | Self::Got(..) | Self::Wait(_) => None,
            Self::Offer(round, offer) => {
                Some(Block::new(BlockKind::Key, *round, offer.public.as_bytes()))
            }
            Self::Answer(round, answer) => {
                Some(Block::new(BlockKind::Answer, *round, answer.ciphertext.expose()))
            }
        }
    }

    /// Begins a chain of the responder: gives the secret to mix in, if there is one. The initiator
    /// mixes nothing of its own.
    pub(super) fn begin_chain(&mut self, rng: &mut impl CryptoRng) -> Option<Arc<Secret<64>>> {
        let (round, secret) = match self {
            Self::Idle => (1, None),
            Self::Got(round, secret) => (round.saturating_add(1), Some(Arc::clone(secret))),
            Self::Offer(..) | Self::Wait(_) | Self::Answer(..) => return None,
        };
        *self = Self::Offer(round, Offer::new(DecapsulationKey::generate(rng)));
        secret
    }

    /// Takes up a chain of the responder that mixes a secret in; none if there is no answer.
    pub(super) fn take_up(&mut self) -> Option<Arc<Secret<64>>> {
        let Self::Answer(round, answer) = self else { return None };
        let secret = Arc::clone(&answer.secret);
        *self = Self::Wait(round.saturating_add(1));
        Some(secret)
    }

    /// Reads a block that an authenticated message carried. One of another round, or one that is not
    /// wanted now, is skipped.
    pub(super) fn read(
        &mut self,
        (round, block): (u32, &[u8]),
        rng: &mut impl CryptoRng,
    ) -> Result<(), InvalidBlock> {
        match self {
            Self::Wait(current) if *current == round => {
                let key = EncapsulationKey::from_bytes(block).map_err(|_| InvalidBlock)?;
                let (ciphertext, shared) = key.encapsulate(&Secret::generate(rng));
                let secret = secret_of(&shared, round, key.as_bytes(), ciphertext.expose());
                *self = Self::Answer(round, Arc::new(Answer { ciphertext, secret }));
            }
            Self::Offer(current, offer) if *current == round => {
                let ciphertext = block.try_into().map_err(|_| InvalidBlock)?;
                let shared = offer.key.decapsulate(ciphertext);
                let secret = secret_of(&shared, round, offer.public.as_bytes(), ciphertext);
                *self = Self::Got(round, secret);
            }
            _ => (),
        }
        Ok(())
    }
}

// How it is stored.
impl Round {
    pub(super) fn write(&self, writer: &mut Writer) {
        let (state, round): (u8, u32) = match self {
            Self::Idle => (IDLE, 0),
            Self::Offer(round, _) => (OFFER, *round),
            Self::Got(round, _) => (GOT, *round),
            Self::Wait(round) => (WAIT, *round),
            Self::Answer(round, _) => (ANSWER, *round),
        };
        writer.put(&[state]);
        writer.put(&round.to_be_bytes());
        match self {
            Self::Idle | Self::Wait(_) => (),
            Self::Offer(_, offer) => writer.put(offer.key.expose()),
            Self::Got(_, secret) => writer.put(secret.expose()),
            Self::Answer(_, answer) => {
                writer.put(answer.ciphertext.expose());
                writer.put(answer.secret.expose());
            }
        }
    }

    pub(super) fn restore(value: &mut Value<'_>) -> Result<Self, RestoreError> {
        let [state] = value.array()?;
        let round = value.u32()?;
        Ok(match state {
            IDLE if round == 0 => Self::Idle,
            OFFER => {
                let seed = secret(value)?;
                Self::Offer(round, Offer::new(DecapsulationKey::from_secret(seed)))
            }
            GOT => Self::Got(round, secret(value)?.into()),
            WAIT => Self::Wait(round),
            ANSWER => {
                let ciphertext = secret(value)?;
                let secret = secret(value)?.into();
                Self::Answer(round, Arc::new(Answer { ciphertext, secret }))
            }
            _ => return Err(RestoreError::Corrupt),
        })
    }
}

/// Secret bytes of a record.
pub(super) fn secret<const N: usize>(value: &mut Value<'_>) -> Result<Secret<N>, RestoreError> {
    Secret::from_slice(value.bytes(N)?).ok_or(RestoreError::Corrupt)
}

/// What rides beside a message.
pub(super) struct Block {
    pub(super) kind: BlockKind,
    pub(super) round: u32,
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

impl Block {
    fn new(kind: BlockKind, round: u32, bytes: &[u8]) -> Self {
        Self { kind, round, bytes: Zeroizing::new(bytes.to_vec()) }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum BlockKind {
    /// A key of the responder.
    Key,
    /// A ciphertext of the initiator.
    Answer,
}

impl BlockKind {
    /// How long the block is, without its round.
    pub(super) const fn length(self) -> usize {
        match self {
            Self::Key => ENCAPSULATION_KEY,
            Self::Answer => CIPHERTEXT,
        }
    }
}

/// A key that nothing can be encapsulated to.
#[derive(Debug)]
pub(super) struct InvalidBlock;

/// What a round mixes in: the secret, bound to its round, key and ciphertext.
fn secret_of(shared: &Secret<32>, round: u32, key: &[u8], ciphertext: &[u8]) -> Arc<Secret<64>> {
    let bound = [b"WS1/kem", &round.to_be_bytes()[..], key, ciphertext].concat();
    let hash = sha256(&Zeroizing::new(bound));
    Arc::new(Secret::fill_with(|own| {
        let (secret, bound) = own.split_at_mut(32);
        secret.copy_from_slice(shared.expose());
        bound.copy_from_slice(&hash);
    }))
}

const IDLE: u8 = 0;
const OFFER: u8 = 1;
const GOT: u8 = 2;
const WAIT: u8 = 3;
const ANSWER: u8 = 4;
