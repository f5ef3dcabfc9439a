//! What both receivers do with a request before and after their own part.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use sluice_batch::{Batch, Sender};
use sluice_component::{IdClaim, Outlet};
use sluice_net::status::set_retry_after;
use sluice_net::{Gate, Intake, IntakeError, Outcome, Payload, Reply};

use crate::formats::BodyError;

/// A body as it was sent and as it is without compression. Its memory stays charged while this is kept.
pub(crate) struct Body {
    sent: Payload,
    /// `None` when it was not compressed.
    unpacked: Option<Payload>,
    sender: Option<Arc<Sender>>,
}

impl Body {
    /// Without compression.
    pub(crate) fn plain(&self) -> &Bytes {
        self.unpacked
            .as_ref()
            .map_or(&self.sent.bytes, |payload| &payload.bytes)
    }

    /// Charges the memory of what was made of it, too: a short body can make many records.
    fn charge(&mut self, bytes: usize) -> Result<(), IntakeError> {
        Ok(self.sent.charge.add(bytes)?)
    }

    /// As sent, if it was compressed.
    pub(crate) fn packed(&self) -> Option<&Bytes> {
        self.unpacked.as_ref().map(|_| &self.sent.bytes)
    }
}

/// Reads and unpacks a request's body, if its sender may come in.
pub(crate) async fn take(
    intake: &Intake,
    gate: &Gate,
    request: Request<Incoming>,
) -> Result<(HeaderMap, Body), Response<Reply>> {
    let (parts, body) = request.into_parts();
    if let Err(challenge) = gate.admit(&parts.headers) {
        let mut response = empty(StatusCode::UNAUTHORIZED);
        response.headers_mut().insert(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static(challenge),
        );
        return Err(response);
    }
    let sender = parts.extensions.get().cloned();
    let name = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    };
    let length = name(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
    let encoding = name(header::CONTENT_ENCODING)
        .unwrap_or_default()
        .to_ascii_lowercase();
    let sent = intake.collect(length, body).await.map_err(refusal)?;
    if encoding.is_empty() || encoding == "identity" {
        return Ok((
            parts.headers,
            Body {
                sent,
                unpacked: None,
                sender,
            },
        ));
    }
    // Kept beside what comes out of it: a signature may be over either.
    let copy = Payload {
        bytes: sent.bytes.clone(),
        charge: intake.admission.charge(),
    };
    let unpacked = intake.unpack(&encoding, copy).map_err(refusal)?;
    Ok((
        parts.headers,
        Body {
            sent,
            unpacked: Some(unpacked),
            sender,
        },
    ))
}

/// Delivers a request's records and answers for them. Detached from the connection: a sender that hangs up loses the
/// answer, and its delivery goes on with the body's memory still charged and its id still claimed.
pub(crate) async fn deliver(
    outlet: &Outlet,
    mut batch: Batch,
    mut body: Body,
    claim: Option<IdClaim>,
) -> Response<Reply> {
    batch.set_sender(body.sender.take());
    if let Err(full) = body.charge(batch.memory()) {
        return refusal(full);
    }
    let outlet = outlet.clone();
    let records = batch.len();
    let work = tokio::spawn(async move {
        let result = outlet.deliver(batch).await;
        if let Some(claim) = claim {
            let is_delivered = result.is_ok();
            claim.settle(|_| is_delivered);
        }
        drop(body);
        if let Err(undelivered) = &result {
            tracing::debug!(%undelivered, "request not taken");
        }
        Outcome::of(result)
    });
    match work.await {
        Ok(Outcome::Taken) => json(StatusCode::OK, format!(r#"{{"accepted":{records}}}"#)),
        Ok(Outcome::Refused {
            records: refused,
            reason,
        }) => error(
            StatusCode::UNPROCESSABLE_ENTITY,
            &format!("{refused} of {records} events were refused for good: {reason}"),
        ),
        Ok(Outcome::TryAgain { delay }) => try_again(delay),
        Err(_) => try_again(Duration::from_secs(1)),
    }
}

/// 503 with `Retry-After`.
pub(crate) fn try_again(delay: Duration) -> Response<Reply> {
    let mut response = error(StatusCode::SERVICE_UNAVAILABLE, "not taken, send it again");
    set_retry_after(response.headers_mut(), delay);
    response
}

/// `{"error": …}`. The text is safe to show: no event content.
pub(crate) fn error(status: StatusCode, message: &str) -> Response<Reply> {
    json(status, serde_json::json!({ "error": message }).to_string())
}

pub(crate) fn json(status: StatusCode, text: String) -> Response<Reply> {
    let mut response = Response::new(Reply::new(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

pub(crate) fn empty(status: StatusCode) -> Response<Reply> {
    let mut response = Response::new(Reply::default());
    *response.status_mut() = status;
    response
}

impl BodyError {
    /// The HTTP status for it.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::TooMany | Self::TooRepetitive => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Empty
            | Self::Malformed { .. }
            | Self::NotAnObject { .. }
            | Self::Unfit { .. } => StatusCode::BAD_REQUEST,
        }
    }
}

fn refusal(cause: IntakeError) -> Response<Reply> {
    let mut response = error(cause.status(), &cause.to_string());
    cause.add_headers(response.headers_mut());
    response
}

/// UTC nanoseconds since 1970.
pub(crate) fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().map_or(0, |elapsed| {
        u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
    })
}
