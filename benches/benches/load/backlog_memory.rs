//! A destination is down for long: what the backlog costs in memory and on disk.

use std::time::Instant;

use crate::Options;
use crate::drive::{self, Until};
use crate::payload::Pool;
use crate::place;
use crate::report::{megabytes, say, table, whole};
use crate::sink::{Kind, Sink};
use crate::sluice::{Sluice, file};

const SENDERS: usize = 8;
/// What all of it may cost in memory.
const GOAL: u64 = 150_000_000;

pub(crate) async fn run(options: Options) {
    let pool = Pool::thousands();
    let bytes: u64 = options.pick(2_000_000_000, 100_000_000);
    let records = bytes.div_ceil(pool.bytes()) * pool.records;
    let mut sink = Sink::down(Kind::Otlp);
    let sluice = Sluice::start(&file("", &[&sink], "{}")).await;
    let idle = sluice.process.resident();

    let sent = drive::send(sluice.otlp, &pool, SENDERS, Until::Records(records)).await;
    let (taken_in, resident) = (sluice.process.peak(), sluice.process.resident());
    let stored = place::bytes_in(&sluice.ledger());

    let began = Instant::now();
    sink.up().await;
    let drained = sink.has(sent.records).await - began;
    let peak = sluice.process.peak();
    table(
        &["", "records", "rec/s", "peak", "RSS at its end"],
        &[
            vec![
                format!("intake of {}", megabytes(bytes)),
                sent.records.to_string(),
                whole(sent.records as f64 / sent.time.as_secs_f64()),
                megabytes(taken_in),
                megabytes(resident),
            ],
            vec![
                "delivery".into(),
                sent.records.to_string(),
                whole(sent.records as f64 / drained.as_secs_f64()),
                megabytes(peak),
                megabytes(sluice.process.resident()),
            ],
        ],
    );
    say(&format!(
        "{} resident before the first record; {} on disk",
        megabytes(idle),
        megabytes(stored)
    ));
    let verdict = if peak < GOAL { "met" } else { "MISSED" };
    say(&format!(
        "goal: peak below {}: {}, {verdict}",
        megabytes(GOAL),
        megabytes(peak)
    ));
}
