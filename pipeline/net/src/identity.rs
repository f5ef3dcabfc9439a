//! A certificate chain with its key, read from files or inline PEM, and read again when it is due.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sluice_component::{BuildError, Secret};

/// Where a PEM text comes from; `key` is the configuration key to blame.
#[derive(Clone)]
pub(crate) enum Pem {
    File { key: &'static str, path: PathBuf },
    Inline { key: &'static str, text: Secret },
}

impl Pem {
    /// The one of a `*_file` and `*_pem` pair that is set.
    pub(crate) fn from_pair(
        (file_key, file): (&'static str, &Option<PathBuf>),
        (pem_key, pem): (&'static str, &Option<Secret>),
    ) -> Option<Self> {
        match (file, pem) {
            (Some(path), _) => Some(Self::File {
                key: file_key,
                path: path.clone(),
            }),
            (None, Some(text)) => Some(Self::Inline {
                key: pem_key,
                text: text.clone(),
            }),
            (None, None) => None,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::File { key, path } => format!("tls.{key} `{}`", path.display()),
            Self::Inline { key, .. } => format!("tls.{key}"),
        }
    }

    fn read(&self) -> Result<Vec<u8>, BuildError> {
        match self {
            Self::File { path, .. } => {
                read_file(path).map_err(|error| BuildError(format!("{}: {error}", self.name())))
            }
            Self::Inline { text, .. } => Ok(text.expose().as_bytes().to_vec()),
        }
    }

    /// Every certificate in the text, at least one.
    pub(crate) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, BuildError> {
        let text = self.read()?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        match found {
            Ok(found) if !found.is_empty() => Ok(found),
            Ok(_) => Err(BuildError(format!(
                "{}: no PEM certificate in it",
                self.name()
            ))),
            Err(error) => Err(BuildError(format!(
                "{}: not a PEM certificate: {error}",
                self.name()
            ))),
        }
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, BuildError> {
        // The parser's error can quote the text, so it is not shown: the text is a key.
        PrivateKeyDer::from_pem_slice(&self.read()?).map_err(|_| {
            BuildError(format!(
                "{}: no unencrypted PEM private key in it",
                self.name()
            ))
        })
    }
}

fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    std::fs::read(path)
}

/// A certificate and its key, checked to belong together.
pub(crate) struct Identity {
    certificate: Pem,
    key: Pem,
    provider: Arc<CryptoProvider>,
    reload_interval: Option<Duration>,
    current: ArcSwap<(Instant, Arc<CertifiedKey>)>,
}

impl Identity {
    pub(crate) fn new(
        certificate: Pem,
        key: Pem,
        provider: Arc<CryptoProvider>,
        reload_interval: Option<Duration>,
    ) -> Result<Self, BuildError> {
        let first = load(&certificate, &key, &provider)?;
        Ok(Self {
            certificate,
            key,
            provider,
            reload_interval,
            current: ArcSwap::from_pointee((Instant::now(), first)),
        })
    }

    /// The pair to present now. When it is older than the reload interval it is read again; a pair that cannot be
    /// read leaves the old one in place.
    fn current(&self) -> Arc<CertifiedKey> {
        let current = self.current.load();
        let is_due = self
            .reload_interval
            .is_some_and(|interval| current.0.elapsed() >= interval);
        if !is_due {
            return Arc::clone(&current.1);
        }
        let pair = load(&self.certificate, &self.key, &self.provider).unwrap_or_else(|error| {
            tracing::warn!(%error, "the certificate could not be read again, the old one stays");
            Arc::clone(&current.1)
        });
        self.current
            .store(Arc::new((Instant::now(), Arc::clone(&pair))));
        pair
    }
}

fn load(
    certificate: &Pem,
    key: &Pem,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<CertifiedKey>, BuildError> {
    CertifiedKey::from_der(certificate.certificates()?, key.private_key()?, provider)
        .map(Arc::new)
        .map_err(|error| {
            BuildError(format!(
                "{} with {}: {error}",
                certificate.name(),
                key.name()
            ))
        })
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.certificate.name())
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
    fn has_certs(&self) -> bool {
        true
    }
}
