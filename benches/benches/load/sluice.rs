//! Sluice as a child process, with a pipeline file made for the scenario.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use sluice_tests::Sluice as Child;

use crate::place;
use crate::process::{Guard, Process};
use crate::sink::{Kind, Sink};

/// A running Sluice.
#[derive(Debug)]
pub(crate) struct Sluice {
    // Fields are dropped in this order: the guard first.
    _guard: Guard,
    child: Child,
    pub(crate) process: Process,
    pub(crate) otlp: SocketAddr,
}

/// Processors of the main job, with every detector.
pub(crate) const MAIN_JOB: &str = "\
processors:
  redaction:
    detectors: all
  classification:
    default: internal
    rules:
      - {tag: restricted, detectors: [secrets]}
      - {tag: confidential, detectors: [pii]}
";

/// A pipeline from OTLP to these sinks. `ledger` is the value of `service.ledger`.
pub(crate) fn file(processors: &str, sinks: &[&Sink], ledger: &str) -> String {
    let names: Vec<&str> = processors
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'))
        .filter(|name| !name.starts_with(' '))
        .collect();
    // A sink that comes up is to be tried at once: the wait is not what is measured.
    let impatient = "retry_on_failure: {initial_interval: 20ms, max_interval: 200ms}";
    let (mut exporters, mut ids) = (String::new(), Vec::new());
    for (n, sink) in sinks.iter().enumerate() {
        let (id, rest) = match sink.kind() {
            Kind::Splunk => (
                format!("splunk_hec/{n}"),
                format!(
                    "endpoint: 'http://{}/services/collector', token: t, index: ai_audit, sourcetype: policy_gateway_audit",
                    sink.address
                ),
            ),
            Kind::Otlp => (
                format!("otlp_http/{n}"),
                format!("endpoint: 'http://{}', compression: none", sink.address),
            ),
        };
        exporters += &format!("  {id}: {{{rest}, {impatient}}}\n");
        ids.push(id);
    }
    format!(
        "receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:0'}}}}}}}}\n{processors}exporters:\n{exporters}\
         service:\n  ledger: {ledger}\n  pipelines:\n    logs: {{receivers: [otlp], processors: [{}], exporters: [{}]}}\n",
        names.join(", "),
        ids.join(", ")
    )
}

impl Sluice {
    /// Starts it on a pipeline file, with its data in a fresh directory.
    pub(crate) async fn start(file: &str) -> Self {
        let child = Child::start_in(Arc::new(place::directory()), file, &[]);
        let process = Process(child.id());
        let guard = Guard::over(process);
        let otlp = child.address("otlp", "http").await;
        Self {
            _guard: guard,
            child,
            process,
            otlp,
        }
    }

    /// The file that it runs.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.child.directory().join("pipeline.yaml")
    }

    /// Where its ledger is.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.child.directory().join("sluice-ledger")
    }
}
