//! What is to go wrong.

use std::io;

use super::random::Random;

/// What a process asks of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// [`Disk::create_directory`](crate::disk::Disk::create_directory)
    CreateDirectory,
    /// [`Disk::list`](crate::disk::Disk::list)
    List,
    /// [`Disk::create`](crate::disk::Disk::create)
    Create,
    /// [`Disk::open`](crate::disk::Disk::open)
    Open,
    /// [`Disk::rename`](crate::disk::Disk::rename)
    Rename,
    /// [`Disk::remove`](crate::disk::Disk::remove)
    Remove,
    /// [`Disk::sync_directory`](crate::disk::Disk::sync_directory)
    SyncDirectory,
    /// [`File::append`](crate::disk::File::append)
    Append,
    /// [`File::read_at`](crate::disk::File::read_at)
    Read,
    /// [`File::truncate`](crate::disk::File::truncate)
    Truncate,
    /// [`File::sync`](crate::disk::File::sync)
    Sync,
}

impl Operation {
    /// Whether the disk may be another one afterwards.
    #[must_use]
    pub fn is_change(self) -> bool {
        !matches!(self, Self::List | Self::Open | Self::Read)
    }
}

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What is asked for when it does.
    pub operation: Operation,
    /// How often.
    pub when: When,
    /// In which way.
    pub kind: FaultKind,
    /// Only for paths that begin so; an open file has the path it was opened with. Of a rename, either path counts.
    pub below: String,
}

/// Which of the operations fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// The n-th from now on, counted from 1, and no other.
    Nth(u64),
    /// The n-th from now on, counted from 1, and all after it.
    From(u64),
    /// Each with this probability.
    Chance(f64),
}

/// What an operation that fails leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// EIO. Of an append any part stands in the file; a name may have changed or not; what a sync should have made
    /// durable is still waiting for the next one.
    Io,
    /// ENOSPC, with the same traces.
    NoSpace,
    /// A sync fails with EIO and what it should have made durable counts as written from then on: some of it is, the
    /// rest never will be, though a second sync says yes. The cache shows the lost bytes or does not. This is what
    /// Linux does ("Can Applications Recover from fsync Failures?", USENIX ATC 2020). Other operations: as [`Self::Io`].
    Forgotten,
}

impl Fault {
    /// Something that goes wrong wherever the path.
    #[must_use]
    pub fn new(operation: Operation, when: When, kind: FaultKind) -> Self {
        Self {
            operation,
            when,
            kind,
            below: String::new(),
        }
    }

    /// The same, for paths that begin with `path` only.
    #[must_use]
    pub fn below(self, path: impl Into<String>) -> Self {
        let below = path.into();
        Self { below, ..self }
    }
}

impl FaultKind {
    /// The error a real disk gives; the numbers are those of every Unix.
    pub(super) fn error(self) -> io::Error {
        io::Error::from_raw_os_error(match self {
            Self::Io | Self::Forgotten => 5,
            Self::NoSpace => 28,
        })
    }
}

/// The faults there are, and how often each was near.
#[derive(Debug, Default)]
pub(super) struct Plan(Vec<(Fault, u64)>);

impl Plan {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push((fault, 0));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn strike(
        &mut self,
        operation: Operation,
        paths: &[&str],
        random: &mut Random,
    ) -> Option<FaultKind> {
        let mut struck = None;
        for (fault, seen) in &mut self.0 {
            let near = paths.iter().any(|path| path.starts_with(&fault.below));
            if fault.operation != operation || !near {
                continue;
            }
            *seen += 1;
            let strikes = match fault.when {
                When::Nth(n) => *seen == n,
                When::From(n) => *seen >= n,
                When::Chance(probability) => random.chance(probability),
            };
            if strikes {
                struck = struck.or(Some(fault.kind));
            }
        }
        struck
    }
}
