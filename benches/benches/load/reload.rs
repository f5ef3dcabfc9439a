//! One exporter of ten is reloaded every second: do the senders notice?

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::Options;
use crate::drive::Until;
use crate::payload::Pool;
use crate::report::{median, say, table};
use crate::rounds::{Figures, HEAD, Round, Subject};
use crate::sink::{Kind, Sink};
use crate::sluice::{Sluice, file};

const EXPORTERS: usize = 10;
const SENDERS: usize = 4;
const ROUNDS: usize = 5;
/// The p99 with reloads may be this many times the one without.
const MOST: f64 = 1.5;

pub(crate) async fn run(options: Options) {
    let pool = Pool::ones();
    let time = Duration::from_secs(options.pick(10, 2));
    let mut sinks = Vec::new();
    for _ in 0..EXPORTERS {
        sinks.push(Sink::start(Kind::Otlp).await);
    }
    let sinks: Vec<&Sink> = sinks.iter().collect();
    let admin = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let admin = admin.expect("a free port");
    let plain = file("", &sinks, "{}").replace(
        "service:\n",
        &format!("service:\n  admin: {{endpoint: '{admin}'}}\n"),
    );
    // The file says where the receiver listens by port 0, which stands for the one that is open while it does not change.
    let changed = |n: usize| {
        let first = format!("  otlp_http/0: {{endpoint: 'http://{}'", sinks[0].address);
        let consumers = format!("{first}, sending_queue: {{num_consumers: {}}}", 5 + n % 4);
        plain.replace(&first, &consumers)
    };
    let sluice = Sluice::start(&plain).await;
    let subject = Subject {
        process: sluice.process,
        otlp: sluice.otlp,
        sinks: &sinks,
    };
    let client = sluice_tests::senders::client();
    let mut rounds: [Vec<Round>; 2] = Default::default();
    let mut reloads = 0;
    for _ in 0..ROUNDS {
        rounds[0].push(subject.round(&pool, SENDERS, Until::Time(time)).await);
        let round = subject.round(&pool, SENDERS, Until::Time(time));
        tokio::pin!(round);
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        rounds[1].push(loop {
            tokio::select! {
                round = &mut round => break round,
                _ = seconds.tick() => {
                    reloads += 1;
                    std::fs::write(sluice.configuration(), changed(reloads)).expect("a file");
                    let url = format!("http://{admin}/-/reload");
                    let answer = client.post(url).send().await.expect("an answer");
                    assert!(answer.status().is_success(), "{answer:?}");
                }
            }
        });
    }
    let names = ["no reload", "one exporter of ten, every second"];
    let rows: Vec<Vec<String>> = names
        .iter()
        .zip(&rounds)
        .map(|(name, rounds)| Figures::of(rounds).row(name))
        .collect();
    table(&HEAD, &rows);
    let p99 = |rounds: &[Round]| median(rounds.iter().map(|r| r.p99.as_secs_f64() * 1e3));
    let ratio = p99(&rounds[1]) / p99(&rounds[0]);
    let verdict = if ratio <= MOST { "met" } else { "MISSED" };
    say(&format!(
        "goal: p99 at most {MOST} times that without reloads: {ratio:.2} times ({:.2} and {:.2} ms, {reloads} reloads), {verdict}",
        p99(&rounds[1]),
        p99(&rounds[0]),
    ));
}
