//! The scalars of JSON, appended to a buffer: strings, numbers, base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::words::{is_plain, plain_run};

/// Appends a JSON string with its quotes. Escapes what RFC 8259 section 7 demands and nothing else.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    write_utf8(text.as_bytes(), out);
}

/// [`write_string`] for bytes that are known to be UTF-8.
pub(super) fn write_utf8(text: &[u8], out: &mut Vec<u8>) {
    if !is_plain(text) {
        return write_escaped(text, out);
    }
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}

/// The same for a text with something to escape.
#[inline(never)]
fn write_escaped(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 3);
    out.push(b'"');
    let mut rest = text;
    loop {
        let run = plain_run(rest);
        out.extend_from_slice(&rest[..run]);
        let Some(&special) = rest.get(run) else { break };
        write_escape(special, out);
        rest = &rest[run + 1..];
    }
    out.push(b'"');
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        control => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(control >> 4)]);
            out.push(HEX[usize::from(control & 15)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Appends a double: the shortest text that reads back as the same number (`1.0`, `1e21`), or one of the strings
/// `"NaN"`, `"Infinity"`, `"-Infinity"` of the proto3 JSON mapping.
pub(super) fn write_double(number: f64, out: &mut Vec<u8>) {
    if number.is_finite() {
        out.extend_from_slice(zmij::Buffer::new().format_finite(number).as_bytes());
    } else if number.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else if number > 0.0 {
        out.extend_from_slice(b"\"Infinity\"");
    } else {
        out.extend_from_slice(b"\"-Infinity\"");
    }
}

/// Appends an integer as a JSON number.
pub(super) fn write_integer(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends bytes as a JSON string in standard padded base64.
pub(super) fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD
        .encode_slice(bytes, &mut out[start..])
        .expect("four characters for every three bytes fit any input");
    out.truncate(start + written);
    out.push(b'"');
}

/// Appends bytes as a JSON string in lower-case hex.
pub(super) fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len() * 2, 0);
    hex::encode_to_slice(bytes, &mut out[start..]).expect("two characters for every byte");
    out.push(b'"');
}
