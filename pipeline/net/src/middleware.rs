//! `middlewares:`, which is read so that the answer can be clear.

use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::Problems;

/// A middleware extension of the Collector. There are none here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Middleware {
    /// The extension's id.
    pub id: String,
}

pub(crate) fn check(middlewares: &[Middleware], problems: &mut Problems) {
    if !middlewares.is_empty() {
        problems.at("middlewares", |p| {
            p.error("middleware extensions are not supported")
                .help("remove the key");
        });
    }
}
