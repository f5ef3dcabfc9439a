//! The two processors.

use sluice_batch::Batch;
use sluice_component::{Transform, Undelivered};

use crate::matching::Matcher;
use crate::step::{Step, Target};

/// Applies steps to the records that are included and not excluded.
#[derive(Debug)]
pub(crate) struct Attributes {
    pub(crate) steps: Vec<Step>,
    pub(crate) include: Option<Matcher>,
    pub(crate) exclude: Option<Matcher>,
}

impl Transform for Attributes {
    fn apply(&self, batch: &mut Batch) -> Result<(), Undelivered> {
        let signal = batch.signal();
        for i in 0..batch.len() {
            let matches = |matcher: &Matcher| matcher.matches(signal, batch.record(i));
            if self.include.as_ref().is_none_or(matches)
                && !self.exclude.as_ref().is_some_and(matches)
            {
                self.steps
                    .iter()
                    .for_each(|step| step.apply(&mut Target::Record(batch, i)));
            }
        }
        Ok(())
    }
}

/// Applies steps to every resource.
#[derive(Debug)]
pub(crate) struct Resources {
    pub(crate) steps: Vec<Step>,
}

impl Transform for Resources {
    fn apply(&self, batch: &mut Batch) -> Result<(), Undelivered> {
        for i in 0..batch.resource_count() {
            self.steps
                .iter()
                .for_each(|step| step.apply(&mut Target::Resource(batch, i)));
        }
        Ok(())
    }
}
