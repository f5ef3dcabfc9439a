//! One entry of a letterbox file: 24 bytes that say what follows, facts as JSON, the record as an OTLP request.

use std::io;

use serde::{Deserialize, Serialize};

use crate::disk::File;
use crate::format::Key;

const MARK: [u8; 4] = *b"DLT1";
const HEAD: usize = 24;
/// Facts and a record are never longer together.
const MAX_BODY: usize = i32::MAX as usize;

/// A record that a destination refused for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The record's number in the log.
    pub sequence: u64,
    /// The pipeline it came through.
    pub pipeline: String,
    /// The exporter whose destination refused it.
    pub exporter: String,
    /// `logs`, `traces` or `metrics`.
    pub signal: String,
    /// The destination's answer.
    pub reason: String,
    /// Attempts until then.
    pub attempts: u32,
    /// When it was refused, unix nanoseconds.
    pub refused_at: u64,
    /// The record alone as an OTLP request; not part of the facts.
    #[serde(skip)]
    pub payload: Vec<u8>,
}

/// Why a letter is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The destination took it after all.
    Delivered,
    /// Someone decided so.
    Dropped,
}

/// What an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Letter,
    Wanted,
    Delivered,
    Dropped,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) sequence: u64,
    facts: Vec<u8>,
    payload: Vec<u8>,
}

impl Entry {
    /// A letter with its record.
    pub(super) fn of(letter: &Letter, payload: Vec<u8>) -> Self {
        Self {
            kind: Kind::Letter,
            sequence: letter.sequence,
            facts: serde_json::to_vec(letter).unwrap_or_default(),
            payload,
        }
    }

    /// A mark on a letter.
    pub(super) fn mark(kind: Kind, sequence: u64) -> Self {
        Self {
            kind,
            sequence,
            facts: Vec::new(),
            payload: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> u64 {
        (HEAD + self.facts.len() + self.payload.len()) as u64
    }

    pub(super) fn encode(&self, key: Key) -> Vec<u8> {
        let kind = match self.kind {
            Kind::Letter => 1,
            Kind::Wanted => 2,
            Kind::Delivered => 3,
            Kind::Dropped => 4_u32,
        };
        let mut out = Vec::with_capacity(self.len() as usize);
        out.extend_from_slice(&MARK);
        let kind_and_facts = kind << 24 | self.facts.len() as u32;
        out.extend_from_slice(&kind_and_facts.to_le_bytes());
        out.extend_from_slice(&(self.payload.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        let crc = key.checksum(&out);
        let crc = crc32c::crc32c_append(crc, &self.facts);
        let crc = crc32c::crc32c_append(crc, &self.payload);
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&self.facts);
        out.extend_from_slice(&self.payload);
        out
    }

    /// Reads the entry at `at`; [`io::ErrorKind::InvalidData`] when none is there.
    pub(super) fn read(file: &dyn File, at: u64, key: Key) -> io::Result<Self> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a dead letter is damaged");
        let mut head = [0; HEAD];
        if file.read_at(at, &mut head)? < HEAD || head[..4] != MARK {
            return Err(damaged());
        }
        let number = |range: std::ops::Range<usize>| {
            let mut bytes = [0; 8];
            bytes[..range.len()].copy_from_slice(&head[range]);
            u64::from_le_bytes(bytes)
        };
        let kind = match head[7] {
            1 => Kind::Letter,
            2 => Kind::Wanted,
            3 => Kind::Delivered,
            4 => Kind::Dropped,
            _ => return Err(damaged()),
        };
        let (facts_len, payload_len) = (number(4..7) as usize, number(8..12) as usize);
        let left = file.len()?.saturating_sub(at + HEAD as u64);
        let len = facts_len + payload_len;
        if len > MAX_BODY || len as u64 > left {
            return Err(damaged());
        }
        let mut facts = vec![0; len];
        if file.read_at(at + HEAD as u64, &mut facts)? < len {
            return Err(damaged());
        }
        let crc = crc32c::crc32c_append(key.checksum(&head[..20]), &facts);
        if u64::from(crc) != number(20..24) {
            return Err(damaged());
        }
        let payload = facts.split_off(facts_len);
        Ok(Self {
            kind,
            sequence: number(12..20),
            facts,
            payload,
        })
    }

    /// Where the next whole entry begins, from `at` on.
    pub(super) fn next(file: &dyn File, mut at: u64, key: Key) -> io::Result<Option<u64>> {
        let end = file.len()?;
        let mut window = vec![0; 1 << 16];
        while at + (HEAD as u64) <= end {
            let read = file.read_at(at, &mut window)?;
            let found = window[..read].windows(MARK.len()).position(|w| w == MARK);
            let Some(found) = found else {
                at += (read.max(MARK.len()) - MARK.len() + 1) as u64;
                continue;
            };
            at += found as u64;
            match Self::read(file, at, key) {
                Ok(_) => return Ok(Some(at)),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => at += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The exporter that a letter names.
    pub(super) fn exporter(&self) -> Option<String> {
        (self.kind == Kind::Letter)
            .then(|| serde_json::from_slice::<Letter>(&self.facts).ok())
            .flatten()
            .map(|letter| letter.exporter)
    }

    pub(super) fn letter(self) -> io::Result<Letter> {
        let letter: Letter = serde_json::from_slice(&self.facts)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(Letter {
            payload: self.payload,
            ..letter
        })
    }
}
