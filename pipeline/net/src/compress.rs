//! `compression:` of a client: whole request bodies, compressed at once.

use std::io;

use schemars::JsonSchema;
use serde::Deserialize;

/// How a client compresses its request bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    #[serde(alias = "")]
    None,
    /// `Content-Encoding: gzip`.
    Gzip,
    /// `Content-Encoding: zstd`.
    Zstd,
    /// `Content-Encoding: zlib`, the zlib format.
    Zlib,
    /// `Content-Encoding: deflate`, also the zlib format (RFC 9110, section 8.4.1.2).
    Deflate,
}

/// `compression_params:` of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CompressionParams {
    /// Effort: gzip, zlib and deflate 1 to 12, zstd 1 to 22. Default (also for 0): 1, which costs a third of the
    /// usual 6 for bodies about a tenth larger.
    pub level: i32,
}

impl Compression {
    /// The `Content-Encoding` (gRPC: `grpc-encoding`) to send; `None` for plain bodies.
    #[must_use]
    pub fn content_encoding(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
            Self::Zlib => Some("zlib"),
            Self::Deflate => Some("deflate"),
        }
    }

    /// Compresses a whole body.
    ///
    /// # Errors
    /// The compressor ran out of memory.
    pub fn compress(self, params: CompressionParams, body: &[u8]) -> io::Result<Vec<u8>> {
        let out_of_room = |error| io::Error::other(format!("{error}"));
        match self {
            Self::None => Ok(body.to_vec()),
            Self::Zstd => zstd::bulk::compress(body, params.level.clamp(1, 22)),
            Self::Gzip => {
                let mut compressor = deflater(params);
                let mut out = vec![0; compressor.gzip_compress_bound(body.len())];
                let written = compressor
                    .gzip_compress(body, &mut out)
                    .map_err(out_of_room)?;
                out.truncate(written);
                Ok(out)
            }
            Self::Zlib | Self::Deflate => {
                let mut compressor = deflater(params);
                let mut out = vec![0; compressor.zlib_compress_bound(body.len())];
                let written = compressor
                    .zlib_compress(body, &mut out)
                    .map_err(out_of_room)?;
                out.truncate(written);
                Ok(out)
            }
        }
    }
}

fn deflater(params: CompressionParams) -> libdeflater::Compressor {
    let level = libdeflater::CompressionLvl::new(params.level.clamp(1, 12)).unwrap_or_default();
    libdeflater::Compressor::new(level)
}
