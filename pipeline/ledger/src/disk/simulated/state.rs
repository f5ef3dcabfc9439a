//! What the disk holds: files, and directories whose names lead to them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};

use super::NameOrder;
use super::content::Content;
use super::names::{Directory, Names, Node};
use super::random::Random;

/// The directory all paths start from.
pub(super) const ROOT: u64 = 0;

/// Ordered maps, because a walk over them throws dice.
#[derive(Debug)]
pub(super) struct State {
    pub(super) files: BTreeMap<u64, Content>,
    pub(super) directories: BTreeMap<u64, Directory>,
    /// How many handles a file has.
    pub(super) open: BTreeMap<u64, usize>,
    pub(super) random: Random,
    pub(super) capacity: Option<u64>,
    pub(super) order: NameOrder,
    next: u64,
}

impl State {
    pub(super) fn new(random: Random) -> Self {
        Self {
            files: BTreeMap::new(),
            directories: BTreeMap::from([(ROOT, Directory::default())]),
            open: BTreeMap::new(),
            random,
            capacity: None,
            order: NameOrder::default(),
            next: ROOT + 1,
        }
    }

    /// A disk of its own that holds what a process sees on this one, all of it durable.
    pub(super) fn copy(&self) -> Self {
        let files = self.files.iter();
        let directories = self.directories.iter();
        let mut copy = Self::new(self.random.clone());
        copy.files = files
            .map(|(id, file)| (*id, Content::settled(file.cached().to_vec())))
            .collect();
        copy.directories = directories
            .map(|(id, directory)| (*id, Directory::settled(directory.cached().clone())))
            .collect();
        copy.capacity = self.capacity;
        copy.order = self.order;
        copy.next = self.next;
        copy.sweep();
        copy
    }

    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    pub(super) fn walk(&self, parts: &[&str]) -> io::Result<u64> {
        let mut at = ROOT;
        for part in parts {
            at = match self.names(at).get(*part) {
                Some(Node::Directory(id)) => *id,
                Some(Node::File(_)) => return Err(ErrorKind::NotADirectory.into()),
                None => return Err(ErrorKind::NotFound.into()),
            };
        }
        Ok(at)
    }

    pub(super) fn names(&self, directory: u64) -> &Names {
        self.directories[&directory].cached()
    }

    pub(super) fn directory(&mut self, id: u64) -> &mut Directory {
        self.directories.entry(id).or_default()
    }

    /// The directory of a path and the name in it.
    pub(super) fn parent<'path>(&self, path: &'path str) -> io::Result<(u64, &'path str)> {
        let parts = split(path)?;
        let (name, above) = parts.split_last().ok_or(ErrorKind::IsADirectory)?;
        Ok((self.walk(above)?, name))
    }

    /// The file that a path names, with its place.
    pub(super) fn file_at<'path>(&self, path: &'path str) -> io::Result<(u64, &'path str, u64)> {
        let (directory, name) = self.parent(path)?;
        match self.names(directory).get(name) {
            Some(Node::File(id)) => Ok((directory, name, *id)),
            Some(Node::Directory(_)) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn content(&self, file: u64) -> &[u8] {
        self.files.get(&file).map_or(&[], Content::cached)
    }

    /// Bytes in files that have a name or a handle.
    pub(super) fn used(&self) -> u64 {
        let mut files: BTreeSet<u64> = self.open.keys().copied().collect();
        for directory in self.directories.values() {
            for node in directory.cached().values() {
                if let Node::File(id) = node {
                    files.insert(*id);
                }
            }
        }
        files.iter().map(|id| self.content(*id).len() as u64).sum()
    }

    pub(super) fn room(&self) -> usize {
        let room = self.capacity.map(|all| all.saturating_sub(self.used()));
        room.map_or(usize::MAX, |room| {
            usize::try_from(room).unwrap_or(usize::MAX)
        })
    }

    /// Drops what no name leads to, on the platter or in the cache, and no handle.
    pub(super) fn sweep(&mut self) {
        let mut reached = BTreeSet::new();
        let mut ahead = vec![ROOT];
        while let Some(directory) = ahead.pop() {
            for node in self.directories[&directory].nodes() {
                if reached.insert(node)
                    && let Node::Directory(id) = node
                {
                    ahead.push(id);
                }
            }
        }
        let open = &self.open;
        self.files
            .retain(|id, _| reached.contains(&Node::File(*id)) || open.contains_key(id));
        self.directories
            .retain(|id, _| *id == ROOT || reached.contains(&Node::Directory(*id)));
    }

    /// Every file by its path, in the order of the paths.
    pub(super) fn tree(&self, durable: bool) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut ahead = vec![(String::new(), ROOT)];
        while let Some((above, directory)) = ahead.pop() {
            let directory = &self.directories[&directory];
            let names = if durable {
                directory.durable()
            } else {
                directory.cached()
            };
            for (name, node) in names {
                match node {
                    Node::Directory(id) => ahead.push((format!("{above}{name}/"), *id)),
                    Node::File(id) => {
                        let file = self.files.get(id);
                        let bytes = file.map(|file| {
                            if durable {
                                file.durable()
                            } else {
                                file.cached()
                            }
                        });
                        files.push((format!("{above}{name}"), bytes.unwrap_or_default().to_vec()));
                    }
                }
            }
        }
        files.sort();
        files
    }
}

/// The parts of a path, which leads down from the root.
pub(super) fn split(path: &str) -> io::Result<Vec<&str>> {
    if path.starts_with('/') || path.split('/').any(|part| part == "..") {
        let why = format!("{path} does not stay below the directory of the disk");
        return Err(io::Error::new(ErrorKind::InvalidInput, why));
    }
    let parts = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".");
    Ok(parts.collect())
}
