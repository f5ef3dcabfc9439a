//! The walk through the records that are meant, past the segments and frames that cannot hold any.

use std::ops::Range;
use std::path::Path;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use sluice_batch::Batch;
use sluice_ledger::{Entry, Frame, Lock, Segment, View};

use super::Selection;

/// The pipeline of records that the ledger itself writes.
const OWN: &str = "ledger";

/// What a walk came across.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Records that were looked at.
    pub(crate) scanned: u64,
    /// Those that were meant.
    pub(crate) taken: u64,
    /// Sequence numbers that cannot be read, ascending. Whether they are meant, nobody can tell any more.
    pub(crate) lost: Vec<Range<u64>>,
    /// Segments that cannot be read and of which it is not known what they held, and why.
    pub(crate) unreadable: Vec<String>,
}

impl Seen {
    fn lose(&mut self, range: Range<u64>) {
        match self.lost.last_mut() {
            Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
            _ if range.is_empty() => {}
            _ => self.lost.push(range),
        }
    }

    /// Whether everything could be read.
    pub(crate) fn is_complete(&self) -> bool {
        self.lost.is_empty() && self.unreadable.is_empty()
    }

    /// Adds what is missing behind the last segment that can be read.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(crate) fn look_behind(&mut self, directory: &Path, view: &View) -> anyhow::Result<()> {
        for damage in &view.report().damages {
            let is_read = || {
                let mut segments = view.segments().iter();
                segments.any(|s| damage.file.ends_with(&format!("/{:020}.seg", s.first)))
            };
            if damage.sequences.is_none() && damage.bytes.is_none() && !is_read() {
                self.unreadable
                    .push(format!("{}: {}", damage.file, damage.what));
            }
        }
        let mut lost = view.lost_end()?;
        if !lost.is_empty() && Lock::is_held(directory) {
            // The running instance has gone on since the view was opened. What its cursors had passed then is in the
            // segments now, or it is lost.
            let passed = lost.end;
            lost = View::open(directory)?.sequences().end..passed;
        }
        self.lose(lost);
        Ok(())
    }
}

/// Shows each frame with records that are meant: the frame, a batch of just these, and their sequence numbers.
///
/// # Errors
/// The ledger cannot be read, or `see` fails.
pub(crate) fn walk(
    view: &View,
    selection: &Selection,
    pipeline: Option<&str>,
    mut see: impl FnMut(&Frame, &Batch, &[u64]) -> anyhow::Result<()>,
) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    let is_meant = |s: &&Segment| s.first < s.end && selection.may_be_in(s);
    let meant = view.segments().iter().filter(is_meant);
    let bar = progress(meant.map(|s| s.end - s.first).sum());
    let mut behind = view.sequences().start;
    for segment in view.segments() {
        seen.lose(behind..segment.first.max(behind));
        behind = behind.max(segment.end);
        if !is_meant(&segment) {
            continue;
        }
        for entry in view.entries(segment.first) {
            let (end, frame) = match entry.context("the ledger cannot be read")? {
                Entry::Lost(range) => {
                    let end = range.end;
                    seen.lose(range);
                    (end, None)
                }
                Entry::Frame(frame) => (frame.head.end(), Some(frame)),
            };
            if let Some(frame) = frame {
                bar.inc(u64::from(frame.head.count));
                let is_of_it = match pipeline {
                    Some(pipeline) => frame.pipeline == pipeline,
                    None => frame.pipeline != OWN,
                };
                if is_of_it && selection.may_be_in_frame(&frame) {
                    show(&frame, selection, &mut seen, &mut see)?;
                }
            }
            if end >= segment.end {
                break;
            }
        }
    }
    bar.finish_and_clear();
    Ok(seen)
}

/// Shows the records of a frame that are meant.
fn show(
    frame: &Frame,
    selection: &Selection,
    seen: &mut Seen,
    see: &mut impl FnMut(&Frame, &Batch, &[u64]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    // Of a frame with erased records only the others have a place in the batch.
    let (Ok(mut batch), Ok(numbers)) = (frame.batch(), frame.sequences()) else {
        seen.lose(frame.head.first..frame.head.end());
        return Ok(());
    };
    seen.scanned += batch.len() as u64;
    let mut sequences = Vec::new();
    let mut numbers = numbers.into_iter().flatten();
    batch.retain(|record| {
        let takes = selection.takes(record, frame.head.accepted);
        let sequence = numbers.next().filter(|_| takes);
        sequences.extend(sequence);
        takes
    });
    if sequences.is_empty() {
        return Ok(());
    }
    seen.taken += sequences.len() as u64;
    see(frame, &batch, &sequences)
}

/// A bar over so many records; nothing unless somebody watches.
fn progress(records: u64) -> ProgressBar {
    let bar = ProgressBar::new(records);
    if let Ok(style) =
        ProgressStyle::with_template("{bar:40} {percent:>3} % of {human_len} records, {eta} left")
    {
        bar.set_style(style);
    }
    bar
}
