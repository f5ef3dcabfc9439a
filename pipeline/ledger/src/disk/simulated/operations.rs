//! What the disk does when it is asked. Which operations go wrong is decided outside.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};

use super::NameOrder;
use super::content::Content;
use super::fault::FaultKind;
use super::names::{Directory, Node};
use super::state::{ROOT, State, split};
use crate::disk::Entry;

impl State {
    pub(super) fn create_directory(&mut self, path: &str) -> io::Result<()> {
        let parts = split(path)?;
        let mut at = ROOT;
        for (depth, part) in parts.iter().enumerate() {
            at = match self.names(at).get(*part) {
                Some(Node::Directory(id)) => *id,
                Some(Node::File(_)) if depth + 1 == parts.len() => {
                    return Err(ErrorKind::AlreadyExists.into());
                }
                Some(Node::File(_)) => return Err(ErrorKind::NotADirectory.into()),
                None => {
                    let (new, id) = (self.number(), self.number());
                    self.directories.insert(new, Directory::default());
                    let names = vec![((*part).to_owned(), Some(Node::Directory(new)))];
                    self.directory(at).change(id, names);
                    new
                }
            };
        }
        Ok(())
    }

    pub(super) fn list(&mut self, path: &str) -> io::Result<Vec<Entry>> {
        let directory = self.walk(&split(path)?)?;
        let mut entries = Vec::new();
        for (name, node) in self.names(directory) {
            if let Node::File(id) = node {
                entries.push(Entry {
                    name: name.clone(),
                    len: self.content(*id).len() as u64,
                });
            }
        }
        self.random.shuffle(&mut entries);
        Ok(entries)
    }

    pub(super) fn create(&mut self, path: &str) -> io::Result<u64> {
        let (directory, name) = self.parent(path)?;
        if self.names(directory).contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let (new, id) = (self.number(), self.number());
        self.files.insert(new, Content::default());
        let names = vec![(name.to_owned(), Some(Node::File(new)))];
        self.directory(directory).change(id, names);
        Ok(new)
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let (old, old_name, file) = self.file_at(from)?;
        let (new, new_name) = self.parent(to)?;
        match self.names(new).get(new_name) {
            Some(Node::Directory(_)) => return Err(ErrorKind::IsADirectory.into()),
            Some(Node::File(there)) if *there == file => return Ok(()),
            _ => {}
        }
        let id = self.number();
        let gone = (old_name.to_owned(), None);
        let there = (new_name.to_owned(), Some(Node::File(file)));
        if old == new {
            self.directory(old).change(id, vec![gone, there]);
        } else {
            self.directory(old).change(id, vec![gone]);
            self.directory(new).change(id, vec![there]);
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &str) -> io::Result<()> {
        let (directory, name, _) = self.file_at(path)?;
        let id = self.number();
        self.directory(directory)
            .change(id, vec![(name.to_owned(), None)]);
        Ok(())
    }

    pub(super) fn sync_directory(
        &mut self,
        path: &str,
        fault: Option<FaultKind>,
    ) -> io::Result<()> {
        let directory = self.walk(&split(path)?)?;
        let count = self.directories[&directory].unsynced();
        match fault {
            None => self.commit(BTreeMap::from([(directory, count)])),
            Some(FaultKind::Forgotten) => {
                match self.order {
                    NameOrder::Kept => {
                        let count = self.random.below(count + 1);
                        self.commit(BTreeMap::from([(directory, count)]));
                    }
                    NameOrder::Any => {
                        let directory = self.directories.entry(directory).or_default();
                        directory.sync_some(&mut self.random);
                    }
                }
                self.directory(directory).forget();
            }
            Some(FaultKind::Io | FaultKind::NoSpace) => {}
        }
        self.sweep();
        fault.map_or(Ok(()), |kind| Err(kind.error()))
    }

    pub(super) fn append(&mut self, file: u64, bytes: &[u8]) -> io::Result<()> {
        let fits = self.room().min(bytes.len());
        self.files.entry(file).or_default().append(&bytes[..fits]);
        if fits < bytes.len() {
            return Err(FaultKind::NoSpace.error());
        }
        Ok(())
    }

    pub(super) fn truncate(&mut self, file: u64, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(|_| ErrorKind::FileTooLarge)?;
        let room = self.room();
        let content = self.files.entry(file).or_default();
        if len.saturating_sub(content.cached().len()) > room {
            return Err(FaultKind::NoSpace.error());
        }
        content.resize(len);
        Ok(())
    }

    pub(super) fn sync(&mut self, file: u64, fault: Option<FaultKind>) -> io::Result<()> {
        let content = self.files.entry(file).or_default();
        match fault {
            None => content.sync(),
            Some(FaultKind::Forgotten) => content.forget(&mut self.random),
            Some(FaultKind::Io | FaultKind::NoSpace) => {}
        }
        fault.map_or(Ok(()), |kind| Err(kind.error()))
    }
}
