//! The `resource` processor: the same actions, on resources.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{BuildContext, BuildError, Checked, Problems, ProcessorConfig, Stage};

use crate::action::ActionConfig;
use crate::config::{first_error, steps};
use crate::processor::Resources;

/// Changes attributes of resources; the change shows in all their records.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The actions, applied in this order. At least one.
    pub attributes: Vec<ActionConfig>,
}

impl Checked for Config {
    fn check(&self, problems: &mut Problems) {
        steps("attributes", &self.attributes, problems);
    }
}

impl ProcessorConfig for Config {
    fn build(&self, _: &BuildContext) -> Result<Stage, BuildError> {
        let mut problems = Problems::new();
        let steps = steps("attributes", &self.attributes, &mut problems);
        first_error(&problems)?;
        Ok(Stage::Transform(Arc::new(Resources { steps })))
    }
}
