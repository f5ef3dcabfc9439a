//! The other end of a connection, as requests tell of it.

use std::net::IpAddr;
use std::sync::Arc;

use http::Request;
use sluice_batch::Sender;

#[derive(Clone, Copy)]
pub(super) struct Peer {
    pub(super) address: IpAddr,
    pub(super) hands_on_headers: bool,
}

impl Peer {
    /// Puts the request's [`Sender`] among its extensions, where receivers find it.
    pub(super) fn introduce<B>(self, request: &mut Request<B>) {
        let mut sender = Sender::at(Some(self.address));
        if self.hands_on_headers {
            for (name, value) in request.headers() {
                sender.add(name.as_str(), &String::from_utf8_lossy(value.as_bytes()));
            }
        }
        request.extensions_mut().insert(Arc::new(sender));
    }
}
