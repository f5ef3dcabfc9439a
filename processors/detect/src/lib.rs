//! Finds personal data and secrets in texts: detectors with checksums and context, and a fast search over raw messages
//! that says where it is worth to look. Redaction and classification share it.
//!
//! ```text
//!  request bytes ──Scanner::candidates──▶ positions ──▶ the records they stand in ──Scanner::find──▶ ranges, exact
//! ```
//!
//! *Exact* means: the pattern, its check digits or structure, a word nearby where the pattern alone is weak, and all that
//! also under JSON escapes, percent-encoding, base64, full-width digits and zero-width characters. Patterns and check
//! digits follow the published rules; the names of patterns' sources: Presidio, gitleaks, trufflehog, and the vendors'
//! own pages (read November 2026). Nothing found is ever tried out at its vendor.

mod base64_text;
mod block;
mod checksum;
mod detector;
mod number;
mod personal;
mod prefilter;
mod scanner;
mod secret;
mod view;
mod words;

pub use detector::{Detector, DetectorSet, Group, UnknownDetector};
pub use scanner::{Finding, MAX_LAYERS, MAX_SCANNED_BYTES, Match, Scanner};
pub use secret::{closes_private_key, opens_private_key};
pub use view::unescaped;
pub use words::{is_placeholder, names_a_secret};

#[cfg(test)]
mod tests;
