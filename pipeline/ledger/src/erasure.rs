//! Records that were erased: their bytes and their salts are gone, their commitments stay, so that the tree above them
//! still stands.
//!
//! ```text
//!  plain content of an erased frame = an entry for each record of the frame, the other records as an OTLP request
//!  entry of a record that is there  = 0, its salt (16 bytes)
//!  entry of an erased record        = 1, its commitment (32 bytes)
//! ```
//!
//! The frame's seed is zero then: with it the salt of the erased record could be derived again, and its content be
//! guessed.

mod rewrite;
mod run;

use sluice_batch::Batch;
use sluice_evidence::{Hash, Salt, commitment};

pub(crate) use run::{EVENT, REASON, SEQUENCES, parse_sequences, write_ranges};
pub use run::{EraseError, Erasure, erase, erase_on};

use crate::format::{Damage, HEAD, Head, Key, Kind, MAX_PAYLOAD};
use crate::frame::Frame;
use crate::pack;

const KEPT: u8 = 0;
const GONE: u8 = 1;

/// What an erased frame says of one of its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is there, and this is its salt.
    Kept(Salt),
    /// It was erased, and this is its commitment.
    Gone(Hash),
}

/// Takes the plain content of an erased frame of `count` records apart: the entries, and the request behind them.
///
/// # Errors
/// Content that ends within an entry or has an entry of another kind.
pub(crate) fn split(plain: &[u8], count: u32) -> Result<(Vec<Place>, usize), Damage> {
    let damaged = Damage("an erased frame's entries are damaged");
    let mut rest = plain;
    // An entry has 17 bytes at least: a head that lies reserves nothing.
    let mut places = Vec::with_capacity((count as usize).min(plain.len() / 17));
    for _ in 0..count {
        let (kind, behind) = rest.split_first().ok_or(damaged)?;
        let place = match *kind {
            KEPT => {
                let (salt, behind) = behind.split_first_chunk().ok_or(damaged)?;
                rest = behind;
                Place::Kept(*salt)
            }
            GONE => {
                let (hash, behind) = behind.split_first_chunk().ok_or(damaged)?;
                rest = behind;
                Place::Gone(Hash::new(*hash))
            }
            _ => return Err(damaged),
        };
        places.push(place);
    }
    Ok((places, plain.len() - rest.len()))
}

/// The whole frame as it stands on the disk once the records for which `is_erased` holds (by sequence number) are gone
/// from it. Those that were gone before stay so.
///
/// # Errors
/// Content that is not what the head says, or that would not keep its commitments.
pub(crate) fn without(
    frame: &Frame,
    is_erased: impl Fn(u64) -> bool,
    key: Key,
) -> Result<(Head, Vec<u8>), Damage> {
    let commitments = frame.commitments()?;
    let mut batch = frame.batch()?;
    let salts = frame.salts()?;
    let places: Vec<Place> = (frame.head.first..)
        .zip(salts)
        .zip(&commitments)
        .map(|((sequence, salt), commitment)| match salt {
            Some(salt) if !is_erased(sequence) => Place::Kept(salt),
            _ => Place::Gone(*commitment),
        })
        .collect();
    let sequences: Vec<u64> = frame.sequences()?.into_iter().flatten().collect();
    let mut at = 0;
    batch.retain(|_| {
        at += 1;
        !is_erased(sequences[at - 1])
    });
    let plain = join(&places, &batch);
    if plain.len() > MAX_PAYLOAD as usize {
        return Err(Damage("the frame would pass 2 GiB"));
    }
    let (mut from, mut to) = (u64::MAX, 0);
    for record in batch.records() {
        from = from.min(record.event_time());
        to = to.max(record.event_time());
    }
    let (payload, is_compressed) = pack::compress(&plain);
    let crc = crc32c::crc32c_append(crc32c::crc32c(frame.pipeline.as_bytes()), &payload);
    let head = Head {
        kind: Kind::Erased,
        is_compressed,
        payload_len: payload.len() as u32,
        payload_crc: crc,
        plain_len: plain.len() as u32,
        from,
        to,
        seed: [0; 32],
        ..frame.head
    };
    let mut bytes = Vec::with_capacity(HEAD + head.body_len());
    bytes.extend_from_slice(&head.encode(key));
    bytes.extend_from_slice(frame.pipeline.as_bytes());
    bytes.extend_from_slice(&payload);
    // What takes the old frame's place must say the same of every record.
    let body = bytes::Bytes::copy_from_slice(&bytes[HEAD..]);
    if Frame::read(head, body)?.commitments()? != commitments {
        return Err(Damage("the frame would not keep its records' commitments"));
    }
    Ok((head, bytes))
}

/// The commitments of an erased frame: computed where the record is there, stored where it is not.
pub(crate) fn commitments(places: &[Place], batch: &Batch) -> Vec<Hash> {
    let mut payload = Vec::new();
    let mut kept = 0..batch.len();
    places
        .iter()
        .map(|place| match place {
            Place::Gone(commitment) => *commitment,
            Place::Kept(salt) => {
                payload.clear();
                if let Some(i) = kept.next() {
                    batch.encode_record_into(i, &mut payload);
                }
                commitment(salt, &payload)
            }
        })
        .collect()
}

fn join(places: &[Place], batch: &Batch) -> Vec<u8> {
    let mut plain = Vec::new();
    for place in places {
        match place {
            Place::Kept(salt) => {
                plain.push(KEPT);
                plain.extend_from_slice(salt);
            }
            Place::Gone(hash) => {
                plain.push(GONE);
                plain.extend_from_slice(hash.as_bytes());
            }
        }
    }
    if !batch.is_empty() {
        batch.encode_into(0..batch.len(), &mut plain);
    }
    plain
}
