//! The one place where bytes become `&str` without being checked again.
#![allow(unsafe_code)]

/// Text that was checked when its batch took it in.
///
/// Invariant, kept by construction: every caller passes bytes that are (a) a span which decoding passed through
/// [`crate::wire::is_utf8`] or [`crate::words::is_ascii`], or which has the very bytes of a key that it did, (b) a string
/// field inside a nested value, which [`crate::check`] passed through it, or (c) bytes copied from a `&str` by this crate.
/// The fuzz target and the property tests walk every string of every accepted input with `debug_assertions` on, where a
/// violation panics here.
#[inline]
pub(crate) fn checked_before(bytes: &[u8]) -> &str {
    debug_assert!(
        std::str::from_utf8(bytes).is_ok(),
        "a batch holds text that was never checked"
    );
    // SAFETY: see the invariant above.
    unsafe { std::str::from_utf8_unchecked(bytes) }
}
