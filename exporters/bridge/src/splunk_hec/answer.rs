//! What a collector's answer means.
//!
//! From Splunk's pages "Troubleshoot HTTP Event Collector" (code table) and "HTTP Event Collector REST API endpoints",
//! read in November 2026, and from answers of Enterprise 10.4 and Cloud 10.5 to flawed bodies: a collector indexes in
//! order and stops at the first flawed event.

use serde::Deserialize;
use sluice_component::After;

use crate::delivery::{Fate, Outcome};

/// Splunk Cloud answers a body over its own limit with 400 code 6 for event 0. Only bodies over this are suspected.
const SUSPICIOUS_BODY: usize = 1_000_000;

/// What was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// Events in the body.
    pub(super) records: usize,
    /// Bytes of the body before compression.
    pub(super) bytes: usize,
    /// Whether events count only once an ackId is confirmed.
    pub(super) awaits_acks: bool,
    /// Whether the answer before this one was a success that no collector gives.
    pub(super) was_odd: bool,
    /// Whether the body's index is the configured one; otherwise its records named it themselves.
    pub(super) is_own_index: bool,
    /// Whether the token is the configured one; otherwise the records' resource named it.
    pub(super) is_own_token: bool,
}

impl Sent {
    /// The answer is about the token. Senders may name one; holding on to their records would let them stop everyone's.
    pub(super) fn token_is_bad(&self, why: String) -> Outcome {
        if self.is_own_token {
            Outcome::Hold(why)
        } else {
            Outcome::Refused(format!("{why}: the record itself names the token"))
        }
    }
}

/// A collector's answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
    /// When it asks to come back.
    pub(super) after: After,
}

#[derive(Debug, Default, Deserialize)]
struct Hec {
    code: Option<u64>,
    /// Splunk writes `ackId`; Vector's collector too.
    #[serde(rename = "ackId", alias = "ackID")]
    ack_id: Option<u64>,
    /// Whatever stands there must not hide the code.
    #[serde(rename = "invalid-event-number", default)]
    number: serde_json::Value,
}

impl Reply<'_> {
    fn hec(&self) -> Option<Hec> {
        serde_json::from_slice(self.body).ok()
    }

    /// Whether this is a success that no collector gives: a proxy's page, or an unknown code.
    pub(super) fn is_odd(&self) -> bool {
        (200..300).contains(&self.status)
            && !matches!(self.hec().and_then(|hec| hec.code), Some(0 | 24 | 25))
    }

    /// What became of the records.
    pub(super) fn outcome(&self, sent: &Sent) -> Outcome {
        let hec = self.hec().unwrap_or_default();
        let invalid_event_number = hec.number.as_u64();
        let why = describe(self.status, hec.code);
        match (self.status, hec.code) {
            // 24 and 25: taken, though its queues fill up.
            (200..=299, Some(0 | 24 | 25)) => hec.ack_id.map_or(Outcome::Taken, Outcome::Receipt),
            (200..=299, _) if !sent.was_odd => Outcome::Retry(
                After::Backoff,
                format!("{why}: a success, but not a collector's"),
            ),
            (200..=299, _) => Outcome::Hold(format!(
                "{why}: not an HTTP Event Collector's answer: check the endpoint"
            )),
            (400, Some(5)) => Outcome::Refused(why),
            (400, Some(6))
                if invalid_event_number == Some(0)
                    && sent.bytes > SUSPICIOUS_BODY
                    && sent.records > 1 =>
            {
                Outcome::Halve(why)
            }
            (400, Some(6 | 12 | 13 | 15)) => match number(invalid_event_number, sent.records) {
                Some(flawed) => Outcome::Each(stopped_at(flawed, sent, Fate::Refused(why))),
                None => Outcome::Refused(format!("{why}, without saying which event")),
            },
            (400, Some(7)) => wrong_index(invalid_event_number, sent, why),
            (400, Some(1..=4 | 10 | 11 | 14 | 16 | 21 | 22 | 28)) => sent.token_is_bad(why),
            (400, _) => Outcome::Hold(format!(
                "{why}: not an HTTP Event Collector's answer: check the endpoint"
            )),
            (413, _) => Outcome::Halve(why),
            (408 | 429 | 500..=599, _) => Outcome::Retry(self.after, why),
            (401 | 403 | 404, _) => sent.token_is_bad(why),
            // 405, 415, redirects: something to mend here or there.
            _ => Outcome::Hold(why),
        }
    }
}

/// The position of the flawed event, if the answer names one of the body's.
fn number(number: Option<u64>, records: usize) -> Option<usize> {
    number
        .and_then(|n| usize::try_from(n).ok())
        .filter(|n| *n < records)
}

/// Events before `flawed` are indexed, those behind it were not read.
fn stopped_at(flawed: usize, sent: &Sent, fate: Fate) -> Vec<Fate> {
    // A flawed body gets no ackId, so what is indexed of it can never be confirmed: it is sent again, with one.
    let before = if sent.awaits_acks {
        Fate::Again
    } else {
        Fate::Taken
    };
    let mut fates = vec![before; flawed];
    fates.push(fate);
    fates.resize(sent.records, Fate::Again);
    fates
}

/// Code 7 names the event after the offender. All events of a body have the same index, so none behind it fares better.
fn wrong_index(number: Option<u64>, sent: &Sent, why: String) -> Outcome {
    let offender = number
        .and_then(|n| usize::try_from(n).ok())
        .and_then(|n| n.checked_sub(1))
        .filter(|n| *n < sent.records);
    let fate = if sent.is_own_index && sent.is_own_token {
        Fate::Hold(format!(
            "{why}: the token may not write to the configured index"
        ))
    } else {
        // Senders name this index; holding on to their records would let them stop everyone's.
        Fate::Refused(format!(
            "{why}: the token may not write to the index, one of which the record names"
        ))
    };
    let before = if sent.awaits_acks {
        Fate::Again
    } else {
        Fate::Taken
    };
    let mut fates = vec![before; offender.unwrap_or(0)];
    fates.resize(sent.records, fate);
    Outcome::Each(fates)
}

/// The status and Splunk's name for the code: the answer's own text is not repeated, for it may quote the event.
fn describe(status: u16, code: Option<u64>) -> String {
    let Some(code) = code.filter(|code| *code != u64::from(status)) else {
        return format!("HTTP {status}");
    };
    let name = match code {
        0 => "success",
        1 | 22 => "token disabled",
        2 => "token is required",
        3 => "invalid authorization",
        4 | 21 => "invalid token",
        5 => "no data",
        6 => "invalid data format",
        7 => "incorrect index",
        8 => "internal server error",
        9 => "server is busy",
        10 | 28 => "data channel is missing",
        11 => "invalid data channel",
        12 => "event field is required",
        13 => "event field cannot be blank",
        14 => "indexer acknowledgement is disabled",
        15 => "error in handling indexed fields",
        16 => "query string authorization is not enabled",
        17 => "collector is healthy",
        18..=20 => "collector is unhealthy",
        23 => "server is shutting down",
        24..=27 => "queue or acknowledgement channel at capacity",
        _ => return format!("HTTP {status} code {code}"),
    };
    format!("HTTP {status} code {code}: {name}")
}

#[cfg(test)]
mod tests;
