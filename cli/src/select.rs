//! Which records of a ledger a command means.

mod walk;

use std::path::Path;

use clap::Args;
use jiff::Timestamp;
use processor_ottl::Condition;
use sluice_batch::Record;
use sluice_ledger::{Frame, Segment, View};

use crate::exit::Exit;
use crate::source::complain;
use crate::when::{self, End};
use crate::words;

pub(crate) use walk::{Seen, walk};

/// The arguments that select records.
#[derive(Clone, Debug, Args)]
pub(crate) struct SelectArguments {
    /// Only events from this time on: `2026-11-01`, `2026-11-01T12:00:00Z`, `-24h`.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<String>,
    /// Only events before this time; a day is included.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    to: Option<String>,
    /// Only records for which this OTTL condition holds, such as `attributes["user.id"] == "u-17"`.
    #[arg(long = "where", value_name = "CONDITION")]
    pub(crate) condition: Option<String>,
}

/// A selection that was understood.
#[derive(Debug)]
pub(crate) struct Selection {
    /// Unix nanoseconds, inclusive.
    pub(crate) from: u64,
    /// Exclusive.
    pub(crate) to: u64,
    condition: Option<Condition>,
}

impl SelectArguments {
    /// Whether anything is left out.
    pub(crate) fn is_any(&self) -> bool {
        self.from.is_some() || self.to.is_some() || self.condition.is_some()
    }

    /// What is meant. Tells the user what is wrong.
    pub(crate) fn selection(&self) -> Result<Selection, Exit> {
        let now = Timestamp::now();
        let time = |text: &Option<String>, end, default| match text {
            Some(text) => when::parse(text, end, now),
            None => Ok(default),
        };
        let usage = |why: String| {
            complain(&format!("error: {why}\n"));
            Exit::Usage
        };
        let from = time(&self.from, End::From, 0).map_err(usage)?;
        let to = time(&self.to, End::To, u64::MAX).map_err(usage)?;
        if from >= to {
            return Err(usage(
                "the range is empty: --from is not before --to".into(),
            ));
        }
        let condition = self.condition.as_deref().map(compile).transpose();
        let condition = condition.map_err(usage)?;
        Ok(Selection {
            from,
            to,
            condition,
        })
    }
}

/// Compiles a condition; what is wrong is told with its column.
fn compile(text: &str) -> Result<Condition, String> {
    Condition::parse(text).map_err(|wrong| {
        let before = text.get(..wrong.offset).unwrap_or(text);
        let column = before.chars().count() + 1;
        let mut told = format!("--where is wrong at column {column}: {wrong}");
        // A caret means something below a single line only.
        if !text.contains('\n') {
            told += &format!("\n  {text}\n  {}^", " ".repeat(column - 1));
        }
        if let Some(help) = &wrong.help {
            told += &format!("\nhelp: {help}");
        }
        told
    })
}

impl Selection {
    /// Whether a segment may hold records that are meant. Those without an event time count by when they were accepted,
    /// and of that a segment tells only the last.
    fn may_be_in(&self, segment: &Segment) -> bool {
        let (first, last) = segment.times;
        match first {
            _ if first > last => true,
            0 => last.max(segment.accepted) >= self.from,
            _ => last >= self.from && first < self.to,
        }
    }

    /// Whether a frame may hold records that are meant.
    fn may_be_in_frame(&self, frame: &Frame) -> bool {
        let head = &frame.head;
        match head.from {
            0 => head.to >= self.from || (self.from..self.to).contains(&head.accepted),
            first => head.to >= self.from && first < self.to,
        }
    }

    /// Whether a record is meant; `accepted` stands in for the time of an event that has none.
    pub(crate) fn takes(&self, record: Record<'_>, accepted: u64) -> bool {
        let time = record.event_time();
        let time = if time == 0 { accepted } else { time };
        (self.from..self.to).contains(&time) && self.matches(record)
    }

    /// `, events from … to before …`; nothing for all times.
    pub(crate) fn times(&self) -> String {
        let from = (self.from > 0).then(|| format!(" from {}", words::time(self.from)));
        let to = (self.to < u64::MAX).then(|| format!(" before {}", words::time(self.to)));
        match (from, to) {
            (None, None) => String::new(),
            (from, to) => format!(
                ", events{}{}",
                from.unwrap_or_default(),
                to.unwrap_or_default()
            ),
        }
    }

    /// Whether the condition holds.
    pub(crate) fn matches(&self, record: Record<'_>) -> bool {
        self.condition.as_ref().is_none_or(|c| c.matches(record))
    }
}

/// Opens a ledger to look at.
pub(crate) fn open(directory: &Path) -> Result<View, Exit> {
    View::open(directory).map_err(|error| {
        complain(&format!(
            "error: {} is no ledger that can be read: {error}\n",
            directory.display()
        ));
        Exit::Runtime
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(from: u64, to: u64) -> Selection {
        Selection {
            from,
            to,
            condition: None,
        }
    }

    #[test]
    fn a_segment_is_skipped_only_when_none_of_its_records_can_be_meant() {
        let mut segment = Segment::new(0, 0);
        assert!(
            selection(10, 20).may_be_in(&segment),
            "nothing is known of its times"
        );
        segment.add(5, 1, 100, (10, 20));
        for (from, to, may_be) in [
            (0, 10, false),
            (0, 11, true),
            (20, 30, true),
            (21, 30, false),
        ] {
            assert_eq!(
                selection(from, to).may_be_in(&segment),
                may_be,
                "{from} to {to}"
            );
        }
        // One record has no event time: it counts at 100 or before.
        segment.add(6, 1, 100, (0, 0));
        assert!(selection(21, 30).may_be_in(&segment));
        assert!(selection(100, 101).may_be_in(&segment));
        assert!(!selection(101, 200).may_be_in(&segment));
    }

    #[test]
    fn a_wrong_condition_is_shown_with_its_column_in_characters() {
        let told = compile(r#"attributes["ü"] = 1"#).unwrap_err();
        assert!(
            told.starts_with("--where is wrong at column 17: "),
            "{told}"
        );
        assert!(
            told.contains("\n  attributes[\"ü\"] = 1\n                  ^"),
            "{told}"
        );
    }
}
