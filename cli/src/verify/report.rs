//! A verification in words, and as JSON.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use sluice_ledger::{Finding, Severity, Verdict, Verification};

use super::vouching;

/// For machines: one object, and a newline.
pub(super) fn json(directory: &Path, found: &Verification) -> String {
    #[derive(Serialize)]
    struct Report<'r> {
        directory: String,
        #[serde(flatten)]
        found: &'r Verification,
    }
    let report = Report {
        directory: directory.display().to_string(),
        found,
    };
    serde_json::to_string(&report).unwrap_or_default() + "\n"
}

/// For people: the verdict first.
pub(super) fn text(directory: &Path, found: &Verification) -> String {
    let mut out = String::new();
    let verdict = match (found.verdict, found.first_bad) {
        (Verdict::Whole, _) => "whole".to_owned(),
        (Verdict::Broken, Some(sequence)) => format!("BROKEN, first bad sequence {sequence}"),
        (Verdict::Broken, None) => "BROKEN".to_owned(),
        (Verdict::Incomplete, _) => "could not be checked completely".to_owned(),
    };
    // A String takes everything.
    let _ = writeln!(out, "{}: {verdict}", directory.display());
    facts(found, &mut out);
    for finding in found
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Broken)
    {
        line("broken", finding, &mut out);
    }
    for finding in found
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Unchecked)
    {
        line("not checked", finding, &mut out);
    }
    for finding in found
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Note)
    {
        line("note", finding, &mut out);
    }
    if let Some(text) = vouching(found.key) {
        let _ = writeln!(out, "note: {text}");
    }
    out
}

fn facts(found: &Verification, out: &mut String) {
    if let Some(origin) = &found.origin {
        let _ = writeln!(out, "  log          {origin}");
    }
    let records = &found.sequences;
    if records.is_empty() {
        let _ = writeln!(out, "  records      none read");
    } else {
        let _ = writeln!(
            out,
            "  records      {} to {} in {}",
            records.start,
            records.end - 1,
            plural(found.segments, "segment")
        );
    }
    let _ = writeln!(
        out,
        "  covered      {}, by {}",
        plural(found.covered, "record"),
        plural(found.checkpoints, "checkpoint")
    );
    if found.only_signed > 0 {
        let _ = writeln!(
            out,
            "  signed only  {}: the hashes went with the records",
            plural(found.only_signed, "older checkpoint")
        );
    }
    if found.not_covered > 0 {
        let _ = writeln!(
            out,
            "  not covered  {} by no checkpoint yet: only checksums were checked",
            plural(found.not_covered, "record")
        );
    }
    if found.erased > 0 {
        let _ = writeln!(out, "  erased       {}", plural(found.erased, "record"));
    }
    if let Some(time) = found.newest_checkpoint {
        let _ = writeln!(
            out,
            "  newest       checkpoint of {} (by the node's clock)",
            moment(time)
        );
    }
}

fn line(word: &str, finding: &Finding, out: &mut String) {
    let place = match (&finding.file, finding.offset) {
        (Some(file), Some(offset)) => format!(" ({file}, byte {offset})"),
        (Some(file), None) => format!(" ({file})"),
        _ => String::new(),
    };
    let _ = writeln!(out, "{word}: {}{place}", finding.what);
}

pub(super) fn plural(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A time in unix nanoseconds, in words.
pub(super) fn moment(nanos: u64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(nanos))
        .map_or_else(|_| format!("{nanos} ns"), |time| format!("{time:.0}"))
}
