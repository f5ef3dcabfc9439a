//! Paths: which part of a record a condition looks at.

use std::fmt;

use sluice_component::nearest;

use crate::{ParseError, ast::write_quoted};

/// A part of a record, and the keys that lead further into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The part.
    pub field: Field,
    /// Keys into a map and positions in a list, outermost first. At least one after attributes.
    pub keys: Vec<PathKey>,
}

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathKey {
    /// `["name"]`
    Name(String),
    /// `[0]`
    Index(usize),
}

/// A part of a log record, span or data point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `attributes["x"]`, the record's own.
    Attributes,
    /// `body`, `body["x"]["y"]`.
    Body,
    /// `resource.attributes["x"]`.
    ResourceAttributes,
    /// `resource.schema_url`.
    ResourceSchemaUrl,
    /// `scope.attributes["x"]`.
    ScopeAttributes,
    /// `scope.name`.
    ScopeName,
    /// `scope.version`.
    ScopeVersion,
    /// `scope.schema_url`.
    ScopeSchemaUrl,
    /// `severity_number`, 0 when unspecified.
    SeverityNumber,
    /// `severity_text`, empty when absent.
    SeverityText,
    /// `event_name`, empty when absent.
    EventName,
    /// `name`: a span's name, a data point's metric name (also `metric.name`).
    Name,
    /// `time_unix_nano`: a log record's or data point's time, a span's start (also `start_time_unix_nano`); 0 when absent.
    TimeUnixNano,
    /// `observed_time_unix_nano`, 0 when absent; a span's end (also `end_time_unix_nano`).
    ObservedTimeUnixNano,
    /// `trace_id`, 16 bytes, all zero when absent.
    TraceId,
    /// `trace_id.string`, hex, empty when absent.
    TraceIdString,
    /// `span_id`, 8 bytes, all zero when absent.
    SpanId,
    /// `span_id.string`, hex, empty when absent.
    SpanIdString,
    /// `flags`.
    Flags,
}

/// Every spelling of every field; the first spelling of a field is the one that is printed.
const SPELLINGS: [(&str, Field); 22] = [
    ("attributes", Field::Attributes),
    ("body", Field::Body),
    ("resource.attributes", Field::ResourceAttributes),
    ("resource.schema_url", Field::ResourceSchemaUrl),
    ("scope.attributes", Field::ScopeAttributes),
    ("scope.name", Field::ScopeName),
    ("scope.version", Field::ScopeVersion),
    ("scope.schema_url", Field::ScopeSchemaUrl),
    ("severity_number", Field::SeverityNumber),
    ("severity_text", Field::SeverityText),
    ("event_name", Field::EventName),
    ("name", Field::Name),
    ("metric.name", Field::Name),
    ("time_unix_nano", Field::TimeUnixNano),
    ("start_time_unix_nano", Field::TimeUnixNano),
    ("observed_time_unix_nano", Field::ObservedTimeUnixNano),
    ("end_time_unix_nano", Field::ObservedTimeUnixNano),
    ("trace_id", Field::TraceId),
    ("trace_id.string", Field::TraceIdString),
    ("span_id", Field::SpanId),
    ("span_id.string", Field::SpanIdString),
    ("flags", Field::Flags),
];

impl Field {
    /// The field that `dotted` names, with or without a context (`log.`, `span.`, `datapoint.`) before it. `at` is the
    /// offset for the error.
    pub(crate) fn named(dotted: &str, at: usize) -> Result<Self, ParseError> {
        let plain = ["log.", "span.", "datapoint."]
            .into_iter()
            .find_map(|context| dotted.strip_prefix(context))
            .unwrap_or(dotted);
        let plain = match plain.strip_prefix("instrumentation_scope.") {
            Some(rest) => format!("scope.{rest}"),
            None => plain.to_owned(),
        };
        if let Some((_, field)) = SPELLINGS
            .into_iter()
            .find(|(spelling, _)| *spelling == plain)
        {
            return Ok(field);
        }
        let error = ParseError::new(at, format!("unknown path `{dotted}`"));
        let inside = [
            "attributes",
            "body",
            "resource.attributes",
            "scope.attributes",
        ]
        .into_iter()
        .find_map(|map| Some((map, plain.strip_prefix(map)?.strip_prefix('.')?)));
        Err(match (inside, plain.as_str()) {
            (Some((map, key)), _) => error.help(format!("write `{map}[\"{key}\"]`")),
            (None, "severity") => error.help("write `severity_number` or `severity_text`"),
            (None, "resource" | "scope") => {
                error.help(format!("write `{plain}.attributes[\"key\"]`"))
            }
            (None, "time" | "observed_time" | "start_time") => {
                error.help(format!("write `{plain}_unix_nano`, a number"))
            }
            (None, _) => match nearest(&plain, SPELLINGS.into_iter().map(|(spelling, _)| spelling))
            {
                Some(meant) => error.help(format!("did you mean `{meant}`?")),
                None => error.help(format!(
                    "known paths: {}",
                    SPELLINGS.map(|(spelling, _)| spelling).join(", ")
                )),
            },
        })
    }

    /// Whether keys may, or must, follow.
    pub(crate) fn takes_keys(self) -> bool {
        self.needs_key() || self == Self::Body
    }

    /// Whether a key must follow.
    pub(crate) fn needs_key(self) -> bool {
        matches!(
            self,
            Self::Attributes | Self::ResourceAttributes | Self::ScopeAttributes
        )
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spelling = SPELLINGS
            .into_iter()
            .find(|(_, field)| field == self)
            .map_or("", |(spelling, _)| spelling);
        f.write_str(spelling)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.field)?;
        for key in &self.keys {
            f.write_str("[")?;
            match key {
                PathKey::Name(name) => write_quoted(f, name)?,
                PathKey::Index(index) => write!(f, "{index}")?,
            }
            f.write_str("]")?;
        }
        Ok(())
    }
}
