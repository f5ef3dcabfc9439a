//! Segment files: their names, what is known of each, and a scan that goes through one frame by frame and finds its way
//! past damage.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::disk::{Disk, File};
use crate::format::{Damage, HEAD, HEADER, Head, Header, Key, Kind, MARK};
use crate::frame::Frame;

/// The directory of the segments.
pub(crate) const DIRECTORY: &str = "segments";

/// The path of the segment that begins with this sequence number.
#[must_use]
pub(crate) fn path(first: u64) -> String {
    format!("{DIRECTORY}/{first:020}.seg")
}

/// The first sequence number that a file name tells.
#[must_use]
pub(crate) fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    (digits.len() == 20).then(|| digits.parse().ok()).flatten()
}

/// What is known of a segment without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Sequence number of its first record.
    pub first: u64,
    /// The sequence number behind its last record.
    pub end: u64,
    /// Its bytes, up to what is durable.
    pub len: u64,
    /// When its last records were accepted, unix nanoseconds; when it was made, if it has none.
    pub accepted: u64,
    /// Least and greatest event time of its records; `from > to` without records.
    pub times: (u64, u64),
    /// Whether it is complete: it ends with a seal.
    pub is_sealed: bool,
}

impl Segment {
    /// A new one.
    #[must_use]
    pub fn new(first: u64, created: u64) -> Self {
        Self {
            first,
            end: first,
            len: HEADER as u64,
            accepted: created,
            times: (u64::MAX, 0),
            is_sealed: false,
        }
    }

    /// Takes in what a frame adds.
    pub fn add(&mut self, end: u64, len: u64, accepted: u64, times: (u64, u64)) {
        self.end = end;
        self.len += len;
        self.accepted = self.accepted.max(accepted);
        self.times = (self.times.0.min(times.0), self.times.1.max(times.1));
    }

    /// The frame that seals it.
    #[must_use]
    pub fn seal(&self, now: u64) -> Head {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.end.to_le_bytes());
        seed[8..16].copy_from_slice(&self.accepted.to_le_bytes());
        Head {
            kind: Kind::Seal,
            signal: 0,
            is_compressed: false,
            name_len: 0,
            payload_len: 0,
            payload_crc: 0,
            plain_len: 0,
            count: 0,
            first: self.first,
            accepted: now,
            from: self.times.0,
            to: self.times.1,
            seed,
        }
    }

    /// What a seal at the end of a file of `len` bytes says, if there is one and it belongs to `first`.
    ///
    /// # Errors
    /// Of the file system.
    pub fn sealed(file: &dyn File, first: u64, key: Key) -> io::Result<Option<Self>> {
        let len = file.len()?;
        if len < (HEADER + HEAD) as u64 {
            return Ok(None);
        }
        let mut bytes = [0; HEAD];
        file.read_at(len - HEAD as u64, &mut bytes)?;
        let Ok(head) = Head::decode(&bytes, key) else {
            return Ok(None);
        };
        if head.kind != Kind::Seal || head.first != first {
            return Ok(None);
        }
        let mut accepted = [0; 8];
        accepted.copy_from_slice(&head.seed[8..16]);
        Ok(Some(Self {
            first,
            end: head.end(),
            len,
            accepted: u64::from_le_bytes(accepted),
            times: (head.from, head.to),
            is_sealed: true,
        }))
    }
}

/// What a scan comes to next.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// A frame with a good head. Its content is checked when it is read.
    Frame {
        /// Where it begins.
        at: u64,
        /// Its head.
        head: Head,
    },
    /// Bytes that are no frame.
    Damaged {
        /// Where.
        bytes: Range<u64>,
        /// Why.
        why: Damage,
    },
}

/// Reads this much at a time.
const WINDOW: usize = 1 << 20;

/// Goes through the frames of one segment.
#[derive(Debug)]
pub(crate) struct Scan {
    file: Arc<dyn File>,
    key: Key,
    at: u64,
    limit: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl Scan {
    /// Opens the segment that begins with `first` and stands behind its header. `limit` is where to stop, at most the
    /// file's end.
    ///
    /// # Errors
    /// Of the file system; [`io::ErrorKind::InvalidData`] when the header is damaged or belongs elsewhere.
    pub(crate) fn open(
        disk: &dyn Disk,
        first: u64,
        ledger: &[u8; 16],
        limit: u64,
    ) -> io::Result<Self> {
        let file: Arc<dyn File> = Arc::from(disk.open(&path(first))?);
        let limit = limit.min(file.len()?);
        let mut scan = Self {
            file,
            key: Key::of(ledger),
            at: HEADER as u64,
            limit,
            window: Vec::new(),
            window_at: 0,
        };
        let header = Header::decode(scan.bytes(0, HEADER)?)?;
        if header.ledger != *ledger {
            return Err(Damage("the segment belongs to another ledger").into());
        }
        if header.first != first {
            return Err(Damage("the segment's header and its file name disagree").into());
        }
        Ok(scan)
    }

    /// Goes on behind its header although that is damaged.
    ///
    /// # Errors
    /// Of the file system.
    pub(crate) fn open_damaged(
        disk: &dyn Disk,
        first: u64,
        ledger: &[u8; 16],
        limit: u64,
    ) -> io::Result<Self> {
        let file: Arc<dyn File> = Arc::from(disk.open(&path(first))?);
        let limit = limit.min(file.len()?);
        Ok(Self {
            file,
            key: Key::of(ledger),
            at: 0,
            limit,
            window: Vec::new(),
            window_at: 0,
        })
    }

    /// Where it stands.
    #[must_use]
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// Goes on at this byte, if it stands before it.
    pub(crate) fn pass(&mut self, at: u64) {
        self.at = self.at.max(at.min(self.limit));
    }

    /// Goes on to where the file is durable by now.
    pub(crate) fn extend(&mut self, limit: u64) {
        self.limit = self.limit.max(limit);
    }

    /// The next frame's head or the next damage; `None` at the end. Stays before the frame: [`Scan::read`] or
    /// [`Scan::skip`] moves on.
    ///
    /// # Errors
    /// Of the file system.
    pub(crate) fn next(&mut self) -> io::Result<Option<Found>> {
        if self.at >= self.limit {
            return Ok(None);
        }
        match self.head(self.at)? {
            Ok(head) => Ok(Some(Found::Frame { at: self.at, head })),
            Err(why) => {
                let start = self.at;
                self.at = self.next_whole(start + 1)?;
                Ok(Some(Found::Damaged {
                    bytes: start..self.at,
                    why,
                }))
            }
        }
    }

    /// Moves behind the frame.
    pub(crate) fn skip(&mut self, head: &Head) {
        self.at += (HEAD + head.body_len()) as u64;
    }

    /// Reads the frame and moves behind it.
    ///
    /// # Errors
    /// Of the file system. Inside: content that does not match its checksum.
    pub(crate) fn read(&mut self, head: &Head) -> io::Result<Result<Frame, Damage>> {
        let body = self.at + HEAD as u64;
        let bytes = Bytes::copy_from_slice(self.bytes(body, head.body_len())?);
        self.skip(head);
        Ok(Frame::read(*head, bytes))
    }

    /// Moves behind the frame as [`Scan::read`] does, without a copy of it.
    ///
    /// # Errors
    /// Of the file system. Inside: content that does not match its checksum.
    pub(crate) fn check(&mut self, head: &Head) -> io::Result<Result<(), Damage>> {
        let crc = crc32c::crc32c(self.bytes(self.at + HEAD as u64, head.body_len())?);
        self.skip(head);
        Ok(if crc == head.payload_crc {
            Ok(())
        } else {
            Err(Damage("a frame's content does not match its checksum"))
        })
    }

    /// The pipeline's name in the frame it stands before. Unchecked: whoever acts on it reads or checks the frame.
    ///
    /// # Errors
    /// Of the file system.
    pub(crate) fn name(&mut self, head: &Head) -> io::Result<&[u8]> {
        let body = self.at + HEAD as u64;
        self.bytes(body, usize::from(head.name_len))
    }

    /// The head at `at`, if a whole frame can begin there.
    fn head(&mut self, at: u64) -> io::Result<Result<Head, Damage>> {
        let left = self.limit - at;
        if left < HEAD as u64 {
            return Ok(Err(Damage("the file ends within a frame's head")));
        }
        let key = self.key;
        let head = match Head::decode(self.bytes(at, HEAD)?, key) {
            Ok(head) => head,
            Err(damage) => return Ok(Err(damage)),
        };
        if left < (HEAD + head.body_len()) as u64 {
            return Ok(Err(Damage("the file ends within a frame")));
        }
        Ok(Ok(head))
    }

    /// Where the next good head begins, from `at` on; the end if there is none.
    fn next_whole(&mut self, mut at: u64) -> io::Result<u64> {
        while at + (HEAD as u64) <= self.limit {
            let take = WINDOW.min((self.limit - at) as usize);
            let window = self.bytes(at, take)?;
            let Some(found) = window.windows(MARK.len()).position(|w| w == MARK) else {
                at += (take - MARK.len() + 1) as u64;
                continue;
            };
            at += found as u64;
            if at + (HEAD as u64) <= self.limit && self.head(at)?.is_ok() {
                return Ok(at);
            }
            at += 1;
        }
        Ok(self.limit)
    }

    /// These bytes of the file.
    fn bytes(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        let end = at + len as u64;
        let has = self.window_at..self.window_at + self.window.len() as u64;
        if at < has.start || end > has.end {
            let want = len.max(WINDOW.min(self.limit.saturating_sub(at) as usize));
            self.window.resize(want, 0);
            let read = self.file.read_at(at, &mut self.window)?;
            self.window.truncate(read);
            self.window_at = at;
            if read < len {
                return Err(Damage("the file ends too early").into());
            }
        }
        let from = (at - self.window_at) as usize;
        Ok(&self.window[from..from + len])
    }
}
