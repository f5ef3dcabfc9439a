//! Serves HTTP/1.1 and HTTP/2, with or without TLS, and bounds what each connection may cost.
//!
//! ```text
//!  accept (at most max_connections) ─▶ TLS handshake (10 s) ─▶ requests ─▶ Respond
//!                                       idle, age, stop ─▶ no new request, those under way finish ─▶ closed
//! ```
//!
//! The socket and its connections belong to a port (`port.rs`), which outlives a listener that has a successor at the same
//! address: the successor answers the next request of every connection that is open.

mod activity;
mod connection;
mod peer;
mod port;
mod socket;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use sluice_component::{BoxFuture, BuildContext, BuildError};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{Reply, TlsServerConfig};
use port::{Lease, Serving};

/// What bounds the connections of a listener. A duration of 0 means "never". Those of HTTP itself (`header_timeout`, the
/// pings, `max_concurrent_streams`, `keep_alive`) hold for connections that are opened after a change, the others for all.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most connections at once; more wait in the socket's backlog. Default 4096.
    pub max_connections: usize,
    /// Longest wait for a whole request header. Default 1 minute.
    pub header_timeout: Duration,
    /// Longest time between two requests. Default 1 minute.
    pub idle_timeout: Duration,
    /// A connection is asked to end after this long. Default: never.
    pub max_age: Duration,
    /// How much longer requests under way get then. Default: as long as they need.
    pub max_age_grace: Duration,
    /// Ping a silent HTTP/2 connection. Default: never.
    pub ping_interval: Duration,
    /// Longest wait for the ping's answer. Default 20 s.
    pub ping_timeout: Duration,
    /// Most requests at once on an HTTP/2 connection. Default 100.
    pub max_concurrent_streams: u32,
    /// Several requests on an HTTP/1 connection. Default true.
    pub keep_alive: bool,
    /// Added to each answer that does not have them.
    pub response_headers: HeaderMap,
    /// How long requests under way get to finish at shutdown. Default 20 s.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            header_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
            max_age: Duration::ZERO,
            max_age_grace: Duration::ZERO,
            ping_interval: Duration::ZERO,
            ping_timeout: Duration::from_secs(20),
            max_concurrent_streams: 100,
            keep_alive: true,
            response_headers: HeaderMap::new(),
            drain: Duration::from_secs(20),
        }
    }
}

/// Answers requests. It is called for many requests at once; a call is dropped when its connection breaks.
pub trait Respond: Send + Sync + 'static {
    /// Answers one request.
    fn respond(&self, request: Request<Incoming>) -> impl Future<Output = Response<Reply>> + Send;
}

/// [`Respond`] behind a pointer.
trait DynRespond: Send + Sync + 'static {
    fn respond(&self, request: Request<Incoming>) -> BoxFuture<'_, Response<Reply>>;
}

impl<R: Respond> DynRespond for R {
    fn respond(&self, request: Request<Incoming>) -> BoxFuture<'_, Response<Reply>> {
        Box::pin(Respond::respond(self, request))
    }
}

/// A leased port with what it takes to serve on it.
pub struct Listener {
    lease: Lease,
    tls: Option<TlsAcceptor>,
    /// How clients prove themselves.
    trust: Option<Vec<u8>>,
    /// What bounds its connections.
    pub limits: Limits,
    hands_on_headers: bool,
    component: String,
}

impl Listener {
    /// Leases the port of `endpoint`, the one that is open already if there is one, and loads the certificates.
    ///
    /// # Errors
    /// The address cannot be bound, or a file cannot be used.
    pub fn bind(
        endpoint: &str,
        tls: Option<&TlsServerConfig>,
        limits: Limits,
        context: &BuildContext,
    ) -> Result<Self, BuildError> {
        Ok(Self {
            tls: tls
                .map(TlsServerConfig::build)
                .transpose()?
                .map(|tls| TlsAcceptor::from(Arc::new(tls))),
            trust: tls.map(TlsServerConfig::trust).transpose()?,
            lease: socket::lease(endpoint, &context.kept)?,
            limits,
            hands_on_headers: false,
            component: context.id.to_string(),
        })
    }

    /// Whether requests' headers go with their batches, for steps that ask for them.
    #[must_use]
    pub fn handing_on_headers(mut self, is_wanted: bool) -> Self {
        self.hands_on_headers = is_wanted;
        self
    }

    /// The address that the socket is bound to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.lease.port().address()
    }

    /// Takes the port over at once: from here on every request on it is answered by `respond`, also on connections
    /// that are open, unless their clients would have to prove themselves in another way now; those are asked to end.
    ///
    /// The future serves until `stop` fires. When another listener has leased the port by then, the connections stay.
    /// Otherwise it takes no new connection and no new request. It resolves when the requests under way are answered or
    /// [`Limits::drain`] is over. `protocol` stands in the log line. To be called within a runtime.
    ///
    /// # Errors
    /// The socket cannot be used at all.
    pub fn serve<R: Respond>(
        self,
        protocol: &'static str,
        respond: Arc<R>,
        stop: CancellationToken,
    ) -> impl Future<Output = io::Result<()>> + Send + use<R> {
        let Self {
            lease,
            tls,
            trust,
            limits,
            hands_on_headers,
            component,
        } = self;
        let address = lease.port().address();
        let (requests, drain) = (TaskTracker::new(), limits.drain);
        let is_first = lease.install(Serving {
            respond,
            limits,
            tls,
            trust,
            era: 0,
            requests: requests.clone(),
            hands_on_headers,
            component: component.clone(),
        });
        if is_first {
            tracing::info!(component, protocol, %address, "listening");
        } else {
            tracing::info!(component, protocol, %address, "goes on listening");
        }
        async move {
            stop.cancelled().await;
            lease.end(requests, drain).await;
            Ok(())
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listener({}, {})", self.component, self.address())
    }
}

#[cfg(test)]
mod tests;
