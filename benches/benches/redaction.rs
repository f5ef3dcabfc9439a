//! Redaction of 1000 records: the search over raw bytes, our own checks value by value, and eight regexes a value, which
//! is what a redaction processor commonly does. Decoding is outside the timing, and so is the copy of the batch.

use std::borrow::Cow;
use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use processor_redaction::{Config, Detectors, Redactor};
use regex::Regex;
use sluice_batch::{Batch, Edit, Editor, Place, Signal, Value, ValueBuf};

/// The detectors that [`PATTERNS`] stand for.
const EIGHT: &[&str] = &[
    "email",
    "credit_card",
    "us_ssn",
    "iban",
    "jwt",
    "private_key",
    "aws_access_key",
    "api_key",
];

/// Published patterns: Presidio's for personal data, gitleaks' for secrets, without look-around, which `regex` lacks, and
/// on ASCII (`?-u`), which is faster.
const PATTERNS: &[&str] = &[
    r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}\b",
    r"\b(?:4[0-9]{3}|5[0-5][0-9]{2}|6[0-9]{3}|1[0-9]{3}|3[0-9]{3})[- ]?[0-9]{3,4}[- ]?[0-9]{3,4}[- ]?[0-9]{3,5}\b",
    r"\b[0-9]{3}[- .][0-9]{2}[- .][0-9]{4}\b",
    r"\b[A-Z]{2}[0-9]{2}[ ]?(?:[A-Z0-9]{4}[ ]?){2,7}[A-Z0-9]{1,3}\b",
    r"\bey[a-zA-Z0-9]{17,}\.ey[a-zA-Z0-9/\\_-]{17,}\.(?:[a-zA-Z0-9/\\_-]{10,}={0,2})?",
    r"-----BEGIN[ A-Z0-9_-]{0,100}PRIVATE KEY(?: BLOCK)?-----[\x00-\x7f]{64,}?KEY(?: BLOCK)?-----",
    r"\b(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b",
    r"\b(?:sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,}|sk-ant-api03-[a-zA-Z0-9_-]{93}AA|sk-[A-Za-z0-9]{32,}|AIza[\w-]{35}|xox[pboa]-[0-9A-Za-z-]{10,}|glpat-[\w-]{20}|[rs]k_(?:live|test|prod)_[a-zA-Z0-9]{10,99}|npm_[a-z0-9]{36}|SG\.[a-zA-Z0-9=_.-]{66})",
];

/// Every pattern on every text value, and if wanted on every key.
struct PatternByPattern {
    patterns: Vec<Regex>,
    keys: bool,
}

impl PatternByPattern {
    fn replaced(&self, text: &str) -> Option<String> {
        let mut changed: Option<String> = None;
        for pattern in &self.patterns {
            if let Cow::Owned(new) =
                pattern.replace_all(changed.as_deref().unwrap_or(text), "[REDACTED]")
            {
                changed = Some(new);
            }
        }
        changed
    }
}

impl Editor for PatternByPattern {
    fn value(&mut self, _: Place, _: &str, _: usize, value: Value<'_>) -> Edit {
        match value {
            Value::Str(text) => self.replaced(text).map_or(Edit::Keep, |new| {
                Edit::Replace(ValueBuf::new(Value::Str(&new)))
            }),
            _ => Edit::Keep,
        }
    }

    fn key(&mut self, _: Place, key: &str, _: usize) -> Option<String> {
        self.keys.then(|| self.replaced(key)).flatten()
    }
}

fn redactor(detectors: &[&str]) -> Redactor {
    let config = Config {
        detectors: Some(Detectors::list(detectors)),
        ..Config::default()
    };
    Redactor::new(&config).expect("valid")
}

/// The payload without the records in which `redactor` finds something.
fn without_hits(batch: &Batch, redactor: &Redactor) -> Batch {
    let mut redacted = batch.clone();
    redactor.redact_plainly(&mut redacted);
    let mut clean = batch.clone();
    let mut marks = redacted.records().map(|r| r.marks() == 0);
    clean.retain(|_| marks.next().unwrap_or(false));
    Batch::decode(Signal::Logs, clean.encode().into()).expect("valid")
}

fn redaction(criterion: &mut Criterion) {
    let wire = Bytes::from(sluice_benches::policy_gateway_1000());
    let batch = Batch::decode(Signal::Logs, wire).expect("valid");
    let (eight, all) = (redactor(EIGHT), redactor(&["all"]));
    let clean = without_hits(&batch, &all);

    let mut group = criterion.benchmark_group("redact");
    let mut row = |name: &str, batch: &Batch, redact: &mut dyn FnMut(&mut Batch)| {
        group.throughput(Throughput::Elements(batch.len() as u64));
        group.bench_function(name, |b| {
            b.iter_batched(
                || batch.clone(),
                |mut batch| {
                    redact(black_box(&mut batch));
                    batch
                },
                BatchSize::PerIteration,
            );
        });
    };
    row("eight detectors", &batch, &mut |b| eight.redact(b));
    row("eight detectors, no hit", &clean, &mut |b| eight.redact(b));
    row("all detectors", &batch, &mut |b| all.redact(b));
    row("all detectors, no hit", &clean, &mut |b| all.redact(b));
    row("eight detectors, value by value", &batch, &mut |b| {
        eight.redact_plainly(b)
    });
    row("all detectors, value by value", &batch, &mut |b| {
        all.redact_plainly(b)
    });
    for (name, keys) in [
        ("eight regexes a value", false),
        ("eight regexes a value and a key", true),
    ] {
        let compiled = PATTERNS
            .iter()
            .map(|p| Regex::new(&format!("(?-u:{p})")).expect("valid"));
        let mut patterns = PatternByPattern {
            patterns: compiled.collect(),
            keys,
        };
        row(name, &batch, &mut |b| {
            for i in 0..b.len() {
                b.edit_record(i, &mut patterns);
            }
            for i in 0..b.resource_count() {
                b.edit_resource(i, &mut patterns);
            }
            for i in 0..b.scope_count() {
                b.edit_scope(i, &mut patterns);
            }
        });
    }
    group.finish();
}

criterion_group!(benches, redaction);
criterion_main!(benches);
