//! How much memory the process holds, and how much it may have.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Probe;

/// This process, read from `/proc`.
#[derive(Debug)]
pub struct ProcessProbe {
    started: Instant,
}

impl ProcessProbe {
    /// A probe whose clock starts now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for ProcessProbe {
    fn default() -> Self {
        Self::new()
    }
}

impl Probe for ProcessProbe {
    // `status` rather than `statm`: it gives kibibytes, where `statm` counts pages of a size that is not written there.
    fn resident_bytes(&self) -> Option<u64> {
        kibibytes(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Bytes of memory that this process may have: the lowest limit of its cgroup and the cgroups above (v2, else v1), but
/// no more than the machine has (`MemTotal`). `root` is `/`. `None` when nothing of it can be read.
#[must_use]
pub fn memory_limit(root: &Path) -> Option<u64> {
    let machine = fs::read_to_string(root.join("proc/meminfo"))
        .ok()
        .and_then(|text| kibibytes(&text, "MemTotal:"));
    [machine, cgroup_v2(root), cgroup_v1(root)]
        .into_iter()
        .flatten()
        .min()
}

fn cgroup_v2(root: &Path) -> Option<u64> {
    let cgroups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let own = cgroups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let top = root.join("sys/fs/cgroup");
    top.join(own)
        .ancestors()
        .take_while(|directory| directory.starts_with(&top))
        // A cgroup without a limit says `max`, which is no number.
        .filter_map(|directory| number(&directory.join("memory.max")))
        .min()
}

fn cgroup_v1(root: &Path) -> Option<u64> {
    number(&root.join("sys/fs/cgroup/memory/memory.limit_in_bytes"))
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The value of a line such as `VmRSS:     1234 kB`, in bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let file = root.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        root
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:        8192 kB\nMemFree:  1 kB\n");

    #[test]
    fn the_lowest_cgroup_limit_above_the_process_counts() {
        let root = machine(&[
            MEMINFO,
            ("proc/self/cgroup", "0::/pod/box\n"),
            ("sys/fs/cgroup/pod/box/memory.max", "max\n"),
            ("sys/fs/cgroup/pod/memory.max", "4096\n"),
            ("sys/fs/cgroup/memory.max", "6000\n"),
        ]);
        assert_eq!(memory_limit(root.path()), Some(4096));
    }

    #[test]
    fn a_version_1_cgroup_counts_too() {
        let root = machine(&[
            MEMINFO,
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "5000\n"),
        ]);
        assert_eq!(memory_limit(root.path()), Some(5000));
    }

    #[test]
    fn without_a_limit_it_is_what_the_machine_has() {
        // Version 1 says "no limit" with a huge number.
        let root = machine(&[
            MEMINFO,
            (
                "sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
        ]);
        assert_eq!(memory_limit(root.path()), Some(8192 * 1024));
        assert_eq!(memory_limit(machine(&[]).path()), None);
    }

    #[test]
    fn the_process_holds_some_memory() {
        let resident = ProcessProbe::new().resident_bytes().unwrap();
        assert!((100 << 10..1 << 40).contains(&resident), "{resident}");
    }
}
