//! kill -9 at random moments: whatever a sender was told OK for reaches every destination.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sluice_ledger::{Keys, Request, Verdict, Verification};
use sluice_testing::Fault;
use sluice_tests::{Encoding, Event, SOON, Sluice, events, senders};
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::settings;
use crate::siems::Siems;

/// Rounds unless `SLUICE_CRASH_ROUNDS` says otherwise.
const ROUNDS: usize = 200;
const SENDERS: usize = 4;
/// Events in a request.
const EVENTS: usize = 5;

/// What the senders of one round share.
#[derive(Default)]
struct Round {
    acknowledged: Mutex<Vec<String>>,
    requests: AtomicUsize,
    /// Rung at every answer.
    answered: Notify,
    is_over: AtomicBool,
}

/// Sends requests until the process is gone.
async fn send(to: std::net::SocketAddr, seed: u64, round: Arc<Round>) {
    let mut seed = seed;
    while !round.is_over.load(Ordering::Relaxed) {
        let events = events::generate(EVENTS, seed, 50);
        seed = seed.wrapping_add(1_000_003);
        let request = events::otlp_request(&events);
        let Ok(answer) = senders::otlp_protobuf(to, &request, Encoding::Plain).await else {
            return;
        };
        if answer.status == 200 {
            let ids = events.iter().map(|e| e.id().to_owned());
            round.acknowledged.lock().extend(ids);
            round.requests.fetch_add(1, Ordering::Relaxed);
        }
        round.answered.notify_waiters();
    }
}

/// One life of the process: `kill_after` answered requests, then SIGKILL in the middle of the others.
async fn live(
    directory: Arc<TempDir>,
    file: &str,
    seed: u64,
    kill_after: usize,
    acknowledged: &mut BTreeSet<String>,
) -> Arc<TempDir> {
    let sluice = Sluice::start_in(directory, file, &[]);
    let http = sluice.address("otlp", "http").await;
    let round = Arc::new(Round::default());
    let senders: Vec<_> = (0..SENDERS as u64)
        .map(|sender| {
            tokio::spawn(send(
                http,
                seed.wrapping_mul(31).wrapping_add(sender),
                round.clone(),
            ))
        })
        .collect();
    let enough = async {
        loop {
            let answered = round.answered.notified();
            if round.requests.load(Ordering::Relaxed) >= kill_after {
                return;
            }
            answered.await;
        }
    };
    tokio::time::timeout(SOON, enough)
        .await
        .unwrap_or_else(|_| panic!("no answers:\n{}", sluice.log_text()));
    let directory = sluice.kill();
    round.is_over.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.await.unwrap();
    }
    acknowledged.extend(round.acknowledged.lock().drain(..));
    directory
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_acknowledged_survives_kill_9_and_reaches_every_destination() {
    let rounds = std::env::var("SLUICE_CRASH_ROUNDS").map_or(ROUNDS, |n| n.parse().unwrap());
    let siems = Siems::start().await;
    // One of the three fails half of its calls, some of them after it took the data.
    siems.splunk.faults().every(4, Fault::status(503));
    siems.splunk.faults().every(4, Fault::AcceptThenCut);
    let file = settings::with_ledger(
        &siems.file(&["redaction", "dedupe"]),
        "{directory: ledger, checkpoint_every: 50ms, segment_bytes: 256KiB}",
    );
    let mut random = StdRng::seed_from_u64(9);
    let mut acknowledged = BTreeSet::new();
    let mut directory = Arc::new(tempfile::tempdir().unwrap());
    let mut kept = None;
    for round in 0..rounds {
        let kill_after = random.random_range(0..40);
        directory = live(
            directory,
            &file,
            round as u64 + 1,
            kill_after,
            &mut acknowledged,
        )
        .await;
        kept = verified(directory.path(), kept);
    }
    assert!(
        acknowledged.len() >= rounds * EVENTS,
        "{} events were acknowledged",
        acknowledged.len()
    );

    let sluice = Sluice::start_in(directory, &file, &[]);
    siems.splunk.faults().clear();
    everything_arrives(&siems, &acknowledged, &sluice).await;
    let directory = sluice.keep();
    let ended = sluice.stop().await;
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert!(!ended.log.contains("damaged"), "{}", ended.log);
    let found = verify(directory.path(), &Request::default());
    assert_eq!(found.verdict, Verdict::Whole, "{:#?}", found.findings);
    assert_eq!(found.not_covered, 0, "a clean stop signs everything");
}

fn verify(directory: &Path, request: &Request) -> Verification {
    let ledger = directory.join("ledger");
    let keys = Keys::beside(&ledger.join("signing.key")).unwrap();
    sluice_ledger::verify(&ledger, &keys, request, |_| ())
}

/// Verifies what has come since the checkpoint that was kept, as an auditor does who comes by again and again; gives
/// the checkpoint to keep for the next time.
fn verified(directory: &Path, kept: Option<String>) -> Option<String> {
    let checkpoint = std::fs::read_to_string(directory.join("ledger/checkpoint")).ok()?;
    let request = Request {
        from_checkpoint: kept.map(|text| sluice_ledger::read_checkpoint(&text).unwrap()),
        ..Request::default()
    };
    let found = verify(directory, &request);
    // The first processes may be killed before they sign a record: then there is nothing to check yet.
    assert_ne!(found.verdict, Verdict::Broken, "{:#?}", found.findings);
    if found.covered > 0 {
        assert_eq!(found.verdict, Verdict::Whole, "{:#?}", found.findings);
    }
    Some(checkpoint)
}

/// Waits until every destination holds all of them, and checks that Elasticsearch has each once.
async fn everything_arrives(siems: &Siems, acknowledged: &BTreeSet<String>, sluice: &Sluice) {
    let deadline = tokio::time::Instant::now() + 5 * SOON;
    loop {
        let arrivals = siems.arrivals();
        let missing: Vec<(&str, usize)> = arrivals
            .iter()
            .map(|(name, arrived)| {
                (
                    *name,
                    acknowledged
                        .iter()
                        .filter(|id| !arrived.contains_key(*id))
                        .count(),
                )
            })
            .collect();
        if missing.iter().all(|(_, n)| *n == 0) {
            for (name, arrived) in &arrivals {
                let doubled = arrived.values().filter(|n| **n > 1).count();
                eprintln!(
                    "{name}: {} events, {doubled} of them more than once",
                    arrived.len()
                );
                assert!(
                    *name != "elastic" || doubled == 0,
                    "Elasticsearch has {doubled} events twice"
                );
            }
            return;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "of {} acknowledged events are missing: {missing:?}\n{}",
            acknowledged.len(),
            sluice.log_text()
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_is_known_after_kill_9() {
    let siems = Siems::start().await;
    let file = settings::with_ledger(&siems.file(&["redaction", "dedupe"]), "{directory: ledger}");
    let events: Vec<Event> = events::generate(30, 77, 10);
    let request = events::otlp_request(&events);
    let sluice = Sluice::start(&file);
    let http = sluice.address("otlp", "http").await;
    let answer = senders::otlp_protobuf(http, &request, Encoding::Plain)
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    siems
        .splunk
        .wait_for(|state| state.events.len() == 30, SOON)
        .await
        .unwrap();
    let directory = sluice.kill();

    let sluice = Sluice::start_in(directory.clone(), &file, &[]);
    let http = sluice.address("otlp", "http").await;
    let mut more = events.clone();
    more.extend(events::generate(1, 78, 10));
    let answer = senders::otlp_protobuf(http, &events::otlp_request(&more), Encoding::Plain)
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    let new = more.last().unwrap().id().to_owned();
    siems
        .elastic
        .wait_for(|state| state.documents.iter().any(|d| d.id == new), SOON)
        .await
        .unwrap();
    let ended = sluice.stop().await;
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    // What a crash made it deliver twice is what was delivered just before it; what the sender repeated is not.
    let view = sluice_ledger::View::open(&directory.path().join("ledger")).unwrap();
    assert_eq!(view.sequences(), 0..31, "the ledger took each event once");
}
