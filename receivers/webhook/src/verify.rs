//! Decides whether a request comes from who it says, over the exact bytes of its body.
//!
//! A signature scheme fixes what is signed, how it is written and how the secret is turned into a key; none of that is
//! the user's choice. Every comparison takes constant time. A request passes when any signature of its header matches
//! any configured secret, so both sides can rotate theirs one after the other.

mod config;
mod hmac_schemes;
mod standard;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use sluice_component::Secret;
use subtle::ConstantTimeEq as _;

pub use config::{HeaderConfig, Scheme, VerifyConfig};

/// At most this many signatures of one request are looked at.
pub const MAX_SIGNATURES: usize = 16;

/// Why a request was not let in. The sender sees only the 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No credential where the scheme wants one, or one of the wrong form.
    #[error("missing")]
    Missing,
    /// Signed too long ago, or in the future.
    #[error("stale")]
    Stale,
    /// The credential is not the one that a secret gives.
    #[error("mismatch")]
    Mismatch,
    /// Signed only with kinds of keys that are not configured.
    #[error("unknown_key")]
    UnknownKey,
}

/// A scheme with its keys.
#[derive(Debug)]
pub struct Verifier {
    check: Check,
    tolerance: Duration,
}

#[derive(Debug)]
enum Check {
    Standard(standard::Keys),
    Hmac(hmac_schemes::Hmac),
    /// Any of these values in the header.
    Header {
        name: http::HeaderName,
        values: Vec<Secret>,
    },
}

impl Verifier {
    /// Judges a request that arrived at `now`. `body` is what was signed: the body as it stood before compression.
    ///
    /// Ok holds the sender's id of this delivery, if the scheme has one; it stays the same over the sender's retries.
    ///
    /// # Errors
    /// [`Rejection`] says why the request is not let in.
    pub fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Result<Option<String>, Rejection> {
        match &self.check {
            Check::Standard(keys) => keys
                .verify(headers, body, |timestamp| self.fresh(timestamp, now))
                .map(Some),
            Check::Hmac(hmac) => hmac.verify(headers, body, |timestamp| self.fresh(timestamp, now)),
            Check::Header { name, values } => {
                let given = headers.get(name).ok_or(Rejection::Missing)?;
                matches_any(
                    given.as_bytes(),
                    values.iter().map(|value| value.expose().as_bytes()),
                )
                .then_some(None)
                .ok_or(Rejection::Mismatch)
            }
        }
    }

    /// How long a delivery id must be remembered, for no copy of the request to be both fresh and forgotten.
    #[must_use]
    pub fn replay_window(&self) -> Duration {
        Duration::from_secs(600).max(self.tolerance * 2)
    }

    fn fresh(&self, timestamp: &str, now: SystemTime) -> Result<(), Rejection> {
        let signed: u64 = timestamp.parse().map_err(|_| Rejection::Missing)?;
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if signed.abs_diff(now) <= self.tolerance.as_secs() {
            Ok(())
        } else {
            Err(Rejection::Stale)
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Result<&'h str, Rejection> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .map(str::trim)
        .filter(|value| !value.is_empty())
        .ok_or(Rejection::Missing)
}

/// Compares digests, so that not even a secret's length shows in the time taken.
fn matches_any<'s>(given: &[u8], secrets: impl Iterator<Item = &'s [u8]>) -> bool {
    let given = digest::digest(&digest::SHA256, given);
    secrets.fold(false, |found, secret| {
        let secret = digest::digest(&digest::SHA256, secret);
        found | bool::from(given.as_ref().ct_eq(secret.as_ref()))
    })
}

fn basic_credentials(user_and_password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(user_and_password))
}
