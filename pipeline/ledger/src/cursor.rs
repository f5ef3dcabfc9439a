//! How far one exporter has come in the log: everything below a low watermark is finished, and so are some ranges above
//! it, because requests finish out of order.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// The finished sequence numbers of one exporter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    low: u64,
    /// Disjoint, apart from one another and above `low`: start to end.
    done: BTreeMap<u64, u64>,
}

impl Cursor {
    /// Everything below `low` is finished.
    #[must_use]
    pub fn at(low: u64) -> Self {
        Self {
            low,
            done: BTreeMap::new(),
        }
    }

    /// The first sequence number that is not finished.
    #[must_use]
    pub fn low(&self) -> u64 {
        self.low
    }

    /// The finished ranges above [`Cursor::low`], ascending.
    pub fn done(&self) -> impl DoubleEndedIterator<Item = Range<u64>> {
        self.done.iter().map(|(start, end)| *start..*end)
    }

    /// Number of ranges above the watermark.
    #[must_use]
    pub fn gaps(&self) -> usize {
        self.done.len()
    }

    /// The sequence number behind everything that is finished.
    #[must_use]
    pub fn high(&self) -> u64 {
        self.done.last_key_value().map_or(self.low, |(_, end)| *end)
    }

    /// Finishes a range.
    pub fn finish(&mut self, range: Range<u64>) {
        let (mut start, mut end) = (range.start.max(self.low), range.end);
        if start >= end {
            return;
        }
        if let Some((before, before_end)) = self.done.range(..=start).next_back()
            && *before_end >= start
        {
            (start, end) = (*before, end.max(*before_end));
        }
        while let Some((next, next_end)) = self.done.range(start..).next().map(|(s, e)| (*s, *e)) {
            if next > end {
                break;
            }
            end = end.max(next_end);
            self.done.remove(&next);
        }
        if start <= self.low {
            self.low = end;
        } else {
            self.done.insert(start, end);
        }
    }

    /// The parts of `range` that are not finished.
    #[must_use]
    pub fn open(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut open = Vec::new();
        let mut at = range.start.max(self.low);
        let first = self.done.range(..=at).next_back().map_or(at, |(s, _)| *s);
        for (start, end) in self.done.range(first..range.end.max(first)) {
            if at < *start {
                open.push(at..*start);
            }
            at = at.max(*end);
        }
        if at < range.end {
            open.push(at..range.end);
        }
        open
    }
}

/// The version of the file that this program writes.
pub(crate) const VERSION: u32 = 1;

/// A cursor as it is stored: a line of JSON and a line with its checksum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    /// See [`VERSION`].
    pub version: u32,
    /// The pipeline.
    pub pipeline: String,
    /// The exporter.
    pub exporter: String,
    /// See [`Cursor::low`].
    pub low: u64,
    /// See [`Cursor::done`].
    pub done: Vec<(u64, u64)>,
    /// Records that were damaged or taken away before this exporter had them.
    pub lost: u64,
    /// Since when no exporter of the configuration has claimed it, unix nanoseconds.
    pub orphaned: Option<u64>,
}

impl Stored {
    /// Its bytes.
    #[must_use]
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(format!("\ncrc32c {crc:08x}\n").as_bytes());
        bytes
    }

    /// Reads it; `None` when the bytes are not what [`Stored::encode`] wrote.
    #[must_use]
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_str(checked(bytes)?)
            .ok()
            .filter(|s: &Self| s.version == VERSION)
    }

    /// The version that it names, which may be one that this program does not know.
    #[must_use]
    pub(crate) fn version(bytes: &[u8]) -> Option<u32> {
        let stored: serde_json::Value = serde_json::from_str(checked(bytes)?).ok()?;
        stored["version"].as_u64()?.try_into().ok()
    }

    /// The position in it.
    #[must_use]
    pub(crate) fn cursor(&self) -> Cursor {
        let mut cursor = Cursor::at(self.low);
        for (start, end) in &self.done {
            cursor.finish(*start..*end);
        }
        cursor
    }
}

/// The JSON in a stored cursor, if its checksum is right.
fn checked(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (json, crc) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    let crc = u32::from_str_radix(crc.strip_prefix("crc32c ")?, 16).ok()?;
    (crc == crc32c::crc32c(json.as_bytes())).then_some(json)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_knows_exactly_what_was_finished_whatever_the_order(
            low in 0..20u64, ranges in prop::collection::vec((0..60u64, 0..8u64), 0..30), probe in (0..70u64, 0..40u64),
        ) {
            let mut cursor = Cursor::at(low);
            let mut model: BTreeSet<u64> = (0..low).collect();
            for (start, len) in ranges {
                cursor.finish(start..start + len);
                model.extend(start..start + len);
            }
            let first_open = (0..).find(|n| !model.contains(n)).unwrap_or_default();
            prop_assert_eq!(cursor.low(), first_open);
            let range = probe.0..probe.0 + probe.1;
            let open: BTreeSet<u64> = cursor.open(range.clone()).into_iter().flatten().collect();
            let expected: BTreeSet<u64> = range.filter(|n| !model.contains(n)).collect();
            prop_assert_eq!(open, expected);
            for pair in cursor.done().collect::<Vec<_>>().windows(2) {
                prop_assert!(pair[0].end < pair[1].start, "ranges that touch are one");
            }
            prop_assert!(cursor.done().all(|r| r.start > cursor.low()));
        }
    }

    #[test]
    fn a_stored_cursor_comes_back_and_a_damaged_one_does_not() {
        let stored = Stored {
            version: 1,
            pipeline: "logs/audit".into(),
            exporter: "siem_bridge[splunk_hec@host:8088/ä]".into(),
            low: 7,
            done: vec![(9, 12), (20, 21)],
            lost: 3,
            orphaned: Some(5),
        };
        let bytes = stored.encode();
        assert_eq!(Stored::decode(&bytes), Some(stored));
        for i in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[i] ^= 1;
            assert_eq!(Stored::decode(&damaged), None, "byte {i}");
            assert_eq!(Stored::decode(&bytes[..i]), None, "cut at {i}");
        }
    }
}
