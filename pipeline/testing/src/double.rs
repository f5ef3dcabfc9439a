//! The server that every double is: a loopback listener for HTTP/1.1 and cleartext HTTP/2, with the faults in front.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{Fault, Faults, TimedOut, Watched};

/// What a double plays: it judges a whole request, keeps what it takes, and answers.
pub trait Destination: Send + Sync + 'static {
    /// What arrived.
    type State: fmt::Debug + Send + Sync;

    /// What arrived, to read and to wait on.
    fn state(&self) -> &Watched<Self::State>;

    /// Whether a request brings data; scripted faults meet only these unless they name a path.
    fn carries_data(&self, method: &Method, path: &str) -> bool;

    /// Judges one request as the real destination would.
    fn answer(&self, request: Request<Bytes>) -> Response<Reply>;
}

/// A response body, and for gRPC its trailers.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The body.
    pub body: Bytes,
    /// Sent after the body.
    pub trailers: Option<HeaderMap>,
}

impl<T: Into<Bytes>> From<T> for Reply {
    fn from(body: T) -> Self {
        Self {
            body: body.into(),
            trailers: None,
        }
    }
}

/// One request as it came in, data or not.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Bytes of its body on the wire; 0 when it was cut before the body.
    pub body_bytes: usize,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Answered(StatusCode),
    /// Its connection was closed on purpose, or its body never ended.
    Cut,
}

/// Everything that came in, misbehaviour included.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Requests in the order in which their fate was decided.
    pub seen: Vec<Seen>,
    /// Requests that a [`Fault::Stall`] holds now.
    pub stalled: usize,
    /// Connections accepted so far.
    pub connections: usize,
}

/// A destination listening on loopback. Dropping it closes the listener and every connection.
pub struct Double<D: Destination> {
    destination: Arc<D>,
    address: SocketAddr,
    faults: Faults,
    traffic: Arc<Watched<Traffic>>,
    _stop: DropGuard,
}

impl<D: Destination> Double<D> {
    /// Serves `destination` on a free port.
    ///
    /// # Panics
    /// Loopback has no free port.
    pub async fn serve(destination: D) -> Self {
        Self::serve_at(destination, SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .expect("a free port on loopback")
    }

    /// Serves `destination` at an address that a test has announced before (a destination that comes back to life).
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn serve_at(destination: D, address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let stop = CancellationToken::new();
        let double = Self {
            destination: Arc::new(destination),
            address: listener.local_addr()?,
            faults: Faults::new(),
            traffic: Arc::new(Watched::new(Traffic::default())),
            _stop: stop.clone().drop_guard(),
        };
        let serving = Serving {
            destination: Arc::clone(&double.destination),
            faults: double.faults.clone(),
            traffic: Arc::clone(&double.traffic),
        };
        tokio::spawn(accept(listener, serving, stop));
        Ok(double)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT` followed by `path`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its script of misbehaviour.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Every request that came in.
    #[must_use]
    pub fn traffic(&self) -> &Watched<Traffic> {
        &self.traffic
    }

    /// Looks at what arrived.
    pub fn read<R>(&self, look: impl FnOnce(&D::State) -> R) -> R {
        self.destination.state().read(look)
    }

    /// Returns as soon as what arrived satisfies `condition`.
    ///
    /// # Errors
    /// [`TimedOut`] when `deadline` passes first.
    pub async fn wait_for(
        &self,
        condition: impl FnMut(&D::State) -> bool,
        deadline: Duration,
    ) -> Result<(), TimedOut> {
        self.destination.state().wait_for(condition, deadline).await
    }

    /// Returns as soon as a stall holds `requests` requests.
    ///
    /// # Errors
    /// [`TimedOut`] when `deadline` passes first.
    pub async fn wait_for_stalled(
        &self,
        requests: usize,
        deadline: Duration,
    ) -> Result<(), TimedOut> {
        self.traffic
            .wait_for(|traffic| traffic.stalled >= requests, deadline)
            .await
    }
}

impl<D: Destination> Deref for Double<D> {
    type Target = D;

    fn deref(&self) -> &D {
        &self.destination
    }
}

impl<D: Destination> fmt::Debug for Double<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Double")
            .field("address", &self.address)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

struct Serving<D> {
    destination: Arc<D>,
    faults: Faults,
    traffic: Arc<Watched<Traffic>>,
}

impl<D> Clone for Serving<D> {
    fn clone(&self) -> Self {
        Self {
            destination: Arc::clone(&self.destination),
            faults: self.faults.clone(),
            traffic: Arc::clone(&self.traffic),
        }
    }
}

type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;

async fn accept<D: Destination>(
    listener: TcpListener,
    serving: Serving<D>,
    stop: CancellationToken,
) {
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // The client was gone before it was accepted.
                Err(_) => continue,
            },
        };
        serving.traffic.edit(|traffic| traffic.connections += 1);
        tokio::spawn(connection(stream, serving.clone(), stop.child_token()));
    }
}

/// Serves one connection until it ends, the double is dropped, or a fault cuts it.
async fn connection<D: Destination>(
    stream: TcpStream,
    serving: Serving<D>,
    cut: CancellationToken,
) {
    let cut_by_fault = cut.clone();
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let (serving, cut) = (serving.clone(), cut_by_fault.clone());
        async move {
            match serving.request(request).await {
                Some(response) => Ok::<_, std::convert::Infallible>(response),
                None => {
                    cut.cancel();
                    std::future::pending().await
                }
            }
        }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let serve = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = cut.cancelled() => {}
        _ = serve => {}
    }
}

impl<D: Destination> Serving<D> {
    /// The answer, or `None` to cut the connection.
    async fn request(&self, request: Request<Incoming>) -> Option<Response<Body>> {
        let (parts, incoming) = request.into_parts();
        let path = parts.uri.path().to_owned();
        let (fault, stalled) = self
            .faults
            .pick(&path, self.destination.carries_data(&parts.method, &path));
        let mut seen = Seen {
            method: parts.method.clone(),
            target: parts
                .uri
                .path_and_query()
                .map_or_else(|| path.clone(), ToString::to_string),
            headers: parts.headers.clone(),
            body_bytes: 0,
            outcome: Outcome::Cut,
        };
        if matches!(fault, Some(Fault::CutBeforeBody)) {
            return self.done(seen, None);
        }
        let Ok(body) = incoming.collect().await else {
            return self.done(seen, None);
        };
        let body = body.to_bytes();
        seen.body_bytes = body.len();

        let (mut cut, mut scripted) = (false, None);
        match fault {
            Some(Fault::CutBeforeBody | Fault::CutAfterBody) => return self.done(seen, None),
            Some(Fault::Answer(answer)) => scripted = Some(answer),
            Some(Fault::Stall) => {
                let _held = Held::new(&self.traffic);
                stalled.wait().await;
            }
            Some(Fault::Slow(delay)) => tokio::time::sleep(delay).await,
            Some(Fault::AcceptThenCut) => cut = true,
            None => {}
        }
        let response = match scripted {
            Some(answer) => {
                let mut response = Response::new(Reply::from(answer.body));
                *response.status_mut() = answer.status;
                *response.headers_mut() = answer.headers;
                response
            }
            None => self.destination.answer(Request::from_parts(parts, body)),
        };
        if cut {
            return self.done(seen, None);
        }
        seen.outcome = Outcome::Answered(response.status());
        self.done(seen, Some(response))
    }

    fn done(&self, seen: Seen, response: Option<Response<Reply>>) -> Option<Response<Body>> {
        self.traffic.edit(|traffic| traffic.seen.push(seen));
        response.map(|response| {
            response.map(|reply| match reply.trailers {
                None => Full::new(reply.body).boxed_unsync(),
                Some(trailers) => Full::new(reply.body)
                    .with_trailers(std::future::ready(Some(Ok(trailers))))
                    .boxed_unsync(),
            })
        })
    }
}

/// Counts a stalled request for as long as it is held, also when its client gives up.
struct Held<'a>(&'a Watched<Traffic>);

impl<'a> Held<'a> {
    fn new(traffic: &'a Watched<Traffic>) -> Self {
        traffic.edit(|traffic| traffic.stalled += 1);
        Self(traffic)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.edit(|traffic| traffic.stalled -= 1);
    }
}
