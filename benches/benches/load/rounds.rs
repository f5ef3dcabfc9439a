//! One round: senders send, the sink gets everything, and what the child spent on that.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::drive::{self, Until};
use crate::payload::Pool;
use crate::process::Process;
use crate::report::{median, megabytes, whole};
use crate::sink::Sink;

/// Something that takes OTLP/HTTP and passes it on to sinks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'s> {
    pub(crate) process: Process,
    pub(crate) otlp: SocketAddr,
    pub(crate) sinks: &'s [&'s Sink],
}

/// What came of a round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) records: u64,
    /// Until the last answer.
    pub(crate) taken_in: Duration,
    /// Until the last record was at every sink.
    pub(crate) delivered: Duration,
    /// Seconds of the child's CPU until then.
    pub(crate) cpu: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// Bytes resident at the end.
    pub(crate) resident: u64,
    /// The most so far.
    pub(crate) peak: u64,
}

impl Subject<'_> {
    /// One round.
    pub(crate) async fn round(&self, pool: &Pool, senders: usize, until: Until) -> Round {
        let before: Vec<u64> = self.sinks.iter().map(|s| s.records()).collect();
        let (began, cpu) = (Instant::now(), self.process.cpu());
        let sent = drive::send(self.otlp, pool, senders, until).await;
        let mut last = began;
        for (sink, before) in self.sinks.iter().zip(before) {
            last = last.max(sink.has(before + sent.records).await);
        }
        Round {
            records: sent.records,
            taken_in: sent.time,
            delivered: last - began,
            cpu: self.process.cpu() - cpu,
            p50: sent.quantile(0.5),
            p99: sent.quantile(0.99),
            resident: self.process.resident(),
            peak: self.process.peak(),
        }
    }
}

/// The medians of several rounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// Records acknowledged per second while they were sent.
    pub(crate) acknowledged: f64,
    /// Records per second until the last was delivered.
    pub(crate) throughput: f64,
    /// Records per second of the child's CPU.
    pub(crate) per_cpu: f64,
    p50: f64,
    p99: f64,
    pub(crate) resident: u64,
    pub(crate) peak: u64,
}

pub(crate) const HEAD: [&str; 9] = [
    "",
    "acked/s",
    "rec/s",
    "rec/CPU s",
    "CPU us/rec",
    "p50 ms",
    "p99 ms",
    "RSS",
    "peak",
];

impl Figures {
    pub(crate) fn of(rounds: &[Round]) -> Self {
        let rate = |time: fn(&Round) -> f64| {
            median(rounds.iter().map(|r| r.records as f64 / time(r).max(1e-9)))
        };
        Self {
            acknowledged: rate(|r| r.taken_in.as_secs_f64()),
            throughput: rate(|r| r.delivered.as_secs_f64()),
            per_cpu: rate(|r| r.cpu),
            p50: median(rounds.iter().map(|r| r.p50.as_secs_f64() * 1e3)),
            p99: median(rounds.iter().map(|r| r.p99.as_secs_f64() * 1e3)),
            resident: median(rounds.iter().map(|r| r.resident as f64)) as u64,
            peak: rounds.iter().map(|r| r.peak).max().unwrap_or(0),
        }
    }

    /// A row of a table with [`HEAD`].
    pub(crate) fn row(&self, name: &str) -> Vec<String> {
        vec![
            name.to_owned(),
            whole(self.acknowledged),
            whole(self.throughput),
            whole(self.per_cpu),
            format!("{:.2}", 1e6 / self.per_cpu),
            format!("{:.1}", self.p50),
            format!("{:.1}", self.p99),
            megabytes(self.resident),
            megabytes(self.peak),
        ]
    }
}
