//! What a read of the disk brought, taken apart for one reader.

use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use sluice_batch::Batch;

use crate::inner::Inner;
use crate::reader::Piece;
use crate::walk::{Segments as _, Step};

/// Records in order, and what became of those that are not among them.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) pieces: Vec<Piece>,
    /// Records of others, and such as were erased: nobody gets them, and nothing is amiss.
    pub(crate) foreign: Vec<Range<u64>>,
    /// Records that are damaged or deleted.
    pub(crate) lost: Vec<Range<u64>>,
    /// Behind what was read.
    pub(crate) end: u64,
    pub(crate) failure: Option<io::Error>,
}

impl Chunk {
    /// The records in what was read from `position` on; to where it went well, if it does not.
    pub(crate) fn of(
        inner: &Inner,
        position: u64,
        steps: Vec<Step>,
        failure: Option<io::Error>,
    ) -> Self {
        let mut chunk = Self {
            pieces: Vec::new(),
            foreign: Vec::new(),
            lost: Vec::new(),
            end: position,
            failure,
        };
        for step in steps {
            if let Err(failure) = unless_it_panics(|| chunk.take_in(inner, step)) {
                chunk.failure = Some(failure);
                break;
            }
        }
        chunk
    }

    /// Memory of its records.
    pub(crate) fn memory(&self) -> usize {
        self.pieces.iter().map(|piece| piece.batch.memory()).sum()
    }

    fn take_in(&mut self, inner: &Inner, step: Step) {
        let end = step.end();
        match step {
            Step::Frame {
                frame,
                segment,
                bytes,
            } => match frame.into_runs() {
                Ok(runs) => {
                    for (first, batch) in runs {
                        self.add(first, batch);
                    }
                    self.skip(end);
                }
                Err(why) => {
                    inner.damaged(segment, bytes, why);
                    self.lose(end);
                }
            },
            Step::Other(_) => self.skip(end),
            Step::Lost(_) => self.lose(end),
        }
    }

    /// Takes in what of a run is behind what is there. Before it are records that were erased.
    fn add(&mut self, first: u64, batch: Batch) {
        self.skip(first);
        let (start, end) = (self.end, first + batch.len() as u64);
        if start < end {
            self.pieces.push(Piece {
                first: start,
                range: (start - first) as usize..batch.len(),
                batch: Arc::new(batch),
            });
            self.end = end;
        }
    }

    /// What is before `end` is none of this reader's.
    fn skip(&mut self, end: u64) {
        if self.end < end {
            self.foreign.push(self.end..end);
            self.end = end;
        }
    }

    /// What is before `end` is gone.
    fn lose(&mut self, end: u64) {
        if self.end < end {
            self.lost.push(self.end..end);
            self.end = end;
        }
    }
}

/// What `work` makes; a panic is a failure of its work and of nothing else.
pub(crate) fn unless_it_panics<T>(work: impl FnOnce() -> T) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_panic| {
        io::Error::other("reading failed unexpectedly (a bug; see the panic message above)")
    })
}
