//! Real servers as child processes that end with the test.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sluice_tests::senders;
use tempfile::TempDir;

/// The folder of an installed peer. `None`, and a line that says why, when it is not installed here.
///
/// # Panics
/// In CI, where every peer must be there.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let cache = std::env::var_os("SLUICE_PEERS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers"),
        PathBuf::from,
    );
    let folder = cache.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    let status = std::fs::read_to_string(cache.join("status")).unwrap_or_default();
    let why = status
        .lines()
        .find(|l| l.starts_with(name))
        .unwrap_or("not installed: bash tests/peers/install.sh");
    assert!(
        std::env::var_os("CI").is_none(),
        "peer {name} is missing: {why}"
    );
    eprintln!("SKIPPED, peer {name} is missing: {why}");
    None
}

/// A port that was free a moment ago. Real servers cannot be handed a bound socket, so another process may take it in
/// between; the start is then tried again with another.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .expect("a free port")
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Peer {
    child: Child,
    pub(crate) addresses: Vec<SocketAddr>,
    /// Its files; removed with it.
    home: TempDir,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Peer {
    /// Starts a server on `ports` fresh ports and waits until it answers HTTP GET on `ready` of its first port (or
    /// takes a connection, without `ready`).
    async fn start(
        ports: usize,
        ready: Option<&str>,
        command: impl Fn(&[SocketAddr], &Path) -> Command,
    ) -> Self {
        for _ in 0..3 {
            let home = tempfile::tempdir().expect("a temporary directory");
            let addresses: Vec<SocketAddr> = (0..ports).map(|_| free_address()).collect();
            let log = std::fs::File::create(home.path().join("log")).expect("a log file");
            let child = command(&addresses, home.path())
                .stdin(Stdio::null())
                .stdout(log.try_clone().expect("a log file"))
                .stderr(log)
                .spawn()
                .expect("the peer starts");
            let mut peer = Self {
                child,
                addresses,
                home,
            };
            if peer.is_ready(ready).await {
                return peer;
            }
            let log = std::fs::read_to_string(peer.home.path().join("log")).unwrap_or_default();
            eprintln!(
                "a peer did not start:\n{}",
                &log[log.len().saturating_sub(2000)..]
            );
        }
        panic!("the peer did not start in three attempts");
    }

    /// What it has written so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    async fn is_ready(&mut self, path: Option<&str>) -> bool {
        // A real server says nothing when it becomes ready: ask until it answers, at most two minutes.
        let mut asking = tokio::time::interval(Duration::from_millis(100));
        for _ in 0..1200 {
            asking.tick().await;
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return false;
            }
            let is_up = match path {
                Some(path) => {
                    let url = format!("http://{}{path}", self.addresses[0]);
                    senders::client()
                        .get(url)
                        .send()
                        .await
                        .is_ok_and(|r| r.status().is_success())
                }
                None => tokio::net::TcpStream::connect(self.addresses[0])
                    .await
                    .is_ok(),
            };
            if is_up {
                return true;
            }
        }
        false
    }

    /// An OpenTelemetry Collector: addresses are OTLP/gRPC and OTLP/HTTP. `exporters` is YAML of its `exporters`
    /// section, all of which its pipelines use.
    pub(crate) async fn collector(exporters: &str, names: &str) -> Option<Self> {
        let folder = installed("otelcol")?;
        let start = Self::start(2, None, move |addresses, home| {
            let config = format!(
                "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '{}'}}, http: {{endpoint: '{}'}}}}}}}}\n\
                 exporters:\n{exporters}\n\
                 service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines:\n    logs: {{receivers: [otlp], exporters: [{names}]}}\n    \
                 traces: {{receivers: [otlp], exporters: [{names}]}}\n    metrics: {{receivers: [otlp], exporters: [{names}]}}\n",
                addresses[0], addresses[1]
            );
            let file = home.join("config.yaml");
            std::fs::write(&file, config).expect("a file");
            let mut command = Command::new(folder.join("otelcol"));
            command.arg("--config").arg(file);
            command
        });
        Some(start.await)
    }

    /// An OpenSearch node.
    pub(crate) async fn opensearch() -> Option<Self> {
        let folder = installed("opensearch")?;
        let start = Self::start(
            1,
            Some("/_cluster/health?wait_for_status=yellow"),
            move |addresses, home| {
                let mut command = Command::new("java");
                command
                    .args(["-Xms512m", "-Xmx512m", "-cp"])
                    .arg(folder.join("lib/*"))
                    .arg(folder.join("Start.java"));
                command
                    .arg(addresses[0].port().to_string())
                    .arg(home.join("node"))
                    .current_dir(home);
                command
            },
        );
        Some(start.await)
    }

    /// An Elasticsearch node, with the failure store.
    pub(crate) async fn elasticsearch() -> Option<Self> {
        let folder = installed("elasticsearch")?;
        let start = Self::start(
            1,
            Some("/_cluster/health?wait_for_status=yellow"),
            move |addresses, home| {
                let node = home.join("node");
                std::fs::create_dir_all(node.join("config")).expect("a directory");
                std::os::unix::fs::symlink(folder.join("home/modules"), node.join("modules"))
                    .expect("a link");
                let mut command = Command::new("java");
                command
                    .args(["-Xms512m", "-Xmx512m", "-cp"])
                    .arg(folder.join("lib/*"))
                    .arg(folder.join("Start.java"));
                command
                    .arg(addresses[0].port().to_string())
                    .arg(node)
                    .current_dir(home);
                command
            },
        );
        Some(start.await)
    }

    /// A Toxiproxy; its first port takes orders, see [`crate::toxic`].
    pub(crate) async fn toxiproxy() -> Option<Self> {
        let folder = installed("toxiproxy")?;
        let start = Self::start(1, Some("/version"), move |addresses, _| {
            let mut command = Command::new(folder.join("toxiproxy"));
            command
                .args(["-host", "127.0.0.1", "-port"])
                .arg(addresses[0].port().to_string());
            command
        });
        Some(start.await)
    }

    /// A URL on its first port.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addresses[0])
    }
}
