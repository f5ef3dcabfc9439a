//! What one exporter's loop has lent, counted in memory.

use std::ops::{Deref, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sluice_ledger::Lease;
use tokio::sync::Notify;

/// Most memory of records that may be lent at once, one lease aside: however many attempts the destination allows, one that
/// is away or slow to confirm must not gather all that memory holds.
pub(crate) const LENT_BYTES: usize = 32 << 20;

/// The memory of all that is lent.
#[derive(Debug, Default)]
pub(crate) struct Lending {
    bytes: AtomicUsize,
    returned: Notify,
}

impl Lending {
    /// Whether a further lease may be taken.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) < LENT_BYTES
    }

    /// Waits until some of it comes back from a lease that is still open.
    pub(crate) async fn returned(&self) {
        self.returned.notified().await;
    }
}

/// A lease whose memory is counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Lent {
    lease: Lease,
    bytes: usize,
    lending: Arc<Lending>,
}

impl Lent {
    pub(crate) fn new(lease: Lease, lending: &Arc<Lending>) -> Self {
        let bytes = lease.batch.memory();
        lending.bytes.fetch_add(bytes, Ordering::Relaxed);
        Self {
            lease,
            bytes,
            lending: lending.clone(),
        }
    }

    /// Keeps these records, by their positions in order, and gives the memory of the others back: a few that are owed for
    /// long must not hold what came with them.
    pub(crate) fn keep(&mut self, records: &[Range<u32>]) {
        let lending = self.lending.clone();
        *self = Self::new(self.lease.part(records), &lending);
        lending.returned.notify_one();
    }
}

impl Deref for Lent {
    type Target = Lease;

    fn deref(&self) -> &Lease {
        &self.lease
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.lending.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
