//! The commitments to the records of one frame.

use std::fmt;

use crate::pair::{self, Message};
use crate::{Hash, Seed, commitment, leaf, salt};

/// Commits to the payloads of a frame, in order: to each as [`commitment`] does under the [`salt`] of its place, but two
/// at a time, which costs little more than one.
///
/// Memory: a hash a payload, and one payload.
pub struct Commitments {
    seed: Seed,
    done: Vec<Hash>,
    /// A payload that waits for another one.
    waiting: Vec<u8>,
    is_waiting: bool,
}

impl Commitments {
    /// To nothing yet, with room for `capacity` payloads.
    #[must_use]
    pub fn with_capacity(seed: &Seed, capacity: usize) -> Self {
        Self {
            seed: *seed,
            done: Vec::with_capacity(capacity),
            waiting: Vec::new(),
            is_waiting: false,
        }
    }

    /// Commits to the next payload. No frame has more than 2^32.
    pub fn push(&mut self, payload: &[u8]) {
        if !self.is_waiting {
            self.waiting.clear();
            self.waiting.extend_from_slice(payload);
            self.is_waiting = true;
            return;
        }
        self.is_waiting = false;
        let place = self.place();
        let message = |place, rest| Message {
            head: leaf::head(&salt(&self.seed, place)),
            rest,
        };
        let both = [message(place, &self.waiting), message(place + 1, payload)];
        self.done.extend(pair::sha256(both));
    }

    /// The commitments, one a payload.
    #[must_use]
    pub fn finish(mut self) -> Vec<Hash> {
        if self.is_waiting {
            let salt = salt(&self.seed, self.place());
            self.done.push(commitment(&salt, &self.waiting));
        }
        self.done
    }

    /// The place of the payload behind those that are done.
    fn place(&self) -> u32 {
        self.done.len() as u32
    }
}

impl fmt::Debug for Commitments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the seed or a payload.
        f.debug_struct("Commitments")
            .field("done", &self.done.len())
            .finish_non_exhaustive()
    }
}
