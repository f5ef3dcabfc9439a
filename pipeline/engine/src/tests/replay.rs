//! What is sent again on order: replays and dead letters.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sluice_batch::{Batch, Value};
use sluice_component::{Stage, Transform, Undelivered, Verdict};
use sluice_ledger::Refusal;
use tokio_util::sync::CancellationToken;

use super::on_disk::{Graph, Refuses, given, graph, named};
use super::{Scripted, always, batch, scripted};
use crate::outside::MARK;
use crate::progress::Progress;
use crate::replay::Replay;

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

/// Waits until something holds.
async fn until(mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

impl Graph {
    fn letters(&self, exporter: &str) -> Vec<u64> {
        self.ledger.dead_letters().sequences(exporter)
    }

    /// Makes letters of records with these ids: their destinations have refused them.
    fn refused(&self, pipeline: &str, exporter: &str, ids: std::ops::Range<i64>) {
        let refusal = Refusal {
            sequences: ids.clone().map(|id| id as u64).collect(),
            batch: batch(ids),
            reason: "400".into(),
            attempts: 3,
        };
        let exporter = exporter.into();
        let letters = self.ledger.put_letters(pipeline, &exporter, &refusal);
        letters.unwrap();
    }

    async fn retry(&self, exporter: &str) -> Arc<Progress> {
        let progress = Arc::new(Progress::default());
        let stop = CancellationToken::new();
        let retry = self
            .control
            .retry(exporter, self.letters(exporter), progress.clone(), stop);
        retry.await.unwrap();
        progress
    }
}

fn everything(exporter: &str) -> Replay {
    Replay {
        from: 0,
        to: u64::MAX,
        wanted: Box::new(|_| true),
        exporter: exporter.into(),
        dry_run: false,
        rate: 0,
    }
}

fn hung() -> Arc<Scripted> {
    Arc::new(Scripted {
        is_hung: true,
        ..Scripted::default()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_to_several_destinations_reaches_the_others_while_one_hangs() {
    let good = Arc::new(scripted([]));
    let graph = named(vec![(vec![], vec![hung(), good.clone()])], |_, j| {
        format!("siem[{j}]")
    });
    for id in 0..20 {
        graph.send(batch([id])).await.unwrap();
    }
    given(&good, 20).await;
    let progress = Arc::new(Progress::default());
    let (control, counts) = (graph.control.clone(), progress.clone());
    let replay = tokio::spawn(async move {
        let stop = CancellationToken::new();
        control.replay(everything("siem"), counts, stop).await
    });
    given(&good, 40).await;
    until(|| progress.delivered() == 20).await;
    assert!(!replay.is_finished());
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_marked_for_the_next_run_reach_the_others_while_one_exporter_hangs() {
    let good = Arc::new(scripted([]));
    let graph = graph(vec![(vec![], vec![hung(), good.clone()])]);
    for exporter in ["fake/00", "fake/01", "fake/gone"] {
        graph.refused("logs/0", exporter, 0..3);
        let letters = graph.ledger.dead_letters();
        letters.want(&exporter.into(), &[0, 1, 2]).unwrap();
    }
    let retry = tokio::spawn(crate::ledger::retry_wanted(graph.control.clone()));
    until(|| graph.letters("fake/01").is_empty()).await;
    assert_eq!(given(&good, 3).await, [0, 1, 2]);
    assert_eq!(graph.letters("fake/00"), [0, 1, 2]);
    assert!(!retry.is_finished());
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_and_small_frames_are_sent_again_in_full_requests() {
    let exporter = Arc::new(scripted([]));
    let graph = graph(vec![(vec![], vec![exporter.clone()])]);
    for id in 0..20 {
        graph.send(batch([id])).await.unwrap();
    }
    given(&exporter, 20).await;
    exporter.attempts.lock().clear();
    let progress = Arc::new(Progress::default());
    let stop = CancellationToken::new();
    let replay = graph.control.replay(everything("fake/00"), progress, stop);
    replay.await.unwrap();
    assert_eq!(exporter.attempts.lock().len(), 1);

    graph.refused("logs/0", "fake/00", 0..1500);
    exporter.attempts.lock().clear();
    let progress = graph.retry("fake/00").await;
    let sizes: Vec<_> = exporter
        .attempts
        .lock()
        .iter()
        .map(|(_, ids)| ids.len())
        .collect();
    assert_eq!((sizes, progress.delivered()), (vec![1000, 500], 1500));
    assert!(graph.letters("fake/00").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_whose_pipeline_or_exporter_is_gone_is_skipped_and_named_and_the_others_are_sent()
{
    let exporter = Arc::new(scripted([]));
    let graph = graph(vec![(vec![], vec![exporter.clone()])]);
    graph.refused("logs/0", "fake/00", 0..2);
    graph.refused("logs/old", "fake/00", 2..4);
    graph.refused("logs/0", "fake/old", 4..5);
    let progress = graph.retry("fake/00").await;
    assert_eq!((progress.matched(), progress.delivered()), (4, 2));
    assert_eq!((progress.skipped(), progress.unsent()), (2, 0));
    assert_eq!(
        progress.reasons(),
        ["records 2, 3: no pipeline logs/old ends in fake/00 any more"]
    );
    assert_eq!(graph.letters("fake/00"), [2, 3], "they stay");
    let progress = graph.retry("fake/old").await;
    assert_eq!(progress.skipped(), 1);
    assert_eq!(
        progress.reasons(),
        ["record 4: no exporter of the configuration is called fake/old; there are: fake/00"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_cannot_be_read_keeps_no_other_from_being_sent() {
    let exporter = Arc::new(scripted([]));
    let graph = graph(vec![(vec![], vec![exporter.clone()])]);
    graph.refused("logs/0", "fake/00", 0..2);
    let progress = Arc::new(Progress::default());
    let stop = CancellationToken::new();
    let retry = graph
        .control
        .retry("fake/00", vec![7, 0, 1], progress.clone(), stop);
    retry.await.unwrap();
    assert_eq!((progress.skipped(), progress.delivered()), (1, 2));
    assert_eq!(
        progress.reasons(),
        ["record 7: it is no dead letter any more"]
    );
}

/// Refuses batches with this id, also on replay.
struct RefusesAgain(Refuses);

impl Transform for RefusesAgain {
    fn apply(&self, batch: &mut Batch) -> Result<(), Undelivered> {
        self.0.apply(batch)
    }

    fn applies_on_replay(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_todays_rules_cannot_handle_is_withheld_and_is_no_refusal_of_its_destination()
{
    let exporter = Arc::new(scripted([]));
    let stage = Stage::Transform(Arc::new(RefusesAgain(Refuses(1))));
    let graph = graph(vec![(vec![stage], vec![exporter.clone()])]);
    graph.refused("logs/0", "fake/00", 0..3);
    let progress = graph.retry("fake/00").await;
    assert_eq!((progress.delivered(), progress.withheld()), (2, 1));
    assert_eq!((progress.refused(), progress.unsent()), (0, 0));
    let why = &progress.reasons()[0];
    assert!(
        why.starts_with("record 1: today's rules of logs/0") && why.ends_with("memory limit"),
        "{why}"
    );
    assert_eq!(graph.letters("fake/00"), [1], "it stays a letter");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_attempts_of_a_letter_add_up_over_its_retries() {
    let refuse = || always(Verdict::Refused("400".into()));
    let exporter = Arc::new(scripted([refuse(), refuse()]));
    let graph = graph(vec![(vec![], vec![exporter])]);
    graph.refused("logs/0", "fake/00", 0..1);
    for attempts in [4, 5] {
        assert_eq!(graph.retry("fake/00").await.refused(), 1);
        let letter = graph.ledger.dead_letters().letter("fake/00", 0).unwrap();
        assert_eq!(letter.attempts, attempts);
    }
}

#[tokio::test]
async fn a_replay_that_is_told_to_stop_says_what_it_has_not_sent() {
    let graph = graph(vec![(vec![], vec![hung()])]);
    for id in 0..20 {
        graph.send(batch([id])).await.unwrap();
    }
    tokio::time::pause();
    let (progress, stop) = (Arc::new(Progress::default()), CancellationToken::new());
    stop.cancel();
    let replay = graph
        .control
        .replay(everything("fake/00"), progress.clone(), stop);
    replay.await.unwrap();
    assert_eq!((progress.delivered(), progress.unsent()), (0, 20));
    assert!(!progress.is_cut_short(), "it had time to count them");
}

#[tokio::test]
async fn an_attempt_that_hangs_gets_a_moment_after_the_order_to_stop_and_its_letters_stay() {
    let exporter = hung();
    let graph = graph(vec![(vec![], vec![exporter.clone()])]);
    graph.refused("logs/0", "fake/00", 0..3);
    tokio::time::pause();
    let (progress, stop) = (Arc::new(Progress::default()), CancellationToken::new());
    let retry = graph
        .control
        .retry("fake/00", vec![0, 1, 2], progress.clone(), stop.clone());
    let begun = tokio::time::Instant::now();
    let order = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(exporter.attempts.lock().len(), 1, "it hangs by now");
        stop.cancel();
    };
    let (result, ()) = tokio::join!(retry, order);
    result.unwrap();
    let moment = begun.elapsed() - Duration::from_secs(5);
    assert!(
        (900..1100).contains(&moment.as_millis()),
        "a second: {moment:?}"
    );
    assert_eq!((progress.delivered(), progress.unsent()), (0, 3));
    assert_eq!(graph.letters("fake/00"), [0, 1, 2]);
}

#[tokio::test]
async fn a_replay_ends_when_the_graph_stops() {
    let graph = graph(vec![(vec![], vec![hung()])]);
    graph.send(batch([1])).await.unwrap();
    tokio::time::pause();
    let (progress, stop) = (Arc::new(Progress::default()), CancellationToken::new());
    graph.stop.soon.cancel();
    let replay = graph
        .control
        .replay(everything("fake/00"), progress.clone(), stop);
    replay.await.unwrap();
    assert_eq!((progress.delivered(), progress.unsent()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_is_taken_at_last_is_one_no_more_and_one_that_is_not_stays() {
    let refuse = || always(Verdict::Refused("400 too old".into()));
    let exporter = Arc::new(scripted([refuse(), refuse()]));
    let graph = graph(vec![(vec![], vec![exporter.clone()])]);
    graph.send(batch([5])).await.unwrap();
    until(|| !graph.letters("fake/00").is_empty()).await;
    for (refused, left) in [(1, 1), (0, 0)] {
        let progress = graph.retry("fake/00").await;
        let letters = graph.letters("fake/00").len();
        assert_eq!((progress.refused(), letters), (refused, left));
    }
    assert_eq!(given(&exporter, 3).await, [5, 5, 5]);
}
