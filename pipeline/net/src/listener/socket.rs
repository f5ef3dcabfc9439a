//! From an address as written to a port: the one that is open already, or a new one.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::sync::Arc;

use sluice_component::{BuildError, Kept};
use socket2::{Domain, SockRef, Socket, Type};

use super::port::{Lease, Port};

/// Connections the kernel keeps for us while all places are taken.
const BACKLOG: i32 = 1024;

/// Leases the port of `address`. Port 0 always means a new one.
pub(super) fn lease(address: &str, kept: &Kept) -> Result<Lease, BuildError> {
    let failed = |error: io::Error| BuildError(format!("cannot listen on {address}: {error}"));
    // An empty host means every interface, as in the Collector.
    let resolvable = if address.starts_with(':') {
        format!("0.0.0.0{address}")
    } else {
        address.to_owned()
    };
    let candidates: Vec<SocketAddr> = resolvable.to_socket_addrs().map_err(failed)?.collect();
    // A name may mean several addresses: an open port of one of them comes before a new one of another.
    for candidate in &candidates {
        let none = || Err::<(Arc<Port>, Lease), _>(());
        if let Ok(lease) = kept.share(&candidate.to_string(), Port::lease, none) {
            return Ok(lease);
        }
    }
    let others = kept.all::<Port>();
    let mut last = None;
    for candidate in candidates {
        let bound = bind(candidate, &others).and_then(Port::new);
        match bound {
            Ok((port, lease)) => {
                // By what it is bound to: nobody asks for port 0 again.
                let key = port.address().to_string();
                return kept.share(&key, |_| None, || Ok((port, lease)));
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(
        || BuildError(format!("cannot listen on {address}: it names no address")),
        failed,
    ))
}

fn bind(address: SocketAddr, others: &[Arc<Port>]) -> io::Result<TcpListener> {
    match bind_alone(address, false) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            // `localhost:4317` and `0.0.0.0:4317` overlap. When the one in the way is ours, the two may stand beside
            // each other for as long as it takes to change from one to the other.
            let ours: Vec<_> = others
                .iter()
                .filter(|port| port.address().port() == address.port())
                .filter(|port| port.with_socket(|s| is_shared(s, true)) == Some(true))
                .collect();
            if ours.is_empty() {
                return Err(error);
            }
            let bound = bind_alone(address, true);
            for port in ours {
                port.with_socket(|s| is_shared(s, false));
            }
            bound
        }
        bound => bound,
    }
}

/// Lets another socket of this process's user have an overlapping address, or lets it no more. Says whether that worked.
fn is_shared(socket: &tokio::net::TcpListener, shared: bool) -> bool {
    SockRef::from(socket).set_reuse_port(shared).is_ok()
}

fn bind_alone(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_reuse_port(false)?;
    Ok(socket.into())
}
