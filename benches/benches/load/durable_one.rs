//! Durable before the OK: Sluice's ledger beside the Collector's queue on disk, both with an fsync a request.

use std::time::Duration;

use crate::Options;
use crate::collector::Collector;
use crate::drive::Until;
use crate::payload::Pool;
use crate::report::{goal, say, table};
use crate::rounds::{Figures, HEAD, Round, Subject};
use crate::sink::{Kind, Sink};
use crate::sluice::{Sluice, file};

const SENDERS: usize = 32;

/// How the Collector gathers what it takes from its queue: as it does by itself, and at its best.
const GATHERING: &str = ", batch: {flush_timeout: 200ms, min_size: 1000, sizer: items}";

pub(crate) async fn run(options: Options) {
    let (mine, plain, gathering) = (
        Sink::start(Kind::Otlp).await,
        Sink::start(Kind::Otlp).await,
        Sink::start(Kind::Otlp).await,
    );
    let sluice = Sluice::start(&file("", &[&mine], "{}")).await;
    let collector = Collector::start(plain.address, "").await;
    let gatherer = Collector::start(gathering.address, GATHERING).await;
    let mine = [&mine];
    let mut subjects = vec![(
        "Sluice",
        Subject {
            process: sluice.process,
            otlp: sluice.otlp,
            sinks: &mine,
        },
    )];
    let (plain, gathering) = ([&plain], [&gathering]);
    for (name, collector, sinks) in [
        ("Collector", &collector, &plain),
        ("Collector, gathering", &gatherer, &gathering),
    ] {
        if let Some(collector) = collector {
            let subject = Subject {
                process: collector.process,
                otlp: collector.otlp,
                sinks,
            };
            subjects.push((name, subject));
        }
    }
    if subjects.len() == 1 {
        say("SKIPPED, the Collector is not installed: bash tests/peers/otelcol/install.sh");
    }
    for (pool, wanted) in [(Pool::ones(), 10.0), (Pool::thousands(), 5.0)] {
        let time = Duration::from_millis(options.pick(2000, 60));
        let mut rounds: Vec<Vec<Round>> = vec![Vec::new(); subjects.len()];
        for n in 0..options.pick(4, 1) {
            for ((_, subject), rounds) in subjects.iter().zip(&mut rounds) {
                let round = subject.round(&pool, SENDERS, Until::Time(time)).await;
                // The first one warms up.
                if n > 0 || options.is_short {
                    rounds.push(round);
                }
            }
        }
        let figures: Vec<Figures> = rounds.iter().map(|r| Figures::of(r)).collect();
        let rows: Vec<Vec<String>> = subjects
            .iter()
            .zip(&figures)
            .map(|((name, _), f)| f.row(&format!("{name}, {} a request", pool.records)))
            .collect();
        table(&HEAD, &rows);
        for ((name, _), other) in subjects.iter().zip(&figures).skip(1) {
            goal(
                &format!(
                    "records per CPU second with {} a request, against the {name},",
                    pool.records
                ),
                figures[0].per_cpu / other.per_cpu,
                wanted,
                " times",
            );
        }
    }
}
