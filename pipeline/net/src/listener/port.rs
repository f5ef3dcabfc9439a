//! A listening socket with the connections that came through it. It stays while anybody leases it, so a listener's
//! successor finds both, and closes with the last lease.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::admit;
use super::{DynRespond, Limits};

/// Wait after a connection could not be accepted: out of descriptors, mostly.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

/// What is in force on a port.
pub(super) struct Serving {
    pub(super) respond: Arc<dyn DynRespond>,
    pub(super) limits: Limits,
    pub(super) tls: Option<TlsAcceptor>,
    /// How clients prove themselves; connections end when it changes.
    pub(super) trust: Option<Vec<u8>>,
    /// How often that has changed on this port; set when it is put in force.
    pub(super) era: u64,
    /// Requests that this answers and that are not answered yet.
    pub(super) requests: TaskTracker,
    /// Whether requests' headers go with their batches.
    pub(super) hands_on_headers: bool,
    pub(super) component: String,
}

pub(super) struct Port {
    address: SocketAddr,
    state: Mutex<State>,
    serving: ArcSwapOption<Serving>,
    connections: TaskTracker,
    /// Told when a connection ends and when something else is in force.
    changed: Notify,
    /// Counts what was put in force, for the connections.
    installed: watch::Sender<u64>,
    closing: CancellationToken,
}

struct State {
    /// `None`: closed.
    socket: Option<Arc<TcpListener>>,
    leases: usize,
    /// Tells the connections of today's trust to end.
    end: CancellationToken,
}

impl Port {
    /// A port with its first lease. Whatever can fail fails here, and not when it is put to use.
    pub(super) fn new(socket: std::net::TcpListener) -> io::Result<(Arc<Self>, Lease)> {
        socket.set_nonblocking(true)?;
        let socket = Arc::new(TcpListener::from_std(socket)?);
        let closing = CancellationToken::new();
        let port = Arc::new(Self {
            address: socket.local_addr()?,
            state: Mutex::new(State {
                socket: Some(socket),
                leases: 1,
                end: closing.child_token(),
            }),
            serving: ArcSwapOption::empty(),
            connections: TaskTracker::new(),
            changed: Notify::new(),
            installed: watch::Sender::new(0),
            closing,
        });
        let lease = Lease { port: port.clone() };
        Ok((port, lease))
    }

    /// Another lease; none on a port that is closed.
    pub(super) fn lease(self: &Arc<Self>) -> Option<Lease> {
        let mut state = self.state.lock();
        state.socket.as_ref()?;
        state.leases += 1;
        Some(Lease { port: self.clone() })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What answers a request now. `None` only before the first listener serves.
    pub(super) fn serving(&self) -> Option<Arc<Serving>> {
        self.serving.load_full()
    }

    /// Tells each time that something else is put in force.
    pub(super) fn installed(&self) -> watch::Receiver<u64> {
        self.installed.subscribe()
    }

    /// Does something with the socket, if it is open.
    pub(super) fn with_socket<R>(&self, work: impl FnOnce(&TcpListener) -> R) -> Option<R> {
        self.state.lock().socket.as_deref().map(work)
    }

    /// Accepts connections until the port closes.
    async fn accept(self: Arc<Self>, socket: Arc<TcpListener>) {
        let incoming = async {
            loop {
                self.has_place().await;
                let (stream, address) = match socket.accept().await {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        if self.closing.is_cancelled() {
                            return;
                        }
                        let serving = self.serving();
                        let component = serving.as_ref().map(|s| s.component.as_str());
                        tracing::warn!(component, address = %self.address, %error, "cannot accept a connection");
                        tokio::time::sleep(AFTER_FAILURE).await;
                        continue;
                    }
                };
                let (first, end) = {
                    let state = self.state.lock();
                    (self.serving(), state.end.clone())
                };
                let Some(first) = first else { continue };
                let port = self.clone();
                self.connections.spawn(async move {
                    admit(stream, address.ip(), port.clone(), first, end).await;
                    port.changed.notify_one();
                });
            }
        };
        tokio::select! {
            biased;
            () = self.closing.cancelled() => {}
            () = incoming => {}
        }
    }

    /// Waits until there are fewer connections than there may be; more wait in the socket's backlog.
    async fn has_place(&self) {
        let most = || self.serving().map_or(0, |s| s.limits.max_connections);
        while self.connections.len() >= most() {
            self.changed.notified().await;
        }
    }

    fn close(&self, state: &mut State) {
        if let Some(socket) = state.socket.take() {
            // From here on a client is refused at once, instead of waiting in the backlog for nobody; and whoever
            // binds the address next need not wait for the accepting task to let go of it.
            let _ = socket2::SockRef::from(&*socket).shutdown(std::net::Shutdown::Read);
        }
        self.closing.cancel();
        self.connections.close();
    }
}

/// The right to a port. The last one that is dropped closes it.
pub(super) struct Lease {
    port: Arc<Port>,
}

impl Lease {
    pub(super) fn port(&self) -> &Port {
        &self.port
    }

    /// Puts something in force. Says whether it is the first.
    pub(super) fn install(&self, mut serving: Serving) -> bool {
        let port = &self.port;
        let mut state = port.state.lock();
        let before = port.serving();
        if let (None, Some(socket)) = (&before, &state.socket) {
            tokio::spawn(port.clone().accept(socket.clone()));
        }
        let is_as_before = before.as_ref().is_none_or(|b| b.trust == serving.trust);
        serving.era = before.as_ref().map_or(0, |b| b.era) + u64::from(!is_as_before);
        port.serving.store(Some(Arc::new(serving)));
        port.installed.send_modify(|n| *n += 1);
        if !is_as_before {
            std::mem::replace(&mut state.end, port.closing.child_token()).cancel();
        }
        port.changed.notify_one();
        before.is_none()
    }

    /// Gives the lease back, and waits for the `requests` that came while it was in force, at most this long. If it was
    /// the last lease, waits until the port's connections have ended.
    pub(super) async fn end(self, requests: TaskTracker, at_most: Duration) {
        let port = self.port.clone();
        drop(self);
        if port.closing.is_cancelled() {
            port.connections.wait().await;
        }
        requests.close();
        let _ = tokio::time::timeout(at_most, requests.wait()).await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.port.state.lock();
        state.leases -= 1;
        if state.leases == 0 {
            self.port.close(&mut state);
        }
    }
}
