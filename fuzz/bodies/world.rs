//! The chain of the vectors, block by block, with the keys of those who appear in it.
#![allow(dead_code, reason = "each target uses its own part of this")]

use std::sync::LazyLock;

use whisper_core::crypto::curve::SecretKey;
use whisper_core::identity::Identity;
use whisper_core::ledger::Block;
use whisper_core::ledger::Ledger;
use whisper_core::ledger::Nothing;
use whisper_core::ledger::Params;
use whisper_core::ledger::Proof;
use whisper_core::ledger::Question;
use whisper_core::time::Timestamp;

use crate::rules::View;
use crate::rules::u32_at;

/// After each block of the vectors: the ledger, and what follows by the rules written again.
pub(crate) struct World {
    pub(crate) blocks: Vec<Vec<u8>>,
    pub(crate) ledgers: Vec<Ledger>,
    pub(crate) views: Vec<View>,
    pub(crate) keys: Vec<Identity>,
}

pub(crate) static WORLD: LazyLock<World> = LazyLock::new(World::new);

impl World {
    fn new() -> Self {
        let params = Params::regtest();
        let genesis = params.genesis().to_vec();
        let mut world = Self {
            views: vec![View::new(&genesis)],
            ledgers: vec![Ledger::new(params).expect("a network")],
            blocks: vec![genesis],
            keys: strings("secret").map(|secret| key(&secret)).collect(),
        };
        // Of all that stands there raw, blocks are what follows each other.
        for raw in strings("raw") {
            if raw.get(4..36) != Some(&world.view().id[..]) {
                continue;
            }
            let block = Block::decode(raw.as_slice()).expect("a block");
            let mut ledger = world.ledger().clone();
            let now = block.header().timestamp();
            assert!(ledger.accept_block(now, block).expect("a valid one").is_change());
            let view = world.view().judge_block(&raw).expect("a valid one");
            world.views.push(view);
            world.ledgers.push(ledger);
            world.blocks.push(raw);
        }
        assert_eq!((world.blocks.len(), world.keys.len()), (8, 7));
        world
    }

    /// After the last block.
    pub(crate) fn ledger(&self) -> &Ledger {
        self.ledgers.last().expect("there is a first block")
    }

    /// After the last block.
    pub(crate) fn view(&self) -> &View {
        self.views.last().expect("there is a first block")
    }

    /// What the last ledger can prove.
    pub(crate) fn prove(&self, question: &Question) -> Option<Proof> {
        let ledger = self.ledger();
        match question {
            Question::Tx(block, id) => ledger.prove_tx(block, id, &Nothing).map(Proof::Tx),
            Question::Name(block, name) => {
                ledger.prove_name(block, name, &Nothing).map(Proof::Name)
            }
        }
    }

    /// A minute after the last block.
    pub(crate) fn now(&self) -> Timestamp {
        let last = self.blocks.last().expect("there is a first block");
        Timestamp::from_secs(u64::from(u32_at(last, 68)) + 60)
    }
}

/// The values of all fields of this name in the vectors, which are hex.
fn strings(name: &str) -> impl Iterator<Item = Vec<u8>> {
    let field = format!("\"{name}\": \"");
    let mut rest = VECTORS;
    std::iter::from_fn(move || {
        rest = rest.split_once(&field)?.1;
        let (digits, _) = rest.split_once('"')?;
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
        Some(digits.as_bytes().chunks(2).map(|pair| byte(pair).expect("hex")).collect())
    })
}

fn key(secret: &[u8]) -> Identity {
    let secret = SecretKey::from_bytes(secret.try_into().expect("32 bytes"));
    Identity::from_secret(secret.expect("a key"))
}

const VECTORS: &str =
    include_str!("../../whisper-core/tests/vectors/ledger/whisper-ledger-v1.json");
