//! SHA-256 of two messages at once. The instructions for it wait for each other's results most of the time; the rounds of
//! a second message fit in between, and both take little longer than one.
//!
//! The only unsafe code of the crate: the calls into functions that need these instructions, after their presence was
//! checked, and the loads of whole blocks. The `sha2` crate is the definition; tests and a fuzz target compare the two.
#![allow(unsafe_code)]

use sha2::{Digest as _, Sha256};

use crate::Hash;
use crate::leaf::COMMITMENT_HEAD;

#[cfg(target_arch = "x86_64")]
mod blocks;
#[cfg(target_arch = "x86_64")]
mod x86;

/// What is hashed: a head, and the rest behind it.
#[derive(Clone, Copy)]
pub(crate) struct Message<'m> {
    pub(crate) head: [u8; COMMITMENT_HEAD],
    pub(crate) rest: &'m [u8],
}

/// The hashes of both.
pub(crate) fn sha256(messages: [Message<'_>; 2]) -> [Hash; 2] {
    #[cfg(target_arch = "x86_64")]
    if x86::is_there()
        && let [Some(a), Some(b)] = messages.map(blocks::Blocks::of)
    {
        // SAFETY: the processor has the instructions that it is compiled for.
        return unsafe { x86::sha256(&a, &b) };
    }
    messages.map(one)
}

/// The hash of one.
fn one(message: Message<'_>) -> Hash {
    Hash::finish(Sha256::new_with_prefix(message.head).chain_update(message.rest))
}
