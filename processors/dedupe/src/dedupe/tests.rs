use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use proptest::prelude::*;
use sluice_batch::{Batch, Signal, Value, ValueBuf};
use sluice_component::{
    BuildContext, Checked as _, Fate, HumanDuration, Problems, ProcessorConfig as _, Reservation,
    Reserve as _, Stage,
};

use super::Dedupe;
use crate::Config;

fn dedupe(config: &Config) -> Dedupe {
    config.build_with(config.memory()).unwrap()
}

fn batch(ids: &[&str]) -> Batch {
    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(&[], "audit");
    for id in ids {
        batch.push_log().set("log.record.uid", Value::Str(id));
    }
    batch
}

fn ids(batch: &Batch) -> Vec<String> {
    batch
        .records()
        .map(|r| r.get("log.record.uid").unwrap().to_text().into_owned())
        .collect()
}

async fn fates(waits: Vec<sluice_component::Wait>) -> Vec<Fate> {
    join_all(waits).await
}

#[tokio::test]
async fn a_delivered_id_is_dropped_and_a_twin_in_the_batch_too() {
    let dedupe = dedupe(&Config::default());
    let mut first = batch(&["a", "b", "a"]);
    let reservation = dedupe.reserve(&mut first);
    assert_eq!(ids(&first), ["a", "b"]);
    assert!(reservation.waits.is_empty());
    (reservation.settle)(&|_| true);
    let mut second = batch(&["c", "b", "d", "a"]);
    let reservation = dedupe.reserve(&mut second);
    assert_eq!(ids(&second), ["c", "d"]);
    assert!(reservation.waits.is_empty());
}

#[tokio::test]
async fn a_refused_first_attempt_leaves_no_trace() {
    let dedupe = dedupe(&Config::default());
    let mut first = batch(&["a", "b"]);
    (dedupe.reserve(&mut first).settle)(&|_| false);
    let mut retry = batch(&["a", "b"]);
    let reservation = dedupe.reserve(&mut retry);
    assert_eq!(ids(&retry), ["a", "b"]);
    drop(reservation);
    let mut retry = batch(&["a", "b"]);
    let _reservation = dedupe.reserve(&mut retry);
    assert_eq!(
        ids(&retry),
        ["a", "b"],
        "a dropped reservation gives everything back"
    );
}

#[tokio::test]
async fn one_two_against_two_one_does_not_deadlock_and_both_are_answered() {
    for first_is_delivered in [true, false] {
        let dedupe = dedupe(&Config::default());
        let (mut a, mut b) = (batch(&["1", "2"]), batch(&["2", "1"]));
        let first = dedupe.reserve(&mut a);
        let second = dedupe.reserve(&mut b);
        assert_eq!(
            (ids(&a).len(), ids(&b).len(), second.waits.len()),
            (2, 0, 2)
        );
        // The second request settles its own (empty) part before it waits.
        (second.settle)(&|_| true);
        let waiting = tokio::spawn(fates(second.waits));
        (first.settle)(&|_| first_is_delivered);
        let fate = if first_is_delivered {
            Fate::Delivered
        } else {
            Fate::GivenBack
        };
        assert_eq!(waiting.await.unwrap(), [fate, fate]);
    }
}

#[tokio::test]
async fn three_requests_in_a_ring_are_all_answered() {
    let dedupe = dedupe(&Config::default());
    let mut batches = [batch(&["1", "3"]), batch(&["3", "2"]), batch(&["2", "1"])];
    let reservations: Vec<Reservation> = batches.iter_mut().map(|b| dedupe.reserve(b)).collect();
    assert_eq!(
        batches.iter().map(Batch::len).collect::<Vec<_>>(),
        [2, 1, 0]
    );
    let mut waits = Vec::new();
    for reservation in reservations {
        (reservation.settle)(&|_| true);
        waits.extend(reservation.waits);
    }
    assert_eq!(fates(waits).await, [Fate::Delivered; 3]);
}

#[tokio::test]
async fn only_the_delivered_part_of_a_batch_is_remembered() {
    let dedupe = dedupe(&Config::default());
    // The duplicate in front shifts positions: settle counts in the batch as it was left.
    let mut known = batch(&["x"]);
    (dedupe.reserve(&mut known).settle)(&|_| true);
    let mut first = batch(&["x", "a", "b", "c"]);
    let reservation = dedupe.reserve(&mut first);
    let mut twin = batch(&["a", "b"]);
    let twin = dedupe.reserve(&mut twin);
    (reservation.settle)(&|i| i != 1);
    assert_eq!(fates(twin.waits).await, [Fate::Delivered, Fate::GivenBack]);
    let mut again = batch(&["a", "b", "c"]);
    let _reservation = dedupe.reserve(&mut again);
    assert_eq!(ids(&again), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn an_id_is_new_again_when_its_window_is_over() {
    let dedupe = dedupe(&Config {
        window: HumanDuration(Duration::from_secs(60)),
        ..Config::default()
    });
    let mut first = batch(&["a"]);
    (dedupe.reserve(&mut first).settle)(&|_| true);
    tokio::time::advance(Duration::from_secs(59)).await;
    let mut within = batch(&["a"]);
    drop(dedupe.reserve(&mut within));
    assert!(within.is_empty());
    tokio::time::advance(Duration::from_secs(1)).await;
    let mut after = batch(&["a"]);
    drop(dedupe.reserve(&mut after));
    assert_eq!(ids(&after), ["a"]);
}

#[tokio::test]
async fn beyond_max_ids_the_oldest_goes_and_is_counted() {
    let config = Config {
        max_ids: 2,
        ..Config::default()
    };
    let memory = config.memory();
    let dedupe = config.build_with(Arc::clone(&memory)).unwrap();
    let mut first = batch(&["a", "b", "c"]);
    (dedupe.reserve(&mut first).settle)(&|_| true);
    assert_eq!((memory.len(), memory.evicted()), (2, 1));
    let mut again = batch(&["a", "b", "c"]);
    let _reservation = dedupe.reserve(&mut again);
    assert_eq!(ids(&again), ["a"]);
}

#[tokio::test]
async fn a_memory_outlives_its_component() {
    let config = Config::default();
    let memory = config.memory();
    let mut first = batch(&["a"]);
    (config
        .build_with(Arc::clone(&memory))
        .unwrap()
        .reserve(&mut first)
        .settle)(&|_| true);
    let mut again = batch(&["a"]);
    drop(config.build_with(memory).unwrap().reserve(&mut again));
    assert!(again.is_empty());
}

#[tokio::test]
async fn records_without_a_usable_id_always_pass() {
    let dedupe = dedupe(&Config::default());
    let list = ValueBuf::array([Value::Str("a")]);
    for _ in 0..2 {
        let mut batch = Batch::new(Signal::Logs);
        batch.push_scope(&[], "audit");
        batch.push_log();
        for id in [
            Value::Str(""),
            Value::Str(" "),
            Value::Empty,
            Value::Bool(true),
            list.as_value(),
            Value::Bytes(b""),
            Value::Str("****"),
            Value::Str("id-[REDACTED:email]"),
        ] {
            batch.push_log().set("log.record.uid", id);
            batch.push_log().set("log.record.uid", id);
        }
        let reservation = dedupe.reserve(&mut batch);
        assert_eq!(batch.len(), 17);
        (reservation.settle)(&|_| true);
    }
}

#[tokio::test]
async fn an_id_may_stand_in_the_body_and_a_number_equals_its_text() {
    let config = Config {
        key: Some("request.id".into()),
        ..Config::default()
    };
    let dedupe = dedupe(&config);
    let body = ValueBuf::from_json(br#"{"request.id": 17}"#).unwrap();
    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(&[], "audit");
    batch.push_log().set_body(body.as_value());
    batch.push_log().set("request.id", Value::Str("17"));
    batch.push_log().set("request.id", Value::Str("017"));
    drop(dedupe.reserve(&mut batch));
    assert_eq!(batch.len(), 2);

    let config = Config {
        key: Some(r#"body["actor"]["request"]"#.into()),
        ..Config::default()
    };
    let dedupe = config.build_with(config.memory()).unwrap();
    let body = ValueBuf::from_json(br#"{"actor": {"request": "r1"}}"#).unwrap();
    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(&[], "audit");
    batch.push_log().set_body(body.as_value());
    batch.push_log().set_body(body.as_value());
    drop(dedupe.reserve(&mut batch));
    assert_eq!(batch.len(), 1);
}

#[tokio::test]
async fn by_default_the_record_uid_goes_before_the_body_event_id() {
    let dedupe = dedupe(&Config::default());
    let body = ValueBuf::from_json(br#"{"event_id": "e1"}"#).unwrap();
    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(&[], "audit");
    batch.push_log().set_body(body.as_value());
    batch.push_log().set_body(body.as_value());
    let mut with_uid = batch.push_log();
    with_uid.set("log.record.uid", Value::Str("u1"));
    with_uid.set_body(body.as_value());
    drop(dedupe.reserve(&mut batch));
    assert_eq!(batch.len(), 2);
}

/// A request of two spans with the attribute `event_id: e1`.
fn spans() -> Batch {
    let span = r#"{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"n","attributes":[{"key":"event_id","value":{"stringValue":"e1"}}]}"#;
    let request =
        format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span},{span}]}}]}}]}}"#);
    Batch::decode_json(Signal::Traces, request.as_bytes()).unwrap()
}

#[tokio::test]
async fn spans_pass_unless_a_key_is_set_and_share_no_id_with_logs() {
    let mut batch = spans();
    drop(dedupe(&Config::default()).reserve(&mut batch));
    assert_eq!(batch.len(), 2);

    let config = Config {
        key: Some("event_id".into()),
        ..Config::default()
    };
    let dedupe = dedupe(&config);
    let mut logs = Batch::new(Signal::Logs);
    logs.push_scope(&[], "audit");
    logs.push_log().set("event_id", Value::Str("e1"));
    (dedupe.reserve(&mut logs).settle)(&|_| true);
    let mut batch = spans();
    drop(dedupe.reserve(&mut batch));
    assert_eq!(batch.len(), 1);
}

#[test]
fn a_wrong_configuration_is_reported_at_its_place() {
    let mut problems = Problems::new();
    Config {
        key: Some("body[".into()),
        window: HumanDuration(Duration::ZERO),
        max_ids: 0,
    }
    .check(&mut problems);
    assert_eq!(problems.found.len(), 3);
    assert_eq!(problems.found[0].offset, Some(4));
}

/// What the engine does with a reservation, over a destination that refuses every record for which `refuses` holds.
async fn deliver(
    dedupe: &Dedupe,
    delivered: &Mutex<HashMap<String, u32>>,
    request: &[String],
    refuses: impl Fn(&str) -> bool,
) -> bool {
    let names: Vec<&str> = request.iter().map(String::as_str).collect();
    let mut batch = batch(&names);
    let reservation = dedupe.reserve(&mut batch);
    tokio::task::yield_now().await;
    let left = ids(&batch);
    let taken: Vec<bool> = left.iter().map(|id| !refuses(id)).collect();
    for (id, taken) in left.iter().zip(&taken) {
        if *taken {
            *delivered.lock().entry(id.clone()).or_default() += 1;
        }
    }
    (reservation.settle)(&|i| taken[i]);
    let fates = fates(reservation.waits).await;
    taken.iter().all(|taken| *taken) && fates.iter().all(|fate| *fate == Fate::Delivered)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn racing_requests_with_common_ids_deliver_every_id_exactly_once(
        requests in proptest::collection::vec(proptest::collection::vec(0u8..12, 1..8), 2..16),
        first_refused in 0u8..12,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_time().build().unwrap();
        let all: std::collections::BTreeSet<String> = requests.iter().flatten().map(u8::to_string).collect();
        let delivered = Arc::new(Mutex::new(HashMap::new()));
        let refusals = Arc::new(Mutex::new(HashMap::<String, u32>::new()));
        runtime.block_on(async {
            let dedupe = Arc::new(dedupe(&Config::default()));
            let senders = requests.into_iter().map(|request| {
                let (dedupe, delivered, refusals) = (Arc::clone(&dedupe), Arc::clone(&delivered), Arc::clone(&refusals));
                tokio::spawn(async move {
                    let request: Vec<String> = request.iter().map(u8::to_string).collect();
                    // One id is refused the first few times; its senders try again, like any sender.
                    let refuses = |id: &str| {
                        let mut refusals = refusals.lock();
                        let count = refusals.entry(id.to_owned()).or_default();
                        *count += 1;
                        id == first_refused.to_string() && *count <= 3
                    };
                    for _ in 0..1000 {
                        if deliver(&dedupe, &delivered, &request, refuses).await {
                            return;
                        }
                        tokio::task::yield_now().await;
                    }
                    panic!("a sender was never told that its request is delivered");
                })
            });
            let answered = tokio::time::timeout(Duration::from_secs(30), join_all(senders)).await.expect("no deadlock");
            for answer in answered {
                answer.unwrap();
            }
        });
        let delivered = delivered.lock();
        prop_assert_eq!(delivered.keys().cloned().collect::<std::collections::BTreeSet<_>>(), all);
        prop_assert!(delivered.values().all(|times| *times == 1), "{:?}", delivered);
    }
}

#[tokio::test]
async fn a_successor_knows_what_was_delivered_unless_it_looks_for_ids_elsewhere() {
    let context = BuildContext::alone("dedupe");
    let stage = |key: Option<&str>, window| {
        let config = Config {
            key: key.map(str::to_owned),
            window: HumanDuration(window),
            ..Config::default()
        };
        match config.build(&context).unwrap() {
            Stage::Reserve(step) => step,
            other => panic!("{other:?}"),
        }
    };
    let minute = Duration::from_secs(60);
    let first = stage(None, minute);
    let mut records = batch(&["a"]);
    (first.reserve(&mut records).settle)(&|_| true);
    let wider = stage(None, 2 * minute);
    assert!(!wider.is_blank());
    let mut again = batch(&["a"]);
    drop(wider.reserve(&mut again));
    assert!(again.is_empty(), "a duplicate");
    let elsewhere = stage(Some("body"), minute);
    assert!(elsewhere.is_blank(), "it knows no id of that place");
}
