//! Each record as a request of its own, from the request that holds all of them.

use std::ops::Range;

use crate::batch::{Batch, Signal};
use crate::encode;
use crate::wire::{Malformed, Reader, kind};

impl Batch {
    /// Shows the request that holds each record alone, in order: the bytes of [`Batch::encode_record_into`]. `encoded` is
    /// what [`Batch::encode`] made of this batch; records are copied from there, which is much cheaper than to encode
    /// them a second time.
    pub fn each_alone(&self, encoded: &[u8], mut see: impl FnMut(usize, &[u8])) {
        let mut places = Vec::with_capacity(self.len());
        let path = path(self.signal());
        let is_read = find(encoded, 0..encoded.len(), path, &mut places).is_ok();
        // Of other bytes than those nothing is taken.
        let is_known = is_read && places.len() == self.len();
        let mut out = Vec::new();
        for i in 0..self.len() {
            out.clear();
            let message = places.get(i).filter(|_| is_known);
            encode::alone(self, i, message.map(|at| &encoded[at.clone()]), &mut out);
            see(i, &out);
        }
    }
}

/// The fields that lead from a request to its records.
fn path(signal: Signal) -> &'static [&'static [u32]] {
    match signal {
        // Resource, scope, record.
        Signal::Logs | Signal::Traces => &[&[1], &[2], &[2]],
        // Resource, scope, metric, one of its kinds, data point.
        Signal::Metrics => &[&[1], &[2], &[2], &[5, 7, 9, 10, 11], &[1]],
    }
}

/// Finds the messages at the end of a path, without a look into them.
fn find(
    bytes: &[u8],
    message: Range<usize>,
    path: &[&[u32]],
    found: &mut Vec<Range<usize>>,
) -> Result<(), Malformed> {
    let Some((wanted, rest)) = path.split_first() else {
        found.push(message);
        return Ok(());
    };
    let mut reader = Reader::new(bytes, message.start, message.end);
    while !reader.is_empty() {
        let (tag, wire) = reader.key()?;
        if wire == kind::LEN && wanted.contains(&tag) {
            let (start, end) = reader.delimited()?;
            find(bytes, start..end, rest, found)?;
        } else {
            reader.skip(tag, wire, u32::MAX)?;
        }
    }
    Ok(())
}
