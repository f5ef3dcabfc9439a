//! Elasticsearch 8 and 9, OpenSearch 2 and 3.
//!
//! ```text
//!  records ──encode──▶ one Payload ──▶ POST /_bulk (create, _id = event id) ──answer──▶ a verdict for each item
//! ```
//!
//! `create` with the event's own id makes repeated records harmless: the second answers 409 and counts as delivered.

mod answer;
mod config;
mod document;
mod ecs;
mod encode;
mod endpoints;
mod index;
mod setup;
#[cfg(test)]
mod tests;

pub use config::{
    Config, Discover, Enabled, Flush, IdMode, LogstashFormat, Mapping, MappingMode, Retry, Setup,
    Telemetry, Template,
};

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, header};
use sluice_batch::{Batch, Signal};
use sluice_component::{
    BuildContext, BuildError, BuiltExporter, Exporter, ExporterConfig, Undelivered, Verdict,
};

use crate::delivery::{Destination, Limits, Outcome, Verdicts, deliver};
use encode::{Encoder, Route};
use endpoints::Endpoints;
use setup::SetUp;

/// Delivers to one cluster.
#[derive(Debug)]
pub struct Elasticsearch {
    endpoints: Endpoints,
    encoder: Encoder,
    set_up: SetUp,
    limits: Limits,
    patience: Duration,
}

impl ExporterConfig for Config {
    fn build(&self, context: &BuildContext) -> Result<Vec<BuiltExporter>, BuildError> {
        let authorization = self.authorization();
        let mut fixed: Vec<(HeaderName, &str)> = Vec::new();
        if let Some(value) = &authorization {
            fixed.push((header::AUTHORIZATION, value.expose()));
        }
        let http = self.http().build(context, self.request_timeout(), &fixed)?;
        let exporter = Elasticsearch {
            endpoints: Endpoints::new(http, self.urls()?, self.bulk_query()),
            encoder: Encoder::new(self)?,
            set_up: SetUp::new(self),
            limits: self.limits(),
            patience: self.patience(),
        };
        Ok(vec![BuiltExporter {
            key: String::new(),
            exporter: Arc::new(exporter),
            delivery: self.delivery(),
        }])
    }
}

impl Exporter for Elasticsearch {
    async fn export(&self, batch: &Batch) -> Result<(), Undelivered> {
        if batch.signal() != Signal::Logs {
            let why = format!(
                "elasticsearch delivers logs only: take it out of the {} pipelines",
                batch.signal().name()
            );
            return Err(Undelivered::all(batch.len(), Verdict::Refused(why)));
        }
        let mut verdicts = Verdicts::default();
        let payloads = self.encoder.encode(batch, &mut verdicts);
        deliver(self, payloads, self.limits, self.patience, &mut verdicts).await;
        verdicts.into_result()
    }
}

impl Destination for Elasticsearch {
    type Route = Route;

    async fn request(&self, route: &Route, body: Bytes, records: usize) -> Outcome {
        if let Err(outcome) = self.set_up.done(&self.endpoints).await {
            return outcome;
        }
        self.endpoints.bulk(body, records, route.is_own).await
    }
}

/// What a batch becomes on the wire, before it is cut into requests and compressed: to measure it, and to look at it.
///
/// # Errors
/// The index's pattern is none.
pub fn encode(config: &Config, batch: &Batch) -> Result<Vec<u8>, BuildError> {
    let payloads = Encoder::new(config)?.encode(batch, &mut Verdicts::default());
    let [own, named] = payloads.map(crate::delivery::Payload::into_bytes);
    Ok(if named.is_empty() {
        own
    } else {
        [own, named].concat()
    })
}
