//! The Collector's keys.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{
    Batching, BuildContext, BuildError, Checked, HumanDuration, Problems, ProcessorConfig, Stage,
};

/// Batching defaults for the pipeline's exporters; an exporter with batching settings of its own keeps those.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long an exporter waits for `send_batch_size` records before it sends fewer. Default 200ms. `0` sends at
    /// once; while a destination is busy, records gather anyway.
    pub timeout: HumanDuration,
    /// Enough records to send before `timeout`. Default 8192. `0` sends at once.
    pub send_batch_size: usize,
    /// Most records sent together; more are split. Default 0: no limit by count (a limit of 4 MiB always holds). Not
    /// less than `send_batch_size`.
    pub send_batch_max_size: usize,
    /// The Collector's batches by client metadata. Accepted without effect, with a warning: Sluice keeps no client
    /// metadata beyond the request.
    pub metadata_keys: Vec<String>,
    /// Accepted without effect, like `metadata_keys`. Default 1000.
    pub metadata_cardinality_limit: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timeout: HumanDuration(Duration::from_millis(200)),
            send_batch_size: 8192,
            send_batch_max_size: 0,
            metadata_keys: Vec::new(),
            metadata_cardinality_limit: 1000,
        }
    }
}

impl Config {
    /// What the exporters' gathering becomes.
    #[must_use]
    pub fn batching(&self) -> Batching {
        let waits = !self.timeout.0.is_zero() && self.send_batch_size > 0;
        Batching {
            max_records: self.send_batch_max_size,
            timeout: waits.then_some(self.timeout.0),
            min_records: if waits { self.send_batch_size } else { 0 },
            ..Batching::default()
        }
    }
}

impl Checked for Config {
    fn check(&self, problems: &mut Problems) {
        if self.send_batch_max_size > 0 && self.send_batch_max_size < self.send_batch_size {
            problems.at("send_batch_max_size", |p| {
                p.error(format!("{} is less than send_batch_size ({})", self.send_batch_max_size, self.send_batch_size))
                    .help("raise send_batch_max_size, lower send_batch_size, or leave it at 0 for no limit");
            });
        }
        if !self.metadata_keys.is_empty() {
            problems.at("metadata_keys", |p| {
                p.warning("has no effect: batches are not kept apart by client metadata")
                    .help("remove it");
            });
        }
    }
}

impl ProcessorConfig for Config {
    fn build(&self, _: &BuildContext) -> Result<Stage, BuildError> {
        Ok(Stage::Batching(self.batching()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(config: &Config) -> Vec<(bool, String)> {
        let mut problems = Problems::new();
        config.check(&mut problems);
        problems
            .found
            .iter()
            .map(|p| {
                (
                    p.severity == sluice_component::Severity::Error,
                    p.message.clone(),
                )
            })
            .collect()
    }

    #[test]
    fn the_collectors_defaults_wait_200_ms_for_8192_records() {
        let batching = Config::default().batching();
        assert_eq!(
            (batching.timeout, batching.min_records, batching.max_records),
            (Some(Duration::from_millis(200)), 8192, 0)
        );
        assert_eq!(batching.max_bytes, Batching::default().max_bytes);
    }

    #[test]
    fn no_timeout_or_no_size_means_at_once() {
        for config in [
            Config {
                timeout: HumanDuration(Duration::ZERO),
                ..Config::default()
            },
            Config {
                send_batch_size: 0,
                ..Config::default()
            },
        ] {
            let batching = config.batching();
            assert_eq!((batching.timeout, batching.min_records), (None, 0));
        }
    }

    #[test]
    fn a_maximum_below_the_minimum_is_an_error_and_an_equal_one_is_not() {
        let config = |max| Config {
            send_batch_size: 10,
            send_batch_max_size: max,
            ..Config::default()
        };
        assert_eq!(
            checked(&config(9)),
            [(true, "9 is less than send_batch_size (10)".to_owned())]
        );
        assert!(checked(&config(10)).is_empty());
    }

    #[test]
    fn metadata_keys_are_a_warning() {
        let found = checked(&Config {
            metadata_keys: vec!["tenant".into()],
            ..Config::default()
        });
        assert_eq!(found.len(), 1);
        assert!(!found[0].0);
    }
}
