//! A listening socket with the connections that came through it. It stays while anybody leases it, so a listener's
//! successor finds both, and closes with the last lease.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::sync::Notify;
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
    closing: CancellationToken,
}

struct State {
    /// `None`: closed.
    socket: Option<TcpListener>,
    leases: usize,
    /// Tells the connections of today's trust to end.
    end: CancellationToken,
}

impl Port {
    /// A port with its first lease.
    pub(super) fn new(socket: TcpListener) -> io::Result<(Arc<Self>, Lease)> {
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

    /// Does something with the socket, if it is open.
    pub(super) fn with_socket<R>(&self, work: impl FnOnce(&TcpListener) -> R) -> Option<R> {
        self.state.lock().socket.as_ref().map(work)
    }

    /// Accepts connections until the port closes.
    async fn accept(self: Arc<Self>, socket: tokio::net::TcpListener) {
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
            let _ = socket2::SockRef::from(&socket).shutdown(std::net::Shutdown::Read);
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
    pub(super) fn install(&self, serving: Serving) -> io::Result<bool> {
        let port = &self.port;
        let mut state = port.state.lock();
        let before = port.serving();
        if before.is_none() {
            let socket = state.socket.as_ref().map(TcpListener::try_clone);
            let socket = socket.ok_or_else(|| io::Error::other("the port is closed"))??;
            socket.set_nonblocking(true)?;
            let socket = tokio::net::TcpListener::from_std(socket)?;
            tokio::spawn(port.clone().accept(socket));
        }
        let is_as_before = before.as_ref().is_none_or(|b| b.trust == serving.trust);
        port.serving.store(Some(Arc::new(serving)));
        if !is_as_before {
            std::mem::replace(&mut state.end, port.closing.child_token()).cancel();
        }
        port.changed.notify_one();
        Ok(before.is_none())
    }

    /// Gives the lease back. If it was the last one, waits until the port's connections have ended.
    pub(super) async fn end(self) {
        let port = self.port.clone();
        drop(self);
        if port.closing.is_cancelled() {
            port.connections.wait().await;
        }
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
