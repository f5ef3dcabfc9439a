//! `bearertokenauth`: fixed tokens, or a file of them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{
    BuildContext, BuildError, Checked, ClientAuth, Extension, ExtensionConfig, Problems, Secret,
    ServerAuth,
};
use subtle::ConstantTimeEq as _;

/// The extension `bearertokenauth`. A server accepts any of the tokens, a client sends the first one.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BearerConfig {
    /// Header that carries the token. Default `Authorization`.
    pub header: String,
    /// Word before the token. Default `Bearer`; empty: the token alone.
    pub scheme: String,
    /// The token.
    pub token: Option<Secret>,
    /// Several tokens, to rotate them.
    pub tokens: Vec<Secret>,
    /// File with one token a line, read at start and again when it changes. Wins over `token` and `tokens`.
    pub filename: Option<PathBuf>,
}

impl Default for BearerConfig {
    fn default() -> Self {
        Self {
            header: "Authorization".to_owned(),
            scheme: "Bearer".to_owned(),
            token: None,
            tokens: Vec::new(),
            filename: None,
        }
    }
}

impl Checked for BearerConfig {
    fn check(&self, problems: &mut Problems) {
        if http::HeaderName::from_bytes(self.header.as_bytes()).is_err() {
            problems.at("header", |p| {
                p.error("is not a valid header name");
            });
        }
        let is_written = self.token.is_some() || !self.tokens.is_empty();
        if !is_written && self.filename.is_none() {
            problems
                .error("no token")
                .help("write `token`, `tokens` or `filename`");
        }
        if is_written && self.filename.is_some() {
            problems.at("filename", |p| {
                p.warning("wins over `token` and `tokens`, which have no effect");
            });
        }
        if self.token.as_ref().is_some_and(Secret::is_empty) {
            problems.at("token", |p| {
                p.error("is empty: every request would be accepted by guessing nothing");
            });
        }
        for (i, _) in self
            .tokens
            .iter()
            .enumerate()
            .filter(|(_, token)| token.is_empty())
        {
            problems.at("tokens", |p| {
                p.at(i, |p| {
                    p.error("is empty");
                })
            });
        }
    }
}

impl ExtensionConfig for BearerConfig {
    fn build(&self, _: &BuildContext) -> Result<Extension, BuildError> {
        let source = match &self.filename {
            None => Source::Fixed(self.token.iter().chain(&self.tokens).cloned().collect()),
            Some(path) => Source::File(TokenFile::open(path)?),
        };
        let bearer = Arc::new(Bearer {
            header: self.header.to_ascii_lowercase(),
            scheme: self.scheme.clone(),
            source,
        });
        Ok(Extension {
            server_auth: Some(bearer.clone()),
            client_auth: Some(bearer),
        })
    }
}

struct Bearer {
    header: String,
    scheme: String,
    source: Source,
}

enum Source {
    Fixed(Arc<[Secret]>),
    File(TokenFile),
}

impl Bearer {
    fn tokens(&self) -> Arc<[Secret]> {
        match &self.source {
            Source::Fixed(tokens) => Arc::clone(tokens),
            Source::File(file) => file.tokens(),
        }
    }
}

impl ServerAuth for Bearer {
    fn check(&self, header: &dyn Fn(&str) -> Option<String>) -> bool {
        let Some(given) = header(&self.header) else {
            return false;
        };
        let given = if self.scheme.is_empty() {
            given.as_str()
        } else {
            // RFC 9110, section 11.1: the scheme is case-insensitive.
            match given.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case(&self.scheme) => {
                    token.trim_start()
                }
                _ => return false,
            }
        };
        // Every token is compared, so that the time does not tell which one came close.
        self.tokens().iter().fold(false, |found, token| {
            found
                | (!token.is_empty()
                    && bool::from(token.expose().as_bytes().ct_eq(given.as_bytes())))
        })
    }

    fn challenge(&self) -> &'static str {
        "Bearer"
    }
}

impl ClientAuth for Bearer {
    fn headers(&self) -> Vec<(String, Secret)> {
        let tokens = self.tokens();
        let Some(token) = tokens.first() else {
            return Vec::new();
        };
        let value = match self.scheme.as_str() {
            "" => token.clone(),
            scheme => Secret::new(format!("{scheme} {}", token.expose())),
        };
        vec![(self.header.clone(), value)]
    }
}

/// Tokens in a file, read again when its time of change or its length differs: also through the symlinks that
/// Kubernetes swaps.
struct TokenFile {
    path: PathBuf,
    current: ArcSwap<(Option<Stamp>, Arc<[Secret]>)>,
}

type Stamp = (SystemTime, u64);

impl TokenFile {
    fn open(path: &Path) -> Result<Self, BuildError> {
        let first = read(path)
            .map_err(|error| BuildError(format!("filename `{}`: {error}", path.display())))?;
        Ok(Self {
            path: path.to_owned(),
            current: ArcSwap::from_pointee(first),
        })
    }

    fn tokens(&self) -> Arc<[Secret]> {
        let current = self.current.load();
        let stamp = stamp(&self.path);
        if stamp.is_none() || stamp == current.0 {
            return Arc::clone(&current.1);
        }
        match read(&self.path) {
            Ok(fresh) => {
                let tokens = Arc::clone(&fresh.1);
                self.current.store(Arc::new(fresh));
                tokens
            }
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "the token file could not be read again, the old tokens stay");
                self.current
                    .store(Arc::new((stamp, Arc::clone(&current.1))));
                Arc::clone(&current.1)
            }
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// The stamp is taken before the text is read: a change in between is seen by the next request.
fn read(path: &Path) -> std::io::Result<(Option<Stamp>, Arc<[Secret]>)> {
    let stamp = stamp(path);
    let text = std::fs::read_to_string(path)?;
    let tokens: Arc<[Secret]> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(Secret::new)
        .collect();
    if tokens.is_empty() {
        return Err(std::io::Error::other("no token in it"));
    }
    Ok((stamp, tokens))
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bearer")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}
