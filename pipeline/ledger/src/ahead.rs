//! Reading the disk ahead of one reader: what comes next is read while what came is sent.
//!
//! Frames are read one after another and taken apart beside one another: that is most of the work, and a destination that
//! is back takes as much as all processors can give it.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::chunk::{Chunk, unless_it_panics};
use crate::cursors::CursorId;
use crate::inner::Inner;
use crate::walk::{Step, Walk};

/// Reads about this much memory of records at a time.
pub(crate) const CHUNK_BYTES: usize = 1 << 20;

/// Reads on while less than this waits. With one chunk alone the disk would lie still from its end until the reader comes
/// round to ask for the next, which with busy senders is long.
pub(crate) const AHEAD_BYTES: usize = 8 << 20;

/// This many chunks wait at most, whatever is in them.
pub(crate) const CHUNKS: usize = 6;

/// This many frames make a chunk, whatever is in them: many of others' records must not hold up what is settled of ours.
pub(crate) const FRAMES: usize = if cfg!(test) { 16 } else { 4096 };

/// What a record takes in memory beside its bytes, and what a frame does, at least: known of them before they are taken
/// apart.
const RECORD_BYTES: usize = 128;
const FRAME_BYTES: usize = 1024;

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

impl Shared {
    fn at(position: u64) -> Self {
        Self {
            state: Mutex::new(State {
                end: position,
                ..State::default()
            }),
            came: Notify::new(),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    /// What was read, in the order of the log.
    waiting: VecDeque<Waiting>,
    /// The number of the first of them.
    first: u64,
    /// Memory of all of them.
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

/// A chunk, once it is taken apart; and its memory, estimated until then.
#[derive(Debug)]
struct Waiting {
    chunk: Option<Chunk>,
    bytes: usize,
}

impl State {
    /// The next chunk, if it is there.
    fn pop(&mut self) -> Option<Chunk> {
        let chunk = self.waiting.front_mut()?.chunk.take()?;
        self.bytes -= self.waiting.pop_front().map_or(0, |waiting| waiting.bytes);
        self.first += 1;
        Some(chunk)
    }

    /// Waits with a chunk that was read; its number.
    fn push(&mut self, bytes: usize) -> u64 {
        self.bytes += bytes;
        self.waiting.push_back(Waiting { chunk: None, bytes });
        self.first + self.waiting.len() as u64 - 1
    }

    /// Puts a chunk in its place.
    fn put(&mut self, number: u64, chunk: Chunk) {
        let bytes = chunk.memory();
        let waiting = &mut self.waiting[(number - self.first) as usize];
        self.bytes = self.bytes - waiting.bytes + bytes;
        *waiting = Waiting {
            chunk: Some(chunk),
            bytes,
        };
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
            {
                let mut state = self.shared.state.lock();
                if let Some(chunk) = state.pop() {
                    if chunk.failure.is_some() {
                        drop(state);
                        self.shared = Arc::new(Shared::at(chunk.end));
                    } else if !state.is_reading && state.wants_more(&self.inner) {
                        // Whoever reads the disk has much to catch up.
                        self.start(&mut state);
                    }
                    return Some(chunk);
                }
                if state.waiting.is_empty() && !state.is_reading {
                    return None;
                }
            }
            self.shared.came.notified().await;
        }
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

    /// How many of them are taken apart.
    #[cfg(test)]
    pub(crate) fn ready(&self) -> usize {
        let state = self.shared.state.lock();
        state.waiting.iter().filter(|w| w.chunk.is_some()).count()
    }

    /// Lets go of the place on the disk.
    pub(crate) fn leave(&mut self) {
        self.shared.state.lock().walk = None;
    }

    fn start(&self, state: &mut State) {
        start(state, &self.inner, &self.id, &self.shared);
    }
}

/// Whether there is more at `position`, and memory begins behind it.
fn is_only_on_disk(inner: &Inner, position: u64) -> bool {
    let state = inner.state.lock();
    position < state.durable && !state.tail.covers(position)
}

/// Has a thread read what comes next.
fn start(state: &mut State, inner: &Arc<Inner>, id: &CursorId, shared: &Arc<Shared>) {
    state.is_reading = true;
    let (inner, id, shared) = (inner.clone(), id.clone(), shared.clone());
    tokio::task::spawn_blocking(move || read_next(&inner, &id, &shared));
}

/// What was read, and is not taken apart yet.
#[derive(Debug, Default)]
struct Read {
    steps: Vec<Step>,
    /// Memory that they will take, at least.
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
    let mut read = unless_it_panics(reading).unwrap_or_else(|failure| Read {
        failure: Some(failure),
        ..Read::default()
    });
    let number = {
        let mut state = shared.state.lock();
        state.has_failed = read.failure.is_some();
        state.end = read.steps.last().map_or(position, Step::end);
        state.walk = read.walk.take();
        let number = state.push(read.bytes);
        state.is_reading = false;
        if state.end > position && state.wants_more(inner) {
            start(&mut state, inner, id, shared);
        }
        number
    };
    let chunk = Chunk::of(inner, position, read.steps, read.failure);
    shared.state.lock().put(number, chunk);
    shared.came.notify_one();
}

/// Reads the next frames of a pipeline from the segments, about [`CHUNK_BYTES`] of them.
fn read(mut walk: Walk, id: &CursorId) -> Read {
    let mut read = Read::default();
    while read.bytes < CHUNK_BYTES && read.steps.len() < FRAMES {
        match walk.next(|pipeline| pipeline == id.pipeline.as_bytes()) {
            Ok(Some(step)) => {
                if let Step::Frame { frame, .. } = &step {
                    let (bytes, records) = (frame.head.plain_len, frame.head.count);
                    read.bytes += bytes as usize + records as usize * RECORD_BYTES + FRAME_BYTES;
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
