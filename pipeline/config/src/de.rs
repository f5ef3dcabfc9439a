//! A serde deserializer over [`Node`]s, so that each component's block is read on its own and every error knows its
//! place.

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::Error;
use crate::node::{Atom, Entry, Node, Value};

/// A block of the file, ready to be deserialised into a component's configuration.
///
/// How values fit fields: text fields take any scalar as it was written (`0123` stays `0123`); numbers and booleans
/// follow YAML 1.2; a block that is empty (`debug:`) is a mapping without keys; a key whose value refers to an unset
/// variable is taken as absent.
#[derive(Clone, Copy, Debug)]
pub struct Block<'de> {
    node: &'de Node,
}

impl<'de> Block<'de> {
    pub(crate) const fn new(node: &'de Node) -> Self {
        Self { node }
    }

    fn visit_atom<V: Visitor<'de>>(self, atom: Atom<'de>, visitor: V) -> Result<V::Value, Error> {
        match atom {
            Atom::Null => visitor.visit_unit(),
            Atom::Bool(value) => visitor.visit_bool(value),
            Atom::Unsigned(value) => visitor.visit_u64(value),
            Atom::Signed(value) => visitor.visit_i64(value),
            Atom::Float(value) => visitor.visit_f64(value),
            Atom::Text(value) => visitor.visit_borrowed_str(value),
        }
    }

    fn unexpected(self) -> Unexpected<'de> {
        match (self.node.atom(), &self.node.value) {
            (Some(Atom::Null), _) => Unexpected::Unit,
            (Some(Atom::Bool(value)), _) => Unexpected::Bool(value),
            (Some(Atom::Unsigned(value)), _) => Unexpected::Unsigned(value),
            (Some(Atom::Signed(value)), _) => Unexpected::Signed(value),
            (Some(Atom::Float(value)), _) => Unexpected::Float(value),
            (Some(Atom::Text(value)), _) => Unexpected::Str(value),
            (None, Value::List(_)) => Unexpected::Seq,
            (None, _) => Unexpected::Map,
        }
    }

    fn text<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node.text() {
            // Nothing written, or an unset variable, is not the empty text; a variable set to "" or "null" is text.
            Some(_)
                if self.node.is_null()
                    && (self.node.origin.is_none() || self.node.unset().is_some()) =>
            {
                Err(Error::invalid_type(Unexpected::Unit, &visitor))
            }
            Some(text) => visitor.visit_borrowed_str(text),
            None => Err(Error::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn map<V: Visitor<'de>>(
        self,
        visitor: V,
        fields: &'static [&'static str],
    ) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Map(entries) => visitor.visit_map(Pairs {
                entries: entries.iter(),
                current: None,
                fields,
            }),
            _ if self.node.is_null() => visitor.visit_map(Pairs {
                entries: [].iter(),
                current: None,
                fields,
            }),
            _ => Err(Error::invalid_type(self.unexpected(), &visitor)),
        }
    }
}

macro_rules! located {
    ($($name:ident($($argument:ident: $type:ty),*) => |$self:ident, $visitor:ident| $body:expr;)*) => {
        $(fn $name<V: Visitor<'de>>(self, $($argument: $type,)* $visitor: V) -> Result<V::Value, Error> {
            let $self = self;
            $(let _ = $argument;)*
            ($body).map_err(|error: Error| error.at(self.node))
        })*
    };
}

impl<'de> Deserializer<'de> for Block<'de> {
    type Error = Error;

    located! {
        deserialize_any() => |this, visitor| match &this.node.value {
            Value::List(items) => visitor.visit_seq(Items { items: items.iter(), index: 0 }),
            Value::Map(_) => this.map(visitor, &[]),
            Value::Scalar(_) => this.visit_atom(this.node.atom().unwrap_or(Atom::Null), visitor),
        };
        deserialize_str() => |this, visitor| this.text(visitor);
        deserialize_string() => |this, visitor| this.text(visitor);
        deserialize_char() => |this, visitor| this.text(visitor);
        deserialize_identifier() => |this, visitor| this.text(visitor);
        deserialize_option() => |this, visitor| if this.node.is_null() { visitor.visit_none() } else { visitor.visit_some(this) };
        deserialize_newtype_struct(name: &'static str) => |this, visitor| visitor.visit_newtype_struct(this);
        deserialize_seq() => |this, visitor| match &this.node.value {
            Value::List(items) => visitor.visit_seq(Items { items: items.iter(), index: 0 }),
            _ if this.node.is_null() && this.node.unset().is_none() => visitor.visit_seq(Items { items: [].iter(), index: 0 }),
            _ => Err(Error::invalid_type(this.unexpected(), &visitor)),
        };
        deserialize_tuple(len: usize) => |this, visitor| this.deserialize_seq(visitor);
        deserialize_tuple_struct(name: &'static str, len: usize) => |this, visitor| this.deserialize_seq(visitor);
        deserialize_map() => |this, visitor| this.map(visitor, &[]);
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) => |this, visitor| {
            this.map(visitor, fields).map_err(|error| error.blame_unset(this.node))
        };
        deserialize_enum(name: &'static str, variants: &'static [&'static str]) => |this, visitor| match &this.node.value {
            Value::Map(entries) => match entries.as_slice() {
                [entry] => visitor.visit_enum(Variant { entry }),
                _ => Err(Error::invalid_type(Unexpected::Map, &"one name, or a mapping with one key")),
            },
            Value::List(_) => Err(Error::invalid_type(Unexpected::Seq, &visitor)),
            Value::Scalar(_) if this.node.is_null() => Err(Error::invalid_type(Unexpected::Unit, &"a name")),
            Value::Scalar(scalar) => {
                let name: StrDeserializer<'_, Error> = this.node.text().unwrap_or(&scalar.text).into_deserializer();
                visitor.visit_enum(name)
            }
        };
        deserialize_ignored_any() => |_this, visitor| visitor.visit_unit();
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 bytes byte_buf unit unit_struct
    }
}

struct Items<'de> {
    items: std::slice::Iter<'de, Node>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(item) = self.items.next() else {
            return Ok(None);
        };
        let index = self.index;
        self.index += 1;
        seed.deserialize(Block::new(item))
            .map(Some)
            .map_err(|error| error.place(item.span).below(&format!("[{index}]")))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Pairs<'de> {
    entries: std::slice::Iter<'de, Entry>,
    current: Option<&'de Entry>,
    /// In a structure, one of these keys counts as absent when its variable is unset, so that its default applies.
    fields: &'static [&'static str],
}

impl<'de> MapAccess<'de> for Pairs<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let fields = self.fields;
        self.current = self
            .entries
            .find(|entry| entry.value.unset().is_none() || !fields.contains(&entry.key.as_str()));
        let Some(entry) = self.current else {
            return Ok(None);
        };
        let key: BorrowedStrDeserializer<'de, Error> = BorrowedStrDeserializer::new(&entry.key);
        seed.deserialize(key)
            .map(Some)
            .map_err(|error| error.at_key(entry))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        let entry = self
            .current
            .take()
            .ok_or_else(|| Error::custom("a value was asked for before its key"))?;
        seed.deserialize(Block::new(&entry.value))
            .map_err(|error| error.place(entry.key_span).below(&entry.key))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// `name: {…}`, a variant that holds something.
struct Variant<'de> {
    entry: &'de Entry,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name: BorrowedStrDeserializer<'de, Error> =
            BorrowedStrDeserializer::new(&self.entry.key);
        let value = seed
            .deserialize(name)
            .map_err(|error| error.at_key(self.entry))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        serde::Deserialize::deserialize(Block::new(&self.entry.value))
            .map_err(|error: Error| error.place(self.entry.key_span).below(&self.entry.key))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(Block::new(&self.entry.value))
            .map_err(|error| error.place(self.entry.key_span).below(&self.entry.key))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        Block::new(&self.entry.value)
            .deserialize_seq(visitor)
            .map_err(|error| error.place(self.entry.key_span).below(&self.entry.key))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        Block::new(&self.entry.value)
            .deserialize_struct("", fields, visitor)
            .map_err(|error| error.place(self.entry.key_span).below(&self.entry.key))
    }
}
