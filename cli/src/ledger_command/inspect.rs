//! `sluice ledger inspect`: the facts, for people or as JSON.

use std::ops::Range;

use serde_json::Value;
use sluice_ledger::View;

use super::{facts, failed, lost, told};
use crate::exit::Exit;
use crate::ledger_directory::LedgerArguments;
use crate::select;
use crate::source::say;
use crate::table::table;
use crate::words;

/// Segments in a table: the oldest and the newest of many.
const OLDEST: usize = 3;
const NEWEST: usize = 12;

/// Shows what lies in a ledger.
pub(super) fn inspect(ledger: &LedgerArguments, as_json: bool) -> Result<Exit, Exit> {
    let directory = ledger.directory()?;
    let max_bytes = ledger.settings()?.map(|settings| settings.max_bytes);
    let view = select::open(&directory)?;
    let facts = facts::facts(&directory, &view, max_bytes).map_err(failed)?;
    if as_json {
        let text = serde_json::to_string_pretty(&facts).map_err(failed)?;
        say(&format!("{text}\n"));
    } else {
        let parts = [
            overview(&facts),
            segments(&facts),
            cursors(&facts),
            dead_letters(&facts),
            damages(&facts, &view),
        ];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        say(&parts.collect::<Vec<_>>().join("\n"));
    }
    Ok(Exit::Ok)
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => words::plain(text),
        Value::Number(number) => number
            .as_u64()
            .map_or_else(|| number.to_string(), words::number),
        other => other.to_string(),
    }
}

fn list(facts: &Value, key: &str) -> Vec<Value> {
    facts[key].as_array().cloned().unwrap_or_default()
}

fn overview(facts: &Value) -> String {
    let known = |value: &Value| match cell(value) {
        text if text.is_empty() => "not known".to_owned(),
        text => text,
    };
    let number = |key: &str| facts[key].as_u64().unwrap_or(0);
    let (first, end, records) = (number("first"), number("end"), number("records"));
    let segments = list(facts, "segments").len() as u64;
    let mut lines = vec![
        ("ledger", cell(&facts["directory"])),
        ("id", known(&facts["id"])),
        (
            "log",
            match &facts["epoch"] {
                Value::Null => "no tree: `integrity: off`, or never run".to_owned(),
                epoch => format!(
                    "{}, epoch {} from record {} on",
                    cell(&facts["origin"]),
                    epoch["number"],
                    epoch["first"]
                ),
            },
        ),
        (
            "records",
            if records == 0 {
                "none".to_owned()
            } else {
                format!(
                    "{} (numbers {first} to {}), {} in {}",
                    words::number(records),
                    end - 1,
                    words::bytes(number("bytes")),
                    words::count(segments, "segment")
                )
            },
        ),
        (
            "events",
            match cell(&facts["oldest_event"]) {
                oldest if oldest.is_empty() => "none with a time".to_owned(),
                oldest => format!("{oldest} to {}", cell(&facts["newest_event"])),
            },
        ),
    ];
    lines.push(("room", room(facts)));
    if let Some(process) = facts["running"].as_str() {
        lines.insert(1, ("in use by", format!("process {process}")));
    }
    let newest = &facts["newest_checkpoint"];
    lines.push((
        "checkpoint",
        if !newest.is_null() {
            format!(
                "{}, over {}",
                cell(&newest["time"]),
                words::count(newest["size"].as_u64().unwrap_or(0), "record")
            )
        } else {
            "none".to_owned()
        },
    ));
    lines
        .into_iter()
        .map(|(name, text)| format!("{name:<12}{text}\n"))
        .collect()
}

/// How much of `max_bytes` is taken.
fn room(facts: &Value) -> String {
    let used = words::bytes(facts["bytes_used"].as_u64().unwrap_or(0));
    let most = match facts["max_bytes"].as_u64() {
        Some(most) => format!("of {}", words::bytes(most)),
        None => "(name the configuration with --config to see of how much)".to_owned(),
    };
    let full = if facts["full"] == true {
        "; full: senders are turned away"
    } else {
        ""
    };
    format!("{used} used {most}, with dead letters{full}")
}

fn segments(facts: &Value) -> String {
    let segments = list(facts, "segments");
    if segments.is_empty() {
        return String::new();
    }
    let row = |segment: &Value| {
        [
            segment["first"].to_string(),
            segment["end"].to_string(),
            words::bytes(segment["bytes"].as_u64().unwrap_or(0)),
            cell(&segment["oldest_event"]),
            cell(&segment["newest_event"]),
            cell(&segment["accepted"]),
            if segment["sealed"] == true { "yes" } else { "" }.to_owned(),
        ]
    };
    let mut rows: Vec<_> = segments.iter().map(row).collect();
    let hidden = rows.len().saturating_sub(OLDEST + NEWEST);
    if hidden > 1 {
        let mut gap: [String; 7] = std::array::from_fn(|_| "…".to_owned());
        gap[0] = format!("({hidden} more)");
        rows.splice(OLDEST..OLDEST + hidden, [gap]);
    }
    table(
        [
            ">SEGMENT",
            ">END",
            ">BYTES",
            "EVENTS FROM",
            "TO",
            "ACCEPTED UNTIL",
            "SEALED",
        ],
        &rows,
    )
}

fn cursors(facts: &Value) -> String {
    let keys = [
        "exporter",
        "pipeline",
        "position",
        "behind",
        "in_flight",
        "lost",
        "orphaned_since",
    ];
    let rows: Vec<_> = list(facts, "cursors")
        .iter()
        .map(|cursor| keys.map(|key| cell(&cursor[key])))
        .collect();
    if rows.is_empty() {
        return "no exporter has a cursor yet\n".to_owned();
    }
    table(
        [
            "EXPORTER",
            "PIPELINE",
            ">POSITION",
            ">BEHIND",
            ">IN FLIGHT",
            ">LOST",
            "ORPHANED SINCE",
        ],
        &rows,
    )
}

fn dead_letters(facts: &Value) -> String {
    let letters = facts["dead_letters"].as_object();
    let rows: Vec<_> = letters
        .into_iter()
        .flatten()
        .map(|(exporter, counts)| {
            [
                words::plain(exporter),
                cell(&counts["letters"]),
                cell(&counts["to_be_sent_again"]),
            ]
        })
        .collect();
    if rows.is_empty() {
        return "no dead letters\n".to_owned();
    }
    table(["EXPORTER", ">DEAD LETTERS", ">TO BE SENT AGAIN"], &rows)
}

fn damages(facts: &Value, view: &View) -> String {
    let is_running = facts["running"].is_string();
    // A running instance is in the middle of a write.
    let damages = view.report().damages.iter();
    let mut lines: Vec<String> = damages
        .filter(|damage| !(is_running && damage.is_torn_end()))
        .map(|damage| format!("damage: {}\n", told(damage)))
        .collect();
    if let Some(why) = facts["checkpoints_damage"].as_str() {
        lines.push(format!("damage: {why}\n"));
    }
    if let Ok(range) = serde_json::from_value::<Range<u64>>(facts["lost_end"].clone()) {
        lines.push(format!(
            "damage: {} from the log's end: an exporter had passed them or a checkpoint was signed over them\n",
            lost(&range)
        ));
    }
    if lines.is_empty() {
        lines.push("no damage where it shows without reading everything: that is what `sluice verify` does\n".to_owned());
    }
    lines.concat()
}
