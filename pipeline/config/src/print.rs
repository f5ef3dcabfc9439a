//! The file as it is understood: aliases and merge keys put in, secrets hidden.
//!
//! Three rules hide, and any one of them is enough: the component's own schema says that the field is a secret; the
//! key's name says so (`token`, `api_key`, `password`, `headers` …); the value came out of a reference. The first two
//! print `***`, a reference prints as itself (`${env:TOKEN}`), so that the reader sees where the value comes from.

use schemars::Schema;
use serde_json::{Map, Value as Json};

use crate::mask::{mask_url, names_a_secret};
use crate::node::{Atom, Node, Value};
use crate::plan::resolve;
use crate::{Class, Diagnostics, Lookup, Registry, Source};

const HIDDEN: &str = "***";

/// The resolved file as YAML, secrets hidden. It says nothing about whether the file is valid.
///
/// # Errors
/// The file is not YAML, or a reference in it cannot be resolved.
pub fn print(
    source: &Source,
    registry: &Registry,
    lookup: &dyn Lookup,
) -> Result<String, Diagnostics> {
    let (document, found) = resolve(source, registry, lookup)
        .map_err(|diagnostic| Diagnostics::new(source.clone(), vec![diagnostic]))?;
    let found = Diagnostics::new(source.clone(), found);
    if found.errors() > 0 {
        return Err(found);
    }
    let mut sections = Map::new();
    for section in document.entries() {
        let class = [
            Class::Receiver,
            Class::Processor,
            Class::Exporter,
            Class::Extension,
        ]
        .into_iter()
        .find(|class| class.section() == section.key);
        let shown = match (class, &section.value.value) {
            (Some(class), Value::Map(blocks)) => {
                let block = |kind: &str, node: &Node| {
                    let schema = registry
                        .find(class, kind.split('/').next().unwrap_or_default())
                        .map(|known| (known.schema)());
                    show(node, schema.as_ref().map(Place::root), false)
                };
                Json::Object(
                    blocks
                        .iter()
                        .map(|entry| (entry.key.clone(), block(&entry.key, &entry.value)))
                        .collect(),
                )
            }
            _ => show(&section.value, None, false),
        };
        sections.insert(section.key.clone(), shown);
    }
    // Text and JSON values are all that is in it, so the writer has nothing to refuse.
    Ok(serde_yaml::to_string(&Json::Object(sections)).unwrap_or_default())
}

fn show(node: &Node, place: Option<Place<'_>>, is_secret: bool) -> Json {
    let is_secret = is_secret || place.is_some_and(|place| place.is_secret());
    match (&node.value, &node.origin) {
        _ if node.is_null() => Json::Null,
        (Value::Scalar(_), _) if is_secret => Json::from(HIDDEN),
        (_, Some(_)) if is_secret => Json::from(HIDDEN),
        (_, Some(origin)) => {
            Json::from(mask_url(&origin.written).unwrap_or_else(|| origin.written.clone()))
        }
        (Value::Scalar(scalar), None) => match node.atom() {
            // What is no plain number to the eye (`0123`) stays text.
            Some(Atom::Unsigned(number)) if scalar.text == number.to_string() => Json::from(number),
            Some(Atom::Signed(number)) => Json::from(number),
            Some(Atom::Bool(value)) => Json::from(value),
            Some(Atom::Float(number)) if number.is_finite() => Json::from(number),
            _ => Json::from(mask_url(&scalar.text).unwrap_or_else(|| scalar.text.clone())),
        },
        (Value::List(items), None) => Json::Array(
            items
                .iter()
                .map(|item| show(item, place.and_then(Place::item), is_secret))
                .collect(),
        ),
        (Value::Map(entries), None) => Json::Object(
            entries
                .iter()
                .map(|entry| {
                    let below = place.and_then(|place| place.field(&entry.key));
                    (
                        entry.key.clone(),
                        show(&entry.value, below, is_secret || names_a_secret(&entry.key)),
                    )
                })
                .collect(),
        ),
    }
}

/// A place in a JSON Schema.
#[derive(Clone, Copy)]
struct Place<'s> {
    root: &'s Json,
    here: &'s Json,
}

impl<'s> Place<'s> {
    fn root(schema: &'s Schema) -> Self {
        Self {
            root: schema.as_value(),
            here: schema.as_value(),
        }
    }

    /// This place, or those that it refers to or chooses between. Bounded, because schemas may be recursive.
    fn choices(self, depth: usize) -> Vec<&'s Json> {
        let mut choices = vec![self.here];
        if depth == 0 {
            return choices;
        }
        if let Some(target) = self.here["$ref"]
            .as_str()
            .and_then(|reference| self.root.pointer(reference.trim_start_matches('#')))
        {
            choices.extend(
                Place {
                    here: target,
                    ..self
                }
                .choices(depth - 1),
            );
        }
        for list in ["anyOf", "oneOf", "allOf"] {
            for here in self.here[list].as_array().into_iter().flatten() {
                choices.extend(Place { here, ..self }.choices(depth - 1));
            }
        }
        choices
    }

    fn is_secret(self) -> bool {
        self.choices(4)
            .iter()
            .any(|choice| choice["$ref"] == "#/$defs/Secret")
    }

    fn below(self, find: impl Fn(&'s Json) -> Option<&'s Json>) -> Option<Self> {
        let choices = self.choices(4);
        choices
            .into_iter()
            .find_map(find)
            .map(|here| Self { here, ..self })
    }

    fn field(self, key: &str) -> Option<Self> {
        self.below(|choice| choice.get("properties").and_then(|fields| fields.get(key)))
            .or_else(|| {
                self.below(|choice| {
                    choice
                        .get("additionalProperties")
                        .filter(|schema| schema.is_object())
                })
            })
    }

    fn item(self) -> Option<Self> {
        self.below(|choice| choice.get("items").filter(|schema| schema.is_object()))
    }
}
