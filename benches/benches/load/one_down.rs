//! One of three destinations is dead for the whole run: do the others notice?

use crate::Options;
use crate::drive::Until;
use crate::payload::Pool;
use crate::report::{goal, megabytes, say, table};
use crate::rounds::{Figures, HEAD, Round, Subject};
use crate::sink::{Kind, Sink};
use crate::sluice::{MAIN_JOB, Sluice, file};

const SENDERS: usize = 8;
const ROUNDS: u64 = 4;

pub(crate) async fn run(options: Options) {
    let pool = Pool::thousands();
    // A million for each side.
    let records = options.pick(1_000_000, 40_000) / ROUNDS;
    let (a, b) = (
        Sink::start(Kind::Splunk).await,
        Sink::start(Kind::Otlp).await,
    );
    let (c, d) = (
        Sink::start(Kind::Splunk).await,
        Sink::start(Kind::Otlp).await,
    );
    let dead = Sink::down(Kind::Splunk);
    let without = Sluice::start(&file(MAIN_JOB, &[&a, &b], "{}")).await;
    let with = Sluice::start(&file(MAIN_JOB, &[&c, &d, &dead], "{}")).await;
    let (healthy, beside) = ([&a, &b], [&c, &d]);
    let subjects = [
        ("two destinations", &without, &healthy),
        ("the same and a dead one", &with, &beside),
    ];
    let mut rounds: [Vec<Round>; 2] = Default::default();
    for _ in 0..ROUNDS {
        for ((_, sluice, sinks), rounds) in subjects.iter().zip(&mut rounds) {
            let subject = Subject {
                process: sluice.process,
                otlp: sluice.otlp,
                sinks: sinks.as_slice(),
            };
            rounds.push(subject.round(&pool, SENDERS, Until::Records(records)).await);
        }
    }
    let figures = rounds.each_ref().map(|r| Figures::of(r));
    let rows: Vec<Vec<String>> = subjects
        .iter()
        .zip(&figures)
        .map(|((name, ..), f)| f.row(name))
        .collect();
    table(&HEAD, &rows);
    let resident = rounds.each_ref().map(|rounds| {
        let each: Vec<String> = rounds.iter().map(|r| megabytes(r.resident)).collect();
        each.join(", ")
    });
    say(&format!(
        "RSS after each round: {}; with the dead one: {}",
        resident[0], resident[1]
    ));
    goal(
        "pace of the healthy ones",
        100.0 * figures[1].throughput / figures[0].throughput,
        90.0,
        " %",
    );
    goal(
        "records per CPU second",
        100.0 * figures[1].per_cpu / figures[0].per_cpu,
        90.0,
        " %",
    );
}
