//! Finding a field of the file in its component's JSON Schema, which knows what is a secret.

use schemars::Schema;
use serde_json::Value as Json;

/// A place in a JSON Schema.
#[derive(Clone, Copy)]
pub(crate) struct Place<'s> {
    root: &'s Json,
    here: &'s Json,
}

impl<'s> Place<'s> {
    pub(crate) fn root(schema: &'s Schema) -> Self {
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

    pub(crate) fn is_secret(self) -> bool {
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

    pub(crate) fn field(self, key: &str) -> Option<Self> {
        self.below(|choice| choice.get("properties").and_then(|fields| fields.get(key)))
            .or_else(|| {
                self.below(|choice| {
                    choice
                        .get("additionalProperties")
                        .filter(|schema| schema.is_object())
                })
            })
    }

    pub(crate) fn item(self) -> Option<Self> {
        self.below(|choice| choice.get("items").filter(|schema| schema.is_object()))
    }

    /// Whether `key` is one that a mapping here may have, as far as the schema tells. serde's aliases are not in it.
    pub(crate) fn takes(self, key: &str) -> bool {
        self.field(key).is_some() || self.choices(4).iter().any(|choice| is_open(choice))
    }
}

/// Whether a schema lets a mapping have any key: it says nothing of keys, and nothing that rules a mapping out.
fn is_open(schema: &Json) -> bool {
    let Json::Object(rules) = schema else {
        return schema == &Json::Bool(true);
    };
    let may_be_a_mapping = match rules.get("type") {
        Some(Json::String(kind)) => kind == "object",
        Some(Json::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        _ => !["$ref", "anyOf", "oneOf", "allOf", "enum", "const"]
            .iter()
            .any(|rule| rules.contains_key(*rule)),
    };
    may_be_a_mapping
        && !rules.contains_key("properties")
        && rules.get("additionalProperties") != Some(&Json::Bool(false))
}
