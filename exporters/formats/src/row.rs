//! A record with all that a file says of it.

use std::borrow::Cow;

use jiff::Timestamp;
use sluice_batch::{Batch, Record, Signal, Value};
use sluice_component::audit;

use crate::Error;
use crate::object::{attributes_into, scope_into};
use crate::otlp;

/// What the ledger knows of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowInfo<'a> {
    /// The record's number in its log.
    pub sequence: u64,
    /// The pipeline that took it in.
    pub pipeline: &'a str,
    /// Its leaf in the integrity tree, where one is kept.
    pub leaf_hash: Option<[u8; 32]>,
    /// When it was accepted, UTC nanoseconds since 1970; 0: not known.
    pub accepted_ns: u64,
}

/// A record, its information, and the JSON of what it shares with its neighbours.
pub(crate) struct Row<'r> {
    pub(crate) batch: &'r Batch,
    pub(crate) record: Record<'r>,
    pub(crate) info: RowInfo<'r>,
    pub(crate) resource: &'r str,
    /// `None`: an unnamed scope without attributes.
    pub(crate) scope: Option<&'r str>,
}

impl<'r> Row<'r> {
    /// The first attribute named `key` as text; lists of scalars are joined with commas, nested values are JSON.
    pub(crate) fn attribute(&self, key: &str) -> Option<Cow<'r, str>> {
        self.record.get(key).and_then(text)
    }

    /// The id by which the whole of Sluice knows the record.
    pub(crate) fn uid(&self) -> Option<Cow<'r, str>> {
        self.attribute("log.record.uid")
            .or_else(|| audit::event_id(self.record))
    }

    /// What was decided, in the source's own word: also where only a `decision` makes the record an audit event.
    pub(crate) fn decision(&self) -> Option<Cow<'r, str>> {
        self.attribute("ai.policy.decision")
            .or_else(|| self.attribute("decision"))
            .or_else(|| text(self.record.body().as_map()?.get("decision")?))
    }

    /// Whether the decision was applied.
    pub(crate) fn is_enforced(&self) -> Option<bool> {
        match self.record.get("ai.policy.enforced")? {
            Value::Bool(truth) => Some(truth),
            Value::Str(word) => word.parse().ok(),
            _ => None,
        }
    }

    /// The record's own attributes as a JSON object.
    pub(crate) fn attributes(&self) -> String {
        json(|out| attributes_into(self.record.attributes(), out))
    }

    /// A log record's body as its source wrote it; of a span or a data point all there is, as OTLP/JSON.
    pub(crate) fn body(&self) -> String {
        json(|out| self.body_into(out))
    }

    pub(crate) fn body_into(&self, out: &mut Vec<u8>) {
        if self.batch.signal() == Signal::Logs {
            self.record.body().write_json(out);
        } else {
            otlp::record_into(self.batch, self.record.index(), out);
        }
    }

    pub(crate) fn leaf_hash(&self) -> Option<String> {
        self.info.leaf_hash.map(hex::encode)
    }
}

/// RFC 3339 in UTC with nanoseconds; nothing for 0.
pub(crate) fn rfc3339(nanos: u64) -> Option<String> {
    if nanos == 0 {
        return None;
    }
    let time = Timestamp::from_nanosecond(i128::from(nanos)).ok()?;
    Some(format!("{time:.9}"))
}

fn text(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::Empty => None,
        Value::Array(array)
            if !array
                .iter()
                .any(|v| matches!(v, Value::Array(_) | Value::Map(_))) =>
        {
            let texts: Vec<_> = array.iter().map(Value::to_text).collect();
            Some(Cow::Owned(texts.join(",")))
        }
        Value::Array(_) | Value::Map(_) => Some(Cow::Owned(json(|out| value.write_json(out)))),
        scalar => Some(scalar.to_text()),
    }
}

fn json(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// How many spans or data points are cut from a batch at a time. Encoding one of them alone looks at every resource and
/// metric of its batch, which a small batch keeps cheap.
const CUT: usize = 256;

/// Calls `write` for each record in order.
pub(crate) fn each(
    batch: &Batch,
    infos: &[RowInfo<'_>],
    mut write: impl FnMut(&Row<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    if batch.signal() == Signal::Logs {
        return each_of(batch, infos, &mut write);
    }
    for (cut, infos) in infos.chunks(CUT).enumerate() {
        let start = cut * CUT;
        each_of(&batch.slice(start..start + infos.len()), infos, &mut write)?;
    }
    Ok(())
}

fn each_of(
    batch: &Batch,
    infos: &[RowInfo<'_>],
    write: &mut impl FnMut(&Row<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let (mut resource, mut scope) = ((usize::MAX, String::new()), (usize::MAX, None));
    for (record, info) in batch.records().zip(infos) {
        if resource.0 != record.resource_index() {
            let level = record.resource();
            let members = json(|out| attributes_into(level.attributes(), out));
            resource = (record.resource_index(), members);
        }
        if scope.0 != record.scope_index() {
            let level = record.scope();
            let has_any = !(level.name().is_empty()
                && level.version().is_empty()
                && level.attributes().is_empty());
            let members = has_any.then(|| json(|out| scope_into(level, out)));
            scope = (record.scope_index(), members);
        }
        write(&Row {
            batch,
            record,
            info: *info,
            resource: &resource.1,
            scope: scope.1.as_deref(),
        })?;
    }
    Ok(())
}
