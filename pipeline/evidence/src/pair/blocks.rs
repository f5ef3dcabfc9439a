//! A message as the blocks that SHA-256 goes through: with the end that it puts behind every message.

use super::Message;
use crate::leaf::COMMITMENT_HEAD as HEAD;

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;
/// The end of a message: a bit, and the length in bits.
const END: usize = 1 + 8;

pub(super) struct Blocks<'m> {
    /// The head, and as much of the rest as fits behind it.
    first: [u8; BLOCK],
    /// Those that stand in the rest as they are.
    middle: &'m [[u8; BLOCK]],
    /// What is left of the rest, and the end.
    last: [[u8; BLOCK]; 2],
    /// Of those: 1 or 2.
    ends: usize,
}

impl<'m> Blocks<'m> {
    /// `None` for a message shorter than a block.
    pub(super) fn of(message: Message<'m>) -> Option<Self> {
        let (begin, rest) = message.rest.split_first_chunk::<{ BLOCK - HEAD }>()?;
        let mut first = [0; BLOCK];
        first[..HEAD].copy_from_slice(&message.head);
        first[HEAD..].copy_from_slice(begin);
        let (middle, left) = rest.as_chunks();
        let mut last = [[0; BLOCK]; 2];
        last[0][..left.len()].copy_from_slice(left);
        last[0][left.len()] = 0x80;
        let ends = (left.len() + END).div_ceil(BLOCK);
        let bits = 8 * (HEAD + message.rest.len()) as u64;
        last[ends - 1][BLOCK - 8..].copy_from_slice(&bits.to_be_bytes());
        Some(Self {
            first,
            middle,
            last,
            ends,
        })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        1 + self.middle.len() + self.ends
    }

    #[inline]
    pub(super) fn get(&self, i: usize) -> &[u8; BLOCK] {
        match i.checked_sub(1) {
            None => &self.first,
            Some(i) if i < self.middle.len() => &self.middle[i],
            Some(i) => &self.last[i - self.middle.len()],
        }
    }
}
