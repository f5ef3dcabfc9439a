//! The events of a file, one at a time: what the file is shows in its content.
//!
//! ```text
//!  bytes ─▶ byte order mark and white space off ─▶ `{` or `[`: JSON values      ─▶ one JSON object each
//!                                                  anything else: CSV, header row ┘
//! ```
//!
//! No more of the file than one event and a read buffer is in memory.

mod csv;
mod json;
#[cfg(test)]
mod tests;

use std::io::{self, BufRead};

/// Largest event, in bytes of JSON or of a CSV row: below the 20 MiB that a webhook receiver takes in one request.
pub(super) const MAX_ROW_BYTES: usize = 16 << 20;

/// The events of an input.
pub(super) enum Rows<R: BufRead> {
    /// A list, or objects one after the other.
    Json(json::JsonRows<R>),
    /// Rows below a header.
    Csv(Box<csv::CsvRows<R>>),
}

/// An event that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{} (line {line}): {what}", named(*record))]
pub(super) struct BadRow {
    /// Which, from 1; 0 is the header row.
    pub(super) record: u64,
    /// The line that it begins on, from 1.
    pub(super) line: u64,
    what: String,
    /// Where it ends is known, so that those behind it can be read.
    pub(super) can_be_passed_over: bool,
}

fn named(record: u64) -> String {
    match record {
        0 => "the header row".to_owned(),
        record => format!("record {record}"),
    }
}

impl<R: BufRead> Rows<R> {
    /// Looks at the beginning to see what it is.
    ///
    /// # Errors
    /// It cannot be read, is no UTF-8, or has a header row that names no fields.
    pub(super) fn open(mut input: R) -> Result<Self, BadRow> {
        let first = start(&mut input).map_err(|(line, what)| BadRow {
            record: 1,
            line,
            what,
            can_be_passed_over: false,
        })?;
        Ok(match first {
            (line, None | Some(b'{' | b'[')) => Self::Json(json::JsonRows::new(input, line)),
            (line, Some(_)) => Self::Csv(Box::new(csv::CsvRows::new(input, line)?)),
        })
    }

    /// The next event as a JSON object: as it stands in a JSON file, byte for byte; `None` at the end. With an error
    /// that cannot be passed over the input has ended, too.
    pub(super) fn next(&mut self) -> Option<Result<Vec<u8>, BadRow>> {
        match self {
            Self::Json(rows) => rows.next(),
            Self::Csv(rows) => rows.next(),
        }
    }
}

/// Takes the byte order mark and white space off; the line that is reached and the byte that follows.
fn start(input: &mut impl BufRead) -> Result<(u64, Option<u8>), (u64, String)> {
    let mut line = 1;
    let mut at_start = true;
    loop {
        let next = peek(input).map_err(|error| (line, error.to_string()))?;
        match next {
            Some(byte) if byte.is_ascii_whitespace() => {
                line += u64::from(byte == b'\n');
                input.consume(1);
            }
            Some(0xEF) if at_start => {
                for expected in "\u{feff}".bytes() {
                    if peek(input).map_err(|error| (line, error.to_string()))? != Some(expected) {
                        return Err((line, "is not UTF-8 text".to_owned()));
                    }
                    input.consume(1);
                }
            }
            Some(0x1F) if at_start => {
                return Err((line, "the file is compressed: unpack it first".to_owned()));
            }
            Some(0xFE | 0xFF) if at_start => {
                return Err((line, "the file is UTF-16 text: save it as UTF-8".to_owned()));
            }
            next => return Ok((line, next)),
        }
        at_start = false;
    }
}

fn peek(input: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            chunk => return Ok(chunk?.first().copied()),
        }
    }
}
