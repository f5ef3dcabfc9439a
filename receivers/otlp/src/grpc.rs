//! OTLP/gRPC: unary calls, framed by hand.
//!
//! A unary request is one message behind five bytes, a flag that says whether it is compressed and its length; the
//! answer is one such message and `grpc-status` in the trailers, or `grpc-status` alone in the headers
//! ([gRPC over HTTP2](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md)).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{Buf as _, BufMut as _, BytesMut};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use sluice_batch::Signal;
use sluice_net::body::discard;
use sluice_net::{Intake, IntakeError, Payload, Reply, Respond};

use crate::answer::{Failure, Partial, encode_response};
use crate::door::{Door, Form};

/// Bytes in front of a message.
const FRAME_HEADER: usize = 5;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// Answers OTLP/gRPC requests.
pub(crate) struct GrpcService {
    door: Door,
    /// The door's intake, with room for the frame header.
    framed: Intake,
}

impl GrpcService {
    pub(crate) fn new(door: Door) -> Self {
        let mut framed = door.intake.clone();
        framed.limit += FRAME_HEADER;
        Self { door, framed }
    }

    async fn export(&self, head: &Parts, body: Incoming) -> Result<Option<Partial>, Failure> {
        let headers = &head.headers;
        if let Err(failure) = self.door.admit(headers) {
            discard(headers, body).await;
            return Err(failure);
        }
        let Some(signal) = signal(head.uri.path()) else {
            discard(headers, body).await;
            return Err(Failure::unimplemented("unknown service or method"));
        };
        let limit = self.door.intake.limit;
        let framed = self
            .framed
            .collect(None, body)
            .await
            .map_err(|error| match error {
                IntakeError::TooLarge { .. } => IntakeError::TooLarge { limit },
                other => other,
            });
        let payload = self.message(headers, framed.map_err(Failure::of_intake)?)?;
        let sender = head.extensions.get().cloned();
        self.door
            .deliver(signal, Form::Protobuf, payload, sender)
            .await
    }

    /// The one message of a body, unpacked.
    fn message(&self, headers: &HeaderMap, mut framed: Payload) -> Result<Payload, Failure> {
        if framed.bytes.len() < FRAME_HEADER {
            return Err(Failure::malformed("the request holds no whole message"));
        }
        let flag = framed.bytes.get_u8();
        let length = framed.bytes.get_u32() as usize;
        if framed.bytes.len() != length {
            return Err(Failure::malformed(
                "the request must hold exactly one message, of the length that it announces",
            ));
        }
        match flag {
            0 => Ok(framed),
            1 => {
                let encoding = headers
                    .get(GRPC_ENCODING)
                    .and_then(|value| value.to_str().ok())
                    .unwrap_or("identity");
                if encoding == "identity" {
                    return Err(Failure::malformed(
                        "a compressed message without `grpc-encoding`",
                    ));
                }
                self.door
                    .intake
                    .unpack(encoding, framed)
                    .map_err(Failure::of_intake)
            }
            _ => Err(Failure::malformed("an unknown frame flag")),
        }
    }
}

fn signal(path: &str) -> Option<Signal> {
    match path {
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Some(Signal::Logs),
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Some(Signal::Traces),
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Some(Signal::Metrics),
        _ => None,
    }
}

impl Respond for GrpcService {
    async fn respond(&self, request: Request<Incoming>) -> Response<Reply> {
        let (head, body) = request.into_parts();
        let content_type = head
            .headers
            .get(CONTENT_TYPE)
            .map_or(&b""[..], HeaderValue::as_bytes);
        let is_grpc = match content_type.strip_prefix(b"application/grpc") {
            Some(rest) => rest.is_empty() || rest.starts_with(b"+proto") || rest.starts_with(b";"),
            None => false,
        };
        if !is_grpc || head.method != Method::POST {
            discard(&head.headers, body).await;
            return Reply::text(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "this port speaks gRPC only: POST with application/grpc",
            );
        }
        if head.version != Version::HTTP_2 {
            discard(&head.headers, body).await;
            return Reply::text(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "gRPC needs HTTP/2");
        }
        match self.export(&head, body).await {
            Ok(partial) => success(&encode_response(partial.as_ref(), Form::Protobuf)),
            Err(failure) => refuse(&failure),
        }
    }
}

fn success(message: &[u8]) -> Response<Reply> {
    let mut frame = BytesMut::with_capacity(FRAME_HEADER + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).expect("a response is a count and a short text"));
    frame.put_slice(message);
    let trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("0"))]);
    grpc_response(Reply::with_trailers(frame, trailers))
}

fn refuse(failure: &Failure) -> Response<Reply> {
    let mut response = grpc_response(Reply::default());
    let headers = response.headers_mut();
    headers.insert(GRPC_STATUS, HeaderValue::from(failure.code as i32));
    if let Ok(message) = HeaderValue::from_str(&percent_encoded(&failure.message)) {
        headers.insert(GRPC_MESSAGE, message);
    }
    if failure.delay.is_some()
        && let Ok(details) =
            HeaderValue::from_str(&STANDARD_NO_PAD.encode(failure.encode(Form::Protobuf)))
    {
        headers.insert(GRPC_DETAILS, details);
    }
    response
}

fn grpc_response(reply: Reply) -> Response<Reply> {
    let mut response = Response::new(reply);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(
        GRPC_ACCEPT_ENCODING,
        HeaderValue::from_static("identity,gzip,zstd,deflate"),
    );
    response
}

/// `grpc-message` holds printable ASCII without `%`; every other byte of its UTF-8 is `%XX`.
fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
