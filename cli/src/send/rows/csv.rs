//! CSV with a header row: each row becomes an object with the header's names.
//!
//! A cell that is a JSON object or list is taken as such, an empty cell is `null`, and every other cell is text:
//! numbers may be ids with leading zeros, and the receiver knows which fields are more than text.

use std::cell::Cell;
use std::io::{self, BufRead, Cursor, Read};
use std::rc::Rc;

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};
use serde_json::{Map, Value};

use super::{BadRow, MAX_ROW_BYTES};

/// How much of the first line is looked at to see what separates the cells.
const SNIFFED_BYTES: u64 = 64 << 10;

/// The rows of an input.
pub(in crate::send) struct CsvRows<R: BufRead> {
    reader: Reader<Bounded<io::Chain<Cursor<Vec<u8>>, R>>>,
    names: Vec<String>,
    row: StringRecord,
    /// Bytes that may still be read for this row.
    room: Rc<Cell<usize>>,
    record: u64,
    /// Lines in front of the header.
    lines_before: u64,
    is_over: bool,
}

impl<R: BufRead> CsvRows<R> {
    pub(super) fn new(mut input: R, line: u64) -> Result<Self, BadRow> {
        let wrong = |what: String| BadRow {
            record: 0,
            line,
            what,
            can_be_passed_over: false,
        };
        let mut head = Vec::new();
        (&mut input)
            .take(SNIFFED_BYTES)
            .read_until(b'\n', &mut head)
            .map_err(|error| wrong(error.to_string()))?;
        let count = |separator: u8| head.iter().filter(|byte| **byte == separator).count();
        // The last of equals wins, so a comma when there is no separator at all.
        let separator = [b'\t', b';', b',']
            .into_iter()
            .max_by_key(|separator| count(*separator))
            .unwrap_or(b',');
        let room = Rc::new(Cell::new(MAX_ROW_BYTES));
        let mut reader = ReaderBuilder::new()
            .delimiter(separator)
            .from_reader(Bounded {
                input: Cursor::new(head).chain(input),
                room: Rc::clone(&room),
            });
        let header = reader
            .headers()
            .map_err(|error| wrong(said(&error)))?
            .clone();
        let names: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
        for (at, name) in names.iter().enumerate() {
            if name.is_empty() {
                return Err(wrong(format!("column {} has no name", at + 1)));
            }
            if names[..at].contains(name) {
                return Err(wrong(format!("two columns are named `{name}`")));
            }
        }
        Ok(Self {
            reader,
            names,
            row: StringRecord::new(),
            room,
            record: 0,
            lines_before: line - 1,
            is_over: false,
        })
    }

    pub(super) fn next(&mut self) -> Option<Result<Vec<u8>, BadRow>> {
        if self.is_over {
            return None;
        }
        self.room.set(MAX_ROW_BYTES);
        let line = self.reader.position().line() + self.lines_before;
        let read = self.reader.read_record(&mut self.row);
        self.record += 1;
        match read {
            Ok(true) => Some(Ok(self.object())),
            Ok(false) => {
                self.is_over = true;
                None
            }
            Err(error) => {
                let can_be_passed_over = !error.is_io_error();
                self.is_over = !can_be_passed_over;
                let line = error
                    .position()
                    .map_or(line, |position| position.line() + self.lines_before);
                Some(Err(BadRow {
                    record: self.record,
                    line,
                    what: said(&error),
                    can_be_passed_over,
                }))
            }
        }
    }

    fn object(&self) -> Vec<u8> {
        let object: Map<String, Value> = self
            .names
            .iter()
            .cloned()
            .zip(self.row.iter().map(value))
            .collect();
        Value::Object(object).to_string().into_bytes()
    }
}

/// A cell's value. What begins like JSON and is none is text, such as `[draft] policy`.
fn value(cell: &str) -> Value {
    if cell.is_empty() {
        return Value::Null;
    }
    if cell.starts_with(['{', '['])
        && let Ok(value) = serde_json::from_str(cell)
    {
        return value;
    }
    Value::String(cell.to_owned())
}

/// What is wrong, without the place, which the caller names.
fn said(error: &csv::Error) -> String {
    match error.kind() {
        ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("the row has {len} cells, and the header row names {expected_len}"),
        ErrorKind::Utf8 { err, .. } => format!("cell {} is not UTF-8", err.field() + 1),
        ErrorKind::Io(error) => error.to_string(),
        _ => error.to_string(),
    }
}

/// Fails instead of reading a row without end, such as one with a quote that nobody closed.
struct Bounded<R> {
    input: R,
    room: Rc<Cell<usize>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = self.room.get();
        if room == 0 {
            return Err(io::Error::other(format!(
                "the row is larger than {} MiB: is a quote not closed?",
                MAX_ROW_BYTES >> 20
            )));
        }
        let end = buffer.len().min(room);
        let read = self.input.read(&mut buffer[..end])?;
        self.room.set(room - read);
        Ok(read)
    }
}
