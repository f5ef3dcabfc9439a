//! Unpacking request bodies under a limit. Streaming, so that a body that unpacks to a thousand times its size is
//! noticed as soon as it passes the limit, whatever size it claims for itself.

use std::io::Read as _;

use bytes::Bytes;
use flate2::bufread::{MultiGzDecoder, ZlibDecoder};

use crate::admission::{Charge, Full};
use crate::body::Segments;

/// Largest window that a zstd frame may ask for: 2^25 = 32 MiB. RFC 9659 tells senders to stay within 8 MiB; the
/// Collector's strongest level uses 32.
const ZSTD_WINDOW_LOG: u32 = 25;
/// Bytes unpacked at a time.
const STEP: usize = 64 << 10;
/// A body that unpacks to more than this, and to more than so many times what was read of it, is unpacked to its end without
/// keeping anything before more of it is kept: a bomb costs time, but next to no memory. Log data shrinks 5 to 20
/// times.
const SUSPICIOUS_BYTES: usize = 4 << 20;
const SUSPICIOUS_RATIO: usize = 40;

/// A content coding that requests may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Plain.
    Identity,
    /// RFC 1952, several members allowed.
    Gzip,
    /// RFC 8878, several frames allowed.
    Zstd,
    /// The zlib format under the Collector's name `zlib`.
    Zlib,
    /// The zlib format under its HTTP name.
    Deflate,
}

impl Encoding {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 5] = [
        Self::Gzip,
        Self::Zstd,
        Self::Zlib,
        Self::Deflate,
        Self::Identity,
    ];

    /// From a `Content-Encoding` or `grpc-encoding`; an empty text is identity.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.trim();
        if name.is_empty() {
            return Some(Self::Identity);
        }
        let name = if name.eq_ignore_ascii_case("x-gzip") {
            "gzip"
        } else {
            name
        };
        Self::ALL
            .into_iter()
            .find(|encoding| encoding.name().eq_ignore_ascii_case(name))
    }

    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Zlib => "zlib",
            Self::Deflate => "deflate",
        }
    }
}

/// Why a body could not be unpacked.
#[derive(Debug)]
pub(crate) enum Unpack {
    TooLarge,
    Corrupt,
    Full(Full),
}

/// Unpacks `packed`, charging what comes out as it comes out.
pub(crate) fn decompress(
    encoding: Encoding,
    packed: &Bytes,
    limit: usize,
    charge: &mut Charge,
) -> Result<Bytes, Unpack> {
    let window = if encoding == Encoding::Zstd {
        1 << ZSTD_WINDOW_LOG
    } else {
        0
    };
    let mut window_charge = charge.another();
    let mut is_measured = false;
    let mut decoder = Decoder::new(encoding, packed)?;
    let mut out = Segments::default();
    let mut step = vec![0; STEP];
    loop {
        let n = decoder.step(&mut step)?;
        if n == 0 {
            return Ok(out.into_bytes());
        }
        let unpacked = out.len() + n;
        if unpacked > limit {
            return Err(Unpack::TooLarge);
        }
        let consumed = packed.len() - decoder.remaining();
        if !is_measured && unpacked > SUSPICIOUS_BYTES && unpacked / SUSPICIOUS_RATIO > consumed {
            is_measured = true;
            measure(encoding, packed, limit)?;
        }
        charge.add(n).map_err(Unpack::Full)?;
        window_charge
            .raise_to(unpacked.min(window))
            .map_err(Unpack::Full)?;
        out.push(&step[..n]);
    }
}

/// Unpacks without keeping anything: does it stay within the limit?
fn measure(encoding: Encoding, packed: &[u8], limit: usize) -> Result<(), Unpack> {
    let mut step = vec![0; STEP];
    let mut decoder = Decoder::new(encoding, packed)?;
    let mut unpacked = 0;
    loop {
        match decoder.step(&mut step)? {
            0 => return Ok(()),
            n => unpacked += n,
        }
        if unpacked > limit {
            return Err(Unpack::TooLarge);
        }
    }
}

enum Decoder<'a> {
    Gzip(MultiGzDecoder<&'a [u8]>),
    Zlib(ZlibDecoder<&'a [u8]>),
    Zstd(zstd::stream::read::Decoder<'static, &'a [u8]>),
    Identity(&'a [u8]),
}

impl<'a> Decoder<'a> {
    fn new(encoding: Encoding, packed: &'a [u8]) -> Result<Self, Unpack> {
        Ok(match encoding {
            Encoding::Gzip => Self::Gzip(MultiGzDecoder::new(packed)),
            Encoding::Zlib | Encoding::Deflate => Self::Zlib(ZlibDecoder::new(packed)),
            Encoding::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)
                    .map_err(|_| Unpack::Corrupt)?;
                decoder
                    .window_log_max(ZSTD_WINDOW_LOG)
                    .map_err(|_| Unpack::Corrupt)?;
                Self::Zstd(decoder)
            }
            Encoding::Identity => Self::Identity(packed),
        })
    }

    /// How much of the packed body has not been read yet.
    fn remaining(&self) -> usize {
        match self {
            Self::Gzip(decoder) => decoder.get_ref().len(),
            Self::Zlib(decoder) => decoder.get_ref().len(),
            Self::Zstd(decoder) => decoder.get_ref().len(),
            Self::Identity(packed) => packed.len(),
        }
    }

    /// The next bytes; 0 at the end.
    fn step(&mut self, step: &mut [u8]) -> Result<usize, Unpack> {
        let n = match self {
            Self::Gzip(decoder) => decoder.read(step),
            Self::Zlib(decoder) => decoder.read(step),
            Self::Zstd(decoder) => decoder.read(step),
            Self::Identity(packed) => packed.read(step),
        };
        match (n, self) {
            // Only this decoder stops at the end of its stream and leaves what follows.
            (Ok(0), Self::Zlib(decoder)) if !decoder.get_ref().is_empty() => Err(Unpack::Corrupt),
            (n, _) => n.map_err(|_| Unpack::Corrupt),
        }
    }
}

#[cfg(test)]
mod tests;
