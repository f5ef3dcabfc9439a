//! Detector rules: what redaction found before, or what is found here.

use std::borrow::Cow;

use processor_detect::{DetectorSet, MAX_SCANNED_BYTES, Scanner};
use sluice_batch::{Batch, Record, Value};

use crate::processor::{Effect, Outcome};
use crate::walk::{Seen, walk};

/// All detector rules.
#[derive(Debug)]
pub(crate) struct Detectors {
    /// For each rule the marks of which one is enough.
    rules: Vec<(u64, Effect)>,
    scanner: Scanner,
    skip: Vec<String>,
}

impl Detectors {
    /// The rules; attributes named in `skip` are not looked at.
    pub(crate) fn new(rules: Vec<(DetectorSet, Effect)>, skip: Vec<String>) -> Self {
        let wanted = rules
            .iter()
            .fold(DetectorSet::EMPTY, |all, (set, _)| all.union(*set));
        Self {
            rules: rules
                .into_iter()
                .map(|(set, effect)| (set.bits() | DetectorSet::UNSCANNED, effect))
                .collect(),
            scanner: Scanner::new(wanted),
            skip,
        }
    }

    /// Adds the effects of every rule of which a detector found something in record `i`. `positions` is room to work in,
    /// kept from one record to the next.
    pub(crate) fn apply(
        &self,
        batch: &Batch,
        i: usize,
        positions: &mut Vec<usize>,
        outcome: &mut Outcome,
    ) {
        let record = batch.record(i);
        let mut marks = record.marks();
        // What redaction has searched for and not marked is not there.
        let known = marks | batch.searched();
        let is_open = self
            .rules
            .iter()
            .any(|(bits, _)| bits & marks == 0 && bits & !known != 0);
        if is_open && self.may_find(batch, i, positions) {
            marks |= self.scan(record);
        }
        for (bits, effect) in &self.rules {
            if bits & marks != 0 {
                outcome.add(*effect);
            }
        }
    }

    /// Whether the record is worth a look at each of its values: one search of its bytes clears most records. One that was
    /// built or changed does not stand in the request's bytes; a huge one might fill the memory with positions.
    fn may_find(&self, batch: &Batch, i: usize, positions: &mut Vec<usize>) -> bool {
        let Some(span) = batch
            .span_in_wire(i)
            .filter(|span| span.len() <= MAX_SCANNED_BYTES)
        else {
            return true;
        };
        positions.clear();
        self.scanner.candidates(&batch.wire()[span], positions);
        !positions.is_empty()
    }

    fn scan(&self, record: Record<'_>) -> u64 {
        let (mut bits, mut matches) = (0, Vec::new());
        let mut find = |key: &str, text: &str| {
            bits |= self.scanner.find(key, text, &mut matches);
            matches.clear();
        };
        walk(record, &self.skip, &mut |seen| match seen {
            Seen::Key(key) => find("", key),
            Seen::Value(key, Value::Str(text)) => find(key, text),
            Seen::Value(key, Value::Bytes(bytes)) => {
                let text = std::str::from_utf8(bytes)
                    .map_or_else(|_| Value::Bytes(bytes).to_text(), Cow::Borrowed);
                find(key, &text);
            }
            Seen::Value(key, number @ (Value::Int(_) | Value::Double(_))) => {
                find(key, &number.to_text())
            }
            Seen::Value(..) => {}
        });
        bits
    }
}
