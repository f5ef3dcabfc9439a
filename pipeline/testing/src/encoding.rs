//! `Content-Encoding` of request bodies.

use std::io::Read;

use bytes::Bytes;
use http::{HeaderMap, header};

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// An encoding that the destination does not take.
    Unsupported,
    /// Not what the header says.
    Corrupt,
    /// More than the limit once decoded (or as it stands).
    TooLarge,
}

/// The body without its encoding, if that is one of `accepted` (or none) and the result is at most `limit` bytes.
pub(crate) fn decode(
    headers: &HeaderMap,
    body: &Bytes,
    accepted: &[&str],
    limit: usize,
) -> Result<Bytes, Unreadable> {
    let encoding = match headers.get(header::CONTENT_ENCODING) {
        None => "identity".to_owned(),
        Some(value) => value
            .to_str()
            .map_err(|_| Unreadable::Unsupported)?
            .trim()
            .to_ascii_lowercase(),
    };
    if encoding != "identity" && !accepted.contains(&encoding.as_str()) {
        return Err(Unreadable::Unsupported);
    }
    match encoding.as_str() {
        "identity" if body.len() > limit => Err(Unreadable::TooLarge),
        "identity" => Ok(body.clone()),
        "gzip" => read(flate2::read::MultiGzDecoder::new(&body[..]), limit),
        "deflate" => read(flate2::read::ZlibDecoder::new(&body[..]), limit),
        "zstd" => read(
            zstd::stream::read::Decoder::new(&body[..]).map_err(|_| Unreadable::Corrupt)?,
            limit,
        ),
        _ => Err(Unreadable::Unsupported),
    }
}

/// Everything that `source` gives, up to `limit` bytes.
pub(crate) fn read(source: impl Read, limit: usize) -> Result<Bytes, Unreadable> {
    let mut decoded = Vec::new();
    source
        .take(limit as u64 + 1)
        .read_to_end(&mut decoded)
        .map_err(|_| Unreadable::Corrupt)?;
    if decoded.len() > limit {
        Err(Unreadable::TooLarge)
    } else {
        Ok(decoded.into())
    }
}
