//! The blocks that every exporter's configuration shares: `retry_on_failure`, `sending_queue`, `timeout`.
//!
//! Key names and shapes are those of the OpenTelemetry Collector's `exporterhelper`; defaults are those of an audit
//! trail: retry for ever. Keys that describe the Collector's in-memory queue are read and have no effect, because the
//! ledger is the queue.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Delivery, HumanDuration, Problems, StartAt};

/// `retry_on_failure:` of an exporter.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetryConfig {
    /// Whether to try again at all. Default true; false: a retryable answer dead-letters the records at once.
    pub enabled: Option<bool>,
    /// First back-off. Default 1s; more than 0.
    pub initial_interval: Option<HumanDuration>,
    /// Longest back-off. Default 60s; not below `initial_interval`.
    pub max_interval: Option<HumanDuration>,
    /// Growth from one back-off to the next. Default 1.5; at least 1.
    pub multiplier: Option<f64>,
    /// Share of a back-off that is random, 0 to 1. Default 0.5.
    pub randomization_factor: Option<f64>,
    /// After this long the records become dead letters. Default 0: never.
    pub max_elapsed_time: Option<HumanDuration>,
}

/// `sending_queue:` of an exporter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QueueConfig {
    /// Accepted and without effect: the ledger is the queue.
    pub enabled: Option<bool>,
    /// Most attempts under way at once; between 1 and this, the number adapts to the destination. Default 10.
    pub num_consumers: Option<usize>,
    /// Accepted and without effect: the ledger's size is the limit.
    pub queue_size: Option<u64>,
    /// What `queue_size` counts; also what `batch` counts, when `batch` does not say. `requests`, `items`, `bytes`.
    pub sizer: Option<Sizer>,
    /// Accepted and without effect: senders wait for the ledger, not for an exporter.
    pub block_on_overflow: Option<bool>,
    /// Accepted and without effect: senders always get the true outcome.
    pub wait_for_result: Option<bool>,
    /// Accepted and without effect: the ledger is the storage.
    pub storage: Option<String>,
    /// Where an exporter begins on a pipeline on which it was not before: `now` (default), or `beginning`, with the oldest
    /// record that the ledger has. It changes nothing for one that has a cursor.
    pub start_at: StartAt,
    /// Gathers records into larger requests. Default: an idle destination gets records at once, a busy one in full
    /// requests.
    pub batch: Option<BatchConfig>,
}

/// `sending_queue.batch:` of an exporter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BatchConfig {
    /// Longest wait for more records. Default 200ms; 0: none.
    pub flush_timeout: Option<HumanDuration>,
    /// Enough to send before that. Default 8192 items; with bytes, 0.
    pub min_size: Option<u64>,
    /// Most in one attempt. Default 0: the exporter's own limit.
    pub max_size: Option<u64>,
    /// What the sizes count: `items` (records) or `bytes`. Default: the queue's sizer if it is one of these, else items.
    pub sizer: Option<Sizer>,
    /// Accepted only empty: senders' metadata is not kept with the records.
    pub partition: PartitionConfig,
}

/// `sending_queue.batch.partition:` of an exporter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PartitionConfig {
    /// Must be empty.
    pub metadata_keys: Vec<String>,
}

/// What a size counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sizer {
    /// Requests, as senders made them.
    Requests,
    /// Records.
    Items,
    /// Bytes of records, measured as OTLP.
    Bytes,
}

/// The three shared blocks of one exporter, as its configuration holds them.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryConfig<'a> {
    /// `retry_on_failure`.
    pub retry: &'a RetryConfig,
    /// `sending_queue`.
    pub queue: &'a QueueConfig,
    /// `timeout`.
    pub timeout: Option<HumanDuration>,
}

impl DeliveryConfig<'_> {
    /// How to drive the exporter: what is written, over the exporter's own `defaults`.
    #[must_use]
    pub fn delivery(&self, defaults: Delivery) -> Delivery {
        let mut delivery = defaults;
        self.retry.apply(&mut delivery);
        self.queue.apply(&mut delivery);
        if let Some(timeout) = self.timeout.filter(|t| !t.0.is_zero()) {
            delivery.attempt_timeout = timeout.0;
        }
        delivery
    }

    /// Reports everything wrong with the three blocks; `problems` stands at the exporter's block.
    pub fn check(&self, problems: &mut Problems) {
        problems.at("retry_on_failure", |p| self.retry.check(p));
        problems.at("sending_queue", |p| self.queue.check(p));
        if self.timeout.is_some_and(|t| t.0.is_zero()) {
            problems.at("timeout", |p| {
                p.warning("0 has no effect: an attempt always has a time limit")
                    .help("leave it out for the default");
            });
        }
    }
}

impl RetryConfig {
    /// Writes what is given into `delivery.retry`.
    pub fn apply(&self, delivery: &mut Delivery) {
        let retry = &mut delivery.retry;
        retry.enabled = self.enabled.unwrap_or(retry.enabled);
        retry.initial = self.initial_interval.map_or(retry.initial, |d| d.0);
        retry.max = self
            .max_interval
            .map_or(retry.max, |d| d.0)
            .max(retry.initial);
        retry.multiplier = self.multiplier.unwrap_or(retry.multiplier);
        retry.randomization = self.randomization_factor.unwrap_or(retry.randomization);
        if let Some(limit) = self.max_elapsed_time {
            retry.max_elapsed = Some(limit.0).filter(|d| !d.is_zero());
        }
    }

    /// Reports values out of bounds.
    pub fn check(&self, problems: &mut Problems) {
        if self.initial_interval.is_some_and(|d| d.0.is_zero()) {
            problems.at("initial_interval", |p| {
                p.error("must be more than 0");
            });
        }
        if let (Some(initial), Some(max)) = (self.initial_interval, self.max_interval)
            && max < initial
        {
            problems.at("max_interval", |p| {
                p.error("is shorter than initial_interval");
            });
        }
        if self
            .multiplier
            .is_some_and(|m| !(1.0..=1000.0).contains(&m))
        {
            problems.at("multiplier", |p| {
                p.error("must be between 1 and 1000");
            });
        }
        if self
            .randomization_factor
            .is_some_and(|r| !(0.0..=1.0).contains(&r))
        {
            problems.at("randomization_factor", |p| {
                p.error("must be between 0 and 1");
            });
        }
        if let Some(limit) = self.max_elapsed_time.filter(|d| !d.0.is_zero()) {
            problems.at("max_elapsed_time", |p| {
                p.warning(format!(
                    "records that a destination does not take within {limit:?} become dead letters"
                ))
                .help("leave it out, or write 0, to try for ever");
            });
        }
    }
}

impl QueueConfig {
    /// Writes what is given into `delivery.batching` and `delivery.max_concurrency`.
    pub fn apply(&self, delivery: &mut Delivery) {
        delivery.max_concurrency = self
            .num_consumers
            .unwrap_or(delivery.max_concurrency)
            .max(1);
        delivery.start_at = self.start_at;
        let Some(batch) = &self.batch else { return };
        let batching = &mut delivery.batching;
        delivery.batching_is_explicit = true;
        let size = |n: Option<u64>| usize::try_from(n.unwrap_or(0)).unwrap_or(usize::MAX);
        let flush = batch
            .flush_timeout
            .map_or(Duration::from_millis(200), |d| d.0);
        batching.timeout = Some(flush).filter(|d| !d.is_zero());
        if self.batch_sizer() == Sizer::Bytes {
            // Batches are filled by bytes up to `max_bytes` only, so a minimum is where a full batch begins.
            let (min, max) = (size(batch.min_size), size(batch.max_size));
            batching.max_bytes = if max > 0 {
                max
            } else {
                batching.max_bytes.max(min)
            };
            batching.min_records = 0;
        } else {
            let (min, max) = (
                batch.min_size.map_or(8192, |n| size(Some(n))),
                size(batch.max_size),
            );
            batching.max_records = if max > 0 { max } else { batching.max_records };
            batching.min_records = if batching.max_records == 0 {
                min
            } else {
                min.min(batching.max_records)
            };
        }
    }

    /// Reports values out of bounds, and what has no effect.
    pub fn check(&self, problems: &mut Problems) {
        if self.num_consumers == Some(0) {
            problems.at("num_consumers", |p| {
                p.error("must be at least 1");
            });
        }
        if self.enabled == Some(false) {
            problems.at("enabled", |p| {
                p.warning("has no effect: the ledger is the queue");
            });
        }
        if self.storage.is_some() {
            problems.at("storage", |p| {
                p.warning("has no effect: the ledger is the storage")
                    .help("configure service.ledger");
            });
        }
        let Some(batch) = &self.batch else { return };
        problems.at("batch", |p| {
            if batch.sizer == Some(Sizer::Requests) {
                p.at("sizer", |p| {
                    p.error("a batch is sized in `items` or `bytes`");
                });
            }
            if let (Some(min), Some(max)) = (batch.min_size, batch.max_size)
                && max > 0
                && max < min
            {
                p.at("max_size", |p| {
                    p.error("is less than min_size");
                });
            }
            if !batch.partition.metadata_keys.is_empty() {
                p.at("partition", |p| {
                    p.at("metadata_keys", |p| {
                        p.error("senders' metadata is not kept with the records")
                            .help("remove the key");
                    });
                });
            }
        });
    }

    fn batch_sizer(&self) -> Sizer {
        let written = self.batch.as_ref().and_then(|b| b.sizer).or(self.sizer);
        if written == Some(Sizer::Bytes) {
            Sizer::Bytes
        } else {
            Sizer::Items
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duration(text: &str) -> Option<HumanDuration> {
        Some(HumanDuration::parse(text).expect("a duration"))
    }

    #[test]
    fn nothing_written_keeps_the_exporters_defaults_and_retries_for_ever() {
        let config = DeliveryConfig {
            retry: &RetryConfig::default(),
            queue: &QueueConfig::default(),
            timeout: None,
        };
        let delivery = config.delivery(Delivery::default());
        assert_eq!(delivery, Delivery::default());
        assert_eq!(delivery.retry.max_elapsed, None);
    }

    #[test]
    fn what_is_written_wins_and_a_max_elapsed_time_of_0_is_for_ever() {
        let retry = RetryConfig {
            initial_interval: duration("2s"),
            max_elapsed_time: duration("0"),
            ..RetryConfig::default()
        };
        let batch = BatchConfig {
            flush_timeout: duration("5s"),
            max_size: Some(500),
            ..BatchConfig::default()
        };
        let queue = QueueConfig {
            num_consumers: Some(3),
            batch: Some(batch),
            ..QueueConfig::default()
        };
        let mut defaults = Delivery::default();
        defaults.retry.max_elapsed = Some(Duration::from_secs(1));
        let delivery = DeliveryConfig {
            retry: &retry,
            queue: &queue,
            timeout: duration("7s"),
        }
        .delivery(defaults);
        assert_eq!(
            (delivery.retry.initial, delivery.retry.max_elapsed),
            (Duration::from_secs(2), None)
        );
        assert_eq!(
            (delivery.batching.max_records, delivery.batching.min_records),
            (500, 500)
        );
        assert_eq!(delivery.batching.timeout, Some(Duration::from_secs(5)));
        assert!(delivery.batching_is_explicit);
        assert_eq!(
            (delivery.max_concurrency, delivery.attempt_timeout),
            (3, Duration::from_secs(7))
        );
    }

    #[test]
    fn a_batch_in_bytes_bounds_bytes_and_leaves_the_record_limit() {
        let batch = BatchConfig {
            max_size: Some(5_000_000),
            ..BatchConfig::default()
        };
        let queue = QueueConfig {
            sizer: Some(Sizer::Bytes),
            batch: Some(batch),
            ..QueueConfig::default()
        };
        let mut delivery = Delivery::default();
        queue.apply(&mut delivery);
        assert_eq!(
            (delivery.batching.max_bytes, delivery.batching.max_records),
            (5_000_000, 1_000)
        );
    }

    #[test]
    fn every_value_out_of_bounds_is_reported_at_its_key() {
        let retry = RetryConfig {
            initial_interval: duration("0"),
            max_interval: duration("1s"),
            multiplier: Some(f64::NAN),
            randomization_factor: Some(1.1),
            ..RetryConfig::default()
        };
        let batch = BatchConfig {
            min_size: Some(9),
            max_size: Some(8),
            sizer: Some(Sizer::Requests),
            ..BatchConfig::default()
        };
        let queue = QueueConfig {
            num_consumers: Some(0),
            batch: Some(batch),
            ..QueueConfig::default()
        };
        let mut problems = Problems::new();
        DeliveryConfig {
            retry: &retry,
            queue: &queue,
            timeout: duration("0"),
        }
        .check(&mut problems);
        let keys: Vec<_> = problems
            .found
            .iter()
            .filter_map(|p| p.path.last())
            .map(|k| format!("{k:?}"))
            .collect();
        for key in [
            "initial_interval",
            "multiplier",
            "randomization_factor",
            "num_consumers",
            "sizer",
            "max_size",
            "timeout",
        ] {
            assert!(keys.iter().any(|k| k.contains(key)), "{key} in {keys:?}");
        }
    }
}
