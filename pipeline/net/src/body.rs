//! Reading a request's body: a limit, a deadline, and a charge for every byte as it arrives.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::EXPECT;
use http_body::Body;
use http_body_util::BodyExt as _;
use tokio::time::Instant;

use crate::admission::{Admission, ArrivalCharge, Charge, Full};
use crate::decompress::{Encoding, Unpack, decompress};

/// How long an answered sender may go on sending before its connection is closed. It would otherwise see a reset
/// connection instead of the answer.
const LINGER: Duration = Duration::from_secs(2);
/// First and largest piece of memory taken for a body whose end is not in sight.
const FIRST_SEGMENT: usize = 16 << 10;
const LARGEST_SEGMENT: usize = 1 << 20;

/// What bounds the bodies of a server's requests.
#[derive(Clone, Debug)]
pub struct Intake {
    /// Most bytes of a body, before and after decompression.
    pub limit: usize,
    /// A body that has not arrived within this is given up.
    pub deadline: Duration,
    /// The budget that bodies are charged to.
    pub admission: Admission,
    /// The encodings that are accepted.
    pub encodings: Vec<Encoding>,
}

/// A whole body, and the memory charged for it. Keep the charge until the request is answered.
#[derive(Debug)]
pub struct Payload {
    /// The body.
    pub bytes: Bytes,
    /// Its charge.
    pub charge: Charge,
}

/// Why a body was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Larger than the limit, as sent or unpacked.
    #[error("the request is larger than {limit} bytes, the limit before and after decompression")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// Not one of the accepted encodings.
    #[error("unsupported encoding; accepted: {accepted}")]
    UnsupportedEncoding {
        /// The accepted ones, comma-separated, for `Accept-Encoding`.
        accepted: String,
    },
    /// The bytes are not what their encoding says.
    #[error("the body is not valid {0}")]
    Corrupt(&'static str),
    /// It did not arrive in time.
    #[error("the body did not arrive within {0:?}")]
    TimedOut(Duration),
    /// No memory for it now.
    #[error(transparent)]
    Full(#[from] Full),
    /// The connection broke, or the body breaks the rules of HTTP.
    #[error("the body ended early or is malformed")]
    Broken,
}

impl Intake {
    /// Reads a body as it was sent.
    ///
    /// `announced` is what its headers say about its length: used to refuse at once, never to take memory.
    ///
    /// # Errors
    /// See [`IntakeError`].
    pub async fn collect<B: Body<Data = Bytes> + Unpin>(
        &self,
        announced: Option<u64>,
        mut body: B,
    ) -> Result<Payload, IntakeError> {
        if announced.is_some_and(|length| length > self.limit as u64) {
            linger(body).await;
            return Err(IntakeError::TooLarge { limit: self.limit });
        }
        let mut charge = self.admission.arrival();
        let deadline = Instant::now() + self.deadline;
        let read =
            tokio::time::timeout_at(deadline, read(&mut body, &mut charge, self.limit)).await;
        match read {
            Ok(Ok(bytes)) => Ok(Payload {
                bytes,
                charge: charge.arrived(),
            }),
            Ok(Err(error)) => {
                drop(charge);
                if matches!(error, IntakeError::TooLarge { .. }) {
                    linger(body).await;
                }
                Err(error)
            }
            Err(_) => Err(IntakeError::TimedOut(self.deadline)),
        }
    }

    /// Unpacks a body; an empty name and `identity` mean that it is plain.
    ///
    /// # Errors
    /// See [`IntakeError`].
    pub fn unpack(&self, encoding: &str, payload: Payload) -> Result<Payload, IntakeError> {
        let Some(encoding) =
            Encoding::from_name(encoding).filter(|encoding| self.accepts(*encoding))
        else {
            return Err(self.unsupported());
        };
        if encoding == Encoding::Identity {
            return Ok(payload);
        }
        let mut charge = self.admission.charge();
        let bytes =
            decompress(encoding, &payload.bytes, self.limit, &mut charge).map_err(|error| {
                match error {
                    Unpack::TooLarge => IntakeError::TooLarge { limit: self.limit },
                    Unpack::Corrupt => IntakeError::Corrupt(encoding.name()),
                    Unpack::Full(full) => IntakeError::Full(full),
                }
            })?;
        Ok(Payload { bytes, charge })
    }

    /// Whether requests may use this encoding.
    #[must_use]
    pub fn accepts(&self, encoding: Encoding) -> bool {
        encoding == Encoding::Identity || self.encodings.contains(&encoding)
    }

    /// The error for an encoding that is not accepted.
    #[must_use]
    pub fn unsupported(&self) -> IntakeError {
        let names: Vec<_> = self
            .encodings
            .iter()
            .map(|encoding| encoding.name())
            .filter(|name| *name != "identity")
            .collect();
        IntakeError::UnsupportedEncoding {
            accepted: names.join(", "),
        }
    }
}

async fn read<B: Body<Data = Bytes> + Unpin>(
    body: &mut B,
    charge: &mut ArrivalCharge,
    limit: usize,
) -> Result<Bytes, IntakeError> {
    let mut segments = Segments::default();
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            () = charge.asked_to_give_way() => return Err(Full.into()),
        };
        let Some(frame) = frame else {
            return Ok(segments.into_bytes());
        };
        let Ok(data) = frame.map_err(|_| IntakeError::Broken)?.into_data() else {
            continue;
        };
        if data.len() > limit - segments.len() {
            return Err(IntakeError::TooLarge { limit });
        }
        charge.add(data.len()).await?;
        if segments.len() == 0 && body.is_end_stream() {
            return Ok(data);
        }
        segments.push(&data);
    }
}

/// Reads on for a moment and throws away what comes, so that the sender gets to see its answer. A sender that asked
/// with `Expect: 100-continue` has not begun to send, and reading would tell it to.
pub async fn discard<B: Body<Data = Bytes> + Unpin>(headers: &HeaderMap, body: B) {
    if !headers.contains_key(EXPECT) {
        linger(body).await;
    }
}

async fn linger<B: Body<Data = Bytes> + Unpin>(mut body: B) {
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    // Out of time is as good as done: the connection is closed after the answer.
    let _ = tokio::time::timeout(LINGER, rest).await;
}

/// Bytes in pieces that grow with what has arrived: at most 1 MiB is taken beyond it, and nothing is moved while it
/// grows. Copying also lets go of the connection's buffers, of which a small piece may hold a large one.
#[derive(Default)]
pub(crate) struct Segments {
    full: Vec<Vec<u8>>,
    last: Vec<u8>,
    length: usize,
}

impl Segments {
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn push(&mut self, mut data: &[u8]) {
        self.length += data.len();
        while !data.is_empty() {
            let room = self.last.capacity() - self.last.len();
            if room == 0 {
                let size = (self.last.capacity() * 2).clamp(FIRST_SEGMENT, LARGEST_SEGMENT);
                let full = std::mem::replace(&mut self.last, Vec::with_capacity(size));
                if !full.is_empty() {
                    self.full.push(full);
                }
                continue;
            }
            let (now, later) = data.split_at(data.len().min(room));
            self.last.extend_from_slice(now);
            data = later;
        }
    }

    /// One piece of memory; each segment is let go of once it is copied.
    pub(crate) fn into_bytes(self) -> Bytes {
        if self.full.is_empty() {
            return self.last.into();
        }
        let mut all = Vec::with_capacity(self.length);
        for segment in self.full {
            all.extend_from_slice(&segment);
        }
        all.extend_from_slice(&self.last);
        all.into()
    }
}

#[cfg(test)]
mod tests;
