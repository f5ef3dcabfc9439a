//! Through the segments frame by frame: what of the records is there, where it stands, and what is not.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::finding::{Fault, Finding, Findings, records};
use crate::disk::Disk;
use crate::format::{Damage, HEAD, HEADER, Head, Kind};
use crate::frame::Frame;
use crate::segment::{self, Found, Scan, Segment};

/// What comes next.
#[derive(Debug)]
pub(super) enum Piece {
    /// A whole frame. `from` is the first of its records that is meant.
    Frame {
        frame: Frame,
        from: u64,
        file: String,
        at: u64,
    },
    /// Records that cannot be had, and why if it is known.
    Missing {
        sequences: Range<u64>,
        why: Option<Reason>,
    },
    /// The records before this one went by their retention while the ledger was read.
    Pruned(u64),
}

/// Why records cannot be had.
#[derive(Clone, Debug)]
pub(super) struct Reason {
    pub(super) file: String,
    pub(super) bytes: Range<u64>,
    pub(super) what: String,
}

/// Goes through the segments from one record to another.
#[derive(Debug)]
pub(super) struct Pieces {
    disk: Arc<dyn Disk>,
    id: [u8; 16],
    segments: std::vec::IntoIter<Segment>,
    open: Option<(Segment, Scan)>,
    /// Where reading began.
    start: u64,
    /// The next sequence number.
    next: u64,
    end: u64,
    damage: Option<Reason>,
    /// Ends of segments that cannot be read, each with the segment's first sequence number.
    torn: Vec<(u64, Reason)>,
    /// Segments of whose header was told already.
    told: BTreeSet<String>,
    /// First sequence number of the segment that gave the last frame.
    last: u64,
    ahead: Option<Piece>,
    /// Bytes behind it.
    pub(super) bytes: u64,
    pub(super) opened: u64,
}

impl Pieces {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        id: [u8; 16],
        segments: Vec<Segment>,
        range: Range<u64>,
        torn: Vec<(u64, Reason)>,
        told: BTreeSet<String>,
    ) -> Self {
        let meant: Vec<Segment> = segments
            .into_iter()
            .filter(|s| s.end > s.first.max(range.start) && s.first < range.end)
            .collect();
        Self {
            disk,
            id,
            segments: meant.into_iter(),
            open: None,
            start: range.start,
            next: range.start,
            end: range.end,
            damage: None,
            torn,
            told,
            last: 0,
            ahead: None,
            bytes: 0,
            opened: 0,
        }
    }

    /// The next piece; none at the end. What concerns no record is told to `findings`.
    pub(super) fn next(&mut self, findings: &mut Findings) -> io::Result<Option<Piece>> {
        if let Some(piece) = self.ahead.take() {
            return Ok(Some(piece));
        }
        while self.next < self.end {
            let Some((segment, mut scan)) = self.open.take() else {
                match self.open_next(findings)? {
                    None => return Ok(self.rest()),
                    Some(Some(pruned)) => return Ok(Some(pruned)),
                    Some(None) => continue,
                }
            };
            let file = segment::path(segment.first);
            let found = scan.next()?;
            match found {
                None => self.closed(&segment),
                Some(Found::Damaged { bytes, why }) => {
                    self.damaged(&file, bytes, why);
                    self.open = Some((segment, scan));
                }
                Some(Found::Frame { at, head }) if head.kind == Kind::Seal => {
                    scan.skip(&head);
                    if head.end() == self.next {
                        self.unneeded(findings);
                    } else if self.damage.is_none() && at + HEAD as u64 == segment.len {
                        self.damage = Some(Reason {
                            file,
                            bytes: at..at + HEAD as u64,
                            what: format!(
                                "the segment was sealed with {} records",
                                head.end().saturating_sub(head.first)
                            ),
                        });
                    }
                    self.open = Some((segment, scan));
                }
                // Before the first record that is meant.
                Some(Found::Frame { head, .. }) if head.end() <= self.start => {
                    scan.skip(&head);
                    self.open = Some((segment, scan));
                }
                Some(Found::Frame { at, head }) => {
                    let read = scan.read(&head)?;
                    let bytes = at..scan.at();
                    self.bytes += bytes.end - bytes.start;
                    let first = segment.first;
                    self.open = Some((segment, scan));
                    let is_behind = head.first < self.next && !self.is_early(&head);
                    if is_behind {
                        let what = format!(
                            "{} stand here, where record {} should",
                            records(&(head.first..head.end().max(head.first + 1))),
                            self.next
                        );
                        findings.add(
                            Finding::broken(Fault::RecordsOutOfOrder, what)
                                .of(head.first..head.end())
                                .at(&file, at),
                        );
                        if head.end() <= self.next {
                            continue;
                        }
                    }
                    match read {
                        Err(why) => self.damaged(&file, bytes, why),
                        Ok(frame) => {
                            let piece = self.frame(frame, file, at, findings);
                            self.last = first;
                            return Ok(Some(piece));
                        }
                    }
                }
            }
        }
        Ok(None)
    }

    /// Whether a frame begins before the next record only because reading began behind its beginning.
    fn is_early(&self, head: &Head) -> bool {
        head.end() <= self.start || head.first < self.start && self.next == self.start
    }

    fn frame(&mut self, frame: Frame, file: String, at: u64, findings: &mut Findings) -> Piece {
        let gone = self.next..frame.head.first.min(self.end);
        let from = frame.head.first.max(self.next);
        self.next = frame.head.end();
        let piece = Piece::Frame {
            frame,
            from,
            file,
            at,
        };
        if gone.start >= gone.end {
            self.unneeded(findings);
            return piece;
        }
        self.ahead = (from < self.end).then_some(piece);
        Piece::Missing {
            why: self.why(&gone),
            sequences: gone,
        }
    }

    /// Why these records cannot be had, as far as it is known.
    fn why(&mut self, gone: &Range<u64>) -> Option<Reason> {
        let torn = self.torn.iter().rev();
        let mut near = torn.filter(|(first, _)| (self.last..gone.end).contains(first));
        let torn = near.next().map(|(_, reason)| reason.clone());
        self.damage
            .take()
            .filter(|d| torn.is_none() || !d.bytes.is_empty())
            .or(torn)
    }

    /// Opens the next segment. `None` behind the last; the inner one when segments have gone meanwhile.
    #[allow(clippy::option_option, reason = "opened, gone, or at the end")]
    fn open_next(&mut self, findings: &mut Findings) -> io::Result<Option<Option<Piece>>> {
        let Some(segment) = self.segments.next() else {
            return Ok(None);
        };
        self.opened += 1;
        let file = segment::path(segment.first);
        let scan = match Scan::open(&*self.disk, segment.first, &self.id, segment.len) {
            Ok(scan) => scan,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let oldest = oldest(&*self.disk)?;
                if oldest.is_some_and(|oldest| oldest >= segment.end) {
                    self.next = segment.end;
                    return Ok(Some(Some(Piece::Pruned(segment.end))));
                }
                self.damage = Some(Reason {
                    file,
                    bytes: 0..0,
                    what: "the file is gone".into(),
                });
                return Ok(Some(None));
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                if !self.told.contains(&file) {
                    let finding = Finding::broken(Fault::Segment, error.to_string());
                    findings.add(finding.at(&file, 0));
                }
                let mut scan =
                    Scan::open_damaged(&*self.disk, segment.first, &self.id, segment.len)?;
                scan.pass(HEADER as u64);
                scan
            }
            Err(error) => return Err(error),
        };
        self.bytes += HEADER as u64;
        self.open = Some((segment, scan));
        Ok(Some(None))
    }

    fn closed(&mut self, segment: &Segment) {
        // What it should hold and does not shows when the next record comes.
        if self.damage.is_none() && segment.end > self.next {
            self.damage = Some(Reason {
                file: segment::path(segment.first),
                bytes: segment.len..segment.len,
                what: "the segment ends before its last record".into(),
            });
        }
    }

    fn damaged(&mut self, file: &str, bytes: Range<u64>, why: Damage) {
        match &mut self.damage {
            Some(damage) if damage.file == file => damage.bytes.end = bytes.end,
            _ => {
                self.damage = Some(Reason {
                    file: file.to_owned(),
                    bytes,
                    what: why.to_string(),
                });
            }
        }
    }

    /// Damage behind which no record is missing.
    fn unneeded(&mut self, findings: &mut Findings) {
        if let Some(damage) = self.damage.take() {
            let what = format!("{}, and no record is missing", damage.what);
            findings
                .add(Finding::broken(Fault::Segment, what).at(&damage.file, damage.bytes.start));
        }
    }

    /// What should follow the last segment that is there.
    fn rest(&mut self) -> Option<Piece> {
        let sequences = self.next..self.end;
        self.next = self.end;
        (!sequences.is_empty()).then(|| Piece::Missing {
            why: self.why(&sequences),
            sequences,
        })
    }
}

/// Sequence number of the first segment that is there now.
fn oldest(disk: &dyn Disk) -> io::Result<Option<u64>> {
    let files = disk.list(segment::DIRECTORY)?;
    Ok(files
        .iter()
        .filter_map(|f| segment::first_of(&f.name))
        .min())
}
