//! From whatever lies in the directory to a list of segments that can be read and a sequence number to go on with. It
//! always comes to an end: what is damaged is put aside and reported, never a reason not to start. Only what a newer
//! program has written is.

use std::io;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use tracing::{error, warn};

use crate::cursors::Cursors;
use crate::dead_letters::DeadLetters;
use crate::disk::{self, Disk};
use crate::format::{Damage, Header, Key, Kind};
use crate::quarantine;
use crate::segment::{self, Found, Scan, Segment};
use crate::tree;
use crate::versions;

pub(crate) const META: &str = "ledger.json";

/// `ledger.json`.
#[derive(Serialize, Deserialize)]
struct Meta {
    format: u32,
    id: String,
}

/// What was found and what was done about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Damage, in the order of the log.
    pub damages: Vec<DamageReport>,
}

/// One damaged place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DamageReport {
    /// The file.
    pub file: String,
    /// The bytes, if it is a part of the file.
    pub bytes: Option<Range<u64>>,
    /// The sequence numbers that cannot be read, if any are known to be missing.
    pub sequences: Option<Range<u64>>,
    /// What is wrong.
    pub what: String,
    /// Where a copy was put.
    pub quarantine: Option<String>,
}

impl DamageReport {
    /// Whether it is the end of a segment that was not written whole. As a rule a crash left it, and nobody was told OK
    /// for what it holds; it may also have been acknowledged and have rotted since.
    #[must_use]
    pub fn is_torn_end(&self) -> bool {
        self.bytes.is_some()
            && self.sequences.is_none()
            && self.file.starts_with(segment::DIRECTORY)
    }
}

/// What recovery hands over.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) id: [u8; 16],
    pub(crate) segments: Vec<Segment>,
    /// The number of the next record, as far as the segments tell.
    pub(crate) next: u64,
    pub(crate) report: Report,
}

/// Reads the directory and mends what can be mended.
///
/// # Errors
/// When the directory itself cannot be read or written at all, or a newer program has written it.
pub(crate) fn recover(disk: &dyn Disk) -> io::Result<Recovered> {
    versions::check(disk)?;
    disk::make_directory(disk, segment::DIRECTORY)?;
    let listed = disk.list(segment::DIRECTORY)?;
    // What an erasure left that did not come to its end: the segment itself is whole.
    for file in listed.iter().filter(|f| f.name.ends_with(".tmp")) {
        disk.remove(&format!("{}/{}", segment::DIRECTORY, file.name))?;
    }
    let mut files: Vec<(u64, u64)> = listed
        .iter()
        .filter_map(|e| Some((segment::first_of(&e.name)?, e.len)))
        .collect();
    files.sort_unstable();
    let firsts: Vec<u64> = files.iter().map(|(first, _)| *first).collect();
    let mut report = Report::default();
    let id = identity(disk, &firsts, &mut report)?;
    let mut segments: Vec<Segment> = Vec::new();
    let mut end = 0;
    for (i, &first) in firsts.iter().enumerate() {
        let next = firsts.get(i + 1).copied();
        let inspected = inspect(disk, first, next, &id, true, &mut report);
        let segment = match inspected {
            Ok(segment) => segment,
            Err(error) => {
                // Only the last one tells where the log ends, and without that numbers would be given away twice.
                let Some(next) = next else { return Err(error) };
                error!(file = segment::path(first), %error, "a segment of the ledger cannot be read now; exporters try again when they come to it");
                report.damages.push(DamageReport {
                    file: segment::path(first),
                    bytes: None,
                    sequences: Some(first..next),
                    what: error.to_string(),
                    quarantine: None,
                });
                unread(first..next, files[i].1)
            }
        };
        if let Some(before) = segments.last()
            && before.end < segment.first
        {
            missing(before.end..segment.first, &mut report);
        }
        if segment.first == segment.end {
            if is_ours(disk, first, &id) {
                end = first;
            }
            put_away(disk, first);
            continue;
        }
        end = segment.end;
        segments.push(segment);
    }
    // What was not read is no older than what follows it, so that retention spares it as long.
    for i in (1..segments.len()).rev() {
        if segments[i - 1].accepted == 0 {
            segments[i - 1].accepted = segments[i].accepted;
        }
    }
    Ok(Recovered {
        id,
        segments,
        next: end,
        report,
    })
}

/// The number of the next record. Never a number twice: what a cursor, a checkpoint or a dead letter knows stays past, whatever
/// was lost.
pub(crate) fn next_sequence(
    disk: &dyn Disk,
    recovered: &Recovered,
    cursors: &Cursors,
    letters: &DeadLetters,
) -> u64 {
    let end = recovered.next.max(letters.end());
    let passed = cursors.all().values().map(|s| s.cursor.high()).max();
    end.max(passed.unwrap_or(0)).max(tree::signed_end(disk))
}

/// What lies in the directory, without changing anything.
///
/// # Errors
/// Of the file system, or a newer program has written it.
pub(crate) fn look(disk: &dyn Disk) -> io::Result<Recovered> {
    versions::check(disk)?;
    let mut firsts: Vec<u64> = disk
        .list(segment::DIRECTORY)?
        .iter()
        .filter_map(|e| segment::first_of(&e.name))
        .collect();
    firsts.sort_unstable();
    let mut report = Report::default();
    let id = read_identity(disk, &firsts)?.unwrap_or_default();
    if !firsts.is_empty() && stored_identity(disk) != Some(id) {
        report.damages.push(DamageReport {
            file: META.into(),
            bytes: None,
            sequences: None,
            what: "it is missing or damaged, or says another ledger than the segments do".into(),
            quarantine: None,
        });
    }
    let mut segments: Vec<Segment> = Vec::new();
    for (i, &first) in firsts.iter().enumerate() {
        match inspect(
            disk,
            first,
            firsts.get(i + 1).copied(),
            &id,
            false,
            &mut report,
        ) {
            Ok(segment) => {
                if let Some(before) = segments.last()
                    && before.end < segment.first
                {
                    missing(before.end..segment.first, &mut report);
                }
                segments.push(segment);
            }
            Err(error) => report.damages.push(DamageReport {
                file: segment::path(first),
                bytes: None,
                sequences: None,
                what: error.to_string(),
                quarantine: None,
            }),
        }
    }
    Ok(Recovered {
        id,
        next: segments.last().map_or(0, |s| s.end),
        segments,
        report,
    })
}

fn missing(sequences: Range<u64>, report: &mut Report) {
    report.damages.push(DamageReport {
        file: segment::path(sequences.start),
        bytes: None,
        sequences: Some(sequences),
        what: "these records are missing between two segments".into(),
        quarantine: None,
    });
}

/// A segment that the file system does not let us read: as far as its name and the next one's tell.
fn unread(sequences: Range<u64>, len: u64) -> Segment {
    Segment {
        end: sequences.end,
        len,
        ..Segment::new(sequences.start, 0)
    }
}

/// Whether the segment was made when the log had come to this number.
fn is_ours(disk: &dyn Disk, first: u64, id: &[u8; 16]) -> bool {
    disk::read_prefix(disk, &segment::path(first), crate::format::HEADER)
        .is_ok_and(|b| Header::decode(&b).is_ok_and(|h| h.ledger == *id && h.first == first))
}

/// Takes a segment without a record out of the way, for its name is needed again. What it still holds may have been
/// records once and found no room in quarantine as a copy, so then it goes there itself.
fn put_away(disk: &dyn Disk, first: u64) {
    let path = segment::path(first);
    let put = disk.open(&path).and_then(|f| f.len()).and_then(|len| {
        if len > crate::format::HEADER as u64 {
            return quarantine::file(disk, &path).map(|_| ());
        }
        disk.remove(&path)?;
        disk.sync_directory(segment::DIRECTORY)
    });
    if let Err(error) = put {
        warn!(file = path, %error, "an empty segment stays behind");
    }
}

/// The ledger's id as its file says, unless every segment that can be asked says another: those have a checksum.
fn read_identity(disk: &dyn Disk, firsts: &[u64]) -> io::Result<Option<[u8; 16]>> {
    let stored = stored_identity(disk);
    let mut said = None;
    for &first in firsts {
        let bytes = match disk::read_prefix(disk, &segment::path(first), crate::format::HEADER) {
            // Gone by its retention meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            // Another one says it too, or else the file does.
            Err(_) if stored.is_some() => continue,
            bytes => bytes?,
        };
        if let Ok(header) = Header::decode(&bytes) {
            if stored == Some(header.ledger) {
                return Ok(stored);
            }
            said.get_or_insert(header.ledger);
        }
    }
    Ok(said.or(stored))
}

fn stored_identity(disk: &dyn Disk) -> Option<[u8; 16]> {
    let bytes = disk::read(disk, META, 4096).ok()?;
    let meta: Meta = serde_json::from_slice(&bytes).ok()?;
    let id = uuid::Uuid::parse_str(&meta.id).ok()?;
    (meta.format == crate::format::VERSION).then(|| id.into_bytes())
}

/// The ledger's id; a new one for a new ledger.
fn identity(disk: &dyn Disk, firsts: &[u64], report: &mut Report) -> io::Result<[u8; 16]> {
    let stored = stored_identity(disk);
    let known = read_identity(disk, firsts)?;
    if let Some(id) = known
        && known == stored
    {
        return Ok(id);
    }
    let id = known.unwrap_or_else(|| uuid::Uuid::new_v4().into_bytes());
    if !firsts.is_empty() {
        report.damages.push(DamageReport {
            file: META.into(),
            bytes: None,
            sequences: None,
            what: "it was missing or damaged, and was made again from the segments".into(),
            quarantine: None,
        });
    }
    let meta = Meta {
        format: crate::format::VERSION,
        id: uuid::Uuid::from_bytes(id).hyphenated().to_string(),
    };
    let bytes = serde_json::to_vec(&meta).map_err(io::Error::other)?;
    disk::replace(disk, "", META, &bytes)?;
    Ok(id)
}

/// One segment: as its seal says, or as a scan of all its frames finds it. With `mend`, a torn tail is cut off and the
/// segment is sealed.
fn inspect(
    disk: &dyn Disk,
    first: u64,
    next: Option<u64>,
    id: &[u8; 16],
    mend: bool,
    report: &mut Report,
) -> io::Result<Segment> {
    let path = segment::path(first);
    let file = disk.open(&path)?;
    let len = file.len()?;
    if let Some(sealed) = Segment::sealed(&*file, first, Key::of(id))?
        && next.is_none_or(|next| sealed.end <= next)
    {
        return Ok(sealed);
    }
    let mut scan = match Scan::open(disk, first, id, len) {
        Ok(scan) => scan,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            if len > 0 {
                report.damages.push(DamageReport {
                    file: path.clone(),
                    bytes: None,
                    sequences: None,
                    what: error.to_string(),
                    quarantine: None,
                });
            }
            Scan::open_damaged(disk, first, id, len)?
        }
        Err(error) => return Err(error),
    };
    let limit = next.unwrap_or(u64::MAX);
    let mut segment = Segment::new(first, 0);
    segment.len = scan.at();
    // Damage that may be the torn tail, until a good frame follows.
    let mut pending: Option<(u64, Damage)> = None;
    while let Some(found) = scan.next()? {
        match found {
            Found::Damaged { bytes, why } => {
                pending.get_or_insert((bytes.start, why));
            }
            Found::Frame { at, head } if head.kind == Kind::Seal => {
                // A seal that is not the file's end, or whose numbers are wrong: the frames are what counts.
                scan.skip(&head);
                if pending.is_none() && head.end() == segment.end {
                    segment.len = at + crate::format::HEAD as u64;
                    segment.is_sealed = true;
                }
            }
            Found::Frame { at, head } => {
                let is_in_order = head.first >= segment.end && head.end() <= limit;
                let whole = scan.read(&head)?;
                if head.end() > limit && head.first >= segment.end {
                    // What a failed commit left behind: the next segment begins in its place.
                    pending.get_or_insert((at, Damage("a frame that was never acknowledged")));
                    continue;
                }
                match whole {
                    Ok(_) if is_in_order => {
                        if let Some((start, why)) = pending.take() {
                            damaged_middle(
                                disk,
                                &path,
                                &*file,
                                start..at,
                                segment.end..head.first,
                                why,
                                mend,
                                report,
                            );
                        } else if head.first > segment.end {
                            damaged_middle(
                                disk,
                                &path,
                                &*file,
                                at..at,
                                segment.end..head.first,
                                Damage("records are missing before this frame"),
                                mend,
                                report,
                            );
                        }
                        segment.len = at;
                        let len = (crate::format::HEAD + head.body_len()) as u64;
                        segment.add(head.end(), len, head.accepted, (head.from, head.to));
                        segment.is_sealed = false;
                    }
                    Ok(_) => {
                        pending.get_or_insert((at, Damage("a frame out of its order")));
                    }
                    Err(why) => {
                        pending.get_or_insert((at, why));
                    }
                }
            }
        }
    }
    if let Some((start, why)) = pending {
        torn_tail(disk, &path, &*file, start..len, why, mend, report);
    }
    if mend && !segment.is_sealed && segment.end > segment.first {
        // A process that was killed may have written what it could not sync any more; from here on it counts.
        file.sync()?;
        seal(&*file, &mut segment, id);
    }
    Ok(segment)
}

#[expect(
    clippy::too_many_arguments,
    reason = "one call's worth of facts for one report"
)]
fn damaged_middle(
    disk: &dyn Disk,
    path: &str,
    file: &dyn disk::File,
    bytes: Range<u64>,
    sequences: Range<u64>,
    why: Damage,
    mend: bool,
    report: &mut Report,
) {
    let copy = mend
        .then(|| keep(disk, path, file, bytes.clone()))
        .flatten();
    error!(
        file = path, from = bytes.start, to = bytes.end, first = sequences.start, end = sequences.end, %why,
        "a part of the ledger is damaged; these records cannot be read any more"
    );
    report.damages.push(DamageReport {
        file: path.to_owned(),
        bytes: Some(bytes),
        sequences: Some(sequences),
        what: why.to_string(),
        quarantine: copy,
    });
}

/// Cuts what follows the last good frame. It may have been acknowledged and have rotted since, so it is kept and told.
fn torn_tail(
    disk: &dyn Disk,
    path: &str,
    file: &dyn disk::File,
    bytes: Range<u64>,
    why: Damage,
    mend: bool,
    report: &mut Report,
) {
    let copy = mend
        .then(|| keep(disk, path, file, bytes.clone()))
        .flatten();
    if copy.is_some()
        && let Err(error) = file.truncate(bytes.start).and_then(|()| file.sync())
    {
        warn!(file = path, %error, "the torn end of a segment cannot be cut off; it is passed over");
    }
    if mend {
        warn!(
            file = path, bytes = bytes.end - bytes.start, quarantine = copy, %why,
            "the last write to the ledger was not whole: it was cut off and put aside"
        );
    }
    report.damages.push(DamageReport {
        file: path.to_owned(),
        bytes: Some(bytes),
        sequences: None,
        what: format!("torn end: {why}"),
        quarantine: copy,
    });
}

fn keep(disk: &dyn Disk, path: &str, file: &dyn disk::File, bytes: Range<u64>) -> Option<String> {
    if bytes.is_empty() {
        return None;
    }
    let name = path.replace('/', "-");
    match quarantine::bytes(disk, &name, file, bytes) {
        Ok(copy) => Some(copy),
        Err(error) => {
            warn!(file = path, %error, "damaged bytes cannot be put aside; they stay where they are");
            None
        }
    }
}

/// Seals a segment that an ended process left open, so that the next start need not scan it.
fn seal(file: &dyn disk::File, segment: &mut Segment, id: &[u8; 16]) {
    // Only right behind the last good frame: what could not be cut off stays unsealed and is scanned again.
    let is_at_end = file.len().is_ok_and(|len| len == segment.len);
    if !is_at_end {
        return;
    }
    let seal = segment.seal(segment.accepted).encode(Key::of(id));
    match file.append(&seal).and_then(|()| file.sync()) {
        Ok(()) => {
            segment.len += seal.len() as u64;
            segment.is_sealed = true;
        }
        Err(error) => {
            warn!(%error, "a segment cannot be sealed; it is scanned again at the next start")
        }
    }
}
