//! `log.record.uid` of a record whose event has no id of its own.

use aws_lc_rs::digest::{Context, SHA256, digest};
use uuid::{Builder, Uuid};

/// A verified delivery by its content: the sender's id of it and the SHA-256 of the body, equal over the sender's
/// retries. The body belongs to it because some schemes (GitHub's) do not sign the id, and because another body under
/// the same id is no repetition.
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery(Vec<u8>);

impl Delivery {
    /// `body` is without compression.
    #[must_use]
    pub fn new(id: &str, body: &[u8]) -> Self {
        Self([digest(&SHA256, body).as_ref(), id.as_bytes()].concat())
    }

    /// Bytes that no other delivery has: the digest has a fixed length, so where the id begins is certain.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Ids are event content.
        f.write_str("Delivery(***)")
    }
}

/// The uid of the record at `position` (from 0) of its request.
///
/// Of a delivery: a UUID of version 8 (RFC 9562, section 5.8) made of the first bytes of
/// SHA-256(position as 8 bytes, big endian; SHA-256 of the body; the delivery's id). A retry so gives each record the
/// uid that it had, and copies are told further on. Without one: version 7, new each time.
pub(super) fn uid(delivery: Option<&Delivery>, position: usize) -> String {
    let uid = match delivery {
        None => Uuid::now_v7(),
        Some(delivery) => {
            let mut context = Context::new(&SHA256);
            context.update(&(position as u64).to_be_bytes());
            context.update(delivery.as_bytes());
            let mut bytes = [0; 16];
            bytes.copy_from_slice(&context.finish().as_ref()[..16]);
            Builder::from_custom_bytes(bytes).into_uuid()
        }
    };
    uid.to_string()
}
