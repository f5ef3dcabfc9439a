//! The three destinations side by side.

use std::collections::BTreeMap;

use sluice_testing::{datadog, elastic, splunk};
use sluice_tests::Event;

use crate::settings;

/// A double of each.
pub(crate) struct Siems {
    pub(crate) splunk: splunk::Double,
    pub(crate) datadog: datadog::Double,
    pub(crate) elastic: elastic::Double,
}

impl Siems {
    pub(crate) async fn start() -> Self {
        Self {
            splunk: splunk::Double::start().await,
            datadog: datadog::Double::start().await,
            elastic: elastic::Double::start().await,
        }
    }

    /// The pipeline file that delivers to all three.
    pub(crate) fn file(&self, processors: &[&str]) -> String {
        let exporters = [
            settings::splunk(&self.splunk.url("/services/collector"), ""),
            settings::datadog(&self.datadog.url("")),
            settings::elastic(&self.elastic.url("")),
        ];
        settings::file(processors, &exporters)
    }

    /// How often each event id arrived, destination by destination.
    pub(crate) fn arrivals(&self) -> [(&'static str, BTreeMap<String, usize>); 3] {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or("(no id)").to_owned();
        [
            (
                "splunk",
                count(self.splunk.read(|state| {
                    state
                        .events
                        .iter()
                        .map(|event| text(&event.event()["event_id"]))
                        .collect()
                })),
            ),
            (
                "datadog",
                count(self.datadog.read(|state| {
                    state
                        .logs
                        .iter()
                        .map(|log| text(log.get("event_id")))
                        .collect()
                })),
            ),
            (
                "elastic",
                count(self.elastic.read(|state| {
                    state
                        .documents
                        .iter()
                        .map(|document| document.id.clone())
                        .collect()
                })),
            ),
        ]
    }

    /// Every destination holds exactly these events, each once.
    #[track_caller]
    pub(crate) fn assert_exactly_once<'a>(&self, events: impl IntoIterator<Item = &'a Event>) {
        let expected: BTreeMap<String, usize> = events
            .into_iter()
            .map(|event| (event.id().to_owned(), 1))
            .collect();
        for (destination, arrived) in self.arrivals() {
            assert_once(destination, &arrived, &expected);
        }
    }

    /// Everything that arrived, as one text.
    pub(crate) fn everything(&self) -> String {
        let mut all = String::new();
        self.splunk.read(|state| {
            state
                .events
                .iter()
                .for_each(|event| all.push_str(&event.text))
        });
        self.datadog.read(|state| {
            state
                .logs
                .iter()
                .for_each(|log| all.push_str(&serde_json::to_string(&log.object).unwrap()))
        });
        self.elastic.read(|state| {
            state
                .documents
                .iter()
                .for_each(|document| all.push_str(&document.text))
        });
        all
    }
}

pub(crate) fn count(ids: Vec<String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    ids.into_iter()
        .for_each(|id| *counts.entry(id).or_default() += 1);
    counts
}

/// A difference of ten thousand lines helps nobody: says how many are wrong, and shows a few.
#[track_caller]
fn assert_once(
    destination: &str,
    arrived: &BTreeMap<String, usize>,
    expected: &BTreeMap<String, usize>,
) {
    let missing: Vec<_> = expected
        .keys()
        .filter(|id| !arrived.contains_key(*id))
        .collect();
    let wrong: Vec<_> = arrived
        .iter()
        .filter(|(id, times)| expected.get(*id) != Some(*times))
        .collect();
    assert!(
        missing.is_empty() && wrong.is_empty(),
        "{destination}: {} of {} missing, such as {:?}; {} too often or unknown, such as {:?}",
        missing.len(),
        expected.len(),
        &missing[..missing.len().min(3)],
        wrong.len(),
        &wrong[..wrong.len().min(3)],
    );
}
