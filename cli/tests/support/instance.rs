//! Instances that run on a ledger that was made, and where they send.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::{Made, Ran, command};

/// A destination that takes everything, or hangs, and what it got.
pub(crate) struct Destination {
    url: String,
    pub(crate) bodies: Arc<Mutex<Vec<axum::body::Bytes>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Destination {
    pub(crate) fn start() -> Self {
        Self::serve(false)
    }

    /// One that never answers.
    pub(crate) fn hung() -> Self {
        Self::serve(true)
    }

    fn serve(is_hung: bool) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let seen = bodies.clone();
        let take = move |body: axum::body::Bytes| async move {
            seen.lock().unwrap().push(body);
            if is_hung {
                std::future::pending::<()>().await;
            }
        };
        let router = axum::Router::new().fallback(axum::routing::post(take));
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            bodies,
            _runtime: runtime,
        }
    }

    /// Waits until something came.
    pub(crate) fn reached(&self) {
        while self.bodies.lock().unwrap().is_empty() {
            std::thread::yield_now();
        }
    }
}

/// Writes a `pipeline.yaml` beside the ledger that sends to these, with more keys for the ledger.
pub(crate) fn configure(made: &Made, exporters: &[(&str, &Destination)], ledger: &str) {
    let blocks: String = exporters
        .iter()
        .map(|(id, d)| format!("  {id}:\n    endpoint: {}\n    compression: none\n", d.url))
        .collect();
    let ids: Vec<_> = exporters.iter().map(|(id, _)| *id).collect();
    let text = format!(
        "receivers:\n  otlp:\n    protocols:\n      http:\n        endpoint: 127.0.0.1:0\nexporters:\n{blocks}service:\n  admin: none\n  ledger: {{directory: {}, origin: test/node{ledger}}}\n  pipelines:\n    logs: {{receivers: [otlp], exporters: [{}]}}\n",
        made.text(),
        ids.join(", ")
    );
    fs::write(made.file("pipeline.yaml"), text).unwrap();
}

/// An instance that runs on a ledger and answers on its socket.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(made: &Made) -> Self {
        let config = made.file("pipeline.yaml");
        let mut child = command(&["run", "--log-format", "json", config.to_str().unwrap()])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(
            lines.any(|line| line.unwrap().contains("\"running\"")),
            "it starts"
        );
        // What it logs later must find a reader.
        std::thread::spawn(move || lines.count());
        while !made.file("admin.sock").try_exists().unwrap() {
            std::thread::yield_now();
        }
        Self(child)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Has it drain, and waits until it has ended.
    pub(crate) fn stop(mut self) {
        signal(self.0.id(), "TERM");
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn signal(process: u32, name: &str) {
    let kill = format!("kill -{name} {process}");
    let sent = Command::new("sh").args(["-c", &kill]).status().unwrap();
    assert!(sent.success());
}

/// How a command ended that was spawned.
pub(crate) fn ended(child: Child) -> Ran {
    child.wait_with_output().unwrap().into()
}
