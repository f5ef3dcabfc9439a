//! Delivery from the ledger: what senders hear, and what each exporter gets.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use sluice_batch::{Batch, Signal, Value};
use sluice_component::{
    After, Batching, Consume as _, Delivery, Stage, Transform, Undelivered, Verdict,
};
use sluice_ledger::disk::{Fault, FaultKind, Operation, SimulatedDisk, When};
use sluice_ledger::{Integrity, Ledger, Settings};
use tokio_util::task::TaskTracker;

use super::{Answer, PLAIN, Scripted, always, batch, scripted};
use crate::delivery::{self, Destination, Stop};
use crate::fanout::Fanout;
use crate::health::Health;
use crate::lent::LENT_BYTES;
use crate::pace::Pace;
use crate::path::Path;
use crate::replay::Control;
use crate::sink::Sink;

/// Pipelines `logs/0`, `logs/1` … on one ledger, each with its stages and exporters, running until dropped.
pub(super) struct Graph {
    disk: SimulatedDisk,
    pub(super) ledger: Ledger,
    paths: Vec<Arc<Path>>,
    pub(super) control: Control,
    pub(super) stop: Stop,
}

impl Drop for Graph {
    fn drop(&mut self) {
        self.stop.now.cancel();
        self.ledger.close();
    }
}

pub(super) fn graph(pipelines: Vec<(Vec<Stage>, Vec<Arc<Scripted>>)>) -> Graph {
    named(pipelines, |i, j| format!("fake/{i}{j}"))
}

/// With names of one's own for the exporters, by pipeline and place.
pub(super) fn named(
    pipelines: Vec<(Vec<Stage>, Vec<Arc<Scripted>>)>,
    name: impl Fn(usize, usize) -> String,
) -> Graph {
    let disk = SimulatedDisk::new(1);
    let settings = Settings {
        integrity: Integrity::Off,
        ..Settings::new("simulated")
    };
    let ledger = Ledger::open_on(Arc::new(disk.clone()), settings, None).unwrap();
    let (mut paths, mut ends) = (Vec::new(), Vec::new());
    let stop = Stop::default();
    for (i, (stages, exporters)) in pipelines.into_iter().enumerate() {
        let path = Arc::new(Path {
            name: format!("logs/{i}").into(),
            signal: Signal::Logs,
            stages,
            sink: Sink::Ledger(ledger.clone()),
        });
        for (j, exporter) in exporters.into_iter().enumerate() {
            let destination = Arc::new(Destination {
                name: name(i, j),
                exporter,
                delivery: Delivery {
                    retry: PLAIN,
                    ..Delivery::default()
                },
                health: Arc::new(Health::default()),
                pace: Arc::new(Pace::new(4)),
                users: TaskTracker::new(),
            });
            let reader = path.sink.reader(&path.name, &destination.name).unwrap();
            let batching = Batching {
                max_bytes: 0,
                ..destination.delivery.batching
            };
            tokio::spawn(delivery::run(
                destination.clone(),
                reader,
                batching,
                stop.clone(),
            ));
            ends.push((path.clone(), destination));
        }
        paths.push(path);
    }
    let control = Control {
        ledger: Some(ledger.clone()),
        ends: Arc::new(ArcSwap::from_pointee(ends)),
        stop: stop.soon.clone(),
    };
    Graph {
        disk,
        ledger,
        paths,
        control,
        stop,
    }
}

impl Graph {
    pub(super) async fn send(&self, batch: Batch) -> Result<(), Undelivered> {
        let paths = self.paths.clone();
        Fanout::new(paths).consume(batch).await
    }
}

/// Waits until an exporter was given so many records, and names them in order: several leases are under way at once.
pub(super) async fn given(exporter: &Scripted, records: usize) -> Vec<i64> {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        let mut ids: Vec<i64> = exporter
            .attempts
            .lock()
            .iter()
            .flat_map(|(_, ids)| ids.clone())
            .collect();
        if ids.len() >= records {
            ids.sort_unstable();
            return ids;
        }
        assert!(std::time::Instant::now() < deadline, "{ids:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ok_comes_from_the_disk_while_one_exporter_hangs_and_one_refuses_us() {
    let hung = Arc::new(Scripted {
        is_hung: true,
        ..Scripted::default()
    });
    let held = Arc::new(scripted(
        (0..9).map(|_| always(Verdict::Hold("403".into()))),
    ));
    let good = Arc::new(scripted([]));
    let graph = graph(vec![(vec![], vec![hung, held, good.clone()])]);
    for id in 0..20 {
        graph.send(batch([id])).await.unwrap();
    }
    assert_eq!(given(&good, 20).await, (0..20).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_is_told_to_the_sender_and_once_it_is_mended_the_sender_is_served() {
    let good = Arc::new(scripted([]));
    let graph = graph(vec![(vec![], vec![good.clone()])]);
    graph.send(batch([1])).await.unwrap();
    graph
        .disk
        .fail(Fault::new(Operation::Sync, When::From(1), FaultKind::Forgotten).below("segments/"));
    let answer = graph.send(batch([2])).await.unwrap_err();
    assert!(answer.is_retryable(), "{answer}");
    assert!(
        answer.delay().is_some(),
        "the sender is told when to come back"
    );
    graph.disk.heal();
    graph.send(batch([3])).await.unwrap();
    assert_eq!(
        given(&good, 2).await,
        [1, 3],
        "what was not acknowledged is not delivered"
    );
}

#[tokio::test(start_paused = true)]
async fn a_sender_whom_a_hung_disk_keeps_waiting_is_told_that_it_is_the_disk() {
    let graph = graph(vec![(vec![], vec![Arc::new(scripted([]))])]);
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    graph.disk.watch(move |operation, path| {
        if operation == Operation::Sync && path.starts_with("segments/") {
            // Until the other end is gone.
            let _ = gate.lock().recv();
        }
    });
    let answer = graph.send(batch([1])).await.unwrap_err();
    assert!(answer.is_retryable());
    assert!(answer.to_string().contains("the ledger's disk"), "{answer}");
    drop(open);
}

/// Refuses batches with this id.
pub(super) struct Refuses(pub(super) i64);

impl Transform for Refuses {
    fn apply(&self, batch: &mut Batch) -> Result<(), Undelivered> {
        let is_there = batch
            .records()
            .any(|r| r.get("id") == Some(Value::Int(self.0)));
        if is_there {
            return Err(Undelivered::retry(batch.len(), "memory limit"));
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_feeds_two_pipelines_is_in_both_or_in_none() {
    let (first, second) = (Arc::new(scripted([])), Arc::new(scripted([])));
    let picky: Stage = Stage::Transform(Arc::new(Refuses(7)));
    let graph = graph(vec![
        (vec![], vec![first.clone()]),
        (vec![picky], vec![second.clone()]),
    ]);
    graph.send(batch([1])).await.unwrap();
    graph.send(batch([7])).await.unwrap_err();
    graph.send(batch([2])).await.unwrap();
    assert_eq!(given(&first, 2).await, [1, 2]);
    assert_eq!(given(&second, 2).await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_on_hold_for_ever_does_not_hold_the_memory_of_those_that_came_with_it() {
    // Of each two records the second is on hold, whatever is left of the first.
    let holds = || -> Answer {
        Box::new(|batch| {
            let last = batch.len() as u32 - 1;
            Err(Undelivered {
                verdicts: vec![(last..last + 1, Verdict::Hold("a token of its own".into()))],
                source: None,
            })
        })
    };
    let away = (0..3).map(|_| always(Verdict::Retry(After::Backoff)));
    let picky = Arc::new(scripted(away.chain((0..8).map(|_| holds()))));
    let graph = graph(vec![(vec![], vec![picky.clone()])]);
    // Three of them pass the limit.
    let large = "x".repeat(LENT_BYTES * 2 / 5);
    for id in (0..8).step_by(2) {
        let mut batch = batch([id, id + 1]);
        batch.record_mut(0).set_body(Value::Str(&large));
        graph.send(batch).await.unwrap();
    }
    let came = given(&picky, 14).await;
    let twice = (0..6).flat_map(|id| [id, id]);
    assert_eq!(came, twice.chain([6, 7]).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_is_away_is_lent_no_more_than_the_limit_and_gets_the_rest_when_it_is_back()
 {
    // Two fit, the third passes the limit, and more attempts than that would be allowed.
    let large = LENT_BYTES * 2 / 5;
    let away = Arc::new(scripted(
        (0..3).map(|_| always(Verdict::Retry(After::Backoff))),
    ));
    let graph = graph(vec![(vec![], vec![away.clone()])]);
    for id in 0..5 {
        let mut batch = batch([id]);
        batch.record_mut(0).set_body(Value::Str(&"x".repeat(large)));
        graph.send(batch).await.unwrap();
    }
    assert_eq!(given(&away, 8).await, [0, 0, 1, 1, 2, 2, 3, 4]);
    let attempts = away.attempts.lock();
    let order: Vec<i64> = attempts.iter().flat_map(|(_, ids)| ids.clone()).collect();
    let (first, rest) = order.split_at(3);
    assert_eq!(first, [0, 1, 2]);
    assert!(
        rest[0] < 3,
        "the fourth was lent before one of the three was delivered: {order:?}"
    );
}
