//! `basicauth`: user names and passwords, from an htpasswd text (server) or as one pair (client).

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{
    BuildContext, BuildError, Checked, ClientAuth, Extension, ExtensionConfig, Problems, Secret,
    ServerAuth,
};
use subtle::ConstantTimeEq as _;

/// The extension `basicauth`: either `htpasswd` (judges requests) or `client_auth` (adds credentials).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BasicConfig {
    /// Who may come in.
    pub htpasswd: Option<HtpasswdConfig>,
    /// Who we are.
    pub client_auth: Option<BasicClientConfig>,
}

/// `htpasswd:` lines of `user:password`: plain text, `{SHA}` or bcrypt (`htpasswd -B`; it costs some 50 ms of CPU for
/// each wrong password, a right one is remembered).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HtpasswdConfig {
    /// File with such lines, read at start.
    pub file: Option<PathBuf>,
    /// The lines themselves; they win over those of the file.
    pub inline: Option<Secret>,
}

/// `client_auth:` the credentials of a client.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicClientConfig {
    /// User name, without a colon.
    pub username: String,
    /// Password.
    pub password: Secret,
}

impl Checked for BasicConfig {
    fn check(&self, problems: &mut Problems) {
        match (&self.htpasswd, &self.client_auth) {
            (None, None) => {
                problems
                    .error("neither `htpasswd` nor `client_auth`")
                    .help("write `htpasswd` for a server, `client_auth` for a client");
            }
            (Some(_), Some(_)) => {
                problems
                    .error("`htpasswd` and `client_auth` exclude each other")
                    .help("declare two extensions");
            }
            (Some(htpasswd), None) => problems.at("htpasswd", |p| {
                if htpasswd.file.is_none() && htpasswd.inline.is_none() {
                    p.error("no users").help("write `file` or `inline`");
                }
                if let Some(inline) = &htpasswd.inline
                    && let Err(error) = parse(inline.expose())
                {
                    p.at("inline", |p| {
                        p.error(error);
                    });
                }
            }),
            (None, Some(client)) => problems.at("client_auth", |p| {
                p.at("username", |p| {
                    if client.username.is_empty() || client.username.contains(':') {
                        p.error("must not be empty or contain a colon");
                    }
                })
            }),
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        let htpasswd = self.htpasswd.as_ref();
        htpasswd.and_then(|h| h.file.clone()).into_iter().collect()
    }
}

impl ExtensionConfig for BasicConfig {
    fn build(&self, _: &BuildContext) -> Result<Extension, BuildError> {
        let mut extension = Extension::default();
        if let Some(htpasswd) = &self.htpasswd {
            let mut users = HashMap::new();
            if let Some(path) = &htpasswd.file {
                let name = || format!("htpasswd.file `{}`", path.display());
                let text = std::fs::read_to_string(path)
                    .map_err(|error| BuildError(format!("{}: {error}", name())))?;
                users.extend(
                    parse(&text).map_err(|error| BuildError(format!("{}: {error}", name())))?,
                );
            }
            if let Some(inline) = &htpasswd.inline {
                users.extend(
                    parse(inline.expose())
                        .map_err(|error| BuildError(format!("htpasswd.inline: {error}")))?,
                );
            }
            extension.server_auth = Some(Arc::new(Users(users)));
        }
        if let Some(client) = &self.client_auth {
            let pair = Secret::new(format!(
                "Basic {}",
                BASE64.encode(format!("{}:{}", client.username, client.password.expose()))
            ));
            extension.client_auth = Some(Arc::new(Credentials(pair)));
        }
        Ok(extension)
    }
}

struct Credentials(Secret);

impl ClientAuth for Credentials {
    fn headers(&self) -> Vec<(String, Secret)> {
        vec![("authorization".to_owned(), self.0.clone())]
    }
}

struct Users(HashMap<String, Password>);

/// A password as htpasswd keeps it.
enum Password {
    Plain(Secret),
    Sha1(Vec<u8>),
    /// With the SHA-256 of the last password that matched, since bcrypt is slow on purpose.
    Bcrypt {
        hash: String,
        matched: arc_swap::ArcSwapOption<[u8; 32]>,
    },
}

/// Users of an htpasswd text. Errors name the line, never its password.
fn parse(text: &str) -> Result<HashMap<String, Password>, String> {
    let mut users = HashMap::new();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((user, password)) = line.split_once(':') else {
            return Err(format!("line {number}: not `user:password`"));
        };
        if user.is_empty() || password.is_empty() {
            return Err(format!("line {number}: empty user or password"));
        }
        let password = if let Some(encoded) = password.strip_prefix("{SHA}") {
            Password::Sha1(
                BASE64
                    .decode(encoded)
                    .map_err(|_| format!("line {number}: {{SHA}} without valid base64"))?,
            )
        } else if ["$2a$", "$2b$", "$2y$"]
            .iter()
            .any(|prefix| password.starts_with(prefix))
        {
            Password::Bcrypt {
                hash: password.to_owned(),
                matched: arc_swap::ArcSwapOption::empty(),
            }
        } else if password.starts_with('$') || password.starts_with('{') {
            return Err(format!(
                "line {number}: this kind of hash is not supported; make the line with `htpasswd -B`"
            ));
        } else {
            Password::Plain(Secret::new(password))
        };
        users.insert(user.to_owned(), password);
    }
    if users.is_empty() {
        Err("no user in it".to_owned())
    } else {
        Ok(users)
    }
}

impl Password {
    fn is(&self, given: &[u8]) -> bool {
        match self {
            Self::Plain(password) => password.expose().as_bytes().ct_eq(given).into(),
            Self::Sha1(hash) => digest(&SHA1_FOR_LEGACY_USE_ONLY, given)
                .as_ref()
                .ct_eq(hash)
                .into(),
            Self::Bcrypt { hash, matched } => {
                let mut fingerprint = [0; 32];
                fingerprint.copy_from_slice(digest(&SHA256, given).as_ref());
                if matched
                    .load()
                    .as_ref()
                    .is_some_and(|known| bool::from(known.ct_eq(&fingerprint)))
                {
                    return true;
                }
                let is_right = bcrypt::verify(given, hash).unwrap_or(false);
                if is_right {
                    matched.store(Some(Arc::new(fingerprint)));
                }
                is_right
            }
        }
    }
}

impl ServerAuth for Users {
    fn check(&self, header: &dyn Fn(&str) -> Option<String>) -> bool {
        let Some(given) = header("authorization") else {
            return false;
        };
        let Some((scheme, encoded)) = given.split_once(' ') else {
            return false;
        };
        let Ok(pair) = BASE64.decode(encoded.trim()) else {
            return false;
        };
        let Some(colon) = pair.iter().position(|byte| *byte == b':') else {
            return false;
        };
        let (user, password) = (
            std::str::from_utf8(&pair[..colon]).unwrap_or_default(),
            &pair[colon + 1..],
        );
        scheme.eq_ignore_ascii_case("basic")
            && self.0.get(user).is_some_and(|known| known.is(password))
    }

    fn challenge(&self) -> &'static str {
        "Basic realm=\"sluice\", charset=\"UTF-8\""
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Users({})", self.0.len())
    }
}
