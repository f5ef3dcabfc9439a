//! Ledgers made in this process, and the real program run on them.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod instance;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use sluice_batch::{Batch, Signal, Value};
use sluice_component::Batching;
use sluice_ledger::{CursorId, Ledger, Lock, Reader, Settings, StartAt};

/// 2026-04-20T18:30:00Z: the time of record 0; the others follow second by second.
pub(crate) const BEGIN: u64 = 1_776_709_800_000_000_000;
pub(crate) const SECOND: u64 = 1_000_000_000;

pub(crate) const AT_ONCE: Batching = Batching {
    max_records: 1000,
    max_bytes: 0,
    timeout: None,
    min_records: 0,
};

/// A ledger in a directory of its own.
pub(crate) struct Made {
    pub(crate) directory: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Made {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            runtime: tokio::runtime::Runtime::new().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn text(&self) -> &str {
        self.path().to_str().unwrap()
    }

    /// A file beside the ledger's own.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn open(&self) -> Ledger {
        self.open_with(|_| {})
    }

    pub(crate) fn open_with(&self, change: impl FnOnce(&mut Settings)) -> Ledger {
        let mut settings = Settings::new(self.path());
        settings.origin = Some("test/node".into());
        change(&mut settings);
        Ledger::open(settings).unwrap()
    }

    /// Closes it and waits until the lock is free: a program that another test starts at this moment has a copy of
    /// every open file until it runs.
    pub(crate) fn close(&self, ledger: Ledger) {
        ledger.close();
        drop(ledger);
        while Lock::is_held(self.path()) {
            std::thread::yield_now();
        }
    }

    pub(crate) fn append(&self, ledger: &Ledger, pipeline: &str, batch: Batch) {
        self.runtime
            .block_on(ledger.append(vec![(pipeline.into(), batch)]))
            .unwrap();
    }

    pub(crate) fn reader(&self, ledger: &Ledger, pipeline: &str, exporter: &str) -> Reader {
        ledger
            .reader(id(pipeline, exporter), StartAt::Beginning)
            .unwrap()
    }

    /// Has a destination refuse these of the next records, and take the others.
    pub(crate) fn refuse(&self, reader: &mut Reader, refused: &[u32], reason: &str) {
        self.runtime.block_on(async {
            let lease = reader.next(&AT_ONCE).await;
            for i in 0..lease.batch.len() as u32 {
                if refused.contains(&i) {
                    lease.refused(i..i + 1, reason, 3).await.unwrap();
                } else {
                    lease.delivered(i..i + 1);
                }
            }
        });
    }

    pub(crate) fn segment(&self, first: u64) -> PathBuf {
        self.path().join(format!("segments/{first:020}.seg"))
    }

    /// Turns a byte in the middle of the frame that begins with this record, and says which records that takes.
    pub(crate) fn damage(&self, segment: u64, frame: usize) {
        let path = self.segment(segment);
        let mut bytes = fs::read(&path).unwrap();
        let mark = b"\xF7SLf";
        let starts: Vec<usize> = (0..bytes.len() - mark.len())
            .filter(|i| bytes[*i..].starts_with(mark))
            .collect();
        bytes[starts[frame] + 130] ^= 0xFF;
        fs::write(&path, bytes).unwrap();
    }
}

pub(crate) fn id(pipeline: &str, exporter: &str) -> CursorId {
    CursorId {
        pipeline: Arc::from(pipeline),
        exporter: Arc::from(exporter),
    }
}

/// Records with these numbers, each at its second, of the user `even` or `odd`.
pub(crate) fn batch(numbers: impl IntoIterator<Item = u64>) -> Batch {
    let mut batch = Batch::new(Signal::Logs);
    for number in numbers {
        let mut record = batch.push_log();
        record.set_time(BEGIN + number * SECOND);
        record.set("n", Value::Int(number as i64));
        let user = if number % 2 == 0 { "even" } else { "odd" };
        record.set("user.id", Value::Str(user));
        record.set_body(Value::Str("=decision"));
    }
    batch
}

pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }

    /// Its lines as JSON.
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        let lines = self.text().lines();
        lines.map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    /// The sequence numbers in its lines.
    pub(crate) fn sequences(&self) -> Vec<u64> {
        let lines = self.lines();
        lines
            .iter()
            .map(|l| l["sequence"].as_u64().unwrap())
            .collect()
    }
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command.args(arguments).env_clear();
    command
}

pub(crate) fn sluice(arguments: &[&str]) -> Ran {
    command(arguments).output().unwrap().into()
}

/// One that runs on.
pub(crate) fn spawned(arguments: &[&str]) -> Child {
    let mut command = command(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: output.stdout,
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
