//! The log between the processors and the exporters: an OK to a sender means that its records are in here. Knows no
//! exporter.
//!
//! ```text
//!  append ──▶ commit thread: one write, one fsync ──▶ OK
//!                    │                      │
//!                    ├─▶ segments/          └─▶ keeper: tree/, checkpoint
//!                    └─▶ tail in memory
//!                             │        ┌ kept up: from memory
//!  lease ◀── reader ◀── feed ─┴────────┤
//!    │                                 └ behind: a walk through the segments
//!    └─ delivered ──▶ cursors/     refused ──▶ dead_letters/ (fsync), then cursors/
//! ```
//!
//! [`Ledger`] is the log on disk, one a node. [`Log`] is the one in memory (`service.ledger: none`), one a pipeline:
//! there an OK means delivered. Both are read through a [`Reader`]. `FORMAT.md` describes the files.

mod ahead;
mod chunk;
mod clock;
mod commit;
mod cursor;
mod cursors;
mod dead_letters;
pub mod disk;
mod erasure;
mod feed;
mod format;
mod frame;
mod gathered;
mod inner;
mod keeper;
mod lease;
mod ledger;
mod lock;
mod memory;
mod offline;
mod pack;
mod quarantine;
mod reader;
mod recovery;
mod retention;
mod segment;
mod settings;
mod tail;
mod tree;
mod verify;
mod versions;
mod view;
mod walk;

#[cfg(test)]
mod tests;

pub use commit::AppendError;
pub use cursor::Cursor;
pub use cursors::{CursorId, State as CursorState};
pub use dead_letters::{DeadLetters, Letter, Outcome};
pub use erasure::{EraseError, Erasure, erase, erase_on};
pub use format::{Head, Kind};
pub use frame::Frame;
pub use lease::{Lease, Lender, Refusal};
pub use ledger::{Ledger, OpenError, StartAt};
pub use lock::{Lock, LockError};
pub use memory::{Log, Refused};
pub use offline::{Offline, OfflineError, Repaired};
pub use reader::Reader;
pub use recovery::{DamageReport, Report};
pub use segment::Segment;
pub use settings::{Fsync, Integrity, OnFull, Retention, Settings};
pub use tree::{Epoch, HashFiles, Signed, load_key, make_key};
pub use verify::{
    Consistency, EpochSummary, Fault, Finding, KeySource, Keys, Progress, Proof, ProofError,
    Request, Severity, Verdict, Verification, consistency, consistency_on, prove, prove_on,
    read_checkpoint, verify, verify_on,
};
pub use view::{Entry, View};
