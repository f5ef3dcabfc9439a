//! Standard Webhooks: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.
//!
//! Signed is `{webhook-id}.{webhook-timestamp}.{body}`; `webhook-signature` is a list separated by spaces of
//! `v1,<base64 HMAC-SHA256>` and `v1a,<base64 Ed25519>`. Other versions are passed over.

use aws_lc_rs::{hmac, signature};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use sluice_component::Secret;

use super::{MAX_SIGNATURES, Rejection, text};

/// The symmetric keys (`whsec_`) and the public keys (`whpk_`) of one sender.
#[derive(Default)]
pub(super) struct Keys {
    symmetric: Vec<hmac::Key>,
    public: Vec<signature::UnparsedPublicKey<Vec<u8>>>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Keys {{ symmetric: {}, public: {} }}",
            self.symmetric.len(),
            self.public.len()
        )
    }
}

impl Keys {
    /// Decodes the secrets. A symmetric one is the base64 after `whsec_`, which may be left out; a public one has 32
    /// bytes after `whpk_`.
    ///
    /// # Errors
    /// What is wrong with a secret, by its position, without a letter of it.
    pub(super) fn new<'s>(
        secrets: impl IntoIterator<Item = &'s Secret>,
    ) -> Result<Self, (usize, &'static str)> {
        let mut keys = Self::default();
        for (i, secret) in secrets.into_iter().enumerate() {
            let text = secret.expose();
            if let Some(public) = text.strip_prefix("whpk_") {
                let key = BASE64_STANDARD
                    .decode(public)
                    .ok()
                    .filter(|key| key.len() == 32);
                let key = key.ok_or((i, "after `whpk_` there must be the base64 of 32 bytes"))?;
                keys.public
                    .push(signature::UnparsedPublicKey::new(&signature::ED25519, key));
            } else if text.starts_with("whsk_") {
                return Err((
                    i,
                    "this is the sender's private key; verifying needs the public one, `whpk_…`",
                ));
            } else {
                let key = BASE64_STANDARD
                    .decode(text.strip_prefix("whsec_").unwrap_or(text))
                    .ok()
                    .filter(|key| !key.is_empty());
                let key = key.ok_or((
                    i,
                    "not base64: a Standard Webhooks secret is `whsec_` and the base64 of the key",
                ))?;
                keys.symmetric.push(hmac::Key::new(hmac::HMAC_SHA256, &key));
            }
        }
        Ok(keys)
    }

    pub(super) fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        fresh: impl Fn(&str) -> Result<(), Rejection>,
    ) -> Result<String, Rejection> {
        let id = text(headers, "webhook-id")?;
        let timestamp = text(headers, "webhook-timestamp")?;
        let list = text(headers, "webhook-signature")?;
        fresh(timestamp)?;

        let mut signed = Vec::with_capacity(id.len() + timestamp.len() + 2 + body.len());
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            signed.extend_from_slice(part);
        }
        let mut verdict = Rejection::Missing;
        for (version, encoded) in list
            .split_ascii_whitespace()
            .filter_map(|item| item.split_once(','))
            .take(MAX_SIGNATURES)
        {
            let signature = BASE64_STANDARD.decode(encoded);
            let matches = match (version, &signature) {
                ("v1", _) if self.symmetric.is_empty() => None,
                ("v1a", _) if self.public.is_empty() => None,
                ("v1", Ok(tag)) => Some(
                    self.symmetric
                        .iter()
                        .any(|key| hmac::verify(key, &signed, tag).is_ok()),
                ),
                ("v1a", Ok(tag)) => Some(
                    self.public
                        .iter()
                        .any(|key| key.verify(&signed, tag).is_ok()),
                ),
                ("v1" | "v1a", Err(_)) => Some(false),
                _ => continue,
            };
            match matches {
                Some(true) => return Ok(id.to_owned()),
                Some(false) => verdict = Rejection::Mismatch,
                None if verdict == Rejection::Missing => verdict = Rejection::UnknownKey,
                None => {}
            }
        }
        Err(verdict)
    }
}
