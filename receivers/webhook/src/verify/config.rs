//! The `verify` block.

use std::time::Duration;

use http::{HeaderName, header};
use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{BuildError, HumanDuration, Problems, Secret};

use super::hmac_schemes::{Form, Hmac};
use super::{Check, Verifier, basic_credentials, standard};

/// How a sender proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`. `secret` is `whsec_…` (HMAC-SHA256) or
    /// `whpk_…` (Ed25519).
    StandardWebhooks,
    /// `X-Hub-Signature-256`. `secret` is the text entered at GitHub.
    Github,
    /// `Stripe-Signature`. `secret` is the endpoint's signing secret as Stripe shows it.
    Stripe,
    /// The HMAC-SHA256 of the body, in hex or base64, in the header `header.name` (default `X-Signature`), with or
    /// without `sha256=` or `v1=` before it; a list is separated by commas.
    HmacSha256,
    /// `Authorization: Bearer <secret>`.
    Bearer,
    /// `Authorization: Basic …`. `secret` is `user:password`.
    Basic,
    /// A fixed header: `header.name` with the value `header.value`.
    Header,
}

/// `header`: a header and its value.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderConfig {
    /// The header's name; upper and lower case are the same.
    pub name: String,
    /// The value that proves the sender. Only for `scheme: header`.
    #[serde(default)]
    pub value: Secret,
}

/// `verify`: who may post. Requests that fail are answered 401 with an empty body and counted by reason.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyConfig {
    /// The scheme. Required.
    pub scheme: Scheme,
    /// The secret. What it is depends on the scheme.
    #[serde(default)]
    pub secret: Secret,
    /// Further secrets that are accepted too, while one is replaced by another.
    #[serde(default)]
    pub secrets: Vec<Secret>,
    /// How far a signed time may be from now, in the past and in the future. Default `5m`; for the schemes that sign a
    /// time (`standard_webhooks`, `stripe`).
    #[serde(default = "five_minutes")]
    pub tolerance: HumanDuration,
    /// The header, for `scheme: header` and `scheme: hmac_sha256`.
    #[serde(default)]
    pub header: Option<HeaderConfig>,
}

fn five_minutes() -> HumanDuration {
    HumanDuration(Duration::from_secs(300))
}

impl VerifyConfig {
    /// Reports everything that would let the wrong requests in, or none at all.
    pub fn check(&self, problems: &mut Problems) {
        if self.secret.is_empty() && self.secrets.is_empty() && self.scheme != Scheme::Header {
            problems.at("secret", |p| {
                p.error("is missing: every request would be refused");
            });
        }
        for i in (0..self.secrets.len()).filter(|i| self.secrets[*i].is_empty()) {
            problems.at("secrets", |p| {
                p.at(i, |p| {
                    p.error("is empty").help("remove it from the list");
                });
            });
        }
        if self.tolerance.0 < Duration::from_secs(1) {
            problems.at("tolerance", |p| {
                p.error("must be at least 1s");
            });
        }
        self.check_header(problems);
        if self.scheme == Scheme::StandardWebhooks
            && let Err((i, message)) = standard::Keys::new(self.all_secrets())
        {
            problems.at(
                if i == 0 && !self.secret.is_empty() {
                    "secret"
                } else {
                    "secrets"
                },
                |p| {
                    p.error(message);
                },
            );
        }
        if self.scheme == Scheme::Basic
            && self
                .all_secrets()
                .any(|secret| !secret.expose().contains(':'))
        {
            problems.at("secret", |p| {
                p.error("must have the form `user:password`");
            });
        }
    }

    fn check_header(&self, problems: &mut Problems) {
        problems.at("header", |p| match (self.scheme, &self.header) {
            (Scheme::Header, None) => {
                p.error("is missing: `scheme: header` needs the header's name and value");
            }
            (Scheme::Header | Scheme::HmacSha256, Some(header)) => {
                if HeaderName::try_from(&header.name).is_err() {
                    p.at("name", |p| {
                        p.error("not a header name");
                    });
                }
                if (self.scheme == Scheme::Header) && header.value.is_empty() {
                    p.at("value", |p| {
                        p.error("is missing: it is what proves the sender");
                    });
                } else if self.scheme == Scheme::HmacSha256 && !header.value.is_empty() {
                    p.at("value", |p| {
                        p.error("has no meaning here: the header's value is the signature");
                    });
                }
            }
            (_, Some(_)) => {
                p.error("is only for `scheme: header` and `scheme: hmac_sha256`");
            }
            (_, None) => {}
        });
    }

    /// The secrets, the main one first.
    fn all_secrets(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.secret)
            .chain(&self.secrets)
            .filter(|secret| !secret.is_empty())
    }

    /// The verifier.
    ///
    /// # Errors
    /// What [`VerifyConfig::check`] reports.
    pub fn build(&self) -> Result<Verifier, BuildError> {
        let named = |default: &'static str| match &self.header {
            Some(header) => HeaderName::try_from(&header.name)
                .map_err(|_| BuildError::new("verify.header.name: not a header name")),
            None => Ok(HeaderName::from_static(default)),
        };
        let authorization = |values: Vec<Secret>| Check::Header {
            name: header::AUTHORIZATION,
            values,
        };
        let check = match self.scheme {
            Scheme::StandardWebhooks => Check::Standard(
                standard::Keys::new(self.all_secrets())
                    .map_err(|(_, message)| BuildError(format!("verify.secret: {message}")))?,
            ),
            Scheme::Github => Check::Hmac(Hmac::new(Form::GitHub, self.all_secrets())),
            Scheme::Stripe => Check::Hmac(Hmac::new(Form::Stripe, self.all_secrets())),
            Scheme::HmacSha256 => Check::Hmac(Hmac::new(
                Form::Plain(named("x-signature")?),
                self.all_secrets(),
            )),
            Scheme::Bearer => authorization(
                self.all_secrets()
                    .map(|secret| Secret::new(format!("Bearer {}", secret.expose())))
                    .collect(),
            ),
            Scheme::Basic => authorization(
                self.all_secrets()
                    .map(|secret| Secret::new(basic_credentials(secret.expose())))
                    .collect(),
            ),
            Scheme::Header => {
                let value = self.header.iter().map(|header| &header.value);
                Check::Header {
                    name: named("authorization")?,
                    values: value
                        .chain(self.all_secrets())
                        .filter(|value| !value.is_empty())
                        .cloned()
                        .collect(),
                }
            }
        };
        Ok(Verifier {
            check,
            tolerance: self.tolerance.0,
        })
    }
}
