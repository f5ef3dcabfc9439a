//! What durability costs: the main job with and without the ledger.

use std::time::Duration;

use crate::Options;
use crate::drive::Until;
use crate::payload::Pool;
use crate::report::{goal, table};
use crate::rounds::{Figures, HEAD, Round, Subject};
use crate::sink::{Kind, Sink};
use crate::sluice::{MAIN_JOB, Sluice, file};

/// The name of each variant and its `service.ledger`.
const VARIANTS: [(&str, &str); 4] = [
    ("none", "none"),
    ("default", "{}"),
    ("integrity off", "{integrity: off}"),
    ("fsync every 10 ms", "{fsync: {every: 10ms}}"),
];

pub(crate) async fn run(options: Options) {
    let pool = Pool::thousands();
    let mut running = Vec::new();
    for (name, ledger) in VARIANTS {
        let sink = Sink::start(Kind::Splunk).await;
        let sluice = Sluice::start(&file(MAIN_JOB, &[&sink], ledger)).await;
        running.push((name, sluice, sink));
    }
    let time = Duration::from_millis(options.pick(1500, 60));
    for senders in [8, 32] {
        let mut rounds: Vec<Vec<Round>> = vec![Vec::new(); running.len()];
        for n in 0..options.pick(4, 1) {
            for ((_, sluice, sink), rounds) in running.iter().zip(&mut rounds) {
                let subject = Subject {
                    process: sluice.process,
                    otlp: sluice.otlp,
                    sinks: &[sink],
                };
                let round = subject.round(&pool, senders, Until::Time(time)).await;
                // The first one warms up.
                if n > 0 || options.is_short {
                    rounds.push(round);
                }
            }
        }
        let figures: Vec<Figures> = rounds.iter().map(|r| Figures::of(r)).collect();
        let rows: Vec<Vec<String>> = running
            .iter()
            .zip(&figures)
            .map(|((name, ..), f)| f.row(&format!("{name}, {senders} senders")))
            .collect();
        table(&HEAD, &rows);
        let (none, default) = (figures[0], figures[1]);
        goal(
            "default against none, records/s",
            100.0 * default.throughput / none.throughput,
            60.0,
            " %",
        );
        goal(
            "default against none, records per CPU second",
            100.0 * default.per_cpu / none.per_cpu,
            60.0,
            " %",
        );
    }
}
