//! One request over HTTP.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use ::http::{HeaderMap, HeaderValue, Method, header};
use bytes::Bytes;
use prost::Message as _;
use sluice_batch::{Batch, Signal};
use sluice_component::{After, Exporter, Undelivered, Verdict};
use sluice_net::{Answer as Reply, Compression, CompressionParams, HttpClient, retry_after};
use url::Url;

use super::Encoding;
use crate::answer::{self, Answer};
use crate::delivery::{Destination, Limits, deliver};
use crate::{response, retry_info};

const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("sluice/", env!("CARGO_PKG_VERSION")));

/// Sends batches to one OTLP/HTTP server.
pub(crate) struct OtlpHttp {
    pub(crate) client: HttpClient,
    /// For logs, traces, metrics.
    pub(crate) urls: [Option<Url>; 3],
    pub(crate) encoding: Encoding,
    pub(crate) compression: Compression,
    pub(crate) compression_params: CompressionParams,
    pub(crate) timeout: Duration,
    pub(crate) limits: Limits,
}

impl Exporter for OtlpHttp {
    async fn export(&self, batch: &Batch) -> Result<(), Undelivered> {
        deliver(self, batch, self.limits).await
    }
}

impl Destination for OtlpHttp {
    fn encode(&self, batch: &Batch, records: Range<usize>) -> Vec<u8> {
        let mut request = Vec::new();
        match self.encoding {
            Encoding::Proto => batch.encode_into(records, &mut request),
            Encoding::Json => batch.encode_json_into(records, &mut request),
        }
        request
    }

    async fn send(&self, signal: Signal, request: Vec<u8>) -> Answer {
        let Some(url) = &self.urls[signal as usize] else {
            let reason = format!(
                "no URL for {0}: configure `endpoint` or `{0}_endpoint`",
                signal.name()
            );
            return Answer::Undecided {
                verdict: Verdict::Hold(reason),
                source: None,
            };
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, USER_AGENT);
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(self.content_type()),
        );
        let body = match self.compression.content_encoding() {
            None => request,
            Some(encoding) => {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
                match self.compression.compress(self.compression_params, &request) {
                    Ok(body) => body,
                    Err(error) => {
                        return Answer::Undecided {
                            verdict: Verdict::Retry(After::Backoff),
                            source: Some(error.into()),
                        };
                    }
                }
            }
        };
        match self
            .client
            .send(Method::POST, url, headers, Bytes::from(body), self.timeout)
            .await
        {
            Ok(reply) => self.judge(&reply),
            Err(error) => Answer::Undecided {
                verdict: Verdict::Retry(After::Backoff),
                source: Some(error.into()),
            },
        }
    }
}

impl OtlpHttp {
    fn content_type(&self) -> &'static str {
        match self.encoding {
            Encoding::Proto => "application/x-protobuf",
            Encoding::Json => "application/json",
        }
    }

    fn judge(&self, reply: &Reply) -> Answer {
        let content_type = reply
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let is = |kind: &str| {
            content_type
                .split(';')
                .next()
                .is_some_and(|given| given.trim().eq_ignore_ascii_case(kind))
        };
        if reply.status.is_success() {
            if is("text/html") {
                // A login page, a captive portal, a proxy: whoever answers so took no record.
                let reason = "the destination answered success with a web page: the endpoint is no OTLP server".to_owned();
                return Answer::Undecided {
                    verdict: Verdict::Hold(reason),
                    source: None,
                };
            }
            return if is("application/json") {
                response::of_json(&reply.body)
            } else {
                response::of_protobuf(&reply.body)
            };
        }
        let said = if is("application/x-protobuf") {
            retry_info::Status::decode(reply.body.clone())
                .map(|status| status.message)
                .unwrap_or_default()
        } else if is("application/json") {
            serde_json::from_slice::<serde_json::Value>(&reply.body)
                .ok()
                .and_then(|body| body["message"].as_str().map(str::to_owned))
                .unwrap_or_default()
        } else if is("text/plain") {
            String::from_utf8_lossy(&reply.body[..reply.body.len().min(1024)]).into_owned()
        } else {
            String::new()
        };
        answer::of_http(
            reply.status,
            retry_after(&reply.headers, SystemTime::now()),
            &said,
        )
    }
}
