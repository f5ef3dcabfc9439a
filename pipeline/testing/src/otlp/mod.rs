//! A double of an OTLP server: gRPC and HTTP on one port, told apart by `Content-Type`.
//!
//! Written from the OTLP specification 1.11.0 (`opentelemetry-proto`, read in November 2026). It takes gRPC apart by
//! itself, so that what a client sends is judged by something other than the client's own library.

mod grpc;
mod status;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use status::{grpc_answer, http_answer};

use crate::encoding::{self, Unreadable};
use crate::{Destination, Reply, Watched};

/// An OTLP server on loopback.
pub type Double = crate::Double<Otlp>;

impl Double {
    /// Starts a server with the limits that are common in the field.
    ///
    /// # Panics
    /// Loopback has no free port.
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// Starts a server.
    ///
    /// # Panics
    /// Loopback has no free port.
    pub async fn start_with(options: Options) -> Self {
        Self::serve(Otlp {
            options,
            state: Watched::new(State::default()),
        })
        .await
    }
}

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Most bytes of a gRPC message, compressed or not; over it RESOURCE_EXHAUSTED without `RetryInfo`.
    pub max_grpc_bytes: usize,
    /// Most bytes of an HTTP body, compressed or not; over it 413.
    pub max_http_bytes: usize,
    /// Whether zstd is taken besides gzip (the protocol knows only gzip).
    pub zstd: bool,
    /// A header that every request must bring, in lower case, with its value; else 401 or UNAUTHENTICATED.
    pub required_header: Option<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_grpc_bytes: 4 << 20,
            max_http_bytes: 64 << 20,
            zstd: false,
            required_header: None,
        }
    }
}

/// The server's behaviour.
#[derive(Debug)]
pub struct Otlp {
    options: Options,
    state: Watched<State>,
}

/// What a server holds.
#[derive(Debug, Default)]
pub struct State {
    /// Log requests, in order.
    pub logs: Vec<ExportLogsServiceRequest>,
    /// Trace requests, in order.
    pub traces: Vec<ExportTraceServiceRequest>,
    /// Metric requests, in order.
    pub metrics: Vec<ExportMetricsServiceRequest>,
    partial: Vec<(i64, String)>,
}

impl State {
    /// All log records, in order.
    pub fn log_records(&self) -> impl Iterator<Item = &LogRecord> {
        self.logs
            .iter()
            .flat_map(|request| &request.resource_logs)
            .flat_map(|resource| &resource.scope_logs)
            .flat_map(|scope| &scope.log_records)
    }
}

impl Otlp {
    /// The next request is taken with a `partial_success` of this many rejected records. Which ones is not said, by
    /// the protocol; the request is kept whole.
    pub fn reject_in_next(&self, records: i64, message: &str) {
        self.state
            .edit(|state| state.partial.insert(0, (records, message.to_owned())));
    }

    fn authorized(&self, headers: &HeaderMap) -> bool {
        self.options
            .required_header
            .as_ref()
            .is_none_or(|(name, value)| {
                headers
                    .get(name)
                    .is_some_and(|given| given.as_bytes() == value.as_bytes())
            })
    }

    /// Decodes, keeps and confirms one message.
    fn take(&self, signal: Signal, decoder: Decoder, message: &[u8]) -> Result<Bytes, String> {
        match signal {
            Signal::Logs => self.keep(
                decoder,
                message,
                |state| &mut state.logs,
                |partial| ExportLogsServiceResponse {
                    partial_success: partial.map(|(rejected_log_records, error_message)| {
                        ExportLogsPartialSuccess {
                            rejected_log_records,
                            error_message,
                        }
                    }),
                },
            ),
            Signal::Traces => self.keep(
                decoder,
                message,
                |state| &mut state.traces,
                |partial| ExportTraceServiceResponse {
                    partial_success: partial.map(|(rejected_spans, error_message)| {
                        ExportTracePartialSuccess {
                            rejected_spans,
                            error_message,
                        }
                    }),
                },
            ),
            Signal::Metrics => self.keep(
                decoder,
                message,
                |state| &mut state.metrics,
                |partial| ExportMetricsServiceResponse {
                    partial_success: partial.map(|(rejected_data_points, error_message)| {
                        ExportMetricsPartialSuccess {
                            rejected_data_points,
                            error_message,
                        }
                    }),
                },
            ),
        }
    }

    fn keep<Q, A>(
        &self,
        decoder: Decoder,
        message: &[u8],
        shelf: fn(&mut State) -> &mut Vec<Q>,
        answer: fn(Option<(i64, String)>) -> A,
    ) -> Result<Bytes, String>
    where
        Q: Message + Default + DeserializeOwned,
        A: Message + Serialize,
    {
        let request = match decoder {
            Decoder::Protobuf => Q::decode(message).map_err(|error| error.to_string())?,
            Decoder::Json => serde_json::from_slice(message).map_err(|error| error.to_string())?,
        };
        let partial = self.state.edit(|state| {
            shelf(state).push(request);
            state.partial.pop()
        });
        let answer = answer(partial);
        match decoder {
            Decoder::Protobuf => Ok(answer.encode_to_vec().into()),
            Decoder::Json => serde_json::to_vec(&answer)
                .map(Bytes::from)
                .map_err(|error| error.to_string()),
        }
    }

    fn http(&self, signal: Signal, request: &Request<Bytes>) -> Response<Reply> {
        let headers = request.headers();
        let content_type = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let decoder = match content_type.split(';').next().unwrap_or_default().trim() {
            "application/x-protobuf" => Decoder::Protobuf,
            "application/json" => Decoder::Json,
            _ => return plain(415, "unsupported media type"),
        };
        let json = matches!(decoder, Decoder::Json);
        if request.method() != Method::POST {
            return plain(405, "only POST");
        }
        if !self.authorized(headers) {
            return status::http_reply(401, json, "unauthenticated");
        }
        let accepted: &[&str] = if self.options.zstd {
            &["gzip", "zstd"]
        } else {
            &["gzip"]
        };
        let body = match encoding::decode(
            headers,
            request.body(),
            accepted,
            self.options.max_http_bytes,
        ) {
            Ok(_) if request.body().len() > self.options.max_http_bytes => {
                return status::http_reply(413, json, "request too large");
            }
            Ok(body) => body,
            Err(Unreadable::TooLarge) => return status::http_reply(413, json, "request too large"),
            Err(Unreadable::Unsupported) => {
                return status::http_reply(415, json, "unsupported content encoding");
            }
            Err(Unreadable::Corrupt) => {
                return status::http_reply(400, json, "the body is not what Content-Encoding says");
            }
        };
        match self.take(signal, decoder, &body) {
            Ok(answer) => {
                let mut response = Response::new(Reply::from(answer));
                let content_type = if json {
                    "application/json"
                } else {
                    "application/x-protobuf"
                };
                response.headers_mut().insert(
                    header::CONTENT_TYPE,
                    http::HeaderValue::from_static(content_type),
                );
                response
            }
            Err(why) => status::http_reply(400, json, &why),
        }
    }
}

impl Destination for Otlp {
    type State = State;

    fn state(&self) -> &Watched<State> {
        &self.state
    }

    fn carries_data(&self, method: &Method, path: &str) -> bool {
        method == Method::POST
            && (Signal::of_method(path).is_some() || Signal::of_path(path).is_some())
    }

    fn answer(&self, request: Request<Bytes>) -> Response<Reply> {
        let path = request.uri().path();
        let is_grpc = request
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
        match (is_grpc, Signal::of_method(path), Signal::of_path(path)) {
            (true, Some(signal), _) => self.grpc(signal, &request),
            (true, None, _) => grpc::refusal(12, "unknown method"),
            (false, _, Some(signal)) => self.http(signal, &request),
            (false, _, None) => plain(404, "not found"),
        }
    }
}

#[derive(Clone, Copy)]
enum Decoder {
    Protobuf,
    Json,
}

#[derive(Clone, Copy)]
enum Signal {
    Logs,
    Traces,
    Metrics,
}

impl Signal {
    fn of_method(path: &str) -> Option<Self> {
        Some(match path {
            "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Self::Logs,
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Self::Traces,
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Self::Metrics,
            _ => return None,
        })
    }

    fn of_path(path: &str) -> Option<Self> {
        Some(match path {
            "/v1/logs" => Self::Logs,
            "/v1/traces" => Self::Traces,
            "/v1/metrics" => Self::Metrics,
            _ => return None,
        })
    }
}

fn plain(status: u16, text: &'static str) -> Response<Reply> {
    let mut response = Response::new(Reply::from(text));
    *response.status_mut() = StatusCode::from_u16(status).expect("a valid status");
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        http::HeaderValue::from_static("text/plain"),
    );
    response
}
