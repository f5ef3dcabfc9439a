//! The extensions `bearertokenauth` and `basicauth`, and the `auth:` block that names them.

mod basic;
mod bearer;
#[cfg(test)]
mod tests;

pub use basic::{BasicClientConfig, BasicConfig, HtpasswdConfig};
pub use bearer::BearerConfig;

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{BuildContext, BuildError, Problems, ServerAuth};

/// `auth:` of a server or a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// Id of the extension that judges requests (server) or adds credentials (client). Required.
    pub authenticator: String,
    /// Accepted and without effect: credentials are read from headers only.
    #[serde(default)]
    pub request_params: Vec<String>,
}

impl AuthConfig {
    /// Reports a block without an authenticator.
    pub fn check(&self, problems: &mut Problems) {
        if self.authenticator.is_empty() {
            problems.at("authenticator", |p| {
                p.error("is empty")
                    .help("write the id of an extension such as `bearertokenauth`");
            });
        }
        if !self.request_params.is_empty() {
            problems.at("request_params", |p| {
                p.warning("has no effect: credentials are read from headers only");
            });
        }
    }
}

/// Who may come in: everybody, or whom an authenticator knows.
#[derive(Clone, Default)]
pub struct Gate(Option<Arc<dyn ServerAuth>>);

impl Gate {
    /// From a server's `auth` block.
    ///
    /// # Errors
    /// The extension is missing or does not authenticate requests.
    pub fn new(auth: Option<&AuthConfig>, context: &BuildContext) -> Result<Self, BuildError> {
        let Some(auth) = auth else {
            return Ok(Self(None));
        };
        let id = &auth.authenticator;
        match &context.extension(id)?.server_auth {
            Some(judge) => Ok(Self(Some(Arc::clone(judge)))),
            None => Err(BuildError(format!(
                "auth.authenticator: extension `{id}` does not authenticate requests"
            ))),
        }
    }

    /// Judges a request by its headers.
    ///
    /// # Errors
    /// The `WWW-Authenticate` value for the 401.
    pub fn admit(&self, headers: &HeaderMap) -> Result<(), &'static str> {
        let Some(judge) = &self.0 else { return Ok(()) };
        let header = |name: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        if judge.check(&header) {
            Ok(())
        } else {
            Err(judge.challenge())
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Gate({})",
            if self.0.is_some() { "guarded" } else { "open" }
        )
    }
}
