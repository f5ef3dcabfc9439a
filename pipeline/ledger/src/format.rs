//! Version 1 of the bytes of a segment file; `FORMAT.md` is its description for people. All numbers are little-endian.
//!
//! ```text
//!  segment  = header, frame …, [seal]
//!  header   = 64 bytes
//!  frame    = head (112 bytes), pipeline name, payload
//!  seal     = a frame of kind seal without a name: the segment is complete, and this is what it holds
//! ```

use std::io;

/// The version that this program writes.
pub(crate) const VERSION: u32 = 1;
/// Bytes of a segment's header.
pub(crate) const HEADER: usize = 64;
/// Bytes of a frame's head.
pub(crate) const HEAD: usize = 112;
/// A frame's payload is never longer: requests end at 2 GiB.
pub(crate) const MAX_PAYLOAD: u32 = i32::MAX as u32;
/// A pipeline's name is never longer.
pub(crate) const MAX_NAME: usize = 8192;

const MAGIC: [u8; 8] = *b"SLUICELG";
/// Opens each frame, so that the next whole one can be found behind a damaged one.
pub(crate) const MARK: [u8; 4] = *b"\xF7SLf";

/// What a segment file begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Sequence number of the first record that the segment may hold.
    pub first: u64,
    /// When it was made, unix nanoseconds.
    pub created: u64,
    /// The ledger it belongs to.
    pub ledger: [u8; 16],
}

impl Header {
    /// Its bytes.
    #[must_use]
    pub(crate) fn encode(&self) -> [u8; HEADER] {
        let mut out = Out::<HEADER>::default();
        out.put(&MAGIC);
        out.put(&VERSION.to_le_bytes());
        out.put(&(HEADER as u32).to_le_bytes());
        out.put(&self.first.to_le_bytes());
        out.put(&self.created.to_le_bytes());
        out.put(&self.ledger);
        out.end(Key(0))
    }

    /// The version that it names, which may be one that this program does not know; `None` for what is no header.
    #[must_use]
    pub(crate) fn version(bytes: &[u8]) -> Option<u32> {
        let mut input = In::checked::<HEADER>(bytes, Key(0))?;
        (input.take() == MAGIC).then(|| u32::from_le_bytes(input.take()))
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`Damage`] when these bytes are no header of this version.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let mut input = In::checked::<HEADER>(bytes, Key(0))
            .ok_or(Damage("the segment's header is damaged"))?;
        if input.take() != MAGIC {
            return Err(Damage("this is no segment of a ledger"));
        }
        if u32::from_le_bytes(input.take()) != VERSION {
            return Err(Damage(
                "the segment has a version that this program does not know",
            ));
        }
        let _length: [u8; 4] = input.take();
        Ok(Self {
            first: u64::from_le_bytes(input.take()),
            created: u64::from_le_bytes(input.take()),
            ledger: input.take(),
        })
    }
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Records as an OTLP request.
    Records,
    /// Nothing: the segment ends here, and the head sums up its frames.
    Seal,
    /// Records of which some were erased: salts and commitments, then the others as an OTLP request. See `erasure.rs`.
    Erased,
}

/// Goes into the checksum of every head of one ledger. Senders choose what a payload holds, but not this: so nothing
/// inside a payload is ever taken for a frame when the next whole one is looked for behind a damaged one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u32);

impl Key {
    /// Of the ledger with this id.
    #[must_use]
    pub fn of(ledger: &[u8; 16]) -> Self {
        Self(crc32c::crc32c(ledger))
    }

    /// The CRC32C of these bytes in this ledger.
    #[must_use]
    pub fn checksum(self, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(self.0, bytes)
    }
}

/// What stands before a frame's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What follows.
    pub kind: Kind,
    /// The OTLP signal: 0 logs, 1 traces, 2 metrics.
    pub signal: u8,
    /// Whether the payload is compressed (zstd).
    pub is_compressed: bool,
    /// Bytes of the pipeline's name.
    pub name_len: u16,
    /// Bytes of the payload as stored.
    pub payload_len: u32,
    /// CRC32C over the name and the payload as stored.
    pub payload_crc: u32,
    /// Bytes of the payload once decompressed.
    pub plain_len: u32,
    /// Records, the erased ones among them.
    pub count: u32,
    /// Sequence number of the first record. In a seal: that of the segment's first.
    pub first: u64,
    /// When the records were accepted, unix nanoseconds. In a seal: when it was sealed.
    pub accepted: u64,
    /// Least event time of the records, unix nanoseconds.
    pub from: u64,
    /// Greatest event time of the records.
    pub to: u64,
    /// The salts of the records' commitments are derived from this. In a seal: the sequence number behind the last
    /// record, and zeros.
    pub seed: [u8; 32],
}

impl Head {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self, key: Key) -> [u8; HEAD] {
        let kind = match self.kind {
            Kind::Records => 0,
            Kind::Seal => 1,
            Kind::Erased => 2,
        };
        let mut out = Out::<HEAD>::default();
        out.put(&MARK);
        out.put(&[kind, self.signal, u8::from(self.is_compressed), 0]);
        out.put(&u32::from(self.name_len).to_le_bytes());
        out.put(&self.payload_len.to_le_bytes());
        out.put(&self.payload_crc.to_le_bytes());
        out.put(&self.plain_len.to_le_bytes());
        out.put(&self.count.to_le_bytes());
        out.put(&[0; 4]);
        out.put(&self.first.to_le_bytes());
        out.put(&self.accepted.to_le_bytes());
        out.put(&self.from.to_le_bytes());
        out.put(&self.to.to_le_bytes());
        out.put(&self.seed);
        out.end(key)
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`Damage`] when these bytes are no head that this version writes.
    pub(crate) fn decode(bytes: &[u8], key: Key) -> Result<Self, Damage> {
        let mut input =
            In::checked::<HEAD>(bytes, key).ok_or(Damage("a frame's head is damaged"))?;
        if input.take() != MARK {
            return Err(Damage("no frame begins here"));
        }
        let [kind, signal, compressed, _]: [u8; 4] = input.take();
        let kind = match kind {
            0 => Kind::Records,
            1 => Kind::Seal,
            2 => Kind::Erased,
            _ => return Err(Damage("a frame of a kind that this program does not know")),
        };
        let name_len = u32::from_le_bytes(input.take());
        let payload_len = u32::from_le_bytes(input.take());
        let payload_crc = u32::from_le_bytes(input.take());
        let plain_len = u32::from_le_bytes(input.take());
        let count = u32::from_le_bytes(input.take());
        let _reserved: [u8; 4] = input.take();
        let head = Self {
            kind,
            signal,
            is_compressed: compressed == 1,
            name_len: u16::try_from(name_len).unwrap_or(u16::MAX),
            payload_len,
            payload_crc,
            plain_len,
            count,
            first: u64::from_le_bytes(input.take()),
            accepted: u64::from_le_bytes(input.take()),
            from: u64::from_le_bytes(input.take()),
            to: u64::from_le_bytes(input.take()),
            seed: input.take(),
        };
        let is_possible = name_len as usize <= MAX_NAME
            && payload_len <= MAX_PAYLOAD
            && plain_len <= MAX_PAYLOAD
            && signal <= 2
            && head.first.checked_add(u64::from(count)).is_some();
        if is_possible {
            Ok(head)
        } else {
            Err(Damage("a frame's head says what cannot be"))
        }
    }

    /// Bytes of the name and the payload that follow.
    #[must_use]
    pub fn body_len(&self) -> usize {
        usize::from(self.name_len) + self.payload_len as usize
    }

    /// The sequence number behind the last record. Of a seal: behind the segment's last record.
    #[must_use]
    pub fn end(&self) -> u64 {
        if self.kind == Kind::Seal {
            let mut end = [0; 8];
            end.copy_from_slice(&self.seed[..8]);
            return u64::from_le_bytes(end);
        }
        self.first + u64::from(self.count)
    }
}

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Damage(pub &'static str);

impl From<Damage> for io::Error {
    fn from(damage: Damage) -> Self {
        Self::new(io::ErrorKind::InvalidData, damage.0)
    }
}

/// Writes `N` bytes that end with their CRC32C.
struct Out<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Default for Out<N> {
    fn default() -> Self {
        Self {
            bytes: [0; N],
            at: 0,
        }
    }
}

impl<const N: usize> Out<N> {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    fn end(mut self, key: Key) -> [u8; N] {
        let crc = key.checksum(&self.bytes[..N - 4]);
        self.bytes[N - 4..].copy_from_slice(&crc.to_le_bytes());
        self.bytes
    }
}

/// Reads what [`Out`] wrote.
struct In<'b>(&'b [u8]);

impl<'b> In<'b> {
    fn checked<const N: usize>(bytes: &'b [u8], key: Key) -> Option<Self> {
        let (content, crc) = (bytes.get(..N - 4)?, bytes.get(N - 4..N)?);
        (key.checksum(content).to_le_bytes() == crc).then_some(Self(content))
    }

    /// The next bytes. Lengths are fixed, so there are always enough.
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let (taken, rest) = self.0.split_at(N.min(self.0.len()));
        bytes[..taken.len()].copy_from_slice(taken);
        self.0 = rest;
        bytes
    }
}
