//! The event envelope: parsed in order, judged object by object.

use http::Uri;
use serde_json::{Map, Value};

use super::Options;

/// An indexed event.
#[derive(Clone, Debug)]
pub struct Event {
    /// The envelope: `time host source sourcetype index event fields`, whichever were sent.
    pub envelope: Map<String, Value>,
    /// The envelope's bytes as sent.
    pub text: String,
    /// The request's channel.
    pub channel: Option<String>,
}

impl Event {
    /// The `event` member.
    #[must_use]
    pub fn event(&self) -> &Value {
        self.envelope.get("event").unwrap_or(&Value::Null)
    }

    /// The indexed field `name`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.envelope.get("fields")?.get(name)
    }

    /// The `time` member in seconds.
    #[must_use]
    pub fn time(&self) -> Option<f64> {
        let time = self.envelope.get("time")?;
        time.as_f64().or_else(|| time.as_str()?.parse().ok())
    }

    /// A line of a raw body, with the metadata of its query.
    pub(super) fn raw(line: &str, uri: &Uri) -> Self {
        let mut envelope = Map::new();
        for name in ["host", "source", "sourcetype", "index"] {
            if let Some(value) = super::query(uri, name) {
                envelope.insert(name.to_owned(), value.into());
            }
        }
        envelope.insert("event".to_owned(), line.into());
        Self {
            envelope,
            text: line.to_owned(),
            channel: None,
        }
    }
}

/// A body taken apart.
pub(super) struct Parsed {
    /// What is indexed, in order.
    pub(super) events: Vec<Event>,
    /// Envelopes that are passed over with a 200.
    pub(super) skipped: usize,
    /// Why parsing stopped, if it did.
    pub(super) flaw: Option<Flaw>,
}

/// A per-object error.
#[derive(Clone, Copy)]
pub(super) struct Flaw {
    pub(super) code: u16,
    pub(super) number: Option<usize>,
}

enum Judged {
    Index,
    /// `fields` without `event`: nothing to index, no error.
    Skip,
    /// An unknown key: parsing ends here, silently.
    End,
    Flawed(Flaw),
}

/// Takes envelopes from a body in order, until one is flawed: everything before it is indexed.
pub(super) fn parse(body: &[u8], options: &Options, poison: &[(String, u16)]) -> Parsed {
    let mut parsed = Parsed {
        events: Vec::new(),
        skipped: 0,
        flaw: None,
    };
    let envelopes = match envelopes(body) {
        Ok(envelopes) => envelopes,
        Err(flaw) => {
            return Parsed {
                flaw: Some(flaw),
                ..parsed
            };
        }
    };
    let total = envelopes.len();
    for (number, envelope) in envelopes.into_iter().enumerate() {
        let Ok((Value::Object(envelope), text)) = envelope else {
            parsed.flaw = Some(Flaw {
                code: 6,
                number: Some(number),
            });
            return parsed;
        };
        let poisoned = poison
            .iter()
            .find(|(needle, _)| text.contains(needle))
            .map(|(_, code)| *code);
        match poisoned.map_or_else(
            || judge(&envelope, text.len(), number, options),
            |code| flawed(code, number),
        ) {
            Judged::Index => parsed.events.push(Event {
                envelope,
                text,
                channel: None,
            }),
            Judged::Skip => parsed.skipped += 1,
            Judged::End if total == 1 => {
                parsed.flaw = Some(Flaw {
                    code: 5,
                    number: None,
                });
                return parsed;
            }
            Judged::End => {
                parsed.skipped += total - number;
                return parsed;
            }
            Judged::Flawed(flaw) => {
                parsed.flaw = Some(flaw);
                return parsed;
            }
        }
    }
    if total == 0 {
        parsed.flaw = Some(Flaw {
            code: 5,
            number: None,
        });
    }
    parsed
}

/// One value with its text, or a syntax error, after which nothing follows.
type Envelope = Result<(Value, String), ()>;

/// The body's objects: concatenated, with or without whitespace between them, or one array.
fn envelopes(body: &[u8]) -> Result<Vec<Envelope>, Flaw> {
    if body.trim_ascii_start().starts_with(b"[") {
        let values: Vec<Value> = serde_json::from_slice(body).map_err(|_| Flaw {
            code: 6,
            number: Some(0),
        })?;
        return Ok(values
            .into_iter()
            .map(|value| {
                let text = value.to_string();
                Ok((value, text))
            })
            .collect());
    }
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    let (mut envelopes, mut start) = (Vec::new(), 0);
    while let Some(value) = values.next() {
        let end = values.byte_offset();
        let failed = value.is_err();
        envelopes.push(value.map_err(|_| ()).map(|value| {
            (
                value,
                String::from_utf8_lossy(body[start..end].trim_ascii()).into_owned(),
            )
        }));
        if failed {
            break;
        }
        start = end;
    }
    Ok(envelopes)
}

fn flawed(code: u16, number: usize) -> Judged {
    // The one error that counts objects from 1.
    let number = if code == 7 { number + 1 } else { number };
    Judged::Flawed(Flaw {
        code,
        number: Some(number),
    })
}

fn judge(envelope: &Map<String, Value>, bytes: usize, number: usize, options: &Options) -> Judged {
    let flawed = |code| flawed(code, number);
    const KEYS: [&str; 7] = [
        "time",
        "host",
        "source",
        "sourcetype",
        "index",
        "event",
        "fields",
    ];
    if envelope.keys().any(|key| !KEYS.contains(&key.as_str())) {
        return Judged::End;
    }
    if bytes > options.max_event_size {
        return flawed(6);
    }
    let time_is_fine = match envelope.get("time") {
        None | Some(Value::Number(_)) => true,
        Some(Value::String(text)) => text.parse::<f64>().is_ok(),
        Some(_) => false,
    };
    let text_is_fine = |key: &&str| envelope.get(*key).is_none_or(Value::is_string);
    if !time_is_fine
        || !["host", "source", "sourcetype", "index"]
            .iter()
            .all(text_is_fine)
    {
        return flawed(6);
    }
    match envelope.get("event") {
        None | Some(Value::Null) if envelope.get("fields").is_some_and(Value::is_object) => {
            return Judged::Skip;
        }
        None | Some(Value::Null) => return flawed(12),
        Some(Value::String(text)) if text.is_empty() => return flawed(13),
        Some(_) => {}
    }
    if !envelope.get("fields").is_none_or(fields_are_flat) {
        return flawed(15);
    }
    match envelope.get("index").and_then(Value::as_str) {
        Some(index)
            if !options.indexes.is_empty()
                && !options.indexes.iter().any(|allowed| allowed == index) =>
        {
            flawed(7)
        }
        _ => Judged::Index,
    }
}

/// Strings, numbers, booleans and arrays of strings.
fn fields_are_flat(fields: &Value) -> bool {
    fields.as_object().is_some_and(|fields| {
        fields.values().all(|value| match value {
            Value::String(_) | Value::Number(_) | Value::Bool(_) => true,
            Value::Array(items) => items.iter().all(Value::is_string),
            Value::Null | Value::Object(_) => false,
        })
    })
}
