//! The signed checkpoints: the newest in a file of its own, and all of them, a line each.

use std::io;

use serde::{Deserialize, Serialize};
use sluice_evidence::{Checkpoint, Note, VerifyingKey};

use crate::disk::{self, Disk, File};
use crate::quarantine;

pub(crate) const CHECKPOINT: &str = "checkpoint";
pub(crate) const CHECKPOINTS: &str = "checkpoints.log";
/// No line is longer: a note has a hundred signatures at most.
const MAX_LINE: usize = 1 << 20;
const WINDOW: usize = 1 << 16;

/// A line of `checkpoints.log`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// When, unix nanoseconds: the node's claim.
    pub time: u64,
    /// Sequence number of the epoch's first record: the record of leaf 0.
    pub first: u64,
    /// The signed note.
    pub note: String,
}

impl Signed {
    /// What it says, once its signature is found to be that of one of `keys`.
    ///
    /// # Errors
    /// Why it does not count, in words.
    pub fn verify(&self, keys: &[VerifyingKey]) -> Result<Checkpoint, String> {
        Checkpoint::open(self.note.as_bytes(), keys).map_err(|error| error.to_string())
    }

    /// What it says, whoever signed it.
    ///
    /// # Errors
    /// Text that is no checkpoint.
    pub fn read(&self) -> Result<Checkpoint, String> {
        let note = Note::parse(self.note.as_bytes()).map_err(|e| e.to_string())?;
        Checkpoint::parse(note.text()).map_err(|e| e.to_string())
    }

    /// Which of two was made later: by the number of the epoch, then by the size. `None` for what is no checkpoint.
    fn rank(&self) -> Option<(u64, u64)> {
        let checkpoint = self.read().ok()?;
        let number = checkpoint.origin().rsplit_once('/');
        let number = number.and_then(|(_, number)| number.parse().ok());
        Some((number.unwrap_or(0), checkpoint.size()))
    }

    /// The sequence number behind the last record that it covers; `None` for what is no checkpoint.
    pub(crate) fn end(&self) -> Option<u64> {
        self.first.checked_add(self.read().ok()?.size())
    }
}

/// Goes through `checkpoints.log` in constant memory.
#[derive(Debug)]
pub(crate) struct Lines {
    file: Option<Box<dyn File>>,
    /// Where the next line begins.
    at: u64,
    limit: u64,
    number: u64,
    window: Vec<u8>,
    window_at: u64,
}

/// A line that ends in a newline.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// From 1.
    pub(crate) number: u64,
    /// Where it begins in the file.
    pub(crate) at: u64,
    /// What it says; `None` when it is damaged.
    pub(crate) signed: Option<Signed>,
}

impl Lines {
    /// The lines that are there now; none without the file.
    ///
    /// # Errors
    /// Of the file system.
    pub(crate) fn open(disk: &dyn Disk) -> io::Result<Self> {
        let file = match disk.open(CHECKPOINTS) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            file => Some(file?),
        };
        let limit = file.as_ref().map_or(Ok(0), |f| f.len())?;
        Ok(Self {
            file,
            at: 0,
            limit,
            number: 0,
            window: Vec::new(),
            window_at: 0,
        })
    }

    /// Goes back to the first line, and no further than it could have gone before.
    pub(crate) fn rewind(&mut self) {
        (self.at, self.number) = (0, 0);
    }

    /// The next line. What follows the last newline was cut off by a crash before it counted.
    ///
    /// # Errors
    /// Of the file system.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        let Some(len) = self.line_len()? else {
            return Ok(None);
        };
        let at = self.at;
        self.at += len;
        self.number += 1;
        let start = (at - self.window_at) as usize;
        let line = self.window.get(start..start + len as usize);
        Ok(Some(Line {
            number: self.number,
            at,
            signed: line.and_then(|line| serde_json::from_slice(line).ok()),
        }))
    }

    /// Bytes of the next line with its newline. It is in the window then, unless it is longer than any may be.
    fn line_len(&mut self) -> io::Result<Option<u64>> {
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let mut searched = 0;
        loop {
            let has = (self.window_at + self.window.len() as u64).saturating_sub(self.at);
            let from = self.at.saturating_sub(self.window_at) as usize;
            let is_within = self.at >= self.window_at && has > 0;
            if is_within {
                let rest = &self.window[from..];
                if let Some(end) = rest.iter().skip(searched).position(|b| *b == b'\n') {
                    return Ok(Some((searched + end + 1) as u64));
                }
                searched = rest.len();
            }
            if searched > MAX_LINE {
                return self.skip_long();
            }
            let want = (searched + WINDOW).min((self.limit.saturating_sub(self.at)) as usize);
            if want <= searched {
                return Ok(None);
            }
            self.window.resize(want, 0);
            let read = file.read_at(self.at, &mut self.window)?;
            self.window.truncate(read);
            self.window_at = self.at;
            if read <= searched {
                return Ok(None);
            }
        }
    }

    /// A line that is too long to be one: only its end is looked for.
    fn skip_long(&mut self) -> io::Result<Option<u64>> {
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let mut at = self.at;
        self.window.resize(WINDOW, 0);
        loop {
            let want = WINDOW.min(self.limit.saturating_sub(at) as usize);
            let read = file.read_at(at, &mut self.window[..want])?;
            if read == 0 {
                return Ok(None);
            }
            if let Some(end) = self.window[..read].iter().position(|b| *b == b'\n') {
                self.window.clear();
                self.window_at = self.at;
                return Ok(Some(at + end as u64 + 1 - self.at));
            }
            at += read as u64;
        }
    }
}

/// All signed checkpoints of a directory, in the order in which they were made. The last line may be torn.
///
/// # Errors
/// Of the file system; [`io::ErrorKind::InvalidData`] names the first line that is none.
pub(crate) fn checkpoints(disk: &dyn Disk) -> io::Result<Vec<Signed>> {
    let mut lines = Lines::open(disk)?;
    let mut signed = Vec::new();
    while let Some(line) = lines.next()? {
        signed.push(line.signed.ok_or_else(|| {
            let why = format!("line {} of {CHECKPOINTS} is damaged", line.number);
            io::Error::new(io::ErrorKind::InvalidData, why)
        })?);
    }
    Ok(signed)
}

/// The file with the newest checkpoint.
///
/// # Errors
/// Of the file system; [`io::ErrorKind::InvalidData`] when it is damaged.
pub(crate) fn current(disk: &dyn Disk) -> io::Result<Option<Signed>> {
    match disk::read(disk, CHECKPOINT, MAX_LINE as u64) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The newest checkpoint that can be read, whoever signed it: of the file and of the end of the list the later one,
/// because a crash may come between the two.
pub(crate) fn newest(disk: &dyn Disk) -> Option<Signed> {
    let current = current(disk).ok().flatten();
    let last = last_line(disk).ok().flatten();
    current
        .into_iter()
        .chain(last)
        .filter_map(|signed| Some((signed.rank()?, signed)))
        .max_by_key(|(rank, _)| *rank)
        .map(|(_, signed)| signed)
}

/// Whether anything was ever signed, readable or not.
///
/// # Errors
/// Of the file system.
pub(crate) fn is_signed(disk: &dyn Disk) -> io::Result<bool> {
    match disk.open(CHECKPOINT) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(Lines::open(disk)?.next()?.is_some())
        }
        Err(error) => Err(error),
    }
}

/// Where the newest checkpoint ends, whoever signed it.
pub(crate) fn signed_end(disk: &dyn Disk) -> u64 {
    newest(disk).and_then(|signed| signed.end()).unwrap_or(0)
}

/// The last whole line that is a checkpoint, among the last ones.
fn last_line(disk: &dyn Disk) -> io::Result<Option<Signed>> {
    let mut lines = last_lines(disk)?;
    let mut last = None;
    while let Some(line) = lines.next()? {
        last = line.signed.or(last);
    }
    Ok(last)
}

/// Cuts off a last line that is damaged, and keeps a copy: a power cut may leave a line's end without its middle. No
/// checkpoint counts before its line is whole.
///
/// # Errors
/// Of the file system.
pub(crate) fn cut_torn_line(disk: &dyn Disk) -> io::Result<()> {
    let mut lines = last_lines(disk)?;
    let mut torn = None;
    while let Some(line) = lines.next()? {
        torn = line.signed.is_none().then_some(line.at);
    }
    if let (Some(at), Some(file)) = (torn, &lines.file) {
        quarantine::bytes(disk, CHECKPOINTS, &**file, at..file.len()?)?;
        file.truncate(at)?;
        file.sync()?;
    }
    Ok(())
}

/// The last lines, so many as the longest one could be.
fn last_lines(disk: &dyn Disk) -> io::Result<Lines> {
    let mut lines = Lines::open(disk)?;
    let back = lines.limit.saturating_sub(MAX_LINE as u64);
    if back > 0 {
        // Into the middle of a line, of which nothing is believed.
        lines.at = back;
        lines.next()?;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SimulatedDisk;

    fn line(size: usize) -> String {
        let signed = Signed {
            time: size as u64,
            first: 0,
            note: "x".repeat(size),
        };
        format!("{}\n", serde_json::to_string(&signed).unwrap())
    }

    #[test]
    fn lines_of_any_length_come_one_by_one_and_a_torn_end_does_not() {
        let disk = SimulatedDisk::new(1);
        let sizes = [1, WINDOW - 40, WINDOW, 3 * WINDOW, 0, 200];
        let mut text: String = sizes.iter().map(|s| line(*s)).collect();
        text.insert_str(line(1).len(), "{\n");
        text.push_str("{\"time\":");
        disk.put(CHECKPOINTS, text.as_bytes()).unwrap();
        let mut lines = Lines::open(&disk).unwrap();
        for _ in 0..2 {
            let mut seen = Vec::new();
            let mut at = 0;
            while let Some(line) = lines.next().unwrap() {
                seen.push(line.signed.map(|s| s.note.len()));
                assert_eq!(line.number, seen.len() as u64);
                assert!(line.at == at, "line {}", line.number);
                at = lines.at;
            }
            let mut expected: Vec<_> = sizes.iter().map(|s| Some(*s)).collect();
            expected.insert(1, None);
            assert_eq!(seen, expected);
            lines.rewind();
        }
    }

    #[test]
    fn a_line_longer_than_any_checkpoint_is_damage_and_the_next_one_is_found() {
        let disk = SimulatedDisk::new(1);
        let text = format!("{}\n{}", "y".repeat(3 * MAX_LINE), line(5));
        disk.put(CHECKPOINTS, text.as_bytes()).unwrap();
        let mut lines = Lines::open(&disk).unwrap();
        assert!(lines.next().unwrap().unwrap().signed.is_none());
        let next = lines.next().unwrap().unwrap();
        assert_eq!(next.signed.unwrap().note.len(), 5);
        assert!(lines.next().unwrap().is_none());
    }
}
