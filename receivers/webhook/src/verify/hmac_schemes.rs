//! The schemes that write an HMAC-SHA256 of the body in hex: GitHub, Stripe, and the plain form that many others use.
//!
//! * GitHub: `X-Hub-Signature-256: sha256=<hex>` over the body.
//!   <https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries>
//! * Stripe: `Stripe-Signature: t=<seconds>,v1=<hex>[,v1=<hex>]` over `{t}.{body}`.
//!   <https://docs.stripe.com/webhooks#verify-manually>
//! * Plain: `<header>: [sha256=|v1=]<hex or base64>[,…]` over the body (PagerDuty, Shopify and others).
//!
//! In all of them the key is the secret's text itself: Stripe's `whsec_…` is not decoded.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName};
use sluice_component::Secret;

use super::{MAX_SIGNATURES, Rejection, text};

pub(super) struct Hmac {
    pub(super) form: Form,
    keys: Vec<hmac::Key>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    GitHub,
    Stripe,
    Plain(HeaderName),
}

impl std::fmt::Debug for Hmac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hmac")
            .field("form", &self.form)
            .field("keys", &self.keys.len())
            .finish()
    }
}

impl Hmac {
    pub(super) fn new<'s>(form: Form, secrets: impl IntoIterator<Item = &'s Secret>) -> Self {
        let keys = secrets
            .into_iter()
            .map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()))
            .collect();
        Self { form, keys }
    }

    pub(super) fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        fresh: impl Fn(&str) -> Result<(), Rejection>,
    ) -> Result<Option<String>, Rejection> {
        match &self.form {
            Form::GitHub => {
                let given = text(headers, "x-hub-signature-256")?;
                self.matches(
                    given
                        .strip_prefix("sha256=")
                        .and_then(|hex| hex::decode(hex).ok()),
                    &[body],
                )?;
                Ok(text(headers, "x-github-delivery").ok().map(str::to_owned))
            }
            Form::Stripe => {
                let items: Vec<(&str, &str)> = text(headers, "stripe-signature")?
                    .split(',')
                    .filter_map(|item| item.trim().split_once('='))
                    .take(MAX_SIGNATURES + 1)
                    .collect();
                let timestamp = items
                    .iter()
                    .find(|(name, _)| *name == "t")
                    .ok_or(Rejection::Missing)?
                    .1;
                fresh(timestamp)?;
                let signatures: Vec<_> = items
                    .iter()
                    .filter(|(name, _)| *name == "v1")
                    .map(|(_, hex)| hex::decode(hex).unwrap_or_default())
                    .collect();
                self.matches(signatures, &[timestamp.as_bytes(), b".", body])?;
                Ok(None)
            }
            Form::Plain(header) => {
                let given = text(headers, header.as_str())?;
                let signatures = given.split(',').take(MAX_SIGNATURES).map(|item| {
                    let item = item.trim();
                    let item = item
                        .strip_prefix("sha256=")
                        .or_else(|| item.strip_prefix("v1="))
                        .unwrap_or(item);
                    hex::decode(item)
                        .or_else(|_| BASE64_STANDARD.decode(item))
                        .unwrap_or_default()
                });
                self.matches(signatures, &[body])?;
                Ok(None)
            }
        }
    }

    /// Whether any of the signatures is a key's over the parts put together.
    fn matches(
        &self,
        signatures: impl IntoIterator<Item = Vec<u8>>,
        parts: &[&[u8]],
    ) -> Result<(), Rejection> {
        let signatures: Vec<_> = signatures.into_iter().collect();
        if signatures.is_empty() {
            return Err(Rejection::Missing);
        }
        let found = self.keys.iter().any(|key| {
            let mut context = hmac::Context::with_key(key);
            parts.iter().for_each(|part| context.update(part));
            let tag = context.sign();
            signatures.iter().any(|signature| {
                aws_lc_rs::constant_time::verify_slices_are_equal(tag.as_ref(), signature).is_ok()
            })
        });
        if found {
            Ok(())
        } else {
            Err(Rejection::Mismatch)
        }
    }
}
