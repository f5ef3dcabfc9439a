//! Delivery from the ledger: what senders hear, what each exporter gets, and what is sent again on order.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use sluice_batch::{Batch, Signal, Value};
use sluice_component::{Consume as _, Delivery, Stage, Transform, Undelivered, Verdict};
use sluice_ledger::disk::{Fault, FaultKind, Operation, SimulatedDisk, When};
use sluice_ledger::{Integrity, Ledger, Settings};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{PLAIN, Scripted, always, batch, scripted};
use crate::delivery::{self, Destination, Stop};
use crate::fanout::Fanout;
use crate::health::Health;
use crate::pace::Pace;
use crate::path::Path;
use crate::replay::{Control, MARK, Progress, Replay};
use crate::sink::Sink;

/// Pipelines `logs/0`, `logs/1` … on one ledger, each with its stages and exporters, running until dropped.
struct Graph {
    disk: SimulatedDisk,
    ledger: Ledger,
    paths: Vec<Arc<Path>>,
    control: Control,
    stop: Stop,
}

impl Drop for Graph {
    fn drop(&mut self) {
        self.stop.now.cancel();
        self.ledger.close();
    }
}

fn graph(pipelines: Vec<(Vec<Stage>, Vec<Arc<Scripted>>)>) -> Graph {
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
                name: format!("fake/{i}{j}"),
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
            let batching = destination.delivery.batching;
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
    async fn send(&self, batch: Batch) -> Result<(), Undelivered> {
        let paths = self.paths.clone();
        Fanout::new(paths).consume(batch).await
    }
}

/// Waits until an exporter was given so many records, and names them in order: several leases are under way at once.
async fn given(exporter: &Scripted, records: usize) -> Vec<i64> {
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
struct Refuses(i64);

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

/// Masks `secret`, and is applied again on replay.
struct Masks(Arc<Mutex<bool>>);

impl Transform for Masks {
    fn apply(&self, batch: &mut Batch) -> Result<(), Undelivered> {
        for i in 0..batch.len() {
            if *self.0.lock() && batch.record(i).get("secret").is_some() {
                batch.record_mut(i).set("secret", Value::Str("****"));
            }
        }
        Ok(())
    }

    fn applies_on_replay(&self) -> bool {
        true
    }
}

/// What the exporter saw of each record: its id, its mark, its secret.
type Seen = Arc<Mutex<Vec<(i64, bool, Option<String>)>>>;

fn looking(seen: &Seen, times: usize) -> Scripted {
    scripted((0..times).map(|_| {
        let seen = seen.clone();
        Box::new(move |batch: &Batch| {
            for record in batch.records() {
                let Some(Value::Int(id)) = record.get("id") else {
                    continue;
                };
                let secret = record.get("secret").map(|v| v.to_text().into_owned());
                seen.lock().push((id, record.get(MARK).is_some(), secret));
            }
            Ok(())
        }) as super::Answer
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_marked_passes_todays_redaction_and_moves_no_cursor() {
    let (seen, rule) = (Seen::default(), Arc::new(Mutex::new(false)));
    let exporter = Arc::new(looking(&seen, 20));
    let stage = Stage::Transform(Arc::new(Masks(rule.clone())));
    let graph = graph(vec![(vec![stage], vec![exporter.clone()])]);
    for id in 0..4 {
        let mut one = batch([id]);
        one.record_mut(0).set("secret", Value::Str("s3cr3t"));
        one.record_mut(0).set_time(1000 + id as u64);
        graph.send(one).await.unwrap();
    }
    given(&exporter, 4).await;
    let before = graph.ledger.cursors();
    *rule.lock() = true;
    let replay = |dry_run| Replay {
        from: 1001,
        to: 1003,
        wanted: Box::new(|r| r.get("id") != Some(Value::Int(9))),
        exporter: "fake/00".into(),
        dry_run,
        rate: 0,
    };
    let counted = Arc::new(Progress::default());
    graph
        .control
        .replay(replay(true), counted.clone(), CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(
        (counted.matched(), counted.delivered()),
        (2, 0),
        "a dry run only counts"
    );
    let progress = Arc::new(Progress::default());
    graph
        .control
        .replay(replay(false), progress.clone(), CancellationToken::new())
        .await
        .unwrap();
    assert_eq!((progress.matched(), progress.delivered()), (2, 2));
    let again: Vec<_> = seen.lock().split_off(4);
    let masked = |id| (id, true, Some("****".to_owned()));
    assert_eq!(again, [masked(1), masked(2)]);
    let moved = |state: &std::collections::BTreeMap<_, sluice_ledger::CursorState>| {
        state.values().map(|s| s.cursor.clone()).collect::<Vec<_>>()
    };
    assert_eq!(moved(&graph.ledger.cursors()), moved(&before));
    let unknown = Replay {
        exporter: "fake/99".into(),
        ..replay(false)
    };
    let error = graph
        .control
        .replay(unknown, progress, CancellationToken::new())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "no exporter is called fake/99; there are: fake/00"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_is_taken_at_last_is_one_no_more_and_one_that_is_not_stays() {
    let refuse = || always(Verdict::Refused("400 too old".into()));
    let exporter = Arc::new(scripted([refuse(), refuse()]));
    let graph = graph(vec![(vec![], vec![exporter.clone()])]);
    graph.send(batch([5])).await.unwrap();
    let letters = || graph.ledger.dead_letters().sequences("fake/00");
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while letters().is_empty() {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for (refused, left) in [(1, 1), (0, 0)] {
        let progress = Arc::new(Progress::default());
        let stop = CancellationToken::new();
        graph
            .control
            .retry("fake/00", letters(), progress.clone(), stop)
            .await
            .unwrap();
        assert_eq!((progress.refused(), letters().len()), (refused, left));
    }
    assert_eq!(given(&exporter, 3).await, [5, 5, 5]);
}
