//! `webhook`: answers the posts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use sluice_component::{
    BoxError, BoxFuture, BuildContext, BuildError, EventId, Fate, IdClaim, IdMemory, Outlet,
    Receiver, Seen,
};
use sluice_net::{Gate, Intake, Listener, Reply, Respond};
use tokio_util::sync::CancellationToken;

use crate::Config;
use crate::formats::{Delivery, Mapping};
use crate::intake::{Body, deliver, empty, error, json, now, take, try_again};
use crate::verify::{Rejection, Verifier};

/// Most delivery ids remembered against replay.
const MAX_DELIVERIES: usize = 100_000;

/// The receiver: a bound socket and what it takes to answer on it.
#[derive(Debug)]
pub struct Webhook {
    listener: Listener,
    pub(crate) desk: Desk,
}

#[derive(Debug)]
pub(crate) struct Desk {
    component: String,
    path: String,
    pub(crate) intake: Intake,
    gate: Gate,
    verifier: Option<(Verifier, Arc<IdMemory>)>,
    mapping: Mapping,
    rejections: Arc<Rejections>,
}

impl Webhook {
    /// Binds the socket and loads the keys.
    ///
    /// # Errors
    /// The address cannot be bound, or a key or certificate is of no use.
    pub fn bind(config: &Config, context: &BuildContext) -> Result<Self, BuildError> {
        let server = config.server();
        let verifier = config
            .verify
            .as_ref()
            .map(|verify| verify.build())
            .transpose()?;
        Ok(Self {
            listener: server.bind(context)?,
            desk: Desk {
                component: context.id.to_string(),
                path: config.path.clone(),
                intake: server.intake(),
                gate: server.gate(context)?,
                verifier: verifier.map(|verifier| {
                    let window = verifier.replay_window();
                    let memory = IdMemory::over(context.kept(), window, MAX_DELIVERIES);
                    (verifier, memory)
                }),
                mapping: config.mapping(),
                rejections: Arc::default(),
            },
        })
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> std::net::SocketAddr {
        self.listener.address()
    }

    /// How many requests were answered 401, by reason. Counts on while the receiver runs.
    #[must_use]
    pub fn rejections(&self) -> Arc<Rejections> {
        Arc::clone(&self.desk.rejections)
    }
}

impl Receiver for Webhook {
    fn run(
        self: Box<Self>,
        outlet: Outlet,
        stop: CancellationToken,
    ) -> BoxFuture<'static, Result<(), BoxError>> {
        let respond = Arc::new(Open {
            desk: self.desk,
            outlet,
        });
        // Before the future: the port is taken over when this returns.
        let served = self.listener.serve("http", respond, stop);
        Box::pin(async move { served.await.map_err(Into::into) })
    }
}

/// A desk with somewhere to put what it takes.
struct Open {
    desk: Desk,
    outlet: Outlet,
}

impl Respond for Open {
    async fn respond(&self, request: Request<Incoming>) -> Response<Reply> {
        self.desk
            .answer(&self.outlet, request)
            .await
            .unwrap_or_else(|refusal| refusal)
    }
}

impl Desk {
    async fn answer(
        &self,
        outlet: &Outlet,
        request: Request<Incoming>,
    ) -> Result<Response<Reply>, Response<Reply>> {
        if request.uri().path() != self.path {
            return Err(error(
                StatusCode::NOT_FOUND,
                "nothing is taken in at this path",
            ));
        }
        if request.method() != Method::POST {
            let mut response = error(StatusCode::METHOD_NOT_ALLOWED, "events are sent with POST");
            response
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static("POST"));
            return Err(response);
        }
        let (headers, body) = take(&self.intake, &self.gate, request).await?;
        let delivery = self.verify(&headers, &body).map_err(|rejection| {
            self.rejections.count(rejection, &self.component);
            empty(StatusCode::UNAUTHORIZED)
        })?;
        let claim = match &delivery {
            Some((delivery, memory)) => {
                let id = EventId::new(delivery.as_bytes());
                Some(first_of(id, memory).await?)
            }
            None => None,
        };
        let batch = self
            .mapping
            .batch(
                body.plain(),
                now(),
                delivery.as_ref().map(|(delivery, _)| delivery),
            )
            .map_err(|cause| error(cause.status(), &cause.to_string()))?;
        Ok(deliver(outlet, batch, body, claim).await)
    }

    /// Ok: the request may come in; with the identity of its delivery, if it has one.
    fn verify(
        &self,
        headers: &HeaderMap,
        body: &Body,
    ) -> Result<Option<(Delivery, &Arc<IdMemory>)>, Rejection> {
        let Some((verifier, memory)) = &self.verifier else {
            return Ok(None);
        };
        let now = SystemTime::now();
        // The schemes do not say which bytes are meant when a body is compressed; a signature over either proves it.
        let id = verifier
            .verify(headers, body.plain(), now)
            .or_else(|rejection| match body.packed() {
                Some(packed) => verifier.verify(headers, packed, now),
                None => Err(rejection),
            })?;
        // Another body under the same id is no repetition: dropping it would lose it.
        Ok(id.map(|id| (Delivery::new(&id, body.plain()), memory)))
    }
}

/// Claims a delivery. Err answers a repetition: 200 when the first was delivered, after waiting for its fate if it is
/// still under way, and 503 when that one failed.
async fn first_of(id: EventId, memory: &Arc<IdMemory>) -> Result<IdClaim, Response<Reply>> {
    let (seen, claim) = memory.claim([id]);
    let fate = match seen.into_iter().next() {
        Some(Seen::First) | None => return Ok(claim),
        Some(Seen::Again) => Fate::Delivered,
        Some(Seen::Pending(wait)) => wait.await,
    };
    Err(match fate {
        Fate::Delivered => json(
            StatusCode::OK,
            r#"{"accepted":0,"repeated":true}"#.to_owned(),
        ),
        Fate::GivenBack => try_again(Duration::from_secs(1)),
    })
}

/// Requests answered 401, by reason.
#[derive(Debug, Default)]
pub struct Rejections {
    missing: AtomicU64,
    stale: AtomicU64,
    mismatch: AtomicU64,
    unknown_key: AtomicU64,
}

impl Rejections {
    /// How many for this reason.
    #[must_use]
    pub fn of(&self, reason: Rejection) -> u64 {
        self.counter(reason).load(Ordering::Relaxed)
    }

    fn counter(&self, reason: Rejection) -> &AtomicU64 {
        match reason {
            Rejection::Missing => &self.missing,
            Rejection::Stale => &self.stale,
            Rejection::Mismatch => &self.mismatch,
            Rejection::UnknownKey => &self.unknown_key,
        }
    }

    /// Counts one, and logs it when the count for its reason has doubled: the first at once, an attack in few lines.
    fn count(&self, reason: Rejection, component: &str) {
        let count = self.counter(reason).fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_power_of_two() {
            tracing::warn!(component, %reason, count, "requests refused as unverified");
        }
    }
}
