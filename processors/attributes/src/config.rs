//! The `attributes` processor's configuration.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{BuildContext, BuildError, Checked, Problems, ProcessorConfig, Stage};

use crate::action::ActionConfig;
use crate::matching::{MatchConfig, Matcher};
use crate::processor::Attributes;
use crate::step::Step;

/// Changes attributes of log records, spans and data points.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The actions, applied in this order. At least one.
    pub actions: Vec<ActionConfig>,
    /// Only records that match this are changed. Default: all.
    pub include: Option<MatchConfig>,
    /// Records that match this are left alone. Default: none.
    pub exclude: Option<MatchConfig>,
}

/// The steps of a list of actions. Everything wrong is reported; what is right is returned.
pub(crate) fn steps(name: &str, actions: &[ActionConfig], problems: &mut Problems) -> Vec<Step> {
    if actions.is_empty() {
        problems
            .error(format!("there is no action in {name}"))
            .help(format!(
                "write `{name}: [{{key: environment, value: production, action: insert}}]`"
            ));
    }
    problems.at(name, |p| {
        actions
            .iter()
            .enumerate()
            .filter_map(|(i, action)| p.at(i, |p| action.step(p)))
            .collect()
    })
}

impl Config {
    /// The processor; not to be used when there are errors in `problems`.
    pub(crate) fn processor(&self, problems: &mut Problems) -> Attributes {
        let mut matcher = |name: &str, config: &Option<MatchConfig>| -> Option<Matcher> {
            problems.at(name, |p| config.as_ref().map(|config| config.matcher(p)))
        };
        let (include, exclude) = (
            matcher("include", &self.include),
            matcher("exclude", &self.exclude),
        );
        Attributes {
            steps: steps("actions", &self.actions, problems),
            include,
            exclude,
        }
    }
}

impl Checked for Config {
    fn check(&self, problems: &mut Problems) {
        self.processor(problems);
    }
}

impl ProcessorConfig for Config {
    fn build(&self, _: &BuildContext) -> Result<Stage, BuildError> {
        let mut problems = Problems::new();
        let processor = self.processor(&mut problems);
        first_error(&problems)?;
        Ok(Stage::Transform(Arc::new(processor)))
    }
}

/// A configuration that was not checked first is refused when it is built.
pub(crate) fn first_error(problems: &Problems) -> Result<(), BuildError> {
    match problems
        .found
        .iter()
        .find(|p| p.severity == sluice_component::Severity::Error)
    {
        Some(problem) => Err(BuildError::new(&problem.message)),
        None => Ok(()),
    }
}
