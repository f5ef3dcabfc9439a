//! The keys of a `file` exporter: those of the OpenTelemetry Collector's, and `fsync` and `plain_json` of ours.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{
    BuildContext, BuildError, BuiltExporter, Checked, Claim, Delivery, DeliveryConfig,
    ExporterConfig, HumanDuration, Problems, QueueConfig, RetryConfig,
};

use crate::exporter::FileExporter;
use crate::frame::Framing;
use crate::rotation::Rotation;
use crate::writer::{Settings, Writer};

/// Appends records to a file.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The file. Required; no other exporter may write it. A new file can be read by its owner alone.
    pub path: PathBuf,
    /// Whether to keep what the file holds already. Default true (the Collector's is false). False: the file is emptied
    /// by the first write after a start.
    pub append: bool,
    /// Starts a new file when this one is full. Default: one file that grows.
    pub rotation: Option<RotationConfig>,
    /// How records are written. Default `json`.
    pub format: Format,
    /// Must be empty: encoding extensions do not exist.
    pub encoding: String,
    /// Compression of each request: `none` (default) or `zstd`. Compressed requests are frames: 4 bytes of length, big
    /// endian, and a zstd frame of what would have been written. One of more than 16 MiB of `plain_json` is several.
    pub compression: Compression,
    /// Effort of the compression.
    pub compression_params: CompressionParams,
    /// Accepted and without effect: every batch is written before it counts as delivered.
    pub flush_interval: HumanDuration,
    /// Whether a batch counts as delivered only when it is on the disk. Default false: when the operating system has it,
    /// which outlives Sluice but not a power cut.
    pub fsync: bool,
    /// Creates missing directories on the way to the file. Default false: a missing directory is an error at start.
    pub create_directory: bool,
    /// Permissions of directories that are created, in octal. Default `0755`.
    pub directory_permissions: String,
    /// A file for each value of a resource attribute: not supported, must be off.
    pub group_by: GroupByConfig,
    /// Longest that one write may take before it is tried again. Default 30s.
    pub timeout: Option<HumanDuration>,
    /// Patience with a disk that takes no writes.
    pub retry_on_failure: RetryConfig,
    /// Gathering. Writes are made one at a time whatever `num_consumers` is.
    pub sending_queue: QueueConfig,
}

/// How records are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One OTLP/JSON request a line: what the Collector's `otlp_json_file` receiver reads.
    #[default]
    Json,
    /// OTLP protobuf requests, each after 4 bytes of length, big endian.
    Proto,
    /// One plain JSON object a log record and line: `time`, `severity`, `event_name`, `body`, `attributes`, `resource`
    /// and so on, without OTLP's wrappers. Spans and metrics are written as in `json`.
    PlainJson,
}

/// How requests are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    #[serde(alias = "")]
    None,
    /// Each request as one zstd frame.
    Zstd,
}

/// `compression_params:` of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CompressionParams {
    /// 1 to 22. Default (also for 0): 1.
    pub level: i32,
}

/// `rotation:` of a file. A full file is renamed to `name-2026-04-20T18-30-00.000.ext`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RotationConfig {
    /// A write that would make the file larger than this many MiB goes to a new one. Default (also for 0): 100.
    pub max_megabytes: u64,
    /// Full files older than this many days are deleted. Default 0: none for its age.
    pub max_days: u64,
    /// At most this many full files are kept, the oldest are deleted. Default 100; 0: all are kept.
    pub max_backups: usize,
    /// Whether the names of full files have local time. Default false: UTC.
    pub localtime: bool,
}

impl Default for RotationConfig {
    fn default() -> Self {
        Self {
            max_megabytes: 100,
            max_days: 0,
            max_backups: 100,
            localtime: false,
        }
    }
}

/// `group_by:` of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GroupByConfig {
    /// Must be false.
    pub enabled: bool,
    /// Accepted and without effect.
    pub resource_attribute: String,
    /// Accepted and without effect.
    pub max_open_files: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            append: true,
            rotation: None,
            format: Format::Json,
            encoding: String::new(),
            compression: Compression::None,
            compression_params: CompressionParams::default(),
            flush_interval: HumanDuration(Duration::from_secs(1)),
            fsync: false,
            create_directory: false,
            directory_permissions: "0755".to_owned(),
            group_by: GroupByConfig::default(),
            timeout: None,
            retry_on_failure: RetryConfig::default(),
            sending_queue: QueueConfig::default(),
        }
    }
}

impl Config {
    fn delivery(&self) -> DeliveryConfig<'_> {
        DeliveryConfig {
            retry: &self.retry_on_failure,
            queue: &self.sending_queue,
            timeout: self.timeout,
        }
    }

    fn directory_mode(&self) -> Option<u32> {
        u32::from_str_radix(&self.directory_permissions, 8)
            .ok()
            .filter(|mode| *mode <= 0o777)
    }
}

impl Checked for Config {
    fn check(&self, problems: &mut Problems) {
        if self.path.as_os_str().is_empty() {
            problems.at("path", |p| {
                p.error("is required").help("write the file's path");
            });
        }
        if !self.append {
            problems.at("append", |p| {
                p.warning("false empties the file at each start")
                    .help("leave it out to keep what the file holds");
            });
        }
        if !self.encoding.is_empty() {
            problems.at("encoding", |p| {
                p.error("encoding extensions are not supported")
                    .help("write `format: json`, `proto` or `plain_json`");
            });
        }
        if !(0..=22).contains(&self.compression_params.level) {
            problems.at("compression_params", |p| {
                p.at("level", |p| {
                    p.error("must be between 1 and 22");
                });
            });
        }
        if self.directory_mode().is_none() {
            problems.at("directory_permissions", |p| {
                p.error("is not an octal number up to 0777")
                    .help("write it in quotes, such as \"0755\"");
            });
        }
        if self.group_by.enabled {
            problems.at("group_by", |p| {
                p.at("enabled", |p| {
                    p.error("a file for each group is not supported")
                        .help("remove `group_by`");
                });
            });
        }
        self.delivery().check(problems);
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Path(self.path.clone())]
    }
}

impl ExporterConfig for Config {
    fn build(&self, context: &BuildContext) -> Result<Vec<BuiltExporter>, BuildError> {
        let directory = self.path.parent().filter(|p| !p.as_os_str().is_empty());
        if let Some(directory) = directory
            && !self.create_directory
            && !directory.is_dir()
        {
            return Err(BuildError(format!(
                "directory `{}` does not exist: create it, or write `create_directory: true`",
                directory.display()
            )));
        }
        let framing = Framing {
            format: self.format,
            zstd_level: match self.compression {
                Compression::None => None,
                Compression::Zstd => Some(self.compression_params.level.max(1)),
            },
        };
        let settings = Settings {
            path: self.path.clone(),
            append: self.append,
            is_lines: framing.is_lines(),
            fsync: self.fsync,
            directory_mode: self
                .create_directory
                .then_some(self.directory_mode())
                .flatten(),
            rotation: self.rotation.map(Rotation::from),
        };
        let begun = context.kept_of(&self.path.to_string_lossy());
        let writer = Writer::new(settings, begun);
        let delivery = self.delivery().delivery(Delivery::default());
        // Whole batches in their order: a second write under way would only wait for the first.
        let delivery = Delivery {
            max_concurrency: 1,
            ..delivery
        };
        Ok(vec![BuiltExporter {
            key: String::new(),
            exporter: Arc::new(FileExporter::new(framing, writer)),
            delivery,
        }])
    }
}
