//! The OpenTelemetry Collector as a child process, with its queue on disk.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::place;
use crate::process::{Guard, Process};

/// A running Collector.
#[derive(Debug)]
pub(crate) struct Collector {
    // Dropped before the child is ended.
    guard: Option<Guard>,
    child: Child,
    pub(crate) process: Process,
    pub(crate) otlp: SocketAddr,
    _home: TempDir,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.guard = None;
        // With a queue on disk it can take minutes to leave by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where `tests/peers/otelcol/install.sh` put it.
fn binary() -> Option<PathBuf> {
    let cache = std::env::var_os("SLUICE_PEERS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers"),
        PathBuf::from,
    );
    let binary = cache.join("otelcol/otelcol");
    binary.is_file().then_some(binary)
}

/// From OTLP to `sink`. A sender's OK means, as with Sluice, that the request is in the queue on disk.
fn config(otlp: SocketAddr, sink: SocketAddr, batch: &str) -> String {
    format!(
        "receivers: {{otlp: {{protocols: {{http: {{endpoint: '{otlp}'}}}}}}}}\n\
         extensions: {{file_storage: {{directory: storage, create_directory: true, fsync: true}}}}\n\
         exporters:\n  otlphttp:\n    endpoint: http://{sink}\n    compression: none\n    \
         sending_queue: {{storage: file_storage, queue_size: 100000, block_on_overflow: true{batch}}}\n\
         service:\n  extensions: [file_storage]\n  telemetry: {{metrics: {{level: none}}, logs: {{level: warn}}}}\n  \
         pipelines: {{logs: {{receivers: [otlp], exporters: [otlphttp]}}}}\n"
    )
}

impl Collector {
    /// Starts one; `None` when it is not installed. `batch` is what of `sending_queue` says how to gather.
    ///
    /// # Panics
    /// It does not start, or in CI: it is not installed.
    pub(crate) async fn start(sink: SocketAddr, batch: &str) -> Option<Self> {
        let Some(binary) = binary() else {
            assert!(
                std::env::var_os("CI").is_none(),
                "the Collector is not installed: bash tests/peers/otelcol/install.sh"
            );
            return None;
        };
        // It cannot be handed a bound socket, so another process may take the port in between.
        for _ in 0..3 {
            let home = place::directory();
            let otlp = TcpListener::bind("127.0.0.1:0")
                .and_then(|l| l.local_addr())
                .expect("a free port");
            let file = home.path().join("config.yaml");
            std::fs::write(&file, config(otlp, sink, batch)).expect("a file");
            let log = File::create(home.path().join("log")).expect("a file");
            let child = Command::new(&binary)
                .arg("--config")
                .arg(&file)
                .current_dir(home.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .expect("the Collector starts");
            let process = Process(child.id());
            let mut collector = Self {
                guard: Some(Guard::over(process)),
                child,
                process,
                otlp,
                _home: home,
            };
            if collector.is_ready().await {
                return Some(collector);
            }
            let log =
                std::fs::read_to_string(collector._home.path().join("log")).unwrap_or_default();
            eprintln!("the Collector did not start:\n{log}");
        }
        panic!("the Collector did not start in three attempts");
    }

    async fn is_ready(&mut self) -> bool {
        // It says nothing when it becomes ready: ask until it takes a connection, at most a minute.
        for _ in 0..600 {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return false;
            }
            if tokio::net::TcpStream::connect(self.otlp).await.is_ok() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        false
    }
}
