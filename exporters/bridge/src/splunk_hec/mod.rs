//! Splunk's HTTP Event Collector.
//!
//! ```text
//!  records ──encode──▶ one Payload for each (index, token) ──▶ POST /services/collector/event ──answer──▶ verdicts
//!                                                          └─ ackId ──▶ acks: POST /services/collector/ack
//! ```

mod ack;
mod answer;
mod beside;
mod config;
mod encode;
mod head;
#[cfg(test)]
mod tests;

pub use config::{AckMode, Config, Heartbeat, HecFields, HecMetadata, Telemetry};

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use parking_lot::Mutex;
use sluice_batch::Batch;
use sluice_component::{
    After, BuildContext, BuildError, BuiltExporter, Exporter, ExporterConfig, Undelivered,
};
use url::Url;

use crate::delivery::{Destination, Http, Limits, Outcome, Verdicts, deliver, parse_url};
use ack::Acks;
use answer::Reply;
use encode::{Encoder, Route};

const CHANNEL: HeaderName = HeaderName::from_static("x-splunk-request-channel");

/// Delivers to one HTTP Event Collector.
#[derive(Debug)]
pub struct SplunkHec {
    http: std::sync::Arc<Http>,
    url: Url,
    health_url: Option<Url>,
    token: HeaderValue,
    encoder: Encoder,
    limits: Limits,
    patience: Duration,
    ack: AckMode,
    acks: Acks,
    /// Whether this collector has ever given an ackId.
    has_acknowledged: AtomicBool,
    /// Whether the last answer was a success that no collector gives.
    was_odd: AtomicBool,
    is_healthy: AtomicBool,
}

impl ExporterConfig for Config {
    fn build(&self, context: &BuildContext) -> Result<Vec<BuiltExporter>, BuildError> {
        let exporter = SplunkHec::new(self, context)?;
        Ok(vec![BuiltExporter {
            key: String::new(),
            exporter: std::sync::Arc::new(exporter),
            delivery: self.delivery(),
        }])
    }
}

impl SplunkHec {
    fn new(config: &Config, context: &BuildContext) -> Result<Self, BuildError> {
        let url = config.url()?;
        let channel = uuid::Uuid::new_v4().to_string();
        let agent = format!("{}/{}", config.app_name(), config.app_version());
        let fixed = [
            (CHANNEL, channel.as_str()),
            (header::CONTENT_TYPE, "application/json"),
            (header::USER_AGENT, agent.as_str()),
            (
                HeaderName::from_static("__splunk_app_name"),
                config.app_name(),
            ),
            (
                HeaderName::from_static("__splunk_app_version"),
                config.app_version(),
            ),
        ];
        let http = std::sync::Arc::new(config.http().build(
            context,
            config.request_timeout(),
            &fixed,
        )?);
        let mut health_url = parse_url(&config.endpoint)?;
        health_url.set_path(&config.health_path);
        Ok(Self {
            acks: Acks::new(
                std::sync::Arc::clone(&http),
                config.ack_url(&url),
                config.ack,
                config.ack_timing(),
            ),
            http,
            health_url: config.health_check_enabled.then_some(health_url),
            url,
            token: authorization(config.token.expose())
                .ok_or_else(|| BuildError("token: not a header's text".to_owned()))?,
            encoder: Encoder::new(config),
            limits: config.limits(),
            patience: config.patience(),
            ack: config.ack,
            has_acknowledged: AtomicBool::new(false),
            was_odd: AtomicBool::new(false),
            is_healthy: AtomicBool::new(false),
        })
    }

    /// Whether a record counts only once its ackId is confirmed, as far as is known by now.
    fn awaits_acks(&self) -> bool {
        match self.ack {
            AckMode::Auto => self.has_acknowledged.load(Ordering::Relaxed),
            AckMode::Required => true,
            AckMode::Off => false,
        }
    }

    fn token(&self, route: &Route) -> HeaderValue {
        route
            .token
            .as_ref()
            .and_then(|token| authorization(token.expose()))
            .unwrap_or_else(|| self.token.clone())
    }

    /// Asks once, before the first records, whether the collector is up (`health_check_enabled`).
    async fn health(&self) -> Result<(), Outcome> {
        let Some(url) = self
            .health_url
            .as_ref()
            .filter(|_| !self.is_healthy.load(Ordering::Relaxed))
        else {
            return Ok(());
        };
        let answer = self
            .http
            .send(Method::GET, url, HeaderMap::new(), Bytes::new())
            .await;
        let answer = answer.map_err(|error| Outcome::Retry(After::Backoff, error.to_string()))?;
        if answer.status.is_success() {
            self.is_healthy.store(true, Ordering::Relaxed);
            return Ok(());
        }
        let reply = Reply {
            status: answer.status.as_u16(),
            body: &answer.body,
            after: answer.after(),
        };
        Err(
            match reply.outcome(&answer::Sent {
                records: 1,
                bytes: 0,
                awaits_acks: false,
                was_odd: false,
                is_own_index: true,
                is_own_token: true,
            }) {
                Outcome::Hold(why) => Outcome::Hold(format!("health check: {why}")),
                Outcome::Retry(after, why) => Outcome::Retry(after, format!("health check: {why}")),
                _ => Outcome::Retry(After::Backoff, "health check: not healthy".to_owned()),
            },
        )
    }
}

/// The `Authorization` of a token.
fn authorization(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Splunk {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// When an answer asks to come back.
trait AnswerExt {
    fn after(&self) -> After;
}

impl AnswerExt for sluice_net::Answer {
    fn after(&self) -> After {
        crate::retry_after::retry_after(&self.headers, SystemTime::now())
    }
}

impl Exporter for SplunkHec {
    async fn export(&self, batch: &Batch) -> Result<(), Undelivered> {
        let mut verdicts = Verdicts::default();
        let payloads = self.encoder.encode(batch, &mut verdicts);
        let attempt = Attempt {
            hec: self,
            told: Mutex::default(),
        };
        deliver(
            &attempt,
            payloads,
            self.limits,
            self.patience,
            &mut verdicts,
        )
        .await;
        verdicts.into_result()
    }
}

/// One `export`, and where it is told what became of each ackId that it got.
struct Attempt<'h> {
    hec: &'h SplunkHec,
    told: Mutex<Vec<Option<ack::Told>>>,
}

impl Destination for Attempt<'_> {
    type Route = Route;

    async fn request(&self, route: &Route, body: Bytes, records: usize) -> Outcome {
        let hec = self.hec;
        if let Err(outcome) = hec.health().await {
            return outcome;
        }
        let bytes = body.len();
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, hec.token(route));
        let answer = match hec.http.post(&hec.url, headers, body).await {
            Ok(answer) => answer,
            Err(error) => return Outcome::Retry(After::Backoff, error.to_string()),
        };
        let reply = Reply {
            status: answer.status.as_u16(),
            body: &answer.body,
            after: answer.after(),
        };
        let was_odd = hec.was_odd.swap(reply.is_odd(), Ordering::Relaxed);
        let sent = answer::Sent {
            records,
            bytes,
            awaits_acks: hec.awaits_acks(),
            was_odd,
            is_own_index: route.is_own_index,
            is_own_token: route.token.is_none(),
        };
        match (reply.outcome(&sent), hec.ack) {
            (Outcome::Receipt(_), AckMode::Off) => Outcome::Taken,
            (Outcome::Receipt(id), _) => {
                hec.has_acknowledged.store(true, Ordering::Relaxed);
                // Asked for from now on: a collector that begins its numbers anew gives this one to another attempt.
                let mut told = self.told.lock();
                told.push(Some(hec.acks.register(hec.token(route), id)));
                Outcome::Receipt(told.len() as u64 - 1)
            }
            (Outcome::Taken, AckMode::Required) => sent.token_is_bad(
                "the answer holds no ackId, and `ack: required` counts nothing as delivered without: enable indexer \
                 acknowledgement for this token"
                    .to_owned(),
            ),
            (outcome, _) => outcome,
        }
    }

    async fn confirm(&self, route: &Route, receipt: u64) -> Result<(), Outcome> {
        let told = usize::try_from(receipt)
            .ok()
            .and_then(|at| self.told.lock().get_mut(at)?.take());
        match self.hec.acks.confirmed(told).await {
            Err(Outcome::Hold(why)) if route.token.is_some() => Err(Outcome::Refused(why)),
            answer => answer,
        }
    }
}

/// What a batch becomes on the wire, before it is cut into requests and compressed: to measure it, and to look at it.
#[must_use]
pub fn encode(config: &Config, batch: &Batch) -> Vec<u8> {
    let payloads = Encoder::new(config).encode(batch, &mut Verdicts::default());
    let mut bodies = payloads
        .into_iter()
        .map(crate::delivery::Payload::into_bytes);
    let mut all = bodies.next().unwrap_or_default();
    bodies.for_each(|body| all.extend_from_slice(&body));
    all
}
