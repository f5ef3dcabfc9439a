//! Listening sockets, which outlive the receivers that use them.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use parking_lot::Mutex;
use sluice_component::{BuildError, Sockets};

/// Sockets by address as written; a second call for one address gets the same socket.
#[derive(Debug, Default)]
pub(crate) struct BoundSockets {
    open: Mutex<HashMap<String, TcpListener>>,
}

/// Connections the kernel keeps for us while all places are taken.
const BACKLOG: i32 = 1024;

impl Sockets for BoundSockets {
    fn listen(&self, address: &str) -> Result<TcpListener, BuildError> {
        let mut open = self.open.lock();
        let failed =
            |error: std::io::Error| BuildError(format!("cannot listen on {address}: {error}"));
        if !address.ends_with(":0")
            && let Some(socket) = open.get(address)
        {
            return socket.try_clone().map_err(failed);
        }
        let mut last = None;
        // An empty host means every interface, as in the Collector.
        let resolvable = if address.starts_with(':') {
            format!("0.0.0.0{address}")
        } else {
            address.to_owned()
        };
        for candidate in resolvable.to_socket_addrs().map_err(failed)? {
            match bind(candidate) {
                Ok(socket) => {
                    let lent = socket.try_clone().map_err(failed)?;
                    open.insert(address.to_owned(), socket);
                    return Ok(lent);
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.map_or_else(
            || BuildError(format!("cannot listen on {address}: it names no address")),
            failed,
        ))
    }
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
