//! JSON: a list of objects, objects one after the other (on a line each or not), several lists.
//!
//! Events are cut out by their brackets and then checked by the parser, instead of parsed and written again: a number
//! with twenty digits, a repeated name and the order of names are evidence and stay as they are.

use std::io::BufRead;

use serde::de::IgnoredAny;

use super::{BadRow, MAX_ROW_BYTES, peek};

/// The objects of an input.
pub(in crate::send) struct JsonRows<R> {
    input: R,
    place: Place,
    record: u64,
    line: u64,
}

/// What may come next.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// An object, a list or the end.
    Outside,
    /// Behind `[`: an object or the list's end.
    ListStart,
    /// Behind an item: a comma or the list's end.
    BehindItem,
    /// Behind a comma: an object.
    BehindComma,
    /// Nothing: the end was reached or the thread was lost.
    Over,
}

impl<R: BufRead> JsonRows<R> {
    pub(super) fn new(input: R, line: u64) -> Self {
        Self {
            input,
            place: Place::Outside,
            record: 0,
            line,
        }
    }

    pub(super) fn next(&mut self) -> Option<Result<Vec<u8>, BadRow>> {
        if self.place == Place::Over {
            return None;
        }
        match self.find() {
            Ok(false) => {
                self.place = Place::Over;
                None
            }
            Ok(true) => {
                self.record += 1;
                let line = self.line;
                let row = self.cut();
                Some(match row {
                    Ok(row) => match check(&row) {
                        Ok(()) => Ok(row),
                        Err(what) => Err(self.bad(self.record, line, what, true)),
                    },
                    Err(what) => Err(self.lost(self.record, line, what)),
                })
            }
            Err(what) => Some(Err(self.lost(self.record + 1, self.line, what))),
        }
    }

    /// Goes to the next object's brace; false at the end.
    fn find(&mut self) -> Result<bool, String> {
        loop {
            let byte = peek(&mut self.input).map_err(|error| error.to_string())?;
            self.place = match (byte, self.place) {
                (Some(b'\n'), place) => {
                    self.line += 1;
                    place
                }
                (Some(b' ' | b'\t' | b'\r'), place) => place,
                (Some(b'{'), Place::Outside) => return Ok(true),
                (Some(b'{'), Place::ListStart | Place::BehindComma) => {
                    self.place = Place::BehindItem;
                    return Ok(true);
                }
                (Some(b'['), Place::Outside) => Place::ListStart,
                (Some(b']'), Place::ListStart | Place::BehindItem) => Place::Outside,
                (Some(b','), Place::BehindItem) => Place::BehindComma,
                (None, Place::Outside) => return Ok(false),
                (None, _) => return Err("the file ends inside a list: it is not whole".to_owned()),
                (Some(byte), Place::BehindItem) => {
                    return Err(format!("{} where `,` or `]` should be", shown(byte)));
                }
                (Some(byte), _) => {
                    return Err(format!("{} where an event's `{{` should be", shown(byte)));
                }
            };
            self.input.consume(1);
        }
    }

    /// Takes the object that begins here, up to its own closing brace.
    fn cut(&mut self) -> Result<Vec<u8>, String> {
        let mut row = Vec::new();
        let (mut depth, mut in_text, mut is_escaped) = (0_u64, false, false);
        loop {
            let chunk = match self.input.fill_buf() {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                chunk => chunk.map_err(|error| error.to_string())?,
            };
            if chunk.is_empty() {
                return Err("the file ends inside this event: it is not whole".to_owned());
            }
            let mut end = None;
            for (at, byte) in chunk.iter().enumerate() {
                match byte {
                    b'\n' => self.line += 1,
                    _ if is_escaped => is_escaped = false,
                    b'\\' if in_text => is_escaped = true,
                    b'"' => in_text = !in_text,
                    _ if in_text => {}
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    end = Some(at + 1);
                    break;
                }
            }
            let taken = end.unwrap_or(chunk.len());
            if row.len() + taken > MAX_ROW_BYTES {
                return Err(format!(
                    "the event is larger than {} MiB; if the whole export stands in one object, send the list in it",
                    MAX_ROW_BYTES >> 20
                ));
            }
            row.extend_from_slice(&chunk[..taken]);
            self.input.consume(taken);
            if end.is_some() {
                return Ok(row);
            }
        }
    }

    fn lost(&mut self, record: u64, line: u64, what: String) -> BadRow {
        self.place = Place::Over;
        self.bad(record, line, what, false)
    }

    fn bad(&self, record: u64, line: u64, what: String, can_be_passed_over: bool) -> BadRow {
        BadRow {
            record,
            line,
            what,
            can_be_passed_over,
        }
    }
}

fn check(row: &[u8]) -> Result<(), String> {
    // The parser passes over texts without looking whether they are UTF-8.
    let text = std::str::from_utf8(row)
        .map_err(|error| format!("byte {} of it is not UTF-8", error.valid_up_to() + 1))?;
    serde_json::from_str::<IgnoredAny>(text)
        .map(drop)
        .map_err(|error| format!("malformed JSON: {error}"))
}

fn shown(byte: u8) -> String {
    if byte.is_ascii_graphic() {
        format!("`{}`", char::from(byte))
    } else {
        format!("the byte 0x{byte:02X}")
    }
}
