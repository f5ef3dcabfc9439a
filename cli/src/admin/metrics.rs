//! `/metrics` in the text format of Prometheus (version 0.0.4).

use std::fmt::Write as _;

use sluice_engine::{Control, State};

/// One value of a metric, with its labels.
type Sample<V> = (Vec<(&'static str, String)>, V);

/// Metrics as text.
#[derive(Debug, Default)]
pub(crate) struct Metrics(String);

impl Metrics {
    /// Something that goes up and down.
    pub(crate) fn gauge(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = Sample<f64>>,
    ) {
        self.head(name, "gauge", help);
        for (labels, value) in samples {
            self.sample(name, &labels, value);
        }
    }

    /// Something that only grows.
    pub(crate) fn counter(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = Sample<u64>>,
    ) {
        let name = format!("{name}_total");
        self.head(&name, "counter", help);
        for (labels, value) in samples {
            self.sample(&name, &labels, value as f64);
        }
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // A string takes whatever is written.
        let _ = write!(
            self.0,
            "# HELP sluice_{name} {help}\n# TYPE sluice_{name} {kind}\n"
        );
    }

    fn sample(&mut self, name: &str, labels: &[(&str, String)], value: f64) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(label, text)| {
                let text = text.replace('\\', r"\\").replace('"', "\\\"");
                format!("{label}=\"{}\"", text.replace('\n', r"\n"))
            })
            .collect();
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", labels.join(","))
        };
        let _ = writeln!(self.0, "sluice_{name}{labels} {value}");
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }

    /// What the graph tells of itself.
    pub(crate) fn of(control: &Control) -> Self {
        let mut metrics = Self::default();
        let health = control.health();
        let exporter = |name: &String| vec![("exporter", name.clone())];
        metrics.counter(
            "exporter_sent_records",
            "Records that the destination took.",
            health.iter().map(|(name, h)| (exporter(name), h.sent())),
        );
        metrics.counter(
            "exporter_refused_records",
            "Records that the destination refused for good.",
            health.iter().map(|(name, h)| (exporter(name), h.refused())),
        );
        metrics.counter(
            "exporter_failed_attempts",
            "Attempts that had to be repeated.",
            health
                .iter()
                .map(|(name, h)| (exporter(name), h.failed_attempts())),
        );
        metrics.gauge(
            "exporter_up",
            "1: the destination takes records. 0: it is tried again. -1: it refuses us, see its settings.",
            health.iter().map(|(name, h)| {
                let state = match h.state() {
                    State::Well => 1.0,
                    State::Retrying(_) => 0.0,
                    State::Held(_) => -1.0,
                };
                (exporter(name), state)
            }),
        );
        let Some(ledger) = control.ledger() else {
            return metrics;
        };
        let end = ledger.end();
        let cursors = ledger.cursors();
        metrics.gauge(
            "exporter_behind_records",
            "Records that the exporter has not passed yet.",
            cursors.iter().map(|(id, state)| {
                let labels = vec![
                    ("pipeline", id.pipeline.to_string()),
                    ("exporter", id.exporter.to_string()),
                ];
                (labels, end.saturating_sub(state.cursor.low()) as f64)
            }),
        );
        metrics.gauge(
            "dead_letters",
            "Records that a destination refused and that nobody has seen to.",
            ledger
                .dead_letters()
                .counts()
                .into_iter()
                .map(|(name, n)| (vec![("exporter", name.to_string())], n as f64)),
        );
        metrics.counter(
            "ledger_records",
            "Records that were ever made durable.",
            [(vec![], end)],
        );
        for (name, help, value) in [
            ("ledger_bytes", "Bytes on the disk.", ledger.bytes() as f64),
            (
                "ledger_max_bytes",
                "Most bytes that it may have.",
                ledger.max_bytes() as f64,
            ),
            (
                "ledger_full",
                "Whether senders are turned away because it is full.",
                f64::from(u8::from(ledger.is_full())),
            ),
            (
                "ledger_failing",
                "Whether the last write failed.",
                f64::from(u8::from(ledger.is_failing())),
            ),
        ] {
            metrics.gauge(name, help, [(vec![], value)]);
        }
        metrics
    }
}
