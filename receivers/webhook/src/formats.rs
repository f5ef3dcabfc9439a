//! Turns what AI gateways post into log records.
//!
//! ```text
//!  body ──documents──▶ events ──unwrap──▶ the source's own object ─▶ body of the record, as it came
//!                                              └─ table of the format ─▶ normalised attributes, severity, time
//! ```
//!
//! The record's body is the source's own object: names, order, `null` and `[]` untouched. Everything normalised
//! stands beside it. A request is mapped whole or not at all.

pub(crate) mod documents;
mod judgement;
mod keeptrusts;
mod llm_gateway;
mod plain;
mod policy_gateway;
mod record;
mod table;
#[cfg(test)]
mod tests;
mod time;
mod trace;
mod uid;
mod wrapper;

use schemars::JsonSchema;
use serde::Deserialize;
use sluice_batch::{Batch, Signal, Value};

use documents::documents;
use record::Writer;
use table::Source;
use uid::uid;

pub use uid::Delivery;

/// Most events of one request.
pub const MAX_EVENTS: usize = 20_000;
/// Most bytes that all records of a request may take for what is put into each of them (a wrapper's own fields, request
/// headers): it would otherwise multiply by the number of events.
pub const MAX_REPEATED_BYTES: usize = 16 << 20;

/// Who wrote the events, and so what their fields mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Policy Gateway decisions, simulations and revisions.
    PolicyGateway,
    /// Keeptrusts decision events.
    Keeptrusts,
    /// LLM Gateway audit records of privileged actions.
    LlmGateway,
    /// Any JSON objects.
    #[default]
    Json,
    /// Anything: the whole body becomes one record.
    Raw,
}

/// How much of the normalised view is put beside the source's object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// `log.record.uid` only.
    Off,
    /// What searches and rules need most: policy, decision, outcome, enforcement, user, model, project,
    /// classification; for administrative actions the action, its resource and the client's address.
    #[default]
    Short,
    /// Every field of the format that has a normalised name.
    Full,
}

/// Why a body cannot be mapped. It names places, never content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Nothing but white space.
    #[error("the body is empty")]
    Empty,
    /// No JSON.
    #[error("malformed JSON at byte {offset}")]
    Malformed {
        /// Where in the body, from 0.
        offset: usize,
    },
    /// An event is a list, a text, a number or `null`.
    #[error("event {event} is not a JSON object")]
    NotAnObject {
        /// Which, from 1.
        event: usize,
    },
    /// JSON that no record can hold: nested more than 28 objects or 42 lists deep (protobuf readers give up after 100
    /// nested messages, and an object takes three), or with a number beyond the range of a double.
    #[error("the JSON at byte {offset} nests too deep or has a number out of range")]
    Unfit {
        /// Where in the body, from 0.
        offset: usize,
    },
    /// More than [`MAX_EVENTS`].
    #[error("more than {MAX_EVENTS} events: send fewer in one request")]
    TooMany,
    /// More than [`MAX_REPEATED_BYTES`].
    #[error(
        "what all events share would take more than {MAX_REPEATED_BYTES} bytes: send fewer in one request"
    )]
    TooRepetitive,
}

/// How bodies become records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Who wrote them.
    pub format: Format,
    /// How much is normalised.
    pub normalise: Normalise,
    /// The event's field that `user.id` is taken from, before the format's own choice; a dot leads into an object.
    pub subject_field: Option<String>,
}

impl Mapping {
    /// Maps a body: an object, a list of objects, several of them one after the other (NDJSON or not), and for the
    /// formats with a table each possibly wrapped as `{"data": …}` or `{"event": …}`. `received` is the time of
    /// receipt in UTC nanoseconds since 1970. `delivery` is what was verified of it: records without an id of their
    /// own get one that is the same for each copy of it, and a new UUIDv7 without it.
    ///
    /// # Errors
    /// The body is not of this form; then nothing of it is mapped.
    pub fn batch(
        &self,
        body: &[u8],
        received: u64,
        delivery: Option<&Delivery>,
    ) -> Result<Batch, BodyError> {
        if body.trim_ascii().is_empty() {
            return Err(BodyError::Empty);
        }
        let source = match self.format {
            Format::PolicyGateway => &policy_gateway::SOURCE,
            Format::Keeptrusts => &keeptrusts::SOURCE,
            Format::LlmGateway => &llm_gateway::SOURCE,
            Format::Json => &plain::SOURCE,
            Format::Raw => return Ok(raw(body, received, delivery)),
        };
        let documents = documents(body, MAX_EVENTS)?;
        let mut writer = Writer::new(self, source, received, delivery);
        for document in &documents {
            match document.as_value() {
                Value::Array(events) => events
                    .iter()
                    .try_for_each(|event| take(source, event, &mut writer))?,
                event => take(source, event, &mut writer)?,
            }
        }
        if writer.batch.is_empty() {
            Err(BodyError::Empty)
        } else {
            Ok(writer.batch)
        }
    }
}

/// One event, or those in its wrapper.
fn take(source: &Source, event: Value<'_>, writer: &mut Writer<'_>) -> Result<(), BodyError> {
    let at = writer.batch.len() + 1;
    let Value::Map(map) = event else {
        return Err(BodyError::NotAnObject { event: at });
    };
    match wrapper::unwrap(source, map) {
        Some((Value::Array(events), envelope)) => {
            repetition(wrapper::size(envelope), events.iter().count())?;
            events
                .iter()
                .try_for_each(|event| write(writer, event, Some((envelope, false))))
        }
        Some((event, envelope)) => write(writer, event, Some((envelope, true))),
        None => write(writer, event, None),
    }
}

/// Whether `bytes` may be put into each of `events` records.
pub(crate) fn repetition(bytes: usize, events: usize) -> Result<(), BodyError> {
    if bytes.saturating_mul(events) > MAX_REPEATED_BYTES {
        Err(BodyError::TooRepetitive)
    } else {
        Ok(())
    }
}

fn write<'v>(
    writer: &mut Writer<'_>,
    event: Value<'v>,
    envelope: Option<(sluice_batch::Map<'v>, bool)>,
) -> Result<(), BodyError> {
    let at = writer.batch.len() + 1;
    if at > MAX_EVENTS {
        return Err(BodyError::TooMany);
    }
    let Value::Map(map) = event else {
        return Err(BodyError::NotAnObject { event: at });
    };
    writer.write(map, envelope);
    Ok(())
}

/// The whole body as one record: text, or bytes when it is not UTF-8.
fn raw(body: &[u8], received: u64, delivery: Option<&Delivery>) -> Batch {
    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(&[], "webhook");
    let mut record = batch.push_log();
    record.set_observed_time(received);
    record.set_body(std::str::from_utf8(body).map_or(Value::Bytes(body), Value::Str));
    record.set("log.record.uid", Value::Str(&uid(delivery, 0)));
    batch
}
