//! The document as a tree in which every scalar, key and item knows where it stands in the file.

use std::fmt;

use sluice_component::Key;

use crate::Span;

/// A value with its place. Equality ignores places, so that a reload can tell whether a component's block changed.
#[derive(Clone)]
pub(crate) struct Node {
    /// Where it stands. For a value that came out of a reference: where the reference stands.
    pub(crate) span: Span,
    /// What stands there.
    pub(crate) value: Value,
    /// Set when a `${…}` had a part in it.
    pub(crate) origin: Option<Box<Origin>>,
}

/// What a [`Node`] holds.
#[derive(Clone, PartialEq)]
pub(crate) enum Value {
    /// Text, a number, a boolean or null: what it is depends on the field that takes it.
    Scalar(Scalar),
    /// `[…]` or `- …`.
    List(Vec<Node>),
    /// `key: value` pairs in the file's order, keys distinct, merge keys resolved.
    Map(Vec<Entry>),
}

/// A scalar as written.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Scalar {
    /// The text after YAML's own escapes, references resolved.
    pub(crate) text: String,
    /// Whether it was written without quotes and so may be a number, a boolean or null.
    pub(crate) plain: bool,
}

/// One pair of a mapping.
#[derive(Clone)]
pub(crate) struct Entry {
    /// The key's text.
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) key_span: Span,
    /// What it holds.
    pub(crate) value: Node,
}

impl Entry {
    /// Whether a reference brought the key too, with the mapping around it.
    pub(crate) fn is_from_reference(&self) -> bool {
        self.value.origin.is_some() && self.key_span == self.value.span
    }

    /// The key as a message about an unknown one may repeat it: what a token gives in the place of a mapping is none.
    pub(crate) fn shown(&self) -> &str {
        match &self.value.origin {
            Some(origin) if self.is_from_reference() => &origin.written,
            _ => &self.key,
        }
    }
}

/// How a value came out of a reference.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The scalar as the file has it, such as `${env:TOKEN}`: safe to show.
    pub(crate) written: String,
    /// What it resolved to, for fields that take text. Never shown.
    pub(crate) text: String,
    /// The variable that was not set (and had no default), which makes the value null.
    pub(crate) unset: Option<String>,
}

/// A plain scalar by the core schema of YAML 1.2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Atom<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(&'a str),
}

impl Node {
    /// A scalar.
    pub(crate) const fn scalar(text: String, plain: bool, span: Span) -> Self {
        Self {
            span,
            value: Value::Scalar(Scalar { text, plain }),
            origin: None,
        }
    }

    /// Moves every place by so many bytes.
    pub(crate) fn shift(&mut self, by: usize) {
        self.span = self.span.shifted(by);
        match &mut self.value {
            Value::Scalar(_) => {}
            Value::List(items) => items.iter_mut().for_each(|item| item.shift(by)),
            Value::Map(entries) => {
                for entry in entries {
                    entry.key_span = entry.key_span.shifted(by);
                    entry.value.shift(by);
                }
            }
        }
    }

    /// Puts a later document over this one: mappings key by key, anything else in the place of what was there. A key
    /// without a value says nothing.
    pub(crate) fn merge(&mut self, later: Self) {
        if later.is_null() {
            return;
        }
        match (&mut self.value, later.value) {
            (Value::Map(entries), Value::Map(more)) => {
                for entry in more {
                    match entries.iter_mut().find(|known| known.key == entry.key) {
                        Some(known) => {
                            if !matches!(entry.value.value, Value::Map(_)) && !entry.value.is_null()
                            {
                                known.key_span = entry.key_span;
                            }
                            known.value.merge(entry.value);
                        }
                        None => entries.push(entry),
                    }
                }
            }
            (_, value) => *self = Self { value, ..later },
        }
    }

    /// The value under `key`, when this is a mapping that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The pairs of a mapping; none for anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        if let Value::Map(entries) = &self.value {
            entries
        } else {
            &[]
        }
    }

    /// The scalar's text as a text field takes it: what the file or the variable says, not a number's normal form.
    pub(crate) fn text(&self) -> Option<&str> {
        match (&self.origin, &self.value) {
            (Some(origin), _) => Some(&origin.text),
            (None, Value::Scalar(scalar)) => Some(&scalar.text),
            (None, _) => None,
        }
    }

    /// The scalar as a message may repeat it: what the file says, so `${env:TOKEN}` and never what that gave.
    pub(crate) fn shown(&self) -> Option<&str> {
        self.origin
            .as_ref()
            .map_or_else(|| self.text(), |origin| Some(&origin.written))
    }

    pub(crate) fn atom(&self) -> Option<Atom<'_>> {
        match &self.value {
            Value::Scalar(scalar) if scalar.plain => Some(Atom::of(&scalar.text)),
            Value::Scalar(scalar) => Some(Atom::Text(&scalar.text)),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Whether nothing was written here, or `null`.
    pub(crate) fn is_null(&self) -> bool {
        self.atom() == Some(Atom::Null)
    }

    pub(crate) fn unset(&self) -> Option<&str> {
        self.origin
            .as_ref()
            .and_then(|origin| origin.unset.as_deref())
    }

    /// The pair whose reference gave nothing (its variable is unset or empty, or it failed) and whose key a message
    /// about this mapping names: what a component says of the mapping is about that value.
    pub(crate) fn empty_reference_named_in(&self, message: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| {
            let origin = entry.value.origin.as_ref();
            origin.is_some_and(|origin| origin.text.is_empty())
                && message.contains(&format!("`{}`", entry.key))
        })
    }

    /// Every value below this one, itself first.
    pub(crate) fn walk(&self, visit: &mut impl FnMut(&Self)) {
        visit(self);
        match &self.value {
            Value::Scalar(_) => {}
            Value::List(items) => items.iter().for_each(|item| item.walk(visit)),
            Value::Map(entries) => entries.iter().for_each(|entry| entry.value.walk(visit)),
        }
    }

    /// Where the scalars with exactly this text stand at or below this value.
    pub(crate) fn find_text(&self, text: &str) -> Vec<Span> {
        let mut found = Vec::new();
        self.walk(&mut |node| {
            if matches!(node.value, Value::Scalar(_)) && node.text() == Some(text) {
                found.push(node.span);
            }
        });
        found
    }

    /// The value at `path`, or the place of the deepest key on the way that exists.
    pub(crate) fn at(&self, own: Span, path: &[Key]) -> (Span, Option<&Self>) {
        let (mut node, mut place) = (self, own);
        for key in path {
            let step = match (key, &node.value) {
                (Key::Name(name), Value::Map(_)) => {
                    node.get(name).map(|entry| (entry.key_span, &entry.value))
                }
                (Key::Index(index), Value::List(items)) => {
                    items.get(*index).map(|item| (item.span, item))
                }
                _ => None,
            };
            let Some((key_span, value)) = step else {
                // What lies below a reference's value is the reference's fault.
                let place = if node.origin.is_some() {
                    node.span
                } else {
                    place
                };
                return (place, None);
            };
            place = key_span;
            node = value;
        }
        (place, Some(node))
    }
}

impl Entry {
    /// Where to point when the value as a whole is not what it should be: at a reference, else at the key.
    pub(crate) fn place(&self) -> Span {
        if self.value.origin.is_some() {
            self.value.span
        } else {
            self.key_span
        }
    }
}

impl<'a> Atom<'a> {
    /// What plain text means in the core schema (YAML 1.2.2, section 10.3.2).
    pub(crate) fn of(text: &'a str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Self::Null,
            "true" | "True" | "TRUE" => return Self::Bool(true),
            "false" | "False" | "FALSE" => return Self::Bool(false),
            ".nan" | ".NaN" | ".NAN" => return Self::Float(f64::NAN),
            ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
                return Self::Float(f64::INFINITY);
            }
            "-.inf" | "-.Inf" | "-.INF" => return Self::Float(f64::NEG_INFINITY),
            _ => {}
        }
        for (prefix, radix) in [("0x", 16), ("0o", 8)] {
            if let Some(digits) = text.strip_prefix(prefix)
                && !digits.starts_with('+')
                && let Ok(number) = u64::from_str_radix(digits, radix)
            {
                return Self::Unsigned(number);
            }
        }
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            || !unsigned.contains(|c: char| c.is_ascii_digit())
        {
            return Self::Text(text);
        }
        if let Ok(number) = text.parse::<u64>() {
            return Self::Unsigned(number);
        }
        if let Ok(number) = text.parse::<i64>() {
            return Self::Signed(number);
        }
        if unsigned
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
            && let Ok(number) = text.parse::<f64>()
        {
            return Self::Float(number);
        }
        Self::Text(text)
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value && self.origin == other.origin
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.value == other.value
    }
}

// A document may hold secrets, so none of its text is printed.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}@{}..{}", self.value, self.span.start, self.span.end)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(scalar) => scalar.fmt(f),
            Self::List(items) => f.debug_list().entries(items).finish(),
            Self::Map(entries) => f
                .debug_map()
                .entries(entries.iter().map(|entry| (&entry.key, &entry.value)))
                .finish(),
        }
    }
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("scalar")
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.key, self.value)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for (text, atom) in [
            ("", Atom::Null),
            ("~", Atom::Null),
            ("True", Atom::Bool(true)),
            ("yes", Atom::Text("yes")),
            ("0123", Atom::Unsigned(123)),
            ("-7", Atom::Signed(-7)),
            ("+7", Atom::Unsigned(7)),
            ("0x1F", Atom::Unsigned(31)),
            ("0o17", Atom::Unsigned(15)),
            ("0x", Atom::Text("0x")),
            ("1.5", Atom::Float(1.5)),
            (".5", Atom::Float(0.5)),
            ("1e3", Atom::Float(1000.0)),
            ("1.2.3", Atom::Text("1.2.3")),
            ("5s", Atom::Text("5s")),
            (".", Atom::Text(".")),
            ("inf", Atom::Text("inf")),
            ("1_000", Atom::Text("1_000")),
            ("12:30", Atom::Text("12:30")),
        ] {
            assert_eq!(Atom::of(text), atom, "{text}");
        }
    }

    #[test]
    fn debug_output_holds_no_text_of_a_scalar() {
        let node = Node::scalar("hunter2".into(), true, Span::new(0, 7));
        assert!(!format!("{node:?}").contains("hunter2"));
    }
}
