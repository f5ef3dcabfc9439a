//! What a child process has cost so far, and a guard that ends it when the bench is gone.

use std::process::{Child, Command, Stdio};

/// A process by its id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// CPU seconds, in user and kernel mode, of all its threads.
    pub(crate) fn cpu(self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0))
            .expect("a running process has one");
        // The name in parentheses may hold anything; utime and stime are fields 14 and 15.
        let (_, rest) = stat.rsplit_once(')').expect("the name is in parentheses");
        let ticks: u64 = rest
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|field| field.parse::<u64>().expect("a number of ticks"))
            .sum();
        ticks as f64 / rustix::param::clock_ticks_per_second() as f64
    }

    /// Bytes that it has had from `read` and its like: of files, and of few sockets (most use `recv`).
    pub(crate) fn read(self) -> u64 {
        let io = std::fs::read_to_string(format!("/proc/{}/io", self.0)).unwrap_or_default();
        let line = io.lines().find_map(|line| line.strip_prefix("rchar:"));
        line.and_then(|line| line.trim().parse().ok()).unwrap_or(0)
    }

    /// Bytes resident now.
    pub(crate) fn resident(self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most bytes that were resident at once.
    pub(crate) fn peak(self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(self, name: &str) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kibibytes = line
            .and_then(|line| {
                line.trim()
                    .trim_end_matches("kB")
                    .trim()
                    .parse::<u64>()
                    .ok()
            })
            .unwrap_or(0);
        kibibytes << 10
    }
}

/// Ends a process should this one die before it could: a shell that waits for the end of a pipe which only we hold.
#[derive(Debug)]
pub(crate) struct Guard(Child);

impl Guard {
    pub(crate) fn over(process: Process) -> Self {
        let child = Command::new("sh")
            .args(["-c", "read _; kill -9 $0 2>/dev/null"])
            .arg(process.0.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("there is a shell");
        Self(child)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Before the process: its id may be another's afterwards.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
