//! The step: finds the records that need a look, looks, and leaves marks and summaries.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use processor_detect::{Detector, DetectorSet, Finding, Match, Scanner};
use sluice_batch::{Batch, Value};
use sluice_component::{BuildError, Transform, Undelivered};

use crate::hash::Replacement;
use crate::rules::Rules;
use crate::sanitize::{Context, Sanitizers};
use crate::walk::{Done, Walk};
use crate::{Config, Summary};

/// Redacts batches. What it cannot look at it masks: nothing passes unseen.
pub struct Redactor {
    rules: Rules,
    sanitizers: Sanitizers,
    scanner: Scanner,
    replacement: Replacement,
    summary: Summary,
    /// Finds since the start, by the detector's bit; the last is what was masked unscanned.
    counts: [AtomicU64; 64],
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor")
            .field("scanner", &self.scanner)
            .field("summary", &self.summary)
            .finish_non_exhaustive()
    }
}

impl Redactor {
    /// Compiles a configuration.
    ///
    /// # Errors
    /// An unknown detector or an invalid pattern.
    pub fn new(config: &Config) -> Result<Self, BuildError> {
        Ok(Self {
            rules: Rules::new(config)?,
            sanitizers: Sanitizers::new(config),
            scanner: Scanner::new(config.detector_set()?),
            replacement: Replacement::new(config),
            summary: config.summary,
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
        })
    }

    /// Finds since the start by detector, for metrics: those above zero. `unscanned`: values masked because they were
    /// too long or packed too deep to look at.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let of = |bit: u64| self.counts[bit.trailing_zeros() as usize].load(Ordering::Relaxed);
        let detectors = Detector::ALL
            .iter()
            .map(|d| Finding::Detected(*d))
            .chain([Finding::Unscanned]);
        detectors
            .map(move |f| (f.name(), of(f.bit())))
            .filter(|(_, n)| *n > 0)
    }

    /// Redacts every value of a batch, with the search over its raw bytes.
    pub fn redact(&self, batch: &mut Batch) {
        let mut candidates = Vec::new();
        let every = self.rules.need_every_value() || self.sanitizers.are_on() || self.summarises();
        if !self.scanner.set().is_empty() {
            self.scanner.candidates(batch.wire(), &mut candidates);
            candidates.sort_unstable();
        }
        let walk = Walk::new(self, false).only_near(batch.wire(), &candidates);
        self.walk(batch, walk, |batch, i| {
            every
                || match batch.span_in_wire(i) {
                    Some(span) => candidates
                        .get(candidates.partition_point(|c| *c < span.start))
                        .is_some_and(|c| *c < span.end),
                    None => true,
                }
        });
    }

    /// The same, value by value with every check on each: the oracle that [`Self::redact`] is tested against, and the
    /// baseline that it is measured against.
    pub fn redact_plainly(&self, batch: &mut Batch) {
        self.walk(batch, Walk::new(self, true), |_, _| true);
    }

    fn walk(
        &self,
        batch: &mut Batch,
        mut walk: Walk<'_>,
        needs_look: impl Fn(&Batch, usize) -> bool,
    ) {
        let mut all_bits = 0;
        for i in 0..batch.len() {
            if !needs_look(batch, i) {
                continue;
            }
            if self.sanitizers.are_on() {
                walk.beside(Context::of_record(batch.record(i)));
            }
            walk.within(batch.span_in_wire(i));
            batch.edit_record(i, &mut walk);
            let bits = walk.take_bits();
            if bits != 0 {
                batch.record_mut(i).mark(bits);
                all_bits |= bits;
            }
            if self.summarises() {
                for (key, value) in self.summary_of(&mut walk) {
                    batch.record_mut(i).set(&key, value.as_value());
                }
            }
        }
        walk.within_all();
        all_bits |= self.walk_levels(batch, &mut walk);
        if !self.rules.ignores_keys() {
            batch.set_searched(self.scanner.set().bits() | DetectorSet::UNSCANNED);
        }
        if all_bits != 0 {
            let found: Vec<&str> = DetectorSet::from_bits(all_bits)
                .iter()
                .map(Detector::name)
                .collect();
            tracing::debug!(?found, records = batch.len(), "redacted");
        }
    }

    /// Resources, scopes and metrics: few, so always looked at. What they hold marks the records that they belong to.
    fn walk_levels(&self, batch: &mut Batch, walk: &mut Walk<'_>) -> u64 {
        let mut marks = Vec::new();
        for i in 0..batch.resource_count() {
            if self.sanitizers.are_on() {
                walk.beside(Context::of(batch.resource(i).attributes()));
            }
            batch.edit_resource(i, walk);
            marks.push(walk.take_bits());
            if self.summarises() {
                for (key, value) in self.summary_of(walk) {
                    batch.resource_mut(i).set(&key, value.as_value());
                }
            }
        }
        let resources = marks.len();
        for i in 0..batch.scope_count() {
            if self.sanitizers.are_on() {
                walk.beside(Context::of(batch.scope(i).attributes()));
            }
            batch.edit_scope(i, walk);
            marks.push(walk.take_bits());
            if self.summarises() {
                for (key, value) in self.summary_of(walk) {
                    batch.scope_mut(i).set(&key, value.as_value());
                }
            }
        }
        walk.beside(Context::default());
        batch.edit_metrics(walk);
        let in_metrics = walk.take_bits();
        let all = marks.iter().fold(in_metrics, |all, bits| all | bits);
        if all != 0 {
            for i in 0..batch.len() {
                let record = batch.record(i);
                let bits = marks[record.resource_index()]
                    | marks[resources + record.scope_index()]
                    | in_metrics;
                if bits != 0 {
                    batch.record_mut(i).mark(bits);
                }
            }
        }
        all
    }

    /// The Collector's summary attributes for what the walk did since the last call.
    fn summary_of(&self, walk: &mut Walk<'_>) -> Vec<(String, sluice_batch::ValueBuf)> {
        let mut attributes = Vec::new();
        for (prefix, done) in [
            ("redaction.", std::mem::take(&mut walk.done)),
            ("redaction.body.", std::mem::take(&mut walk.done_in_body)),
        ] {
            let Done {
                redacted,
                masked,
                allowed,
                ignored,
            } = done;
            for (name, keys) in [
                ("redacted", redacted),
                ("masked", masked),
                ("allowed", allowed),
            ] {
                if keys.is_empty() {
                    continue;
                }
                if self.summary == Summary::Debug {
                    let names = keys
                        .iter()
                        .map(String::as_str)
                        .collect::<Vec<_>>()
                        .join(",");
                    attributes.push((
                        format!("{prefix}{name}.keys"),
                        sluice_batch::ValueBuf::new(Value::Str(&names)),
                    ));
                }
                attributes.push((
                    format!("{prefix}{name}.count"),
                    sluice_batch::ValueBuf::new(Value::Int(keys.len() as i64)),
                ));
            }
            if ignored > 0 {
                attributes.push((
                    format!("{prefix}ignored.count"),
                    sluice_batch::ValueBuf::new(Value::Int(ignored as i64)),
                ));
            }
        }
        attributes
    }

    pub(crate) fn summarises(&self) -> bool {
        self.summary != Summary::Silent
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(crate) fn sanitizers(&self) -> &Sanitizers {
        &self.sanitizers
    }

    pub(crate) fn scanner(&self) -> &Scanner {
        &self.scanner
    }

    pub(crate) fn replacement(&self) -> &Replacement {
        &self.replacement
    }

    pub(crate) fn count(&self, found: &[Match]) {
        for m in found {
            self.counts[m.finding.bit().trailing_zeros() as usize].fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Transform for Redactor {
    fn apply(&self, batch: &mut Batch) -> Result<(), Undelivered> {
        self.redact(batch);
        Ok(())
    }

    /// What is masked holds nothing to find any more, and a hash is no secret.
    fn applies_on_replay(&self) -> bool {
        true
    }
}
