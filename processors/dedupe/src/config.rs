//! The configuration of `dedupe`.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{
    BuildContext, BuildError, Checked, HumanDuration, IdMemory, Problems, ProcessorConfig, Stage,
};

use crate::{Dedupe, RecordKey};

/// `dedupe`: drops records whose id was delivered within the window.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where a record's id stands. A bare name (`event_id`) is looked up in the record's attributes, then in its body;
    /// a path names one place: `attributes["x"]` or `body["x"]["y"]`. Default: `log.record.uid`, and where there is
    /// none, `event_id`. Text and numbers are ids and are compared as text, byte for byte. A record without an id, or
    /// with an id that redaction masked (`****`, `[REDACTED:…]`), passes. By default only log records are looked at; a
    /// `key` that is set holds for spans and data points too, each signal for itself.
    pub key: Option<String>,
    /// How long a delivered id is known, from its delivery on. Default `10m`; more than 0.
    pub window: HumanDuration,
    /// The most delivered ids that are known at once; of more, the oldest goes, is counted, and its duplicate would
    /// pass. An id of 36 characters takes about 150 bytes. Default 1000000; at least 1.
    pub max_ids: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            key: None,
            window: HumanDuration(Duration::from_secs(600)),
            max_ids: 1_000_000,
        }
    }
}

impl Config {
    /// The stage over a memory of its caller's.
    ///
    /// # Errors
    /// `key` is no name and no path.
    pub fn build_with(&self, memory: Arc<IdMemory>) -> Result<Dedupe, BuildError> {
        let keys = match &self.key {
            Some(key) => {
                vec![RecordKey::parse(key).map_err(|error| BuildError(format!("key: {error}")))?]
            }
            None => vec![
                RecordKey::Anywhere("log.record.uid".to_owned()),
                RecordKey::Anywhere("event_id".to_owned()),
            ],
        };
        Ok(Dedupe::new(keys, self.key.is_none(), memory))
    }

    /// An empty memory of the configured window and size.
    #[must_use]
    pub fn memory(&self) -> Arc<IdMemory> {
        IdMemory::new(self.window.0, self.max_ids)
    }
}

impl Checked for Config {
    fn check(&self, problems: &mut Problems) {
        if let Some(key) = &self.key
            && let Err(error) = RecordKey::parse(key)
        {
            problems.at("key", |p| {
                p.error(error.to_string()).offset(error.offset).help("write a name such as `event_id`, or a path: `attributes[\"x\"]`, `body[\"x\"][\"y\"]`");
            });
        }
        if self.window.0.is_zero() {
            problems.at("window", |p| {
                p.error("must be more than 0")
                    .help("leave the processor out of the pipeline to keep duplicates");
            });
        }
        if self.max_ids == 0 {
            problems.at("max_ids", |p| {
                p.error("must be at least 1")
                    .help("leave the processor out of the pipeline to keep duplicates");
            });
        }
    }
}

impl ProcessorConfig for Config {
    fn build(&self, context: &BuildContext) -> Result<Stage, BuildError> {
        // What was delivered before a reload is known after it, and so is what is under way.
        // By the key: ids of another place are other ids.
        let known = context.kept_of(self.key.as_deref().unwrap_or_default());
        let memory = IdMemory::over(known, self.window.0, self.max_ids);
        Ok(Stage::Reserve(Arc::new(self.build_with(memory)?)))
    }
}
