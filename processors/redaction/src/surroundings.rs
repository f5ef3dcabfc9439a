//! What the values around a value say of it: that it belongs to a secret.
//!
//! ```text
//!  {"password": {"old": "p1"}}                    a key above names a secret
//!  {"field": "api_key", "value": "k1"}            an entry beside it does
//!  ["-----BEGIN PRIVATE KEY-----", "MIIE…"]       an item before it began a key
//! ```

use processor_detect::{closes_private_key, names_a_secret, opens_private_key};
use sluice_batch::Value;

/// Entries that say what the entries beside them are about, and those that hold it.
const NAMES: &[&str] = &["field", "name", "key"];
const HELD: &[&str] = &[
    "value",
    "values",
    "old",
    "new",
    "before",
    "after",
    "old_value",
    "new_value",
    "from",
    "to",
];

/// Follows a walk, outermost value first.
#[derive(Default)]
pub(crate) struct Surroundings {
    /// Depth of the array or map of which everything is secret, and the name that says so.
    secret: Option<(usize, String)>,
    /// Depths of the maps around, each with the name that one of its entries gives to others.
    named: Vec<(usize, String)>,
    /// Depth of the items of an array in which a private key began.
    key_lines: Option<usize>,
}

impl Surroundings {
    /// Takes note of the next value. Returns the name of the secret that it is or belongs to, if not its own key says so.
    pub(crate) fn enter(&mut self, key: &str, depth: usize, value: Value<'_>) -> Option<String> {
        if self.secret.as_ref().is_some_and(|(of, _)| depth <= *of) {
            self.secret = None;
        }
        if let Some((_, name)) = &self.secret {
            return Some(name.clone());
        }
        while self.named.last().is_some_and(|(of, _)| depth <= *of) {
            self.named.pop();
        }
        let beside = self
            .named
            .last()
            .filter(|(of, _)| of + 1 == depth && HELD.contains(&key))
            .map(|(_, name)| name.clone());
        if matches!(value, Value::Array(_) | Value::Map(_)) {
            let name = || names_a_secret(key).then(|| key.to_owned());
            if let Some(name) = beside.or_else(name) {
                self.secret = Some((depth, name));
            } else if let Value::Map(map) = value {
                let names = map
                    .iter()
                    .filter(|(key, _)| NAMES.contains(key))
                    .filter_map(|(_, value)| value.as_str());
                let mut secrets = names.filter(|name| names_a_secret(name));
                self.named
                    .extend(secrets.next().map(|name| (depth, name.to_owned())));
            }
            return None;
        }
        beside
    }

    /// Whether the value is a line of a private key that began in an item before it.
    pub(crate) fn is_key_line(&mut self, is_entry: bool, depth: usize, value: Value<'_>) -> bool {
        if is_entry || self.key_lines.is_some_and(|of| depth < of) {
            self.key_lines = None;
        }
        let Value::Str(text) = value else {
            return false;
        };
        let goes_on = self.key_lines == Some(depth);
        if goes_on && closes_private_key(text) {
            self.key_lines = None;
        }
        if !is_entry && depth > 0 && opens_private_key(text) {
            self.key_lines = Some(depth);
        }
        goes_on
    }
}
