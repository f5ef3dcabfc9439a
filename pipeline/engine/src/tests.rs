//! Delivery and acknowledgement with scripted exporters, on paused time.

mod on_disk;
mod reload;
mod replay;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sluice_batch::{Batch, Sender, Signal, Value};
use sluice_component::{
    After, Consume as _, Delivery, Exporter, Fate, Reservation, Reserve, Retry, Stage, Transform,
    Undelivered, Verdict,
};
use sluice_ledger::Log;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::delivery::{self, Destination, Stop};
use crate::fanout::Fanout;
use crate::health::{Health, State};
use crate::pace::Pace;
use crate::path::Path;
use crate::sink::Sink;

/// What a scripted exporter does with one attempt.
type Answer = Box<dyn Fn(&Batch) -> Result<(), Undelivered> + Send>;

/// Plays its script, then takes everything.
#[derive(Default)]
struct Scripted {
    script: Mutex<VecDeque<Answer>>,
    attempts: Mutex<Vec<(Duration, Vec<i64>)>>,
    started: Mutex<Option<Instant>>,
    is_hung: bool,
}

impl Exporter for Scripted {
    async fn export(&self, batch: &Batch) -> Result<(), Undelivered> {
        let since = self
            .started
            .lock()
            .get_or_insert_with(Instant::now)
            .elapsed();
        self.attempts.lock().push((since, ids(batch)));
        if self.is_hung {
            std::future::pending::<()>().await;
        }
        let answer = self.script.lock().pop_front();
        answer.map_or(Ok(()), |answer| answer(batch))
    }
}

fn ids(batch: &Batch) -> Vec<i64> {
    batch
        .records()
        .map(|r| {
            if let Some(Value::Int(id)) = r.get("id") {
                id
            } else {
                -1
            }
        })
        .collect()
}

fn batch(ids: impl IntoIterator<Item = i64>) -> Batch {
    let mut batch = Batch::new(Signal::Logs);
    for id in ids {
        batch.push_log().set("id", Value::Int(id));
    }
    batch
}

const PLAIN: Retry = Retry {
    initial: Duration::from_secs(1),
    max: Duration::from_secs(60),
    multiplier: 2.0,
    randomization: 0.0,
    max_elapsed: None,
    enabled: true,
};

/// One pipeline with these exporters, running until dropped.
struct Rig {
    path: Arc<Path>,
    exporters: Vec<Arc<Scripted>>,
    health: Vec<Arc<Health>>,
    stop: Stop,
}

impl Rig {
    fn new(stages: Vec<Stage>, exporters: Vec<Scripted>, retry: Retry) -> Self {
        let path = Arc::new(Path {
            name: "logs".into(),
            signal: Signal::Logs,
            stages,
            sink: Sink::Memory(Log::in_memory(1 << 20)),
        });
        let stop = Stop::default();
        let mut rig = Self {
            path,
            exporters: Vec::new(),
            health: Vec::new(),
            stop,
        };
        for (i, exporter) in exporters.into_iter().enumerate() {
            let exporter = Arc::new(exporter);
            let health = Arc::new(Health::default());
            let destination = Arc::new(Destination {
                name: format!("fake/{i}"),
                exporter: exporter.clone(),
                delivery: Delivery {
                    retry,
                    ..Delivery::default()
                },
                health: health.clone(),
                pace: Arc::new(Pace::new(4)),
                users: TaskTracker::new(),
            });
            let batching = destination.delivery.batching;
            tokio::spawn(delivery::run(
                destination.clone(),
                rig.path
                    .sink
                    .reader(&rig.path.name, &destination.name)
                    .unwrap(),
                batching,
                rig.stop.clone(),
            ));
            rig.exporters.push(exporter);
            rig.health.push(health);
        }
        rig
    }

    async fn send(&self, batch: Batch) -> Result<(), Undelivered> {
        Fanout::new(vec![self.path.clone()]).consume(batch).await
    }

    fn attempts(&self, exporter: usize) -> Vec<(Duration, Vec<i64>)> {
        self.exporters[exporter].attempts.lock().clone()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.now.cancel();
    }
}

fn scripted(script: impl IntoIterator<Item = Answer>) -> Scripted {
    Scripted {
        script: Mutex::new(script.into_iter().collect()),
        ..Scripted::default()
    }
}

fn always(verdict: Verdict) -> Answer {
    Box::new(move |batch| Err(Undelivered::all(batch.len(), verdict.clone())))
}

#[tokio::test(start_paused = true)]
async fn ok_comes_only_after_every_exporter_took_every_record() {
    let slow = scripted([always(Verdict::Retry(After::Delay(Duration::from_secs(7))))]);
    let rig = Rig::new(vec![], vec![scripted([]), slow], PLAIN);
    let start = Instant::now();
    rig.send(batch(0..3)).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(7));
    assert_eq!(
        rig.attempts(0).len(),
        1,
        "the healthy sibling was sent the records once"
    );
    assert_eq!(rig.attempts(1).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn only_the_records_that_are_owed_are_tried_again() {
    let partial: Answer = Box::new(|_| {
        Err(Undelivered {
            verdicts: vec![
                (1..2, Verdict::Retry(After::Backoff)),
                (3..4, Verdict::Refused("too old".into())),
                (5..7, Verdict::Hold("403".into())),
            ],
            source: None,
        })
    });
    let second: Answer = Box::new(|_| {
        Err(Undelivered {
            verdicts: vec![
                (0..1, Verdict::Retry(After::Backoff)),
                (2..3, Verdict::Refused("bad".into())),
            ],
            source: None,
        })
    });
    let rig = Rig::new(vec![], vec![scripted([partial, second])], PLAIN);
    let answer = rig.send(batch(0..8)).await.unwrap_err();
    let attempts: Vec<_> = rig.attempts(0).into_iter().map(|(_, ids)| ids).collect();
    assert_eq!(
        attempts,
        [vec![0, 1, 2, 3, 4, 5, 6, 7], vec![1, 5, 6], vec![1]]
    );
    let refused: Vec<_> = answer
        .verdicts
        .iter()
        .map(|(range, _)| range.clone())
        .collect();
    assert_eq!(refused, [3..4, 6..7], "positions in the sender's batch");
    assert!(!answer.is_retryable());
    assert_eq!(
        (rig.health[0].sent(), rig.health[0].refused()),
        (6, 2),
        "accepted = delivered + refused"
    );
}

#[tokio::test(start_paused = true)]
async fn a_dead_exporter_never_delays_what_its_sibling_gets() {
    let dead = Scripted {
        is_hung: true,
        ..Scripted::default()
    };
    let rig = Rig::new(vec![], vec![dead, scripted([])], PLAIN);
    for id in 0..5 {
        let path = rig.path.clone();
        tokio::spawn(async move { Fanout::new(vec![path]).consume(batch([id])).await });
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    let got: Vec<i64> = rig
        .attempts(1)
        .into_iter()
        .flat_map(|(_, ids)| ids)
        .collect();
    assert_eq!(got.len(), 5);
    assert_eq!(rig.health[1].sent(), 5);
    assert_eq!(rig.health[0].sent(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_sender_hears_try_again_when_delivery_takes_too_long_and_delivery_goes_on() {
    let rig = Rig::new(
        vec![],
        vec![scripted([always(Verdict::Retry(After::Delay(
            Duration::from_secs(40),
        )))])],
        PLAIN,
    );
    let answer = rig.send(batch([1])).await.unwrap_err();
    assert!(answer.is_retryable());
    assert_eq!(rig.health[0].sent(), 0);
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(rig.health[0].sent(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hung_attempt_is_given_up_and_repeated() {
    let hung = Scripted {
        is_hung: true,
        ..Scripted::default()
    };
    let rig = Rig::new(vec![], vec![hung], PLAIN);
    let path = rig.path.clone();
    tokio::spawn(async move { Fanout::new(vec![path]).consume(batch([1])).await });
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert!(rig.attempts(0).len() >= 3, "{:?}", rig.attempts(0));
}

#[tokio::test(start_paused = true)]
async fn a_panicking_exporter_loses_nothing() {
    let rig = Rig::new(
        vec![],
        vec![scripted([
            Box::new(|_: &Batch| -> Result<(), Undelivered> { panic!("a bug") }) as Answer,
        ])],
        PLAIN,
    );
    rig.send(batch([1, 2])).await.unwrap();
    assert_eq!(rig.attempts(0).len(), 2);
    assert_eq!(rig.health[0].sent(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_held_destination_is_probed_slowly_and_shown() {
    let rig = Rig::new(
        vec![],
        vec![scripted([
            always(Verdict::Hold("403 Invalid token".into())),
            always(Verdict::Hold("403 Invalid token".into())),
        ])],
        PLAIN,
    );
    let path = rig.path.clone();
    tokio::spawn(async move { Fanout::new(vec![path]).consume(batch([1])).await });
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(
        rig.health[0].state(),
        State::Held("403 Invalid token".into())
    );
    tokio::time::sleep(Duration::from_secs(120)).await;
    let at: Vec<_> = rig.attempts(0).iter().map(|(at, _)| at.as_secs()).collect();
    assert_eq!(at, [0, 60, 120]);
    assert_eq!(rig.health[0].state(), State::Well);
    assert_eq!(rig.health[0].sent(), 1, "nothing was lost meanwhile");
}

#[tokio::test(start_paused = true)]
async fn backing_off_grows_and_max_elapsed_time_ends_in_a_refusal() {
    let retry = Retry {
        max_elapsed: Some(Duration::from_secs(10)),
        ..PLAIN
    };
    let rig = Rig::new(
        vec![],
        vec![scripted(
            (0..9).map(|_| always(Verdict::Retry(After::Backoff))),
        )],
        retry,
    );
    let answer = rig.send(batch([1])).await.unwrap_err();
    assert!(!answer.is_retryable());
    assert!(
        answer
            .reason()
            .unwrap()
            .contains("max_elapsed_time is over"),
        "{answer}"
    );
    let at: Vec<_> = rig.attempts(0).iter().map(|(at, _)| at.as_secs()).collect();
    assert_eq!(at, [0, 1, 3, 7, 15]);
}

#[tokio::test(start_paused = true)]
async fn retry_off_refuses_at_the_first_failure() {
    let rig = Rig::new(
        vec![],
        vec![scripted([always(Verdict::Retry(After::Backoff))])],
        Retry {
            enabled: false,
            ..PLAIN
        },
    );
    let answer = rig.send(batch([1])).await.unwrap_err();
    assert!(!answer.is_retryable());
    assert_eq!(rig.health[0].refused(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_held_is_never_refused_whatever_the_retry_settings_say() {
    let hold = || always(Verdict::Hold("401".into()));
    for retry in [
        Retry {
            enabled: false,
            ..PLAIN
        },
        Retry {
            max_elapsed: Some(Duration::from_secs(10)),
            ..PLAIN
        },
    ] {
        let rig = Rig::new(vec![], vec![scripted([hold(), hold(), hold()])], retry);
        let path = rig.path.clone();
        tokio::spawn(async move { Fanout::new(vec![path]).consume(batch([1])).await });
        tokio::time::sleep(Duration::from_secs(179)).await;
        assert_eq!(rig.health[0].state(), State::Held("401".into()));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!((rig.health[0].sent(), rig.health[0].refused()), (1, 0));
        let at: Vec<_> = rig.attempts(0).iter().map(|(at, _)| at.as_secs()).collect();
        assert_eq!(at, [0, 60, 120, 180], "it is probed slowly");
    }
}

#[tokio::test(start_paused = true)]
async fn giving_up_on_some_records_of_a_request_keeps_the_held_ones() {
    let mixed: Answer = Box::new(|_| {
        Err(Undelivered {
            verdicts: vec![
                (0..1, Verdict::Hold("404".into())),
                (1..3, Verdict::Retry(After::Backoff)),
                (3..4, Verdict::Hold("404".into())),
            ],
            source: None,
        })
    });
    let off = Retry {
        enabled: false,
        ..PLAIN
    };
    let rig = Rig::new(vec![], vec![scripted([mixed])], off);
    let path = rig.path.clone();
    tokio::spawn(async move { Fanout::new(vec![path]).consume(batch(0..5)).await });
    tokio::time::sleep(Duration::from_secs(70)).await;
    assert_eq!(rig.attempts(0)[1].1, [0, 3]);
    assert_eq!((rig.health[0].sent(), rig.health[0].refused()), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn time_on_hold_does_not_count_as_time_of_trying() {
    let retry = Retry {
        max_elapsed: Some(Duration::from_secs(10)),
        ..PLAIN
    };
    let script = [
        always(Verdict::Hold("403".into())),
        always(Verdict::Retry(After::Backoff)),
    ];
    let rig = Rig::new(vec![], vec![scripted(script)], retry);
    let path = rig.path.clone();
    tokio::spawn(async move { Fanout::new(vec![path]).consume(batch([1])).await });
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!((rig.health[0].sent(), rig.health[0].refused()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_signal_without_a_pipeline_is_refused_and_not_swallowed() {
    let rig = Rig::new(vec![], vec![scripted([])], PLAIN);
    let spans = Batch::decode_json(
        Signal::Traces,
        br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"x"}]}]}]}"#,
    )
    .unwrap();
    let answer = rig.send(spans).await.unwrap_err();
    assert!(
        answer
            .reason()
            .unwrap()
            .contains("no pipeline takes traces"),
        "{answer}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_audit_event_without_an_id_gets_one_and_others_do_not() {
    let rig = Rig::new(vec![], vec![scripted([])], PLAIN);
    let mut events = batch([1, 2, 3]);
    events.record_mut(0).set("decision", Value::Str("refuse"));
    events.record_mut(1).set("decision", Value::Str("refuse"));
    events.record_mut(1).set("event_id", Value::Str("given"));
    crate::accept::assign_ids(&mut events);
    let uid = events
        .record(0)
        .get("log.record.uid")
        .and_then(Value::as_str)
        .unwrap()
        .to_owned();
    assert_eq!(uuid::Uuid::parse_str(&uid).unwrap().get_version_num(), 7);
    assert_eq!(events.record(1).get("log.record.uid"), None);
    assert_eq!(events.record(2).get("log.record.uid"), None);
    rig.send(events).await.unwrap();
}

/// Remembers what `settle` was told.
struct Remembers(Arc<Mutex<Vec<bool>>>);

impl Reserve for Remembers {
    fn reserve(&self, batch: &mut Batch) -> Reservation {
        let (told, records) = (self.0.clone(), batch.len());
        Reservation {
            settle: Box::new(move |taken| told.lock().extend((0..records).map(taken))),
            waits: vec![],
        }
    }
}

/// Drops the records with this id.
struct Drops(i64);

impl Transform for Drops {
    fn apply(&self, batch: &mut Batch) -> Result<(), Undelivered> {
        batch.retain(|r| r.get("id") != Some(Value::Int(self.0)));
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_reservation_hears_the_fate_of_each_record() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let refuse: Answer = Box::new(|_| {
        Err(Undelivered {
            verdicts: vec![(1..2, Verdict::Refused("no".into()))],
            source: None,
        })
    });
    let rig = Rig::new(
        vec![Stage::Reserve(Arc::new(Remembers(told.clone())))],
        vec![scripted([refuse])],
        PLAIN,
    );
    rig.send(batch(0..3)).await.unwrap_err();
    assert_eq!(*told.lock(), [true, false, true]);
}

#[tokio::test(start_paused = true)]
async fn when_a_later_step_drops_records_only_complete_success_is_remembered() {
    for (script, expected) in [
        (vec![], true),
        (vec![always(Verdict::Refused("no".into()))], false),
    ] {
        let told = Arc::new(Mutex::new(Vec::new()));
        let stages = vec![
            Stage::Reserve(Arc::new(Remembers(told.clone()))),
            Stage::Transform(Arc::new(Drops(1))),
        ];
        let rig = Rig::new(stages, vec![scripted(script)], PLAIN);
        let _ = rig.send(batch(0..3)).await;
        assert_eq!(*told.lock(), [expected; 3]);
    }
}

/// Notes whether it may know who sent what it sees.
struct Asks(Arc<Mutex<Vec<bool>>>);

impl Transform for Asks {
    fn apply(&self, batch: &mut Batch) -> Result<(), Undelivered> {
        self.0.lock().push(batch.sender().is_some());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn who_sent_a_request_is_known_to_the_stages_and_forgotten_behind_them() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let at_the_exporter = seen.clone();
    let take: Answer = Box::new(move |batch| {
        at_the_exporter.lock().push(batch.sender().is_some());
        Ok(())
    });
    let stages = vec![
        Stage::Transform(Arc::new(Drops(1))),
        Stage::Transform(Arc::new(Asks(seen.clone()))),
    ];
    let rig = Rig::new(stages, vec![scripted([take])], PLAIN);
    let mut batch = batch(0..3);
    batch.set_sender(Some(Arc::new(Sender::default())));
    rig.send(batch).await.unwrap();
    assert_eq!(*seen.lock(), [true, false]);
}

/// Takes every record out and waits for another request's fate.
struct Twin(Fate);

impl Reserve for Twin {
    fn reserve(&self, batch: &mut Batch) -> Reservation {
        let fate = self.0;
        let waits = (0..batch.len())
            .map(|_| Box::pin(async move { fate }) as sluice_component::Wait)
            .collect();
        batch.retain(|_| false);
        Reservation {
            settle: Box::new(|_| ()),
            waits,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_twin_of_a_failed_request_is_owed_and_that_of_a_delivered_one_is_not() {
    for (fate, is_ok) in [(Fate::Delivered, true), (Fate::GivenBack, false)] {
        let rig = Rig::new(
            vec![Stage::Reserve(Arc::new(Twin(fate)))],
            vec![scripted([])],
            PLAIN,
        );
        let answer = rig.send(batch([1])).await;
        assert_eq!(answer.is_ok(), is_ok);
        assert!(
            answer.err().is_none_or(|e| e.is_retryable()),
            "the sender must send it again"
        );
        assert!(rig.attempts(0).is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn records_that_a_destination_cannot_digest_do_not_keep_the_others_from_it() {
    // The destination fails whenever record 13 is in the batch, and for good.
    let poison = || -> Answer {
        Box::new(|batch| {
            if ids(batch).contains(&13) {
                Err(Undelivered::retry(batch.len(), "500"))
            } else {
                Ok(())
            }
        })
    };
    let rig = Rig::new(vec![], vec![scripted((0..200).map(|_| poison()))], PLAIN);
    for id in [13, 1, 2, 3] {
        let path = rig.path.clone();
        tokio::spawn(async move { Fanout::new(vec![path]).consume(batch([id])).await });
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(rig.health[0].sent(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_exporter_that_takes_a_part_is_asked_again_at_once_and_one_that_takes_none_is_not() {
    let rest: Answer = Box::new(|batch| {
        let rest = 2..batch.len() as u32;
        Err(Undelivered {
            verdicts: vec![(rest, Verdict::Retry(After::Delay(Duration::ZERO)))],
            source: None,
        })
    });
    let none = always(Verdict::Retry(After::Delay(Duration::ZERO)));
    let rig = Rig::new(vec![], vec![scripted([rest, none])], PLAIN);
    let start = Instant::now();
    rig.send(batch(0..4)).await.unwrap();
    assert_eq!(
        start.elapsed(),
        Duration::from_secs(1),
        "one back-off, for the attempt that took nothing"
    );
    assert_eq!(rig.attempts(0).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_step_before_one_that_waits_for_a_twin_does_not_remember_the_record_as_delivered() {
    for (fate, remembered) in [(Fate::GivenBack, false), (Fate::Delivered, false)] {
        let told = Arc::new(Mutex::new(Vec::new()));
        let stages = vec![
            Stage::Reserve(Arc::new(Remembers(told.clone()))),
            Stage::Reserve(Arc::new(Twin(fate))),
        ];
        let rig = Rig::new(stages, vec![scripted([])], PLAIN);
        let answer = rig.send(batch([1])).await;
        assert_eq!(answer.is_ok(), fate == Fate::Delivered);
        assert_eq!(*told.lock(), [remembered]);
    }
}

/// Takes every record out and waits for a request that never ends.
struct Stuck;

impl Reserve for Stuck {
    fn reserve(&self, batch: &mut Batch) -> Reservation {
        let waits = (0..batch.len())
            .map(|_| Box::pin(std::future::pending()) as sluice_component::Wait)
            .collect();
        batch.retain(|_| false);
        Reservation {
            settle: Box::new(|_| ()),
            waits,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_twin_longer_than_a_sender_listens() {
    let rig = Rig::new(
        vec![Stage::Reserve(Arc::new(Stuck))],
        vec![scripted([])],
        PLAIN,
    );
    let claims = rig.path.prepare(batch(0..3)).unwrap().claims;
    let deadline = Instant::now() + Duration::from_secs(30);
    let work = tokio::spawn(claims.settle(Ok(Vec::new()), deadline));
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert!(work.is_finished(), "its memory is free again");
    assert!(work.await.unwrap().unwrap_err().is_retryable());
}

#[tokio::test(start_paused = true)]
async fn one_event_has_one_id_in_every_pipeline() {
    let rigs = [
        Rig::new(vec![], vec![scripted([])], PLAIN),
        Rig::new(vec![], vec![scripted([])], PLAIN),
    ];
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut paths = Vec::new();
    for rig in &rigs {
        let seen = seen.clone();
        let note: Answer = Box::new(move |batch| {
            seen.lock().push(
                batch
                    .record(0)
                    .get("log.record.uid")
                    .map(|id| id.to_text().into_owned()),
            );
            Ok(())
        });
        rig.exporters[0].script.lock().push_back(note);
        paths.push(rig.path.clone());
    }
    let mut event = batch([1]);
    event.record_mut(0).set("decision", Value::Str("allow"));
    Fanout::new(paths).consume(event).await.unwrap();
    let seen = seen.lock();
    assert!(seen[0].is_some() && seen[0] == seen[1], "{seen:?}");
}
