//! How far a replay or a retry has come, for the wire and for people.

use serde::{Deserialize, Serialize};
use sluice_engine::Progress;

use crate::words;

/// How far it has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Report {
    pub(crate) matched: u64,
    pub(crate) delivered: u64,
    pub(crate) refused: u64,
    pub(crate) withheld: u64,
    pub(crate) skipped: u64,
    pub(crate) lost: u64,
    /// There may be more records than `matched`.
    pub(crate) cut_short: bool,
    /// Why records were withheld or skipped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) reasons: Vec<String>,
    pub(crate) done: bool,
    /// Why it ended early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl Report {
    pub(crate) fn of(progress: &Progress) -> Self {
        Self {
            matched: progress.matched(),
            delivered: progress.delivered(),
            refused: progress.refused(),
            withheld: progress.withheld(),
            skipped: progress.skipped(),
            lost: progress.lost(),
            cut_short: progress.is_cut_short(),
            reasons: progress.reasons(),
            ..Self::default()
        }
    }

    /// Both together.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.matched += other.matched;
        self.delivered += other.delivered;
        self.refused += other.refused;
        self.withheld += other.withheld;
        self.skipped += other.skipped;
        self.lost += other.lost;
        self.cut_short |= other.cut_short;
        self.reasons.extend(other.reasons);
        self.done &= other.done;
        self.error = self.error.or(other.error);
        self
    }

    /// Records that were to be sent and were not.
    fn unsent(&self) -> u64 {
        let settled = self.delivered + self.refused + self.withheld + self.skipped;
        self.matched.saturating_sub(settled)
    }

    /// Whether all was done that was asked for: sent, or of a dry run counted.
    pub(crate) fn is_complete(&self, is_dry_run: bool) -> bool {
        let is_sent = is_dry_run || self.delivered == self.matched;
        let is_whole = self.lost == 0 && !self.cut_short && self.reasons.is_empty();
        is_sent && is_whole && self.error.is_none()
    }

    /// `2 records, 1 delivered, 1 refused (see …)`.
    pub(crate) fn counts(&self) -> String {
        let mut text = format!(
            "{}, {} delivered",
            words::count(self.matched, "record"),
            words::number(self.delivered)
        );
        for (records, what) in [
            (self.refused, "refused (see `sluice dead-letters list`)"),
            (self.withheld, "withheld"),
            (self.skipped, "skipped"),
            (self.lost, "damaged in the ledger"),
        ] {
            if records > 0 {
                text += &format!(", {} {what}", words::number(records));
            }
        }
        text
    }

    /// All of it, at the end: the counts, what was not sent, and why; a line each.
    pub(crate) fn summary(&self, is_dry_run: bool) -> String {
        let mut text = self.counts();
        let unsent = if is_dry_run { 0 } else { self.unsent() };
        text += &match (unsent, self.cut_short) {
            (0, false) => String::new(),
            (0, true) => "; interrupted; there may be more".to_owned(),
            (_, false) => format!("; interrupted; {} not sent", words::number(unsent)),
            (_, true) => format!("; interrupted; at least {} not sent", words::number(unsent)),
        };
        for reason in &self.reasons {
            text += &format!("\n  {}", words::plain(reason));
        }
        if let Some(error) = &self.error {
            text += &format!("\nerror: {}", words::plain(error));
        }
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_delivered_in_full_is_complete_and_a_dry_run_need_deliver_nothing() {
        let whole = Report {
            matched: 3,
            delivered: 3,
            ..Report::default()
        };
        assert!(whole.is_complete(false));
        let interrupted = Report {
            delivered: 0,
            ..whole.clone()
        };
        assert!(!interrupted.is_complete(false));
        assert!(interrupted.is_complete(true));
        for short in [
            Report {
                delivered: 2,
                refused: 1,
                ..whole.clone()
            },
            Report {
                cut_short: true,
                ..whole.clone()
            },
            Report {
                lost: 1,
                ..whole.clone()
            },
            Report {
                error: Some("no".into()),
                ..whole
            },
        ] {
            assert!(!short.is_complete(false), "{short:?}");
        }
    }

    #[test]
    fn what_was_not_sent_is_said_with_its_reasons() {
        let report = Report {
            matched: 5000,
            delivered: 2,
            skipped: 1,
            reasons: vec!["record 7: no pipeline logs ends in it any more".into()],
            ..Report::default()
        };
        assert_eq!(
            report.summary(false),
            "5,000 records, 2 delivered, 1 skipped; interrupted; 4,997 not sent\n  record 7: no pipeline logs ends in it any more\n"
        );
        assert!(!report.summary(true).contains("interrupted"));
    }
}
