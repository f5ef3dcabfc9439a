//! The admin endpoint: what may be asked over HTTP on the loopback interface, without a password.
//!
//! | request | answer |
//! |---|---|
//! | `POST /-/reload` | [`Outcome`]; 200 when it went well, 422 when what ran goes on |
//! | `GET /-/healthy` | 200 while the process serves |
//! | `GET /api/v1/config` | what runs, secrets hidden, and how the last reload went |
//! | `GET /metrics` | Prometheus text |
//!
//! Whatever changes or shows records is on the socket in the ledger's directory alone.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, body::Body};
use sluice_engine::Control;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Metrics, refuse};
use crate::run::{Outcome, Reloads, Trigger};

/// What the routes need.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) control: Control,
    pub(crate) reloads: Arc<Reloads>,
    pub(crate) triggers: mpsc::Sender<Trigger>,
}

/// The routes, for the endpoint and for the socket.
pub(super) fn routes(desk: Desk) -> Router {
    Router::new()
        .route("/-/reload", post(reload))
        .route("/-/healthy", get(|| async { "healthy\n" }))
        .route("/api/v1/config", get(config))
        .route("/metrics", get(metrics))
        .with_state(desk)
}

/// Serves on a TCP socket until `stop`.
pub(crate) async fn serve(listener: TcpListener, desk: Desk, stop: CancellationToken) {
    let address = listener.local_addr();
    if let Ok(address) = &address {
        info!(%address, "admin endpoint");
    }
    let is_loopback = address.is_ok_and(|address| address.ip().is_loopback());
    let guard = middleware::from_fn_with_state(is_loopback, no_browsers);
    let routes = routes(desk).layer(guard);
    let served = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = served.await {
        warn!(%error, "the admin endpoint failed");
    }
}

/// A page in a browser on this machine can send requests here, too: it has nothing to say.
async fn no_browsers(
    State(is_loopback): State<bool>,
    request: Request<Body>,
    next: Next,
) -> Response {
    if is_of_a_page(request.headers(), is_loopback) {
        return refuse(StatusCode::FORBIDDEN, "not for browsers");
    }
    next.run(request).await
}

/// Whether a page sent it: it names its origin, or it came to the loopback interface by a name that somebody made lead
/// here.
fn is_of_a_page(headers: &HeaderMap, is_loopback: bool) -> bool {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
    let host = host.unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_foreign = name.contains('.') && address.is_err();
    headers.contains_key(header::ORIGIN) || (is_loopback && is_foreign)
}

async fn reload(State(desk): State<Desk>) -> Response {
    let (tell, told) = oneshot::channel();
    let asked = desk.triggers.send(Trigger::Request(tell)).await;
    let outcome: Result<Outcome, _> = told.await;
    match (asked, outcome) {
        (Ok(()), Ok(outcome)) => {
            let status = if outcome.success {
                StatusCode::OK
            } else {
                StatusCode::UNPROCESSABLE_ENTITY
            };
            (status, Json(outcome)).into_response()
        }
        _ => refuse(StatusCode::SERVICE_UNAVAILABLE, "the instance is stopping"),
    }
}

async fn config(State(desk): State<Desk>) -> Response {
    Json(desk.reloads.show()).into_response()
}

async fn metrics(State(desk): State<Desk>) -> Response {
    let mut metrics = Metrics::of(&desk.control);
    desk.reloads.metrics(&mut metrics);
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (kind, metrics.into_text()).into_response()
}
