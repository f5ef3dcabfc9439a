//! `service.ledger`: what of it is written. The defaults are the ledger's own.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use sluice_component::HumanDuration;
use sluice_component::settings::ByteSize;

use crate::diagnostic::suggestion;
use crate::node::{Node, Value};
use crate::{Block, Diagnostic};

/// Where records rest before they are acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ledger {
    /// Nowhere (`ledger: none`): a sender's OK means that every exporter delivered.
    None,
    /// On the disk, which is so unless the file says otherwise.
    Disk(Box<LedgerBlock>),
}

impl Default for Ledger {
    fn default() -> Self {
        Self::Disk(Box::default())
    }
}

/// The keys of `service.ledger`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerBlock {
    /// Where it lies. Default `sluice-ledger`, below the current directory; or that of a `file_storage` extension.
    pub directory: Option<PathBuf>,
    /// When records are forced to the disk. Default `always`.
    pub fsync: Option<FsyncRule>,
    /// Most bytes. Default 20 GiB.
    pub max_bytes: Option<ByteSize>,
    /// A segment is sealed at this size. Default 64 MiB.
    pub segment_bytes: Option<ByteSize>,
    /// How long delivered records stay.
    pub retention: RetentionBlock,
    /// What happens at `max_bytes`. Default `refuse`.
    pub on_full: Option<OnFullRule>,
    /// Whether records become leaves of a signed tree. Default `record`.
    pub integrity: Option<IntegrityRule>,
    /// The log's name in its checkpoints.
    pub origin: Option<String>,
    /// The file with the key that signs checkpoints.
    pub key: Option<PathBuf>,
    /// Longest time between two checkpoints while records arrive. Default 60s.
    pub checkpoint_every: Option<HumanDuration>,
    /// Whether exporters of logs get each checkpoint as an event. Default false.
    pub checkpoint_events: Option<bool>,
    /// How long the undelivered records of a removed exporter are kept. Default 24h.
    pub orphan_grace: Option<HumanDuration>,
}

/// `service.ledger.retention`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionBlock {
    /// Default 7d.
    pub time: Option<HumanDuration>,
    /// Default 10 GiB, or half of `max_bytes` if that is less.
    pub bytes: Option<ByteSize>,
}

/// `fsync: always` or `fsync: {every: 50ms}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FsyncRule {
    /// As soon as the disk is free.
    Always,
    /// At most once in this time; an OK waits for it.
    Every(Duration),
}

/// `on_full`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFullRule {
    /// Senders are told to try again.
    Refuse,
    /// The exporter furthest behind loses its claim.
    DetachExporter,
}

/// `integrity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntegrityRule {
    /// Every record is a leaf.
    Record,
    /// No tree.
    Off,
}

impl<'de> Deserialize<'de> for FsyncRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rule;
        impl<'de> Visitor<'de> for Rule {
            type Value = FsyncRule;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`always` or `{every: 50ms}`")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<FsyncRule, E> {
                if text == "always" {
                    Ok(FsyncRule::Always)
                } else {
                    Err(E::custom(format!(
                        "`{text}` is no such rule: write `always` or `{{every: 50ms}}`"
                    )))
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FsyncRule, A::Error> {
                let mut every = None;
                while let Some(key) = map.next_key::<String>()? {
                    if key != "every" {
                        return Err(A::Error::unknown_field(&key, &["every"]));
                    }
                    every = Some(map.next_value::<HumanDuration>()?.0);
                }
                match every {
                    Some(time) if time.is_zero() => Ok(FsyncRule::Always),
                    Some(time) if time > Duration::from_secs(10) => Err(A::Error::custom(
                        "senders wait for it, so it is at most 10s",
                    )),
                    Some(time) => Ok(FsyncRule::Every(time)),
                    None => Err(A::Error::missing_field("every")),
                }
            }
        }
        deserializer.deserialize_any(Rule)
    }
}

/// Where a Collector's file puts its queues: the ledger goes below it unless `service.ledger.directory` says another.
pub(super) fn storage_directory(document: &Node) -> Option<PathBuf> {
    let extensions = document.get("extensions")?.value.entries();
    let storage = extensions
        .iter()
        .find(|e| e.key.split('/').next() == Some("file_storage"))?;
    let directory = storage.value.get("directory")?.value.text()?;
    Some(PathBuf::from(directory).join("sluice-ledger"))
}

/// Least `segment_bytes`.
const MIN_SEGMENT: u64 = 64 << 10;

pub(super) fn read(entry: &Node, key: crate::Span, found: &mut Vec<Diagnostic>) -> Ledger {
    let is_text = matches!(entry.value, Value::Scalar(_)) && entry.unset().is_none();
    if let Some(text) = entry.text().filter(|_| is_text) {
        match text {
            "none" => return Ledger::None,
            "null" | "" => return Ledger::default(),
            other => {
                let shown = entry.shown().unwrap_or(other);
                let diagnostic = Diagnostic::error(
                    entry.span,
                    format!("`service.ledger` is a mapping or `none`, not `{shown}`"),
                );
                found.push(match suggestion("known", shown, ["none"].iter().copied()) {
                    Some(help) => diagnostic.with_help(help),
                    None => diagnostic.with_help("write `ledger: {directory: sluice-ledger}`, or leave it out for the default"),
                });
                return Ledger::default();
            }
        }
    }
    let block = match LedgerBlock::deserialize(Block::new(entry)) {
        Ok(block) => block,
        Err(error) => {
            found.push(error.into_diagnostic("service.ledger", key, entry));
            return Ledger::default();
        }
    };
    let place = |path: &[&str]| {
        let mut node = entry;
        let mut span = key;
        for key in path {
            match node.get(key) {
                Some(child) => {
                    span = child.value.span;
                    node = &child.value;
                }
                None => break,
            }
        }
        span
    };
    let segment = block.segment_bytes.map_or(64 << 20, |b| b.0);
    if segment < MIN_SEGMENT {
        found.push(Diagnostic::error(
            place(&["segment_bytes"]),
            "a segment has at least 64KiB",
        ));
    }
    if let Some(max) = block.max_bytes {
        if max.0 < 2 * segment {
            found.push(
                Diagnostic::error(
                    place(&["max_bytes"]),
                    "the ledger needs room for two segments at least",
                )
                .with_help("raise `max_bytes`, or lower `segment_bytes`"),
            );
        }
        if block.retention.bytes.is_some_and(|kept| kept >= max) {
            found.push(
                Diagnostic::error(
                    place(&["retention", "bytes"]),
                    "delivered records would fill the ledger: `retention.bytes` must be less than `max_bytes`",
                )
                .with_help("keep less, or raise `max_bytes`"),
            );
        }
    }
    if block.checkpoint_every.is_some_and(|t| t.0.is_zero()) {
        found.push(Diagnostic::error(
            place(&["checkpoint_every"]),
            "must be more than 0",
        ));
    }
    if let Some(origin) = &block.origin
        && (origin.is_empty()
            || origin.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+'))
    {
        found.push(
            Diagnostic::error(
                place(&["origin"]),
                "an origin is a text without spaces and without `+`",
            )
            .with_help("write something like `audit.example.com/node-1`"),
        );
    }
    Ledger::Disk(Box::new(block))
}
