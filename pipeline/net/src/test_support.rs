//! What several tests need: loopback sockets, a certificate authority, a server that answers in one line.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use sluice_component::{BuildContext, Extension, ExtensionConfig, Secret};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{HttpServerConfig, Listener, Reply, Respond};

pub(crate) fn context() -> BuildContext {
    context_with(&[])
}

pub(crate) fn context_with(extensions: &[(&str, &dyn ExtensionConfig)]) -> BuildContext {
    let bare = BuildContext::alone("test");
    let built: HashMap<String, Extension> = extensions
        .iter()
        .map(|(id, config)| ((*id).to_owned(), config.build(&bare).unwrap()))
        .collect();
    BuildContext {
        extensions: Arc::new(built),
        ..bare
    }
}

pub(crate) fn loopback() -> HttpServerConfig {
    HttpServerConfig {
        endpoint: "127.0.0.1:0".to_owned(),
        ..HttpServerConfig::default()
    }
}

/// Answers with what a function makes of the request.
pub(crate) struct With<F>(pub(crate) F);

impl<F, A> Respond for With<F>
where
    F: Fn(Request<Incoming>) -> A + Send + Sync + 'static,
    A: Future<Output = Response<Reply>> + Send,
{
    fn respond(&self, request: Request<Incoming>) -> impl Future<Output = Response<Reply>> + Send {
        self.0(request)
    }
}

/// A server under test. It is told to stop when dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) served: JoinHandle<std::io::Result<()>>,
    _guard: tokio_util::sync::DropGuard,
}

pub(crate) fn serve<F, A>(listener: Listener, answer: F) -> Running
where
    F: Fn(Request<Incoming>) -> A + Send + Sync + 'static,
    A: Future<Output = Response<Reply>> + Send + 'static,
{
    let address = listener.address();
    let stop = CancellationToken::new();
    let served = tokio::spawn(listener.serve("http", Arc::new(With(answer)), stop.clone()));
    Running {
        address,
        stop: stop.clone(),
        served,
        _guard: stop.drop_guard(),
    }
}

/// A certificate authority of the test's own.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Certificate and key for a name, for servers and clients.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

pub(crate) fn secret(text: &str) -> Option<Secret> {
    Some(Secret::new(text))
}
