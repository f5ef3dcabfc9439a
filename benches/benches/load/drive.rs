//! Senders: each has one connection and sends its next request once the last was answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::payload::Pool;

/// When senders stop.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// After this long.
    Time(Duration),
    /// When this many records were sent.
    Records(u64),
}

/// What the senders of one round saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    /// Records in requests that were answered 200.
    pub(crate) records: u64,
    /// Until the last answer.
    pub(crate) time: Duration,
    /// Of each request, ascending.
    pub(crate) latencies: Vec<Duration>,
}

impl Sent {
    /// The latency that this part of the requests stayed below.
    pub(crate) fn quantile(&self, part: f64) -> Duration {
        let at = (self.latencies.len() as f64 * part) as usize;
        let last = self.latencies.len().saturating_sub(1);
        self.latencies
            .get(at.min(last))
            .copied()
            .unwrap_or_default()
    }
}

/// Sends OTLP/HTTP requests of the pool.
///
/// # Panics
/// A request is not answered 200.
pub(crate) async fn send(to: SocketAddr, pool: &Pool, senders: usize, until: Until) -> Sent {
    let pool = Arc::new(pool.clone());
    let requests = Arc::new(AtomicU64::new(0));
    let (deadline, limit) = match until {
        Until::Time(time) => (Some(time), u64::MAX),
        Until::Records(records) => (None, records.div_ceil(pool.records)),
    };
    let mut connections = Vec::new();
    for _ in 0..senders {
        connections.push(connect(to).await);
    }
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for mut connection in connections {
        let (pool, requests) = (pool.clone(), requests.clone());
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while deadline.is_none_or(|d| began.elapsed() < d) {
                let n = requests.fetch_add(1, Ordering::Relaxed);
                if n >= limit {
                    break;
                }
                let at = Instant::now();
                post(&mut connection, to, pool.get(n)).await;
                latencies.push(at.elapsed());
            }
            latencies
        });
    }
    let mut latencies: Vec<Duration> = tasks.join_all().await.into_iter().flatten().collect();
    let time = began.elapsed();
    latencies.sort_unstable();
    Sent {
        records: latencies.len() as u64 * pool.records,
        time,
        latencies,
    }
}

async fn connect(to: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(to)
        .await
        .expect("somebody listens there");
    stream.set_nodelay(true).expect("an open socket");
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .expect("an open connection");
    tokio::spawn(connection);
    sender
}

async fn post(connection: &mut SendRequest<Full<Bytes>>, to: SocketAddr, body: Bytes) {
    let request = Request::post("/v1/logs")
        .header("host", to.to_string())
        .header("content-type", "application/x-protobuf")
        .body(Full::new(body))
        .expect("a valid request");
    connection.ready().await.expect("the connection stays open");
    let answer = connection.send_request(request).await.expect("an answer");
    let status = answer.status();
    let body = answer.into_body().collect().await.expect("a whole answer");
    assert!(
        status == 200,
        "{status}: {}",
        String::from_utf8_lossy(&body.to_bytes())
    );
}
