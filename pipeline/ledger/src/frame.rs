//! A batch as a frame, and back.
//!
//! The costly part (protobuf, zstd, the records' commitments) is done by whoever appends, on its own thread; what
//! depends on the place in the log (sequence numbers) is left to the thread that commits.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use sluice_batch::{Batch, Signal};
use sluice_evidence::{Commitments, Hash, Salt, salt};

use crate::erasure::{self, Place};
use crate::format::{Damage, HEAD, Head, Key, Kind, MAX_NAME, MAX_PAYLOAD};
use crate::pack;

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
        pack::with_buffer(|plain| {
            batch.encode_into(0..batch.len(), plain);
            Self::of(pipeline, batch, plain, with_evidence)
        })
    }

    /// `plain` is the batch, encoded.
    fn of(
        pipeline: Arc<str>,
        batch: Batch,
        plain: &[u8],
        with_evidence: bool,
    ) -> Result<Self, Damage> {
        if plain.len() > MAX_PAYLOAD as usize {
            return Err(Damage("a batch over 2 GiB"));
        }
        let seed: [u8; 32] = rand::random();
        let commitments = if with_evidence {
            commitments(&batch, plain, &seed)
        } else {
            Vec::new()
        };
        let (mut from, mut to) = (u64::MAX, 0);
        for record in batch.records() {
            let time = record.event_time();
            from = from.min(time);
            to = to.max(time);
        }
        let (payload, is_compressed) = pack::compress(plain);
        let head = Head {
            kind: Kind::Records,
            signal: signal_code(batch.signal()),
            is_compressed,
            name_len: pipeline.len() as u16,
            payload_len: payload.len() as u32,
            payload_crc: crc32c::crc32c_append(crc32c::crc32c(pipeline.as_bytes()), &payload),
            plain_len: plain.len() as u32,
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

#[cfg(test)]
impl Prepared {
    /// The same with the seed of another frame, as someone would write it who puts it in that one's place.
    pub(crate) fn write_with_seed(
        mut self,
        key: Key,
        first: u64,
        accepted: u64,
        seed: [u8; 32],
        out: &mut Vec<u8>,
    ) {
        self.head.seed = seed;
        self.write(key, first, accepted, out);
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
        pack::decompress(&self.payload, self.head.plain_len as usize)
            .map(Bytes::from)
            .ok_or(Damage("a frame's content does not decompress"))
    }

    /// What the tree commits to, record by record; of erased records too.
    ///
    /// # Errors
    /// Content that is not what the head says.
    pub fn commitments(&self) -> Result<Vec<Hash>, Damage> {
        let (places, batch) = self.content()?;
        Ok(match places {
            None => commitments(&batch, batch.wire(), &self.head.seed),
            Some(places) => erasure::commitments(&places, &batch),
        })
    }

    /// Its records, without those that were erased: [`Frame::sequences`] tells which they are.
    ///
    /// # Errors
    /// Content that is not what the head says.
    pub fn batch(&self) -> Result<Batch, Damage> {
        Ok(self.content()?.1)
    }

    /// The sequence numbers of the records in [`Frame::batch`], as ranges in order. One range unless some were erased.
    ///
    /// # Errors
    /// Content that is not what the head says.
    pub fn sequences(&self) -> Result<Vec<Range<u64>>, Damage> {
        Ok(runs(
            self.head.first,
            self.places()?.as_deref(),
            self.head.end(),
        ))
    }

    /// The salt of each record; `None` for one that was erased.
    pub(crate) fn salts(&self) -> Result<Vec<Option<Salt>>, Damage> {
        Ok(match self.places()? {
            None => (0..self.head.count)
                .map(|place| Some(salt(&self.head.seed, place)))
                .collect(),
            Some(places) => places
                .iter()
                .map(|place| match place {
                    Place::Kept(salt) => Some(*salt),
                    Place::Gone(_) => None,
                })
                .collect(),
        })
    }

    /// The entries of an erased frame; `None` for one of which nothing was erased.
    fn places(&self) -> Result<Option<Vec<Place>>, Damage> {
        if self.head.kind != Kind::Erased {
            return Ok(None);
        }
        Ok(Some(erasure::split(&self.plain()?, self.head.count)?.0))
    }

    fn content(&self) -> Result<(Option<Vec<Place>>, Batch), Damage> {
        let plain = self.plain()?;
        let (places, request, count) = match self.head.kind {
            Kind::Erased => {
                let (places, at) = erasure::split(&plain, self.head.count)?;
                let kept = places.iter().filter(|p| matches!(p, Place::Kept(_)));
                let kept = kept.count();
                (Some(places), plain.slice(at..), kept)
            }
            Kind::Records | Kind::Seal => (None, plain, self.head.count as usize),
        };
        let batch = Batch::decode_stored(self.signal(), request)
            .map_err(|_| Damage("a frame's content is no OTLP request"))?;
        if batch.len() == count {
            Ok((places, batch))
        } else {
            Err(Damage(
                "a frame holds another number of records than it says",
            ))
        }
    }

    /// Its records in runs of consecutive sequence numbers, each with the first one's.
    ///
    /// # Errors
    /// Content that is not what the head says.
    pub(crate) fn into_runs(self) -> Result<Vec<(u64, Batch)>, Damage> {
        let (places, batch) = self.content()?;
        let runs = runs(self.head.first, places.as_deref(), self.head.end());
        if places.is_none() {
            return Ok(vec![(self.head.first, batch)]);
        }
        let mut at = 0;
        Ok(runs
            .into_iter()
            .map(|run| {
                let len = (run.end - run.start) as usize;
                at += len;
                (run.start, batch.slice(at - len..at))
            })
            .collect())
    }
}

/// Where the records that are there stand.
fn runs(first: u64, places: Option<&[Place]>, end: u64) -> Vec<Range<u64>> {
    let Some(places) = places else {
        return std::iter::once(first..end).collect();
    };
    let mut runs: Vec<Range<u64>> = Vec::new();
    for (sequence, place) in (first..).zip(places) {
        match (place, runs.last_mut()) {
            (Place::Gone(_), _) => {}
            (Place::Kept(_), Some(run)) if run.end == sequence => run.end += 1,
            (Place::Kept(_), _) => runs.push(sequence..sequence + 1),
        }
    }
    runs
}

/// What the tree commits to: each record alone, salted. `plain` is the batch, encoded.
fn commitments(batch: &Batch, plain: &[u8], seed: &[u8; 32]) -> Vec<Hash> {
    let mut commitments = Commitments::with_capacity(seed, batch.len());
    batch.each_alone(plain, |_, payload| commitments.push(payload));
    commitments.finish()
}

fn signal_code(signal: Signal) -> u8 {
    match signal {
        Signal::Logs => 0,
        Signal::Traces => 1,
        Signal::Metrics => 2,
    }
}
