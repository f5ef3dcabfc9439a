//! Finds a record's tags and writes them.

use processor_ottl::Condition;
use processor_ottl::severity::Level;
use sluice_batch::{Batch, Record, Signal, Value, ValueBuf};
use sluice_component::{Transform, Undelivered};

use crate::detectors::Detectors;
use crate::keywords::Keywords;
use crate::tags::{TagSet, Tags};
use crate::walk::BODY_KEY;

/// What a rule that matches does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Effect {
    /// One bit.
    pub(crate) tag: TagSet,
    pub(crate) severity: Option<Level>,
}

/// What all rules that matched do together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) tags: TagSet,
    pub(crate) severity: Option<Level>,
}

impl Outcome {
    pub(crate) fn add(&mut self, effect: Effect) {
        self.tags |= effect.tag;
        self.severity = self.severity.max(effect.severity);
    }
}

/// The processor.
#[derive(Debug)]
pub(crate) struct Classifier {
    pub(crate) attribute: String,
    pub(crate) list_attribute: Option<String>,
    pub(crate) tags: Tags,
    pub(crate) default: Option<TagSet>,
    pub(crate) conditions: Vec<(Condition, Effect)>,
    pub(crate) detectors: Option<Detectors>,
    pub(crate) keywords: Option<Keywords>,
}

impl Transform for Classifier {
    fn apply(&self, batch: &mut Batch) -> Result<(), Undelivered> {
        let mut positions = Vec::new();
        for i in 0..batch.len() {
            let outcome = self.outcome(batch, i, &mut positions);
            self.write(batch, i, outcome);
        }
        Ok(())
    }
}

impl Classifier {
    /// What the rules say about record `i`.
    fn outcome(&self, batch: &Batch, i: usize, positions: &mut Vec<usize>) -> Outcome {
        let record = batch.record(i);
        let mut outcome = Outcome::default();
        for (condition, effect) in &self.conditions {
            if condition.matches(record) {
                outcome.add(*effect);
            }
        }
        if let Some(detectors) = &self.detectors {
            detectors.apply(batch, i, positions, &mut outcome);
        }
        if let Some(keywords) = &self.keywords {
            keywords.apply(batch, i, &mut outcome);
        }
        outcome
    }

    fn write(&self, batch: &mut Batch, i: usize, outcome: Outcome) {
        let record = batch.record(i);
        let mut tags = outcome.tags;
        self.each_existing(record, &mut |tag| {
            tags |= self.tags.existing(tag).unwrap_or(0)
        });

        // Something that is not on the scale may stand there: the default does not replace it.
        let is_tagged = record
            .get(&self.attribute)
            .is_some_and(|value| !value.to_text().is_empty());
        if self.tags.highest(tags).is_none() && !is_tagged {
            tags |= self.default.unwrap_or(0);
        }
        let highest = self
            .tags
            .highest(tags)
            .filter(|tag| record.get(&self.attribute) != Some(Value::Str(tag)));
        let list = self
            .list_attribute
            .as_ref()
            .and_then(|key| Some((key, self.list(record, key, tags)?)));
        let level = outcome.severity.filter(|level| {
            batch.signal() == Signal::Logs && level.number() > record.severity_number()
        });

        if highest.is_none() && list.is_none() && level.is_none() {
            return;
        }
        let mut record = batch.record_mut(i);
        if let Some(tag) = highest {
            record.set(&self.attribute, Value::Str(tag));
        }
        if let Some((key, list)) = list {
            record.set(key, list.as_value());
        }
        if let Some(level) = level {
            record.set_severity(level.number(), level.name());
        }
    }

    /// The tags that the record carries already: in the attribute, the list, and the body.
    fn each_existing<'a>(&self, record: Record<'a>, seen: &mut dyn FnMut(&'a str)) {
        let list = self.list_attribute.as_ref().and_then(|key| record.get(key));
        let body = record.body().as_map().and_then(|map| map.get(BODY_KEY));
        for value in [list, record.get(&self.attribute), body]
            .into_iter()
            .flatten()
        {
            match value {
                Value::Str(tag) => seen(tag),
                Value::Array(items) => items.iter().filter_map(Value::as_str).for_each(&mut *seen),
                _ => {}
            }
        }
    }

    /// The list with what was there first and the tags after it; `None` when it is there already, or empty.
    fn list<'a>(&'a self, record: Record<'a>, key: &str, tags: TagSet) -> Option<ValueBuf> {
        let mut list: Vec<&'a str> = Vec::new();
        let mut add = |tag: &'a str| {
            if !tag.is_empty() && !list.contains(&tag) {
                list.push(tag);
            }
        };
        // A tag of the scale is written as the scale writes it, and once.
        self.each_existing(record, &mut |tag| {
            add(self
                .tags
                .existing(tag)
                .and_then(|bit| self.tags.names(bit).next())
                .unwrap_or(tag))
        });
        self.tags.names(tags).for_each(add);
        let is_there = record
            .get(key)
            .and_then(Value::as_array)
            .is_some_and(|array| array.iter().eq(list.iter().map(|tag| Value::Str(tag))));
        (!list.is_empty() && !is_there).then(|| ValueBuf::array(list.into_iter().map(Value::Str)))
    }
}
