//! Texts looked at eight bytes at a time, in integers. Vectors are a little faster where the compiler makes good ones of a
//! loop over single bytes, and a good deal slower where it does not, which changes from build to build.

const ONES: u64 = u64::MAX / 0xff;
const HIGH: u64 = 0x80 * ONES;

/// Gathers what `look` finds in the words of a text: each byte of it stands in one of them at least, and no other byte
/// does. The last eight bytes may overlap those before, of four to seven bytes the last four.
#[inline(always)]
fn gather(bytes: &[u8], look: impl Fn(u64) -> u64) -> u64 {
    if let Some(last) = bytes.last_chunk::<8>() {
        let (chunks, _) = bytes.as_chunks::<8>();
        return chunks
            .iter()
            .fold(look(u64::from_le_bytes(*last)), |found, chunk| {
                found | look(u64::from_le_bytes(*chunk))
            });
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let word = |half: &[u8; 4]| u64::from(u32::from_le_bytes(*half));
        return look(word(first) | word(last) << 32);
    }
    bytes
        .iter()
        .fold(0, |found, byte| found | look(u64::from(*byte) * ONES))
}

/// Whether all bytes are ASCII.
#[inline]
pub(crate) fn is_ascii(bytes: &[u8]) -> bool {
    gather(bytes, |word| word) & HIGH == 0
}

/// Whether JSON escapes none of the bytes.
#[inline(always)]
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    gather(bytes, special) & HIGH == 0
}

/// How many bytes there are before the first that JSON escapes.
pub(crate) fn plain_run(bytes: &[u8]) -> usize {
    let (chunks, rest) = bytes.as_chunks::<8>();
    for (chunk, at) in chunks.iter().zip((0..).step_by(8)) {
        let found = special(u64::from_le_bytes(*chunk)) & HIGH;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
    }
    let is_special = |byte: &u8| special(u64::from(*byte)) & 0x80 != 0;
    let at = rest.iter().position(is_special).unwrap_or(rest.len());
    bytes.len() - rest.len() + at
}

/// Of the high bits that of the first byte that JSON escapes (below a space, a quote, a backslash), and perhaps of some
/// behind it; none if there is no such byte.
#[inline(always)]
fn special(word: u64) -> u64 {
    // A byte that is less than what is taken from it borrows, and its high bit shows that. The byte behind it lacks one
    // then, and may show the same.
    let below_space = word.wrapping_sub(0x20 * ONES);
    let quote = (word ^ (0x22 * ONES)).wrapping_sub(ONES);
    let backslash = (word ^ (0x5c * ONES)).wrapping_sub(ONES);
    (below_space | quote | backslash) & !word
}
