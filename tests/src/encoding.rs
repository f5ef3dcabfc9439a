//! `Content-Encoding` of what is sent.

use std::io::{self, Read as _, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

/// How a body travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Plain,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

impl Encoding {
    /// The header's value; `None` for none.
    #[must_use]
    pub fn header(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// The body, encoded.
    #[must_use]
    pub fn encode(self, body: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Plain => body,
            Self::Gzip => gzip(Compression::fast(), |encoder| encoder.write_all(&body)),
            Self::Zstd => zstd::encode_all(&body[..], 1).expect("writing to memory"),
        }
    }

    /// What `body` decodes to.
    ///
    /// # Errors
    /// It is not what it should be.
    pub fn decode(self, body: &[u8]) -> io::Result<Vec<u8>> {
        let mut decoded = Vec::new();
        match self {
            Self::Plain => decoded.extend(body),
            Self::Gzip => drop(MultiGzDecoder::new(body).read_to_end(&mut decoded)?),
            Self::Zstd => drop(zstd::Decoder::new(body)?.read_to_end(&mut decoded)?),
        }
        Ok(decoded)
    }

    /// A body that is small as it stands and `bytes` long once decoded. Made as a stream: it never lies in memory whole.
    #[must_use]
    pub fn bomb(self, bytes: usize) -> Vec<u8> {
        let fill = |encoder: &mut dyn Write| {
            let zeros = vec![0; 1 << 20];
            let mut left = bytes;
            while left > 0 {
                let now = left.min(zeros.len());
                encoder.write_all(&zeros[..now])?;
                left -= now;
            }
            Ok(())
        };
        match self {
            Self::Plain => vec![0; bytes],
            Self::Gzip => gzip(Compression::best(), |encoder| fill(encoder)),
            Self::Zstd => {
                let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("writing to memory");
                fill(&mut encoder).expect("writing to memory");
                encoder.finish().expect("writing to memory")
            }
        }
    }
}

fn gzip(
    effort: Compression,
    fill: impl FnOnce(&mut GzEncoder<Vec<u8>>) -> io::Result<()>,
) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), effort);
    fill(&mut encoder).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_decodes_to_itself() {
        let body = b"some body".to_vec();
        for encoding in [Encoding::Plain, Encoding::Gzip, Encoding::Zstd] {
            assert_eq!(
                encoding.decode(&encoding.encode(body.clone())).unwrap(),
                body
            );
        }
    }

    #[test]
    fn a_bomb_is_small_and_unpacks_to_its_size() {
        let size = (5 << 20) + 7;
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let bomb = encoding.bomb(size);
            assert!(bomb.len() < size / 100, "{encoding:?}: {}", bomb.len());
            assert_eq!(encoding.decode(&bomb).unwrap().len(), size);
        }
    }
}
