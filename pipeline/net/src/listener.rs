//! Serves HTTP/1.1 and HTTP/2, with or without TLS, on a leased socket, and bounds what each connection may cost.
//!
//! ```text
//!  accept (at most max_connections) ─▶ TLS handshake (10 s) ─▶ requests ─▶ Respond
//!                                       idle, age, stop ─▶ no new request, those under way finish ─▶ closed
//! ```

mod activity;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use sluice_component::{BuildContext, BuildError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{Reply, TlsServerConfig};
use activity::{Activity, after};

/// Longest that a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a connection that was told to end may still take to write its last answer.
const CLOSING: Duration = Duration::from_secs(5);
/// Largest request header and largest single read of an HTTP/1 connection.
const READ_BUFFER: usize = 64 << 10;

/// What bounds the connections of a listener. A duration of 0 means "never".
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

/// A leased socket with what it takes to serve on it.
pub struct Listener {
    socket: std::net::TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    /// What bounds its connections.
    pub limits: Limits,
    component: String,
}

impl Listener {
    /// Leases the socket of `endpoint` and loads the certificates.
    ///
    /// # Errors
    /// The address cannot be bound, or a file cannot be used.
    pub fn bind(
        endpoint: &str,
        tls: Option<&TlsServerConfig>,
        limits: Limits,
        context: &BuildContext,
    ) -> Result<Self, BuildError> {
        let tls = tls.map(TlsServerConfig::build).transpose()?.map(Arc::new);
        let socket = context.sockets.listen(endpoint)?;
        Ok(Self {
            socket,
            tls,
            limits,
            component: context.id.to_string(),
        })
    }

    /// The address that the socket is bound to.
    ///
    /// # Errors
    /// The operating system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `stop` fires; then takes no new connection and no new request, and returns when those under way
    /// are answered or [`Limits::drain`] is over. `protocol` stands in the log line.
    ///
    /// # Errors
    /// The socket cannot be used at all.
    pub async fn serve<R: Respond>(
        self,
        protocol: &'static str,
        respond: Arc<R>,
        stop: CancellationToken,
    ) -> io::Result<()> {
        self.socket.set_nonblocking(true)?;
        let socket = TcpListener::from_std(self.socket)?;
        tracing::info!(component = self.component, protocol, address = %socket.local_addr()?, "listening");
        let acceptor = self.tls.map(TlsAcceptor::from);
        let limits = Arc::new(self.limits);
        let permits = Arc::new(Semaphore::new(limits.max_connections));
        let connections = TaskTracker::new();
        let incoming = async {
            loop {
                let permit = Arc::clone(&permits).acquire_owned().await;
                let (stream, _) = match socket.accept().await {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Out of descriptors, mostly: wait for some to be closed.
                        tracing::warn!(component = self.component, %error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(200)).await;
                        continue;
                    }
                };
                let (limits, respond, acceptor, stop) = (
                    Arc::clone(&limits),
                    Arc::clone(&respond),
                    acceptor.clone(),
                    stop.clone(),
                );
                connections.spawn(async move {
                    let _permit = permit;
                    admit(stream, acceptor, &limits, respond, stop).await;
                });
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = incoming => {}
        }
        // From here on a client is refused at once, instead of waiting in the backlog for nobody.
        drop(socket);
        connections.close();
        // Connections end by themselves within the drain; this returns when the last one has.
        connections.wait().await;
        Ok(())
    }
}

async fn admit<R: Respond>(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    limits: &Limits,
    respond: Arc<R>,
    stop: CancellationToken,
) {
    let keepalive = socket2::TcpKeepalive::new().with_time(Duration::from_secs(60));
    // Without these a connection works all the same.
    let _ = socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive);
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = acceptor else {
        return connection(stream, limits, respond, stop).await;
    };
    tokio::select! {
        () = stop.cancelled() => {}
        shaken = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)) => match shaken {
            Ok(Ok(stream)) => connection(stream, limits, respond, stop).await,
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake not done in time"),
        },
    }
}

/// Serves one connection to its end.
async fn connection<R: Respond, S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    limits: &Limits,
    respond: Arc<R>,
    stop: CancellationToken,
) {
    let activity = Arc::new(Activity::new());
    let service = hyper::service::service_fn({
        let (activity, headers) = (Arc::clone(&activity), limits.response_headers.clone());
        move |request| {
            let busy = activity.begin();
            let (respond, headers) = (Arc::clone(&respond), headers.clone());
            async move {
                let mut response = respond.respond(request).await;
                for (name, value) in &headers {
                    response
                        .headers_mut()
                        .entry(name)
                        .or_insert_with(|| value.clone());
                }
                drop(busy);
                Ok::<_, Infallible>(response)
            }
        }
    });
    let builder = builder(limits);
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);

    let opened = Instant::now();
    // Once told to end: when to cut it off, if ever.
    let mut ending: Option<Option<Instant>> = None;
    loop {
        let next = match ending {
            Some(cut) => cut,
            None => earliest(activity.idle_until(limits), after(opened, limits.max_age)),
        };
        tokio::select! {
            result = serving.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(error, "connection ended");
                }
                return;
            }
            () = stop.cancelled(), if ending.is_none() => {
                serving.as_mut().graceful_shutdown();
                ending = Some(Some(Instant::now() + limits.drain));
            }
            () = activity.ended.notified() => {}
            () = sleep_until(next) => {
                if ending.is_some() {
                    tracing::debug!("connection cut off");
                    return;
                }
                let is_too_old = after(opened, limits.max_age).is_some_and(|end| end <= Instant::now());
                if is_too_old {
                    ending = Some(after(Instant::now(), limits.max_age_grace));
                } else if activity.idle_until(limits).is_some_and(|end| end <= Instant::now()) {
                    ending = Some(Some(Instant::now() + CLOSING));
                } else {
                    continue;
                }
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let some_unless_zero = |duration: Duration| Some(duration).filter(|d| !d.is_zero());
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(some_unless_zero(limits.header_timeout))
        .max_buf_size(READ_BUFFER)
        // A sender that closes its half after the request still gets its answer.
        .half_close(true)
        .keep_alive(limits.keep_alive);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.max_concurrent_streams)
        .max_header_list_size(READ_BUFFER as u32)
        .keep_alive_interval(some_unless_zero(limits.ping_interval))
        .keep_alive_timeout(limits.ping_timeout);
    builder
}

fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

async fn sleep_until(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when).await,
        None => std::future::pending().await,
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Listener({}, {:?})",
            self.component,
            self.socket.local_addr()
        )
    }
}

#[cfg(test)]
mod tests;
