//! What an intruder can do who knows the format: whole frames with right checksums.

use bytes::Bytes;

use super::rig::{batch, key};
use crate::disk::{Disk, SimulatedDisk};
use crate::format::{HEAD, HEADER, Head, Header, Key, Kind};
use crate::frame::{Frame, Prepared};
use crate::{Keys, Progress, Request, Verification};

/// One frame on the disk.
pub(super) struct Placed {
    pub(super) file: String,
    pub(super) at: u64,
    pub(super) frame: Frame,
}

pub(super) fn file(disk: &SimulatedDisk, path: &str) -> Vec<u8> {
    let files = disk.files();
    let found = files.into_iter().find(|(name, _)| name == path);
    found.unwrap_or_else(|| panic!("{path} is not there")).1
}

pub(super) fn files(disk: &SimulatedDisk, directory: &str) -> Vec<String> {
    let files = disk.files().into_iter().map(|(name, _)| name);
    files.filter(|name| name.starts_with(directory)).collect()
}

/// Every frame with records, in order.
pub(super) fn frames(disk: &SimulatedDisk) -> Vec<Placed> {
    let mut all = Vec::new();
    for path in files(disk, "segments/") {
        let bytes = file(disk, &path);
        let key = Key::of(&Header::decode(&bytes).unwrap().ledger);
        let mut at = HEADER;
        while at < bytes.len() {
            let head = Head::decode(&bytes[at..], key).unwrap();
            let body = Bytes::copy_from_slice(&bytes[at + HEAD..at + HEAD + head.body_len()]);
            if head.kind != Kind::Seal {
                all.push(Placed {
                    file: path.clone(),
                    at: at as u64,
                    frame: Frame::read(head, body).unwrap(),
                });
            }
            at += HEAD + head.body_len();
        }
    }
    all
}

/// Puts a frame with these ids in the place of the one that holds record `sequence`, all checksums right. It must have
/// as many records.
pub(super) fn forge(disk: &SimulatedDisk, sequence: u64, ids: impl IntoIterator<Item = i64>) {
    let placed = frames(disk).into_iter().find(|p| {
        let head = p.frame.head;
        (head.first..head.end()).contains(&sequence)
    });
    let placed = placed.unwrap();
    let head = placed.frame.head;
    let new = Prepared::new(placed.frame.pipeline.as_str().into(), batch(ids), false).unwrap();
    assert_eq!(new.count(), u64::from(head.count));
    disk.damage(&placed.file, |bytes| {
        let key = Key::of(&Header::decode(bytes).unwrap().ledger);
        let at = placed.at as usize;
        let mut out = Vec::new();
        new.write_with_seed(key, head.first, head.accepted, head.seed, &mut out);
        bytes.splice(at..at + HEAD + head.body_len(), out);
        Ok(())
    })
    .unwrap();
}

/// What an auditor has.
pub(super) fn keys() -> Keys {
    Keys::given(&key().verifying_key().to_string()).unwrap()
}

pub(super) fn verify(disk: &SimulatedDisk) -> Verification {
    verify_with(disk, &keys(), &Request::default())
}

pub(super) fn verify_with(disk: &SimulatedDisk, keys: &Keys, request: &Request) -> Verification {
    let disk: std::sync::Arc<dyn Disk> = std::sync::Arc::new(disk.clone());
    let mut last = 0;
    let found = crate::verify_on(disk, keys, request, |progress: Progress| {
        assert!(progress.bytes <= progress.total_bytes);
        last = progress.sequence;
    });
    assert!(
        last <= found.sequences.end.max(
            found
                .epochs
                .iter()
                .map(|e| e.first + e.signed)
                .max()
                .unwrap_or(0)
        )
    );
    found
}

/// The newest checkpoint, as someone may keep it elsewhere.
pub(super) fn checkpoint(disk: &SimulatedDisk) -> String {
    String::from_utf8(file(disk, "checkpoint")).unwrap()
}
