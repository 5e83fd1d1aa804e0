//! The rules of the ledger written down a second time: slow and plain, and in another way than the
//! library has them. Whoever disagrees is wrong.
#![allow(dead_code, reason = "each target uses its own part of this")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use whisper_core::crypto::curve;
use whisper_core::hash::keccak256;
use whisper_core::identity::PublicKey;
use whisper_core::ledger::Params;

pub(crate) type Hash = [u8; 32];
/// The name of the rule that is broken first.
pub(crate) type Rule = &'static str;

/// A chain up to one block, and what follows from it. Nothing is ever forgotten.
#[derive(Clone)]
pub(crate) struct View {
    pub(crate) id: Hash,
    /// Of all blocks, the first one's first.
    pub(crate) times: Vec<u32>,
    pub(crate) bits: u32,
    pub(crate) tag: Hash,
    pub(crate) records: BTreeMap<Vec<u8>, NameRecord>,
    /// When each transaction of the chain expires.
    pub(crate) seen: BTreeMap<Hash, u32>,
}

#[derive(Clone, PartialEq)]
pub(crate) struct NameRecord {
    pub(crate) active: bool,
    pub(crate) seq: u32,
    pub(crate) owner: Vec<u8>,
    pub(crate) next: Hash,
    pub(crate) claimed: u32,
    pub(crate) changed: u32,
}

impl View {
    /// The chain of a first block, whatever that is.
    pub(crate) fn new(genesis: &[u8]) -> Self {
        let id = keccak256(&genesis[..80]);
        Self {
            id,
            times: vec![u32_at(genesis, 68)],
            bits: u32_at(genesis, 72),
            tag: keccak256(&[tag("tx"), id].concat()),
            records: BTreeMap::new(),
            seen: BTreeMap::new(),
        }
    }

    pub(crate) fn height(&self) -> u32 {
        self.times.len() as u32 - 1
    }

    /// What the time of the next block must be after.
    pub(crate) fn median(&self) -> u32 {
        let mut last: Vec<u32> = self.times.iter().rev().take(11).copied().collect();
        last.sort_unstable();
        last[last.len() / 2]
    }

    /// Judges a header that names this block as its parent; its version was looked at.
    pub(crate) fn judge_header(&self, header: &[u8], now: u64) -> Result<(), Rule> {
        let (time, bits) = (u32_at(header, 68), u32_at(header, 72));
        ensure(bits == self.bits, "header-bits")?;
        let target = target(bits).expect("the first block has a target");
        ensure(Big::new(&keccak256(&header[..80])) <= target, "header-pow")?;
        ensure(time > self.median(), "header-time-old")?;
        ensure(u64::from(time) <= now.saturating_add(600), "header-time-new")
    }

    /// What the chain is with this block on top, whose header and form are right.
    pub(crate) fn judge_block(&self, block: &[u8]) -> Result<Self, Rule> {
        let (seal, txs) = split(block)?;
        ensure(u32_at(seal, 2) == self.height() + 1, "seal-height")?;
        ensure(u32_at(seal, 6) as usize == txs.len() + 1, "seal-count")?;
        let mut next = self.clone();
        let time = u32_at(block, 68);
        let mut names = BTreeSet::new();
        for tx in txs {
            next.judge_tx(tx, time, &mut names)?;
            next.seen.insert(txid(&self.tag, tx), u32_at(tx, 2));
        }
        ensure(next.directory_root() == seal[10..42], "seal-directory")?;
        next.times.push(time);
        next.id = keccak256(&block[..80]);
        Ok(next)
    }

    /// Judges a transaction in a block of this time, after others that were on these names. The
    /// directory follows.
    pub(crate) fn judge_tx(
        &mut self,
        tx: &[u8],
        time: u32,
        names: &mut BTreeSet<Vec<u8>>,
    ) -> Result<(), Rule> {
        ensure(tx.len() <= 2_048, "tx-size")?;
        ensure(tx[0] == 1, "tx-format")?;
        ensure((1..=3).contains(&tx[1]), "tx-kind")?;
        let id = txid(&self.tag, tx);
        ensure(is_worked(&id, tx.len()), "tx-work")?;
        let expiry = u64::from(u32_at(tx, 2));
        let time = u64::from(time);
        ensure(time < expiry && expiry <= time + 7_200, "tx-expiry")?;
        ensure(!self.seen.contains_key(&id), "tx-duplicate")?;
        check_signature(tx, &id)?;
        check_payload(tx)?;
        if tx[1] == 2 {
            self.register(tx, names)?;
        }
        Ok(())
    }

    fn register(&mut self, tx: &[u8], names: &mut BTreeSet<Vec<u8>>) -> Result<(), Rule> {
        let (payload, height) = (payload(tx), self.height() + 1);
        let (owner, seq, name) = (tx[6..39].to_vec(), u32_at(payload, 1), payload[37..].to_vec());
        let next: Hash = payload[5..37].try_into().expect("32 bytes");
        ensure(names.insert(name.clone()), "register-twice")?;
        ensure(names.len() <= 64, "register-cap")?;
        let Some(old) = self.records.get(&name) else {
            ensure(payload[0] == 0, "register-unknown")?;
            ensure(seq == 0, "register-seq")?;
            let new =
                NameRecord { active: true, seq, owner, next, claimed: height, changed: height };
            self.records.insert(name, new);
            return Ok(());
        };
        ensure(payload[0] != 0, "register-taken")?;
        ensure(u64::from(seq) == u64::from(old.seq) + 1, "register-seq")?;
        let is_next =
            old.next != [0; 32] && keccak256(&[&tag("next"), &tx[6..39]].concat()) == old.next;
        let mut new = NameRecord { seq, changed: height, ..old.clone() };
        if payload[0] == 1 {
            ensure(is_next, "register-author")?;
            (new.active, new.owner, new.next) = (true, owner, next);
        } else {
            ensure(is_next || owner == old.owner, "register-author")?;
            ensure(old.active, "register-revoked")?;
            ensure(next == [0; 32], "register-next")?;
            new.active = false;
        }
        self.records.insert(name, new);
        Ok(())
    }

    /// The root of the sparse tree over all records.
    pub(crate) fn directory_root(&self) -> Hash {
        let leaf = |(name, record): (&Vec<u8>, &NameRecord)| {
            let key = keccak256(&[&tag("handle"), name.as_slice()].concat());
            let value = keccak256(&record.encode(name));
            (key, keccak256(&[&[0][..], &key, &value].concat()))
        };
        sparse_root(&self.records.iter().map(leaf).collect::<Vec<_>>(), 0)
    }
}

impl NameRecord {
    pub(crate) fn encode(&self, name: &[u8]) -> Vec<u8> {
        let mut bytes = vec![if self.active { 1 } else { 2 }];
        bytes.extend(self.seq.to_le_bytes());
        bytes.extend(&self.owner);
        bytes.extend(self.next);
        bytes.extend([self.claimed, self.changed].iter().flat_map(|height| height.to_le_bytes()));
        [bytes.as_slice(), name].concat()
    }
}

fn sparse_root(leaves: &[(Hash, Hash)], depth: usize) -> Hash {
    match leaves {
        [] => [0; 32],
        [(_, hash)] => *hash,
        _ => {
            let is_right = |(key, _): &(Hash, Hash)| key[depth / 8] >> (7 - depth % 8) & 1 == 1;
            let (right, left): (Vec<_>, Vec<_>) = leaves.iter().partition(|leaf| is_right(leaf));
            node(&sparse_root(&left, depth + 1), &sparse_root(&right, depth + 1))
        }
    }
}

/// The Seal of a block and its other transactions, if all lengths are right and the header commits
/// to them.
pub(crate) fn split(block: &[u8]) -> Result<(&[u8], Vec<&[u8]>), Rule> {
    let (seal, txs) = frames(block)?;
    ensure(tree_root(&leaves(seal, &txs)) == block[36..68], "block-root")?;
    Ok((seal, txs))
}

/// [`split`] without a look at the header.
pub(crate) fn frames(block: &[u8]) -> Result<(&[u8], Vec<&[u8]>), Rule> {
    ensure(block.len() <= 262_144, "block-size")?;
    ensure(block.len() >= 84, "block-short")?;
    let mut txs = Vec::new();
    let mut at = 84;
    for _ in 0..u32_at(block, 80) {
        let len = block.get(at..at + 2).ok_or("block-short")?;
        let end = at + 2 + usize::from(len[0]) + 256 * usize::from(len[1]);
        txs.push(block.get(at + 2..end).ok_or("block-short")?);
        at = end;
    }
    ensure(at == block.len(), "block-trailing")?;
    ensure(!txs.is_empty(), "block-empty")?;
    ensure(txs.iter().all(|tx| tx.len() >= 2), "tx-size")?;
    let seal = txs.remove(0);
    ensure(txs.iter().all(|tx| tx[1] != 0), "seal-position")?;
    ensure(seal[..2] == [1, 0] && seal.len() >= 42 && seal.len() <= 74, "seal-format")?;
    ensure(txs.iter().all(|tx| tx.len() >= 111), "tx-size")?;
    Ok((seal, txs))
}

/// What a block's header commits to.
pub(crate) fn leaves(seal: &[u8], txs: &[&[u8]]) -> Vec<Vec<u8>> {
    let entry = |tx: &&[u8]| [&txid(&TAG, tx), &tx[tx.len() - 64..]].concat();
    std::iter::once(seal.to_vec()).chain(txs.iter().map(entry)).collect()
}

/// RFC 9162, 2.1.1, word by word.
pub(crate) fn tree_root(data: &[Vec<u8>]) -> Hash {
    match data {
        [] => keccak256(&[]),
        [one] => keccak256(&[&[0], one.as_slice()].concat()),
        _ => {
            let mut k = 1;
            while 2 * k < data.len() {
                k *= 2;
            }
            node(&tree_root(&data[..k]), &tree_root(&data[k..]))
        }
    }
}

fn node(left: &Hash, right: &Hash) -> Hash {
    keccak256(&[&[1][..], left, right].concat())
}

/// The form of a transaction and of what it says.
pub(crate) fn check_form(tx: &[u8]) -> Result<(), Rule> {
    ensure((111..=2_048).contains(&tx.len()), "tx-size")?;
    ensure(tx[0] == 1, "tx-format")?;
    ensure((1..=3).contains(&tx[1]), "tx-kind")?;
    check_payload(tx)
}

fn check_payload(tx: &[u8]) -> Result<(), Rule> {
    let payload = payload(tx);
    match tx[1] {
        1 => check_post(payload),
        2 => {
            ensure(payload.len() >= 40, "register-size")?;
            ensure(payload[0] <= 2, "register-op")?;
            let name = &payload[37..];
            let inner = b"abcdefghijklmnopqrstuvwxyz0123456789-";
            let is_fine = (3..=32).contains(&name.len())
                && name.iter().all(|byte| inner.contains(byte))
                && name[0] != b'-'
                && name[name.len() - 1] != b'-';
            ensure(is_fine, "register-handle")
        }
        _ => {
            ensure(payload.len() == 36, "anchor-size")?;
            ensure(payload[..4] != [0; 4], "anchor-count")
        }
    }
}

fn check_post(payload: &[u8]) -> Result<(), Rule> {
    ensure(payload.len() >= 6, "post-short")?;
    ensure(payload[4] <= 1, "post-flags")?;
    let text = payload.get(5 + 32 * usize::from(payload[4])..).unwrap_or_default();
    ensure(!text.is_empty(), "post-empty")?;
    ensure(text.len() <= 1_024, "post-long")?;
    ensure(String::from_utf8(text.to_vec()).is_ok(), "post-utf8")
}

pub(crate) fn payload(tx: &[u8]) -> &[u8] {
    &tx[39..tx.len() - 72]
}

pub(crate) fn check_signature(tx: &[u8], id: &Hash) -> Result<(), Rule> {
    let author: &[u8; 33] = tx[6..39].try_into().expect("33 bytes");
    let signature: &[u8; 64] = tx[tx.len() - 64..].try_into().expect("64 bytes");
    let (r, s) = signature.split_at(32);
    ensure(matches!(author[0], 2 | 3), "tx-author")?;
    let in_range = r != [0; 32] && r < ORDER.as_slice() && s != [0; 32];
    // s ≤ n / 2, which is s + s < n, n being odd.
    let s = Big::new(&s.iter().rev().copied().collect::<Vec<_>>());
    let order = Big::new(&ORDER.iter().rev().copied().collect::<Vec<_>>());
    ensure(in_range && s.times(&Big::from(2)) < order, "tx-low-s")?;
    JUDGED.with_borrow_mut(|judged| {
        // Stories are alike: most of their transactions were seen before.
        if judged.len() > 20_000 {
            judged.clear();
        }
        *judged.entry((*id, *author, *signature)).or_insert_with(|| {
            let key = PublicKey::from_compressed(author).map_err(|_| "tx-author")?;
            curve::verify(&key, id, signature).map_err(|_| "tx-signature")
        })
    })
}

/// An id, who says to have signed it, and how.
type Signed = (Hash, [u8; 33], [u8; 64]);

thread_local! {
    static JUDGED: RefCell<BTreeMap<Signed, Result<(), Rule>>> = RefCell::default();
}

pub(crate) fn txid(tag: &Hash, tx: &[u8]) -> Hash {
    keccak256(&[tag, &tx[..tx.len() - 64]].concat())
}

/// Whether an id is worth one hash per byte.
pub(crate) fn is_worked(id: &Hash, len: usize) -> bool {
    Big::new(id).times(&Big::from(len as u128)) < Big::from(1).up(256)
}

pub(crate) fn tag(name: &str) -> Hash {
    keccak256(format!("whisper-core/ledger/v1/{name}").as_bytes())
}

/// What ids on regtest begin with.
static TAG: LazyLock<Hash> = LazyLock::new(|| View::new(Params::regtest().genesis()).tag);

/// The number that compact bits stand for.
pub(crate) fn target(bits: u32) -> Result<Big, Rule> {
    let (size, mantissa) = (bits >> 24, bits & 0x007f_ffff);
    let lost = 8 * 3_u32.saturating_sub(size);
    let number = Big::from(u128::from(mantissa >> lost)).up(8 * size.saturating_sub(3));
    ensure(number.0.len() <= 32, "overflow")?;
    ensure(!number.0.is_empty(), "zero")?;
    ensure(bits & 0x0080_0000 == 0, "negative")?;
    let is_whole = mantissa >> lost << lost == mantissa;
    ensure(is_whole && number.size() == size, "another form")?;
    Ok(number)
}

/// The compact form of a number.
pub(crate) fn compact(number: &Big) -> u32 {
    let size = number.size();
    let mantissa = number.up(24).down(8 * size);
    let digits = mantissa.0.iter().rev().fold(0, |sum, digit| sum << 8 | u32::from(*digit));
    size << 24 | digits
}

pub(crate) fn ensure(holds: bool, rule: Rule) -> Result<(), Rule> {
    if holds { Ok(()) } else { Err(rule) }
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// A number of any length: its digits to the base of 256, the lowest first, none of them in vain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Big(pub(crate) Vec<u8>);

impl Big {
    pub(crate) fn new(digits: &[u8]) -> Self {
        let len = digits.iter().rposition(|digit| *digit != 0).map_or(0, |last| last + 1);
        Self(digits[..len].to_vec())
    }

    pub(crate) fn from(number: u128) -> Self {
        Self::new(&number.to_le_bytes())
    }

    pub(crate) fn plus(&self, other: &Self) -> Self {
        let mut digits = Vec::new();
        let mut carry = 0;
        for at in 0..=self.0.len().max(other.0.len()) {
            let digit = |number: &Self| number.0.get(at).copied().map_or(0, u16::from);
            let sum = digit(self) + digit(other) + carry;
            digits.push(sum as u8);
            carry = sum >> 8;
        }
        Self::new(&digits)
    }

    pub(crate) fn times(&self, other: &Self) -> Self {
        let mut digits = vec![0; self.0.len() + other.0.len() + 1];
        for (at, a) in self.0.iter().enumerate() {
            let mut carry = 0;
            for (b, slot) in other.0.iter().chain(&[0]).zip(&mut digits[at..]) {
                let sum = u32::from(*a) * u32::from(*b) + u32::from(*slot) + carry;
                *slot = sum as u8;
                carry = sum >> 8;
            }
        }
        Self::new(&digits)
    }

    /// The quotient, rounded down.
    pub(crate) fn over(&self, divisor: u64) -> Self {
        let mut rest = 0;
        let mut digits = self.0.clone();
        for digit in digits.iter_mut().rev() {
            let part = rest << 8 | u128::from(*digit);
            *digit = (part / u128::from(divisor)) as u8;
            rest = part % u128::from(divisor);
        }
        Self::new(&digits)
    }

    /// Times two to this power.
    pub(crate) fn up(&self, bits: u32) -> Self {
        let mut digits = vec![0; bits as usize / 8];
        digits.extend(&self.times(&Self::from(1 << (bits % 8))).0);
        Self::new(&digits)
    }

    /// Divided by two to this power, rounded down.
    pub(crate) fn down(&self, bits: u32) -> Self {
        let kept = self.0.get(bits as usize / 8..).unwrap_or_default();
        Self::new(kept).over(1 << (bits % 8))
    }

    /// Bytes that it takes to write the number with a sign in front.
    pub(crate) fn size(&self) -> u32 {
        let top = self.0.last().copied().unwrap_or(0);
        self.0.len() as u32 + u32::from(top >= 0x80)
    }
}

impl PartialOrd for Big {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Big {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let highest_first = |number: &Self| number.0.iter().rev().copied().collect::<Vec<_>>();
        let by_length = self.0.len().cmp(&other.0.len());
        by_length.then_with(|| highest_first(self).cmp(&highest_first(other)))
    }
}

/// SEC 2, 2.4.1: how many points secp256k1 has.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];
