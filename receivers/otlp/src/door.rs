//! What both protocols do with a request: let it in, read it, make it a batch, deliver it.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use sluice_batch::{Batch, DecodeError, Sender, Signal};
use sluice_component::{Outlet, Undelivered};
use sluice_net::{Gate, Intake, Outcome, Payload};
use tokio::sync::Semaphore;

use crate::answer::{Failure, Partial};

/// How a request's body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Protobuf,
    Json,
}

/// The way in, of one protocol.
pub(crate) struct Door {
    outlet: Outlet,
    gate: Gate,
    pub(crate) intake: Intake,
    /// Places for large bodies to become rows in: what that takes is charged only once it is known.
    decoding: Semaphore,
}

/// Bodies up to this many bytes become rows without a place.
const SMALL_BODY_BYTES: usize = 4 << 20;
/// Large bodies that become rows at once.
const DECODING_AT_ONCE: usize = 2;

impl Door {
    pub(crate) fn new(outlet: Outlet, gate: Gate, intake: Intake) -> Self {
        Self {
            outlet,
            gate,
            intake,
            decoding: Semaphore::new(DECODING_AT_ONCE),
        }
    }

    /// Judges the sender.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Result<(), Failure> {
        self.gate.admit(headers).map_err(Failure::unauthenticated)
    }

    /// Delivers an unpacked body. The work is detached: a sender that hangs up loses the answer, and the memory stays
    /// charged until its delivery is done.
    pub(crate) async fn deliver(
        &self,
        signal: Signal,
        form: Form,
        payload: Payload,
        sender: Option<Arc<Sender>>,
    ) -> Result<Option<Partial>, Failure> {
        let Payload { bytes, mut charge } = payload;
        let place = if bytes.len() > SMALL_BODY_BYTES {
            self.decoding.acquire().await.ok()
        } else {
            None
        };
        let mut batch = decode(signal, form, bytes)?;
        batch.set_sender(sender);
        if batch.memory() > self.intake.admission.limit() {
            return Err(Failure::too_large(
                "the records take more memory than all requests together may use",
            ));
        }
        charge
            .raise_to(batch.memory())
            .map_err(|full| Failure::of_intake(full.into()))?;
        drop(place);
        if batch.is_empty() {
            return Ok(None);
        }
        let records = batch.len();
        let outlet = self.outlet.clone();
        let work = tokio::spawn(async move {
            let result = outlet.deliver(batch).await;
            drop(charge);
            result
        });
        let result = work
            .await
            .unwrap_or_else(|panicked| Err(Undelivered::retry(records, panicked)));
        if let Err(undelivered) = &result {
            tracing::debug!(%undelivered, "request not taken");
        }
        match Outcome::of(result) {
            Outcome::Taken => Ok(None),
            Outcome::Refused { records, reason } => Ok(Some(Partial {
                signal,
                rejected: records,
                message: reason,
            })),
            Outcome::TryAgain { delay } => Err(Failure::try_again(delay)),
        }
    }
}

fn decode(signal: Signal, form: Form, bytes: Bytes) -> Result<Batch, Failure> {
    let decoded = match form {
        Form::Protobuf => Batch::decode(signal, bytes),
        Form::Json => Batch::decode_json(signal, &bytes),
    };
    decoded.map_err(|error| match error {
        DecodeError::TooLarge(_) => Failure::too_large(error.to_string()),
        DecodeError::Protobuf { .. } | DecodeError::Json(_) => {
            Failure::malformed(error.to_string())
        }
    })
}
