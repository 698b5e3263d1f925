//! Keys joined into components, each of which lies in one split for ever.

use super::example::Split;

const NO_SPLIT: u8 = u8::MAX;

/// A union-find over numbered keys that never joins components of two splits.
pub(super) struct Components {
    parents: Vec<u32>,
    /// By root: the split's place in [`Split::ALL`], or [`NO_SPLIT`] for a key that nothing has been tied to yet.
    splits: Vec<u8>,
    /// By root: which key founded the component, and as which one.
    founders: Vec<(u32, u32)>,
    n_founded: u32,
}

impl Components {
    /// Starts with `n_keys` keys that are in no split.
    pub(super) fn new(n_keys: usize) -> Self {
        Self {
            parents: (0..n_keys as u32).collect(),
            splits: vec![NO_SPLIT; n_keys],
            founders: vec![(u32::MAX, 0); n_keys],
            n_founded: 0,
        }
    }

    /// Joins keys where they lie in one split at most; where all are new, the first founds a component in the split
    /// that `draw` gives to it. Keys of two splits stay as they are.
    pub(super) fn join(&mut self, keys: &[u32], draw: impl Fn(u32) -> Split) {
        let Some(&first) = keys.first() else { return };
        let mut common = NO_SPLIT;
        for &key in keys {
            let root = self.root(key);
            let split = self.splits[root as usize];
            if split != NO_SPLIT && common != NO_SPLIT && split != common {
                return;
            }
            if split != NO_SPLIT {
                common = split;
            }
        }
        if common == NO_SPLIT {
            let split = draw(first);
            common = Split::ALL.iter().position(|known| *known == split).unwrap_or(0) as u8;
            self.founders[first as usize] = (self.n_founded, first);
            self.n_founded += 1;
            self.splits[first as usize] = common;
        }
        for &key in keys {
            self.unite(first, key, common);
        }
    }

    /// Returns the split of a key's component.
    pub(super) fn split(&mut self, key: u32) -> Option<Split> {
        let root = self.root(key);
        Split::ALL.get(usize::from(self.splits[root as usize])).copied()
    }

    /// Returns the key that founded the component of a key; after a union, the earlier of the two.
    pub(super) fn founding_key(&mut self, key: u32) -> u32 {
        let root = self.root(key);
        self.founders[root as usize].1
    }

    /// The component that was founded first stays the root, so that its id outlives the union.
    fn unite(&mut self, left: u32, right: u32, split: u8) {
        let (left, right) = (self.root(left), self.root(right));
        let (older, younger) = if self.founders[left as usize].0 <= self.founders[right as usize].0 {
            (left, right)
        } else {
            (right, left)
        };
        self.parents[younger as usize] = older;
        self.splits[older as usize] = split;
    }

    fn root(&mut self, key: u32) -> u32 {
        let mut at = key;
        while self.parents[at as usize] != at {
            let next = self.parents[at as usize];
            self.parents[at as usize] = self.parents[next as usize];
            at = self.parents[at as usize];
        }
        at
    }
}
