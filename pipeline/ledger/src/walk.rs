//! From segment to segment through everything that is durable, past what is damaged.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::disk::Disk;
use crate::format::{Damage, Kind};
use crate::frame::Frame;
use crate::segment::{Found, Scan, Segment};

/// The segments that a walk goes through: those of a running ledger, or of one that is looked at from outside.
pub(crate) trait Segments: fmt::Debug + Send + Sync {
    fn disk(&self) -> &dyn Disk;
    /// The ledger's id.
    fn id(&self) -> [u8; 16];
    /// The segment that holds record `sequence`, or else the next one; and where the log ends now.
    fn locate(&self, sequence: u64) -> (Option<Segment>, u64);
    /// A part of the segment that begins with `first` is damaged.
    fn damaged(&self, first: u64, bytes: Range<u64>, why: Damage);
}

/// What comes next in the log.
#[derive(Debug)]
pub(crate) enum Step {
    /// A frame that was asked for, as it is stored: of its content no more is known than that it is what was written.
    Frame {
        frame: Frame,
        /// Where it stands: in the segment that begins with this record, these bytes.
        segment: u64,
        bytes: Range<u64>,
    },
    /// Records of other pipelines.
    Other(Range<u64>),
    /// Records that are damaged, or were deleted.
    Lost(Range<u64>),
}

impl Step {
    /// Behind its records.
    pub(crate) fn end(&self) -> u64 {
        match self {
            Self::Frame { frame, .. } => frame.head.end(),
            Self::Other(range) | Self::Lost(range) => range.end,
        }
    }
}

/// A place in the log.
#[derive(Debug)]
pub(crate) struct Walk {
    log: Arc<dyn Segments>,
    /// The next sequence number.
    position: u64,
    /// The segment it stands in.
    segment: Option<(u64, Scan)>,
    /// What was found behind records that are gone.
    found: Option<Step>,
}

impl Walk {
    /// Begins with record `position`, or the first one after it that there is.
    pub(crate) fn from(log: Arc<dyn Segments>, position: u64) -> Self {
        Self {
            log,
            position,
            segment: None,
            found: None,
        }
    }

    /// The next step; `None` at the end of what is durable. `wants` decides by the pipeline's name.
    pub(crate) fn next(&mut self, wants: impl Fn(&[u8]) -> bool) -> io::Result<Option<Step>> {
        if let Some(step) = self.found.take() {
            return Ok(Some(step));
        }
        loop {
            // The segment that holds the position now: it may have grown, been left behind by a failed write, or gone.
            let (here, end) = self.log.locate(self.position);
            let Some(here) = here else {
                let rest = self.position..end;
                self.position = end.max(self.position);
                return Ok((!rest.is_empty()).then_some(Step::Lost(rest)));
            };
            if self.position < here.first {
                let gone = self.position..here.first;
                self.position = here.first;
                return Ok(Some(Step::Lost(gone)));
            }
            if self
                .segment
                .as_ref()
                .is_none_or(|(first, _)| *first != here.first)
            {
                let scan = match Scan::open(self.log.disk(), here.first, &self.log.id(), here.len) {
                    Ok(scan) => scan,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        return Ok(Some(self.lose(here.end)));
                    }
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                        self.log.damaged(
                            here.first,
                            0..crate::format::HEADER as u64,
                            Damage("the segment's header is damaged"),
                        );
                        Scan::open_damaged(self.log.disk(), here.first, &self.log.id(), here.len)?
                    }
                    Err(error) => return Err(error),
                };
                self.segment = Some((here.first, scan));
            }
            let Some((_, scan)) = &mut self.segment else {
                continue;
            };
            scan.extend(here.len);
            match scan.next()? {
                // The segment says that it holds more than can be found in it.
                None => return Ok(Some(self.lose(here.end))),
                Some(Found::Damaged { bytes, why }) => self.log.damaged(here.first, bytes, why),
                Some(Found::Frame { head, .. })
                    if head.kind == Kind::Seal || head.end() <= self.position =>
                {
                    scan.skip(&head);
                }
                Some(Found::Frame { head, .. }) if head.first >= here.end => scan.skip(&head),
                Some(Found::Frame { at, head }) => {
                    let end = head.end();
                    let gone = self.position..head.first.max(self.position);
                    let bytes = at..at + (crate::format::HEAD + head.body_len()) as u64;
                    let found = if wants(scan.name(&head)?) {
                        scan.read(&head)?.map(|frame| Step::Frame {
                            frame,
                            segment: here.first,
                            bytes: bytes.clone(),
                        })
                    } else {
                        // A name that rotted is no other pipeline's.
                        scan.check(&head)?.map(|()| Step::Other(head.first..end))
                    };
                    let found = found.unwrap_or_else(|why| {
                        self.log.damaged(here.first, bytes, why);
                        Step::Lost(head.first.max(gone.end)..end)
                    });
                    self.position = end;
                    if gone.is_empty() {
                        return Ok(Some(found));
                    }
                    self.found = Some(found);
                    return Ok(Some(Step::Lost(gone)));
                }
            }
        }
    }

    fn lose(&mut self, end: u64) -> Step {
        let gone = self.position..end;
        self.position = end;
        Step::Lost(gone)
    }
}
