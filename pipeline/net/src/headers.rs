//! `headers:` of a client: static request headers, all treated as secrets.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use sluice_component::{BuildContext, BuildError, ClientAuth, Problems, Secret};

use crate::AuthConfig;

/// Request headers as a map (`name: value`) or as the Collector's newer list of `{name, value}`, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Headers(pub Vec<(String, Secret)>);

impl Headers {
    /// Reports names and values that no HTTP header can have.
    pub fn check(&self, problems: &mut Problems) {
        for (name, value) in &self.0 {
            problems.at(name.as_str(), |p| {
                if HeaderName::from_bytes(name.as_bytes()).is_err() {
                    p.error("is not a valid header name");
                }
                if HeaderValue::from_str(value.expose()).is_err() {
                    p.error("its value cannot stand in a header: control characters or line breaks in it");
                }
            });
        }
    }

    fn build(&self) -> Result<HeaderMap, BuildError> {
        let mut map = HeaderMap::new();
        for (name, value) in &self.0 {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| BuildError(format!("headers: `{name}` is not a valid header name")))?;
            let value = secret_value(value)
                .ok_or_else(|| BuildError(format!("headers.{name}: not a valid header value")))?;
            map.append(name, value);
        }
        Ok(map)
    }
}

fn secret_value(secret: &Secret) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(secret.expose()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// What a client adds to each request: its static headers, and what its authenticator gives at that moment.
#[derive(Clone)]
pub struct OutgoingHeaders {
    fixed: HeaderMap,
    auth: Option<Arc<dyn ClientAuth>>,
}

impl OutgoingHeaders {
    /// From the `headers` and `auth` blocks of a client.
    ///
    /// # Errors
    /// A header that is none; an authenticator that is not there or is not one for clients.
    pub fn new(
        headers: &Headers,
        auth: Option<&AuthConfig>,
        context: &BuildContext,
    ) -> Result<Self, BuildError> {
        let auth = match auth {
            None => None,
            Some(auth) => {
                let id = &auth.authenticator;
                let extension = context.extension(id)?;
                let client = extension.client_auth.clone();
                Some(client.ok_or_else(|| {
                    BuildError(format!(
                        "auth.authenticator: extension `{id}` does not authenticate clients"
                    ))
                })?)
            }
        };
        Ok(Self {
            fixed: headers.build()?,
            auth,
        })
    }

    /// Adds them; a header that the request has already keeps its value.
    pub fn add_to(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.fixed {
            if !headers.contains_key(name) {
                headers.insert(name, value.clone());
            }
        }
        for (name, value) in self.auth.iter().flat_map(|auth| auth.headers()) {
            if let (Ok(name), Some(value)) = (
                HeaderName::from_bytes(name.as_bytes()),
                secret_value(&value),
            ) {
                headers.insert(name, value);
            }
        }
    }
}

impl fmt::Debug for OutgoingHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingHeaders")
            .field("fixed", &self.fixed)
            .field("auth", &self.auth.is_some())
            .finish()
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Pair {
            name: String,
            value: Secret,
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Headers;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("headers as `name: value`")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    headers.push(entry);
                }
                Ok(Headers(headers))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some(Pair { name, value }) = list.next_element()? {
                    headers.push((name, value));
                }
                Ok(Headers(headers))
            }
            fn visit_unit<E>(self) -> Result<Headers, E> {
                Ok(Headers::default())
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Headers {
    fn schema_name() -> Cow<'static, str> {
        "Headers".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "header names and values; the values are secrets",
            "anyOf": [
                {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
                {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}, "value": {"type": "string"}}}}
            ]
        })
    }
}
