//! The disk as a process sees it: each operation passes the faults and the end of the process first.

use std::fmt;
use std::io;

use super::fault::{FaultKind, Operation};
use super::random::Random;
use super::state::State;
use super::{End, SimulatedDisk, Simulation};
use crate::disk::{Disk, Entry, File};

impl SimulatedDisk {
    /// Does one operation, unless the process ended; `perform` learns what is to go wrong with it.
    fn run<T>(
        &self,
        operation: Operation,
        paths: &[&str],
        perform: impl FnOnce(&mut State, Option<FaultKind>) -> io::Result<T>,
    ) -> io::Result<T> {
        let watch = self.shared.watch.lock().clone();
        if let Some(watch) = watch {
            watch(operation, paths.first().copied().unwrap_or_default());
        }
        let mut simulation = self.lock();
        simulation.check(self.process)?;
        simulation.count(operation);
        if let Some(end) = simulation.ends_now(operation) {
            // It may not have begun, or be in the middle, or be done but for the answer.
            let how = match simulation.state.random.below(3) {
                0 => None,
                1 => Some(None),
                _ => Some(Some(FaultKind::Io)),
            };
            // Nobody hears the outcome.
            let _ = how.map(|fault| perform(&mut simulation.state, fault).is_ok());
            let mut random = Random::new(simulation.state.random.draw());
            simulation.end(end, &mut random);
            return Err(end.error());
        }
        let Simulation { plan, state, .. } = &mut *simulation;
        let fault = plan.strike(operation, paths, &mut state.random);
        perform(state, fault)
    }

    fn file(&self, path: &str, file: u64) -> Box<dyn File> {
        Box::new(SimulatedFile {
            disk: self.clone(),
            path: path.to_owned(),
            file,
        })
    }
}

impl Simulation {
    fn check(&self, process: usize) -> io::Result<()> {
        self.ends
            .get(process)
            .map_or(Ok(()), |end| Err(end.error()))
    }

    fn count(&mut self, operation: Operation) {
        let counts = &mut self.counts;
        counts.changes += u64::from(operation.is_change());
        match operation {
            Operation::Append => counts.appends += 1,
            Operation::Read => counts.reads += 1,
            Operation::Sync => counts.syncs += 1,
            Operation::SyncDirectory => counts.directory_syncs += 1,
            _ => {}
        }
    }

    fn count_bytes(&mut self, process: usize, bytes: usize) {
        if self.check(process).is_ok() {
            self.counts.appended_bytes += bytes as u64;
        }
    }

    fn ends_now(&mut self, operation: Operation) -> Option<End> {
        let (left, end) = self.stop.as_mut().filter(|_| operation.is_change())?;
        *left -= 1;
        (*left == 0).then_some(*end)
    }
}

impl End {
    fn error(self) -> io::Error {
        io::Error::other(match self {
            Self::PowerLoss => "the machine lost power",
            Self::Kill => "the process was killed",
        })
    }
}

impl State {
    /// What goes wrong with a change of names, which may have happened all the same.
    fn perhaps<T>(
        &mut self,
        fault: Option<FaultKind>,
        change: impl FnOnce(&mut Self) -> io::Result<T>,
    ) -> io::Result<T> {
        let Some(kind) = fault else {
            return change(self);
        };
        if self.random.coin() {
            change(self)?;
        }
        Err(kind.error())
    }

    fn opened(&mut self, file: u64) -> u64 {
        *self.open.entry(file).or_default() += 1;
        file
    }
}

fn refuse(fault: Option<FaultKind>) -> io::Result<()> {
    fault.map_or(Ok(()), |kind| Err(kind.error()))
}

impl Disk for SimulatedDisk {
    fn create_directory(&self, path: &str) -> io::Result<()> {
        self.run(Operation::CreateDirectory, &[path], |state, fault| {
            state.perhaps(fault, |state| state.create_directory(path))
        })
    }

    fn list(&self, directory: &str) -> io::Result<Vec<Entry>> {
        self.run(Operation::List, &[directory], |state, fault| {
            refuse(fault)?;
            state.list(directory)
        })
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn File>> {
        let file = self.run(Operation::Create, &[path], |state, fault| {
            let file = state.perhaps(fault, |state| state.create(path))?;
            Ok(state.opened(file))
        })?;
        Ok(self.file(path, file))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn File>> {
        let file = self.run(Operation::Open, &[path], |state, fault| {
            refuse(fault)?;
            let (_, _, file) = state.file_at(path)?;
            Ok(state.opened(file))
        })?;
        Ok(self.file(path, file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.run(Operation::Rename, &[from, to], |state, fault| {
            state.perhaps(fault, |state| state.rename(from, to))
        })
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.run(Operation::Remove, &[path], |state, fault| {
            state.perhaps(fault, |state| state.remove(path))
        })
    }

    fn sync_directory(&self, directory: &str) -> io::Result<()> {
        self.run(Operation::SyncDirectory, &[directory], |state, fault| {
            state.sync_directory(directory, fault)
        })
    }
}

/// An open file of one process.
struct SimulatedFile {
    disk: SimulatedDisk,
    path: String,
    file: u64,
}

impl SimulatedFile {
    fn run<T>(
        &self,
        operation: Operation,
        perform: impl FnOnce(&mut State, Option<FaultKind>) -> io::Result<T>,
    ) -> io::Result<T> {
        self.disk.run(operation, &[&self.path], perform)
    }
}

impl File for SimulatedFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.disk.lock().count_bytes(self.disk.process, bytes.len());
        self.run(Operation::Append, |state, fault| {
            let Some(kind) = fault else {
                return state.append(self.file, bytes);
            };
            let part = state.random.below(bytes.len() + 1);
            state.append(self.file, &bytes[..part])?;
            Err(kind.error())
        })
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.run(Operation::Read, |state, fault| {
            refuse(fault)?;
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            let there = state.content(self.file).get(offset..).unwrap_or_default();
            let read = there.len().min(buffer.len());
            buffer[..read].copy_from_slice(&there[..read]);
            Ok(read)
        })
    }

    fn len(&self) -> io::Result<u64> {
        let simulation = self.disk.lock();
        simulation.check(self.disk.process)?;
        Ok(simulation.state.content(self.file).len() as u64)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.run(Operation::Truncate, |state, fault| {
            state.perhaps(fault, |state| state.truncate(self.file, len))
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.run(Operation::Sync, |state, fault| state.sync(self.file, fault))
    }
}

impl Drop for SimulatedFile {
    fn drop(&mut self) {
        let mut simulation = self.disk.lock();
        if simulation.check(self.disk.process).is_err() {
            return;
        }
        let open = &mut simulation.state.open;
        if let Some(handles) = open.get_mut(&self.file) {
            *handles -= 1;
            if *handles == 0 {
                open.remove(&self.file);
            }
        }
    }
}

impl fmt::Debug for SimulatedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
