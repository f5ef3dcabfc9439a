//! Requests, encoded once and sent over and over.

use bytes::Bytes;
use sluice_batch::{Batch, Signal};
use sluice_benches::policy_gateway_1000;

/// Requests of one size, taken in turn.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    requests: Vec<Bytes>,
    /// Records in each.
    pub(crate) records: u64,
}

impl Pool {
    /// Requests of 1000 records, no two with an event id in common.
    pub(crate) fn thousands() -> Self {
        let wire = policy_gateway_1000();
        let requests = (0..16).map(|n| with_ids(&wire, n)).collect();
        Self {
            requests,
            records: 1000,
        }
    }

    /// Requests of one record.
    pub(crate) fn ones() -> Self {
        let batch =
            Batch::decode(Signal::Logs, policy_gateway_1000().into()).expect("a valid payload");
        let one = |i: usize| batch.slice(i..i + 1).encode().into();
        Self {
            requests: (0..batch.len()).map(one).collect(),
            records: 1,
        }
    }

    /// The `n`th request.
    pub(crate) fn get(&self, n: u64) -> Bytes {
        self.requests[n as usize % self.requests.len()].clone()
    }

    /// Bytes of all of them, on average.
    pub(crate) fn bytes(&self) -> u64 {
        let all: usize = self.requests.iter().map(Bytes::len).sum();
        (all / self.requests.len()) as u64
    }
}

/// The request with other event ids: their text begins with `n`.
fn with_ids(wire: &[u8], n: u32) -> Bytes {
    // A key, the head of its value, and 36 characters.
    const KEY: &[u8] = b"\x0a\x08event_id\x12\x26\x0a\x24";
    let mut wire = wire.to_vec();
    let places: Vec<usize> = memchr::memmem::find_iter(&wire, KEY).collect();
    assert_eq!(places.len(), 1000, "every record has an id");
    for place in places {
        let id = place + KEY.len();
        wire[id..id + 8].copy_from_slice(format!("{n:08x}").as_bytes());
    }
    wire.into()
}
