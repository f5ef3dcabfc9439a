//! From segment to segment through everything that is durable, past what is damaged.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use sluice_batch::Batch;

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
    /// Records that were asked for.
    Records { first: u64, batch: Batch },
    /// A frame as it is stored, where those were asked for.
    Frame(Frame),
    /// Records of other pipelines, and records that were erased: nobody gets them, and nothing is amiss.
    Other(Range<u64>),
    /// Records that are damaged, or were deleted.
    Lost(Range<u64>),
}

/// A place in the log.
#[derive(Debug)]
pub(crate) struct Walk {
    log: Arc<dyn Segments>,
    /// The next sequence number.
    position: u64,
    /// The segment it stands in.
    segment: Option<(u64, Scan)>,
    /// What was found in the same frame, or behind records that are gone.
    ahead: VecDeque<Step>,
}

impl Walk {
    /// Begins with record `position`, or the first one after it that there is.
    pub(crate) fn from(log: Arc<dyn Segments>, position: u64) -> Self {
        Self {
            log,
            position,
            segment: None,
            ahead: VecDeque::new(),
        }
    }

    /// The next step; `None` at the end of what is durable. `wants` decides by the pipeline's name.
    pub(crate) fn next(&mut self, wants: impl Fn(&[u8]) -> bool) -> io::Result<Option<Step>> {
        self.step(wants, |frame| {
            let (mut at, end) = (frame.head.first, frame.head.end());
            let mut steps = Vec::with_capacity(1);
            for (first, batch) in frame.into_runs()? {
                steps.extend((at < first).then_some(Step::Other(at..first)));
                at = first + batch.len() as u64;
                steps.push(Step::Records { first, batch });
            }
            steps.extend((at < end).then_some(Step::Other(at..end)));
            Ok(steps)
        })
    }

    /// The next frame of any pipeline as it is stored, or what is lost before it.
    pub(crate) fn next_frame(&mut self) -> io::Result<Option<Step>> {
        self.step(|_| true, |frame| Ok(vec![Step::Frame(frame)]))
    }

    fn step(
        &mut self,
        wants: impl Fn(&[u8]) -> bool,
        read: impl Fn(Frame) -> Result<Vec<Step>, Damage>,
    ) -> io::Result<Option<Step>> {
        if let Some(step) = self.ahead.pop_front() {
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
                    self.ahead
                        .extend((!gone.is_empty()).then(|| Step::Lost(gone.clone())));
                    let found = if wants(scan.name(&head)?) {
                        scan.read(&head)?.and_then(&read)
                    } else {
                        // A name that rotted is no other pipeline's.
                        scan.check(&head)?
                            .map(|()| vec![Step::Other(head.first..end)])
                    };
                    match found {
                        Ok(steps) => self.ahead.extend(steps),
                        Err(why) => {
                            let len = (crate::format::HEAD + head.body_len()) as u64;
                            self.log.damaged(here.first, at..at + len, why);
                            self.ahead
                                .push_back(Step::Lost(head.first.max(gone.end)..end));
                        }
                    }
                    self.position = end;
                    if let Some(step) = self.ahead.pop_front() {
                        return Ok(Some(step));
                    }
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
