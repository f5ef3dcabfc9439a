//! What is known of the request that a batch came with, for steps that ask for it.

use std::fmt;
use std::net::IpAddr;

/// Who sent a request. It goes with the batch as far as the steps of a pipeline, and is never stored or sent on by itself.
#[derive(Default)]
pub struct Sender {
    address: Option<IpAddr>,
    /// In the order of the request; a name may stand twice.
    metadata: Vec<(String, String)>,
}

impl Sender {
    /// A sender at an address.
    #[must_use]
    pub fn at(address: Option<IpAddr>) -> Self {
        Self {
            address,
            metadata: Vec::new(),
        }
    }

    /// Adds a header of the request.
    pub fn add(&mut self, name: &str, value: &str) {
        self.metadata.push((name.to_owned(), value.to_owned()));
    }

    /// The other end of the connection: the last proxy, if there is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The values of the headers named `name`, in any case.
    pub fn metadata(&self, name: &str) -> impl Iterator<Item = &str> {
        self.metadata
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Bytes of memory that it takes.
    pub(crate) fn memory(&self) -> usize {
        let texts = self
            .metadata
            .iter()
            .map(|(name, value)| name.len() + value.len());
        texts.sum::<usize>()
            + self.metadata.len() * size_of::<(String, String)>()
            + size_of::<Self>()
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers hold credentials.
        f.debug_struct("Sender")
            .field("headers", &self.metadata.len())
            .finish_non_exhaustive()
    }
}
