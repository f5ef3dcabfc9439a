//! What `fields` holds beside attributes: ids, severity and decision, each under a name that no attribute has.

use super::config::HecFields;
use crate::audit::{AuditEvent, event_id};
use crate::json::{HexId, Object, Written, write_key, written};
use crate::view::{OfShape, View};

/// Writes them for the records of one batch.
#[derive(Debug)]
pub(super) struct Beside<'c> {
    names: &'c HecFields,
    /// Those of `names`, written.
    severity_text: Vec<u8>,
    severity_number: Vec<u8>,
    free: OfShape<Free>,
}

/// Names that neither record nor resource has an attribute of.
#[derive(Clone, Copy, Debug)]
struct Free {
    event_id: bool,
    decision: bool,
    severity: bool,
    trace_id: bool,
    span_id: bool,
    severity_text: bool,
    severity_number: bool,
    log_name: bool,
}

impl Free {
    fn of(record: &View<'_>, names: &HecFields) -> Self {
        // A name that is configured for the severity is the severity's.
        let is_ours = |name: &str| {
            !record.has(name) && names.severity_text != name && names.severity_number != name
        };
        Self {
            event_id: is_ours("event_id"),
            decision: is_ours("decision"),
            severity: is_ours("severity"),
            trace_id: is_ours("trace_id"),
            span_id: is_ours("span_id"),
            severity_text: !record.has(&names.severity_text),
            severity_number: !record.has(&names.severity_number)
                && names.severity_number != names.severity_text,
            log_name: is_ours("otel.log.name"),
        }
    }
}

impl<'c> Beside<'c> {
    /// With the configured names.
    pub(super) fn new(names: &'c HecFields) -> Self {
        let key = |name: &str| {
            let mut key = Vec::new();
            write_key(name, &mut key);
            key
        };
        Self {
            severity_text: key(&names.severity_text),
            severity_number: key(&names.severity_number),
            names,
            free: OfShape::default(),
        }
    }

    /// Adds those of a record.
    pub(super) fn write(
        &mut self,
        record: &View<'_>,
        audit: Option<AuditEvent<'_>>,
        fields: &mut Object<'_>,
    ) {
        let free = self.free.get(record, || Free::of(record, self.names));
        if let Some(audit) = audit {
            if free.event_id {
                fields.text_if_any(
                    written!("event_id"),
                    &event_id(**record).unwrap_or_default(),
                );
            }
            if free.decision {
                fields.text_if_any(written!("decision"), &audit.decision().unwrap_or_default());
            }
            if free.severity {
                fields.text_if_any(written!("severity"), record.severity_text());
            }
        }
        if free.trace_id {
            fields.text_if_any(written!("trace_id"), HexId::of(record.trace_id()).as_str());
        }
        if free.span_id {
            fields.text_if_any(written!("span_id"), HexId::of(record.span_id()).as_str());
        }
        if free.severity_text {
            fields.text_if_any(Written(&self.severity_text), record.severity_text());
        }
        if free.severity_number && record.severity_number() != 0 {
            fields.number(
                Written(&self.severity_number),
                record.severity_number().into(),
            );
        }
        if free.log_name && audit.is_none() {
            fields.text_if_any(written!("otel.log.name"), record.name());
        }
    }
}
