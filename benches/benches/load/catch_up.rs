//! A destination comes back: how fast its backlog leaves the disk, beside how fast records come in.

use crate::Options;
use crate::drive::{self, Sent, Until};
use crate::payload::Pool;
use crate::place;
use crate::report::{goal, median, megabytes, say, table, whole};
use crate::rounds::{Round, Subject};
use crate::sink::{Kind, Sink};
use crate::sluice::{MAIN_JOB, Sluice, file};

const SENDERS: usize = 8;

pub(crate) async fn run(options: Options) {
    for kind in [Kind::Splunk, Kind::Otlp] {
        several(options, kind).await;
    }
}

/// What came of one time that the destination was away.
struct Absence {
    down: Sent,
    down_cpu: f64,
    drained: Drained,
    live: Round,
}

/// Delivery from the first record that the destination has to the last.
struct Drained {
    records: u64,
    seconds: f64,
    cpu: f64,
}

impl Absence {
    /// Records per second of delivery, by those of intake.
    fn ratio(&self) -> f64 {
        let live = self.live.records as f64 / self.live.taken_in.as_secs_f64();
        self.drained.records as f64 / self.drained.seconds / live
    }

    /// The same of the records a CPU second of Sluice's: without what sink and senders take of the machine meanwhile.
    fn cpu_ratio(&self) -> f64 {
        let live = self.live.records as f64 / self.live.cpu;
        self.drained.records as f64 / self.drained.cpu / live
    }
}

async fn several(options: Options, kind: Kind) {
    let pool = Pool::thousands();
    // Beyond what is kept in memory (48 MiB, and what is lent), also in the short form; in the long one so far beyond that
    // what is still there after the last answer hardly counts for the pace of live intake.
    let records = options.pick(600_000, 60_000);
    let mut sink = Sink::down(kind);
    let sluice = Sluice::start(&file(MAIN_JOB, &[&sink], "{}")).await;
    let mut absences = Vec::new();
    for _ in 0..options.pick(3, 1) {
        absences.push(once(&sluice, &mut sink, &pool, records).await);
    }

    let row = |name: &str, of: &dyn Fn(&Absence) -> (u64, f64, f64)| {
        let middle =
            |figure: fn((u64, f64, f64)) -> f64| median(absences.iter().map(|a| figure(of(a))));
        vec![
            name.to_owned(),
            whole(middle(|(records, seconds, _)| records as f64 / seconds)),
            whole(middle(|(records, _, cpu)| records as f64 / cpu)),
            format!(
                "{:.2}",
                middle(|(records, _, cpu)| cpu * 1e6 / records as f64)
            ),
        ]
    };
    table(
        &["", "rec/s", "rec/CPU s", "CPU us/rec"],
        &[
            row(&format!("{kind:?}: intake while it is down"), &|a| {
                (a.down.records, a.down.time.as_secs_f64(), a.down_cpu)
            }),
            row(&format!("{kind:?}: delivery from the disk"), &|a| {
                (a.drained.records, a.drained.seconds, a.drained.cpu)
            }),
            row(&format!("{kind:?}: intake and delivery at once"), &|a| {
                let live = &a.live;
                (live.records, live.taken_in.as_secs_f64(), live.cpu)
            }),
        ],
    );
    say(&format!("peak {}", megabytes(sluice.process.peak())));
    goal(
        "delivery from disk against live intake",
        median(absences.iter().map(Absence::ratio)),
        3.0,
        " times",
    );
    goal(
        "the same, records a CPU second",
        median(absences.iter().map(Absence::cpu_ratio)),
        3.0,
        " times",
    );
}

/// The destination goes, records come in, it comes back and gets them; then as many come in while it is there.
async fn once(sluice: &Sluice, sink: &mut Sink, pool: &Pool, records: u64) -> Absence {
    sink.leave().await;
    let before = (sink.records(), place::bytes_in(&sluice.ledger()));
    let cpu = sluice.process.cpu();
    let down = drive::send(sluice.otlp, pool, SENDERS, Until::Records(records)).await;
    let down_cpu = sluice.process.cpu() - cpu;
    let stored = place::bytes_in(&sluice.ledger()).saturating_sub(before.1);

    let read = sluice.process.read();
    sink.up().await;
    // How long it takes until it is tried again is a matter of `retry_on_failure`.
    let (first, began) = sink.has_more_than(before.0).await;
    let cpu = sluice.process.cpu();
    let end = before.0 + down.records;
    let seconds = (sink.has(end).await - began).as_secs_f64();
    let drained = Drained {
        records: end - first,
        seconds,
        cpu: sluice.process.cpu() - cpu,
    };
    let read = sluice.process.read() - read;
    assert!(
        read >= stored / 4,
        "{read} bytes were read, {stored} are stored: this was not the way over the disk"
    );
    let subject = Subject {
        process: sluice.process,
        otlp: sluice.otlp,
        sinks: &[sink],
    };
    let live = subject.round(pool, SENDERS, Until::Records(records)).await;
    Absence {
        down,
        down_cpu,
        drained,
        live,
    }
}
