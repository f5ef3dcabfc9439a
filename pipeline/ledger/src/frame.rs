//! A batch as a frame, and back.
//!
//! The costly part (protobuf, zstd, the records' commitments) is done by whoever appends, on its own thread; what
//! depends on the place in the log (sequence numbers) is left to the thread that commits.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use sluice_batch::{Batch, Signal};
use sluice_evidence::{Hash, commitment, salt};

use crate::format::{Damage, HEAD, Head, Key, Kind, MAX_NAME, MAX_PAYLOAD};

/// Level 1: about as quick as a memory copy is slow, at an eighth of the bytes.
const ZSTD_LEVEL: i32 = 1;

/// A batch ready to be appended; only its place is missing.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) pipeline: Arc<str>,
    pub(crate) batch: Arc<Batch>,
    /// All but `first` and `accepted`.
    head: Head,
    payload: Vec<u8>,
    /// Of the records, in order; empty without integrity.
    pub(crate) commitments: Vec<Hash>,
}

impl Prepared {
    /// Encodes a batch.
    ///
    /// # Errors
    /// A batch whose request passes 2 GiB.
    pub(crate) fn new(
        pipeline: Arc<str>,
        batch: Batch,
        with_evidence: bool,
    ) -> Result<Self, Damage> {
        if pipeline.len() > MAX_NAME {
            return Err(Damage("the pipeline's name is too long"));
        }
        let plain = batch.encode();
        if plain.len() > MAX_PAYLOAD as usize {
            return Err(Damage("a batch over 2 GiB"));
        }
        let seed: [u8; 32] = rand::random();
        let commitments = if with_evidence {
            commitments(&batch, &seed)
        } else {
            Vec::new()
        };
        let (mut from, mut to) = (u64::MAX, 0);
        for record in batch.records() {
            let time = record.event_time();
            from = from.min(time);
            to = to.max(time);
        }
        let plain_len = plain.len() as u32;
        let (payload, is_compressed) = compress(plain);
        let head = Head {
            kind: Kind::Records,
            signal: signal_code(batch.signal()),
            is_compressed,
            name_len: pipeline.len() as u16,
            payload_len: payload.len() as u32,
            payload_crc: crc32c::crc32c_append(crc32c::crc32c(pipeline.as_bytes()), &payload),
            plain_len,
            count: batch.len() as u32,
            first: 0,
            accepted: 0,
            from,
            to,
            seed,
        };
        Ok(Self {
            pipeline,
            batch: Arc::new(batch),
            head,
            payload,
            commitments,
        })
    }

    /// Records.
    pub(crate) fn count(&self) -> u64 {
        u64::from(self.head.count)
    }

    /// Bytes on the disk.
    pub(crate) fn len(&self) -> usize {
        HEAD + self.pipeline.len() + self.payload.len()
    }

    /// The event times it spans, first and last.
    pub(crate) fn times(&self) -> (u64, u64) {
        (self.head.from, self.head.to)
    }

    /// Appends the frame with its place filled in.
    pub(crate) fn write(&self, key: Key, first: u64, accepted: u64, out: &mut Vec<u8>) {
        let head = Head {
            first,
            accepted,
            ..self.head
        };
        out.extend_from_slice(&head.encode(key));
        out.extend_from_slice(self.pipeline.as_bytes());
        out.extend_from_slice(&self.payload);
    }
}

/// A frame as it stands on the disk, whole: its checksums were right.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What it says of itself.
    pub head: Head,
    /// The pipeline whose records it holds.
    pub pipeline: String,
    pub(crate) payload: Bytes,
}

impl Frame {
    /// Takes a frame's body apart.
    ///
    /// # Errors
    /// A checksum that does not match.
    pub(crate) fn read(head: Head, body: Bytes) -> Result<Self, Damage> {
        if crc32c::crc32c(&body) != head.payload_crc {
            return Err(Damage("a frame's content does not match its checksum"));
        }
        let name = usize::from(head.name_len);
        let pipeline = std::str::from_utf8(&body[..name])
            .map_err(|_| Damage("a pipeline's name is no text"))?
            .to_owned();
        Ok(Self {
            head,
            pipeline,
            payload: body.slice(name..),
        })
    }

    /// The signal of its records.
    #[must_use]
    pub fn signal(&self) -> Signal {
        match self.head.signal {
            1 => Signal::Traces,
            2 => Signal::Metrics,
            _ => Signal::Logs,
        }
    }

    /// Its content, decompressed.
    ///
    /// # Errors
    /// Content that is not what the head says.
    pub(crate) fn plain(&self) -> Result<Bytes, Damage> {
        if !self.head.is_compressed {
            return Ok(self.payload.clone());
        }
        let len = self.head.plain_len as usize;
        let plain = DECOMPRESSOR.with_borrow_mut(|zstd| zstd.decompress(&self.payload, len));
        match plain {
            Ok(plain) if plain.len() == len => Ok(plain.into()),
            _ => Err(Damage("a frame's content does not decompress")),
        }
    }

    /// What the tree commits to, record by record.
    ///
    /// # Errors
    /// Content that is not what the head says.
    pub fn commitments(&self) -> Result<Vec<Hash>, Damage> {
        Ok(commitments(&self.batch()?, &self.head.seed))
    }

    /// Its records.
    ///
    /// # Errors
    /// Content that is not what the head says.
    pub fn batch(&self) -> Result<Batch, Damage> {
        let batch = Batch::decode_stored(self.signal(), self.plain()?)
            .map_err(|_| Damage("a frame's content is no OTLP request"))?;
        if batch.len() == self.head.count as usize {
            Ok(batch)
        } else {
            Err(Damage(
                "a frame holds another number of records than it says",
            ))
        }
    }
}

/// What the tree commits to: each record alone, salted.
fn commitments(batch: &Batch, seed: &[u8; 32]) -> Vec<Hash> {
    let mut payload = Vec::new();
    (0..batch.len())
        .map(|i| {
            payload.clear();
            batch.encode_record_into(i, &mut payload);
            commitment(&salt(seed, i as u32), &payload)
        })
        .collect()
}

fn signal_code(signal: Signal) -> u8 {
    match signal {
        Signal::Logs => 0,
        Signal::Traces => 1,
        Signal::Metrics => 2,
    }
}

thread_local! {
    // Making a context costs more than compressing a small request with it.
    static COMPRESSOR: RefCell<zstd::bulk::Compressor<'static>> = RefCell::new(
        zstd::bulk::Compressor::new(ZSTD_LEVEL).unwrap_or_default());
    static DECOMPRESSOR: RefCell<zstd::bulk::Decompressor<'static>> = RefCell::new(
        zstd::bulk::Decompressor::new().unwrap_or_default());
}

/// The bytes compressed, and true; or as they are when that makes them no smaller.
pub(crate) fn compress(plain: Vec<u8>) -> (Vec<u8>, bool) {
    match COMPRESSOR.with_borrow_mut(|zstd| zstd.compress(&plain)) {
        Ok(compressed) if compressed.len() < plain.len() => (compressed, true),
        _ => (plain, false),
    }
}
