//! The one way in which the bridge's exporters deliver: split by limits, send, answer record by record.

mod http;
mod payload;
#[cfg(test)]
mod tests;
mod verdicts;

pub(crate) use self::http::{Http, HttpKeys, no_credentials, parse_url};
use payload::Sealed;
pub(crate) use payload::{Framing, Limits, MAX_ENCODED, Payload};
pub(crate) use verdicts::Verdicts;

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use sluice_component::{After, Verdict};
use tokio::time::Instant;

/// Room for the longest reason of a verdict, in bytes.
const MAX_REASON: usize = 1024;

/// What became of one request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// All its records are in the destination's care.
    Taken,
    /// All were received; they count once the destination confirms this number.
    Receipt(u64),
    /// None was taken; later they may be. The text says why, for the log.
    Retry(After, String),
    /// None was taken, and none will be until somebody mends the destination or the configuration.
    Hold(String),
    /// None will ever be taken.
    Refused(String),
    /// The request is too large or faulty as a whole: send its halves. A lone record is refused with this reason.
    Halve(String),
    /// One fate for each record, in order.
    Each(Vec<Fate>),
}

/// What became of one record of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fate {
    /// In the destination's care.
    Taken,
    /// Not looked at: goes into the next request of this attempt.
    Again,
    /// See [`Outcome::Retry`].
    Retry(After, String),
    /// See [`Outcome::Hold`].
    Hold(String),
    /// See [`Outcome::Refused`].
    Refused(String),
}

/// Where payloads go.
pub(crate) trait Destination: Sync {
    /// What the records of one payload have in common beyond the destination (an index, a token).
    type Route: Sync;

    /// Makes one request and judges its answer.
    fn request(
        &self,
        route: &Self::Route,
        body: Bytes,
        records: usize,
    ) -> impl Future<Output = Outcome> + Send;

    /// Waits until the destination confirms a receipt. `Err`: what to do with its records.
    fn confirm(
        &self,
        route: &Self::Route,
        receipt: u64,
    ) -> impl Future<Output = Result<(), Outcome>> + Send {
        let _ = (route, receipt);
        async { Ok(()) }
    }
}

/// Sends every record of `payloads` at most once and notes what became of each. After `patience` no further request
/// is begun: what is left is to be tried again.
pub(crate) async fn deliver<D: Destination>(
    destination: &D,
    payloads: impl IntoIterator<Item = Payload<D::Route>>,
    limits: Limits,
    patience: Duration,
    verdicts: &mut Verdicts,
) {
    let mut payloads: Vec<_> = payloads.into_iter().map(Payload::seal).collect();
    let deadline = Instant::now() + patience;
    // Why nothing more is sent, once the destination as a whole is known to be away.
    let mut away: Option<(After, String)> = None;
    let mut receipts = Vec::new();
    for (at, payload) in payloads.iter().enumerate() {
        // Likewise, for this payload's route alone.
        let mut held: Option<String> = None;
        let mut next = payload.requests(limits);
        next.reverse();
        while let Some(records) = next.pop() {
            if let Some((after, why)) = &away {
                verdicts.retry(payload.records(records), *after, why);
                continue;
            }
            if let Some(why) = &held {
                verdicts.hold(payload.records(records), why);
                continue;
            }
            if Instant::now() >= deadline {
                away = Some((After::Backoff, "the attempt ran out of time".to_owned()));
                next.push(records);
                continue;
            }
            let body = payload.body(records.clone(), limits.framing);
            match destination
                .request(&payload.route, body, records.len())
                .await
            {
                Outcome::Taken => {}
                Outcome::Receipt(receipt) => receipts.push((at, records, receipt)),
                Outcome::Halve(why) if records.len() == 1 => {
                    verdicts.refuse(payload.records(records), &why)
                }
                Outcome::Halve(_) => {
                    let middle = records.start + records.len() / 2;
                    next.push(middle..records.end);
                    next.push(records.start..middle);
                }
                Outcome::Each(fates) => {
                    for again in each(payload, records, fates, verdicts).into_iter().rev() {
                        next.push(again);
                    }
                }
                outcome => {
                    match &outcome {
                        Outcome::Retry(after, why) => away = Some((*after, why.clone())),
                        Outcome::Hold(why) => held = Some(why.clone()),
                        _ => {}
                    }
                    verdicts.all(payload.records(records), outcome);
                }
            }
        }
    }
    // Confirmations may take their time; the bodies are not needed for them.
    payloads.iter_mut().for_each(Sealed::let_go);
    let confirmations = receipts
        .iter()
        .map(|(at, _, receipt)| destination.confirm(&payloads[*at].route, *receipt));
    for (confirmed, (at, records, _)) in join_all(confirmations).await.into_iter().zip(&receipts) {
        if let Err(outcome) = confirmed {
            verdicts.all(payloads[*at].records(records.clone()), outcome);
        }
    }
}

/// Notes the fates of a request's records; returns the runs to send again.
fn each<R>(
    payload: &Sealed<R>,
    records: Range<usize>,
    fates: Vec<Fate>,
    verdicts: &mut Verdicts,
) -> Vec<Range<usize>> {
    let mut again: Vec<Range<usize>> = Vec::new();
    for (at, fate) in records.zip(fates) {
        let record = payload.records(at..at + 1);
        match fate {
            Fate::Taken => {}
            Fate::Again => match again.last_mut() {
                Some(run) if run.end == at => run.end = at + 1,
                _ => again.push(at..at + 1),
            },
            Fate::Retry(after, why) => verdicts.retry(record, after, &why),
            Fate::Hold(why) => verdicts.hold(record, &why),
            Fate::Refused(why) => verdicts.refuse(record, &why),
        }
    }
    again
}

/// A reason for a verdict, cut to a bound.
pub(crate) fn cut(mut reason: String) -> String {
    if reason.len() > MAX_REASON {
        let end = (0..=MAX_REASON - '…'.len_utf8())
            .rev()
            .find(|&at| reason.is_char_boundary(at))
            .unwrap_or(0);
        reason.truncate(end);
        reason.push('…');
    }
    reason
}

/// The verdict that an outcome gives each of its records.
fn verdict(outcome: Outcome) -> Option<(Verdict, Option<String>)> {
    match outcome {
        Outcome::Retry(after, why) => Some((Verdict::Retry(after), Some(why))),
        Outcome::Hold(why) => Some((Verdict::Hold(cut(why)), None)),
        Outcome::Refused(why) | Outcome::Halve(why) => Some((Verdict::Refused(cut(why)), None)),
        Outcome::Taken | Outcome::Receipt(_) | Outcome::Each(_) => None,
    }
}
