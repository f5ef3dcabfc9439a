//! The keys of a `debug` exporter, those of the OpenTelemetry Collector's.

use std::io::{self, Write};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{
    BuildContext, BuildError, BuiltExporter, Checked, Delivery, DeliveryConfig, ExporterConfig,
    HumanDuration, Problems, QueueConfig, RetryConfig, nearest,
};

use crate::Debug;

/// Shows records on the terminal.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How much is shown. Default `basic`.
    pub verbosity: Verbosity,
    /// How many batches are shown in each second before sampling begins. Default 2.
    pub sampling_initial: u64,
    /// After those, every how many-th batch is shown in that second. Default 1: all of them; 0: none.
    pub sampling_thereafter: u64,
    /// Accepted and without effect: records never go into Sluice's own log.
    pub use_internal_logger: bool,
    /// Where records are shown: `stdout` (default), `stderr`, or both.
    pub output_paths: Vec<String>,
    /// Longest that the terminal may take for a batch before it is tried again. Default 30s.
    pub timeout: Option<HumanDuration>,
    /// Patience with a terminal that takes nothing.
    pub retry_on_failure: RetryConfig,
    /// Gathering. Batches are shown one at a time whatever `num_consumers` is.
    pub sending_queue: QueueConfig,
}

/// How much is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verbosity {
    /// One line a batch: how many records. No content.
    #[default]
    Basic,
    /// One line a record.
    Normal,
    /// Every field of every record.
    Detailed,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            verbosity: Verbosity::Basic,
            sampling_initial: 2,
            sampling_thereafter: 1,
            use_internal_logger: true,
            output_paths: vec!["stdout".to_owned()],
            timeout: None,
            retry_on_failure: RetryConfig::default(),
            sending_queue: QueueConfig::default(),
        }
    }
}

impl Config {
    fn delivery(&self) -> DeliveryConfig<'_> {
        DeliveryConfig {
            retry: &self.retry_on_failure,
            queue: &self.sending_queue,
            timeout: self.timeout,
        }
    }
}

impl Checked for Config {
    fn check(&self, problems: &mut Problems) {
        problems.at("output_paths", |p| {
            if self.output_paths.is_empty() {
                p.error("is empty").help("write [stdout], or leave it out");
            }
            for (i, path) in self.output_paths.iter().enumerate() {
                if !matches!(path.as_str(), "stdout" | "stderr") {
                    let help = match nearest(path, ["stdout", "stderr"]) {
                        Some(name) => format!("did you mean `{name}`?"),
                        None => "write `stdout` or `stderr`; the `file` exporter writes files"
                            .to_owned(),
                    };
                    p.at(i, |p| {
                        p.error(format!("unknown output `{path}`")).help(help);
                    });
                }
            }
        });
        self.delivery().check(problems);
    }
}

impl ExporterConfig for Config {
    fn build(&self, _: &BuildContext) -> Result<Vec<BuiltExporter>, BuildError> {
        let outputs = self
            .output_paths
            .iter()
            .map(|path| -> Box<dyn Write + Send> {
                if path == "stderr" {
                    Box::new(io::stderr())
                } else {
                    Box::new(io::stdout())
                }
            });
        let delivery = Delivery {
            max_concurrency: 1,
            ..self.delivery().delivery(Delivery::default())
        };
        Ok(vec![BuiltExporter {
            key: String::new(),
            exporter: Arc::new(Debug::new(self, outputs.collect())),
            delivery,
        }])
    }
}
