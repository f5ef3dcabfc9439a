//! Datadog Logs.
//!
//! ```text
//!  records ──encode──▶ one Payload ──▶ POST https://http-intake.logs.SITE/api/v2/logs ──answer──▶ verdicts
//! ```
//!
//! Datadog accepts without telling what becomes of a log: it cuts logs over 1 MB and throws away old ones, both with a
//! 202. So both are settled here, before anything is sent. It knows no idempotency key: a repeated log is stored twice,
//! and `event_id` tells.

mod answer;
mod config;
mod encode;
mod key_check;
mod tags;
#[cfg(test)]
mod tests;

pub use config::{ApiConfig, CompressionKind, Config, HostMetadata, LogsConfig, Stale};

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, header};
use sluice_batch::{Batch, Signal};
use sluice_component::{
    After, BuildContext, BuildError, BuiltExporter, Exporter, ExporterConfig, Undelivered, Verdict,
};
use url::Url;

use crate::delivery::{Destination, Framing, Http, Limits, Outcome, Verdicts, deliver, parse_url};
use encode::Encoder;
use key_check::KeyCheck;

/// Vendor limits: 5 MB a request before compression, of which some room is kept, and 1000 logs.
const LIMITS: Limits = Limits {
    max_bytes: 4_250_000,
    max_records: 1_000,
    framing: Framing::JsonArray,
};
/// A larger log would be cut by the intake.
const MAX_LOG_BYTES: usize = 1_000_000;

/// Delivers to one Datadog organisation.
#[derive(Debug)]
pub struct Datadog {
    http: Http,
    url: Url,
    encoder: Encoder,
    /// `None`: there is nobody to ask.
    key_check: Option<KeyCheck>,
    patience: Duration,
}

impl ExporterConfig for Config {
    fn build(&self, context: &BuildContext) -> Result<Vec<BuiltExporter>, BuildError> {
        let fixed = [
            (HeaderName::from_static("dd-api-key"), self.api.key.expose()),
            (header::CONTENT_TYPE, "application/json"),
            (HeaderName::from_static("dd-evp-origin"), "sluice"),
            (
                HeaderName::from_static("dd-evp-origin-version"),
                env!("CARGO_PKG_VERSION"),
            ),
        ];
        let exporter = Datadog {
            http: self.http().build(context, self.request_timeout(), &fixed)?,
            url: parse_url(&self.url())?,
            encoder: Encoder::new(self),
            key_check: self.key_check()?,
            patience: self.patience(),
        };
        Ok(vec![BuiltExporter {
            key: String::new(),
            exporter: Arc::new(exporter),
            delivery: self.delivery(),
        }])
    }
}

impl Exporter for Datadog {
    async fn export(&self, batch: &Batch) -> Result<(), Undelivered> {
        if batch.signal() != Signal::Logs {
            let why = format!(
                "datadog delivers logs only: take it out of the {} pipelines",
                batch.signal().name()
            );
            return Err(Undelivered::all(batch.len(), Verdict::Refused(why)));
        }
        let mut verdicts = Verdicts::default();
        let payload = self.encoder.encode(batch, SystemTime::now(), &mut verdicts);
        deliver(self, [payload], LIMITS, self.patience, &mut verdicts).await;
        verdicts.into_result()
    }
}

impl Destination for Datadog {
    type Route = ();

    async fn request(&self, (): &(), body: Bytes, _records: usize) -> Outcome {
        if let Some(check) = &self.key_check
            && let Err(outcome) = check.done(&self.http).await
        {
            return outcome;
        }
        match self.http.post(&self.url, HeaderMap::new(), body).await {
            Ok(answer) => answer::outcome(
                answer.status.as_u16(),
                answer::after(&answer.headers, SystemTime::now()),
            ),
            Err(error) => Outcome::Retry(After::Backoff, error.to_string()),
        }
    }
}

/// What a batch becomes on the wire, before it is cut into requests and compressed: to measure it, and to look at it.
#[must_use]
pub fn encode(config: &Config, batch: &Batch) -> Vec<u8> {
    let payload = Encoder::new(config).encode(batch, SystemTime::now(), &mut Verdicts::default());
    payload.into_bytes()
}
