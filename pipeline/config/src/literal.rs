//! What the file itself says where a secret may stand, judged before references are resolved: which values are not to be
//! shown, and which were meant to be a variable and are none.

use std::fmt::Write as _;

use crate::mask::{is_bare_name, names_a_secret};
use crate::node::{Node, Value};
use crate::schema::Place;
use crate::{Class, Diagnostic, Registry, Span};

/// What was found in a file.
#[derive(Default)]
pub(crate) struct Literals {
    /// Values of secrets and of keys that nobody knows: a mistyped `token` holds a token.
    pub(crate) covered: Vec<Span>,
    /// Every `$NAME` that a shell would expand and this file does not.
    pub(crate) found: Vec<Diagnostic>,
    /// Whether `$NAME` is a reference here.
    expands_bare_names: bool,
}

/// What is known of a value from what it stands in.
#[derive(Clone, Copy, Default)]
struct Standing<'s> {
    place: Option<Place<'s>>,
    is_secret: bool,
    is_unknown: bool,
}

/// Reads a document whose references are not resolved yet.
pub(crate) fn literals(document: &Node, registry: &Registry) -> Literals {
    let mut literals = Literals::default();
    for section in document.entries() {
        let class = Class::ALL
            .into_iter()
            .find(|class| class.section() == section.key);
        let mut path = section.key.clone();
        let (Some(class), Value::Map(blocks)) = (class, &section.value.value) else {
            let standing = Standing {
                is_unknown: section.key != "service",
                ..Standing::default()
            };
            literals.read(&section.value, &mut path, standing);
            continue;
        };
        for block in blocks {
            let kind = block.key.split('/').next().unwrap_or_default();
            let known = registry.find(class, kind);
            let schema = known.as_ref().map(|known| (known.schema)());
            literals.expands_bare_names = known.is_some_and(|known| known.expands_bare_names);
            let standing = Standing {
                place: schema.as_ref().map(Place::root),
                is_secret: false,
                is_unknown: schema.is_none(),
            };
            literals.below(&block.key, &block.value, &mut path, standing);
            literals.expands_bare_names = false;
        }
    }
    literals
}

impl Literals {
    fn read(&mut self, node: &Node, path: &mut String, standing: Standing<'_>) {
        let is_secret = standing.is_secret || standing.place.is_some_and(Place::is_secret);
        let standing = Standing {
            is_secret,
            ..standing
        };
        match &node.value {
            Value::Scalar(scalar) => {
                if is_secret || standing.is_unknown {
                    self.covered.push(node.span);
                }
                if !self.expands_bare_names && is_bare_name(&scalar.text) {
                    self.found
                        .push(bare_name(node.span, path, &scalar.text[1..], is_secret));
                }
            }
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    let length = path.len();
                    // Writing to a text cannot fail.
                    let _ = write!(path, "[{index}]");
                    let place = standing.place.and_then(Place::item);
                    self.read(item, path, Standing { place, ..standing });
                    path.truncate(length);
                }
            }
            Value::Map(entries) => {
                for entry in entries {
                    let place = standing.place.and_then(|place| place.field(&entry.key));
                    let is_taken = standing.place.is_none_or(|place| place.takes(&entry.key));
                    let below = Standing {
                        place,
                        is_secret: is_secret || names_a_secret(&entry.key),
                        is_unknown: standing.is_unknown || !is_taken,
                    };
                    self.below(&entry.key, &entry.value, path, below);
                }
            }
        }
    }

    fn below(&mut self, key: &str, node: &Node, path: &mut String, standing: Standing<'_>) {
        let length = path.len();
        path.push('.');
        path.push_str(key);
        self.read(node, path, standing);
        path.truncate(length);
    }
}

fn bare_name(span: Span, path: &str, name: &str, is_secret: bool) -> Diagnostic {
    if is_secret {
        return Diagnostic::error(
            span,
            format!("`{path}`: the text `${name}` itself would be the secret: it is no reference"),
        )
        .with_help(format!("write `${{env:{name}}}`"));
    }
    Diagnostic::warning(
        span,
        format!("`{path}`: `${name}` is taken as text: it is no reference"),
    )
    .with_help(format!(
        "write `${{env:{name}}}`, or `$${name}` for the text"
    ))
}
