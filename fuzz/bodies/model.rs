//! A ledger that knows nothing but names, and asks the tree for all else.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::rules::Hash;
use crate::rules::Rule;
use crate::rules::View;
use crate::rules::ensure;
use crate::rules::u32_at;
use crate::tree::Made;
use crate::tree::Tree;

pub(crate) struct Model {
    /// Headers that were taken, and which block of the tree has each.
    known: BTreeMap<Hash, usize>,
    /// Those of them whose bodies were taken.
    stored: BTreeSet<Hash>,
    refused: BTreeSet<Hash>,
    tip: usize,
}

impl Model {
    pub(crate) fn new(genesis: &Made) -> Self {
        let id = genesis.id();
        let known = BTreeMap::from([(id, 0)]);
        Self { known, stored: BTreeSet::from([id]), refused: BTreeSet::new(), tip: 0 }
    }

    /// Takes a block: whether the chain changes, or the rule that is broken.
    pub(crate) fn give(&mut self, tree: &Tree, which: usize, now: u64) -> Result<bool, Rule> {
        let made = tree.get(which);
        let id = made.id();
        if self.stored.contains(&id) {
            return Ok(false);
        }
        judge_header(made, &self.known, &self.refused, tree, now)?;
        let parent = made.parent.map(|parent| tree.get(parent).id());
        ensure(parent.is_some_and(|parent| self.stored.contains(&parent)), "header-parent")?;
        made.parts?;
        self.known.insert(id, which);
        if made.times.len() <= tree.get(self.tip).times.len() {
            self.stored.insert(id);
            return Ok(false);
        }
        for at in tree.branch(which) {
            if let Some(Err(rule)) = tree.get(at).view {
                self.refuse(tree, tree.get(at).id());
                return Err(rule);
            }
        }
        self.stored.insert(id);
        self.tip = which;
        Ok(true)
    }

    /// Takes headers, all or none: how many were new, or which one broke which rule.
    pub(crate) fn give_headers(
        &mut self,
        tree: &Tree,
        list: &[usize],
        now: u64,
    ) -> Result<usize, (usize, Rule)> {
        let mut known = self.known.clone();
        for (index, at) in list.iter().enumerate() {
            let made = tree.get(*at);
            judge_header(made, &known, &self.refused, tree, now).map_err(|rule| (index, rule))?;
            known.entry(made.id()).or_insert(*at);
        }
        let added = known.len() - self.known.len();
        self.known = known;
        Ok(added)
    }

    /// Forgets what a restart forgets: bodies off the chain, and what was wrong.
    pub(crate) fn forget(&mut self, tree: &Tree) {
        let chain = tree.branch(self.tip).into_iter().chain([0]);
        self.stored = chain.map(|at| tree.get(at).id()).collect();
        self.refused.clear();
    }

    /// Which blocks the known headers belong to, parents first, without the first one.
    pub(crate) fn headers_by_height(&self) -> Vec<usize> {
        self.known
            .values()
            .copied()
            .filter(|at| *at != 0)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    pub(crate) fn headers(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn best_header(&self, tree: &Tree) -> u32 {
        let heights = self.known.values().map(|at| tree.get(*at).times.len() as u32 - 1);
        heights.max().unwrap_or(0)
    }

    pub(crate) fn view<'a>(&self, tree: &'a Tree) -> &'a View {
        let view = tree.get(self.tip).view.as_ref().and_then(|view| view.as_ref().ok());
        view.expect("the chain is valid")
    }

    /// A block, and all that stand on it.
    fn refuse(&mut self, tree: &Tree, id: Hash) {
        self.refused.insert(id);
        let stands_on = |at: &usize| tree.branch(*at).iter().any(|at| tree.get(*at).id() == id);
        self.known.retain(|_, at| !stands_on(at));
        let Self { known, stored, .. } = self;
        stored.retain(|id| known.contains_key(id));
    }
}

fn judge_header(
    made: &Made,
    known: &BTreeMap<Hash, usize>,
    refused: &BTreeSet<Hash>,
    tree: &Tree,
    now: u64,
) -> Result<(), Rule> {
    let parent: Hash = made.bytes[4..36].try_into().expect("32 bytes");
    ensure(!refused.contains(&made.id()) && !refused.contains(&parent), "header-refused")?;
    if known.contains_key(&made.id()) {
        return Ok(());
    }
    ensure(u32_at(&made.bytes, 0) == 1, "header-version")?;
    ensure(known.contains_key(&parent), "header-parent")?;
    let before = tree.by_id(&parent);
    let first = tree.get(0).view.as_ref().and_then(|view| view.as_ref().ok());
    let first = first.expect("the first block is valid");
    let view = View { times: before.times.clone(), ..first.clone() };
    view.judge_header(&made.bytes, now)
}
