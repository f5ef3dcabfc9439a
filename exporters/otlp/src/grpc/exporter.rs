//! One request over gRPC.

use std::error::Error as _;
use std::ops::Range;
use std::time::Duration;

use ::http::uri::PathAndQuery;
use bytes::{Buf as _, BufMut as _, Bytes};
use sluice_batch::{Batch, Signal};
use sluice_component::{After, Exporter, Undelivered, Verdict};
use sluice_net::{GrpcClient, SendError};
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Request, Status};

use crate::answer::{self, Answer};
use crate::delivery::{Destination, Limits, deliver};
use crate::{response, retry_info};

/// Sends batches to one OTLP/gRPC server.
pub(crate) struct OtlpGrpc {
    pub(crate) client: GrpcClient,
    pub(crate) compression: Option<CompressionEncoding>,
    pub(crate) timeout: Duration,
    pub(crate) limits: Limits,
    pub(crate) retry_exhausted: bool,
}

impl Exporter for OtlpGrpc {
    async fn export(&self, batch: &Batch) -> Result<(), Undelivered> {
        deliver(self, batch, self.limits).await
    }
}

impl Destination for OtlpGrpc {
    fn encode(&self, batch: &Batch, records: Range<usize>) -> Vec<u8> {
        let mut request = Vec::new();
        batch.encode_into(records, &mut request);
        request
    }

    async fn send(&self, signal: Signal, request: Vec<u8>) -> Answer {
        let mut grpc = tonic::client::Grpc::new(self.client.channel.clone())
            .accept_compressed(CompressionEncoding::Gzip);
        if let Some(encoding) = self.compression {
            grpc = grpc.send_compressed(encoding);
        }
        let mut request = Request::new(Bytes::from(request));
        self.client.add_metadata(request.metadata_mut());
        let exchange = async {
            grpc.ready()
                .await
                .map_err(|error| Status::from_error(error.into()))?;
            grpc.unary(request, method(signal), Raw).await
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Err(_) => Answer::Undecided {
                verdict: Verdict::Retry(After::Backoff),
                source: Some(SendError::Timeout(self.timeout).into()),
            },
            Ok(Ok(answer)) => response::of_protobuf(&answer.into_inner()),
            Ok(Err(status)) => match connection_failure(&status) {
                Some(cause) => Answer::Undecided {
                    verdict: Verdict::Retry(After::Backoff),
                    source: Some(cause.into()),
                },
                None => answer::of_grpc(
                    status.code(),
                    retry_info::retry_delay(status.details()),
                    status.message(),
                    self.retry_exhausted,
                ),
            },
        }
    }
}

/// Why the connection failed (refused, no such name, a certificate), if no server spoke: those words are this side's
/// own, and may be logged.
fn connection_failure(status: &Status) -> Option<String> {
    let mut cause = status.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return Some(format!("the connection failed: {error}"));
        }
        cause = error.source();
    }
    None
}

fn method(signal: Signal) -> PathAndQuery {
    PathAndQuery::from_static(match signal {
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    })
}

/// Messages that are encoded already: a batch keeps its protobuf, so nothing is built up only to be encoded again.
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.reserve(message.len());
        out.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}
