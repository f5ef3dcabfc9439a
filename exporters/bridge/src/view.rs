//! A record as the encoders look at it: with its resource at hand, and quick to say what it does not have.

use std::borrow::Cow;
use std::ops::Deref;

use sluice_batch::{Level, Record, Value};

use crate::json::Object;
use crate::keys::Keys;
use crate::names::Names;

/// What an encoder keeps from one record of a batch to the next, because neighbours have most of it in common.
#[derive(Debug, Default)]
pub(crate) struct Neighbours<'a> {
    /// The last record.
    last: Option<View<'a>>,
    /// The names of the attributes of the records themselves.
    pub(crate) names: Names<'a>,
    /// The members that come from the resource.
    pub(crate) resource: ResourceMembers,
}

impl<'a> Neighbours<'a> {
    /// Looks at the next record.
    pub(crate) fn view(&mut self, record: Record<'a>) -> View<'a> {
        let attributes = record.attributes();
        let (keys, number) = match &self.last {
            Some(last) if attributes.have_keys_of(last.attributes()) => {
                (last.keys, last.shape.keys)
            }
            last => {
                let next = last.as_ref().map_or(0, |last| last.shape.keys + 1);
                (Keys::of(attributes), next)
            }
        };
        let (at, resource) = (record.resource_index(), record.resource());
        let resource_keys = match &self.last {
            Some(last) if last.shape.resource == at => last.resource_keys,
            _ => Keys::of(resource.attributes()),
        };
        let view = View {
            record,
            resource,
            keys,
            resource_keys,
            shape: Shape {
                keys: number,
                resource: at,
            },
        };
        self.last = Some(view);
        view
    }
}

/// What records have in common that come from one resource and have the same keys: whatever depends on nothing else is
/// found out once. Two shapes may be told apart that
/// are alike: that costs time and never truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// A number for the record's keys, among those of its [`Neighbours`].
    pub(crate) keys: usize,
    /// The position of its resource.
    pub(crate) resource: usize,
}

/// What depends on the shape of a record alone, found out once for neighbours: all records that it is asked for are views
/// of one [`Neighbours`].
#[derive(Debug)]
pub(crate) struct OfShape<T>(Option<(Shape, T)>);

impl<T> Default for OfShape<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Copy> OfShape<T> {
    /// What `find` says of this record, or said of one of its shape. It may look at the names that record and resource
    /// have and at what is the same for all records, never at a value.
    #[inline]
    pub(crate) fn get(&mut self, record: &View<'_>, find: impl FnOnce() -> T) -> T {
        match self.0 {
            Some((shape, found)) if shape == record.shape => found,
            _ => self.0.insert((record.shape, find())).1,
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
    shape: Shape,
}

impl<'a> View<'a> {
    /// Looks at one record alone.
    #[cfg(test)]
    pub(crate) fn of(record: Record<'a>) -> Self {
        Neighbours::default().view(record)
    }

    /// What it has in common with its neighbours.
    pub(crate) fn shape(&self) -> Shape {
        self.shape
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

    /// Whether the record or its resource has an attribute named `key`.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some() || self.of_resource(key).is_some()
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
    /// For whom they were written last, and the caller's choice.
    of: Option<(Shape, u8)>,
    /// Whether those records hid none of them behind an attribute of their own.
    are_whole: bool,
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
        let of = (record.shape, choice);
        if self.of != Some(of) {
            let mut keys = record.resource().attributes().keys();
            let are_whole = keys.all(|key| record.get(key).is_none());
            // Records of other keys mostly differ in none of these.
            let is_known = are_whole
                && self.are_whole
                && self.of.is_some_and(|(last, by)| {
                    last.resource == record.shape.resource && by == choice
                });
            if !is_known {
                self.bytes.clear();
                fill(&mut Object::bare(&mut self.bytes));
            }
            (self.of, self.are_whole) = (Some(of), are_whole);
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
        let mut neighbours = Neighbours::default();
        let written: Vec<String> = batch
            .records()
            .map(|record| {
                let view = neighbours.view(record);
                let mut out = Vec::new();
                let mut object = Object::open(&mut out);
                object.number("n", 0);
                let members = &mut neighbours.resource;
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
