//! A destination comes back: how fast its backlog leaves the disk, beside how fast records come in.

use std::time::Instant;

use crate::Options;
use crate::drive::{self, Until};
use crate::payload::Pool;
use crate::place;
use crate::report::{goal, megabytes, say, table, whole};
use crate::rounds::Subject;
use crate::sink::{Kind, Sink};
use crate::sluice::{MAIN_JOB, Sluice, file};

const SENDERS: usize = 8;

pub(crate) async fn run(options: Options) {
    for kind in [Kind::Splunk, Kind::Otlp] {
        once(options, kind).await;
    }
}

async fn once(options: Options, kind: Kind) {
    let pool = Pool::thousands();
    // Beyond what is kept in memory (32 MiB, and what is lent), also in the short form.
    let records = options.pick(400_000, 60_000);
    let mut sink = Sink::down(kind);
    let sluice = Sluice::start(&file(MAIN_JOB, &[&sink], "{}")).await;

    let cpu = sluice.process.cpu();
    let down = drive::send(sluice.otlp, &pool, SENDERS, Until::Records(records)).await;
    let down_cpu = sluice.process.cpu() - cpu;
    let stored = place::bytes_in(&sluice.ledger());

    let (began, cpu) = (Instant::now(), sluice.process.cpu());
    let read = sluice.process.read();
    sink.up().await;
    let drained = sink.has(records).await - began;
    let drained_cpu = sluice.process.cpu() - cpu;
    let read = sluice.process.read() - read;
    assert!(
        read >= stored / 4,
        "{read} bytes were read, {stored} are stored: this was not the way over the disk"
    );

    let subject = Subject {
        process: sluice.process,
        otlp: sluice.otlp,
        sinks: &[&sink],
    };
    let live = subject
        .round(&pool, SENDERS, Until::Records(records / 2))
        .await;

    let row = |name: &str, records: u64, seconds: f64, cpu: f64| {
        vec![
            name.to_owned(),
            whole(records as f64 / seconds),
            whole(records as f64 / cpu),
            format!("{:.2}", cpu * 1e6 / records as f64),
        ]
    };
    table(
        &["", "rec/s", "rec/CPU s", "CPU us/rec"],
        &[
            row(
                &format!("{kind:?}: intake while it is down"),
                records,
                down.time.as_secs_f64(),
                down_cpu,
            ),
            row(
                &format!("{kind:?}: delivery from the disk"),
                records,
                drained.as_secs_f64(),
                drained_cpu,
            ),
            row(
                &format!("{kind:?}: intake and delivery at once"),
                live.records,
                live.delivered.as_secs_f64(),
                live.cpu,
            ),
        ],
    );
    say(&format!(
        "backlog {} on disk, {} read back; peak {}",
        megabytes(stored),
        megabytes(read),
        megabytes(sluice.process.peak())
    ));
    let rate = records as f64 / drained.as_secs_f64();
    let lived = live.records as f64 / live.taken_in.as_secs_f64();
    goal(
        "delivery from disk against live intake",
        rate / lived,
        3.0,
        " times",
    );
    say(&format!(
        "against intake while the destination is down: {:.2} times",
        rate * down.time.as_secs_f64() / records as f64
    ));
}
