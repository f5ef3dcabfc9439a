//! The file as it is understood: aliases and merge keys put in, secrets hidden.
//!
//! Three rules hide, and any one of them is enough: the component's own schema says that the field is a secret; the
//! key's name says so (`token`, `api_key`, `password`, `headers` …); the value came out of a reference. The first two
//! print `***`, a reference prints as itself (`${env:TOKEN}`), so that the reader sees where the value comes from. In
//! URLs, passwords and query parameters that are named as secrets are hidden.

use serde_json::{Map, Value as Json};

use crate::mask::{hide_credentials, names_a_secret};
use crate::node::{Atom, Node, Value};
use crate::plan::{does_nothing, resolve};
use crate::schema::Place;
use crate::{Class, Diagnostics, Lookup, Plan, Registry, Source};

const HIDDEN: &str = "***";

/// The resolved file as YAML, secrets hidden. Only a file that can run is printed: what a mistyped key holds may be a
/// secret, and nothing tells.
///
/// # Errors
/// What [`Plan::read`] finds wrong with the file.
pub fn print(
    source: &Source,
    registry: &Registry,
    lookup: &dyn Lookup,
) -> Result<String, Diagnostics> {
    Plan::read(source, registry, lookup)?;
    let document = resolve(source, registry, lookup)
        .map_err(|diagnostic| Diagnostics::new(source.clone(), vec![diagnostic]))?
        .document;
    let mut sections = Map::new();
    for section in document.entries() {
        let class = Class::ALL
            .into_iter()
            .find(|class| class.section() == section.key);
        let shown = match (class, &section.value.value) {
            (Some(class), Value::Map(blocks)) => {
                let block = |kind: &str, node: &Node| {
                    let schema = registry
                        .find(class, kind.split('/').next().unwrap_or_default())
                        .map(|known| (known.schema)());
                    // Nobody knows the keys of a component that is not there.
                    let is_secret = does_nothing(class, kind).is_some() && schema.is_none();
                    show(node, schema.as_ref().map(Place::root), is_secret)
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
        (_, Some(origin)) => Json::from(hide_credentials(&origin.written)),
        (Value::Scalar(scalar), None) => match node.atom() {
            // What is no plain number to the eye (`0123`) stays text.
            Some(Atom::Unsigned(number)) if scalar.text == number.to_string() => Json::from(number),
            Some(Atom::Signed(number)) => Json::from(number),
            Some(Atom::Bool(value)) => Json::from(value),
            Some(Atom::Float(number)) if number.is_finite() => Json::from(number),
            _ => Json::from(hide_credentials(&scalar.text)),
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
