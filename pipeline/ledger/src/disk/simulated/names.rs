//! What a directory holds: the names on the platter, and those a process sees.

use std::collections::BTreeMap;
use std::mem;

use super::luck::Luck;
use super::random::Random;

/// Which file or directory a name stands for. It outlives the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Node {
    File(u64),
    Directory(u64),
}

pub(super) type Names = BTreeMap<String, Node>;

#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    durable: Names,
    unsynced: Vec<Change>,
    cached: Names,
}

/// One step: names that begin to stand for something, or cease to.
#[derive(Clone, Debug)]
struct Change {
    /// Shared by the two halves of a rename from one directory to another.
    id: u64,
    names: Vec<(String, Option<Node>)>,
}

impl Directory {
    /// A directory that is durable as it stands.
    pub(super) fn settled(names: Names) -> Self {
        Self {
            durable: names.clone(),
            unsynced: Vec::new(),
            cached: names,
        }
    }

    pub(super) fn cached(&self) -> &Names {
        &self.cached
    }

    pub(super) fn durable(&self) -> &Names {
        &self.durable
    }

    /// All that a name stands for, or may stand for after a power loss.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Node> {
        let unsynced = self.unsynced.iter().flat_map(|change| &change.names);
        let durable = self.durable.values().chain(self.cached.values()).copied();
        durable.chain(unsynced.filter_map(|(_, node)| *node))
    }

    pub(super) fn change(&mut self, id: u64, names: Vec<(String, Option<Node>)>) {
        apply(&mut self.cached, &names);
        self.unsynced.push(Change { id, names });
    }

    pub(super) fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// The ids of the oldest `count` changes.
    pub(super) fn ids(&self, count: usize) -> impl Iterator<Item = u64> {
        self.unsynced.iter().take(count).map(|change| change.id)
    }

    /// How many changes there are up to the last one whose id is wanted.
    pub(super) fn count_to(&self, wanted: impl Fn(u64) -> bool) -> usize {
        let last = self.unsynced.iter().rposition(|change| wanted(change.id));
        last.map_or(0, |position| position + 1)
    }

    /// Makes the oldest `count` changes durable.
    pub(super) fn sync(&mut self, count: usize) {
        let count = count.min(self.unsynced.len());
        for change in self.unsynced.drain(..count) {
            apply(&mut self.durable, &change.names);
        }
    }

    /// Makes any of the changes durable, and forgets the others.
    pub(super) fn sync_some(&mut self, random: &mut Random) {
        let luck = Luck::draw(random);
        let mut changes = mem::take(&mut self.unsynced);
        match luck {
            Luck::Prefix => changes.truncate(random.below(changes.len() + 1)),
            Luck::Nothing => changes.clear(),
            Luck::Everything => {}
            Luck::Pieces(probability) => changes.retain(|_| random.chance(probability)),
        }
        for change in changes {
            apply(&mut self.durable, &change.names);
        }
    }

    /// Forgets what is not durable, while a process goes on to see it.
    pub(super) fn forget(&mut self) {
        self.unsynced.clear();
    }

    /// Only what was synced stays.
    pub(super) fn revert(&mut self) {
        self.unsynced.clear();
        self.cached.clone_from(&self.durable);
    }

    /// Makes everything durable as a process sees it.
    pub(super) fn settle(&mut self) {
        self.unsynced.clear();
        self.durable.clone_from(&self.cached);
    }

    /// Gives a name a meaning past all caches.
    pub(super) fn set(&mut self, name: &str, node: Option<Node>) {
        self.settle();
        let names = [(name.to_owned(), node)];
        apply(&mut self.cached, &names);
        apply(&mut self.durable, &names);
    }
}

fn apply(names: &mut Names, changes: &[(String, Option<Node>)]) {
    for (name, node) in changes {
        match node {
            Some(node) => names.insert(name.clone(), *node),
            None => names.remove(name),
        };
    }
}
