//! Reading the disk ahead of one reader: what comes next is read while what came is sent.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::cursors::CursorId;
use crate::inner::Inner;
use crate::reader::Piece;
use crate::walk::{Step, Walk};

/// Reads about this much at a time.
pub(crate) const CHUNK_BYTES: usize = 2 << 20;

/// This many chunks wait at most. With one alone the disk would lie still from its end until the reader comes round to
/// ask for the next, which with busy senders is long.
pub(crate) const CHUNKS: usize = 2;

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
    const fn at(position: u64) -> Self {
        Self {
            pieces: Vec::new(),
            foreign: Vec::new(),
            lost: Vec::new(),
            end: position,
            failure: None,
        }
    }
}

/// The chunks of one reader. Nothing waits on a thread: a read ends when enough is there, and the reader begins the next.
#[derive(Debug)]
pub(crate) struct Ahead {
    inner: Arc<Inner>,
    id: CursorId,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    came: Notify,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Chunk>,
    /// Behind the last of them.
    end: u64,
    /// Stands at `end`, if it is there.
    walk: Option<Walk>,
    is_reading: bool,
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
            {
                let mut state = self.shared.state.lock();
                if let Some(chunk) = state.ready.pop_front() {
                    // Whoever reads the disk has much to catch up; after a failure the reader waits first.
                    let last = state.ready.back().unwrap_or(&chunk);
                    if !state.is_reading && last.failure.is_none() {
                        self.read_on(&mut state);
                    }
                    return Some(chunk);
                }
                if !state.is_reading {
                    return None;
                }
            }
            self.shared.came.notified().await;
        }
    }

    /// Begins to read at `position`. Only when there is nothing to wait for.
    pub(crate) fn read_from(&mut self, position: u64) {
        let mut state = self.shared.state.lock();
        debug_assert!(state.ready.is_empty() && !state.is_reading);
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
        (!state.is_reading).then_some(state.ready.len())
    }

    /// Lets go of the place on the disk.
    pub(crate) fn leave(&mut self) {
        self.shared.state.lock().walk = None;
    }

    fn read_on(&self, state: &mut State) {
        if is_only_on_disk(&self.inner, state.end) {
            self.start(state);
        }
    }

    fn start(&self, state: &mut State) {
        state.is_reading = true;
        let (inner, id, shared) = (self.inner.clone(), self.id.clone(), self.shared.clone());
        tokio::task::spawn_blocking(move || read_some(&inner, &id, &shared));
    }
}

/// Whether there is more at `position`, and memory begins behind it.
fn is_only_on_disk(inner: &Inner, position: u64) -> bool {
    let state = inner.state.lock();
    position < state.durable && !state.tail.covers(position)
}

/// Reads until enough waits, or memory has what comes next.
fn read_some(inner: &Arc<Inner>, id: &CursorId, shared: &Shared) {
    loop {
        let (position, walk) = {
            let mut state = shared.state.lock();
            (state.end, state.walk.take())
        };
        let read = AssertUnwindSafe(|| read(inner, id, walk, position));
        let (chunk, walk) = catch_unwind(read).unwrap_or_else(|_panic| {
            let mut chunk = Chunk::at(position);
            let why = "reading failed unexpectedly (a bug; see the panic message above)";
            chunk.failure = Some(io::Error::other(why));
            (chunk, None)
        });
        let goes_on =
            chunk.failure.is_none() && chunk.end > position && is_only_on_disk(inner, chunk.end);
        let is_reading = {
            let mut state = shared.state.lock();
            state.end = chunk.end;
            state.walk = walk;
            state.ready.push_back(chunk);
            state.is_reading = goes_on && state.ready.len() < CHUNKS;
            state.is_reading
        };
        shared.came.notify_one();
        if !is_reading {
            return;
        }
    }
}

/// Reads the next records of a pipeline from the segments, about [`CHUNK_BYTES`] of them; and the place behind them. After
/// a failure there is none: a walk made anew tries the same place again.
fn read(
    inner: &Arc<Inner>,
    id: &CursorId,
    walk: Option<Walk>,
    position: u64,
) -> (Chunk, Option<Walk>) {
    let mut walk = walk.unwrap_or_else(|| Walk::from(inner.clone(), position));
    let mut chunk = Chunk::at(position);
    let mut bytes = 0;
    while bytes < CHUNK_BYTES {
        let step = match walk.next(|pipeline| pipeline == id.pipeline.as_bytes()) {
            Ok(Some(step)) => step,
            Ok(None) => break,
            Err(failure) => {
                chunk.failure = Some(failure);
                return (chunk, None);
            }
        };
        match step {
            Step::Records { first, batch } => {
                let start = chunk.end.max(first);
                let end = first + batch.len() as u64;
                if start < end {
                    bytes += batch.memory();
                    chunk.pieces.push(Piece {
                        first: start,
                        range: (start - first) as usize..batch.len(),
                        batch: Arc::new(batch),
                    });
                }
                // A frame from which records were erased comes in pieces, and those before the position are past.
                chunk.end = chunk.end.max(end);
            }
            Step::Other(range) => {
                chunk.end = chunk.end.max(range.end);
                chunk.foreign.push(range);
            }
            Step::Lost(range) => {
                chunk.end = range.end;
                chunk.lost.push(range);
            }
            // Only asked for by others.
            Step::Frame(_) => {}
        }
        // Much of others' records must not hold up what is settled of ours.
        if chunk.foreign.len() >= 4096 {
            break;
        }
    }
    (chunk, Some(walk))
}
