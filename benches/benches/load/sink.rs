//! Destinations within the bench's own process: they read a request, count its records and answer as the real ones do.

use std::cell::RefCell;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What a destination speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Splunk's HTTP Event Collector.
    Splunk,
    /// OTLP over HTTP.
    Otlp,
}

/// A destination, down until [`Sink::up`].
#[derive(Debug)]
pub(crate) struct Sink {
    kind: Kind,
    pub(crate) address: SocketAddr,
    records: Arc<AtomicU64>,
    serving: Option<JoinSet<()>>,
}

impl Sink {
    /// A destination at a free port where nobody listens yet.
    pub(crate) fn down(kind: Kind) -> Self {
        let listener = StdListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        Self {
            kind,
            address,
            records: Arc::default(),
            serving: None,
        }
    }

    /// A destination that takes records.
    pub(crate) async fn start(kind: Kind) -> Self {
        let mut sink = Self::down(kind);
        sink.up().await;
        sink
    }

    /// From now on somebody listens there.
    pub(crate) async fn up(&mut self) {
        let listener = TcpListener::bind(self.address)
            .await
            .expect("the port is still free");
        let (kind, records) = (self.kind, self.records.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let records = records.clone();
                let answer = service_fn(move |request| answer(kind, request, records.clone()));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
                connections.spawn(async move {
                    // The peer hung up.
                    let _ = connection.await;
                });
            }
        });
        self.serving = Some(serving);
    }

    /// From now on nobody listens there, and whoever is connected is cut off.
    pub(crate) async fn leave(&mut self) {
        if let Some(mut serving) = self.serving.take() {
            serving.shutdown().await;
        }
    }

    /// What it speaks.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Records that it was sent.
    pub(crate) fn records(&self) -> u64 {
        self.records.load(Ordering::Acquire)
    }

    /// Waits until it has more than `records`; how many that are, and when that was.
    pub(crate) async fn has_more_than(&self, records: u64) -> (u64, Instant) {
        let began = Instant::now();
        loop {
            let now = self.records();
            if now > records {
                return (now, Instant::now());
            }
            assert!(began.elapsed() < Duration::from_secs(60), "nothing comes");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until it has `records`; when that was.
    ///
    /// # Panics
    /// Nothing has come for a minute, or more came than that.
    pub(crate) async fn has(&self, records: u64) -> Instant {
        let (mut seen, mut moved) = (self.records(), Instant::now());
        loop {
            let now = self.records();
            assert!(now <= records, "{now} records came, {records} were sent");
            if now == records {
                return Instant::now();
            }
            if now != seen {
                (seen, moved) = (now, Instant::now());
            }
            let silent = moved.elapsed();
            assert!(
                silent < Duration::from_secs(60),
                "{now} of {records} records came, and none for {silent:?}"
            );
            // The sink counts on every thread; asking is cheaper than telling.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

async fn answer(
    kind: Kind,
    request: Request<Incoming>,
    records: Arc<AtomicU64>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let is_gzip = request
        .headers()
        .get("content-encoding")
        .is_some_and(|v| v == "gzip");
    let body = request.into_body();
    let Ok(count) = (match kind {
        Kind::Splunk if !is_gzip => envelopes(body).await,
        _ => body.collect().await.map(|body| {
            let body = body.to_bytes();
            if is_gzip {
                PLAIN.with_borrow_mut(|plain| {
                    inflate(&body, plain);
                    count(kind, plain)
                })
            } else {
                count(kind, &body)
            }
        }),
    }) else {
        return Ok(Response::new(Full::default()));
    };
    records.fetch_add(count, Ordering::AcqRel);
    let (content_type, body) = match kind {
        Kind::Splunk => (
            "application/json",
            Bytes::from_static(br#"{"text":"Success","code":0}"#),
        ),
        Kind::Otlp => ("application/x-protobuf", Bytes::new()),
    };
    let response = Response::builder()
        .header("content-type", content_type)
        .body(Full::new(body));
    Ok(response.expect("a valid answer"))
}

/// A key of an envelope. Nothing in the payload looks like it.
const EVENT: &[u8] = b"\"event\":";

/// Counts the envelopes of a body as it comes, without keeping it: what the sink costs is taken from what is measured.
async fn envelopes(mut body: Incoming) -> Result<u64, hyper::Error> {
    let mut count = 0;
    // The end of what came before, too short to hold a key.
    let mut seam: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame?.into_data() else {
            continue;
        };
        seam.extend_from_slice(&chunk[..chunk.len().min(EVENT.len() - 1)]);
        count += memchr::memmem::find_iter(&seam, EVENT).count();
        count += memchr::memmem::find_iter(&chunk, EVENT).count();
        let end = if chunk.len() < EVENT.len() {
            &seam
        } else {
            &chunk[..]
        };
        seam = end[end.len().saturating_sub(EVENT.len() - 1)..].to_vec();
    }
    Ok(count as u64)
}

thread_local! {
    static PLAIN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn inflate(packed: &[u8], plain: &mut Vec<u8>) {
    // The last four bytes of a gzip member are the length of its content.
    let (_, length) = packed.split_last_chunk::<4>().expect("a gzip body");
    let length = u32::from_le_bytes(*length) as usize;
    plain.resize(length, 0);
    libdeflater::Decompressor::new()
        .gzip_decompress(packed, plain)
        .expect("a gzip body of one member");
}

fn count(kind: Kind, body: &[u8]) -> u64 {
    match kind {
        Kind::Splunk => memchr::memmem::find_iter(body, EVENT).count() as u64,
        Kind::Otlp => nested(body, &[1, 2, 2]),
    }
}

/// How many fields there are at the end of a path of field numbers.
fn nested(message: &[u8], path: &[u64]) -> u64 {
    let Some((wanted, rest)) = path.split_first() else {
        return 1;
    };
    let (mut at, mut found) = (0, 0);
    while at < message.len() {
        let key = varint(message, &mut at);
        match key & 7 {
            0 => {
                varint(message, &mut at);
            }
            1 => at += 8,
            5 => at += 4,
            _ => {
                let len = varint(message, &mut at) as usize;
                if key >> 3 == *wanted {
                    found += nested(&message[at..at + len], rest);
                }
                at += len;
            }
        }
    }
    found
}

fn varint(message: &[u8], at: &mut usize) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = message[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value;
        }
        shift += 7;
    }
}
