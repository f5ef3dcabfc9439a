//! OpenTelemetry logs, traces and metrics as flat rows over the bytes they arrived in. No I/O.
//!
//! ```text
//!  request ──decode──▶ Batch { wire, side, resources, scopes, records, attributes } ──encode──▶ request
//!                        │                                                            ──write_json──▶ a SIEM's body
//!                        └─ record(i), record_mut(i), edit_record(i), retain, slice, append
//! ```
//!
//! A record is a log record, a span or a metric data point: each has a resource, a scope and attributes. Texts are
//! spans into the request (`wire`) or into one buffer of edits (`side`). Nested values stay raw protobuf until someone
//! looks inside. A record nobody changed is written out again byte for byte; one that is not canonical (unknown fields,
//! a singular field twice) is rewritten on the way in, so that bytes nobody looked at are never copied on.
//!
//! ```
//! use sluice_batch::{Batch, Signal, Value};
//! let mut batch = Batch::new(Signal::Logs);
//! batch.push_scope(&[("service.name", Value::Str("gateway"))], "audit");
//! let mut record = batch.push_log();
//! record.set("decision", Value::Str("refuse"));
//! record.set_time(1_776_709_800_000_000_000);
//! let wire = batch.encode();
//! let again = Batch::decode(Signal::Logs, wire.into()).unwrap();
//! assert_eq!(again.record(0).get("decision"), Some(Value::Str("refuse")));
//! assert_eq!(again.record(0).resource().get("service.name"), Some(Value::Str("gateway")));
//! ```

mod alone;
mod batch;
mod canon;
mod check;
mod decode;
mod edit;
mod encode;
mod json;
mod merge;
#[cfg(any(test, feature = "oracle"))]
#[doc(hidden)]
pub mod oracle;
mod record;
mod rows;
mod same;
mod schema;
mod sender;
#[cfg(test)]
mod tests;
mod text;
mod value;
mod wire;
mod words;

pub use batch::{Batch, DecodeError, Signal};
pub use edit::{Edit, Editor, Place};
pub use json::write_string as write_json_string;
pub use record::{Attributes, Level, LevelMut, Record, RecordMut};
pub use sender::Sender;
pub use value::{Array, Map, Value, ValueBuf};
