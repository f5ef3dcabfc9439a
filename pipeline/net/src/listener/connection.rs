//! One connection, from its handshake to its end.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Limits;
use super::activity::{Activity, after};
use super::peer::Peer;
use super::port::{Port, Serving};
use crate::Reply;

/// Longest that a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a connection that was told to end may still take to write its last answer.
const CLOSING: Duration = Duration::from_secs(5);
/// Largest request header and largest single read of an HTTP/1 connection.
const READ_BUFFER: usize = 64 << 10;

/// Serves an accepted connection to its end. `first` was in force when it was accepted.
pub(super) async fn admit(
    stream: TcpStream,
    address: IpAddr,
    port: Arc<Port>,
    first: Arc<Serving>,
    end: CancellationToken,
) {
    let keepalive = socket2::TcpKeepalive::new().with_time(Duration::from_secs(60));
    // Without these a connection works all the same.
    let _ = socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive);
    let _ = stream.set_nodelay(true);
    // Not held on to: what is in force changes, and a connection may live long.
    let (acceptor, limits, era) = (first.tls.clone(), first.limits.clone(), first.era);
    drop(first);
    let Some(acceptor) = acceptor else {
        return connection(stream, (address, era), port, limits, end).await;
    };
    tokio::select! {
        () = end.cancelled() => {}
        shaken = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)) => match shaken {
            Ok(Ok(stream)) => connection(stream, (address, era), port, limits, end).await,
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake not done in time"),
        },
    }
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    (address, era): (IpAddr, u64),
    port: Arc<Port>,
    first: Limits,
    end: CancellationToken,
) {
    let activity = Arc::new(Activity::new());
    let service = hyper::service::service_fn({
        let (activity, port) = (Arc::clone(&activity), Arc::clone(&port));
        move |mut request| {
            let busy = activity.begin();
            // Whatever is in force now, not what was when the connection was opened.
            let serving = port.serving();
            let peer = Peer {
                address: address.to_canonical(),
                hands_on_headers: serving.as_ref().is_some_and(|s| s.hands_on_headers),
            };
            peer.introduce(&mut request);
            async move {
                // Who has not proved himself as is asked for today is asked to come again.
                let Some(serving) = serving.filter(|s| s.era == era) else {
                    let mut response = Reply::text(StatusCode::SERVICE_UNAVAILABLE, "try again");
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(CONNECTION, close);
                    return Ok(response);
                };
                let _request = serving.requests.token();
                let mut response = serving.respond.respond(request).await;
                for (name, value) in &serving.limits.response_headers {
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
    let builder = builder(&first);
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);

    let mut installed = port.installed();
    let opened = Instant::now();
    // Once told to end: when to cut it off, if ever.
    let mut ending: Option<Option<Instant>> = None;
    loop {
        let limits = port
            .serving()
            .map_or_else(|| first.clone(), |now| now.limits.clone());
        let next = match ending {
            Some(cut) => cut,
            None => earliest(activity.idle_until(&limits), after(opened, limits.max_age)),
        };
        tokio::select! {
            result = serving.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(error, "connection ended");
                }
                return;
            }
            () = end.cancelled(), if ending.is_none() => {
                serving.as_mut().graceful_shutdown();
                ending = Some(Some(Instant::now() + limits.drain));
            }
            () = activity.ended.notified() => {}
            // Other limits, perhaps.
            _ = installed.changed() => {}
            () = sleep_until(next) => {
                if ending.is_some() {
                    tracing::debug!("connection cut off");
                    return;
                }
                let is_too_old = after(opened, limits.max_age).is_some_and(|end| end <= Instant::now());
                if is_too_old {
                    ending = Some(after(Instant::now(), limits.max_age_grace));
                } else if activity.idle_until(&limits).is_some_and(|end| end <= Instant::now()) {
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
