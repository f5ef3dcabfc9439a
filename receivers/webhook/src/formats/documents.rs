//! Takes a body apart into its JSON documents.

use std::ops::Range;

use serde::de::IgnoredAny;
use sluice_batch::ValueBuf;

use super::BodyError;

/// The documents that stand one after the other in `body`, at most `limit`.
pub(super) fn documents(body: &[u8], limit: usize) -> Result<Vec<ValueBuf>, BodyError> {
    let json = &body[mark_len(body)..];
    // Nearly always there is one document, and it is read once.
    if let Ok(document) = ValueBuf::from_json(json) {
        return Ok(vec![document]);
    }
    std::str::from_utf8(body).map_err(|error| BodyError::Malformed {
        offset: error.valid_up_to(),
    })?;
    let spans = spans(body, limit)?;
    let parse = |span: Range<usize>| {
        let text = &body[span.clone()];
        ValueBuf::from_json(text).map_err(|error| {
            let offset = span.start + offset(text, &error);
            if error.is_data() {
                BodyError::Unfit { offset }
            } else {
                BodyError::Malformed { offset }
            }
        })
    };
    spans.into_iter().map(parse).collect()
}

/// Where in `body` its documents stand, at most `limit`; at least one.
pub(crate) fn spans(body: &[u8], limit: usize) -> Result<Vec<Range<usize>>, BodyError> {
    let start = mark_len(body);
    let json = &body[start..];
    let mut stream = serde_json::Deserializer::from_slice(json).into_iter::<IgnoredAny>();
    let mut spans = Vec::new();
    let mut from = start;
    while let Some(document) = stream.next() {
        document.map_err(|error| BodyError::Malformed {
            offset: start + offset(json, &error),
        })?;
        if spans.len() == limit {
            return Err(BodyError::TooMany);
        }
        let to = start + stream.byte_offset();
        let white = body[from..to]
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        spans.push(from + white..to);
        from = to;
    }
    if spans.is_empty() {
        Err(BodyError::Empty)
    } else {
        Ok(spans)
    }
}

/// Length of a byte order mark, which some senders write and JSON does not know.
fn mark_len(body: &[u8]) -> usize {
    if body.starts_with("\u{feff}".as_bytes()) {
        3
    } else {
        0
    }
}

/// Line and column as a byte offset: the first byte that could not be read.
fn offset(json: &[u8], error: &serde_json::Error) -> usize {
    let line_start: usize = json
        .split_inclusive(|byte| *byte == b'\n')
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    (line_start + error.column().saturating_sub(1)).min(json.len())
}
