//! `siem_bridge:` keys.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{
    BuildContext, BuildError, BuiltExporter, Checked, Delivery, DeliveryConfig, ExporterConfig,
    HumanDuration, Problems, QueueConfig, RetryConfig,
};

use super::Destination;

/// The gateway vendors' own batching: 500 events or 5 seconds.
const VENDOR_RECORDS: usize = 500;
const VENDOR_WAIT: Duration = Duration::from_secs(5);

/// Exporter `siem_bridge`: a list of destinations.
#[derive(Clone, Debug, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to deliver; every record goes to each. At least one.
    pub destinations: Vec<Destination>,
    /// Longest that one request may take. Default: the destination's.
    pub timeout: Option<HumanDuration>,
    /// Back-off, for all destinations.
    pub retry_on_failure: RetryConfig,
    /// Batching and concurrency, for all destinations. Default: 500 records or 5 seconds.
    pub sending_queue: QueueConfig,
}

impl Checked for Config {
    fn check(&self, problems: &mut Problems) {
        self.shared().check(problems);
        if self.destinations.is_empty() {
            problems
                .error("`destinations` is empty")
                .help("write at least one, such as `- {destination: splunk_hec, …}`");
        }
        let mut keys: Vec<String> = Vec::new();
        for (at, destination) in self.destinations.iter().enumerate() {
            problems.at("destinations", |p| {
                p.at(at, |p| {
                    destination.check(p);
                    let key = destination.key();
                    if keys.contains(&key) {
                        p.error("has the same type, endpoint and index as an earlier destination")
                            .help("remove one of them");
                    }
                    keys.push(key);
                });
            });
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        let tls = self.destinations.iter().filter_map(|d| d.tls.as_ref());
        tls.flat_map(sluice_net::TlsClientConfig::files).collect()
    }
}

impl ExporterConfig for Config {
    fn build(&self, context: &BuildContext) -> Result<Vec<BuiltExporter>, BuildError> {
        let mut built = Vec::new();
        for destination in &self.destinations {
            let key = destination.key();
            let exporters = destination
                .build(self.timeout, context)
                .map_err(|e| BuildError(format!("{key}: {e}")))?;
            for exporter in exporters {
                let delivery = self.delivery(exporter.delivery);
                built.push(BuiltExporter {
                    key: key.clone(),
                    delivery,
                    ..exporter
                });
            }
        }
        Ok(built)
    }
}

impl Config {
    fn shared(&self) -> DeliveryConfig<'_> {
        // The destinations know the timeout: it bounds each of their requests.
        DeliveryConfig {
            retry: &self.retry_on_failure,
            queue: &self.sending_queue,
            timeout: None,
        }
    }

    /// The vendors' batching over what a destination's exporter would do, and what is written over both.
    fn delivery(&self, mut delivery: Delivery) -> Delivery {
        let batching = &mut delivery.batching;
        (batching.max_records, batching.min_records) = (VENDOR_RECORDS, VENDOR_RECORDS);
        batching.timeout = Some(VENDOR_WAIT);
        delivery.batching_is_explicit = true;
        self.shared().delivery(delivery)
    }
}
