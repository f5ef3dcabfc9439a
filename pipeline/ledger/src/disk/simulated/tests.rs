//! What the simulated disk may do beyond what every disk does.

use std::collections::BTreeSet;
use std::io;

use super::{NameOrder, SimulatedDisk};
use crate::disk::{Disk, File, read, replace};

mod damage;
mod ends;
mod faults;
mod power_loss;

/// A file with a durable name and durable content.
fn durable(disk: &SimulatedDisk, path: &str, bytes: &[u8]) -> Box<dyn File> {
    let file = disk.create(path).unwrap();
    file.append(bytes).unwrap();
    file.sync().unwrap();
    disk.sync_directory(path.rsplit_once('/').map_or("", |(directory, _)| directory))
        .unwrap();
    file
}

fn content(disk: &SimulatedDisk, path: &str) -> Option<Vec<u8>> {
    let mut files = disk.files().into_iter();
    files.find(|(name, _)| name == path).map(|(_, bytes)| bytes)
}

fn names(disk: &SimulatedDisk) -> Vec<String> {
    disk.files().into_iter().map(|(name, _)| name).collect()
}

/// What came out over many seeds.
fn outcomes<T: Ord>(seeds: u64, one: impl Fn(u64) -> T) -> BTreeSet<T> {
    (0..seeds).map(one).collect()
}

fn set<T: Ord, const N: usize>(items: [T; N]) -> BTreeSet<T> {
    BTreeSet::from(items)
}

fn why<T>(result: io::Result<T>) -> String {
    result.map(|_| ()).unwrap_err().to_string()
}
