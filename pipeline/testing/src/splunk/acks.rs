//! Indexer acknowledgement: numbers by channel, confirmed once.

use std::collections::BTreeMap;

/// When data counts as indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// At the first question.
    AtOnce,
    /// After this many questions that were answered with `false`.
    AfterPolls(u32),
    /// Never, though the data is indexed: the confirmation is lost.
    Never,
    /// Never, and the data is lost too: its indexer died.
    Vanish,
}

/// A channel's acknowledgement numbers, from 0.
#[derive(Debug, Default)]
pub(super) struct Channel {
    next: u64,
    /// Numbers not yet confirmed, with the questions still to be answered by `false`; `None`: all of them.
    waiting: BTreeMap<u64, Option<u32>>,
}

impl Channel {
    /// A number for data just taken.
    pub(super) fn issue(&mut self, acks: Acks) -> u64 {
        let id = self.next;
        self.next += 1;
        self.waiting.insert(
            id,
            match acks {
                Acks::AtOnce => Some(0),
                Acks::AfterPolls(polls) => Some(polls),
                Acks::Never | Acks::Vanish => None,
            },
        );
        id
    }

    /// Whether `id` is confirmed. `true` is said once: the number is forgotten with it.
    pub(super) fn ask(&mut self, id: u64) -> bool {
        match self.waiting.get_mut(&id) {
            Some(Some(0)) => {
                self.waiting.remove(&id);
                true
            }
            Some(Some(polls)) => {
                *polls -= 1;
                false
            }
            Some(None) | None => false,
        }
    }
}
