//! What an intruder does to a disk, or time: past every cache and every handle.

use std::io::{self, ErrorKind};

use super::SimulatedDisk;
use super::content::Content;
use super::names::Node;
use super::state::{State, split};

/// Damage. What is damaged becomes durable first, as a process sees it, and no error and no count speaks of it.
///
/// # Errors
/// [`ErrorKind::NotFound`] without the file, [`ErrorKind::InvalidInput`] for an offset past its end.
impl SimulatedDisk {
    /// Turns over one bit, counted from the least.
    pub fn flip(&self, path: &str, offset: u64, bit: u8) -> io::Result<()> {
        self.damage(path, |bytes| {
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            let byte = bytes.get_mut(offset).ok_or(ErrorKind::InvalidInput)?;
            *byte ^= 1 << (bit % 8);
            Ok(())
        })
    }

    /// Cuts a file to `len` bytes; it may not be shorter.
    pub fn cut(&self, path: &str, len: u64) -> io::Result<()> {
        self.damage(path, |bytes| {
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            if len > bytes.len() {
                return Err(ErrorKind::InvalidInput.into());
            }
            bytes.truncate(len);
            Ok(())
        })
    }

    /// Changes the bytes of a file in any way.
    pub fn damage(
        &self,
        path: &str,
        how: impl FnOnce(&mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut simulation = self.lock();
        let content = simulation.state.settled(path)?;
        let mut bytes = content.cached().to_vec();
        how(&mut bytes)?;
        *content = Content::settled(bytes);
        Ok(())
    }

    /// Lets each of two files have the bytes of the other.
    pub fn swap(&self, a: &str, b: &str) -> io::Result<()> {
        let mut simulation = self.lock();
        let first = simulation.state.settled(a)?.clone();
        let second = std::mem::replace(simulation.state.settled(b)?, first);
        *simulation.state.settled(a)? = second;
        Ok(())
    }

    /// Takes a file away.
    pub fn delete(&self, path: &str) -> io::Result<()> {
        self.lock().state.delete(path)
    }

    /// Puts a file there, or another in its place, with the directories above it.
    pub fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.lock().state.put(path, bytes)
    }
}

impl State {
    /// Makes a file durable as a process sees it, and gives it to be damaged.
    fn settled(&mut self, path: &str) -> io::Result<&mut Content> {
        let (_, _, id) = self.file_at(path)?;
        let content = self.files.entry(id).or_default();
        *content = Content::settled(content.cached().to_vec());
        Ok(content)
    }

    /// Puts a file there, durable with the directories above it.
    fn put(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let parts = split(path)?;
        let (name, above) = parts.split_last().ok_or(ErrorKind::IsADirectory)?;
        self.create_directory(&above.join("/"))?;
        for depth in 0..above.len() {
            let directory = self.walk(&above[..depth])?;
            self.directory(directory).settle();
        }
        let directory = self.walk(above)?;
        if let Some(Node::Directory(_)) = self.names(directory).get(*name) {
            return Err(ErrorKind::IsADirectory.into());
        }
        let file = self.number();
        self.files.insert(file, Content::settled(bytes.to_vec()));
        self.directory(directory).set(name, Some(Node::File(file)));
        Ok(())
    }

    /// Takes a file away, durably.
    fn delete(&mut self, path: &str) -> io::Result<()> {
        let (directory, name, _) = self.file_at(path)?;
        self.directory(directory).set(name, None);
        self.sweep();
        Ok(())
    }
}
