//! Unary gRPC over HTTP/2: one length-prefixed message in, one out, the status in the trailers.

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, header};

use super::{Decoder, Otlp, Signal};
use crate::Reply;
use crate::encoding::{self, Unreadable};

const UNAUTHENTICATED: u32 = 16;
const INVALID_ARGUMENT: u32 = 3;
const UNIMPLEMENTED: u32 = 12;
const RESOURCE_EXHAUSTED: u32 = 8;

impl Otlp {
    pub(super) fn grpc(&self, signal: Signal, request: &Request<Bytes>) -> Response<Reply> {
        if !self.authorized(request.headers()) {
            return refusal(UNAUTHENTICATED, "unauthenticated");
        }
        let taken = self
            .message(request.headers(), request.body())
            .and_then(|message| {
                self.take(signal, Decoder::Protobuf, &message)
                    .map_err(|why| (INVALID_ARGUMENT, why))
            });
        let answer = match taken {
            Ok(answer) => answer,
            Err((code, why)) => return refusal(code, &why),
        };
        let mut body = BytesMut::with_capacity(answer.len() + 5);
        body.put_u8(0);
        body.put_u32(u32::try_from(answer.len()).expect("an answer is a few bytes"));
        body.put(answer);
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let mut response = Response::new(Reply {
            body: body.freeze(),
            trailers: Some(trailers),
        });
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/grpc"),
        );
        response
    }

    /// The request's one message, decompressed.
    fn message(&self, headers: &HeaderMap, body: &Bytes) -> Result<Bytes, (u32, String)> {
        let limit = self.options.max_grpc_bytes;
        let broken = || {
            (
                INVALID_ARGUMENT,
                "the body is not one gRPC message".to_owned(),
            )
        };
        let too_large = |bytes: usize| {
            (
                RESOURCE_EXHAUSTED,
                format!("grpc: received message larger than max ({bytes} vs. {limit})"),
            )
        };
        let (prefix, message) = body.split_at_checked(5).ok_or_else(broken)?;
        let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
        if length > limit {
            return Err(too_large(length));
        }
        if length != message.len() {
            return Err(broken());
        }
        let message = body.slice(5..);
        if prefix[0] == 0 {
            return Ok(message);
        }
        let encoding = headers
            .get("grpc-encoding")
            .and_then(|value| value.to_str().ok())
            .unwrap_or("identity");
        let decoded = match encoding {
            "gzip" => encoding::read(flate2::read::MultiGzDecoder::new(&message[..]), limit),
            "zstd" if self.options.zstd => zstd::stream::read::Decoder::new(&message[..])
                .map_err(|_| Unreadable::Corrupt)
                .and_then(|decoder| encoding::read(decoder, limit)),
            _ => Err(Unreadable::Unsupported),
        };
        decoded.map_err(|why| match why {
            Unreadable::Unsupported => (
                UNIMPLEMENTED,
                format!("grpc: Decompressor is not installed for grpc-encoding \"{encoding}\""),
            ),
            Unreadable::Corrupt => broken(),
            Unreadable::TooLarge => too_large(limit + 1),
        })
    }
}

/// An answer of a status alone ("Trailers-Only").
pub(super) fn refusal(code: u32, message: &str) -> Response<Reply> {
    let answer = super::grpc_answer(code, message, None);
    let mut response = Response::new(Reply::from(answer.body));
    *response.headers_mut() = answer.headers;
    response
}
