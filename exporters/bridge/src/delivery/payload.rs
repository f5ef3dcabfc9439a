//! Encoded records, cut into request bodies.

use std::ops::Range;

use bytes::Bytes;
use sluice_batch::Batch;

/// Once so many bytes are encoded, the batch's other records wait for the next attempt: a resource is repeated with each
/// of its records, so a small batch may become a very large payload.
pub(crate) const MAX_ENCODED: usize = 16 << 20;

/// How encoded records stand together in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// One after another.
    Concatenated,
    /// A JSON array. Each record is encoded with a comma before it.
    JsonArray,
}

/// What one request may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Most bytes of a body before compression; a lone larger record still goes, alone.
    pub(crate) max_bytes: usize,
    /// Most records.
    pub(crate) max_records: usize,
    /// How they stand together.
    pub(crate) framing: Framing,
}

/// Records that go the same way, while they are encoded.
#[derive(Debug)]
pub(crate) struct Payload<R> {
    /// The way.
    pub(crate) route: R,
    bytes: Vec<u8>,
    /// The end of each record in `bytes`, and its position in the batch.
    ends: Vec<(usize, u32)>,
}

impl<R> Payload<R> {
    /// Nothing yet.
    pub(crate) fn new(route: R) -> Self {
        Self {
            route,
            bytes: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Nothing yet, with room for a batch of records like its first.
    pub(crate) fn with_room(route: R, batch: &Batch) -> Self {
        let one = if batch.is_empty() {
            0
        } else {
            batch.record_bytes_alone(0) * 4 / 3 + 200
        };
        Self {
            route,
            bytes: Vec::with_capacity(one.saturating_mul(batch.len()).min(MAX_ENCODED)),
            ends: Vec::new(),
        }
    }

    /// Adds the record at `position` of the batch as `encode` writes it and returns its size. More than `max_bytes`: it
    /// is taken out again and its size is the error.
    pub(crate) fn push(
        &mut self,
        position: usize,
        max_bytes: usize,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<usize, usize> {
        let start = self.bytes.len();
        encode(&mut self.bytes);
        let size = self.bytes.len() - start;
        if size > max_bytes {
            self.bytes.truncate(start);
            return Err(size);
        }
        self.ends.push((
            self.bytes.len(),
            u32::try_from(position).unwrap_or(u32::MAX),
        ));
        Ok(size)
    }

    /// All encoded records.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// How many records.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Nothing more is added.
    pub(crate) fn seal(self) -> Sealed<R> {
        Sealed {
            route: self.route,
            bytes: self.bytes.into(),
            ends: self.ends,
        }
    }
}

/// Encoded records that go the same way.
#[derive(Debug)]
pub(crate) struct Sealed<R> {
    /// The way.
    pub(crate) route: R,
    bytes: Bytes,
    /// See [`Payload::ends`].
    ends: Vec<(usize, u32)>,
}

impl<R> Sealed<R> {
    /// Runs of records that fit into a request each.
    pub(crate) fn requests(&self, limits: Limits) -> Vec<Range<usize>> {
        // The bracket that ends an array; the one that begins it replaces a comma.
        let room = limits.max_bytes - usize::from(limits.framing == Framing::JsonArray);
        let mut runs: Vec<Range<usize>> = Vec::new();
        for at in 0..self.ends.len() {
            match runs.last_mut() {
                Some(run)
                    if run.len() < limits.max_records
                        && self.bytes_of(&(run.start..at + 1)).len() <= room =>
                {
                    run.end = at + 1;
                }
                _ => runs.push(at..at + 1),
            }
        }
        runs
    }

    /// The body of one request; a copy only where it must be framed.
    pub(crate) fn body(&self, records: Range<usize>, framing: Framing) -> Bytes {
        let bytes = self.bytes.slice(self.bytes_of(&records));
        if framing == Framing::Concatenated {
            return bytes;
        }
        let mut body = Vec::with_capacity(bytes.len() + 1);
        body.extend_from_slice(&bytes);
        if let Some(comma) = body.first_mut() {
            *comma = b'[';
        }
        body.push(b']');
        body.into()
    }

    /// Lets go of the bodies; which records they held is still known.
    pub(crate) fn let_go(&mut self) {
        self.bytes = Bytes::new();
    }

    /// Positions in the batch.
    pub(crate) fn records(&self, records: Range<usize>) -> impl Iterator<Item = u32> + '_ {
        self.ends[records].iter().map(|(_, position)| *position)
    }

    fn bytes_of(&self, records: &Range<usize>) -> Range<usize> {
        let end = |at: usize| if at == 0 { 0 } else { self.ends[at - 1].0 };
        end(records.start)..end(records.end)
    }
}
