//! What a component's configuration type did not take, with its place and path.

use std::fmt;

use serde::de::{Expected, Unexpected};

use crate::diagnostic::suggestion;
use crate::mask::names_a_secret;
use crate::node::{Entry, Node, Value};
use crate::scrub::scrub;
use crate::{Diagnostic, Span};

/// Why a component's block is not the configuration that its type expects.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    span: Option<Span>,
    /// From the inside out.
    path: Vec<String>,
}

enum Kind {
    /// `found` is a word for what stands there; `shown` its text, when that is safe to show.
    Mismatch {
        found: &'static str,
        shown: Option<String>,
        expected: String,
    },
    UnknownField {
        name: Option<String>,
        expected: &'static [&'static str],
    },
    UnknownVariant {
        name: Option<String>,
        expected: &'static [&'static str],
    },
    Missing(&'static str),
    Duplicate(&'static str),
    Unset(String),
    Custom(String),
}

impl Error {
    fn new(kind: Kind) -> Self {
        Self(Box::new(Inner {
            kind,
            span: None,
            path: Vec::new(),
        }))
    }

    /// Points at a scalar, unless something further in was pointed at. A value that came out of a reference is not
    /// shown. A whole mapping or list is left to [`Self::place`]: its key is what the reader looks for.
    pub(crate) fn at(mut self, node: &Node) -> Self {
        if self.0.span.is_some() {
            return self;
        }
        if let Some(origin) = &node.origin {
            if let Some(variable) = &origin.unset {
                self.0.kind = Kind::Unset(variable.clone());
            }
            match &mut self.0.kind {
                Kind::Mismatch { shown, .. } => *shown = Some(origin.written.clone()),
                Kind::UnknownVariant { name, .. } => *name = Some(origin.written.clone()),
                _ => {}
            }
        }
        if matches!(node.value, Value::Scalar(_)) && node.span.start < node.span.end {
            self.0.span = Some(node.span);
        }
        self
    }

    /// The place, unless something further in has set it.
    pub(crate) fn place(mut self, span: Span) -> Self {
        self.0.span.get_or_insert(span);
        self
    }

    /// Sets the place to a key, unless something further in has set one.
    pub(crate) fn at_key(mut self, entry: &Entry) -> Self {
        if self.0.span.is_none() {
            self.0.span = Some(entry.key_span);
            match &mut self.0.kind {
                Kind::UnknownField { name, .. } if entry.is_from_reference() => *name = None,
                Kind::UnknownField { .. } => {}
                _ => self.0.path.push(entry.key.clone()),
            }
        }
        self
    }

    /// Says that this happened below `key`.
    pub(crate) fn below(mut self, key: &str) -> Self {
        if names_a_secret(key) {
            match &mut self.0.kind {
                Kind::Mismatch { shown, .. }
                    if !shown.as_ref().is_some_and(|text| text.starts_with("${")) =>
                {
                    *shown = None
                }
                Kind::UnknownVariant { name, .. }
                    if !name.as_ref().is_some_and(|text| text.starts_with("${")) =>
                {
                    *name = None
                }
                _ => {}
            }
        }
        self.0.path.push(key.to_owned());
        self
    }

    /// A missing key whose value is a reference to an unset variable: says that instead, at the reference.
    pub(crate) fn blame_unset(mut self, node: &Node) -> Self {
        let missing = match &self.0.kind {
            _ if self.0.span.is_some() => None,
            Kind::Missing(key) => node.get(key),
            Kind::Custom(message) => node.empty_reference_named_in(message),
            _ => None,
        };
        if let Some(entry) = missing
            && let Some(variable) = entry.value.unset()
        {
            self.0.kind = Kind::Unset(variable.to_owned());
            self.0.span = Some(entry.value.span);
            self.0.path.push(entry.key.clone());
        }
        self
    }

    /// As a finding. `block` is the component's block and `owner` its key; `path` names it (`exporters.debug`).
    pub(crate) fn into_diagnostic(self, path: &str, owner: Span, block: &Node) -> Diagnostic {
        let Inner {
            kind,
            span,
            path: below,
        } = *self.0;
        let path = below.iter().rev().fold(path.to_owned(), |path, key| {
            if key.starts_with('[') {
                path + key
            } else {
                path + "." + key
            }
        });
        let span = span.unwrap_or(owner);
        match kind {
            Kind::Mismatch {
                found,
                shown,
                expected,
            } => {
                let shown = shown.map(|text| format!(" `{text}`")).unwrap_or_default();
                let diagnostic = Diagnostic::error(
                    span,
                    format!("`{path}`: expected {expected}, found {found}{shown}"),
                );
                if expected == "a list" && found != "a mapping" {
                    return diagnostic.with_help("write a list: `[a, b]`, or one `- item` a line");
                }
                diagnostic
            }
            Kind::UnknownField {
                name: Some(name),
                expected,
            } => {
                let diagnostic =
                    Diagnostic::error(span, format!("unknown key `{name}` in `{path}`"));
                match suggestion("known keys", &name, expected.iter().copied()) {
                    Some(help) => diagnostic.with_help(help),
                    None => diagnostic.with_help("it takes no keys"),
                }
            }
            Kind::UnknownField { name: None, .. } => Diagnostic::error(
                span,
                format!("`{path}`: what this reference gives has an unknown key"),
            ),
            Kind::UnknownVariant { name, expected } => {
                let shown = name
                    .as_deref()
                    .map_or_else(|| "this value".to_owned(), |name| format!("`{name}`"));
                let diagnostic = Diagnostic::error(span, format!("`{path}`: {shown} is not known"));
                match suggestion(
                    "one of",
                    name.as_deref().unwrap_or_default(),
                    expected.iter().copied(),
                ) {
                    Some(help) => diagnostic.with_help(help),
                    None => diagnostic,
                }
            }
            Kind::Missing(key) => {
                Diagnostic::error(span, format!("`{path}` needs the key `{key}`"))
            }
            Kind::Duplicate(key) => Diagnostic::error(
                span,
                format!("`{path}`: `{key}` is given twice, under two of its names"),
            ),
            Kind::Unset(variable) => Diagnostic::unset(span, &variable, &path),
            Kind::Custom(message) => match scrub(&message, block) {
                Some(message) => Diagnostic::error(span, format!("`{path}`: {message}")),
                None => Diagnostic::error(
                    span,
                    format!("`{path}`: the value that this reference gives is not valid here"),
                ),
            },
        }
    }
}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Kind::Custom(message.to_string()))
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let (found, shown) = describe(&unexpected);
        Self::new(Kind::Mismatch {
            found,
            shown,
            expected: in_yaml_words(&expected.to_string()),
        })
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownField {
            name: Some(field.to_owned()),
            expected,
        })
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownVariant {
            name: Some(variant.to_owned()),
            expected,
        })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Kind::Missing(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(Kind::Duplicate(field))
    }
}

fn describe(unexpected: &Unexpected<'_>) -> (&'static str, Option<String>) {
    match unexpected {
        Unexpected::Bool(value) => ("the boolean", Some(value.to_string())),
        Unexpected::Unsigned(value) => ("the number", Some(value.to_string())),
        Unexpected::Signed(value) => ("the number", Some(value.to_string())),
        Unexpected::Float(value) => ("the number", Some(value.to_string())),
        Unexpected::Str(value) => {
            let short: String = value.chars().take(60).collect();
            (
                "the text",
                Some(
                    short
                        .escape_debug()
                        .to_string()
                        .replace("\\\"", "\"")
                        .replace("\\'", "'"),
                ),
            )
        }
        Unexpected::Unit | Unexpected::Option => ("nothing", None),
        Unexpected::Seq => ("a list", None),
        Unexpected::Map => ("a mapping", None),
        _ => ("something else", None),
    }
}

/// serde's words for a type in the words of a YAML file.
fn in_yaml_words(expected: &str) -> String {
    let words = match expected {
        "a string" => "text",
        "a boolean" => "`true` or `false`",
        "a sequence" => "a list",
        "a map" => "a mapping",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        _ if expected.starts_with("struct ") => "a mapping",
        _ if expected.starts_with("enum ") || expected.starts_with("unit variant") => "a name",
        _ => expected,
    };
    words.to_owned()
}

// Only place and kind: the full text is made with the block at hand, which knows what must not show.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration does not fit its component")
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("span", &self.0.span)
            .field("path", &self.0.path)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {}
