//! Why records were not taken: one verdict for each range of a batch.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

/// What became of records that their consumer did not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The destination may take them later: try again.
    Retry(After),
    /// The destination will never take them. The text is its answer, safe to show: no event content, no secret.
    Refused(String),
    /// The destination is misconfigured or refuses us (401, 403, 404): keep everything, say so, probe slowly.
    Hold(String),
}

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The engine's jittered exponential back-off decides.
    Backoff,
    /// The peer asked for this delay (`Retry-After`, `RetryInfo`).
    Delay(Duration),
}

/// The records of a batch that were not taken, each range with its verdict. **Records outside every range were
/// delivered.** Ranges are record positions in the batch, ascending and disjoint.
pub struct Undelivered {
    /// Position ranges with their verdicts.
    pub verdicts: Vec<(Range<u32>, Verdict)>,
    /// The cause, for the log. Never shown to a remote peer.
    pub source: Option<crate::BoxError>,
}

impl Undelivered {
    /// One verdict for a whole batch of `records` records.
    #[must_use]
    pub fn all(records: usize, verdict: Verdict) -> Self {
        Self {
            verdicts: vec![(0..u32::try_from(records).unwrap_or(u32::MAX), verdict)],
            source: None,
        }
    }

    /// A whole batch to be tried again by back-off.
    #[must_use]
    pub fn retry(records: usize, source: impl Into<crate::BoxError>) -> Self {
        Self::all(records, Verdict::Retry(After::Backoff)).because(source)
    }

    /// Attaches the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<crate::BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// How many records have a verdict for which `test` holds.
    #[must_use]
    pub fn count(&self, test: impl Fn(&Verdict) -> bool) -> u64 {
        self.verdicts
            .iter()
            .filter(|(_, v)| test(v))
            .map(|(r, _)| u64::from(r.end - r.start))
            .sum()
    }

    /// Whether any record may be tried again (`Retry` or `Hold`): then the sender must be told so.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.verdicts
            .iter()
            .any(|(_, v)| !matches!(v, Verdict::Refused(_)))
    }

    /// The longest delay that a verdict asks for.
    #[must_use]
    pub fn delay(&self) -> Option<Duration> {
        self.verdicts
            .iter()
            .filter_map(|(_, v)| {
                if let Verdict::Retry(After::Delay(d)) = v {
                    Some(*d)
                } else {
                    None
                }
            })
            .max()
    }

    /// The first reason of a refusal or a hold.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.verdicts.iter().find_map(|(_, v)| match v {
            Verdict::Refused(reason) | Verdict::Hold(reason) => Some(reason.as_str()),
            Verdict::Retry(_) => None,
        })
    }
}

impl fmt::Debug for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Undelivered")
            .field("verdicts", &self.verdicts)
            .field("source", &self.source.as_ref().map(ToString::to_string))
            .finish()
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused = self.count(|v| matches!(v, Verdict::Refused(_)));
        let owed = self.count(|v| !matches!(v, Verdict::Refused(_)));
        write!(f, "{owed} records to try again, {refused} refused")?;
        if let Some(reason) = self.reason() {
            write!(f, ": {reason}")?;
        }
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Undelivered {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|s| s.as_ref() as _)
    }
}
