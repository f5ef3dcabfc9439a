//! The Collector's keys.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{
    BuildContext, BuildError, Checked, HumanDuration, Problems, ProcessorConfig, Stage,
};

use crate::{Limiter, Probe as _, ProcessProbe, memory_limit};

const MIB: u64 = 1 << 20;

/// Refuses batches, retryably, while the process uses more memory than `limit - spike_limit`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How often memory is read at most, such as `1s`. Required, more than 0.
    pub check_interval: HumanDuration,
    /// Most resident memory of the process, in MiB. One of this and `limit_percentage` is required; this one wins.
    pub limit_mib: u64,
    /// How far below the limit refusing begins, in MiB; less than `limit_mib`. Default 0: a fifth of the limit.
    pub spike_limit_mib: u64,
    /// The limit as a percentage, 1 to 100, of the memory available: the cgroup's limit (v2 or v1), else the
    /// machine's. Used when `limit_mib` is 0.
    pub limit_percentage: u64,
    /// `spike_limit_mib` as a percentage of the memory available; less than `limit_percentage`. Default 0: a fifth of
    /// the limit.
    pub spike_limit_percentage: u64,
    /// Accepted without effect: there is no garbage collector.
    pub min_gc_interval_when_soft_limited: Option<HumanDuration>,
    /// Accepted without effect: there is no garbage collector.
    pub min_gc_interval_when_hard_limited: Option<HumanDuration>,
    /// Accepted without effect: there is no garbage collector.
    pub max_gc_interval_when_soft_limited: Option<HumanDuration>,
    /// Accepted without effect: there is no garbage collector.
    pub max_gc_interval_when_hard_limited: Option<HumanDuration>,
}

impl Config {
    /// Bytes above which batches are refused, when `available` bytes of memory are there in all.
    #[must_use]
    pub fn soft_limit_bytes(&self, available: u64) -> u64 {
        let percent = |share: u64| available / 100 * share;
        let (limit, spike) = if self.limit_mib > 0 {
            (
                self.limit_mib.saturating_mul(MIB),
                self.spike_limit_mib.saturating_mul(MIB),
            )
        } else {
            (
                percent(self.limit_percentage),
                percent(self.spike_limit_percentage),
            )
        };
        limit.saturating_sub(if spike == 0 { limit / 5 } else { spike })
    }
}

impl Checked for Config {
    fn check(&self, problems: &mut Problems) {
        let interval = self.check_interval.0;
        if interval == Duration::ZERO {
            problems.at("check_interval", |p| {
                p.error("check_interval must be more than 0")
                    .help("write `check_interval: 1s`");
            });
        }
        if self.limit_mib == 0 && self.limit_percentage == 0 {
            problems
                .error("a memory_limiter needs limit_mib or limit_percentage")
                .help("write `limit_mib: 512`");
        }
        if self.limit_mib > 0 && self.spike_limit_mib >= self.limit_mib {
            problems.at("spike_limit_mib", |p| {
                p.error(format!("must be less than limit_mib ({})", self.limit_mib));
            });
        }
        for (name, share) in [
            ("limit_percentage", self.limit_percentage),
            ("spike_limit_percentage", self.spike_limit_percentage),
        ] {
            if share > 100 {
                problems.at(name, |p| {
                    p.error(format!("{share} is more than 100 percent"));
                });
            }
        }
        if self.limit_mib == 0
            && self.limit_percentage > 0
            && self.spike_limit_percentage >= self.limit_percentage
        {
            problems.at("spike_limit_percentage", |p| {
                p.error(format!(
                    "must be less than limit_percentage ({})",
                    self.limit_percentage
                ));
            });
        }
        if self.limit_mib > 0 && self.limit_percentage > 0 {
            problems.at("limit_percentage", |p| {
                p.warning("has no effect beside limit_mib")
                    .help("remove one of the two");
            });
        }
    }
}

impl ProcessorConfig for Config {
    fn build(&self, _: &BuildContext) -> Result<Stage, BuildError> {
        let probe = ProcessProbe::new();
        if probe.resident_bytes().is_none() {
            return Err(BuildError::new(
                "memory_limiter cannot read the process's memory from /proc/self/status",
            ));
        }
        let available = if self.limit_mib > 0 {
            0
        } else {
            memory_limit(Path::new("/"))
                .ok_or_else(|| BuildError::new("memory_limiter finds no cgroup limit and no /proc/meminfo: set limit_mib instead of limit_percentage"))?
        };
        Ok(Stage::Transform(Arc::new(Limiter::new(
            self.soft_limit_bytes(available),
            self.check_interval.0,
            Box::new(probe),
        ))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(limit_mib: u64, spike_limit_mib: u64) -> Config {
        Config {
            check_interval: HumanDuration(Duration::from_secs(1)),
            limit_mib,
            spike_limit_mib,
            ..Config::default()
        }
    }

    fn errors(config: &Config) -> Vec<String> {
        let mut problems = Problems::new();
        config.check(&mut problems);
        problems.found.into_iter().map(|p| p.message).collect()
    }

    #[test]
    fn refusing_begins_a_fifth_below_the_limit_unless_said_otherwise() {
        assert_eq!(limited(100, 0).soft_limit_bytes(0), 80 * MIB);
        assert_eq!(limited(100, 30).soft_limit_bytes(0), 70 * MIB);
        let share = |limit_percentage, spike_limit_percentage| Config {
            limit_percentage,
            spike_limit_percentage,
            ..Config::default()
        };
        assert_eq!(share(50, 0).soft_limit_bytes(1_000), 400);
        assert_eq!(share(50, 20).soft_limit_bytes(1_000), 300);
        assert_eq!(limited(u64::MAX, 1).soft_limit_bytes(0), u64::MAX - MIB);
    }

    #[test]
    fn it_is_built_for_this_process_with_either_kind_of_limit() {
        let context = BuildContext::alone("memory_limiter");
        let accepts = |config: Config| {
            let Ok(Stage::Transform(limiter)) = config.build(&context) else {
                panic!("a limiter is a transform")
            };
            limiter
                .apply(&mut sluice_batch::Batch::new(sluice_batch::Signal::Logs))
                .is_ok()
        };
        assert!(accepts(limited(1 << 30, 0)));
        assert!(
            !accepts(limited(1, 0)),
            "this process holds more than a MiB"
        );
        assert!(accepts(Config {
            limit_percentage: 100,
            spike_limit_percentage: 1,
            ..limited(0, 0)
        }));
    }

    #[test]
    fn an_interval_and_a_limit_are_required() {
        let found = errors(&Config::default());
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].contains("check_interval")
                && found[1].contains("limit_mib or limit_percentage")
        );
        assert!(errors(&limited(100, 0)).is_empty());
    }

    #[test]
    fn a_spike_limit_stays_below_the_limit() {
        assert!(errors(&limited(100, 99)).is_empty());
        assert_eq!(
            errors(&limited(100, 100)),
            ["must be less than limit_mib (100)"]
        );
        let share = |limit_percentage, spike_limit_percentage| Config {
            limit_percentage,
            spike_limit_percentage,
            ..limited(0, 0)
        };
        assert!(errors(&share(100, 99)).is_empty());
        assert_eq!(
            errors(&share(50, 50)),
            ["must be less than limit_percentage (50)"]
        );
        assert_eq!(errors(&share(101, 0)), ["101 is more than 100 percent"]);
    }
}
