//! Signs requests as the senders of webhooks do.
//!
//! * Standard Webhooks: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
//! * GitHub: <https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries>
//! * Stripe: <https://docs.stripe.com/webhooks#verify-manually>

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::ValueEnum;
use http::{HeaderMap, HeaderName, HeaderValue};
use sluice_component::Secret;

/// How requests are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[clap(rename_all = "snake_case")]
pub(crate) enum Scheme {
    /// `webhook-id`, `webhook-timestamp`, `webhook-signature`; the secret is `whsec_` and base64.
    StandardWebhooks,
    /// `X-Signature: <hex>` over the body.
    HmacSha256,
    /// `X-Hub-Signature-256`.
    Github,
    /// `Stripe-Signature`.
    Stripe,
}

/// A scheme with its key.
pub(super) struct Signing {
    scheme: Scheme,
    key: hmac::Key,
}

impl Signing {
    /// Decodes the key as the scheme has it.
    ///
    /// # Errors
    /// The secret is none of this scheme; without a letter of it.
    pub(super) fn new(scheme: Scheme, secret: &Secret) -> Result<Self, &'static str> {
        let text = secret.expose();
        let key = match scheme {
            Scheme::StandardWebhooks => BASE64_STANDARD
                .decode(text.strip_prefix("whsec_").unwrap_or(text))
                .ok()
                .filter(|key| !key.is_empty())
                .ok_or("a Standard Webhooks secret is `whsec_` and the base64 of the key")?,
            Scheme::HmacSha256 | Scheme::Github | Scheme::Stripe => text.as_bytes().to_vec(),
        };
        Ok(Self {
            scheme,
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
        })
    }

    /// The headers that prove `body` at `now`, in Unix seconds. To be asked again at each attempt: the time is that of
    /// the attempt, while the id stays the same for the same body.
    pub(super) fn headers(&self, body: &[u8], now: u64) -> HeaderMap {
        let seconds = now.to_string();
        let digest = digest::digest(&digest::SHA256, body);
        let id = format!("msg_{}", hex::encode(&digest.as_ref()[..16]));
        let mut headers = HeaderMap::new();
        let mut add = |name: &'static str, value: &str| {
            let value =
                HeaderValue::from_str(value).expect("digits, hex and base64 are visible ASCII");
            headers.insert(HeaderName::from_static(name), value);
        };
        match self.scheme {
            Scheme::StandardWebhooks => {
                let tag = self.tag(&[id.as_bytes(), b".", seconds.as_bytes(), b".", body]);
                add("webhook-id", &id);
                add("webhook-timestamp", &seconds);
                add(
                    "webhook-signature",
                    &format!("v1,{}", BASE64_STANDARD.encode(tag)),
                );
            }
            Scheme::HmacSha256 => add("x-signature", &hex::encode(self.tag(&[body]))),
            Scheme::Github => {
                add("x-github-delivery", &id);
                let signature = format!("sha256={}", hex::encode(self.tag(&[body])));
                add("x-hub-signature-256", &signature);
            }
            Scheme::Stripe => {
                let tag = self.tag(&[seconds.as_bytes(), b".", body]);
                add(
                    "stripe-signature",
                    &format!("t={seconds},v1={}", hex::encode(tag)),
                );
            }
        }
        headers
    }

    fn tag(&self, parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        parts.iter().for_each(|part| context.update(part));
        context.sign()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(scheme: Scheme, secret: &str, body: &[u8], now: u64) -> HeaderMap {
        Signing::new(scheme, &Secret::new(secret))
            .unwrap()
            .headers(body, now)
    }

    #[test]
    fn signatures_are_those_of_the_vendors_published_examples() {
        let github = headers(
            Scheme::Github,
            "It's a Secret to Everybody",
            b"Hello, World!",
            0,
        );
        assert_eq!(
            github["x-hub-signature-256"],
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
        let plain = headers(
            Scheme::HmacSha256,
            "It's a Secret to Everybody",
            b"Hello, World!",
            0,
        );
        assert_eq!(
            plain["x-signature"],
            "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
        let stripe = headers(
            Scheme::Stripe,
            "whsec_test",
            br#"{"test": 2432232314}"#,
            1_614_265_330,
        );
        assert_eq!(
            stripe["stripe-signature"],
            "t=1614265330,v1=98a6304ac7cd966786ee1b93ad76319d9cd63829827fa0f93cb3e367cf67086d"
        );
    }

    #[test]
    fn a_second_attempt_has_the_same_id_and_its_own_time() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let attempt = |body: &[u8], now| headers(Scheme::StandardWebhooks, secret, body, now);
        let (first, second) = (attempt(b"[{}]", 1), attempt(b"[{}]", 2));
        assert_eq!(first["webhook-id"], second["webhook-id"]);
        assert_ne!(first["webhook-signature"], second["webhook-signature"]);
        assert_ne!(first["webhook-id"], attempt(b"[{},{}]", 1)["webhook-id"]);
    }

    #[test]
    fn a_standard_webhooks_secret_that_is_not_base64_is_refused_without_showing_it() {
        let error = Signing::new(Scheme::StandardWebhooks, &Secret::new("whsec_no!base64"))
            .err()
            .unwrap();
        assert!(!error.contains("no!base64"));
    }
}
