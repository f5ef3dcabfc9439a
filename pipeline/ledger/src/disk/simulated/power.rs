//! What of the disk outlives a process and a power loss.

use std::collections::{BTreeMap, BTreeSet};

use super::NameOrder;
use super::luck::Luck;
use super::random::Random;
use super::state::State;

impl State {
    pub(super) fn power_loss(&mut self, random: &mut Random) {
        match self.order {
            NameOrder::Kept => {
                let mut counts = BTreeMap::new();
                for (id, directory) in &self.directories {
                    let all = directory.unsynced();
                    let count = match Luck::draw(random) {
                        Luck::Nothing => 0,
                        Luck::Everything => all,
                        Luck::Prefix | Luck::Pieces(_) => random.below(all + 1),
                    };
                    counts.insert(*id, count);
                }
                self.commit(counts);
            }
            NameOrder::Any => {
                for directory in self.directories.values_mut() {
                    directory.sync_some(random);
                }
            }
        }
        for file in self.files.values_mut() {
            file.power_loss(random);
        }
        self.revert();
    }

    /// Only what was synced stays.
    pub(super) fn revert(&mut self) {
        for directory in self.directories.values_mut() {
            directory.revert();
        }
        for file in self.files.values_mut() {
            file.revert();
        }
        self.close_all();
    }

    /// No handle is open any more.
    pub(super) fn close_all(&mut self) {
        self.open.clear();
        self.sweep();
    }

    /// Makes the oldest changes of some directories durable.
    pub(super) fn commit(&mut self, mut counts: BTreeMap<u64, usize>) {
        if self.order == NameOrder::Kept {
            while self.take_along(&mut counts) {}
        }
        for (id, count) in counts {
            self.directory(id).sync(count);
        }
    }

    /// A rename from one directory to another is one step, and takes along what came before it in the other. Says
    /// whether that made the changes more.
    fn take_along(&self, counts: &mut BTreeMap<u64, usize>) -> bool {
        let mut ids = BTreeSet::new();
        for (id, count) in counts.iter() {
            ids.extend(self.directories[id].ids(*count));
        }
        let mut more = false;
        for (id, directory) in &self.directories {
            let needed = directory.count_to(|id| ids.contains(&id));
            if needed > counts.get(id).copied().unwrap_or_default() {
                counts.insert(*id, needed);
                more = true;
            }
        }
        more
    }
}
