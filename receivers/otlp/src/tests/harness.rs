//! A running receiver, and requests to send to it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use sluice_batch::{Batch, Signal};
use sluice_component::{
    BoxFuture, BuildContext, Consume, Extension, ExtensionConfig, Outlet, Receiver as _,
    Undelivered, Verdict,
};
use sluice_net::{
    Answer, Compression, CompressionParams, HttpClient, HttpClientConfig, Intake, Listener,
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use crate::Config;
use crate::receiver::OtlpReceiver;

pub(super) fn context(extensions: &[(&str, &dyn ExtensionConfig)]) -> BuildContext {
    let bare = BuildContext::alone("otlp");
    let built: HashMap<String, Extension> = extensions
        .iter()
        .map(|(id, config)| ((*id).to_owned(), config.build(&bare).unwrap()))
        .collect();
    BuildContext {
        extensions: Arc::new(built),
        ..bare
    }
}

/// Of a batch's sender: the address, and the headers named `x-tenant`.
type Told = (String, Vec<String>);
type Verdicts = Vec<(Range<u32>, Verdict)>;

/// What is behind the outlet: remembers what came, and says what the test wants.
#[derive(Clone, Default)]
pub(super) struct Sink {
    pub(super) taken: Arc<Mutex<Vec<(Signal, usize)>>>,
    pub(super) senders: Arc<Mutex<Vec<Told>>>,
    pub(super) verdicts: Arc<Mutex<Verdicts>>,
    /// Told when a delivery begins.
    pub(super) begun: Arc<Notify>,
    /// While true, deliveries wait.
    pub(super) is_held: Arc<watch::Sender<bool>>,
}

impl Consume for Sink {
    fn consume(&self, batch: Batch) -> BoxFuture<'static, Result<(), Undelivered>> {
        let sink = self.clone();
        Box::pin(async move {
            sink.begun.notify_one();
            sink.is_held
                .subscribe()
                .wait_for(|is_held| !is_held)
                .await
                .unwrap();
            sink.taken
                .lock()
                .unwrap()
                .push((batch.signal(), batch.len()));
            let sender = batch.sender().unwrap();
            sink.senders.lock().unwrap().push((
                sender.address().unwrap().to_string(),
                sender.metadata("X-Tenant").map(str::to_owned).collect(),
            ));
            let verdicts = sink.verdicts.lock().unwrap().clone();
            if verdicts.is_empty() {
                Ok(())
            } else {
                Err(Undelivered {
                    verdicts,
                    source: Some("internal detail".into()),
                })
            }
        })
    }
}

pub(super) struct Running {
    pub(super) grpc: SocketAddr,
    pub(super) http: SocketAddr,
    pub(super) sink: Sink,
    pub(super) stop: CancellationToken,
    _guard: DropGuard,
}

pub(super) const BOTH: &str =
    r#"{"protocols": {"grpc": {"endpoint": "127.0.0.1:0"}, "http": {"endpoint": "127.0.0.1:0"}}}"#;

pub(super) fn start() -> Running {
    start_with(BOTH, &context(&[]), |_, _| {})
}

pub(super) fn start_with(
    config: &str,
    context: &BuildContext,
    mut change: impl FnMut(&mut Listener, &mut Intake),
) -> Running {
    let config: Config = serde_json::from_str(config).unwrap();
    let mut addresses = Vec::new();
    let receiver = OtlpReceiver::new(&config, context)
        .unwrap()
        .adjust(|listener, intake| {
            addresses.push(listener.address());
            change(listener, intake);
        });
    let (sink, stop) = (Sink::default(), CancellationToken::new());
    tokio::spawn(Box::new(receiver).run(Outlet::new(Box::new(sink.clone())), stop.clone()));
    Running {
        grpc: addresses[0],
        http: addresses[1],
        sink,
        stop: stop.clone(),
        _guard: stop.drop_guard(),
    }
}

/// With a limit for one request's bytes.
pub(super) fn start_limited(limit: usize) -> Running {
    start_with(BOTH, &context(&[]), |_, intake| intake.limit = limit)
}

impl Running {
    pub(super) fn answering(self, verdicts: &[(Range<u32>, Verdict)]) -> Self {
        *self.sink.verdicts.lock().unwrap() = verdicts.to_vec();
        self
    }

    /// Deliveries wait from now on, or go on.
    pub(super) fn hold(&self, is_held: bool) {
        self.sink.is_held.send_replace(is_held);
    }

    pub(super) fn taken(&self) -> Vec<(Signal, usize)> {
        self.sink.taken.lock().unwrap().clone()
    }

    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let url = Url::parse(&format!("http://{}{path}", self.http)).unwrap();
        send(&plain_client(), method, &url, headers, body)
            .await
            .unwrap()
    }

    pub(super) async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        self.request(Method::POST, path, headers, body).await
    }
}

fn plain_client() -> HttpClient {
    HttpClientConfig::default().build(&context(&[])).unwrap()
}

pub(super) async fn send(
    client: &HttpClient,
    method: Method,
    url: &Url,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Result<Answer, sluice_net::SendError> {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        })
        .collect();
    client
        .send(method, url, headers, body.into(), Duration::from_secs(20))
        .await
}

pub(super) const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
pub(super) const JSON: (&str, &str) = ("content-type", "application/json");
pub(super) const SIGNALS: [(Signal, &str, &str); 3] = [
    (
        Signal::Logs,
        "/v1/logs",
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    ),
    (
        Signal::Traces,
        "/v1/traces",
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    ),
    (
        Signal::Metrics,
        "/v1/metrics",
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    ),
];

pub(super) fn logs(records: usize) -> ExportLogsServiceRequest {
    let record = |i| LogRecord {
        time_unix_nano: 1 + i as u64,
        event_name: format!("event {i}"),
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs {
        log_records: (0..records).map(record).collect(),
        ..ScopeLogs::default()
    }];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs,
            ..ResourceLogs::default()
        }],
    }
}

pub(super) fn traces(records: usize) -> ExportTraceServiceRequest {
    let span = |i| Span {
        trace_id: vec![7; 16],
        span_id: vec![8; 8],
        name: format!("span {i}"),
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans {
        spans: (0..records).map(span).collect(),
        ..ScopeSpans::default()
    }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans,
            ..ResourceSpans::default()
        }],
    }
}

pub(super) fn metrics(records: usize) -> ExportMetricsServiceRequest {
    let point = |i| NumberDataPoint {
        value: Some(number_data_point::Value::AsInt(i as i64)),
        ..NumberDataPoint::default()
    };
    let data = metric::Data::Gauge(Gauge {
        data_points: (0..records).map(point).collect(),
    });
    let metrics = vec![Metric {
        name: "m".to_owned(),
        data: Some(data),
        ..Metric::default()
    }];
    let scope_metrics = vec![ScopeMetrics {
        metrics,
        ..ScopeMetrics::default()
    }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics,
            ..ResourceMetrics::default()
        }],
    }
}

pub(super) fn protobuf(signal: Signal, records: usize) -> Vec<u8> {
    match signal {
        Signal::Logs => logs(records).encode_to_vec(),
        Signal::Traces => traces(records).encode_to_vec(),
        Signal::Metrics => metrics(records).encode_to_vec(),
    }
}

pub(super) fn json(signal: Signal, records: usize) -> Vec<u8> {
    match signal {
        Signal::Logs => serde_json::to_vec(&logs(records)),
        Signal::Traces => serde_json::to_vec(&traces(records)),
        Signal::Metrics => serde_json::to_vec(&metrics(records)),
    }
    .unwrap()
}

pub(super) fn pack(compression: Compression, body: &[u8]) -> Vec<u8> {
    compression
        .compress(CompressionParams::default(), body)
        .unwrap()
}

/// A logs request of exactly this many bytes.
pub(super) fn logs_of_size(bytes: usize) -> Vec<u8> {
    let size = |text: usize| {
        let mut request = logs(1);
        request.resource_logs[0].scope_logs[0].log_records[0].severity_text = "x".repeat(text);
        request.encode_to_vec()
    };
    let overhead = size(bytes).len() - bytes;
    let body = size(bytes - overhead);
    assert_eq!(body.len(), bytes);
    body
}
