//! The binary in a process of its own.

use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde_json::Value;
use sluice_testing::Watched;
use tempfile::TempDir;

use crate::{SOON, binary};

/// A running `sluice run pipeline.yaml`. Dropping it kills the process.
#[derive(Debug)]
pub struct Sluice {
    child: Child,
    log: Arc<Watched<Log>>,
    directory: Arc<TempDir>,
}

/// What the process has written to its standard error, and to its standard output.
#[derive(Debug, Default)]
pub struct Log {
    /// Its log lines, one JSON object each; a line that is no JSON (a panic) is a string.
    pub lines: Vec<Value>,
    /// Its standard output.
    pub output: String,
    /// Whether it has closed its standard error, which means that it has ended.
    pub is_over: bool,
}

impl Log {
    /// A field of a log line, wherever the format puts it.
    fn field<'a>(line: &'a Value, name: &str) -> Option<&'a str> {
        line.get("fields")
            .and_then(|fields| fields.get(name))
            .or_else(|| line.get(name))?
            .as_str()
    }

    /// The address at which `component` said that it listens for `protocol`.
    fn address(&self, component: &str, protocol: &str) -> Option<SocketAddr> {
        let says = |line: &Value, name: &str, value: &str| Self::field(line, name) == Some(value);
        let line = self.lines.iter().find(|line| {
            says(line, "message", "listening")
                && says(line, "component", component)
                && says(line, "protocol", protocol)
        })?;
        Self::field(line, "address")?.parse().ok()
    }

    /// All of it as text.
    #[must_use]
    pub fn text(&self) -> String {
        let lines: Vec<String> = self.lines.iter().map(ToString::to_string).collect();
        format!("{}\n{}", lines.join("\n"), self.output)
    }
}

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Everything that it wrote.
    pub log: String,
}

impl Sluice {
    /// Starts the binary on `pipeline`, a YAML text. Receivers should listen on `127.0.0.1:0`.
    #[must_use]
    pub fn start(pipeline: &str) -> Self {
        Self::start_with(pipeline, &[])
    }

    /// Starts the binary on `pipeline` with these environment variables.
    #[must_use]
    pub fn start_with(pipeline: &str, environment: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self::start_in(Arc::new(directory), pipeline, environment)
    }

    /// Starts the binary in a directory where it may have run before: its ledger is there.
    #[must_use]
    pub fn start_in(directory: Arc<TempDir>, pipeline: &str, environment: &[(&str, &str)]) -> Self {
        let file = directory.path().join("pipeline.yaml");
        std::fs::write(&file, pipeline).expect("a file in it");
        Self::spawn(directory, environment)
    }

    /// Starts the binary in a directory that has a `pipeline.yaml` already.
    #[must_use]
    pub fn start_in_place(directory: Arc<TempDir>) -> Self {
        Self::spawn(directory, &[])
    }

    fn spawn(directory: Arc<TempDir>, environment: &[(&str, &str)]) -> Self {
        let file = directory.path().join("pipeline.yaml");
        let mut child = Command::new(binary::path())
            .args(["run", "--log-format", "json"])
            .arg(&file)
            .current_dir(directory.path())
            .envs(environment.iter().copied())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let log = Arc::new(Watched::new(Log::default()));
        read(
            child.stderr.take().expect("it is piped"),
            Arc::clone(&log),
            |log, line| {
                log.lines
                    .push(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            },
            |log| log.is_over = true,
        );
        read(
            child.stdout.take().expect("it is piped"),
            Arc::clone(&log),
            |log, line| {
                log.output.push_str(&line);
                log.output.push('\n');
            },
            |_| (),
        );
        Self {
            child,
            log,
            directory,
        }
    }

    /// Where `component` (its id in the file) listens for `protocol` (`grpc` or `http`); waits until it does.
    pub async fn address(&self, component: &str, protocol: &str) -> SocketAddr {
        let found = self
            .log
            .wait_for(
                |log| log.is_over || log.address(component, protocol).is_some(),
                SOON,
            )
            .await;
        match self.log.read(|log| log.address(component, protocol)) {
            Some(address) => address,
            None => panic!(
                "{component} does not listen for {protocol} ({found:?}):\n{}",
                self.log_text()
            ),
        }
    }

    /// `http://ADDRESS` followed by `path`.
    pub async fn url(&self, component: &str, protocol: &str, path: &str) -> String {
        format!("http://{}{path}", self.address(component, protocol).await)
    }

    /// What it has written so far.
    #[must_use]
    pub fn log(&self) -> &Watched<Log> {
        &self.log
    }

    /// What it has written so far, as text.
    #[must_use]
    pub fn log_text(&self) -> String {
        self.log.read(Log::text)
    }

    /// Its working directory, with `pipeline.yaml` in it.
    #[must_use]
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it has had resident, in bytes (`VmHWM`).
    #[must_use]
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .expect("a running process has a status");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .expect("the kernel counts the peak");
        let kibibytes: u64 = line
            .trim()
            .trim_end_matches("kB")
            .trim()
            .parse()
            .expect("a number of kB");
        kibibytes << 10
    }

    /// The memory that it has resident now, in bytes, and how many files it has open.
    #[must_use]
    pub fn footprint(&self) -> (u64, usize) {
        let proc = std::path::Path::new("/proc").join(self.child.id().to_string());
        let pages = std::fs::read_to_string(proc.join("statm")).expect("a running process");
        let resident = pages.split(' ').nth(1).and_then(|n| n.parse::<u64>().ok());
        let files = std::fs::read_dir(proc.join("fd")).expect("it is ours");
        (
            resident.expect("a number of pages") * rustix::param::page_size() as u64,
            files.count(),
        )
    }

    /// Ends it as a crash does (SIGKILL), at once. What it had in its directory stays there.
    #[must_use]
    pub fn kill(mut self) -> Arc<TempDir> {
        self.child.kill().expect("the child is ours");
        self.child.wait().expect("the child is ours");
        self.directory.clone()
    }

    /// The directory, for the next process in it.
    #[must_use]
    pub fn keep(&self) -> Arc<TempDir> {
        self.directory.clone()
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process id");
        rustix::process::kill_process(pid, signal)
            .expect("the process is there until it was waited for");
    }

    /// Waits until it has ended by itself or by [`Sluice::terminate`].
    pub async fn ended(mut self) -> Ended {
        self.log
            .wait_for(|log| log.is_over, SOON)
            .await
            .unwrap_or_else(|late| panic!("it does not end: {late}"));
        let status = self.exit_status().await;
        Ended {
            code: status.code(),
            log: self.log_text(),
        }
    }

    /// Asks it to end and waits until it has.
    pub async fn stop(self) -> Ended {
        self.terminate();
        self.ended().await
    }

    /// The status of a process that has closed its standard error, which is a moment before it can be waited for.
    async fn exit_status(&mut self) -> ExitStatus {
        let deadline = tokio::time::Instant::now() + SOON;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                return status;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "it closed its log and lives on"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Sluice {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- sluice wrote:\n{}", self.log_text());
        }
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines on a thread of its own, until the pipe is closed.
fn read(
    pipe: impl Read + Send + 'static,
    log: Arc<Watched<Log>>,
    line: impl Fn(&mut Log, String) + Send + 'static,
    over: impl Fn(&mut Log) + Send + 'static,
) {
    std::thread::spawn(move || {
        for text in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            log.edit(|log| line(log, String::from_utf8_lossy(&text).into_owned()));
        }
        log.edit(over);
    });
}
