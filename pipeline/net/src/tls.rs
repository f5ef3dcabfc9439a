//! `tls:` blocks of servers and clients (`configtls`), turned into rustls configurations.

mod any_certificate;
mod version;

pub use version::TlsVersion;

use std::path::PathBuf;
use std::sync::Arc;

use any_certificate::AnyCertificate;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use schemars::JsonSchema;
use sluice_component::{BuildError, HumanDuration, Problems, Secret};

use crate::identity::{Identity, Pem};

/// `tls:` of a server. An absent block means plaintext.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TlsServerConfig {
    /// PEM file with the server's certificate chain. This or `cert_pem` is required.
    pub cert_file: Option<PathBuf>,
    /// The chain inline.
    pub cert_pem: Option<Secret>,
    /// PEM file with the certificate's private key (unencrypted). This or `key_pem` is required.
    pub key_file: Option<PathBuf>,
    /// The key inline.
    pub key_pem: Option<Secret>,
    /// PEM file of the authorities whose client certificates are accepted. When set, a client without one is turned
    /// away in the handshake (mTLS).
    pub client_ca_file: Option<PathBuf>,
    /// Accepted and without effect: `client_ca_file` is read at start and whenever the configuration is reloaded.
    pub client_ca_file_reload: bool,
    /// Accepted and without effect on a server; clients are checked against `client_ca_file`.
    pub ca_file: Option<PathBuf>,
    /// Accepted and without effect on a server.
    pub ca_pem: Option<Secret>,
    /// Accepted and without effect on a server.
    pub include_system_ca_certs_pool: bool,
    /// Oldest version spoken. Default 1.2, which is also the least.
    pub min_version: Option<TlsVersion>,
    /// Newest version spoken. Default 1.3.
    pub max_version: Option<TlsVersion>,
    /// TLS 1.2 suites to allow, by their IANA names; the TLS 1.3 suites are always allowed. Default: all safe ones.
    pub cipher_suites: Vec<String>,
    /// Accepted and without effect: no insecure suite is ever spoken.
    pub include_insecure_cipher_suites: bool,
    /// Key exchange curves to allow: X25519, P256, P384 (P521 is not spoken). Default: all.
    pub curve_preferences: Vec<String>,
    /// Read certificate and key again when they are older than this. Default: never.
    pub reload_interval: Option<HumanDuration>,
}

/// `tls:` of a client.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TlsClientConfig {
    /// Speak plaintext where the endpoint has no scheme (gRPC). An `https://` endpoint is encrypted all the same.
    pub insecure: bool,
    /// Do not verify the server's certificate. Default false.
    pub insecure_skip_verify: bool,
    /// Name to ask for and to verify instead of the endpoint's host (gRPC only).
    pub server_name_override: Option<String>,
    /// PEM file of the authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The authorities inline.
    pub ca_pem: Option<Secret>,
    /// Trust the system's authorities as well as `ca_file`. Default false; without a `ca_file` they are always trusted.
    pub include_system_ca_certs_pool: bool,
    /// PEM file with the client's certificate chain (mTLS); needs a key.
    pub cert_file: Option<PathBuf>,
    /// The chain inline.
    pub cert_pem: Option<Secret>,
    /// PEM file with the client certificate's private key (unencrypted).
    pub key_file: Option<PathBuf>,
    /// The key inline.
    pub key_pem: Option<Secret>,
    /// Oldest version spoken. Default 1.2, which is also the least.
    pub min_version: Option<TlsVersion>,
    /// Newest version spoken. Default 1.3.
    pub max_version: Option<TlsVersion>,
    /// TLS 1.2 suites to allow, by their IANA names; the TLS 1.3 suites are always allowed. Default: all safe ones.
    pub cipher_suites: Vec<String>,
    /// Accepted and without effect: no insecure suite is ever spoken.
    pub include_insecure_cipher_suites: bool,
    /// Key exchange curves to allow: X25519, P256, P384 (P521 is not spoken). Default: all.
    pub curve_preferences: Vec<String>,
    /// Read certificate and key again when they are older than this. Default: never.
    pub reload_interval: Option<HumanDuration>,
}

/// The keys that both blocks have, by reference.
struct Common<'a> {
    ca: (&'a Option<PathBuf>, &'a Option<Secret>),
    cert: (&'a Option<PathBuf>, &'a Option<Secret>),
    key: (&'a Option<PathBuf>, &'a Option<Secret>),
    min_version: Option<TlsVersion>,
    max_version: Option<TlsVersion>,
    cipher_suites: &'a [String],
    include_insecure_cipher_suites: bool,
    curve_preferences: &'a [String],
    reload_interval: Option<HumanDuration>,
}

macro_rules! common {
    ($config:expr) => {
        Common {
            ca: (&$config.ca_file, &$config.ca_pem),
            cert: (&$config.cert_file, &$config.cert_pem),
            key: (&$config.key_file, &$config.key_pem),
            min_version: $config.min_version,
            max_version: $config.max_version,
            cipher_suites: &$config.cipher_suites,
            include_insecure_cipher_suites: $config.include_insecure_cipher_suites,
            curve_preferences: &$config.curve_preferences,
            reload_interval: $config.reload_interval,
        }
    };
}

impl TlsServerConfig {
    /// Reports contradictions. Touches no file.
    pub fn check(&self, problems: &mut Problems) {
        let common = common!(self);
        common.check(problems);
        if common.cert.0.is_none() && common.cert.1.is_none() {
            problems.error("a server's `tls` needs `cert_file` or `cert_pem`");
        }
        if self.client_ca_file_reload {
            let at = |p: &mut Problems| {
                p.warning("`client_ca_file_reload` has no effect: the file is read at start and when the configuration is reloaded");
            };
            problems.at("client_ca_file_reload", at);
        }
        if self.ca_file.is_some() || self.ca_pem.is_some() {
            let key = if self.ca_file.is_some() {
                "ca_file"
            } else {
                "ca_pem"
            };
            problems.at(key, |p| {
                p.warning("has no effect on a server")
                    .help("to require client certificates, write `client_ca_file`");
            });
        }
    }

    /// Files that [`Self::build`] reads.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let files = [&self.cert_file, &self.key_file, &self.client_ca_file];
        files.into_iter().flatten().cloned().collect()
    }

    /// How clients prove themselves: when it differs, a connection of before proves nothing any more. A certificate of
    /// our own that was renewed makes no difference.
    ///
    /// # Errors
    /// `client_ca_file` cannot be read.
    pub(crate) fn trust(&self) -> Result<Vec<u8>, BuildError> {
        let mut trust = format!("{:?}", self.min_version).into_bytes();
        if let Some(path) = &self.client_ca_file {
            let key = "client_ca_file";
            let path = path.clone();
            for authority in (Pem::File { key, path }).certificates()? {
                trust.extend_from_slice(&authority);
            }
        }
        Ok(trust)
    }

    /// The rustls configuration, offering HTTP/2 and HTTP/1.1.
    ///
    /// # Errors
    /// A file that cannot be read or does not hold what its key says; the message names the key.
    pub fn build(&self) -> Result<ServerConfig, BuildError> {
        let common = common!(self);
        let provider = common.provider()?;
        let Some(identity) = common.identity(&provider)? else {
            return Err(BuildError(
                "tls.cert_file: a server needs a certificate".to_owned(),
            ));
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&common.versions())
            .map_err(|error| BuildError(format!("tls.cipher_suites: {error}")))?;
        let builder = match &self.client_ca_file {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let pem = Pem::File {
                    key: "client_ca_file",
                    path: path.clone(),
                };
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots(&pem)?), provider)
                        .build()
                        .map_err(|error| {
                            BuildError(format!("tls.client_ca_file `{}`: {error}", path.display()))
                        })?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(identity));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl TlsClientConfig {
    /// Files that [`Self::build`] reads.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let files = [&self.ca_file, &self.cert_file, &self.key_file];
        files.into_iter().flatten().cloned().collect()
    }

    /// Reports contradictions. Touches no file.
    pub fn check(&self, problems: &mut Problems) {
        common!(self).check(problems);
        if self.insecure_skip_verify {
            problems.at("insecure_skip_verify", |p| {
                p.warning("the server's certificate is not verified: anyone on the way can read and change what is sent")
                    .help("name the server's authority in `ca_file` instead");
            });
        }
    }

    /// The rustls configuration, without ALPN.
    ///
    /// # Errors
    /// A file that cannot be read or does not hold what its key says; the message names the key.
    pub fn build(&self) -> Result<ClientConfig, BuildError> {
        let common = common!(self);
        let provider = common.provider()?;
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&common.versions())
            .map_err(|error| BuildError(format!("tls.cipher_suites: {error}")))?;
        let ca = Pem::from_pair(("ca_file", &self.ca_file), ("ca_pem", &self.ca_pem));
        let builder = if self.insecure_skip_verify {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate(Arc::clone(&provider))))
        } else {
            match ca {
                Some(pem) if !self.include_system_ca_certs_pool => {
                    builder.with_root_certificates(roots(&pem)?)
                }
                ca => {
                    let extra = ca
                        .as_ref()
                        .map(Pem::certificates)
                        .transpose()?
                        .unwrap_or_default();
                    match rustls_platform_verifier::Verifier::new_with_extra_roots(
                        extra,
                        Arc::clone(&provider),
                    ) {
                        Ok(verifier) => builder
                            .dangerous()
                            .with_custom_certificate_verifier(Arc::new(verifier)),
                        // A machine without authorities can still speak plaintext; an https endpoint then fails on
                        // its first connection with "unknown issuer".
                        Err(error) => {
                            tracing::debug!(%error, "no certificate authorities on this machine");
                            builder.with_root_certificates(RootCertStore::empty())
                        }
                    }
                }
            }
        };
        Ok(match common.identity(&provider)? {
            Some(identity) => builder.with_client_cert_resolver(Arc::new(identity)),
            None => builder.with_no_client_auth(),
        })
    }
}

impl Common<'_> {
    fn check(&self, problems: &mut Problems) {
        for (file_key, pem_key, (file, pem)) in [
            ("ca_file", "ca_pem", self.ca),
            ("cert_file", "cert_pem", self.cert),
            ("key_file", "key_pem", self.key),
        ] {
            if file.is_some() && pem.is_some() {
                problems.at(pem_key, |p| {
                    p.error(format!("`{file_key}` and `{pem_key}` exclude each other"));
                });
            }
        }
        let (has_cert, has_key) = (
            self.cert.0.is_some() || self.cert.1.is_some(),
            self.key.0.is_some() || self.key.1.is_some(),
        );
        if has_cert != has_key {
            let (there, missing) = if has_cert {
                ("certificate", "key_file")
            } else {
                ("key", "cert_file")
            };
            problems.error(format!("a {there} without `{missing}`: both are needed"));
        }
        if self.min_version.is_some_and(|v| v < TlsVersion::V1_2) {
            problems.at("min_version", |p| {
                p.warning("TLS 1.0 and 1.1 are not spoken: 1.2 is the oldest");
            });
        }
        if self.max_version.is_some_and(|v| {
            v < self
                .min_version
                .unwrap_or(TlsVersion::V1_2)
                .max(TlsVersion::V1_2)
        }) {
            problems.at("max_version", |p| {
                p.error("is older than the oldest version allowed")
                    .help("write \"1.2\" or \"1.3\"");
            });
        }
        let known = aws_lc_rs::ALL_CIPHER_SUITES;
        for (i, name) in self.cipher_suites.iter().enumerate() {
            if !known
                .iter()
                .any(|suite| suite.suite().as_str() == Some(name))
            {
                problems.at("cipher_suites", |p| {
                    p.at(i, |p| {
                        p.warning(format!("`{name}` is not spoken and has no effect"));
                    })
                });
            }
        }
        if self.include_insecure_cipher_suites {
            problems.at("include_insecure_cipher_suites", |p| {
                p.warning("has no effect: no insecure suite is ever spoken");
            });
        }
        for (i, name) in self.curve_preferences.iter().enumerate() {
            if curve(name).is_none() {
                problems.at("curve_preferences", |p| {
                    p.at(i, |p| {
                        p.warning(format!("`{name}` is not spoken and has no effect"))
                            .help("write X25519, P256 or P384");
                    })
                });
            }
        }
    }

    fn provider(&self) -> Result<Arc<CryptoProvider>, BuildError> {
        let mut provider = aws_lc_rs::default_provider();
        if !self.cipher_suites.is_empty() {
            provider.cipher_suites.retain(|suite| {
                suite.tls13().is_some()
                    || self
                        .cipher_suites
                        .iter()
                        .any(|name| suite.suite().as_str() == Some(name))
            });
        }
        if !self.curve_preferences.is_empty() {
            let wanted: Vec<_> = self
                .curve_preferences
                .iter()
                .filter_map(|name| curve(name))
                .collect();
            provider
                .kx_groups
                .retain(|group| wanted.contains(&group.name()));
            if provider.kx_groups.is_empty() {
                return Err(BuildError(
                    "tls.curve_preferences: none of them is spoken".to_owned(),
                ));
            }
        }
        Ok(Arc::new(provider))
    }

    fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        let min = self.min_version.unwrap_or(TlsVersion::V1_2);
        let max = self.max_version.unwrap_or(TlsVersion::V1_3);
        [
            (TlsVersion::V1_2, &rustls::version::TLS12),
            (TlsVersion::V1_3, &rustls::version::TLS13),
        ]
        .into_iter()
        .filter(|(version, _)| (min..=max).contains(version))
        .map(|(_, version)| version)
        .collect()
    }

    fn identity(&self, provider: &Arc<CryptoProvider>) -> Result<Option<Identity>, BuildError> {
        let certificate = Pem::from_pair(("cert_file", self.cert.0), ("cert_pem", self.cert.1));
        let key = Pem::from_pair(("key_file", self.key.0), ("key_pem", self.key.1));
        match (certificate, key) {
            (Some(certificate), Some(key)) => {
                let interval = self.reload_interval.map(|interval| interval.0);
                Identity::new(certificate, key, Arc::clone(provider), interval).map(Some)
            }
            _ => Ok(None),
        }
    }
}

fn curve(name: &str) -> Option<rustls::NamedGroup> {
    match name {
        "X25519" => Some(rustls::NamedGroup::X25519),
        "P256" => Some(rustls::NamedGroup::secp256r1),
        "P384" => Some(rustls::NamedGroup::secp384r1),
        _ => None,
    }
}

fn roots(pem: &Pem) -> Result<RootCertStore, BuildError> {
    let mut store = RootCertStore::empty();
    for certificate in pem.certificates()? {
        store.add(certificate).map_err(|error| {
            BuildError(format!("tls: a certificate authority is unusable: {error}"))
        })?;
    }
    Ok(store)
}

#[cfg(test)]
mod tests;
