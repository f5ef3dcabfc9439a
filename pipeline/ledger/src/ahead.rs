//! Reading the disk ahead of one reader: what comes next is read while what came is sent.
//!
//! Frames are read one after another and taken apart beside one another: that is most of the work, and a destination that
//! is back takes as much as all processors can give it.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::cursors::CursorId;
use crate::format::Damage;
use crate::frame::Frame;
use crate::inner::Inner;
use crate::reader::Piece;
use crate::walk::{Segments as _, Step, Walk};

/// Reads about this much of requests at a time.
pub(crate) const CHUNK_BYTES: usize = 512 << 10;

/// Reads on while less than this waits. With one chunk alone the disk would lie still from its end until the reader comes
/// round to ask for the next, which with busy senders is long.
pub(crate) const AHEAD_BYTES: usize = 4 << 20;

/// This many chunks wait at most, whatever is in them: of a log that is all others' records nothing else is counted.
const CHUNKS: usize = 8;

/// What a read of the disk brought.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) pieces: Vec<Piece>,
    /// Records of others, and records that are gone.
    pub(crate) foreign: Vec<Range<u64>>,
    pub(crate) lost: Vec<Range<u64>>,
    /// Behind what was read.
    pub(crate) end: u64,
    pub(crate) failure: Option<io::Error>,
}

impl Chunk {
    const fn at(position: u64, failure: Option<io::Error>) -> Self {
        Self {
            pieces: Vec::new(),
            foreign: Vec::new(),
            lost: Vec::new(),
            end: position,
            failure,
        }
    }

    /// Takes a frame in: what of it is behind what is there.
    fn add(&mut self, frame: Frame) -> Result<(), Damage> {
        let end = frame.head.end();
        for (first, batch) in frame.into_runs()? {
            // Between runs are records that were erased: nobody gets them, and nothing is amiss.
            self.skip(first);
            let start = self.end;
            let behind = first + batch.len() as u64;
            if start < behind {
                self.pieces.push(Piece {
                    first: start,
                    range: (start - first) as usize..batch.len(),
                    batch: Arc::new(batch),
                });
                self.end = behind;
            }
        }
        self.skip(end);
        Ok(())
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

/// The chunks of one reader. Nothing waits on a thread: reading ends when enough is there, and the reader begins it again.
#[derive(Debug)]
pub(crate) struct Ahead {
    inner: Arc<Inner>,
    id: CursorId,
    /// Another one after a failure: what was read behind that is not what comes next.
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    came: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// What was read, in the order of the log.
    waiting: VecDeque<Waiting>,
    /// The number of the first of them.
    first: u64,
    /// Bytes of all of them.
    bytes: usize,
    /// Behind the last of them.
    end: u64,
    /// Stands at `end`, if it is there.
    walk: Option<Walk>,
    /// Somebody is at the walk.
    is_reading: bool,
    /// The last of them tells of a failure: the reader waits before it reads on.
    has_failed: bool,
}

/// A chunk, once it is taken apart.
#[derive(Debug)]
struct Waiting {
    chunk: Option<Chunk>,
    bytes: usize,
}

impl Shared {
    fn at(position: u64) -> Self {
        let shared = Self::default();
        shared.state.lock().end = position;
        shared
    }
}

impl State {
    /// The next chunk, if it is there.
    fn pop(&mut self) -> Option<Chunk> {
        let chunk = self.waiting.front_mut()?.chunk.take()?;
        self.bytes -= self.waiting.pop_front().map_or(0, |waiting| waiting.bytes);
        self.first += 1;
        Some(chunk)
    }

    /// Whether to read more.
    fn wants_more(&self, inner: &Inner) -> bool {
        !self.has_failed
            && self.waiting.len() < CHUNKS
            && self.bytes < AHEAD_BYTES
            && is_only_on_disk(inner, self.end)
    }
}

impl Ahead {
    pub(crate) fn new(inner: Arc<Inner>, id: CursorId) -> Self {
        Self {
            inner,
            id,
            shared: Arc::default(),
        }
    }

    /// The next chunk; `None` when none is there and none is being read. The future may be dropped and asked for again.
    pub(crate) async fn next(&mut self) -> Option<Chunk> {
        loop {
            if let Some(chunk) = self.pop() {
                return Some(chunk);
            }
            {
                let state = self.shared.state.lock();
                if state.waiting.is_empty() && !state.is_reading {
                    return None;
                }
            }
            self.shared.came.notified().await;
        }
    }

    /// Takes the next chunk, and has the disk read on: whoever reads it has much to catch up.
    fn pop(&mut self) -> Option<Chunk> {
        let mut state = self.shared.state.lock();
        let chunk = state.pop()?;
        if chunk.failure.is_some() {
            drop(state);
            self.shared = Arc::new(Shared::at(chunk.end));
        } else if !state.is_reading && state.wants_more(&self.inner) {
            self.start(&mut state);
        }
        Some(chunk)
    }

    /// Begins to read at `position`. Only when there is nothing to wait for.
    pub(crate) fn read_from(&mut self, position: u64) {
        let mut state = self.shared.state.lock();
        debug_assert!(state.waiting.is_empty() && !state.is_reading);
        if state.end != position {
            state.end = position;
            state.walk = None;
        }
        self.start(&mut state);
    }

    /// How many chunks wait; `None` while more is being read.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> Option<usize> {
        let state = self.shared.state.lock();
        let is_there = state.waiting.iter().all(|waiting| waiting.chunk.is_some());
        (!state.is_reading && is_there).then_some(state.waiting.len())
    }

    /// Lets go of the place on the disk.
    pub(crate) fn leave(&mut self) {
        self.shared.state.lock().walk = None;
    }

    fn start(&self, state: &mut State) {
        state.is_reading = true;
        start(self.inner.clone(), self.id.clone(), self.shared.clone());
    }
}

/// Whether there is more at `position`, and memory begins behind it.
fn is_only_on_disk(inner: &Inner, position: u64) -> bool {
    let state = inner.state.lock();
    position < state.durable && !state.tail.covers(position)
}

fn start(inner: Arc<Inner>, id: CursorId, shared: Arc<Shared>) {
    tokio::task::spawn_blocking(move || read_next(&inner, &id, &shared));
}

/// What was read, and is not taken apart yet.
#[derive(Debug, Default)]
struct Read {
    steps: Vec<Step>,
    /// Of requests in them.
    bytes: usize,
    failure: Option<io::Error>,
    /// Behind them; without it a walk made anew tries the same place again.
    walk: Option<Walk>,
}

/// Reads the next chunk, has another thread read on, and takes apart what it read.
fn read_next(inner: &Arc<Inner>, id: &CursorId, shared: &Arc<Shared>) {
    let (position, walk) = {
        let mut state = shared.state.lock();
        (state.end, state.walk.take())
    };
    let reading = || {
        read(
            walk.unwrap_or_else(|| Walk::from(inner.clone(), position)),
            id,
        )
    };
    let mut read = catch_unwind(AssertUnwindSafe(reading)).unwrap_or_else(|_panic| Read {
        failure: Some(panicked()),
        ..Read::default()
    });
    let number = {
        let mut state = shared.state.lock();
        state.has_failed = read.failure.is_some();
        state.end = read.steps.last().map_or(position, Step::end);
        state.walk = read.walk.take();
        state.bytes += read.bytes;
        state.waiting.push_back(Waiting {
            chunk: None,
            bytes: read.bytes,
        });
        state.is_reading = state.end > position && state.wants_more(inner);
        if state.is_reading {
            start(inner.clone(), id.clone(), shared.clone());
        }
        state.first + state.waiting.len() as u64 - 1
    };
    let taking_apart = || take_apart(inner, position, read);
    let chunk = catch_unwind(AssertUnwindSafe(taking_apart))
        .unwrap_or_else(|_panic| Chunk::at(position, Some(panicked())));
    let mut state = shared.state.lock();
    let at = (number - state.first) as usize;
    state.waiting[at].chunk = Some(chunk);
    drop(state);
    shared.came.notify_one();
}

fn panicked() -> io::Error {
    io::Error::other("reading failed unexpectedly (a bug; see the panic message above)")
}

/// Reads the next frames of a pipeline from the segments, about [`CHUNK_BYTES`] of them.
fn read(mut walk: Walk, id: &CursorId) -> Read {
    let mut read = Read::default();
    // Much of others' records must not hold up what is settled of ours.
    while read.bytes < CHUNK_BYTES && read.steps.len() < 4096 {
        match walk.next(|pipeline| pipeline == id.pipeline.as_bytes()) {
            Ok(Some(step)) => {
                if let Step::Frame { frame, .. } = &step {
                    read.bytes += frame.head.plain_len as usize;
                }
                read.steps.push(step);
            }
            Ok(None) => break,
            Err(failure) => {
                read.failure = Some(failure);
                return read;
            }
        }
    }
    read.walk = Some(walk);
    read
}

/// The records in what was read from `position` on.
fn take_apart(inner: &Inner, position: u64, read: Read) -> Chunk {
    let mut chunk = Chunk::at(position, read.failure);
    for step in read.steps {
        let end = step.end();
        match step {
            Step::Frame {
                frame,
                segment,
                bytes,
            } => {
                if let Err(why) = chunk.add(frame) {
                    inner.damaged(segment, bytes, why);
                    chunk.lose(end);
                }
            }
            Step::Other(_) => chunk.skip(end),
            Step::Lost(_) => chunk.lose(end),
        }
    }
    chunk
}
