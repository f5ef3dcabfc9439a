//! Keys that the OpenTelemetry Collector has removed: read whatever they hold, so that `check` can say what to do.

use serde::{Deserialize, Deserializer, de::IgnoredAny};

/// The value of a removed key, read over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed;

impl<'de> Deserialize<'de> for Removed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}
