//! A record as the encoders look at it: with its resource at hand, and quick to say what it does not have.

use std::borrow::Cow;
use std::ops::Deref;

use sluice_batch::{Attributes, Level, Record, Value};

use crate::json::Object;
use crate::keys::Keys;
use crate::names::Names;

/// What an encoder keeps from one record of a batch to the next, because neighbours have most of it in common.
#[derive(Debug, Default)]
pub(crate) struct Neighbours<'a> {
    /// The last record's attributes, and the set of their keys.
    last: Option<(Attributes<'a>, Keys)>,
    /// The position of its resource, and the set of that one's keys.
    last_resource: Option<(usize, Keys)>,
    /// The names of the attributes of the records themselves.
    pub(crate) names: Names<'a>,
    /// The members that come from the resource.
    pub(crate) resource: ResourceMembers,
}

impl<'a> Neighbours<'a> {
    /// Looks at the next record.
    pub(crate) fn view(&mut self, record: Record<'a>) -> View<'a> {
        let attributes = record.attributes();
        let keys = match self.last {
            Some((last, keys)) if attributes.have_keys_of(last) => keys,
            _ => Keys::of(attributes),
        };
        self.last = Some((attributes, keys));
        let (at, resource) = (record.resource_index(), record.resource());
        let resource_keys = match self.last_resource {
            Some((last, keys)) if last == at => keys,
            _ => Keys::of(resource.attributes()),
        };
        self.last_resource = Some((at, resource_keys));
        View {
            record,
            resource,
            keys,
            resource_keys,
        }
    }
}

/// A record, its resource and the sets of their keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    record: Record<'a>,
    resource: Level<'a>,
    keys: Keys,
    resource_keys: Keys,
}

impl<'a> View<'a> {
    /// Looks at one record alone.
    #[cfg(test)]
    pub(crate) fn of(record: Record<'a>) -> Self {
        Neighbours::default().view(record)
    }

    /// The value of the record's first attribute named `key`.
    #[inline]
    pub(crate) fn get(&self, key: &str) -> Option<Value<'a>> {
        if self.keys.may_hold(key) {
            self.record.get(key)
        } else {
            None
        }
    }

    /// The resource it comes from.
    pub(crate) fn resource(&self) -> Level<'a> {
        self.resource
    }

    /// The value of its resource's first attribute named `key`.
    #[inline]
    pub(crate) fn of_resource(&self, key: &str) -> Option<Value<'a>> {
        if self.resource_keys.may_hold(key) {
            self.resource.get(key)
        } else {
            None
        }
    }

    /// The value of an attribute of the record, else of its resource, as text.
    pub(crate) fn attribute(&self, key: &str) -> Option<Cow<'a, str>> {
        text(self.get(key)).or_else(|| text(self.of_resource(key)))
    }

    /// Attributes of the resource, without those that the record sets itself.
    pub(crate) fn resource_attributes(
        &self,
    ) -> impl Iterator<Item = (&'a str, Value<'a>)> + use<'a> {
        let view = *self;
        self.resource
            .attributes()
            .iter()
            .filter(move |(key, _)| view.get(key).is_none())
    }
}

impl<'a> Deref for View<'a> {
    type Target = Record<'a>;

    fn deref(&self) -> &Record<'a> {
        &self.record
    }
}

/// A scalar as text; nothing for absent, empty or nested values.
pub(crate) fn text(value: Option<Value<'_>>) -> Option<Cow<'_, str>> {
    match value? {
        Value::Empty | Value::Array(_) | Value::Map(_) => None,
        scalar => Some(scalar.to_text()).filter(|text| !text.is_empty()),
    }
}

/// The members that a resource gives to each of its records, written once for neighbours.
#[derive(Debug, Default)]
pub(crate) struct ResourceMembers {
    /// Whose they are: the resource's position, and the caller's choice.
    of: Option<(usize, u8)>,
    bytes: Vec<u8>,
}

impl ResourceMembers {
    /// Adds what `fill` writes of [`View::resource_attributes`]; `choice` is all that it depends on besides.
    pub(crate) fn write(
        &mut self,
        record: &View<'_>,
        choice: u8,
        object: &mut Object<'_>,
        fill: impl FnOnce(&mut Object<'_>),
    ) {
        let mut attributes = record.resource().attributes().iter();
        if attributes.any(|(key, _)| record.get(key).is_some()) {
            fill(object);
            return;
        }
        let whose = Some((record.resource_index(), choice));
        if self.of != whose {
            self.bytes.clear();
            fill(&mut Object::bare(&mut self.bytes));
            self.of = whose;
        }
        object.written(&self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use sluice_batch::{Batch, Signal};

    use super::*;

    #[test]
    fn the_members_of_a_resource_are_its_own_and_a_records_attribute_wins() {
        let mut batch = Batch::new(Signal::Logs);
        batch.push_scope(&[("a", Value::Int(1)), ("b", Value::Int(2))], "");
        batch.push_log();
        batch.push_log().set("a", Value::Int(9));
        batch.push_log();
        batch.push_scope(&[("c", Value::Int(3))], "");
        batch.push_log();
        let mut members = ResourceMembers::default();
        let written: Vec<String> = batch
            .records()
            .map(|record| {
                let view = View::of(record);
                let mut out = Vec::new();
                let mut object = Object::open(&mut out);
                object.number("n", 0);
                members.write(&view, 0, &mut object, |object| {
                    view.resource_attributes()
                        .for_each(|(key, value)| object.value(key, value));
                });
                object.close();
                String::from_utf8(out).expect("UTF-8")
            })
            .collect();
        assert_eq!(
            written,
            [
                r#"{"n":0,"a":1,"b":2}"#,
                r#"{"n":0,"b":2}"#,
                r#"{"n":0,"a":1,"b":2}"#,
                r#"{"n":0,"c":3}"#
            ]
        );
    }
}
