//! What a `_bulk` answer means, request and item.
//!
//! From Elastic's and OpenSearch's Bulk API pages and Elastic's page "Failure store", read in November 2026. The HTTP
//! status alone says nothing about an item; items come in the order of the request.

use serde::Deserialize;
use sluice_component::After;

use crate::delivery::{Fate, Outcome};

#[derive(Deserialize)]
struct BulkReply {
    #[serde(default)]
    items: Vec<Item>,
}

/// One item, under the name of its action.
#[derive(Deserialize)]
struct Item {
    #[serde(alias = "index")]
    create: ItemReply,
}

#[derive(Deserialize)]
struct ItemReply {
    status: u16,
    error: Option<ItemError>,
    failure_store: Option<String>,
}

#[derive(Deserialize)]
struct ItemError {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    reason: String,
}

/// What was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// Documents of the request.
    pub(super) records: usize,
    /// Whether index and pipeline are the configuration's; otherwise the records named one of them.
    pub(super) is_own: bool,
}

/// What became of the records of a request.
pub(super) fn outcome(status: u16, body: &[u8], after: After, sent: Sent) -> Outcome {
    let records = sent.records;
    let why = |what: &str| format!("HTTP {status}: {what}");
    match status {
        200 => match serde_json::from_slice::<BulkReply>(body) {
            Ok(reply) if reply.items.len() == records => {
                let fates: Vec<Fate> = reply
                    .items
                    .into_iter()
                    .map(|item| fate(item.create, after, sent.is_own))
                    .collect();
                if fates.iter().all(|fate| *fate == Fate::Taken) {
                    Outcome::Taken
                } else {
                    Outcome::Each(fates)
                }
            }
            Ok(reply) => Outcome::Retry(
                After::Backoff,
                why(&format!(
                    "{} items answered for {records} records: check bulk filters of a proxy",
                    reply.items.len()
                )),
            ),
            Err(_) => Outcome::Retry(After::Backoff, why("not a bulk answer: check the endpoint")),
        },
        // Nothing that halves would mend: `include_source_on_error` sent to an OpenSearch, for one.
        400 if contains(body, b"unrecognized parameter") => {
            Outcome::Hold(why("a query parameter is not known to this server"))
        }
        400 => Outcome::Halve(why("the bulk request is malformed")),
        413 => Outcome::Halve(why("the bulk request is too large")),
        408 | 429 | 500..=599 => Outcome::Retry(after, why("not taken")),
        401 | 403 => Outcome::Hold(why("the credentials are not accepted")),
        406 => Outcome::Hold(why("the media type is not accepted")),
        _ => Outcome::Hold(why("check the endpoint")),
    }
}

/// What became of one record.
fn fate(item: ItemReply, after: After, is_own: bool) -> Fate {
    let why = || describe(item.status, item.error.as_ref());
    // Senders name this index or pipeline; holding on to their records would let them stop everyone's.
    let hold = || {
        if is_own {
            Fate::Hold(why())
        } else {
            Fate::Refused(format!(
                "{}: the record itself names the index or the pipeline",
                why()
            ))
        }
    };
    match item.status {
        // Kept, but not in the index: nobody who searches the index finds it.
        200 | 201 if item.failure_store.as_deref() == Some("used") => Fate::Refused(
            "the document was diverted to the failure store: its mapping or pipeline refused it"
                .to_owned(),
        ),
        200 | 201 => Fate::Taken,
        // Its id is there already: this is a repetition.
        409 => Fate::Taken,
        // The configuration names a pipeline that is missing: no fault of the document.
        400 if item
            .error
            .as_ref()
            .is_some_and(|e| e.reason.starts_with("pipeline with id")) =>
        {
            hold()
        }
        400 | 413 | 422 => Fate::Refused(why()),
        403 | 404 => hold(),
        401 => Fate::Hold(why()),
        408 | 429 | 500..=599 => Fate::Retry(after, why()),
        _ => Fate::Hold(why()),
    }
}

fn contains(body: &[u8], words: &[u8]) -> bool {
    body.windows(words.len()).any(|window| window == words)
}

/// The error's type, and its reason without what may be a value of the document.
fn describe(status: u16, error: Option<&ItemError>) -> String {
    match error {
        None => format!("item status {status}"),
        Some(error) => {
            let kind: String = error
                .kind
                .chars()
                .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
                .take(100)
                .collect();
            format!(
                "item status {status}: {kind}: {}",
                without_values(&error.reason)
            )
        }
    }
}

/// Words after which a bracket holds a name of the mapping and no value.
const NAMES: [&str; 9] = [
    "parse field ",
    "of type ",
    "object mapping for ",
    "total fields ",
    "introduction of ",
    "such index ",
    "index ",
    "for field ",
    "blocked by: ",
];

/// The first byte for which `test` holds.
fn find(text: &str, test: impl Fn(&str, usize) -> bool) -> Option<usize> {
    (0..text.len()).find(|&at| test(text, at))
}

/// Whether an apostrophe quotes: between two letters, as in `can't`, it does not.
fn is_quote(text: &str, at: usize) -> bool {
    text.as_bytes()[at] == b'\''
        && !(text[..at].ends_with(char::is_alphabetic)
            && text[at + 1..].starts_with(char::is_alphabetic))
}

/// A reason with everything that stands in quotes or brackets taken out, unless it names a field, a type or an index;
/// previews of values end it.
fn without_values(reason: &str) -> String {
    let reason = reason.split("Preview").next().unwrap_or_default();
    let mut kept = String::new();
    let mut rest = reason;
    while let Some(at) = find(rest, |rest, at| {
        matches!(rest.as_bytes()[at], b'[' | b'"') || is_quote(rest, at)
    }) {
        let (before, opened) = rest.split_at(at);
        kept.push_str(before);
        let inside = &opened[1..];
        let (open, close, end) = match opened.as_bytes()[0] {
            b'[' => ('[', ']', inside.find(']')),
            b'"' => ('"', '"', inside.find('"')),
            _ => ('\'', '\'', find(inside, is_quote)),
        };
        let Some(end) = end else {
            kept.push('…');
            return kept;
        };
        kept.push(open);
        let is_name = open == '[' && NAMES.iter().any(|word| before.ends_with(word));
        kept.push_str(if is_name { &inside[..end] } else { "…" });
        kept.push(close);
        rest = &inside[end + 1..];
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests;
