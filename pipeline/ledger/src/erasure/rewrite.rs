//! A segment file without some of its records, put in the place of the one with them.

use std::collections::BTreeSet;
use std::io;

use crate::disk::{Disk, File};
use crate::erasure;
use crate::format::{HEADER, Key, Kind};
use crate::segment::{self, DIRECTORY, Found, Scan, Segment};

/// Copied at a time.
const WINDOW: usize = 1 << 20;

/// Writes the segment anew without these records and puts it in the old one's place, all or nothing: written under
/// another name, synced, renamed, the directory synced. What is damaged is taken over as it is.
///
/// # Errors
/// Of the file system; [`io::ErrorKind::InvalidData`] when a record's frame cannot be read or would not keep its
/// commitments. Nothing is changed then.
pub(super) fn segment(
    disk: &dyn Disk,
    id: &[u8; 16],
    segment: &Segment,
    sequences: &BTreeSet<u64>,
) -> io::Result<()> {
    let key = Key::of(id);
    let path = segment::path(segment.first);
    let temporary = format!("{path}.tmp");
    match disk.remove(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let old = disk.open(&path)?;
    let len = old.len()?;
    let new = disk.create(&temporary)?;
    let mut scan = Scan::open(disk, segment.first, id, len)?;
    copy(&*old, &*new, 0, HEADER as u64)?;
    // For the seal: what the records that are left say.
    let mut sum = Segment {
        accepted: segment.accepted,
        ..Segment::new(segment.first, segment.accepted)
    };
    while let Some(found) = scan.next()? {
        match found {
            Found::Damaged { bytes, .. } => copy(&*old, &*new, bytes.start, bytes.end)?,
            Found::Frame { head, .. } if head.kind == Kind::Seal => {
                sum.end = head.end();
                new.append(&sum.seal(head.accepted).encode(key))?;
                scan.skip(&head);
            }
            Found::Frame { at, head } => {
                let is_concerned = sequences.range(head.first..head.end()).next().is_some();
                if is_concerned {
                    let frame = scan.read(&head)??;
                    let (head, bytes) = erasure::without(&frame, |s| sequences.contains(&s), key)?;
                    sum.add(head.end(), 0, head.accepted, (head.from, head.to));
                    new.append(&bytes)?;
                } else {
                    scan.skip(&head);
                    sum.add(head.end(), 0, head.accepted, (head.from, head.to));
                    copy(&*old, &*new, at, scan.at())?;
                }
            }
        }
    }
    new.sync()?;
    drop((old, new));
    disk.rename(&temporary, &path)?;
    disk.sync_directory(DIRECTORY)
}

fn copy(from: &dyn File, to: &dyn File, start: u64, end: u64) -> io::Result<()> {
    let mut at = start;
    let mut window = vec![0; WINDOW.min((end - start) as usize)];
    while at < end {
        let want = window.len().min((end - at) as usize);
        if from.read_at(at, &mut window[..want])? < want {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.append(&window[..want])?;
        at += want as u64;
    }
    Ok(())
}
